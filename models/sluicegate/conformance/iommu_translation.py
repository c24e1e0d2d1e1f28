"""Replay of ``xlate_*``: single translations from cold. Every test of a case counts by itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sluicegate.conformance.iommu_case_replay import missing_feature
from sluicegate.conformance.iommu_compare import translation_difference
from sluicegate.conformance.iommu_dut import IommuUnderTest, ModelUnderTest
from sluicegate.conformance.iommu_parse import read_translation_cases
from sluicegate.conformance.result import MISMATCHES_KEPT, FileResult


def replay_translations(path: Path, device: IommuUnderTest | None = None) -> FileResult:
    """Replay an ``xlate_*`` file on ``device`` (default: the golden model). Raises ConformanceError."""
    device = device or ModelUnderTest()
    total = passed = 0
    unsupported: Counter[str] = Counter()
    mismatches: list[str] = []
    for case in read_translation_cases(path):
        total += len(case.tests)
        runnable = []
        for index, (test, required) in enumerate(zip(case.tests, case.required_features, strict=True)):
            missing = missing_feature(required, device)
            if missing is None:
                runnable.append((index, test))
            else:
                unsupported[missing] += 1
        try:
            outcomes = device.run_translations(case, [test for _, test in runnable]) if runnable else []
            differences = [
                translation_difference(test, outcome, device.reports_msi)
                for (_, test), outcome in zip(runnable, outcomes, strict=True)
            ]
        except Exception as error:  # a crash of the device under test fails its tests, not the replay
            differences = [f"the run ended in {type(error).__name__}: {error}"] * len(runnable)
        for (index, _), difference in zip(runnable, differences, strict=True):
            if difference is None:
                passed += 1
            elif len(mismatches) < MISMATCHES_KEPT:
                mismatches.append(f"case {case.identifier}, test {index}: {difference}")
    return FileResult(path.name.split(".")[0], passed, total, dict(unsupported), tuple(mismatches))
