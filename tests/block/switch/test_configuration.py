"""Configuration spaces of the switch ports: identity, capabilities, which bits software can write, error status.

Expected values: PCI type-1 header, PCI Express capability, ACS extended capability.
"""

from __future__ import annotations

from dataclasses import replace

import cocotb
from sluicegate.pci.topology import AcsControl

from tb.agents.tlp_link.item import StimulusTlp
from tb.env.base_test import run_test
from tb.scoreboards.scoreboard import ScoreboardError
from tests.block.switch import port_programming as registers
from tests.block.switch.port_programming import PortAccess, acs_accesses
from tests.block.switch.switch_test import SwitchTest
from tests.block.switch.traffic import OUTSIDE

SUCCESSFUL = 0
PCI_EXPRESS, ACS = 0x10, 0x000D
UPSTREAM_TYPE, DOWNSTREAM_TYPE = 5, 6
STATUS_CORRECTABLE, STATUS_NONFATAL, STATUS_UNSUPPORTED = 1 << 16, 1 << 17, 1 << 19
SIGNALED_TARGET_ABORT = 1 << 27
SECONDARY_STATUS = 0x1C
WRITABLE = {
    0x00: 0,
    0x04: 0x0000_0547,
    0x08: 0,
    0x0C: 0,
    0x10: 0,
    0x14: 0,
    0x1C: 0,
    0x20: 0xFFF0_FFF0,
    0x24: 0xFFF0_FFF0,
    0x28: 0xFFFF_FFFF,
    0x2C: 0xFFFF_FFFF,
    0x30: 0,
    0x34: 0,
    0x38: 0,
    0x40: 0,
    0x44: 0,
    0x68: 0x0000_0080,
    0x100: 0,
    0x10C: 0,
    0xFFC: 0,
}
"""Bits of each register that keep what software writes (without the bus numbers, which carry the test's own accesses)."""
DOWNSTREAM_WRITABLE = {0x18: 0x00FF_FFFF, 0x104: 0x007F_0000, 0x108: 0x0000_0007}


class ConfigurationTest(SwitchTest):
    """Reads back what software relies on, then writes everything."""

    async def stimulate(self) -> None:
        await self.program(self.configuration)
        for port in range(len(self.configuration.ports)):
            await self.check_identity(port)
        for port in (1, 2):
            await self.check_error_status(port)
        for port in range(len(self.configuration.ports)):
            await self.check_writable(port)
        self.check_statistics()

    async def read(self, port: int, register: int) -> int:
        ((status, value),) = await self.access([PortAccess(port, register)])
        if status != SUCCESSFUL or value is None:
            raise ScoreboardError("configuration", "switch", f"port {port} register {register:#x}: status {status}")
        return value

    def expect(self, port: int, what: str, found: int, expected: int) -> None:
        if found != expected:
            raise ScoreboardError("configuration", "switch", f"port {port}: {what} is {found:#x}, must be {expected:#x}")

    async def check_identity(self, port: int) -> None:
        configuration = self.configuration.ports[port]
        self.expect(port, "class code", await self.read(port, 0x08) >> 8, 0x060400)
        self.expect(port, "header type", await self.read(port, 0x0C) >> 16 & 0x7F, 1)
        self.expect(port, "capabilities list", await self.read(port, 0x04) >> 20 & 1, 1)
        numbers = await self.read(port, registers.BUS_NUMBERS)
        self.expect(port, "bus numbers", numbers >> 8, configuration.subordinate << 8 | configuration.secondary)
        self.expect(port, "64-bit prefetchable window", await self.read(port, registers.PREFETCHABLE) & 0x000F_000F, 0x0001_0001)
        pointer = await self.read(port, 0x34) & 0xFC
        capability = await self.read(port, pointer)
        self.expect(port, "first capability", capability & 0xFF, PCI_EXPRESS)
        self.expect(port, "capability version", capability >> 16 & 0xF, 2)
        self.expect(port, "port type", capability >> 20 & 0xF, DOWNSTREAM_TYPE if port else UPSTREAM_TYPE)
        self.expect(port, "port number", await self.read(port, pointer + 0x0C) >> 24, port)
        extended = await self.read(port, 0x100)
        self.expect(port, "extended capability", extended, ACS | 1 << 16 if port else 0)
        self.expect(port, "ACS capability", await self.read(port, 0x104) & 0xFFFF, 0x037F if port else 0)
        self.expect(port, "MRRS after reset", await self.read(port, pointer + 0x08) >> 12 & 7, 2)

    async def check_error_status(self, port: int) -> None:
        """Unsupported requests and ACS violations leave their bits; writing 1 clears them."""
        initial = self.configuration
        own = initial.ports[port]
        unclaimed = initial.ports[0].windows[0].last - 4095
        read = StimulusTlp((0x0000_0001, own.secondary << 24 | 0x0F, unclaimed, 0))
        write = StimulusTlp((0x4000_0001, own.secondary << 24 | 0x0F, unclaimed, 0), b"abcd")
        await self.send({port: [read]})
        await self.expect_status(port, STATUS_CORRECTABLE | STATUS_UNSUPPORTED, 0)
        await self.send({port: [write]})
        await self.expect_status(port, STATUS_NONFATAL | STATUS_UNSUPPORTED, 0)
        validated = replace(own, acs=AcsControl.SOURCE_VALIDATION)
        ports = tuple(validated if number == port else other for number, other in enumerate(initial.ports))
        self.prediction.configuration = replace(initial, ports=ports)
        await self.access(acs_accesses(port, validated))
        spoofed = (0x2000_0001, 0xFF << 24 | 0x0F, OUTSIDE.first >> 32, OUTSIDE.first & 0xFFFF_FFFF)
        await self.send({port: [StimulusTlp(spoofed)]})
        await self.expect_status(port, STATUS_NONFATAL, SIGNALED_TARGET_ABORT)
        self.prediction.configuration = initial
        await self.access(acs_accesses(port, own))

    async def expect_status(self, port: int, device: int, secondary: int) -> None:
        """Exactly these bits are set on this port and none on the sibling; they are cleared afterwards."""
        for number in (1, 2):
            for register, bits in ((registers.DEVICE_CONTROL, device), (SECONDARY_STATUS, secondary)):
                found = await self.read(number, register) & 0xFFFF_0000
                self.expect(number, f"status at {register:#x}", found, bits if number == port else 0)
                await self.access([PortAccess(number, register, 0xFFFF_0000, 0xC)])
                self.expect(number, f"cleared status at {register:#x}", await self.read(number, register) & 0xFFFF_0000, 0)

    async def check_writable(self, port: int) -> None:
        """Random values through random byte enables: the writable bits of enabled bytes change, nothing else."""
        writable = WRITABLE | (DOWNSTREAM_WRITABLE if port else {})
        for register, mask in writable.items():
            before = await self.read(port, register)
            for value in (0xFFFF_FFFF, 0, *self.random.integers(0, 1 << 32, 2).tolist()):
                enables = int(self.random.integers(0, 16))
                enabled = sum(0xFF << 8 * byte for byte in range(4) if enables >> byte & 1) & mask
                await self.access([PortAccess(port, register, value, enables)])
                expected = before & ~enabled | value & enabled
                before = await self.read(port, register)
                self.expect(port, f"register {register:#x} after writing {value:#x} with enables {enables:#x}", before, expected)


@cocotb.test()
async def configuration(_: object) -> None:
    """Each port is the bridge that software expects."""
    await run_test(ConfigurationTest)
