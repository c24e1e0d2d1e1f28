"""Coverage over all runs: functional bins the testbench sampled, and code coverage that Verilator counted.

`coverage.json` of a run: `{"schema": 1, "groups": {group: {bin: hits}}}`; every bin that can be hit is listed, with 0 where it
was not. `coverage.dat` of a run: Verilator's own file, a line `C '<key>' <hits>` a point. Merging adds up hits, in any order.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flow import coverage_exclusions
from flow.coverage_exclusions import BinExclusion
from flow.errors import UserError
from flow.project import Project
from flow.regress import Outcome

BINS = "coverage.json"
POINTS = "coverage.dat"
POINT = re.compile(r"^C '(.*)' (\d+)$", re.MULTILINE)
PAGE_FIELD = re.compile("\x01page\x02v_(line|branch|toggle|user|expr)/?")
FILE_FIELD = re.compile("\x01f\x02([^\x01]*)")


@dataclass
class Coverage:
    """Hits, added up over runs."""

    groups: dict[str, Counter[str]] = field(default_factory=dict)
    points: Counter[str] = field(default_factory=Counter)
    excluded: dict[str, dict[str, str]] = field(default_factory=dict)
    """By group: the bins that are not counted, and why."""
    faults: list[str] = field(default_factory=list)
    """What is wrong with the exclusions; a regression with any fails."""

    def __bool__(self) -> bool:
        return bool(self.groups or self.points)

    def group_rows(self) -> list[tuple[str, int, int]]:
        """(group, bins hit, bins) of every functional group, excluded bins left out."""
        return [
            (name, len(bins) - len(self.holes(name)), len(bins)) for name in sorted(self.groups) for bins in [self._counted(name)]
        ]

    def code_rows(self) -> list[tuple[str, str, int, int]]:
        """(file, kind, points hit, points) of the code."""
        rows: dict[tuple[str, str], list[int]] = {}
        for key, hits in self.points.items():
            kind, file = PAGE_FIELD.search(key), FILE_FIELD.search(key)
            if kind and file:
                row = rows.setdefault((file[1], kind[1]), [0, 0])
                row[0] += hits > 0
                row[1] += 1
        return [(file, kind, hit, total) for (file, kind), (hit, total) in sorted(rows.items())]

    @property
    def line(self) -> str:
        """One line for the summary: how much of the bins was hit."""
        rows = self.group_rows()
        hit, bins = sum(row[1] for row in rows), sum(row[2] for row in rows)
        left_out = sum(map(len, self.excluded.values()))
        percent = 100 * hit / bins if bins else 0.0
        return f"functional coverage: {percent:.1f} % of {bins:,} bins in {len(rows)} groups, {left_out} bins excluded"

    def holes(self, group: str) -> list[str]:
        """Bins of a group that were never hit, excluded ones left out."""
        return sorted(name for name, hits in self._counted(group).items() if not hits)

    def _counted(self, group: str) -> dict[str, int]:
        left_out = self.excluded.get(group, {})
        return {name: hits for name, hits in self.groups[group].items() if name not in left_out}


def of_runs(project: Project, outcome: Outcome) -> Coverage:
    """The coverage of a set of runs, with the project's exclusions."""
    folders = (outcome.folder / f"{result.test}-{result.seed}" for result in outcome.results)
    return merge(folders, coverage_exclusions.load(project))


def merge(folders: Iterable[Path], exclusions: Sequence[BinExclusion] = ()) -> Coverage:
    """The coverage of all run folders that left some, without the excluded bins."""
    merged = Coverage()
    for folder in folders:
        if (folder / BINS).is_file():
            _add_bins(merged, folder / BINS)
        if (folder / POINTS).is_file():
            text = (folder / POINTS).read_text(errors="replace")
            merged.points.update({key: int(hits) for key, hits in POINT.findall(text)})
    merged.excluded = coverage_exclusions.excluded(exclusions, merged.groups)
    merged.faults = coverage_exclusions.faults(exclusions, merged.groups)
    return merged


def _add_bins(merged: Coverage, path: Path) -> None:
    try:
        groups = json.loads(path.read_text())["groups"]
        for group, bins in groups.items():
            merged.groups.setdefault(group, Counter()).update({name: int(hits) for name, hits in bins.items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is not a coverage file: it must be {{'groups': {{group: {{bin: hits}}}}}}.") from None
