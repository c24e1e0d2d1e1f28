"""Coverage over all runs: functional bins the testbench sampled, and code coverage that Verilator counted.

`coverage.json` of a run: `{"schema": 1, "groups": {group: {bin: hits}}}`; every bin that can be hit is listed, with 0 where it
was not. `coverage.dat` of a run: Verilator's own file (`flow/code_coverage.py`). Merging adds up hits, in any order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flow import code_coverage, coverage_exclusions, job, testlist, wide_signals
from flow.code_coverage import SourceCoverage
from flow.coverage_exclusions import Exclusions, PointExclusion
from flow.errors import UserError
from flow.project import Project
from flow.regress import Outcome
from flow.testlist import ListedTest

BINS = "coverage.json"
POINTS = "coverage.dat"


@dataclass
class Coverage:
    """Hits, added up over runs."""

    groups: dict[str, Counter[str]] = field(default_factory=dict)
    sources: dict[str, SourceCoverage] = field(default_factory=dict)
    """Code coverage by file."""
    wide: dict[str, list[list[Any]]] = field(default_factory=dict)
    """By file: line, signal and bits of signals whose toggles are not counted."""
    excluded: dict[str, dict[str, str]] = field(default_factory=dict)
    """By group: the bins that are not counted, and why."""
    excluded_points: list[PointExclusion] = field(default_factory=list)
    """What is not counted of the code, where it was measured."""
    excluded_lines: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """By file: lines on which something is not counted, and why."""
    faults: list[str] = field(default_factory=list)
    """What is wrong with the exclusions, and with groups that should be closed; a regression with any fails."""

    def group_rows(self) -> list[tuple[str, int, int]]:
        """(group, bins hit, bins) of every functional group, excluded bins left out."""
        counted = {name: len(self._counted(name)) for name in sorted(self.groups)}
        return [(name, bins - len(self.holes(name)), bins) for name, bins in counted.items()]

    @property
    def lines(self) -> list[str]:
        """For the summary: how much was hit, a line for bins and one for code."""
        said = []
        if self.groups:
            rows = self.group_rows()
            hit, bins = sum(row[1] for row in rows), sum(row[2] for row in rows)
            left_out = sum(map(len, self.excluded.values()))
            percent = f"{100 * hit / max(bins, 1):.1f} % of {bins:,} bins"
            said.append(f"functional coverage: {percent} in {len(rows)} groups, {left_out} bins excluded")
        if self.sources:
            totals = {"line": [0, 0], "branch": [0, 0], "toggle": [0, 0]}
            for source in self.sources.values():
                for kind, (hit, total) in source.counters().items():
                    totals[kind][0] += hit
                    totals[kind][1] += total
            figures = [f"{kind} {100 * hit / max(total, 1):.1f} % of {total:,}" for kind, (hit, total) in totals.items()]
            said.append(f"code coverage: {', '.join(figures)} in {len(self.sources)} files")
        return said

    def holes(self, group: str) -> list[str]:
        """Bins of a group that were never hit, excluded ones left out."""
        return sorted(name for name, hits in self._counted(group).items() if not hits)

    def _counted(self, group: str) -> dict[str, int]:
        left_out = self.excluded.get(group, {})
        return {name: hits for name, hits in self.groups[group].items() if name not in left_out}


def of_runs(project: Project, outcome: Outcome) -> Coverage:
    """The coverage of a set of runs, with the project's exclusions."""
    folders = [outcome.folder / f"{result.test}-{result.seed}" for result in outcome.results]
    merged = merge(folders, coverage_exclusions.load(project), project.root)
    if merged.sources:
        merged.wide = _wide(project, folders)
    runs = Counter(result.test for result in outcome.results)
    merged.faults += open_groups(merged, testlist.load(project).values(), runs)
    return merged


def open_groups(merged: Coverage, tests: Iterable[ListedTest], runs: Mapping[str, int]) -> list[str]:
    """The groups that a test should have closed and has not, one sentence each. Judged where it ran with all its nightly seeds.

    `runs`: how often each test ran, by name.
    """
    wrong = []
    for test in tests:
        if not test.closes or runs.get(test.name, 0) < test.runs_in("nightly"):
            continue
        for group in test.closes:
            if group not in merged.groups:
                wrong.append(f"'{group}' should be closed by {test.name}, which does not sample it: correct `closes`")
            elif holes := merged.holes(group):
                left = f"{len(holes)} bins are left by {runs[test.name]} runs of {test.name}, one of them '{holes[0]}'"
                wrong.append(f"'{group}': {left}: hit them, rule them out, or exclude them with a reason")
    return wrong


def merge(folders: Iterable[Path], exclusions: Exclusions | None = None, root: Path | None = None) -> Coverage:
    """The coverage of all run folders that left some, without what is excluded; `root`: where the source files are."""
    merged = Coverage()
    points: Counter[str] = Counter()
    for folder in folders:
        if (folder / BINS).is_file():
            _add_bins(merged, folder / BINS)
        if (folder / POINTS).is_file():
            points.update(code_coverage.parse((folder / POINTS).read_text(errors="replace")))
    merged.sources = code_coverage.by_source(points.items())
    if exclusions is not None:
        merged.excluded = coverage_exclusions.excluded(exclusions.bins, merged.groups)
        merged.faults = coverage_exclusions.faults(exclusions.bins, merged.groups)
        merged.excluded_points = [entry for entry in exclusions.points if entry.file in merged.sources]
        taken = coverage_exclusions.take_points(merged.excluded_points, merged.sources, root or Path())
        merged.excluded_lines = taken.lines
        merged.faults += taken.faults
    return merged


def _wide(project: Project, folders: Iterable[Path]) -> dict[str, list[list[Any]]]:
    """What the builds of these runs say about signals whose toggles are not counted, united."""
    builds = {project.root / job.read(folder).command[0].replace(f"{job.ROOT}/", "") for folder in folders}
    united: dict[str, dict[tuple[int, str], int]] = {}
    for path in sorted({build.parent / wide_signals.FILE for build in builds}):
        if path.is_file():
            for file, signals in json.loads(path.read_text()).items():
                for line, signal, bits in signals:
                    known = united.setdefault(file, {})
                    known[line, signal] = max(known.get((line, signal), 0), bits)
    return {file: [[line, signal, bits] for (line, signal), bits in sorted(signals.items())] for file, signals in united.items()}


def _add_bins(merged: Coverage, path: Path) -> None:
    try:
        groups = json.loads(path.read_text())["groups"]
        for group, bins in groups.items():
            merged.groups.setdefault(group, Counter()).update({name: int(hits) for name, hits in bins.items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is not a coverage file: it must be {{'groups': {{group: {{bin: hits}}}}}}.") from None
