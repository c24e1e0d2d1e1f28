"""Requests to the endpoint: configuration space, register map, local memory, and what it must refuse."""

from __future__ import annotations

import cocotb
import numpy as np
from sluicegate.registers import endpoint as registers

from tb.agents.tlp_link.item import StimulusTlp
from tb.env.base_test import run_test
from tb.scoreboards.tlp_types import CompletionStatus, FmtType
from tests.block.endpoint.endpoint_test import BAR0, BAR2, FUNCTION, LOCAL_BYTES, EndpointTest

PATTERNS = (0xFFFF_FFFF, 0, 0xA5A5_5A5A)
HARDWARE = frozenset({registers.SIZES, registers.FEATURES})
"""Read-only registers whose value the build decides."""
SIDE_EFFECTS = frozenset({registers.CONTROL, registers.RING_CONTROL})
LOCAL_AREA = 1 << 14


class ConfigurationTest(EndpointTest):
    """Header, BAR sizing, capability list, identity capture, refused requests."""

    async def stimulate(self) -> None:
        assert await self.config_read(0x00) == 0x5345_1234
        await self.config_read(0x00, CompletionStatus.UR, FUNCTION | 1)
        await self.sizes()
        await self.capabilities()
        await self.refused_before_enable()
        await self.enable()
        await self.refused()

    async def sizes(self) -> None:
        for offset in (0x10, 0x14, 0x18, 0x1C, 0x20, 0x24, 0x30):
            await self.config_write(offset, 0xFFFF_FFFF)
        sizes = [await self.config_read(offset) for offset in (0x10, 0x14, 0x18, 0x1C, 0x20, 0x24, 0x30)]
        bar2 = (1 << 64) - LOCAL_BYTES | 0xC
        assert sizes == [0xFFFF_C000, 0, bar2 & 0xFFFF_FFFF, bar2 >> 32, 0, 0, 0], [hex(size) for size in sizes]
        await self.config_write(0x10, 0x1234_5678, enables=0b0100)
        assert await self.config_read(0x10) == 0xFF34_C000

    async def capabilities(self) -> None:
        found, offset = {}, await self.config_read(0x34) & 0xFC
        while offset:
            header = await self.config_read(offset)
            found[header & 0xFF] = offset
            offset = header >> 8 & 0xFC
        assert found == {0x10: 0x40, 0x11: 0x80}, found
        assert await self.config_read(0x84) == registers.MSIX_TABLE_ADDRESS_LOW
        assert await self.config_read(0x88) == registers.MSIX_PBA
        assert await self.config_read(0x100) & 0xFFFF == 0x001B
        assert await self.config_read(0xFFC) == 0

    async def refused_before_enable(self) -> None:
        """Memory Space Enable is 0."""
        await self.config_write(0x10, BAR0)
        header = (FmtType.MRD32 << 24 | 1, 0xF, BAR0, 0)
        await self.wait(self.request(header, b"", CompletionStatus.UR))

    async def refused(self) -> None:
        unsupported = CompletionStatus.UR
        four = bytes(4)
        answers = [
            self.request((FmtType.CFGRD1 << 24 | 1, 0xF, FUNCTION << 16, 0), b"", unsupported),
            self.request((FmtType.IORD << 24 | 1, 0xF, 0x100, 0), b"", unsupported),
            self.request((FmtType.IOWR << 24 | 1, 0xF, 0x100, 0), four, unsupported),
            self.request((FmtType.MRD32 << 24 | 1, 0xF, BAR0 + 0x4000, 0), b"", unsupported),
            self.request((FmtType.MRD64 << 24 | 1, 0xF, BAR2 >> 32, BAR2 + LOCAL_BYTES & 0xFFFF_FFFF), b"", unsupported),
            self.request((0x6C << 24 | 1, 0, BAR2 >> 32, BAR2 & 0xFFFF_FFFF), four, unsupported),
            self.request((FmtType.CFGWR0 << 24 | 1 << 14 | 1, 0xF, FUNCTION << 16 | 0x10, 0), four, unsupported),
            self.request((FmtType.MRD32 << 24 | 2, 0xFF, BAR0, 0), b"", CompletionStatus.CA),
        ]
        await self.wait(*answers)
        assert await self.config_read(0x10) == BAR0, "a poisoned configuration write took effect"
        status = await self.config_read(0x48)
        assert status >> 16 & 0b1001 == 0b1001, f"Device Status {status >> 16:#x} does not report the unsupported requests"
        await self.config_write(0x48, 0xF << 16 | 0x2120)
        assert await self.config_read(0x48) >> 16 == 0, "Device Status is not cleared by writing 1"
        self.send([StimulusTlp((FmtType.MWR32 << 24 | 1, 0xF, BAR0 + 0x4000, 0), four)])
        await self.read(registers.IDENTIFICATION)
        status = await self.config_read(0x48)
        assert status >> 16 == 0b1010, f"Device Status is {status >> 16:#x} after an unsupported posted request"


