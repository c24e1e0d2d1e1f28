"""Memory errors on every kind of access of a walk: refused, poisoned, beyond the physical address size.

Each run takes a recorded case, lets the golden model walk it, spoils one of the reads of that walk, and asks model and core
again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cocotb
import numpy as np
from cocotb.task import bridge
from sluicegate.conformance.iommu_cases import ExpectedResponse, TranslationCase, TranslationTest
from sluicegate.conformance.iommu_compare import translation_difference
from sluicegate.conformance.iommu_parse import read_translation_cases
from sluicegate.iommu.capabilities import Capabilities
from sluicegate.iommu.request import Cause, Request, Response
from sluicegate.iommu.translate import translate

from tb.bridge.event_log import LogBatch
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IommuBench
from tests.block.iommu.rtl_under_test import RtlUnderTest

VECTORS = Path(__file__).parents[2] / "conformance" / "data" / "iommu"
TESTS = 3
"""Spoiled walks of each recorded case that is taken: all that may have MSI page tables, one in four of the others."""
BESIDE = 4
"""Kind of error that spoils no read of the walk, so that it may succeed."""
LEAST_ADDRESS_BITS = 20
"""Smallest physical address size: the fault queue has to lie below."""
CAUSES = frozenset(
    {
        Cause.DDT_ACCESS_FAULT,
        Cause.DDT_DATA_CORRUPTION,
        Cause.PDT_ACCESS_FAULT,
        Cause.PDT_DATA_CORRUPTION,
        Cause.MSI_PTE_ACCESS_FAULT,
        Cause.MSI_PT_DATA_CORRUPTION,
        Cause.INSTRUCTION_ACCESS_FAULT,
        Cause.READ_ACCESS_FAULT,
        Cause.WRITE_ACCESS_FAULT,
        Cause.PT_DATA_CORRUPTION,
    }
)
"""What errors of walks end in; each has to occur."""


class ErrorsScoreboard(Scoreboard):
    """Compares outcomes, and counts the causes that the model named."""

    name = "errors"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.compared = 0
        self.causes: Counter[Cause] = Counter()

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def finish(self) -> ScoreboardResult:
        missing = [cause.name for cause in sorted(CAUSES) if not self.causes[cause]]
        if missing:
            raise self.error(f"never met: {', '.join(missing)}: the stimulus is too weak")
        link = LinkCount(self._bench.observed, self._bench.requests, self.compared)
        figures = {cause.name.lower(): self.causes[cause] for cause in sorted(CAUSES)}
        return ScoreboardResult(self.name, self.block, self.compared, {"translation": link}, figures=figures)


class ErrorsTest(BaseTest):
    """Spoiled walks of the recorded cases."""

    top = IOMMU

    def prepare(self) -> None:
        self.random = np.random.default_rng(self.settings.seed)
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.device = RtlUnderTest(self.bench)
        self.scoreboard = ErrorsScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def choose(self, low: int, high: int) -> int:
        """A random integer in ``low .. high - 1``."""
        return int(self.random.integers(low, high))

    def run_all(self) -> None:
        """Runs in the bridge thread."""
        for path in sorted(VECTORS.glob("xlate_*")):
            for case in read_translation_cases(path):
                if case.configuration.capabilities.msi_flat or self.choose(0, 4) == 0:
                    for _ in range(TESTS):
                        self.spoiled(case, case.tests[self.choose(0, len(case.tests))].request)

    def spoiled(self, case: TranslationCase, request: Request) -> None:
        """One request whose walk meets an error; a request that walks nothing is left out."""
        reads = translate(request, case.configuration, case.image.build()).trace.reads
        if not reads:
            return
        # Process contexts and MSI page table entries are rare among the reads.
        rare = [read for read in reads if read.length == 16] or reads
        read = rare[-1] if self.choose(0, 2) else reads[self.choose(0, len(reads))]
        dword = read.address + 8 * self.choose(0, read.length // 8)
        # A neighbour in the same line is none of the walk's business.
        beside = dword ^ 8 * self.choose(1, 8)
        kind = self.choose(0, 5)
        configuration, image = case.configuration, case.image
        if kind == 0:
            image = replace(image, access_fault=image.access_fault | {dword})
        elif kind == 1:
            image = replace(image, poison=image.poison | {dword})
        elif kind == 2:
            image = replace(image, access_fault=image.access_fault | {dword}, poison=image.poison | {beside})
        elif kind == 3 and dword >> LEAST_ADDRESS_BITS:
            size = self.choose(LEAST_ADDRESS_BITS, dword.bit_length())
            word = configuration.capabilities.word & ~(0x3F << 32) | size << 32
            configuration = replace(configuration, capabilities=Capabilities(word))
        if kind == BESIDE or self.choose(0, 4) == 0:
            image = replace(image, poison=image.poison | {beside})
        image = replace(image, poison=image.poison - image.access_fault)
        response = translate(request, configuration, image.build())
        test = TranslationTest(request, expected_of(response), tuple(response.trace.updates), ())
        spoiled = replace(case, configuration=configuration, image=image, tests=(test,))
        (outcome,) = self.device.run_translations(spoiled, [test])
        difference = translation_difference(test, outcome, self.device.reports_msi)
        if difference is not None:
            where = f"case {case.identifier}, {request}, read of {dword:#x}, kind {kind}"
            raise self.scoreboard.error(f"{where}: {difference}")
        self.scoreboard.compared += 1
        if response.cause is not None:
            self.scoreboard.causes[response.cause] += 1


def expected_of(response: Response) -> ExpectedResponse:
    """The model's answer in the form of a recorded one."""
    mrif = None if response.mrif is None else (response.mrif.address, response.mrif.notice_identity)
    return ExpectedResponse(
        response.status, response.spa, response.memory_type, response.msi, mrif, response.permissions, response.fault
    )


@cocotb.test()
async def memory_errors(_: object) -> None:
    """Errors of memory end in the causes that the specification gives them."""
    await run_test(ErrorsTest)
