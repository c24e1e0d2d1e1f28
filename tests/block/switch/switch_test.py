"""Base of the switch tests: programs the ports, sends TLPs, waits until everything that must leave has left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import cocotb
import numpy as np
from sluicegate.switch.routing import SwitchConfiguration

from tb.agents.tlp_link.item import StimulusTlp, TlpBatch
from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import WakeKind
from tb.bridge.tops import SWITCH
from tb.checkers.tlp_protocol import TlpProtocolChecker
from tb.checkers.tlp_rules import LinkRules
from tb.env.base_test import BaseTest
from tb.scoreboards.fabric import BridgePort, DownstreamPort, FabricConfiguration
from tb.scoreboards.link_flow import SWITCH as SWITCH_BLOCK
from tb.scoreboards.link_flow import LinkFlowScoreboard
from tb.scoreboards.scoreboard import ScoreboardError
from tb.scoreboards.tlp_types import AddressType
from tests.block.switch.answers import AnswerChecker
from tests.block.switch.links import EGRESS_LINK, INGRESS_LINK, LINKS
from tests.block.switch.model_prediction import ModelPrediction
from tests.block.switch.port_programming import PortAccess, access_tlp, port_accesses
from tests.block.switch.traffic import random_configuration

STATISTICS = ("forwarded", "redirected", "direct_peer", "unsupported", "acs_violation")
ACCESSES_IN_FLIGHT = 16
SETTLE_CYCLES = 100


class SwitchTest(BaseTest):
    """The routing model predicts, the flow scoreboard and the protocol checker judge, the statistics strobes are counted."""

    top = SWITCH

    def prepare(self) -> None:
        self.random = np.random.default_rng(self.settings.seed)
        # The prediction follows the configuration, which changes between drains: nothing may be judged later.
        self.environment.suite.gathered_records = 1
        beat_dwords = int(self.settings.parameters.get("data_width", 256)) // 32
        self.prediction = ModelPrediction(random_configuration(self.random, beat_dwords))
        placeholder = FabricConfiguration(BridgePort(0, 0), BridgePort(0, 0), (DownstreamPort(0, 0), DownstreamPort(0, 0)), LINKS)
        blocks = frozenset({SWITCH_BLOCK})
        self.environment.add_scoreboard(LinkFlowScoreboard(placeholder, blocks, switch_route=self.prediction))
        rules = [
            LinkRules(link.number, link.name, "testbench" if link.source else "switch", address_types=frozenset(AddressType))
            for link in self.top.links
        ]
        self.environment.add_scoreboard(TlpProtocolChecker(tuple(rules)))
        self.environment.add_scoreboard(AnswerChecker(self.prediction))
        self.environment.simulation.add_consumer(self._collect_answers)
        self._answers: dict[int, tuple[int, int | None]] = {}
        self._left: Counter[int] = Counter()

    @property
    def configuration(self) -> SwitchConfiguration:
        return self.prediction.configuration

    def _collect_answers(self, batch: LogBatch) -> None:
        """Status and first DW of completions for the CPU, by tag."""
        for record in batch.of_kind(EventKind.TLP):
            header = record["header"]
            if record["source"] == LINKS.switch_up and header[0] >> 24 & 0x1E == 0x0A and header[2] >> 16 == 0:
                data = int.from_bytes(batch.payload_of(record)[:4].tobytes(), "little") if record["length"] else None
                self._answers[int(header[2] >> 8 & 0xFF)] = (int(header[1] >> 13 & 7), data)

    async def queue(self, traffic: Mapping[int, list[StimulusTlp]]) -> None:
        """Queue TLPs at ports (by number) and count what must leave because of them."""
        for port, tlps in traffic.items():
            for tlp in tlps:
                self._left.update(self.prediction.leaving(port, tlp.header, tlp.nullified))
            name = next(link.name for link in self.top.links if link.number == INGRESS_LINK[port])
            item = TlpBatch(name, tlps)
            sequencer = self.environment.agents[name].sequencer
            await sequencer.start_item(item)
            await sequencer.finish_item(item)

    async def settle(self) -> None:
        """Wait until all that was queued has left and is judged."""
        simulation = self.environment.simulation
        for link in sorted(EGRESS_LINK.values()):
            if self._left[link]:
                what = f"TLP {self._left[link]} on link {link}"
                await simulation.expect(what, WakeKind.LINK_TLPS, self._left[link], argument=link, timeout=400_000)
        await simulation.cycles(SETTLE_CYCLES)
        simulation.drain()

    async def send(self, traffic: Mapping[int, list[StimulusTlp]]) -> None:
        """Queue TLPs at ports and settle."""
        await self.queue(traffic)
        await self.settle()

    def left(self, link: int) -> int:
        """TLPs that must have left on a link once everything has settled."""
        return self._left[link]

    async def access(self, accesses: Iterable[PortAccess]) -> list[tuple[int, int | None]]:
        """Make accesses to port registers; status and data of each answer."""
        results = []
        queue = list(accesses)
        for start in range(0, len(queue), ACCESSES_IN_FLIGHT):
            part = queue[start : start + ACCESSES_IN_FLIGHT]
            self._answers.clear()
            await self.send({0: [access_tlp(self.configuration, access, tag) for tag, access in enumerate(part)]})
            for tag, access in enumerate(part):
                if tag not in self._answers:
                    raise ScoreboardError("switch_test", "switch", f"no completion for {access}")
                results.append(self._answers[tag])
        return results

    async def program(self, configuration: SwitchConfiguration) -> None:
        """Bring the switch to a configuration; the bus numbers of the upstream port must be right before others are reached."""
        self.prediction.configuration = configuration
        for port in range(len(configuration.ports)):
            await self.access(port_accesses(port, configuration.ports[port]))

    def check_statistics(self) -> None:
        """The strobes must have counted what the model decided."""
        for name in STATISTICS:
            counted = int(getattr(cocotb.top, f"stat_{name}").value)
            expected = self.prediction.statistics[name]
            if counted != expected:
                raise ScoreboardError("statistics", "switch", f"stat_{name} counted {counted} TLPs, {expected} were expected")
