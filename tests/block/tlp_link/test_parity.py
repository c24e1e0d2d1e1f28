"""The same stimulus and seed through pin-level models and through native agents: the logs must be equal to the bit.

One module for both DUTs; ``tests/flow/test_main_parity.py`` runs both and compares their log hashes.
"""

from __future__ import annotations

import cocotb
import numpy as np

from tb.agents.tlp_link.item import StimulusTlp, TlpBatch
from tb.bridge.native import WakeKind
from tb.bridge.tops import TLP_LINK, TLP_LINK_PINS
from tb.env.base_test import BaseTest, run_test
from tb.link.tlp import PinTlp
from tb.link.tlp_sink import PinTlpSink
from tb.link.tlp_source import PinTlpSource
from tb.scoreboards.forwarding import ForwardingScoreboard
from tests.block.tlp_link.traffic import COMPLETION, FETCH_ADD, MEMORY_READ, MEMORY_WRITE, MESSAGE, random_tlps

COUNT = 300
SOURCE_STALLS, SINK_STALLS = 12000, 20000
HEADERS, DATA, CREDIT_DELAY = 4, 300, 7


class ParityTest(BaseTest):
    """One batch, queued before the first clock edge, with idle cycles, stalls and scarce credits."""

    def prepare(self) -> None:
        random = np.random.default_rng(self.settings.seed)
        self.tlps = random_tlps(random, COUNT, (MEMORY_WRITE, MEMORY_READ, MESSAGE, FETCH_ADD, COMPLETION))
        names = {0: "request_in", 1: "request_out"}
        scoreboard = ForwardingScoreboard("tlp_link", {0: 1}, names, announced=(0,))
        scoreboard.expect(0, ((tlp.header, tlp.payload, tlp.prefix) for tlp in self.tlps))
        self.environment.add_scoreboard(scoreboard)
        self.connect(self.tlps)

    def connect(self, tlps: list[StimulusTlp]) -> None:
        """Put the stimulus where the way of this test sends it from."""
        raise TypeError(f"{type(self).__name__} does not say how it sends")

    async def stimulate(self) -> None:
        await self.environment.simulation.expect("all TLPs at the output", WakeKind.LINK_TLPS, COUNT, argument=1)


class NativeParityTest(ParityTest):
    """Through the native agents."""

    top = TLP_LINK

    def connect(self, tlps: list[StimulusTlp]) -> None:
        agents = self.environment.agents
        agents["request_in"].set_stalls(SOURCE_STALLS)
        agents["request_out"].set_stalls(SINK_STALLS)
        agents["request_out"].set_credits(HEADERS, DATA, CREDIT_DELAY)
        agents["request_in"].driver.queue(TlpBatch("all", tlps))


class PinParityTest(ParityTest):
    """Through bus functional models at the pins."""

    top = TLP_LINK_PINS

    def connect(self, tlps: list[StimulusTlp]) -> None:
        dut, seed = self.environment.simulation.dut, self.settings.seed
        source = PinTlpSource(dut, "in", seed, link=0, stall_chance=SOURCE_STALLS)
        sink = PinTlpSink(dut, "out", seed, link=1, room=(HEADERS, DATA) * 3, stall_chance=SINK_STALLS, credit_delay=CREDIT_DELAY)
        for tlp in tlps:
            source.push(PinTlp(tlp.header, tlp.payload, tlp.prefix, tlp.nullified))
        cocotb.start_soon(source.run())
        cocotb.start_soon(sink.run())


@cocotb.test()
async def native(_: object) -> None:
    """The native way."""
    await run_test(NativeParityTest)


@cocotb.test()
async def pins(_: object) -> None:
    """The way at the pins."""
    await run_test(PinParityTest)
