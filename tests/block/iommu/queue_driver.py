"""Command and fault queue of the random test, driven as software does: wrap, overflow, errors and restarts included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr

from tests.block.iommu.bench import SETTLE_CYCLES, IommuBench
from tests.block.iommu.edit import Command
from tests.block.iommu.edits import AV, FENCE
from tests.block.iommu.reference import FaultKey, fault_key

FAULT_PAGE, COMMAND_PAGE, FENCE_WORD = 0x6000_0000, 0x6100_0000, 0x6200_0000
COMMAND_BYTES, RECORD_BYTES = 16, 32
ILLEGAL = 0x7F
POLLS = 4000
_STOPPED = CommandQueueCsr.CQMF | CommandQueueCsr.CMD_ILL | CommandQueueCsr.CMD_TO


class QueueError(Exception):
    """A queue did what the specification does not allow; the message is one sentence."""


@dataclass(frozen=True)
class FaultRecords:
    """Records since the last look, counted by what is compared of them; ``overflow`` and ``error``: fqof and fqmf were set."""

    counts: Counter[FaultKey]
    overflow: bool
    error: bool

    @property
    def lossy(self) -> bool:
        return self.overflow or self.error


class QueueDriver:
    """Both queues of one core after reset. ``entries_log2`` of the command and of the fault queue."""

    def __init__(self, bench: IommuBench, random: Random, big_endian: bool, wired: bool, entries_log2: tuple[int, int]) -> None:
        self._bench = bench
        self._random = random
        self._big_endian = big_endian
        self._wired = wired
        self.command_entries, self.fault_entries = (1 << log2 for log2 in entries_log2)
        self._tail = self._head = 0
        self._fault_head = 0
        self.pushed = 0
        """Commands that were given to the queue; the n-th one that completes is the n-th one pushed."""
        self.errors = 0
        """Stops of the command queue that were provoked."""
        self._spoiled: tuple[int, Command, CommandQueueCsr] | None = None
        bench.write_register(Offset.FQB, FAULT_PAGE >> 2 | entries_log2[1] - 1, 8)
        bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)
        bench.write_register(Offset.CQB, COMMAND_PAGE >> 2 | entries_log2[0] - 1, 8)
        bench.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)
        bench.read_register(Offset.CQCSR, 4)

    # ---- commands ----

    def fence(self) -> Command:
        """IOFENCE.C with random PR, PW, AV and WSI."""
        order = self._random.getrandbits(2) << 12
        if self._random.randrange(2):
            return FENCE | AV | order | 0x1234_5678 << 32, FENCE_WORD >> 2
        return FENCE | order | (self._random.getrandbits(1) << 11 if self._wired else 0), 0

    def push(self, commands: Sequence[Command]) -> None:
        """Append commands, as many at a time as the queue has room for; one may be illegal or unreadable at first."""
        spoiled = self._random.randrange(len(commands)) if commands and self._random.randrange(12) == 0 else -1
        for number, words in enumerate(commands):
            if (self._tail + 1 - self._head) % self.command_entries == 0:
                self._ring()
                self.wait()
            address = COMMAND_PAGE + COMMAND_BYTES * self._tail
            if number == spoiled:
                self._spoil(words)
            else:
                self._bench.store(address, words, self._big_endian)
            self._tail = (self._tail + 1) % self.command_entries
            self.pushed += 1
        self._ring()

    def _spoil(self, words: Command) -> None:
        """Make the next command one that stops the queue."""
        address = COMMAND_PAGE + COMMAND_BYTES * self._tail
        if self._random.randrange(2):
            self._bench.store(address, (ILLEGAL, 0), self._big_endian)
            self._spoiled = self._tail, words, CommandQueueCsr.CMD_ILL
        else:
            self._bench.store(address, words, self._big_endian)
            self._bench.set_fault(address + 8 * self._random.randrange(2))
            self._spoiled = self._tail, words, CommandQueueCsr.CQMF
        self.errors += 1

    def _ring(self) -> None:
        self._bench.write_register(Offset.CQT, self._tail, 4)

    def wait(self) -> None:
        """Until the head has reached the tail. A provoked stop is repaired on the way; raises QueueError for any other."""
        for _ in range(POLLS):
            self._head = self._bench.read_register(Offset.CQH, 4)
            if self._head == self._tail:
                if self._spoiled is not None:
                    raise QueueError(f"the command queue ran over the bad command at index {self._spoiled[0]}")
                return
            csr = CommandQueueCsr(self._bench.read_register(Offset.CQCSR, 4))
            if csr & _STOPPED:
                self._restart(csr & _STOPPED)
            self._bench.cycles(24)
        csr = CommandQueueCsr(self._bench.read_register(Offset.CQCSR, 4))
        raise QueueError(f"the command queue hangs at index {self._head} before {self._tail}, cqcsr {csr:#x}")

    def _restart(self, why: CommandQueueCsr) -> None:
        self._head = self._bench.read_register(Offset.CQH, 4)
        if self._spoiled is None or (self._head, why) != (self._spoiled[0], self._spoiled[2]):
            raise QueueError(f"the command queue stopped at index {self._head} with {why!r}, {self._spoiled} was provoked")
        _, words, _ = self._spoiled
        self._spoiled = None
        address = COMMAND_PAGE + COMMAND_BYTES * self._head
        self._bench.clear_faults()
        self._bench.store(address, words, self._big_endian)
        self._bench.write_register(Offset.CQCSR, CommandQueueCsr.CQEN | why, 4)

    # ---- fault records ----

    def spoil_fault_queue(self) -> None:
        """Let the write of one of the next records fail."""
        entry = (self._fault_head + self._random.randrange(4)) % self.fault_entries
        self._bench.set_fault(FAULT_PAGE + RECORD_BYTES * entry + 8 * self._random.randrange(4))

    def records(self) -> FaultRecords:
        """All records since the last call, once no more come; the queue is empty and runs again then."""
        tail = self._bench.read_register(Offset.FQT, 4)
        while True:
            self._bench.cycles(SETTLE_CYCLES)
            latest = self._bench.read_register(Offset.FQT, 4)
            if latest == tail:
                break
            tail = latest
        csr = RecordQueueCsr(self._bench.read_register(Offset.FQCSR, 4))
        overflow, error = bool(csr & RecordQueueCsr.QOF), bool(csr & RecordQueueCsr.QMF)
        counts: Counter[FaultKey] = Counter()
        used = (tail - self._fault_head) % self.fault_entries
        self._bench.clear_faults()
        if used:
            data = self._bench.memory.read(FAULT_PAGE, RECORD_BYTES * self.fault_entries)
            words = np.frombuffer(data, ">u8" if self._big_endian else "<u8").reshape(-1, 4)
            rows = (self._fault_head + np.arange(used)) % self.fault_entries
            for record in words[rows].tolist():
                if record[1]:
                    raise QueueError(f"dword 1 of a fault record is {record[1]:#x}, it must be 0")
                counts[fault_key(record)] += 1
            self._bench.write_register(Offset.FQH, tail, 4)
        if overflow and used != self.fault_entries - 1:
            raise QueueError(f"fqof is set, but the queue of {self.fault_entries} entries holds {used}")
        if csr & (RecordQueueCsr.QMF | RecordQueueCsr.QOF):
            self._bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN | RecordQueueCsr.QMF | RecordQueueCsr.QOF, 4)
            self._bench.read_register(Offset.FQCSR, 4)
        self._fault_head = tail
        return FaultRecords(counts, overflow, error)
