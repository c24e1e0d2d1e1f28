"""The whole ACS decision: all 128 control values against requests and completions to sibling, own port and host."""

from __future__ import annotations

from dataclasses import replace

import cocotb
from sluicegate.pci.topology import AcsControl
from sluicegate.switch.routing import PortConfiguration

from tb.agents.tlp_link.item import StimulusTlp
from tb.env.base_test import run_test
from tests.block.switch.port_programming import acs_accesses
from tests.block.switch.switch_test import SwitchTest
from tests.block.switch.traffic import OUTSIDE, RELAXED

CONTROLS = 128
MEMORY_WRITE, MEMORY_READ, MESSAGE_BY_ID, COMPLETION = 0x40, 0x00, 0x32, 0x4A


class AcsTest(SwitchTest):
    """Both downstream ports get the same control in each step, with the sibling's egress control bit clear and set."""

    async def stimulate(self) -> None:
        initial = self.configuration
        await self.program(initial)
        for control in self.random.permutation(CONTROLS).tolist():
            for vector in (0, 0b110):
                ports = tuple(replace(port, acs=AcsControl(control), egress_vector=vector) for port in initial.ports[1:])
                self.prediction.configuration = replace(initial, ports=(initial.ports[0], *ports))
                for number, port in enumerate(ports, start=1):
                    await self.access(acs_accesses(number, port))
                await self.send({number: self.requests(number) for number in (1, 2)})
        self.check_statistics()

    def requests(self, ingress: int) -> list[StimulusTlp]:
        """Every address type, own and foreign requester, to sibling, self and host; completions with and without RO."""
        own, sibling = self.configuration.ports[ingress], self.configuration.ports[3 - ingress]
        tlps = []
        tag = 0
        for requester_bus in (own.secondary, own.subordinate, sibling.secondary, own.secondary - 1):
            for address in (sibling.windows[0].first, sibling.windows[1].last - 4095, own.windows[0].first, OUTSIDE.first):
                for address_type in (0, 1, 2):
                    tag += 1
                    code = MEMORY_WRITE if address_type != 1 and tag & 1 else MEMORY_READ
                    tlps.append(self.memory(code, requester_bus << 8, tag, address, address_type))
            tlps.append(self.message(requester_bus << 8, sibling))
        for target in (sibling.secondary, own.secondary, 0):
            for attributes in (0, RELAXED):
                header = (COMPLETION << 24 | attributes | 1, own.secondary << 24 | 4, target << 24 | tag << 8, 0)
                tlps.append(StimulusTlp(header, self.random.bytes(4)))
        return tlps

    def memory(self, code: int, requester: int, tag: int, address: int, address_type: int) -> StimulusTlp:
        four = address >> 32 != 0
        dwords = 2
        header = (
            (code | four << 5) << 24 | address_type << 10 | dwords,
            requester << 16 | tag << 8 | 0xFF,
            address >> 32 if four else address,
            address & 0xFFFF_FFFF if four else 0,
        )
        return StimulusTlp(header, self.random.bytes(4 * dwords) if code == MEMORY_WRITE else b"")

    def message(self, requester: int, target: PortConfiguration) -> StimulusTlp:
        return StimulusTlp((MESSAGE_BY_ID << 24, requester << 16 | 0x7F, target.secondary << 24 | 0x1AF4, 0))


@cocotb.test()
async def acs(_: object) -> None:
    """Each request is direct, redirected or a violation as the model decides."""
    await run_test(AcsTest)
