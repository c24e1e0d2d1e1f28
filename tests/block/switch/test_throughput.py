"""Full rate through the switch: on three disjoint paths at once, every cycle of each egress carries a beat."""

from __future__ import annotations

import cocotb
import numpy as np
from sluicegate.switch.routing import Header

from tb.agents.tlp_link.item import StimulusTlp
from tb.bridge.event_log import EventKind, LogBatch
from tb.env.base_test import run_test
from tb.scoreboards.scoreboard import ScoreboardError
from tests.block.switch.links import EGRESS_LINK
from tests.block.switch.switch_test import SwitchTest
from tests.block.switch.traffic import OUTSIDE

TLPS = 1000
PAYLOADS = (4, 32, 64, 256)
"""Bytes of each write: one beat or less at any width, and several."""
PATHS = {0: 1, 1: 2, 2: 0}
"""Egress port for the traffic of each ingress port."""


class ThroughputTest(SwitchTest):
    """Posted writes without stalls and with unlimited credits at the receivers: the switch grants enough credits itself."""

    def prepare(self) -> None:
        super().prepare()
        self.cycles: dict[int, list[int]] = {link: [] for link in EGRESS_LINK.values()}
        self.environment.simulation.add_consumer(self._collect_cycles)

    def _collect_cycles(self, batch: LogBatch) -> None:
        tlps = batch.of_kind(EventKind.TLP)
        for link, cycles in self.cycles.items():
            cycles.extend(tlps["cycle"][tlps["source"] == link].tolist())

    async def stimulate(self) -> None:
        await self.program(self.configuration)
        beat = int(self.settings.parameters.get("data_width", 256)) // 8
        for payload in PAYLOADS:
            for cycles in self.cycles.values():
                cycles.clear()
            await self.send({ingress: self.writes(ingress, egress, payload) for ingress, egress in PATHS.items()})
            beats = -(-payload // beat)
            for link, cycles in self.cycles.items():
                gaps = np.diff(np.array(cycles))
                if len(cycles) != TLPS or (gaps != beats).any():
                    reason = f"link {link}: {len(cycles)} writes of {payload} bytes, {int((gaps != beats).sum())} gaps"
                    raise ScoreboardError("throughput", "switch", f"{reason}, {TLPS} without a gap were expected")
        self.check_statistics()

    def writes(self, ingress: int, egress: int, payload: int) -> list[StimulusTlp]:
        """Memory writes from one port to another, 64-bit addresses."""
        window = self.configuration.ports[egress].windows[1] if egress else OUTSIDE
        requester = self.configuration.ports[ingress].secondary << 8 if ingress else 0
        enables = 0x0F if payload == 4 else 0xFF
        tlps = []
        for number in range(TLPS):
            address = window.first + number * 256
            header: Header = (0x60 << 24 | payload // 4, requester << 16 | enables, address >> 32, address & 0xFFFF_FFFF)
            tlps.append(StimulusTlp(header, self.random.bytes(payload)))
        return tlps


@cocotb.test()
async def throughput(_: object) -> None:
    """No bubble between TLPs."""
    await run_test(ThroughputTest)
