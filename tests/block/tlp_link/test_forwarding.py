"""The hdl/tlp blocks under every kind of TLP, back-pressure, idle cycles, scarce credits and nullified TLPs."""

from __future__ import annotations

import cocotb
import numpy as np

from tb.agents.tlp_link.item import StimulusTlp, TlpBatch
from tb.bridge.native import WakeKind
from tb.bridge.tops import TLP_LINK
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.forwarding import ForwardingScoreboard
from tests.block.tlp_link.traffic import COMPLETION, FETCH_ADD, MEMORY_READ, MEMORY_WRITE, MESSAGE, random_tlps

BATCH = 512
NULLIFIED = 0.08
"""Share of nullified TLPs: more in a run than a receiver has header credits of any class, so that lost credits end in a hang."""


class ForwardingTest(BaseTest):
    """Requests from link 0 to 1, completions from link 2 to 3."""

    top = TLP_LINK

    def prepare(self) -> None:
        self.random = np.random.default_rng(self.settings.seed)
        self.scoreboard = ForwardingScoreboard("tlp_link", {0: 1, 2: 3}, self.environment.link_names(), announced=(0, 2))
        self.environment.add_scoreboard(self.scoreboard)
        agents = self.environment.agents
        for agent in agents.values():
            agent.set_stalls(int(self.random.choice([0, 0, 8000, 40000])))
        scarce = bool(self.random.integers(0, 2))
        for name in ("request_out", "completion_out"):
            agents[name].set_credits(*((2, 300) if scarce else (32, 512)), delay=int(self.random.integers(0, 40)))

    async def stimulate(self) -> None:
        simulation = self.environment.simulation
        for number in range(1, int(self.settings.parameters.get("batches", 4)) + 1):
            await self.send("request_in", 0, (MEMORY_WRITE, MEMORY_READ, MESSAGE, FETCH_ADD))
            await self.send("completion_in", 2, (COMPLETION,))
            for link in (1, 3):
                await simulation.expect("the batch at the output", WakeKind.LINK_TLPS, number * BATCH, argument=link)

    async def send(self, name: str, link: int, kinds: tuple[int, ...]) -> None:
        """Queue one batch on a link and announce what of it must arrive."""
        nullified = self.random.random(BATCH) < NULLIFIED
        tlps = [
            StimulusTlp(tlp.header, tlp.payload, tlp.prefix, bool(cut))
            for tlp, cut in zip(random_tlps(self.random, BATCH, kinds), nullified, strict=True)
        ]
        self.scoreboard.expect(link, ((tlp.header, tlp.payload, tlp.prefix) for tlp in tlps if not tlp.nullified))
        sequencer = self.environment.agents[name].sequencer
        item = TlpBatch(name, tlps)
        await sequencer.start_item(item)
        await sequencer.finish_item(item)


@cocotb.test()
async def forwarding(_: object) -> None:
    """Everything that enters leaves, unchanged and in order."""
    await run_test(ForwardingTest)
