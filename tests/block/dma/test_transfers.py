"""The DMA engine moves the right bytes: every alignment, awkward lengths, random mixes under stalls and reordering."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from sluicegate.endpoint.descriptor import Descriptor
from sluicegate.registers.descriptor import Opcode, Space

from tb.env.base_test import run_test
from tests.block.dma.engine_test import DESTINATION, HIGH, LOW, SOURCE_BYTES, EngineTest

LENGTHS = (1, 2, 3, 4, 5, 7, 8, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 4095, 4096, 4097)
GUARD = 8


class AlignmentTest(EngineTest):
    """All offsets in a 64-byte line against awkward lengths, both ways, with guard bytes between operations."""

    area = 1 << 17

    async def stimulate(self) -> None:
        self.set_function()
        self.fill_host()
        await self.load_local(self.area)
        for offsets in np.array_split(self.random.permutation(64), 8):
            await self.sweep([int(offset) for offset in offsets])
        await self.dump_local(self.area)
        await self.check_idle()

    async def sweep(self, offsets: list[int]) -> None:
        reads, writes = [], []
        local, host = int(self.random.integers(0, 64)), HIGH + DESTINATION
        for offset in offsets:
            for length in self.random.permutation(LENGTHS)[:12].tolist():
                base = LOW if self.random.integers(0, 2) else HIGH
                page = int(self.random.integers(0, SOURCE_BYTES // 4096 - 2)) * 4096
                if local + length > self.area:
                    break
                reads.append(self.read(base + page + offset, local, length))
                local += length + int(self.random.integers(0, GUARD))
        await self.run_descriptors(reads)
        for offset in offsets:
            for length in self.random.permutation(LENGTHS)[:12].tolist():
                host = (host + 63 & ~63) + offset
                source = int(self.random.integers(0, self.area - length))
                writes.append(self.write(source, host, length))
                host += length + GUARD
        await self.run_descriptors(writes)


class RandomTest(EngineTest):
    """Reads and writes side by side, with attributes, flushes, no operations and invalid descriptors among them."""

    area = 1 << 18
    rounds = 6
    batch = 120

    async def stimulate(self) -> None:
        self.set_function(short_tags=bool(self.random.integers(0, 2)))
        self.fill_host()
        await self.load_local(self.area)
        for _ in range(int(self.settings.parameters.get("rounds", self.rounds))):
            await self.run_descriptors(self.mix())
        await self.dump_local(self.area)
        await self.check_idle()

    def mix(self) -> list[Descriptor]:
        """Reads go to the lower half of the area, writes come from the upper half."""
        half = self.area // 2
        local, host = 0, (LOW if self.random.integers(0, 2) else HIGH) + DESTINATION
        descriptors = []
        for _ in range(self.batch):
            limit = int(self.random.choice([8, 70, 600, 9000], p=[0.2, 0.4, 0.3, 0.1]))
            length = int(self.random.integers(1, limit))
            options = self.options()
            kind = int(self.random.integers(0, 16))
            if kind == 0:
                descriptors.append(self.odd_one())
            elif kind < 8 and local + length < half:
                base = LOW if self.random.integers(0, 2) else HIGH
                source = base + int(self.random.integers(0, SOURCE_BYTES - length))
                descriptors.append(self.read(source, local, length, **options))
                local += length + int(self.random.integers(0, GUARD))
            else:
                source = half + int(self.random.integers(0, half - length))
                peer, flush = (bool(choice) for choice in self.random.integers(0, 4, 2) == 0)
                descriptors.append(self.write(source, host, length, peer=peer, flush=flush, **options))
                host += length + int(self.random.integers(0, 200))
        return descriptors

    def options(self) -> dict[str, Any]:
        """Attributes and PASID of one operation."""
        attributes = self.random.integers(0, 2, 5).astype(bool).tolist()
        options: dict[str, Any] = dict(zip(("relaxed_ordering", "id_ordering", "no_snoop"), attributes, strict=False))
        if attributes[3] and attributes[4]:
            privileged, execute = self.random.integers(0, 2, 2).astype(bool).tolist()
            options |= {"pasid": int(self.random.integers(0, 1 << 20)), "privileged": privileged, "execute": execute}
        return options

    def odd_one(self) -> Descriptor:
        """No operation, a flush, or a descriptor that is invalid in one way."""
        cookie = int(self.random.integers(0, 1 << 63))
        return (
            Descriptor(opcode=Opcode.NOP, cookie=cookie),
            Descriptor(opcode=Opcode.FLUSH, source=HIGH + 5, cookie=cookie),
            Descriptor(source=HIGH, destination=0, length=0, cookie=cookie),
            Descriptor(source=HIGH, destination=(1 << 20) - 3, length=4, cookie=cookie),
            Descriptor(source=HIGH, destination_space=Space.HOST, destination=LOW, length=4, cookie=cookie),
            Descriptor(source=(1 << 64) - 2, destination=0, length=4, cookie=cookie),
        )[int(self.random.integers(0, 6))]


@cocotb.test()
async def alignment(_: object) -> None:
    """Offset times length, reads and writes."""
    await run_test(AlignmentTest)


@cocotb.test()
async def random_mix(_: object) -> None:
    """A random mix of everything that succeeds or is refused at dispatch."""
    await run_test(RandomTest)
