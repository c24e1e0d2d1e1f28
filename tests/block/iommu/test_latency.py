"""Cycle counts of the IOMMU core: hits, misses with warm and cold caches, one and two stages, at several memory latencies.

Bounds are those of DESIGN.md section 5; L is the memory port's latency from request to response handshake.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cocotb
from cocotb.task import bridge
from sluicegate.conformance.iommu_cases import MemoryImage
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.registers import CommandQueueCsr, Offset
from sluicegate.iommu.request import Request, Status

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IDENTIFIERS, IommuBench
from tests.block.iommu.statistics import StatisticsReader

CAPABILITIES = Capabilities(0x10 | 1 << 9 | 1 << 17 | 1 << 28 | 56 << 32)
V, LEAF = 0x01, 0xDF
DIRECTORY, FIRST, SECOND, COMMANDS = 0x8000_0000, 0x8001_0000, 0x8002_0000, 0x8004_0000
IOVA = 0x4000_0000
DATA_PAGE = 0x10_0000
DEVICE = 1
PAGES = 64
LINE = 8
"""Pages whose entries share a line. The test uses the first of each; its neighbours are mapped in the last line only."""
ALIAS = 40 * LINE + 4
"""Place of an entry that maps the guest page of page 0 a second time (two stages only: else it is a neighbour)."""
STREAMED = 20
"""Page of the requests that come one at a time."""
LATENCIES = (2, 10, 40)
HITS = 400
SETTLED = 200
"""Cycles after which nothing of a walk is under way."""


@dataclass(frozen=True)
class Figure:
    """One measured number of cycles, the most it may be, and the least: a miss that took less was none."""

    name: str
    measured: int
    bound: int
    least: int = 0


class LatencyScoreboard(Scoreboard):
    """Compares every figure with its bound."""

    name = "latency"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.figures: list[Figure] = []

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def finish(self) -> ScoreboardResult:
        for figure in self.figures:
            if figure.measured > figure.bound:
                raise self.error(f"{figure.name} took {figure.measured} cycles, at most {figure.bound} are allowed")
            if figure.measured < figure.least:
                raise self.error(
                    f"{figure.name} took {figure.measured} cycles: memory alone takes {figure.least}, so it was none"
                )
        link = LinkCount(self._bench.observed, self._bench.requests, self._bench.observed)
        figures = {figure.name.replace(" ", "_"): figure.measured for figure in self.figures}
        return ScoreboardResult(self.name, self.block, len(self.figures), {"translation": link}, figures=figures)


def page_tables(nested: bool) -> MemoryImage:
    """One device, 128 pages of 4 KiB under two last-level tables, one to a line of entries; the last line is full.

    Guest addresses one to one, data above 4 GiB.
    """
    words: dict[int, int] = {}

    def table(address: int, index: int, target_page: int, bits: int) -> None:
        words[address + 8 * index] = target_page << 10 | bits

    words[DIRECTORY + 32 * DEVICE] = V
    words[DIRECTORY + 32 * DEVICE + 8] = 8 << 60 | 5 << 44 | SECOND >> 12 if nested else 0
    words[DIRECTORY + 32 * DEVICE + 16] = 7 << 12
    words[DIRECTORY + 32 * DEVICE + 24] = 8 << 60 | FIRST >> 12
    table(FIRST, IOVA >> 30, (FIRST >> 12) + 1, V)
    for half in range(2):
        table(FIRST + 0x1000, half, (FIRST >> 12) + 2 + half, V)
        for index in range(PAGES):
            table(FIRST + 0x2000 + 0x1000 * half, LINE * index, DATA_PAGE + PAGES * half + index, LEAF)
    for index in range(1, LINE):
        table(FIRST + 0x3000, LINE * (PAGES - 1) + index, DATA_PAGE + 2 * PAGES - 1, LEAF)
    if nested:
        table(FIRST + 0x2000, ALIAS, DATA_PAGE, LEAF)
        for index, (page, target) in enumerate(((FIRST >> 12, FIRST >> 12), (DATA_PAGE, DATA_PAGE + (1 << 20)))):
            middle = SECOND + 0x10000 + 0x2000 * index
            table(SECOND, page >> 18, middle >> 12, V)
            table(middle, page >> 9 & 0x1FF, (middle >> 12) + 1, V)
            for offset in range(2 * PAGES):
                table(middle + 0x1000, (page & 0x1FF) + offset, target + offset, LEAF)
    return MemoryImage(words)


class LatencyTest(BaseTest):
    """Every figure at every latency."""

    top = IOMMU

    def prepare(self) -> None:
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.statistics = StatisticsReader(self.environment.simulation)
        self.scoreboard = LatencyScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        await bridge(self.measure_all)()

    def measure_all(self) -> None:
        """All latencies, one stage and two; runs in the bridge thread."""
        for latency in LATENCIES:
            self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, latency)
            self.measure(latency, False)
            self.measure(latency, True)
        for figure in self.scoreboard.figures:
            self.environment.add_figure(figure.name, figure.measured, "cycles")
        self.environment.add_figure("walks in flight", self.statistics.most_walks(), "walks")

    def measure(self, latency: int, nested: bool) -> None:
        """Figures of one configuration."""
        bench = self.bench
        stage = "nested" if nested else "sv39"
        bench.load(page_tables(nested))
        bench.program(IommuConfiguration(CAPABILITIES, 2, DIRECTORY >> 2 | 2))
        bench.write_register(Offset.CQB, COMMANDS >> 2 | 4, 8)
        bench.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)
        bench.read_register(Offset.CQCSR, 4)

        def record(name: str, measured: int, bound: int, reads: int = 0) -> None:
            self.scoreboard.figures.append(Figure(f"L{latency} {stage} {name}", measured, bound, reads * latency))

        def cycles(reads: int, overhead: int) -> int:
            return reads * latency + overhead

        self.latency(0)
        record("L1 hit", self.latency(0, 8), 2)
        record("miss warm", self.latency(1), cycles(2, 6) if nested else cycles(1, 4), 2 if nested else 1)
        for index in range(2, PAGES):
            self.latency(index)
        record("L2 hit", self.latency(0), 4)
        hits = bench.translate([self.request(0, offset) for offset in range(HITS)])
        cycles_of_hits = hits[-1].answered - hits[0].answered
        record(f"{HITS} hits", cycles_of_hits, HITS - 1)
        self.environment.add_figure(f"L{latency} {stage} hits per cycle", (HITS - 1) / cycles_of_hits, "translations/cycle")
        record("hits after each other", max(answer.latency for answer in hits), 2)
        # Everything but the context is dropped: VMA and GVMA without address.
        self.command(0, 0x1 | (1 << 33 | 5 << 44 if nested else 0))
        self.command(1, 0x81)
        record("miss cold", self.latency(0), cycles(15, 18) if nested else cycles(3, 6), 3)
        if nested:
            # The data page's leaf of the second stage is known: only the first stage's is read.
            (alias,) = bench.translate([Request(DEVICE, IOVA + (ALIAS << 12))])
            record("miss with known leaf", alias.latency, cycles(1, 5), 1)
            bench.cycles(8)
            # Without the first stage's tables, and with the leaves that map them and the page.
            self.command(2, 0x1 | 1 << 33 | 5 << 44)
            record("miss without second stage", self.latency(0), cycles(3, 13), 3)
        before = self.statistics.read()
        misses = bench.translate([self.request(2, offset) for offset in range(8)])
        bench.cycles(SETTLED)
        walks = (self.statistics.read() - before).walks
        if latency > 8:
            # The walk outlasts the requests.
            self.scoreboard.figures.append(Figure(f"L{latency} {stage} walks of 8 misses to one page", walks, 1, 1))
        # One request at a time, each right behind the answer of the one before: only the first of a page may walk.
        bench.set_identifiers(1)
        before = self.statistics.read()
        stream = bench.translate([self.request(STREAMED, offset) for offset in range(8)])
        bench.cycles(SETTLED)
        walks = (self.statistics.read() - before).walks
        bench.set_identifiers(IDENTIFIERS)
        record("walks of a stream to one page", walks, 1)
        record("hit behind the answer of a walk", max(answer.latency for answer in stream[1:]), 2)
        record("gap between the requests of a stream", max(b.requested - a.answered for a, b in pairwise(stream)), 2)
        parallel = bench.translate([self.request(3 + index) for index in range(8)])
        # The walker takes one step a cycle: a start and one for each response, and a look into the second-stage walk cache.
        steps = 4 if nested else 2
        one = cycles(2, 6) if nested else cycles(1, 4)
        record("8 walks", parallel[-1].answered - parallel[0].requested, one + 7 * steps)
        record("merged misses", misses[-1].answered - misses[0].requested, one + 16)
        bench.cycles(SETTLED)
        behind = bench.translate([self.request(PAGES + 1), self.request(2)])
        record("miss before a hit", behind[0].latency, cycles(15, 18) if nested else cycles(3, 6), 1)
        record("hit behind a miss", behind[1].latency, 2)
        self.latency(2 * PAGES - 1)
        bench.cycles(SETTLED)
        (neighbour,) = bench.translate([Request(DEVICE, self.request(2 * PAGES - 1).iova + (1 << 12))])
        record("neighbour of a walked page", neighbour.latency, 4)

    @staticmethod
    def request(page: int, offset: int = 0) -> Request:
        return Request(DEVICE, IOVA + (page * LINE << 12) + offset)

    def latency(self, page: int, offset: int = 0) -> int:
        """Cycles of one read alone, which must succeed."""
        (answer,) = self.bench.translate([self.request(page, offset)])
        if answer.response.status is not Status.OK:
            raise self.scoreboard.error(f"page {page} is mapped but was answered with {answer.response}")
        self.bench.cycles(8)
        return answer.latency

    def command(self, index: int, word: int) -> None:
        """Run one command."""
        self.bench.store(COMMANDS + 16 * index, (word, 0))
        self.bench.write_register(Offset.CQT, index + 1, 4)
        self.bench.cycles(200)
        if self.bench.read_register(Offset.CQH, 4) != index + 1:
            raise self.scoreboard.error(f"command {word:#x} was not consumed within 200 cycles")


@cocotb.test()
async def latency(_: object) -> None:
    """No path takes more cycles than the design allows."""
    await run_test(LatencyTest)
