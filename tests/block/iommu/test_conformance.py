"""Conformance replay of the IOMMU core: every recorded case, judged by the rules that judge the model."""

from __future__ import annotations

from pathlib import Path

import cocotb
from cocotb.task import bridge
from sluicegate.conformance.iommu_command import replay_commands
from sluicegate.conformance.iommu_page_request import replay_page_requests
from sluicegate.conformance.iommu_sequence import replay_sequences
from sluicegate.conformance.iommu_translation import replay_translations
from sluicegate.conformance.registry import REPLAYERS, Replayer, replayer_of, undeclared_features, vector_files
from sluicegate.conformance.result import ConformanceError, FileResult

from tb.bridge.event_log import LogBatch
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IommuBench
from tests.block.iommu.rtl_under_test import RtlUnderTest

DUT = "iommu_rtl"
REPORT = "conformance.txt"
VECTORS = Path(__file__).parents[2] / "conformance" / "data" / "iommu"


def iommu_replayers(device: RtlUnderTest) -> dict[str, Replayer]:
    """The replayers of the IOMMU's formats, on ``device``."""
    return {
        "xlate": lambda path: replay_translations(path, device),
        "seq": lambda path: replay_sequences(path, device),
        "pri": lambda path: replay_page_requests(path, device),
        "cmd": lambda path: replay_commands(path, device),
    }


def iommu_files(folder: Path) -> list[Path]:
    """The vector files of the IOMMU below ``folder``; those of the DMA API are the model's. Raises ConformanceError."""
    about_iommu = (replay_translations, replay_sequences, replay_page_requests, replay_commands)
    files = [path for path in vector_files(folder) if replayer_of(path, REPLAYERS) in about_iommu]
    if not files:
        raise ConformanceError(f"{folder} holds no vectors of the IOMMU: nothing would be compared")
    return files


class ConformanceScoreboard(Scoreboard):
    """Gives the verdict of the replay at the end of the run."""

    name = "conformance"
    block = "iommu"

    def __init__(self, bench: IommuBench, device: RtlUnderTest) -> None:
        self._bench = bench
        self._device = device
        self.results: list[FileResult] = []

    def ingest(self, batch: LogBatch) -> None:
        """The device under test reads the log itself."""

    def report(self) -> list[str]:
        """A line a file, its mismatches, undeclared features, and the totals last."""
        lines = []
        for result in self.results:
            missing = ", ".join(f"{count} {feature}" for feature, count in sorted(result.unsupported.items()))
            lines.append(f"{result.name} {result.passed}/{result.total}, unsupported {missing or 0}")
            lines += [f"  {sentence}" for sentence in result.mismatches]
        lines += [
            f"unsupported feature {feature!r} is not in the committed list of {DUT}: implement it or name it there"
            for feature in undeclared_features(self.results, DUT)
        ]
        passed = sum(result.passed for result in self.results)
        failed = sum(result.failed for result in self.results)
        return [*lines, f"{passed} passed, {failed} failed"]

    def finish(self) -> ScoreboardResult:
        failed = [result for result in self.results if result.failed]
        if failed:
            first = failed[0].mismatches[0] if failed[0].mismatches else "no description"
            raise self.error(f"{sum(result.failed for result in failed)} cases disagree, first {failed[0].name} {first}")
        undeclared = undeclared_features(self.results, DUT)
        if undeclared:
            raise self.error(f"features {', '.join(undeclared)} are neither implemented nor in the committed list of {DUT}")
        bench = self._bench
        link = LinkCount(bench.observed, bench.requests, bench.observed)
        return ScoreboardResult(self.name, self.block, self._device.compared, {"translation": link})


class ConformanceTest(BaseTest):
    """All files below the parameter ``vectors``."""

    top = IOMMU

    def prepare(self) -> None:
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.device = RtlUnderTest(self.bench)
        self.scoreboard = ConformanceScoreboard(self.bench, self.device)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        folder = Path(self.settings.parameters.get("vectors", VECTORS))
        await bridge(self.replay)(folder)
        lines = self.scoreboard.report()
        (self.settings.folder / REPORT).write_text("\n".join(lines) + "\n")

    def replay(self, folder: Path) -> None:
        """Every file in order of its name."""
        replayers = iommu_replayers(self.device)
        for path in iommu_files(folder):
            result = replayer_of(path, replayers)(path)
            if result.total == 0:
                raise ConformanceError(f"{path.name} holds no case: nothing was compared")
            self.scoreboard.results.append(result)


@cocotb.test()
async def conformance(_: object) -> None:
    """The core answers as the recorded reference does."""
    await run_test(ConformanceTest)
