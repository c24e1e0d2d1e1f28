"""The command queue of the core as a ring that tests append to."""

from __future__ import annotations

from collections.abc import Sequence

from sluicegate.iommu.registers import CommandQueueCsr, Offset

from tests.block.iommu.bench import IommuBench

INVALIDATE_VMA, INVALIDATE_GVMA, FENCE, INVALIDATE_DDT, INVALIDATE_PDT = 0x001, 0x081, 0x002, 0x003, 0x083
"""Dword 0 of each command with all its operands 0: the widest form of an invalidation."""
DROP_EVERYTHING = ((INVALIDATE_DDT, 0), (INVALIDATE_VMA, 0), (INVALIDATE_GVMA, 0), (FENCE, 0))
"""Nothing is cached afterwards: neither contexts nor translations with or without a guest."""


class CommandRing:
    """A queue of ``1 << log2_entries`` commands at ``page`` (byte address, naturally aligned)."""

    def __init__(self, bench: IommuBench, page: int, log2_entries: int = 8) -> None:
        self._bench = bench
        self.page = page
        self._log2_entries = log2_entries
        self._tail = 0

    def __contains__(self, address: int) -> bool:
        return self.page <= address < self.page + (16 << self._log2_entries)

    def enable(self) -> None:
        """Turn the queue on, empty."""
        self._bench.write_register(Offset.CQB, self.page >> 2 | (self._log2_entries - 1), 8)
        self._bench.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)
        self._bench.read_register(Offset.CQCSR, 4)
        self._tail = 0

    def push(self, commands: Sequence[tuple[int, int]]) -> None:
        """Append commands and ring the tail once."""
        for words in commands:
            for index, word in enumerate(words):
                self._bench.memory.write_u64(self.page + 16 * self._tail + 8 * index, word)
            self._tail = (self._tail + 1) % (1 << self._log2_entries)
        self._bench.write_register(Offset.CQT, self._tail, 4)

    def run(self, commands: Sequence[tuple[int, int]]) -> None:
        """Append commands and wait until they are consumed. Raises AssertionError when the queue stops before."""
        self.push(commands)
        for _ in range(400):
            if self._bench.read_register(Offset.CQH, 4) == self._tail:
                return
            self._bench.cycles(16)
        csr = self._bench.read_register(Offset.CQCSR, 4)
        raise AssertionError(f"the command queue stopped before index {self._tail}, cqcsr {csr:#x}")
