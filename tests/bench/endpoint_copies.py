"""The endpoint under native agents and all its scoreboards: the counterpart of the cocotb baseline (``cocotbext_host``)."""

from __future__ import annotations

from dataclasses import replace

import cocotb
from sluicegate.endpoint.descriptor import Descriptor
from sluicegate.registers.completion import StatusCode

from tb.bridge.native import ActionKind, Knob, WakeKind
from tb.env.base_test import run_test
from tb.scoreboards.transfer import TransferScoreboard
from tb.scoreboards.transfer_prediction import EndpointRules
from tests.bench.copy_traffic import RING_LOG2, copy_batch, load_batch
from tests.block.endpoint.endpoint_test import BAR2, DOWN, FUNCTION, LOCAL_BYTES, UP
from tests.block.endpoint.ring_test import DESTINATION, IDENTITY, SOURCE, RingTest

LATENCY = 50


class CopiesTest(RingTest):
    """Parameter ``count``: batches."""

    log2 = RING_LOG2

    def prepare(self) -> None:
        super().prepare()
        self.native.set_knob(Knob.COMPLETER_LATENCY, LATENCY, link=UP)
        for agent in self.environment.agents.values():
            agent.set_stalls(0)
        rules = EndpointRules(FUNCTION, "endpoint0", UP, DOWN, LOCAL_BYTES, 256, 512)
        self.environment.add_scoreboard(TransferScoreboard((rules,)))

    async def stimulate(self) -> None:
        await self.enable()
        self.fill()
        self.observer.on_local_memory(FUNCTION, BAR2, LOCAL_BYTES)
        await self.set_interrupts()
        await self.start()
        await self.run_batch(load_batch(SOURCE))
        for number in range(self.settings.parameters["count"]):
            await self.run_batch(copy_batch(number, SOURCE, DESTINATION))

    async def run_batch(self, descriptors: list[Descriptor]) -> None:
        """One job a descriptor; the last one interrupts."""
        self.submit([[descriptor] for descriptor in [*descriptors[:-1], replace(descriptors[-1], interrupt=True)]])
        await self.environment.simulation.expect("interrupt of a batch", WakeKind.INTERRUPT, 0, IDENTITY)
        self.native.act(ActionKind.CONSUME_INTERRUPT, IDENTITY)
        completions = self.reap()
        if len(completions) != len(descriptors) or any(done.status is not StatusCode.SUCCESS for done in completions):
            raise self.answers.error(f"{len(completions)} of {len(descriptors)} jobs done: {completions[:4]}")


@cocotb.test()
async def copies(_: object) -> None:
    """All batches."""
    await run_test(CopiesTest)
