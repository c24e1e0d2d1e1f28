"""Synthetic event logs for the unit tests of scoreboards: a builder of records and of TLP headers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tb.bridge.event_log import EVENT_DTYPE, Actor, EventFlag, EventKind, LogBatch
from tb.scoreboards.tlp_batch import JudgedBatch

Header = tuple[int, int, int, int]


def memory_request(
    write: bool,
    address: int,
    length: int,
    requester: int = 0x300,
    tag: int = 0,
    attributes: int = 0,
    address_type: int = 0,
) -> Header:
    """Header of a memory read or write of ``length`` bytes at ``address``; ``attributes`` is ORed into DW0."""
    first = address & ~3
    dwords = max(1, (address + length - first + 3) >> 2)
    lead = address & 3
    if length == 0:
        first_be, last_be = 0, 0
    elif dwords == 1:
        first_be, last_be = ((1 << length) - 1) << lead, 0
    else:
        first_be = 0xF & 0xF << lead
        last_be = 0xF >> (-(address + length) & 3)
    four = first >= 1 << 32
    dw0 = write << 30 | four << 29 | (dwords & 0x3FF) | attributes | address_type << 10
    dw1 = requester << 16 | (tag & 0xFF) << 8 | last_be << 4 | first_be
    return (dw0, dw1, first >> 32, first & 0xFFFF_FFFF) if four else (dw0, dw1, first, 0)


def completion(
    requester: int = 0x300,
    tag: int = 0,
    byte_count: int = 4,
    lower: int = 0,
    length: int | None = None,
    status: int = 0,
    completer: int = 0,
    attributes: int = 0,
) -> Header:
    """Header of a completion with ``length`` bytes of payload span (None: without data)."""
    dwords = 0 if length is None else ((lower & 3) + length + 3) >> 2
    dw0 = (0x0A if length is None else 0x4A) << 24 | (dwords & 0x3FF) | attributes
    dw1 = completer << 16 | status << 13 | (byte_count & 0xFFF)
    return (dw0, dw1, requester << 16 | (tag & 0xFF) << 8 | lower, 0)


def configuration_request(write: bool, target: int, register: int, tag: int = 0, kind: int = 1, requester: int = 0) -> Header:
    """Header of a configuration request of type ``kind``."""
    return (write << 30 | (4 + kind) << 24 | 1, requester << 16 | tag << 8 | 0xF, target << 16 | register, 0)


@dataclass
class LogBuilder:
    """Collects records; ``cycle`` advances by one with each record."""

    records: list[np.void] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    cycle: int = 0
    _taken: int = 0
    _base: int = 0

    def add(
        self,
        kind: EventKind,
        source: int = 0,
        *,
        address: int = 0,
        header: Header = (0, 0, 0, 0),
        payload: bytes = b"",
        length: int | None = None,
        argument: int = 0,
        prefix: int = 0,
        flags: int = 0,
    ) -> int:
        """Append a record; returns its sequence number."""
        record = np.zeros(1, EVENT_DTYPE)[0]
        record["cycle"], record["kind"], record["source"], record["flags"] = self.cycle, kind, source, flags
        record["length"] = len(payload) if length is None else length
        record["header"] = header
        record["prefix"], record["argument"], record["address"] = prefix, argument, address
        record["payload"] = self._base + len(self.data)
        record["sequence"] = self._taken + len(self.records)
        self.data += payload
        self.records.append(record)
        self.cycle += 1
        return int(record["sequence"])

    def tlp(self, link: int, header: Header, payload: bytes = b"", prefix: int | None = None, nullified: bool = False) -> int:
        """A TLP on ``link``; the payload is extended to whole DWs."""
        payload += bytes(-len(payload) % 4)
        flags = (0 if prefix is None else EventFlag.PREFIX_VALID) | (EventFlag.NULLIFIED if nullified else 0)
        return self.add(EventKind.TLP, link, header=header, payload=payload, prefix=prefix or 0, flags=flags)

    def memory_write(self, address: int, payload: bytes, actor: Actor = Actor.CPU, argument: int = 0, flags: int = 0) -> int:
        return self.add(EventKind.MEMORY_WRITE, actor, address=address, payload=payload, argument=argument, flags=flags)

    def batch(self) -> JudgedBatch:
        """The records since the last call."""
        records = np.array(self.records, dtype=EVENT_DTYPE)
        batch = JudgedBatch(records, np.frombuffer(bytes(self.data), dtype=np.uint8), self._base)
        self._taken += len(self.records)
        self._base += len(self.data)
        self.records, self.data = [], bytearray()
        return batch


def words(*values: int) -> bytes:
    """Little-endian dwords as bytes."""
    return b"".join(value.to_bytes(8, "little") for value in values)


__all__ = ["Header", "LogBatch", "LogBuilder", "completion", "configuration_request", "memory_request", "words"]
