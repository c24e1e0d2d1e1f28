"""The committed list of excluded bins: it hides only what it says, and cannot rot."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from flow import coverage, coverage_exclusions
from flow.coverage_exclusions import BinExclusion, Exclusions
from flow.errors import UserError
from flow.project import Project

GROUPS = {"lengths": Counter({f"read, {size}": int(size != 7) for size in range(100)})}


def exclusion(pattern: str, group: str = "lengths") -> BinExclusion:
    return BinExclusion(group, pattern, "seven is never drawn")


def test_an_excluded_hole_is_not_counted_and_keeps_its_reason(tmp_path: Path) -> None:
    (tmp_path / "coverage.json").write_text(
        json.dumps({"schema": 1, "groups": {name: dict(bins) for name, bins in GROUPS.items()}})
    )
    merged = coverage.merge([tmp_path], Exclusions((exclusion("read, 7"),)))
    assert merged.group_rows() == [("lengths", 99, 99)]
    assert merged.holes("lengths") == []
    assert merged.excluded == {"lengths": {"read, 7": "seven is never drawn"}}
    assert merged.faults == []
    assert merged.lines == ["functional coverage: 100.0 % of 99 bins in 1 groups, 1 bins excluded"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("write, *", "exclusion 'write, *' matches no bin of 'lengths': remove it"),
        ("read, 8", "excluded bin 'read, 8' of 'lengths' was hit: remove its exclusion"),
        ("*, [789]", "'lengths': 3 of 100 bins are excluded, more than 2%: hit them or rule them out"),
    ],
)
def test_exclusions_that_rot_are_faults(pattern: str, said: str) -> None:
    assert said in coverage_exclusions.faults([exclusion(pattern)], GROUPS)


def test_two_percent_may_be_excluded_and_absent_groups_are_not_judged() -> None:
    bins = {"lengths": Counter({f"read, {size}": 0 for size in range(100)})}
    assert coverage_exclusions.faults([exclusion("read, 7"), exclusion("read, 8")], bins) == []
    assert coverage_exclusions.faults([exclusion("read, 7", "of another set")], bins) == []


@pytest.mark.parametrize(
    "entry", ['group = "g"\nbins = "b"', 'group = "g"\nbins = "b"\nreason = " "', 'group = 1\nbins = "b"\nreason = "r"']
)
def test_an_exclusion_without_a_reason_is_refused(tmp_path: Path, entry: str) -> None:
    project = replace(Project(), testlist_file=tmp_path / "testlist.toml")
    assert coverage_exclusions.load(project) == Exclusions()
    (tmp_path / coverage_exclusions.FILE).write_text(f"[[bins]]\n{entry}\n")
    with pytest.raises(UserError, match="needs group, bins, reason and nothing else"):
        coverage_exclusions.load(project)


def test_the_committed_list_can_be_read() -> None:
    assert isinstance(coverage_exclusions.load(Project()), Exclusions)
