"""Cover groups that a test closes: a hole after all its nightly seeds fails the regression, a smaller set is not judged."""

from __future__ import annotations

from collections import Counter

import pytest

from flow import coverage, testlist
from flow.coverage import Coverage
from flow.project import Project
from flow.testlist import ListedTest

TEST = ListedTest("copies", "dma", "tests.copies", nightly_seeds=3, closes=("lengths",))


def covered(**bins: int) -> Coverage:
    return Coverage(groups={"lengths": Counter(bins)})


def test_a_hole_is_a_fault_once_all_nightly_seeds_ran() -> None:
    (fault,) = coverage.open_groups(covered(short=5, long=0), [TEST], {"copies": 3})
    assert fault.startswith("'lengths': 1 bins are left by 3 runs of copies, one of them 'long'")


@pytest.mark.parametrize(("runs", "long"), [({"copies": 2}, 0), ({}, 0), ({"copies": 3}, 1), ({"copies": 7}, 1)])
def test_fewer_runs_are_not_judged_and_a_closed_group_is_right(runs: dict[str, int], long: int) -> None:
    assert coverage.open_groups(covered(short=5, long=long), [TEST], runs) == []


def test_an_excluded_bin_is_no_hole() -> None:
    merged = covered(short=5, long=0)
    merged.excluded = {"lengths": {"long": "nothing is that long"}}
    assert coverage.open_groups(merged, [TEST], {"copies": 3}) == []


def test_a_group_that_nobody_samples_is_a_fault() -> None:
    (fault,) = coverage.open_groups(Coverage(), [TEST], {"copies": 3})
    assert "does not sample it" in fault


def test_the_translations_are_closed_by_the_nightly_lock_step() -> None:
    closed = testlist.load(Project())["iommu_random"].closes
    assert {"iommu: mode and page size", "iommu: cause and request type", "iommu: permissions"} <= set(closed)
