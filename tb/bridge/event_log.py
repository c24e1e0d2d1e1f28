"""The event log as Python sees it: structured numpy arrays over the records that ``tb/native/event_log.h`` defines."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


class EventKind(IntEnum):
    """What a record tells; the fields each kind uses stand in ``event_log.h``."""

    TLP = 1
    MEMORY_WRITE = 2
    MEMORY_READ = 3
    TRANSLATION_REQUEST = 4
    TRANSLATION_RESPONSE = 5
    REGISTER_WRITE = 6
    REGISTER_READ = 7
    INTERRUPT = 8
    DESCRIPTOR = 9
    STATUS = 10
    MARK = 11
    IOMMU_COMMAND = 12
    PROTOCOL_ERROR = 13
    FAULT_RECORD = 14
    DEVICE_MESSAGE = 15
    IOMMU_MESSAGE = 16
    LOOKUP = 17
    CREDITS_HELD = 18


class Actor(IntEnum):
    """Who touched memory (``source`` of MEMORY_WRITE and MEMORY_READ)."""

    CPU = 0
    LINK = 1
    IOMMU = 2


class LookupOutcome(IntEnum):
    """``argument`` of LOOKUP: where a translation request was answered from, or that it must be walked."""

    FIRST_LEVEL = 1
    SECOND_LEVEL = 2
    MISS = 3


class EventFlag(IntFlag):
    """``flags`` of a record."""

    PREFIX_VALID = 1 << 0
    NULLIFIED = 1 << 1
    FAILED = 1 << 2
    POISONED = 1 << 3
    NO_HEADER_CREDIT = 1 << 4
    NO_DATA_CREDIT = 1 << 5


class RequestBit(IntFlag):
    """Bits of ``header[3]`` of TRANSLATION_REQUEST; the address type is at ``REQUEST_AT_SHIFT``."""

    PV = 1 << 0
    PRIV = 1 << 1
    EXEC = 1 << 2
    WRITE = 1 << 3
    NO_WRITE = 1 << 4


MEMORY_PORT_READ = 0
"""Operation (``header[1]``) of a plain read on the IOMMU's memory port; a compare-and-set logs a read too."""
REQUEST_AT_SHIFT = 8
RESPONSE_STATUS_SHIFT = 0
RESPONSE_PBMT_SHIFT = 4
RESPONSE_PERMISSIONS_SHIFT = 8
RESPONSE_SIZE_SHIFT = 16
RESPONSE_MRIF = 1 << 24


class MessageBit(IntFlag):
    """Bits of ``header[2]`` of DEVICE_MESSAGE and IOMMU_MESSAGE, with the announced count and the itag beside them."""

    PV = 1 << 0
    PRIV = 1 << 1
    EXEC = 1 << 2
    SEGMENT_VALID = 1 << 3
    INVALIDATE = 1 << 4
    COMPLETION = 1 << 5


MESSAGE_COUNT_SHIFT = 8
MESSAGE_ITAG_SHIFT = 16


class ProtocolRule(IntEnum):
    """``argument`` of PROTOCOL_ERROR: the rule that a sender broke."""

    CREDIT_EXCEEDED = 1
    UNSTABLE = 2
    MISSING_SOP = 3
    UNEXPECTED_SOP = 4
    WRONG_BEAT_COUNT = 5
    WRONG_EMPTY = 6
    SENT_WHILE_LINK_DOWN = 7


EVENT_DTYPE = np.dtype(
    [
        ("cycle", "<u8"),
        ("kind", "u1"),
        ("source", "u1"),
        ("flags", "<u2"),
        ("length", "<u4"),
        ("header", "<u4", (4,)),
        ("prefix", "<u4"),
        ("argument", "<u4"),
        ("address", "<u8"),
        ("payload", "<u8"),
        ("sequence", "<u8"),
    ]
)
assert EVENT_DTYPE.itemsize == 64

LINKS = 256
"""Numbers that a link may have (``source`` of a record)."""

EventArray = NDArray[np.void]
"""A structured array of ``EVENT_DTYPE``."""


@dataclass(frozen=True)
class LogBatch:
    """Consecutive records of the log and their payload bytes.

    ``records`` has shape ``[n]`` and dtype ``EVENT_DTYPE``; the payload of a record is
    ``payload[record["payload"] - payload_base :][: record["length"]]`` for kinds that carry one.
    """

    records: EventArray
    payload: NDArray[np.uint8]
    payload_base: int

    def payload_of(self, record: Any) -> NDArray[np.uint8]:
        """The payload bytes of one record of this batch."""
        start = int(record["payload"]) - self.payload_base
        return self.payload[start : start + int(record["length"])]

    @cached_property
    def tlps_on_link(self) -> list[int]:
        """TLP records of each link, by its number."""
        source = self.records["source"][self.records["kind"] == EventKind.TLP]
        counts: list[int] = np.bincount(source, minlength=LINKS).tolist()
        return counts

    def of_kind(self, kind: EventKind) -> EventArray:
        """The records of one kind, in log order."""
        chosen: EventArray = self.records[self.records["kind"] == kind]
        return chosen
