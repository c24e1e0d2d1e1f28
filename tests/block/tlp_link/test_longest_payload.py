"""Writes of 4 KiB, the longest that a header can tell, among the shortest, into a receiver with room for little more than one."""

from __future__ import annotations

import cocotb
import numpy as np

from tb.agents.tlp_link.item import StimulusTlp, TlpBatch
from tb.bridge.native import WakeKind
from tb.bridge.tops import TLP_LINK
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.forwarding import ForwardingScoreboard

COUNT = 200
LONGEST_DWORDS, LENGTH_OF_LONGEST = 1024, 0
"""The Length field of a header has ten bits: 1024 is written as 0."""
CREDITS_OF_LONGEST = LONGEST_DWORDS // 4


class LongestPayloadTest(BaseTest):
    """Memory writes from link 0 to link 1."""

    top = TLP_LINK

    def prepare(self) -> None:
        random = np.random.default_rng(self.settings.seed)
        self.tlps = [self.write(random, index, longest=bool(random.integers(0, 2))) for index in range(COUNT)]
        names = self.environment.link_names()
        scoreboard = ForwardingScoreboard("tlp_link", {0: 1, 2: 3}, names, announced=(0,))
        scoreboard.expect(0, ((tlp.header, tlp.payload, tlp.prefix) for tlp in self.tlps))
        self.environment.add_scoreboard(scoreboard)
        self.environment.agents["request_out"].set_stalls(int(random.choice([0, 16000])))
        self.environment.agents["request_out"].set_credits(4, CREDITS_OF_LONGEST + 1, delay=int(random.integers(0, 40)))

    @staticmethod
    def write(random: np.random.Generator, index: int, longest: bool) -> StimulusTlp:
        """A memory write with a 3 DW header to a page of low RAM: requester 01:00.0, all bytes enabled."""
        dwords, length, enables = (LONGEST_DWORDS, LENGTH_OF_LONGEST, 0xFF) if longest else (1, 1, 0x0F)
        header = (0x40 << 24 | length, 0x0100 << 16 | (index & 0xFF) << 8 | enables, 0x8000_0000 + index * 4096, 0)
        return StimulusTlp(header, random.bytes(4 * dwords))

    async def stimulate(self) -> None:
        sequencer = self.environment.agents["request_in"].sequencer
        item = TlpBatch("longest", self.tlps)
        await sequencer.start_item(item)
        await sequencer.finish_item(item)
        await self.environment.simulation.expect("all writes at the output", WakeKind.LINK_TLPS, COUNT, argument=1)


@cocotb.test()
async def longest_payload(_: object) -> None:
    """Long and short writes arrive whole and in order."""
    await run_test(LongestPayloadTest)
