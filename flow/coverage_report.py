"""Coverage in the report: tables of groups and files, a page of bins for each group, annotated source for each file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from flow import code_coverage, html_page
from flow.code_coverage import BRANCHES, SourceCoverage
from flow.coverage import Coverage
from flow.html_page import Cell, escape, link, share
from flow.project import Project

PLURALS = {"line": "lines", "branch": "branches", "toggle": "toggles"}
KINDS = tuple(PLURALS)
SHOWN_HOLES = 3
SOURCES, BINS = "source", "bins"
"""Folders of the report with a page for each file and for each group."""


def functional(folder: Path, covered: Coverage) -> str:
    """The section of functional groups; writes their pages below `folder`."""
    _empty(folder / BINS)
    if not covered.groups:
        return "<p>No run sampled bins.</p>"
    rows: list[list[Cell]] = []
    for name, hit, total in covered.group_rows():
        holes = covered.holes(name)
        shown = "; ".join(holes[:SHOWN_HOLES]) + (f" and {len(holes) - SHOWN_HOLES:,} more" if len(holes) > SHOWN_HOLES else "")
        page = _bins_page(folder, covered, name)
        rows.append([link(f"{BINS}/{page}", name), hit, total, share(hit, total), shown])
    groups = covered.group_rows()
    parts = [_totals([("bins", sum(group[1] for group in groups), sum(group[2] for group in groups))])]
    parts.append(html_page.table(["group", "bins hit", "bins", "%", "never hit"], rows))
    if covered.faults:
        parts.append(f"<ul class=fail>{''.join(f'<li>{escape(fault)}</li>' for fault in covered.faults)}</ul>")
    left_out = [[group, name, reason] for group, names in sorted(covered.excluded.items()) for name, reason in names.items()]
    if left_out:
        parts.append("<h4>Excluded bins</h4>" + html_page.table(["group", "bin", "reason"], left_out))
    return "".join(parts)


def _bins_page(folder: Path, covered: Coverage, group: str) -> str:
    left_out = covered.excluded.get(group, {})
    rows: list[list[Cell]] = []
    for name, hits in covered.groups[group].items():
        state = f"excluded: {left_out[name]}" if name in left_out else "hit" if hits else "never hit"
        rows.append([name, hits, state])
    rows.sort(key=lambda row: row[1] != 0)
    never = {index for index, row in enumerate(rows) if row[2] == "never hit"}
    name = re.sub(r"[^a-z0-9]+", "-", group.lower()).strip("-") + ".html"
    body = f"<section>{html_page.table(['bin', 'hits', 'state'], rows, never)}</section>"
    hit = sum(row[2] == "hit" for row in rows)
    parts = {"title": escape(group), "subtitle": f"{hit:,} of {len(rows) - len(left_out):,} bins hit", "body": body}
    html_page.write(folder / BINS / name, "report_page.html", parts)
    return name


def code(project: Project, folder: Path, covered: Coverage) -> str:
    """The section of the source files; writes annotated source below `folder`."""
    _empty(folder / SOURCES)
    if not covered.sources:
        return "<p>Not measured: make regress COVERAGE=1.</p>"
    rows: list[list[Cell]] = []
    totals = {kind: [0, 0] for kind in KINDS}
    for file, source in sorted(covered.sources.items()):
        row: list[Cell] = [link(f"{SOURCES}/{_source_page(project, folder, covered, file)}", file)]
        counters = source.counters()
        for kind in KINDS:
            hit, total = counters[kind]
            totals[kind][0] += hit
            totals[kind][1] += total
            row += [share(hit, total), total - hit]
        wide = covered.wide.get(file, [])
        row.append(len(wide))
        rows.append(row)
    heads = ["file", *(head for kind in KINDS for head in (f"{kind} %", "missed")), "wide signals"]
    parts = [_totals([(PLURALS[kind], totals[kind][0], totals[kind][1]) for kind in KINDS])]
    parts.append(html_page.table(heads, rows))
    left_out = [[entry.file, entry.kind, entry.text, entry.reason] for entry in covered.excluded_points]
    if left_out:
        parts.append("<h4>Excluded points</h4>" + html_page.table(["file", "kind", "where", "reason"], left_out))
    return "".join(parts)


def _totals(rows: Sequence[tuple[str, int, int]]) -> str:
    tiles = [
        f"<div class=tile><b>{html_page.percent(hit, total):.1f} %</b><span>{hit:,} of {total:,} {name}</span></div>"
        for name, hit, total in rows
    ]
    return f"<div class=tiles>{''.join(tiles)}</div>"


def _source_page(project: Project, folder: Path, covered: Coverage, file: str) -> str:
    source = covered.sources[file]
    notes = _notes(source, covered, file)
    path = project.root / file
    text = path.read_text(errors="replace").splitlines() if path.is_file() else []
    rows = []
    for number, line in enumerate(text, 1):
        hits = source.lines.get(number)
        state = "" if hits is None else "hit" if hits else "missed"
        said = "".join(f"<span class={kind}>{escape(note)}</span>" for kind, note in notes.get(number, []))
        state += " hole" if hits == 0 or any(kind == "no" for kind, _ in notes.get(number, [])) else ""
        count = "" if hits is None else f"{hits:,}"
        cells = f"<td>{number}</td><td>{count}</td><td><pre>{escape(line)}</pre>{said}</td>"
        rows.append(f"<tr id=L{number} class='{state.strip()}'>{cells}</tr>")
    counters = source.counters()
    figures = [(PLURALS[kind], *counters[kind]) for kind in KINDS]
    body = _totals(figures) + f"<section class=source><table class=code>{''.join(rows)}</table></section>"
    name = file.replace("/", "-") + ".html"
    subtitle = "hits by line; keys n and p go to the next and the previous hole"
    parts = {"title": escape(file), "subtitle": subtitle, "body": body, "script": (html_page.HERE / "source.js").read_text()}
    html_page.write(folder / SOURCES / name, "report_page.html", parts)
    return name


def _notes(source: SourceCoverage, covered: Coverage, file: str) -> dict[int, list[tuple[str, str]]]:
    """By line: (class, what to say) of ways never taken, bits that did not toggle, signals not counted, and exclusions."""
    notes: dict[int, list[tuple[str, str]]] = {}
    for (line, _, way), hits in sorted(source.branches.items()):
        if not hits:
            notes.setdefault(line, []).append(("no", BRANCHES[way]))
    for line, signals in code_coverage.untoggled(source).items():
        notes.setdefault(line, []).extend(("no", f"no toggle: {signal}") for signal in signals)
    for line, signal, bits in covered.wide.get(file, []):
        width = f"{bits} bits" if bits else "array"
        notes.setdefault(line, []).append(("aside", f"{signal}: {width}, toggles not counted"))
    for line, reason in covered.excluded_lines.get(file, []):
        notes.setdefault(line, []).append(("aside", f"excluded: {reason}"))
    return notes


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
