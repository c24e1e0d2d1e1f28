"""One device that only misses, at full rate, and what another one sees of it: hits pass, and a miss waits its turn only.

The greedy device asks for pages that nobody asked for before, as fast as the port takes them, with long memory latency: all walk
slots are taken, and more misses wait than there are slots. Latencies are those of the port, from handshake to handshake.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import cocotb
from cocotb.task import bridge
from sluicegate.conformance.iommu_cases import MemoryImage
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.request import Request, Status

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IommuBench, LoggedResponse
from tests.block.iommu.statistics import StatisticsReader

CAPABILITIES = Capabilities(0x10 | 1 << 9 | 1 << 28 | 56 << 32)
V, LEAF = 0x01, 0xDF
DIRECTORY, FIRST = 0x8000_0000, 0x8001_0000
IOVA, SUPERPAGE = 0x4000_0000, 0x7FE0_0000
DATA = 0x1_0000_0000
GREEDY, MODEST = 1, 2
TABLES, LINES, LINE = 15, 64, 8
"""Last-level tables, no more than the walk cache holds, each with one page to a line of eight entries; the last one is the modest
device's."""
WALKS = 8
STEPS = 2
"""Steps of the walker for one walk with warm caches."""
HIT_BOUND = 2 + WALKS
"""Cycles of a hit: answers of walks go before it, and so many can be due at once."""
LATENCY = 60
WALK = LATENCY + 4
MISS_BOUND = 2 * (WALK + WALKS * STEPS)
"""Cycles of a miss: a slot becomes free within one walk and is given to it, then it walks, beside the steps of all others."""
IDENTIFIERS = 200
MISSES = 15
SPARSE = 40
"""Misses of the greedy device for one of the modest one, which then has no backlog of its own."""


class FairnessScoreboard(Scoreboard):
    """Counts what was judged; a device that waits too long is raised where it is seen."""

    name = "fairness"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.judged = 0
        self.worst: dict[str, int] = {}

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def judge(self, name: str, answers: list[LoggedResponse], bound: int) -> None:
        """No answer took more than ``bound`` cycles."""
        for answer in answers:
            if answer.response.status is not Status.OK:
                raise self.error(f"a mapped page was answered with {answer.response}", answer.answered)
            if answer.latency > bound:
                raise self.error(f"{name} took {answer.latency} cycles, at most {bound} are allowed", answer.answered)
        self.worst[name] = max(answer.latency for answer in answers)
        self.judged += len(answers)

    def finish(self) -> ScoreboardResult:
        link = LinkCount(self._bench.observed, self._bench.requests, self._bench.observed)
        figures = {name.replace(" ", "_"): worst for name, worst in self.worst.items()}
        return ScoreboardResult(self.name, self.block, self.judged, {"translation": link}, figures=figures)


def page_tables() -> MemoryImage:
    """Both devices share their tables, as far as the IOTLBs do not know."""
    words = {FIRST + 8 * (IOVA >> 30): (FIRST + 0x1000) >> 2 | V, FIRST + 0x1000 + 8 * 511: DATA >> 2 | LEAF}
    for device in (GREEDY, MODEST):
        words[DIRECTORY + 32 * device] = V
        words[DIRECTORY + 32 * device + 16] = 7 << 12
        words[DIRECTORY + 32 * device + 24] = 8 << 60 | FIRST >> 12
    for table in range(TABLES):
        page = FIRST + 0x2000 + (table << 12)
        words[FIRST + 0x1000 + 8 * table] = page >> 2 | V
        for line in range(LINES):
            words[page + 64 * line] = (DATA + (table * LINES + line << 12)) >> 2 | LEAF
    return MemoryImage(words)


def request(device: int, index: int) -> Request:
    """The ``index``-th page of the tables."""
    return Request(device, IOVA + (index * LINE << 12))


class FairnessTest(BaseTest):
    """Hits of the modest device first, then its misses, each between many misses of the greedy one."""

    top = IOMMU
    pages: Iterator[int]
    """Pages of the greedy device that nobody has asked for, in tables that are known."""

    def prepare(self) -> None:
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.environment.translation_port.set_identifiers(IDENTIFIERS)
        self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, LATENCY)
        self.statistics = StatisticsReader(self.environment.simulation)
        self.scoreboard = FairnessScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def run_all(self) -> None:
        """Runs in the bridge thread."""
        bench = self.bench
        bench.load(page_tables())
        bench.program(IommuConfiguration(CAPABILITIES, 2, DIRECTORY >> 2 | 2))
        # Contexts and all tables, so that no walk is longer than WALK; the modest device's superpage.
        modest = (TABLES - 1) * LINES
        for table in range(TABLES - 1):
            bench.translate([request(GREEDY, table * LINES)])
        self.pages = (page for page in range(modest) if page % LINES)
        bench.translate([request(MODEST, modest)])
        bench.translate([Request(MODEST, SUPERPAGE)])
        hits = [Request(MODEST, SUPERPAGE + 4096 * index) for index in range(24)]
        self.crowd(9, hits, "hit beside a greedy device", HIT_BOUND)
        misses = [request(MODEST, modest + 1 + index) for index in range(MISSES)]
        self.crowd(SPARSE, misses, "miss beside a greedy device", MISS_BOUND)
        for name, worst in self.scoreboard.worst.items():
            self.environment.add_figure(name, worst, "cycles")
        self.environment.add_figure("miss beside a greedy device: bound", MISS_BOUND, "cycles")

    def crowd(self, share: int, modest: list[Request], name: str, bound: int) -> None:
        """A modest request behind every ``share`` greedy ones, to their next pages."""
        requests: list[Request] = []
        mine: list[int] = []
        for index, each in enumerate(modest):
            count = share if index else max(share, 4 * WALKS)
            requests += [request(GREEDY, page) for page in islice(self.pages, count)]
            mine.append(len(requests))
            requests.append(each)
        before = self.statistics.read()
        answers = self.bench.translate(requests)
        missed = (self.statistics.read() - before).misses
        wanted = len(requests) - (len(modest) if bound == HIT_BOUND else 0)
        if missed != wanted:
            raise self.scoreboard.error(f"{name}: {missed} requests missed, the test is made for {wanted}")
        self.scoreboard.judge(name, [answers[index] for index in mine], bound)
        waited = max(answer.latency for answer in answers)
        if waited < 2 * MISS_BOUND:
            raise self.scoreboard.error(f"{name}: the greedy device waited {waited} cycles at most: there was no crowd")


@cocotb.test()
async def fairness(_: object) -> None:
    """A device that only misses delays another one by its turn, not by its backlog."""
    await run_test(FairnessTest)
