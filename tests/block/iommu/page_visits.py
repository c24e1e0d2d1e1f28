"""Visits of pages, one request in flight at a time, and the walks that they took: base of tests of what the IOTLBs hold."""

from __future__ import annotations

from collections.abc import Sequence

from cocotb.task import bridge
from sluicegate.iommu.request import Status

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IommuBench
from tests.block.iommu.page_streams import Page, page_tables, request
from tests.block.iommu.statistics import IommuStatistics, StatisticsReader

LATENCY = 40
"""Cycles of a memory access: the neighbours of one page are filled before the next one is walked."""


class VisitScoreboard(Scoreboard):
    """Counts what was judged; what is wrong is raised where it is seen."""

    block = "iommu"

    def __init__(self, name: str, bench: IommuBench) -> None:
        self.name = name
        self._bench = bench
        self.judged = 0
        self.figures: dict[str, int] = {}

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def finish(self) -> ScoreboardResult:
        link = LinkCount(self._bench.observed, self._bench.requests, self._bench.observed)
        return ScoreboardResult(self.name, self.block, self.judged, {"translation": link}, figures=self.figures)


class PageVisitTest(BaseTest):
    """Subclasses say what is visited in ``run_all``."""

    top = IOMMU
    checker: str
    """Name of the scoreboard."""

    def prepare(self) -> None:
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.environment.translation_port.set_identifiers(1)
        self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, LATENCY)
        self.statistics = StatisticsReader(self.environment.simulation)
        self.scoreboard = VisitScoreboard(self.checker, self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        await bridge(self._run)()

    def _run(self) -> None:
        self.bench.load(page_tables())
        self.run_all()

    def run_all(self) -> None:
        """Runs in the bridge thread, with the page tables loaded."""
        raise TypeError(f"{type(self).__name__} visits nothing: it would pass without testing anything")

    def visit(self, pages: Sequence[Page]) -> None:
        """Translate them one after the other."""
        for answer in self.bench.translate([request(page) for page in pages]):
            if answer.response.status is not Status.OK:
                raise self.scoreboard.error(f"a mapped page was answered with {answer.response}", answer.answered)

    def measure(self, pages: Sequence[Page]) -> IommuStatistics:
        """The same, and what became of the requests."""
        before = self.statistics.read()
        self.visit(pages)
        counted = self.statistics.read() - before
        if counted.l1_hits + counted.l2_hits + counted.misses != len(pages):
            raise self.scoreboard.error(f"{counted} do not account for {len(pages)} requests")
        self.scoreboard.judged += len(pages)
        return counted
