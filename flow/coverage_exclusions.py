"""What no test is asked to hit: the committed list, its reasons, and what is wrong with it.

`tests/coverage_exclusions.toml`:

    [[bins]]
    group = "system: memory requests"     # exactly
    bins = "atomic, *, 64 B"              # a shell pattern over whole bin names
    reason = "endpoints issue no atomics"

    [[points]]                            # code coverage
    file = "hdl/dma/dma_engine.v"
    kind = "branch"                       # line, branch or toggle
    text = "default: state_n = IDLE;"     # the line of source without indent; of a toggle: a pattern of `signal[bit] edge`
    reason = "the state has no other value"

An exclusion hides a hole, so it may not rot: one that matches no bin of its group or whose bin was hit is a fault, and so is a
group of which more than 2 % are excluded, or a kind of points of all files together. A group or file that no run of the set
measured is not judged.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from flow.code_coverage import SourceCoverage
from flow.errors import UserError
from flow.project import Project, near_matches

FILE = "coverage_exclusions.toml"
LARGEST_SHARE = 0.02
KINDS = ("line", "branch", "toggle")


@dataclass(frozen=True)
class BinExclusion:
    """Bins of one group that are not counted, and why."""

    group: str
    bins: str
    reason: str

    def matches(self, names: Mapping[str, int]) -> list[str]:
        """The bins of the group that it excludes."""
        return [name for name in names if fnmatch.fnmatchcase(name, self.bins)]


@dataclass(frozen=True)
class PointExclusion:
    """Points of code coverage that are not counted, and why."""

    file: str
    kind: str
    text: str
    reason: str


@dataclass(frozen=True)
class Exclusions:
    """The whole list."""

    bins: tuple[BinExclusion, ...] = ()
    points: tuple[PointExclusion, ...] = ()


@dataclass
class Taken:
    """What `take_points` found: lines on which something is excluded, by file, and faults."""

    lines: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def load(project: Project) -> Exclusions:
    """The exclusions of a project, none where it has no such file."""
    path = project.testlist_file.with_name(FILE)
    if not path.is_file():
        return Exclusions()
    try:
        data = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{project.relative(path)} is not valid TOML: {error}.") from None
    bins = tuple(BinExclusion(**_texts("bins", entry, BinExclusion)) for entry in data.get("bins", []))
    points = tuple(PointExclusion(**_texts("points", entry, PointExclusion)) for entry in data.get("points", []))
    for entry in points:
        if entry.kind not in KINDS:
            raise UserError(f"An entry of [[points]] in {FILE} has kind '{entry.kind}': {near_matches(entry.kind, KINDS)}")
    return Exclusions(bins, points)


def _texts(table: str, entry: Mapping[str, Any], kind: type[BinExclusion] | type[PointExclusion]) -> dict[str, str]:
    names = [part.name for part in fields(kind)]
    if set(entry) != set(names) or not all(isinstance(text, str) and text.strip() for text in entry.values()):
        needed = f"{', '.join(names)} and nothing else, each a text"
        raise UserError(f"An entry of [[{table}]] in {FILE} needs {needed}; it has {dict(entry)}.")
    return {name: str(entry[name]) for name in names}


def excluded(exclusions: Sequence[BinExclusion], groups: Mapping[str, Counter[str]]) -> dict[str, dict[str, str]]:
    """By group: the excluded bins and their reasons."""
    found: dict[str, dict[str, str]] = {}
    for entry in exclusions:
        for name in entry.matches(groups.get(entry.group, Counter())):
            found.setdefault(entry.group, {})[name] = entry.reason
    return found


def faults(exclusions: Sequence[BinExclusion], groups: Mapping[str, Counter[str]]) -> list[str]:
    """What is wrong with the exclusions, given the merged bins: one sentence each."""
    wrong = []
    for entry in exclusions:
        if entry.group not in groups:
            continue
        bins = groups[entry.group]
        matched = entry.matches(bins)
        if not matched:
            wrong.append(f"exclusion '{entry.bins}' matches no bin of '{entry.group}': remove it")
        wrong += [f"excluded bin '{name}' of '{entry.group}' was hit: remove its exclusion" for name in matched if bins[name]]
    for group, names in excluded(exclusions, groups).items():
        if len(names) > LARGEST_SHARE * len(groups[group]):
            share = f"{len(names)} of {len(groups[group])} bins"
            wrong.append(f"'{group}': {share} are excluded, more than {LARGEST_SHARE:.0%}: hit them or rule them out")
    return wrong


def take_points(exclusions: Sequence[PointExclusion], sources: Mapping[str, SourceCoverage], root: Path) -> Taken:
    """Takes the excluded points out of `sources` and says what is wrong with the exclusions; `root` holds the source files."""
    taken = Taken()
    totals = Counter({kind: sum(source.counters()[kind][1] for source in sources.values()) for kind in KINDS})
    removed: Counter[str] = Counter()
    for entry in exclusions:
        found = _points(entry, sources[entry.file], root)
        if not found:
            taken.faults.append(f"exclusion of {entry.kind} '{entry.text}' matches nothing in {entry.file}: remove it")
        for point, hits in found.items():
            if hits:
                taken.faults.append(f"excluded {entry.kind} '{entry.text}' in {entry.file} was hit: remove its exclusion")
                break
            removed[entry.kind] += 1
            line = point if isinstance(point, int) else point[0]
            notes = taken.lines.setdefault(entry.file, [])
            if (line, entry.reason) not in notes:
                notes.append((line, entry.reason))
            _counter(entry, sources[entry.file]).pop(point, None)
    for kind, count in removed.items():
        if count > LARGEST_SHARE * totals[kind]:
            taken.faults.append(f"{count} of {totals[kind]} points of kind {kind} are excluded, more than {LARGEST_SHARE:.0%}")
    return taken


def _counter(entry: PointExclusion, source: SourceCoverage) -> Counter[Any]:
    counters: dict[str, Counter[Any]] = {"line": source.lines, "branch": source.branches, "toggle": source.toggles}
    return counters[entry.kind]


def _points(entry: PointExclusion, source: SourceCoverage, root: Path) -> dict[Any, int]:
    """The points that an exclusion means, and their hits."""
    if entry.kind == "toggle":
        return {
            (line, signal, bit, edge): hits
            for (line, signal, bit, edge), hits in source.toggles.items()
            if fnmatch.fnmatchcase(f"{signal}[{bit}] {edge}", entry.text.replace("[", "[[]"))
        }
    path = root / entry.file
    text = path.read_text(errors="replace").splitlines() if path.is_file() else []
    lines = {number for number, line in enumerate(text, 1) if line.strip() == entry.text.strip()}
    counter = _counter(entry, source)
    return {point: hits for point, hits in counter.items() if (point if entry.kind == "line" else point[0]) in lines}