class RegisterMapTest(EndpointTest):
    """Every register of the SystemRDL: reset value, writable bits, byte enables; addresses without a register read 0."""

    async def stimulate(self) -> None:
        await self.enable(bus_master=False)
        assert await self.read(registers.IDENTIFICATION) == 0x4547_4C53
        for offset, (_, reset) in registers.ACCESS.items():
            value = await self.read(offset)
            assert offset in HARDWARE or value == reset, f"{offset:#x} is {value:#x} after reset, the map says {reset:#x}"
        for offset, (writable, _) in registers.ACCESS.items():
            if offset not in SIDE_EFFECTS:
                await self.check(offset, writable)
        sizes = await self.read(registers.SIZES)
        assert registers.SIZES_LOG2_LOCAL_BYTES.get(sizes) == LOCAL_BYTES.bit_length() - 1
        assert registers.SIZES_VECTORS.get(sizes) == registers.MSIX_TABLE_DATA_INSTANCES
        for offset in (0x1C, 0x134, 0x7FC, 0x824, 0x2080, 0x3004, 0x3FFC):
            self.write(offset, 0xFFFF_FFFF)
            assert await self.read(offset) == 0, f"{offset:#x} is no register but does not read 0"

    async def check(self, offset: int, writable: int) -> None:
        value = await self.read(offset)
        for pattern in PATTERNS:
            self.write(offset, pattern)
            read = await self.read(offset)
            due = value & ~writable | pattern & writable
            assert read == due, f"{offset:#x} reads {read:#x} after {pattern:#x} was written, {due:#x} is due"
        self.write(offset, 0xFFFF_FFFF, enables=0b0100)
        read = await self.read(offset)
        due = value & ~writable | (PATTERNS[-1] | 0x00FF_0000) & writable
        assert read == due, f"{offset:#x}: byte enables: {read:#x}, {due:#x} is due"


class LocalMemoryTest(EndpointTest):
    """Random writes and reads of every size and alignment through BAR2, and zero-length ones."""

    rounds = 60

    async def stimulate(self) -> None:
        await self.enable(bus_master=False)
        contents = self.random.integers(0, 256, LOCAL_AREA, dtype=np.uint8)
        for offset in range(0, LOCAL_AREA, 256):
            self.write_local(offset, contents[offset : offset + 256])
        for _ in range(self.rounds):
            for _ in range(int(self.random.integers(1, 12))):
                offset, length = self.draw(256)
                data = self.random.integers(0, 256, length, dtype=np.uint8)
                self.write_local(offset, data)
                contents[offset : offset + length] = data
            answers = []
            for _ in range(int(self.random.integers(1, 12))):
                offset, length = self.draw(4096)
                answers.append(self.read_local(offset, contents[offset : offset + length]))
            flush = (FmtType.MRD64 << 24 | 1, 0, BAR2 >> 32, BAR2 & 0xFFFF_FFFF)
            answers.append(self.request(flush, b"", CompletionStatus.SC))
            await self.wait(*answers)
        await self.poisoned(contents)

    def draw(self, limit: int) -> tuple[int, int]:
        """Offset and length of an access that crosses no 4 KiB boundary and, DWs counted, stays within ``limit``."""
        offset = int(self.random.integers(0, LOCAL_AREA))
        room = min(4096 - offset % 4096, limit - offset % 4)
        return offset, int(self.random.integers(1, room + 1))

    async def poisoned(self, contents: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
        """A poisoned write changes nothing."""
        header = self.memory_header(True, 0x100, 64)
        self.send([StimulusTlp((header[0] | 1 << 14, *header[1:]), bytes(64))])
        await self.wait(self.read_local(0x100, contents[0x100:0x140]))


@cocotb.test()
async def configuration(_: object) -> None:
    """Configuration space and refused requests."""
    await run_test(ConfigurationTest)


@cocotb.test()
async def register_map(_: object) -> None:
    """The register RTL is the SystemRDL."""
    await run_test(RegisterMapTest)


@cocotb.test()
async def local_memory(_: object) -> None:
    """BAR2."""
    await run_test(LocalMemoryTest)
