"""A queue that the IOMMU fills, faults or page requests, with its control and status register.

Source: RISC-V IOMMU specification, *fqcsr*, *pqcsr*, *Fault/Event-Queue*, *Page-Request-Queue*.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sluicegate.iommu.queues import MemoryQueue, QueueFull
from sluicegate.iommu.registers import RecordQueueCsr
from sluicegate.memory import Memory, MemoryAccessError


@dataclass(slots=True)
class RecordQueue:
    """The queue and its control bits."""

    queue: MemoryQueue
    csr: RecordQueueCsr = field(default_factory=lambda: RecordQueueCsr(0))
    """QEN, IE, QMF and QOF; QON is the queue's own state."""

    @property
    def value(self) -> int:
        """The CSR as read."""
        return int(self.csr) | (RecordQueueCsr.QON if self.queue.on else 0)

    @property
    def blocked(self) -> bool:
        """True while an error bit makes the IOMMU discard records."""
        return bool(self.csr & (RecordQueueCsr.QMF | RecordQueueCsr.QOF))

    def write_csr(self, value: int) -> None:
        """A register write: enable bits are stored, error bits are cleared by ones."""
        written = RecordQueueCsr(value & (RecordQueueCsr.QEN | RecordQueueCsr.IE))
        errors = self.csr & (RecordQueueCsr.QMF | RecordQueueCsr.QOF) & ~RecordQueueCsr(value & 0x300)
        if written & RecordQueueCsr.QEN and not self.queue.on:
            self.queue.tail = 0
            errors = RecordQueueCsr(0)
        self.queue.on = bool(written & RecordQueueCsr.QEN)
        self.csr = written | errors

    @property
    def interrupting(self) -> bool:
        """True while an error bit is a level condition of the interrupt."""
        return self.blocked and bool(self.csr & RecordQueueCsr.IE)

    def append(self, words: tuple[int, ...], big_endian: bool, memory: Memory, address_limit: int) -> bool:
        """Store a record unless the queue is off or blocked; True when it was stored and its interrupt is enabled.

        A full queue and a refused write drop the record and set the bit that says so.
        """
        if not self.queue.on or self.blocked:
            return False
        try:
            self.queue.append(words, big_endian, memory, address_limit)
        except QueueFull:
            self.csr |= RecordQueueCsr.QOF
            return False
        except MemoryAccessError:
            self.csr |= RecordQueueCsr.QMF
            return False
        return bool(self.csr & RecordQueueCsr.IE)
