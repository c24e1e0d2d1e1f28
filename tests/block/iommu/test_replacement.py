"""What the second-level IOTLB keeps when the traffic changes: streams walk once for a line of entries, scattered pages stay.

The neighbours of a walked page fill the IOTLB with it. Streams of eight devices use them all, also where the working set is many
times what fits; a device that visits one page of each line uses none, and its pages that fit are still there the next time but
for one in eight. Each kind of traffic follows the other, on one IOMMU, with one request in flight at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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
from tests.block.iommu.page_streams import LINE, Page, configuration, devices, page_tables, request, strided
from tests.block.iommu.statistics import StatisticsReader

LATENCY = 40
STREAMED, SCATTERED = 1024, 192
"""Pages of each kind: four times what the IOTLB holds, and three quarters of it."""
SETTLING = 2
"""Passes before one is judged."""
ROUNDS = 2


class Traffic(NamedTuple):
    """A kind of traffic: what a pass visits, and how many of its requests may walk."""

    name: str
    pages: list[Page]
    walks: int


def kinds(generator: np.random.Generator) -> Iterator[Traffic]:
    """Streams, then scattered pages."""
    yield Traffic("a stream", list(devices(STREAMED, generator)), STREAMED // LINE)
    yield Traffic("a visit of scattered pages", list(strided(SCATTERED, generator)), SCATTERED // LINE)


class ReplacementScoreboard(Scoreboard):
    """Counts what was judged; too many walks are raised where they are counted."""

    name = "replacement"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.judged = 0
        self.worst: dict[str, int] = {}

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def judge(self, traffic: Traffic, walks: int) -> None:
        """No more than the bound."""
        if walks > traffic.walks:
            requests = len(traffic.pages)
            raise self.error(f"{traffic.name} of {requests} requests walked {walks} times, at most {traffic.walks} are allowed")
        self.worst[traffic.name] = max(walks, self.worst.get(traffic.name, 0))
        self.judged += len(traffic.pages)

    def finish(self) -> ScoreboardResult:
        link = LinkCount(self._bench.observed, self._bench.requests, self._bench.observed)
        figures = {name.replace(" ", "_"): worst for name, worst in self.worst.items()}
        return ScoreboardResult(self.name, self.block, self.judged, {"translation": link}, figures=figures)


class ReplacementTest(BaseTest):
    """Both kinds of traffic in turn."""

    top = IOMMU

    def prepare(self) -> None:
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.environment.translation_port.set_identifiers(1)
        self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, LATENCY)
        self.statistics = StatisticsReader(self.environment.simulation)
        self.scoreboard = ReplacementScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def run_all(self) -> None:
        """Runs in the bridge thread."""
        self.bench.load(page_tables())
        self.bench.program(configuration())
        for _round in range(ROUNDS):
            for traffic in kinds(np.random.default_rng(self.settings.seed)):
                for _pass in range(SETTLING):
                    self.visit(traffic)
                before = self.statistics.read()
                self.visit(traffic)
                self.scoreboard.judge(traffic, (self.statistics.read() - before).misses)

    def visit(self, traffic: Traffic) -> None:
        """One request after the other."""
        for answer in self.bench.translate([request(page) for page in traffic.pages]):
            if answer.response.status is not Status.OK:
                raise self.scoreboard.error(f"a mapped page was answered with {answer.response}", answer.answered)


@cocotb.test()
async def replacement(_: object) -> None:
    """Streams and scattered pages, twice."""
    await run_test(ReplacementTest)
