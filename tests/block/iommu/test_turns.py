"""Walks take turns: of requests that each need a walk of their own, in any rhythm of memory, none is passed by many later ones.

Interrupt file numbers come from one unit, which all walks to MSI pages need; those that find it busy wait for their turn. Every
request here is an ATS translation request, which no IOTLB answers and no walk is shared with, of one device, whose misses are
started in order: what passes one has passed it in the walker.
"""

from __future__ import annotations

from random import Random

import cocotb
from cocotb.task import bridge
from sluicegate.conformance.iommu_cases import MemoryImage
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.request import AddressType, Request, Status

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IommuBench, LoggedResponse

MSI_FLAT, ATS, SV39X4 = 1 << 22, 1 << 25, 1 << 17
CAPABILITIES = Capabilities(0x10 | 1 << 9 | SV39X4 | MSI_FLAT | ATS | 1 << 28 | 56 << 32)
V, LEAF = 0x01, 0xDF
DIRECTORY, SECOND, MESSAGES = 0x8000_0000, 0x8001_0000, 0x8003_0000
DEVICE, GUEST_SOFT_CONTEXT = 1, 7
EN_ATS = 1 << 1
FILES, PATTERN = 64, 0x4_0000
"""Interrupt files of the guest, and the guest page of the first."""
ORDINARY = 0x8000_0000
"""A guest page of 1 GiB that is no MSI page."""
DATA = 0x1_4000_0000
LATENCIES = (2, 3, 4, 5, 7, 9, 12, 20, 40)
REQUESTS = 240
SHARES = (1, 2, 5)
"""Of so many requests one goes to an ordinary page, none for 1."""
WALKS = 8
MOST_PASSED = 2 * WALKS
"""Whoever was in the walker when it came in, and all that have their turn before it once."""


class TurnsScoreboard(Scoreboard):
    """Counts by how many later ones each request was passed."""

    name = "turns"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.judged = 0
        self.worst = 0

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def judge(self, what: str, requests: list[Request], answers: list[LoggedResponse]) -> None:
        """All were granted, and no request to an MSI page was passed by more than ``MOST_PASSED`` later ones to such pages."""
        messages: list[LoggedResponse] = []
        for request, answer in zip(requests, answers, strict=True):
            if answer.response.status is not Status.OK or answer.response.spa is None:
                raise self.error(f"{what}: {request} was answered with {answer.response}", answer.answered)
            if request.iova < ORDINARY:
                messages.append(answer)
        for index, answer in enumerate(messages):
            passed = sum(later.answered < answer.answered for later in messages[index + 1 :])
            self.worst = max(self.worst, passed)
            if passed > MOST_PASSED:
                raise self.error(
                    f"{what}: a walk that waits for its interrupt file number was passed by {passed} later ones, at most "
                    f"{MOST_PASSED} are allowed",
                    answer.answered,
                )
        self.judged += len(messages)

    def finish(self) -> ScoreboardResult:
        link = LinkCount(self._bench.observed, self._bench.requests, self._bench.observed)
        return ScoreboardResult(self.name, self.block, self.judged, {"translation": link}, figures={"most_passed": self.worst})


def tables() -> MemoryImage:
    """One device with a Bare first stage, a second stage of one large page, and an MSI page table."""
    context = DIRECTORY + 64 * DEVICE
    words = {
        context: V | EN_ATS,
        context + 8: 8 << 60 | GUEST_SOFT_CONTEXT << 44 | SECOND >> 12,
        context + 32: 1 << 60 | MESSAGES >> 12,
        context + 40: FILES - 1,
        context + 48: PATTERN,
        SECOND + 8 * (ORDINARY >> 30): DATA >> 30 << 28 | LEAF,
    }
    for file in range(FILES):
        words[MESSAGES + 16 * file] = (DATA >> 12) + file << 10 | 3 << 1 | V
    return MemoryImage(words)


class TurnsTest(BaseTest):
    """Bursts at every latency, alone and with requests for an ordinary page among them."""

    top = IOMMU

    def prepare(self) -> None:
        self.random = Random(self.settings.seed)
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.scoreboard = TurnsScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def run_all(self) -> None:
        """Runs in the bridge thread."""
        self.bench.load(tables())
        self.bench.program(IommuConfiguration(CAPABILITIES, 2, DIRECTORY >> 2 | 2))
        for latency in LATENCIES:
            self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, latency)
            for share in SHARES:
                requests = [self.request(share > 1 and index % share == 0) for index in range(REQUESTS)]
                self.scoreboard.judge(f"latency {latency}, share {share}", requests, self.bench.translate(requests))
        self.environment.add_figure("most later walks that passed one", self.scoreboard.worst, "walks")

    def request(self, ordinary: bool) -> Request:
        """A translation request of the ordinary page, or of some interrupt file."""
        page = self.random.randrange(FILES)
        iova = ORDINARY + (page << 12) if ordinary else PATTERN + page << 12
        return Request(DEVICE, iova, address_type=AddressType.TRANSLATION_REQUEST, no_write=True)


@cocotb.test()
async def turns(_: object) -> None:
    """Walks that wait for the same unit get it in turn."""
    await run_test(TurnsTest)
