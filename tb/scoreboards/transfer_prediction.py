"""What descriptors make an endpoint send: the exact memory requests, as functions of descriptors and Device Control alone.

Layout of descriptors: docs/interfaces.md section 7. The engine copies between the link and local memory; a transfer from link to
link or inside local memory is an invalid descriptor.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from sluicegate.pci.request_split import MemoryRequests, flushing_reads, split_transfers

from tb.scoreboards.payload_store import PayloadStore
from tb.scoreboards.tlp_batch import U32, U64, Bool, TlpBatch


class Opcode(IntEnum):
    NO_OPERATION = 0
    COPY = 1
    FLUSH = 2


class Space(IntEnum):
    """Where a source or destination is."""

    HOST = 0
    LOCAL = 1
    PEER = 2


class StatusCode(IntEnum):
    """Status codes of completions."""

    SUCCESS = 0
    UNSUPPORTED_REQUEST = 1
    COMPLETER_ABORT = 2
    POISONED = 3
    COMPLETION_TIMEOUT = 4
    INVALID_DESCRIPTOR = 5
    ABORTED = 6
    BUS_MASTER_DISABLED = 7
    LOCAL_ADDRESS_OUT_OF_RANGE = 8
    MALFORMED_COMPLETION = 9


@dataclass(frozen=True)
class EndpointRules:
    """An endpoint as configured. ``attributes``: DW0 bits (IDO 18, RO 13, NS 12) that Device Control enables.

    ``direct_peers``: the bus address of a peer's memory reaches it; under ACS redirection it is an IOVA like any other.
    """

    device: int
    name: str
    up: int
    down: int
    local_size: int
    max_payload: int = 256
    max_read_request: int = 512
    attributes: int = 1 << 13 | 1 << 18
    direct_peers: bool = True


class Descriptors:
    """Columns of descriptors, shape ``[n]`` each, from their dwords, shape ``[n, 8]``."""

    def __init__(self, words: NDArray[np.uint64], local_size: int) -> None:
        control = words[:, 0]
        self.opcode = control & np.uint64(0xF)
        self.source_space = control >> np.uint64(4) & np.uint64(3)
        self.destination_space = control >> np.uint64(6) & np.uint64(3)
        self.interrupt = (control >> np.uint64(13) & np.uint64(1)) != 0
        self.length = control >> np.uint64(32) & np.uint64(0x1FF_FFFF)
        self.source, self.destination = words[:, 1], words[:, 2]
        self.cookie, self.next = words[:, 4], words[:, 5]
        copy = self.opcode == Opcode.COPY
        flush = self.opcode == Opcode.FLUSH
        self.from_local = self.source_space == Space.LOCAL
        self.to_local = self.destination_space == Space.LOCAL
        invalid = (self.opcode > Opcode.FLUSH) | (self.source_space == 3) | (self.destination_space == 3)
        invalid |= (flush & self.from_local) | (copy & ((self.length == 0) | (self.from_local == self.to_local)))
        self.bus_address = np.where(flush | self.to_local, self.source, self.destination)
        end = self.bus_address + self.length
        invalid |= copy & (end < self.bus_address) & (end != 0)
        local = np.where(self.from_local, self.source, self.destination)
        size = np.uint64(local_size)
        outside = copy & ~invalid & ((local > size) | (self.length > size - np.minimum(local, size)))
        # A flush is one zero-length read whatever the length field says.
        self.length = np.where(flush, np.uint64(0), self.length)
        self.code = np.where(invalid, StatusCode.INVALID_DESCRIPTOR, np.where(outside, StatusCode.LOCAL_ADDRESS_OUT_OF_RANGE, 0))
        good = self.code == 0
        self.reads = good & copy & self.to_local
        self.writes = good & copy & self.from_local
        ordered = (control >> np.uint64(12) & np.uint64(1) != 0) | (self.destination_space == Space.PEER)
        self.flushes = good & (flush | (self.writes & ordered))
        attributes = (control >> np.uint64(9) & np.uint64(1)) << np.uint64(18)
        attributes |= (control >> np.uint64(8) & np.uint64(1)) << np.uint64(13)
        self.attributes = (attributes | (control >> np.uint64(10) & np.uint64(1)) << np.uint64(12)).astype(np.uint32)
        self.with_pasid = control >> np.uint64(11) & np.uint64(1) != 0
        process = words[:, 3]
        # Descriptor bits 20 and 21 are privileged and execute; the prefix has them the other way round.
        self.pasid_prefix = (
            np.uint64(0x9100_0000)
            | (process >> np.uint64(20) & np.uint64(1)) << np.uint64(21)
            | (process >> np.uint64(21) & np.uint64(1)) << np.uint64(20)
            | (process & np.uint64(0xFFFFF))
        ).astype(np.uint32)


def predicted_requests(
    descriptors: Descriptors, rules: EndpointRules, sequence: U64, cycle: U64
) -> tuple[TlpBatch, NDArray[np.intp]]:
    """The requests of all descriptors as TLP rows on the endpoint's link, tags 0, and the descriptor of each row.

    ``sequence``, ``cycle``: when each descriptor was submitted, shape ``[n]``.
    """
    address, length = descriptors.bus_address, descriptors.length
    parts = []
    for chosen, boundary, write in (
        (descriptors.reads, rules.max_read_request, False),
        (descriptors.writes, rules.max_payload, True),
        (descriptors.flushes, None, False),
    ):
        rows = np.flatnonzero(chosen)
        if rows.size == 0:
            continue
        if boundary is None:
            split = flushing_reads(address[rows], length[rows])
        else:
            split = split_transfers(address[rows], length[rows], boundary)
        parts.append(_headers(descriptors, rules, rows[split.transfer], split, write))
    if not parts:
        return TlpBatch.none(), np.zeros(0, np.intp)
    words = np.concatenate([part[0] for part in parts], axis=1)
    owner = np.concatenate([part[1] for part in parts])
    for low, column in ((0, cycle), (14, sequence)):
        words[low] = column[owner] & np.uint64(0xFFFF_FFFF)
        words[low + 1] = column[owner] >> np.uint64(32)
    return TlpBatch(words, PayloadStore.empty(), 0), owner


def _headers(
    descriptors: Descriptors, rules: EndpointRules, owner: NDArray[np.intp], split: MemoryRequests, write: bool
) -> tuple[U32, NDArray[np.intp]]:
    first, length = split.address & ~np.uint64(3), split.length
    lead = (split.address & np.uint64(3)).astype(np.uint32)
    dwords = np.maximum((split.address - first + length + np.uint64(3)) >> np.uint64(2), np.uint64(1)).astype(np.uint32)
    end = (split.address + length & np.uint64(3)).astype(np.uint32)
    last_mask = np.uint32(0xF) >> (-end.astype(np.int64) & 3).astype(np.uint32)
    first_mask = np.uint32(0xF) << lead & np.uint32(0xF)
    one, zero = dwords == 1, length == 0
    first_be = np.where(zero, np.uint32(0), np.where(one, first_mask & last_mask, first_mask))
    last_be = np.where(one, np.uint32(0), last_mask)
    high = (first >> np.uint64(32)).astype(np.uint32)
    low = first.astype(np.uint32)
    four = high != 0
    attributes = np.where(zero, np.uint32(0), descriptors.attributes[owner] & np.uint32(rules.attributes))
    prefix = descriptors.pasid_prefix[owner]
    if write or bool(zero.any()):
        # Execute is asked for by reads of data only.
        prefix = np.where(zero | write, prefix & ~np.uint32(1 << 20), prefix)
    with_pasid = descriptors.with_pasid[owner]
    words = np.zeros((16, owner.size), np.uint32)
    words[2] = 1 | rules.up << 8
    words[2] |= with_pasid.astype(np.uint32) << np.uint32(16)
    words[4] = np.uint32(write << 30) | four.astype(np.uint32) << np.uint32(29) | attributes | (dwords & np.uint32(0x3FF))
    words[5] = np.uint32(rules.device << 16) | last_be << np.uint32(4) | first_be
    words[6] = np.where(four, high, low)
    words[7] = np.where(four, low, np.uint32(0))
    words[8] = np.where(with_pasid, prefix, np.uint32(0))
    return words, owner


def without_tag(tlps: TlpBatch) -> TlpBatch:
    """The same requests with tag 0: the tag is the requester's own affair."""
    words = tlps.words.copy()
    words[4] &= ~np.uint32(1 << 23 | 1 << 19)
    words[5] &= ~np.uint32(0xFF00)
    return TlpBatch(words, tlps.payload, tlps.payload_base)


def in_range(address: U64, base: int, size: int) -> Bool:
    """Which addresses lie in ``[base, base + size)``."""
    mask: Bool = np.less(address - np.uint64(base), np.uint64(size))
    return mask
