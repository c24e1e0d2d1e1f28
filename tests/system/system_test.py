"""Base of the system tests: a platform on the simulation, the enumerated machine, and the judges of every link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cocotb.task
from sluicegate.driver.enumerate import EnumerationSettings, PciFunction, PciTree, enumerate_pci
from sluicegate.pci.topology import AcsControl, PciExpressType

from tb.bridge.platform import SimulationPlatform
from tb.bridge.tops import SYSTEM
from tb.checkers.machine_rules import machine_link_rules
from tb.checkers.progress import PATIENCE, ProgressWatchdog, Waiting
from tb.checkers.tlp_protocol import TlpProtocolChecker
from tb.env.base_test import BaseTest
from tb.scoreboards.fabric import NO_ACS, BridgePort, DownstreamPort, FabricConfiguration, FabricLinks
from tb.scoreboards.link_flow import LinkFlowScoreboard
from tb.scoreboards.scoreboard import ScoreboardError


def fabric_configuration(tree: PciTree) -> FabricConfiguration:
    """What the route prediction needs, as enumeration programmed it."""

    def port(function: PciFunction) -> BridgePort:
        return BridgePort(function.secondary_bus, function.subordinate_bus, tuple(function.windows))

    def downstream(function: PciFunction) -> DownstreamPort:
        acs = NO_ACS if function.device.acs is None else function.device.acs
        return DownstreamPort(function.secondary_bus, function.subordinate_bus, tuple(function.windows), acs=acs)

    by_kind = {
        kind: [found for found in tree.functions if found.device.kind is kind]
        for kind in (PciExpressType.ROOT_PORT, PciExpressType.UPSTREAM_PORT, PciExpressType.DOWNSTREAM_PORT)
    }
    for kind, found in by_kind.items():
        if not found:
            seen = ", ".join(str(function.bdf) for function in tree.functions)
            raise ScoreboardError("enumeration", "fabric", f"no function is of type {kind.name}, enumeration found {seen}")
    return FabricConfiguration(
        port(by_kind[PciExpressType.ROOT_PORT][0]),
        port(by_kind[PciExpressType.UPSTREAM_PORT][0]),
        tuple(downstream(function) for function in by_kind[PciExpressType.DOWNSTREAM_PORT]),
    )


class SystemTest(BaseTest):
    """Enumerates, then lets :meth:`drive` run in a thread that may block on the platform.

    The protocol checker judges from the first cycle, the flow scoreboard from the end of enumeration: before it, routes change
    with every write of the configuration itself.
    """

    top = SYSTEM
    acs: AcsControl = AcsControl.NONE

    def prepare(self) -> None:
        direct = not self.acs & AcsControl.COMPLETION_REDIRECT
        losses = bool(self.settings.parameters.get("losses", False))
        rules = machine_link_rules(FabricLinks(), direct_peer_completions=direct, losses=losses)
        self.protocol = TlpProtocolChecker(rules)
        self.environment.add_scoreboard(self.protocol)

    async def stimulate(self) -> None:
        simulation = self.environment.simulation
        self.platform = SimulationPlatform(simulation, host_links=self.top.host_links)
        self.tree: PciTree = await self.in_thread(lambda: enumerate_pci(self.platform, EnumerationSettings(acs=self.acs)))
        await simulation.cycles(64)
        simulation.drain()
        self.flow = LinkFlowScoreboard(fabric_configuration(self.tree))
        self.environment.add_scoreboard(self.flow)
        self._watch_progress()
        await self.in_thread(self.drive)
        simulation.drain()

    def _watch_progress(self) -> None:
        """From here on every TLP must get through, and every request to an endpoint or of the CPU get its answer, in time."""
        links = FabricLinks()
        answerers = dict.fromkeys(links.endpoint_down, "endpoint") | {links.cpu_request: "root_complex"}
        watchdog = ProgressWatchdog(
            (
                Waiting(self.flow.inside, "has not left", self.flow.senders),
                Waiting(self.flow.untranslated, "is not translated", {links.switch_up: "iommu"}),
                Waiting(lambda: self.protocol.outstanding(tuple(answerers)), "is not answered", answerers),
            ),
            links.names,
        )

        def look(cycle: int) -> None:
            self.environment.suite.flush()
            watchdog.look(cycle)

        self.environment.simulation.watch(PATIENCE, look)

    @staticmethod
    async def in_thread(work: Callable[[], Any]) -> Any:
        """Run driver code that blocks, while the simulation goes on."""
        return await cocotb.task.bridge(work)()

    def drive(self) -> None:
        """What the CPU does once the machine is enumerated."""
        raise TypeError(f"{type(self).__name__} drives nothing: it would pass without testing anything")
