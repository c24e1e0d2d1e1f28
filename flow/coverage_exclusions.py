"""Bins that no test is asked to hit: the committed list, its reasons, and what is wrong with it.

`tests/coverage_exclusions.toml`:

    [[bins]]
    group = "system: memory requests"     # exactly
    bins = "atomic, *, 64 B"              # a shell pattern over whole bin names
    reason = "endpoints issue no atomics"

An exclusion hides a hole, so it may not rot: one that matches no bin of its group or whose bin was hit is a fault, and so is a
group of which more than 2 % are excluded. A group that no run of the set sampled is not judged.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flow.errors import UserError
from flow.project import Project

FILE = "coverage_exclusions.toml"
LARGEST_SHARE = 0.02


@dataclass(frozen=True)
class BinExclusion:
    """Bins of one group that are not counted, and why."""

    group: str
    bins: str
    reason: str

    def matches(self, names: Mapping[str, int]) -> list[str]:
        """The bins of the group that it excludes."""
        return [name for name in names if fnmatch.fnmatchcase(name, self.bins)]


def load(project: Project) -> list[BinExclusion]:
    """The exclusions of a project, none where it has no such file."""
    path = project.testlist_file.with_name(FILE)
    if not path.is_file():
        return []
    try:
        data = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{project.relative(path)} is not valid TOML: {error}.") from None
    return [_exclusion(entry) for entry in data.get("bins", [])]


def _exclusion(entry: Mapping[str, Any]) -> BinExclusion:
    texts = {name: entry.get(name) for name in ("group", "bins", "reason")}
    if set(entry) != set(texts) or not all(isinstance(text, str) and text.strip() for text in texts.values()):
        raise UserError(f"An entry of [[bins]] in {FILE} needs 'group', 'bins' and 'reason' and nothing else, has {dict(entry)}.")
    return BinExclusion(**{name: str(text) for name, text in texts.items()})


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
