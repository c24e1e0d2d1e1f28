"""Code coverage by place in the source: lines, branches and toggles, read from the files that verilated models write.

`coverage.dat` holds a line `C '<key>' <hits>` a point; the key is `\\x01name\\x02value` fields: `f` file, `l` line, `n` column,
`o` what it is, `S` the lines it covers, `h` an instance. Hits are added up over instances, modules with other parameters, DUTs
and runs, so that a place in the source counts once. What parameters generate in one build only is a place like any other.

* A **line** is executable if some point covers it or stands on it; it was hit if one of those was.
* A **branch** is one way of an `if`, `else if`, `else`, `case` or `? :`.
* A **toggle** is one edge (0->1 or 1->0) of one bit of a signal of at most 64 bits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

POINT: Final = re.compile(r"^C '(.*)' (\d+)$", re.MULTILINE)
TOGGLE: Final = re.compile(r"^(.*?)(?:\[(\d+)\])?:(0->1|1->0)$")
BRANCHES: Final = {
    "if": "never true",
    "elsif": "never true",
    "else": "never false",
    "case": "never chosen",
    "cond_then": "? never chosen",
    "cond_else": ": never chosen",
}
"""Kinds of ways, and what to say of one that was never taken."""
EDGES: Final = ("0->1", "1->0")
DESIGN: Final = re.compile(r"(?:.*/)?hdl/")

Branch = tuple[int, int, str]
"""Line, column, kind of way."""
Toggle = tuple[int, str, int, str]
"""Line of the declaration, signal, bit (0 of a scalar), edge."""


@dataclass
class SourceCoverage:
    """The hits of one source file."""

    lines: Counter[int] = field(default_factory=Counter)
    branches: Counter[Branch] = field(default_factory=Counter)
    toggles: Counter[Toggle] = field(default_factory=Counter)

    def counters(self) -> dict[str, tuple[int, int]]:
        """By kind: (hit, of how many)."""
        counters: dict[str, Counter[Any]] = {"line": self.lines, "branch": self.branches, "toggle": self.toggles}
        return {kind: (sum(hits > 0 for hits in points.values()), len(points)) for kind, points in counters.items()}


def parse(text: str) -> dict[str, int]:
    """Hits by key of a `coverage.dat`."""
    return {key: int(hits) for key, hits in POINT.findall(text)}


def by_source(points: Iterable[tuple[str, int]]) -> dict[str, SourceCoverage]:
    """The design's files and their hits."""
    found: dict[str, SourceCoverage] = {}
    listed: dict[str, Counter[tuple[int, int, str, str]]] = {}
    for key, hits in points:
        fields = dict(part.split("\x02", 1) for part in key.split("\x01")[1:])
        file = fields.get("f", "")
        if not DESIGN.match(file):
            continue
        source = found.setdefault(file, SourceCoverage())
        line, what = int(fields["l"]), fields.get("o", "")
        toggle = TOGGLE.match(what) if fields.get("t") == "toggle" else None
        if toggle:
            source.toggles[line, toggle[1], int(toggle[2] or 0), toggle[3]] += hits
            continue
        column = int(fields.get("n", 0))
        if what in BRANCHES:
            source.branches[line, column, what] += hits
        # Instances of one place add up before the places that share a line are compared.
        listed.setdefault(file, Counter())[line, column, what, fields.get("S", "")] += hits
    for file, places in listed.items():
        _count_lines(found[file].lines, places)
    return found


def _count_lines(lines: Counter[int], places: Counter[tuple[int, int, str, str]]) -> None:
    for (line, _, _, spans), hits in places.items():
        for number in {line, *_lines_of(spans)}:
            lines[number] = max(lines[number], hits)


def _lines_of(spans: str) -> list[int]:
    """The numbers in `54-57,59`."""
    numbers: list[int] = []
    for span in filter(None, spans.split(",")):
        first, _, last = span.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def ranges(bits: Iterable[int]) -> str:
    """`7:4, 1` of 1, 4, 5, 6, 7."""
    parts: list[list[int]] = []
    for bit in sorted(bits, reverse=True):
        if parts and parts[-1][1] == bit + 1:
            parts[-1][1] = bit
        else:
            parts.append([bit, bit])
    return ", ".join(str(high) if high == low else f"{high}:{low}" for high, low in parts)


def untoggled(source: SourceCoverage) -> dict[int, list[str]]:
    """By line of the declaration: each signal with the bits that did not toggle, as `ready_o 1->0` or `count[7:4]`."""
    missing: dict[tuple[int, str], dict[str, set[int]]] = {}
    width: Counter[tuple[int, str]] = Counter()
    for (line, signal, bit, edge), hits in source.toggles.items():
        width[line, signal] = max(width[line, signal], bit + 1)
        if not hits:
            missing.setdefault((line, signal), {}).setdefault(edge, set()).add(bit)
    said: dict[int, list[str]] = {}
    for (line, signal), edges in sorted(missing.items()):
        both = edges.get(EDGES[0], set()) & edges.get(EDGES[1], set())
        parts = [(both, "")] + [(edges.get(edge, set()) - both, f" {edge}") for edge in EDGES]
        for bits, suffix in parts:
            if bits:
                place = "" if width[line, signal] == 1 else f"[{ranges(bits)}]"
                said.setdefault(line, []).append(f"{signal}{place}{suffix}")
    return said
