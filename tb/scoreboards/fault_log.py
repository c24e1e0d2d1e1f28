"""Fault records against faulting requests: one for each, and none for anything else.

A request and a record meet by device, PASID, privilege, transaction type and IOVA page; the cause must be one that the tables
allowed. Records may only be missing while the fault queue was off or full.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sluicegate.iommu.request import Cause, FaultRecord, TransactionType

FAULT_RECORD_BYTES = 32
_IN_FLIGHT = 256
"""A fault may be answered this many records before the queue loses its record."""

_FILE_CAUSES = (Cause.MRIF_ACCESS_FAULT, Cause.MRIF_DATA_CORRUPTION)

FaultKey = tuple[int, int, bool, bool, int, int]
"""Device ID, process ID, PASID valid, privileged, transaction type, IOVA page."""


@dataclass(slots=True)
class ExpectedFault:
    """``causes`` that the record may have; sequence and cycle of the response."""

    causes: set[int]
    sequence: int
    cycle: int


def record_key(record: FaultRecord) -> FaultKey:
    """Key of a record; the low 12 bits of its IOVA do not count (specification: they may be 0)."""
    return (
        record.device_id,
        record.process_id,
        record.pasid_valid,
        record.priv,
        int(record.transaction_type),
        record.iotval >> 12,
    )


@dataclass
class FaultLog:
    """Expected faults without record, and records without fault, by key."""

    expected: dict[FaultKey, deque[ExpectedFault]] = field(default_factory=dict)
    records: dict[FaultKey, deque[tuple[FaultRecord, int, int]]] = field(default_factory=dict)
    compared: int = 0
    apart: int = 0
    """Records of messages, and of writes to interrupt files whose translation had succeeded: no request at the port faulted."""
    excused: int = 0
    _lossy_since: int | None = 0
    _lossy: list[tuple[int, int]] = field(default_factory=list)

    def lossy(self, sequence: int, value: bool) -> None:
        """From ``sequence`` on, records may (or may not) be dropped: the queue is off, full, or its overflow bit is set."""
        if value and self._lossy_since is None:
            self._lossy_since = sequence
        elif not value and self._lossy_since is not None:
            self._lossy.append((self._lossy_since, sequence))
            self._lossy_since = None

    def expect(self, key: FaultKey, fault: ExpectedFault) -> str | None:
        """A request faulted. Returns what is wrong when its record is there already and has another cause."""
        waiting = self.records.get(key)
        if not waiting:
            self.expected.setdefault(key, deque()).append(fault)
            return None
        record, _, _ = waiting.popleft()
        if not waiting:
            del self.records[key]
        return self._meet(fault, record)

    def record(self, record: FaultRecord, sequence: int, cycle: int) -> str | None:
        """A record was written. Returns what is wrong when its fault has another cause."""
        if record.transaction_type is TransactionType.NONE and record.cause == Cause.MSI_WRITE_ACCESS_FAULT:
            return None
        if record.transaction_type is TransactionType.PCIE_MESSAGE or record.cause in _FILE_CAUSES:
            self.apart += 1
            return None
        key = record_key(record)
        waiting = self.expected.get(key)
        if not waiting:
            self.records.setdefault(key, deque()).append((record, sequence, cycle))
            return None
        fault = waiting.popleft()
        if not waiting:
            del self.expected[key]
        return self._meet(fault, record)

    def _meet(self, fault: ExpectedFault, record: FaultRecord) -> str | None:
        self.compared += 1
        if record.cause in fault.causes:
            return None
        return f"fault record of {describe(record_key(record))} has cause {int(record.cause)}, expected {sorted(fault.causes)}"

    def missing(self, end: int) -> tuple[FaultKey, ExpectedFault] | None:
        """The first fault whose record never came, those left out that may have been dropped."""
        periods = [*self._lossy, *([(self._lossy_since, end)] if self._lossy_since is not None else [])]
        left = []
        for key, faults in self.expected.items():
            for fault in faults:
                if any(start - _IN_FLIGHT <= fault.sequence < stop for start, stop in periods):
                    self.excused += 1
                else:
                    left.append((key, fault))
        return min(left, key=lambda pair: pair[1].sequence, default=None)


def describe(key: FaultKey) -> str:
    """The request of a key, for messages."""
    device, process, valid, _, kind, page = key
    pasid = f" PASID {process:#x}" if valid else ""
    return f"device {device:#06x}{pasid}, {TransactionType(kind).name.lower().replace('_', ' ')}, IOVA page {page << 12:#x}"
