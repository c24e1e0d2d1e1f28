"""The CPU finds the machine by configuration requests, sets it up, and reaches registers and local memory of both endpoints.

Then both endpoints reach host memory, through the IOMMU."""

from __future__ import annotations

import cocotb
import numpy as np
from sluicegate.platform import ADDRESS_MAP
from sluicegate.registers import endpoint

from sequences.machine import Machine
from sequences.single_transfers import single_transfers
from tb.env.base_test import run_test
from tests.system.sequence_test import SequenceTest

MAGIC = int.from_bytes(b"SLGE", "little")
EXPECTED_FUNCTIONS = ["00:00.0", "00:01.0", "01:00.0", "02:00.0", "02:01.0", "03:00.0", "04:00.0"]
ACCESSES = 200


class EnumerationTest(SequenceTest):
    """Registers in BAR0 and local memory in BAR2 of both endpoints through MMIO; reads that nobody claims give all ones."""

    def drive(self) -> None:
        self._reach_functions()
        super().drive()

    def exercise(self, machine: Machine) -> None:
        single_transfers(machine, self.random, batches=1)

    def _reach_functions(self) -> None:
        random = np.random.default_rng(self.settings.seed)
        assert sorted(str(function.bdf) for function in self.tree.functions) == EXPECTED_FUNCTIONS
        bars = [function.device.bars for function in self.tree.endpoints]
        assert len(bars) == 2
        for number, window in ((0, ADDRESS_MAP.mmio32), (2, ADDRESS_MAP.mmio64)):
            assert all(window.contains(bar[number].phys, bar[number].size) for bar in bars)
        for bar in bars:
            assert self.platform.mmio_read(bar[0].phys + endpoint.IDENTIFICATION, 4) == MAGIC
            sizes = self.platform.mmio_read(bar[0].phys + endpoint.SIZES, 4)
            assert 1 << endpoint.SIZES_LOG2_LOCAL_BYTES.get(sizes) == bar[2].size
        written: dict[int, int] = {}
        for _ in range(ACCESSES):
            memory = bars[int(random.integers(0, 2))][2]
            width = int(random.choice([4, 8]))
            address = memory.phys + int(random.integers(0, min(memory.size, 1 << 14) // 8)) * 8
            if width == 4:
                address += 4 * int(random.integers(0, 2))
            value = int(random.integers(0, 1 << 32)) << 32 | int(random.integers(0, 1 << 32))
            data = value & (1 << 8 * width) - 1
            self.platform.mmio_write(address, data, width)
            for offset in range(0, width, 4):
                written[address + offset] = data >> 8 * offset & 0xFFFF_FFFF
        for address, value in written.items():
            assert self.platform.mmio_read(address, 4) == value, f"local memory at {address:#x}"
        assert self.platform.mmio_read(bars[0][0].phys + bars[0][0].size + bars[1][0].size, 4) == 0xFFFF_FFFF
        assert self.platform.mmio_read(ADDRESS_MAP.mmio64.end - 8, 8) == 0xFFFF_FFFF_FFFF_FFFF


@cocotb.test()
async def enumeration(_: object) -> None:
    """Enumerate, read registers, write and read local memory."""
    await run_test(EnumerationTest)
