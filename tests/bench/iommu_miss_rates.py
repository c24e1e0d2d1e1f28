"""Miss rates of the IOTLBs over the size of the working set, for four kinds of traffic; counted by the core's statistics strobes.

One request is in flight at a time, so that a rate says what the IOTLBs hold and not how fast they are filled. Every working set
is visited once before it is counted. Last-level entries are all valid, also those beside the working set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import cocotb
import numpy as np
from cocotb.task import bridge
from sluicegate.conformance.iommu_cases import MemoryImage
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.request import Request, Status

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IommuBench
from tests.block.iommu.statistics import StatisticsReader

CAPABILITIES = Capabilities(0x10 | 1 << 9 | 1 << 28 | 56 << 32)
V, LEAF = 0x01, 0xDF
DIRECTORY, FIRST = 0x8000_0000, 0x8001_0000
IOVA, DATA = 0x4000_0000, 0x1_0000_0000
LATENCY = 40
LINE = 8
"""Pages whose entries share a line of memory."""
SIZES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
"""Pages of a working set."""
VISIT = 4
"""Requests to a page that is streamed over, 1 KiB each."""
DEVICES = 8
RANDOM_VISITS = 2

Page = tuple[int, int]
"""Device and page number."""


def sequential(size: int, _: np.random.Generator) -> Iterator[Page]:
    """One device streams over adjacent pages."""
    for page in range(size):
        yield from ((1, page) for _ in range(VISIT))


def strided(size: int, _: np.random.Generator) -> Iterator[Page]:
    """One device visits every eighth page once: no two of them share a line."""
    yield from ((1, page * LINE) for page in range(size))


def random(size: int, generator: np.random.Generator) -> Iterator[Page]:
    """One device visits pages drawn at random."""
    yield from ((1, page) for page in generator.integers(0, size, RANDOM_VISITS * size).tolist())


def devices(size: int, _: np.random.Generator) -> Iterator[Page]:
    """Eight devices stream in turn over an eighth of the pages each."""
    share = size // DEVICES
    for page in range(share):
        for _visit in range(VISIT):
            yield from ((1 + device, device * share + page) for device in range(DEVICES))


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
        self.bench.program(IommuConfiguration(CAPABILITIES, 2, DIRECTORY >> 2 | 2))
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
        requests = [Request(device, IOVA + (page << 12)) for device, page in pages]
        for answer in self.bench.translate(requests):
            if answer.response.status is not Status.OK:
                raise self.scoreboard.error(f"a mapped page was answered with {answer.response}", answer.answered)


def page_tables() -> MemoryImage:
    """Every device under the same first stage, whose last-level tables are full."""
    pages = SIZES[-1] * LINE
    words = {FIRST + 8 * (IOVA >> 30): (FIRST + 0x1000) >> 2 | V}
    for device in range(1, DEVICES + 1):
        words[DIRECTORY + 32 * device] = V
        words[DIRECTORY + 32 * device + 16] = 7 << 12
        words[DIRECTORY + 32 * device + 24] = 8 << 60 | FIRST >> 12
    for table in range(pages // 512):
        words[FIRST + 0x1000 + 8 * table] = (FIRST + 0x2000 + (table << 12)) >> 2 | V
    for page in range(pages):
        words[FIRST + 0x2000 + 8 * page] = (DATA + (page << 12)) >> 2 | LEAF
    return MemoryImage(words)


@cocotb.test()
async def miss_rates(_: object) -> None:
    """All points of all curves."""
    await run_test(MissRateTest)
