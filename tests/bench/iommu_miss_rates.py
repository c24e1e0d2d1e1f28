"""Miss rates of the IOTLBs over the size of the working set, for four kinds of traffic; counted by the core's statistics strobes.

One request is in flight at a time, so that a rate says what the IOTLBs hold and not how fast they are filled. Every working set
is visited once before it is counted. Last-level entries are all valid, also those beside the working set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import cocotb
import numpy as np
from cocotb.task import bridge
from sluicegate.iommu.request import Status

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IommuBench
from tests.block.iommu.page_streams import Page, configuration, devices, page_tables, random, request, sequential, strided
from tests.block.iommu.statistics import StatisticsReader

LATENCY = 40
SIZES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
"""Pages of a working set."""
WORKLOADS: dict[str, Callable[[int, np.random.Generator], Iterator[Page]]] = {
    "sequential": sequential,
    "strided": strided,
    "random": random,
    "many devices": devices,
}


class MissRateScoreboard(Scoreboard):
    """Every request is answered, and the strobes account for every one."""

    name = "miss_rates"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.counted = 0

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def finish(self) -> ScoreboardResult:
        link = LinkCount(self._bench.observed, self._bench.requests, self._bench.observed)
        return ScoreboardResult(self.name, self.block, self.counted, {"translation": link})


class MissRateTest(BaseTest):
    """All workloads, all sizes, each from reset."""

    top = IOMMU

    def prepare(self) -> None:
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.environment.translation_port.set_identifiers(1)
        self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, LATENCY)
        self.statistics = StatisticsReader(self.environment.simulation)
        self.scoreboard = MissRateScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def run_all(self) -> None:
        """Runs in the bridge thread."""
        self.bench.load(page_tables())
        for name, workload in WORKLOADS.items():
            for size in SIZES:
                self.measure(name, workload, size)

    def measure(self, name: str, workload: Callable[[int, np.random.Generator], Iterator[Page]], size: int) -> None:
        """One point of one curve."""
        self.bench.program(configuration())
        generator = np.random.default_rng(self.settings.seed)
        self.visit(list(workload(size, generator)))
        before = self.statistics.read()
        requests = list(workload(size, generator))
        self.visit(requests)
        counted = self.statistics.read() - before
        if counted.l1_hits + counted.l2_hits + counted.misses != len(requests):
            raise self.scoreboard.error(f"{name}, {size} pages: {counted} do not account for {len(requests)} requests")
        self.scoreboard.counted += len(requests)
        past_l1 = counted.l2_hits + counted.misses
        self.environment.add_figure(f"{name} {size}: past L1", 100 * past_l1 / len(requests), "%")
        self.environment.add_figure(f"{name} {size}: walks", 100 * counted.misses / len(requests), "%")

    def visit(self, pages: Sequence[Page]) -> None:
        """Translate them one after the other."""
        for answer in self.bench.translate([request(page) for page in pages]):
            if answer.response.status is not Status.OK:
                raise self.scoreboard.error(f"a mapped page was answered with {answer.response}", answer.answered)


@cocotb.test()
async def miss_rates(_: object) -> None:
    """All points of all curves."""
    await run_test(MissRateTest)
