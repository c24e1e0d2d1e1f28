"""A class without credits stops no other class: posted never waits on non-posted, other sources never on a blocked TLP."""

from __future__ import annotations

from collections.abc import Sequence

import cocotb
from sluicegate.switch.routing import Header, PortConfiguration

from tb.agents.tlp_link.item import StimulusTlp
from tb.bridge.native import Knob, WakeKind
from tb.env.base_test import run_test
from tests.block.switch.links import EGRESS_LINK
from tests.block.switch.switch_test import SwitchTest

CREDIT_DELAY = 3000
"""Cycles until the receiver returns a credit of the starved class."""
PROMPT = 2000
"""Cycles in which all that is not starved must have left: less than the first credit takes to return."""
STILL = 200
"""Cycles in which nothing more may leave."""
POSTED_HEADERS, NONPOSTED_HEADERS = 0, 2
CREDIT_KINDS = 6
STARVED, FLOWING = 6, 100


class StarvationTest(SwitchTest):
    """Port 2 grants one non-posted TLP at a time, port 1 one posted TLP, both late; everything else is unlimited."""

    def prepare(self) -> None:
        super().prepare()
        native = self.environment.simulation.native
        for port, starved in ((2, NONPOSTED_HEADERS), (1, POSTED_HEADERS)):
            link = EGRESS_LINK[port]
            for kind in range(CREDIT_KINDS):
                native.set_knob(Knob.SINK_ROOM, int(kind == starved), link=link, kind=kind)
            native.set_knob(Knob.SINK_CREDIT_DELAY, CREDIT_DELAY, link=link)

    async def stimulate(self) -> None:
        await self.program(self.configuration)
        one, two = self.configuration.ports[1:]
        # Non-posted first, so that what follows has something to be held up by.
        for_two = [*self.requests(two, STARVED, write=False), *self.requests(two, FLOWING, write=True), *self.completions(two)]
        await self.starve(2, 2 * STARVED, {0: for_two, 1: for_two})
        await self.starve(
            1,
            STARVED,
            {
                2: self.requests(one, STARVED, write=True),
                0: [*self.requests(one, FLOWING, write=False), *self.completions(one)],
            },
        )
        await self.environment.simulation.cycles(CREDIT_DELAY)
        self.check_statistics()

    async def starve(self, port: int, starved: int, traffic: dict[int, list[StimulusTlp]]) -> None:
        """All but ``starved`` TLPs leave at once (one of those has a credit), the rest in the end."""
        link = EGRESS_LINK[port]
        await self.queue(traffic)
        flowing = self.left(link) - starved + 1
        simulation = self.environment.simulation
        what = f"{flowing} TLPs on link {link}, which only the starved class may be late for"
        await simulation.expect(what, WakeKind.LINK_TLPS, flowing, argument=link, timeout=PROMPT)
        assert not await simulation.wait(WakeKind.LINK_TLPS, flowing + 1, argument=link, timeout=STILL), (
            "a TLP left without credit"
        )
        await self.settle()

    def requests(self, target: PortConfiguration, count: int, write: bool) -> list[StimulusTlp]:
        address = target.windows[0].first
        requester = self.configuration.ports[1].secondary << 8
        headers: Sequence[Header] = [
            ((0x40 if write else 0x00) << 24 | 1, requester << 16 | number << 8 | 0x0F, address + 64 * number, 0)
            for number in range(count)
        ]
        return [StimulusTlp(header, self.random.bytes(4) if write else b"") for header in headers]

    def completions(self, target: PortConfiguration) -> list[StimulusTlp]:
        return [
            StimulusTlp((0x4A << 24 | 1, 4, target.secondary << 24 | number << 8, 0), self.random.bytes(4))
            for number in range(FLOWING)
        ]


@cocotb.test()
async def starvation(_: object) -> None:
    """Only the class without credit is late."""
    await run_test(StarvationTest)
