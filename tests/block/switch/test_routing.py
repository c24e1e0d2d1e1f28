"""Every route of the switch under mixed traffic, stalls and scarce credits, for random configurations."""

from __future__ import annotations

from dataclasses import replace

import cocotb
from sluicegate.pci.topology import AcsControl
from sluicegate.switch.routing import PortConfiguration, SwitchConfiguration

from tb.env.base_test import run_test
from tb.scoreboards.scoreboard import ScoreboardError
from tests.block.switch.switch_test import SwitchTest
from tests.block.switch.traffic import SwitchTraffic

BATCH = 300
ROUTES = (
    "0.memory.forwarded",
    "0.memory.unsupported",
    "0.completion.forwarded",
    "0.completion.unsupported",
    "0.configuration_0.configuration",
    "0.configuration_0.unsupported",
    "0.configuration_1.configuration",
    "0.configuration_1.forwarded",
    "0.configuration_1.unsupported",
    "0.message.forwarded",
    "0.message.terminated",
    "0.message.unsupported",
    "0.io.unsupported",
    *(
        f"{port}.{way}"
        for port in (1, 2)
        for way in (
            "memory.forwarded",
            "memory.direct",
            "memory.redirected",
            "memory.unsupported",
            "memory.violation",
            "io.forwarded",
            "completion.forwarded",
            "completion.direct",
            "completion.redirected",
            "completion.unsupported",
            "message.forwarded",
            "message.terminated",
            "message.unsupported",
            "configuration_1.unsupported",
        )
    ),
)
"""Ways that a run must have taken: ingress port, kind, what became of it."""


class RoutingTest(SwitchTest):
    """Phases of random traffic at all ports, each with another configuration of the ports and other stalls.

    The credits of each receiver are drawn once: from unlimited to one TLP of each class at a time, returned at once or late.
    """

    def prepare(self) -> None:
        super().prepare()
        for agent in self.environment.agents.values():
            if agent.link.sink:
                headers, data = ((0, 0), (32, 512), (4, 64), (1, 64))[int(self.random.integers(0, 4))]
                agent.set_credits(headers, data, delay=int(self.random.choice([0, 10, 200])))

    async def stimulate(self) -> None:
        initial = self.configuration
        traffic = SwitchTraffic(self.random, initial)
        for number in range(int(self.settings.parameters.get("phases", 12))):
            for agent in self.environment.agents.values():
                agent.set_stalls(int(self.random.choice([0, 0, 8000, 40000])))
            configuration = initial if number == 0 else self.draw_configuration(initial, number)
            await self.program(configuration)
            traffic.configuration = configuration
            await self.send({port: traffic.draw(port, BATCH) for port in range(len(configuration.ports))})
        self.check_statistics()
        missing = [way for way in ROUTES if not self.prediction.ways[way]]
        if missing:
            raise ScoreboardError("coverage", "testbench", f"the traffic never took the routes {', '.join(missing)}")

    def draw_configuration(self, initial: SwitchConfiguration, phase: int) -> SwitchConfiguration:
        """The same buses and windows; ACS and egress control of each port at random, in every third phase also the enables.

        Seven phases in a row have each ACS control set at least once, nine let each port lose its Bus Master Enable.
        """
        enabled = 1.0 if phase % 3 else 0.8
        no_master = None if phase % 3 else initial.ports[phase // 3 % len(initial.ports)]

        def vary(port: PortConfiguration) -> PortConfiguration:
            return replace(
                port,
                memory_space=bool(self.random.random() < enabled),
                bus_master=bool(self.random.random() < enabled) and port is not no_master,
                atomic_egress_blocking=bool(self.random.random() < 0.2),
                acs=AcsControl(int(self.random.integers(0, 128)) & int(self.random.integers(0, 128)) | 1 << phase % 7),
                egress_vector=int(self.random.integers(0, 8)),
            )

        upstream = replace(vary(initial.ports[0]), acs=AcsControl.NONE, egress_vector=0)
        return replace(initial, ports=(upstream, *(vary(port) for port in initial.ports[1:])))


@cocotb.test()
async def routing(_: object) -> None:
    """Every TLP leaves where the routing model says, unchanged, and in order."""
    await run_test(RoutingTest)
