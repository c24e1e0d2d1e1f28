"""The loop shared by the replayers whose cases pass or fail as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from sluicegate.conformance.iommu_dut import IommuUnderTest
from sluicegate.conformance.result import MISMATCHES_KEPT, FileResult
from sluicegate.iommu.request import Feature


class WholeCase(Protocol):
    """A case with one verdict."""

    @property
    def identifier(self) -> int:
        """Its number in the file."""

    @property
    def required_features(self) -> frozenset[Feature]:
        """What an IOMMU must have to be judged by it."""


C = TypeVar("C", bound=WholeCase)


def missing_feature(required: frozenset[Feature], device: IommuUnderTest) -> str | None:
    """The name under which a case is listed as unsupported (the first of those missing), or None when nothing is missing."""
    missing = required - device.features
    return min(feature.value for feature in missing) if missing else None


def replay_whole_cases(
    path: Path, cases: Iterable[C], device: IommuUnderTest, difference_of: Callable[[C], str | None]
) -> FileResult:
    """Run ``difference_of`` (which drives ``device``) on each case and count."""
    total = passed = 0
    unsupported: Counter[str] = Counter()
    mismatches: list[str] = []
    for case in cases:
        total += 1
        missing = missing_feature(case.required_features, device)
        if missing is not None:
            unsupported[missing] += 1
            continue
        try:
            difference = difference_of(case)
        except Exception as error:  # a crash of the device under test fails its case, not the replay
            difference = f"the run ended in {type(error).__name__}: {error}"
        if difference is None:
            passed += 1
        elif len(mismatches) < MISMATCHES_KEPT:
            mismatches.append(f"case {case.identifier}: {difference}")
    return FileResult(path.name.split(".")[0], passed, total, dict(unsupported), tuple(mismatches))
