"""The HTML report of a set of runs: one self-contained page, `build/report/index.html`."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from flow import coverage, summary, testlist, testplan, verdict
from flow.errors import UserError
from flow.progress import duration
from flow.project import Project
from flow.regress import Outcome

PAGE = Path(__file__).with_name("report.html")
SHOWN_HOLES = 12
SHOWN_RUNS = 10
"""Failing runs listed of each signature."""
Cell = str | int | float


def write(project: Project, outcome: Outcome, covered: coverage.Coverage) -> Path:
    """Writes the report and returns its path."""
    folder = project.build / "report"
    folder.mkdir(parents=True, exist_ok=True)
    page = PAGE.read_text()
    for name, text in _parts(project, outcome, covered).items():
        page = page.replace(f"<!-- {name} -->", text)
    path = folder / "index.html"
    partial = path.with_suffix(".partial")
    partial.write_text(page)
    partial.rename(path)
    return path


def _parts(project: Project, outcome: Outcome, covered: coverage.Coverage) -> dict[str, str]:
    rows = summary.rows(outcome)
    failed = len(outcome.failures)
    compared = sum(row.compared for row in rows)
    tiles = [
        ("verdict", "PASS" if not failed else "FAIL"),
        ("tests", f"{len(rows):,}"),
        ("runs", f"{len(outcome.results):,}"),
        ("failed", f"{failed:,}"),
        ("TLPs compared", f"{compared:,}"),
        ("simulated cycles", f"{sum(row.cycles for row in rows):,}"),
        ("simulation time", duration(sum(row.seconds for row in rows))),
    ]
    return {
        "title": _text(f"Sluicegate: {outcome.name}"),
        "set": _text(outcome.name),
        "verdict-class": "fail" if failed else "pass",
        "tiles": "".join(f"<div class=tile><b>{_text(value)}</b><span>{_text(name)}</span></div>" for name, value in tiles),
        "tests": _table(
            ["test", "runs", "failed", "TLPs compared", "cycles", "seconds"],
            [[row.name, row.runs, row.failed, row.compared, row.cycles, round(row.seconds, 1)] for row in rows],
            bad={index for index, row in enumerate(rows) if row.failed},
        ),
        "failures": _failures(project, outcome),
        "links": _links(outcome.results),
        "distinct": _table(["combination", "distinct over all runs"], [[*row] for row in summary.distinct(outcome).items()]),
        "testplan": _testplan(project, outcome.results),
        "coverage": _coverage(covered),
    }


def _failures(project: Project, outcome: Outcome) -> str:
    if not outcome.failures:
        return "<p>None.</p>"
    blocks = []
    for bucket, results in summary.buckets(outcome.failures):
        items = []
        for result in results[:SHOWN_RUNS]:
            log = f"../{(outcome.folder / f'{result.test}-{result.seed}' / verdict.LOG).relative_to(project.build)}"
            first, *others = map(_text, result.reasons)
            more = f"<details><summary>and {len(others)} more</summary>{'<br>'.join(others)}</details>" if others else ""
            items.append(f"<li><code>{_text(result.reproduce)}</code> <a href='{_text(log)}'>log</a><br>{first}{more}</li>")
        if len(results) > SHOWN_RUNS:
            items.append(f"<li>and {len(results) - SHOWN_RUNS} more runs, listed in summary.json</li>")
        blocks.append(f"<h3>{len(results)} &times; {_text(bucket)}</h3><ul>{''.join(items)}</ul>")
    return "".join(blocks)


def _links(results: Sequence[verdict.Result]) -> str:
    totals: dict[str, Counter[str]] = {}
    for result in results:
        for name, link in result.evidence.get("links", {}).items():
            totals.setdefault(name, Counter()).update(link)
    rows: list[list[Cell]] = [
        [name, link["observed"], link["expected"], link["compared"]] for name, link in sorted(totals.items())
    ]
    bad = {index for index, row in enumerate(rows) if not row[1] == row[2] == row[3]}
    return _table(["link", "observed", "expected", "compared"], rows, bad)


def _testplan(project: Project, results: Sequence[verdict.Result]) -> str:
    try:
        points, tests = testplan.load(project), testlist.load(project)
    except UserError as error:
        return f"<p class=fail>{_text(error)}</p>"
    if not points:
        return "<p>There is no testplan in this checkout.</p>"
    runs = Counter(result.test for result in results)
    failed = Counter(result.test for result in results if not result.passed)
    rows: list[list[Cell]] = []
    for point in points:
        count, bad = sum(runs[name] for name in point.tests), sum(failed[name] for name in point.tests)
        state = "failed" if bad else ("passed" if point.tests and all(runs[name] for name in point.tests) else "not run")
        rows.append([point.block, point.name, state, count, ", ".join(point.tests), point.description])
    faults = "".join(f"<li>{_text(fault)}</li>" for fault in testplan.check(points, tests))
    table = _table(
        ["block", "testpoint", "state", "runs", "tests", "description"],
        rows,
        {index for index, row in enumerate(rows) if row[2] == "failed"},
    )
    return table + (f"<ul class=fail>{faults}</ul>" if faults else "")


def _coverage(covered: coverage.Coverage) -> str:
    if not covered:
        return "<p>No run left coverage.</p>"
    parts = []
    if covered.groups:
        rows: list[list[Cell]] = []
        for name, hit, total in covered.group_rows():
            holes = covered.holes(name)
            shown = ", ".join(holes[:SHOWN_HOLES]) + (f" and {len(holes) - SHOWN_HOLES} more" if len(holes) > SHOWN_HOLES else "")
            rows.append([name, hit, total, _percent(hit, total), shown])
        parts.append(_table(["functional group", "bins hit", "bins", "%", "never hit"], rows))
    if covered.faults:
        parts.append(f"<ul class=fail>{''.join(f'<li>{_text(fault)}</li>' for fault in covered.faults)}</ul>")
    if covered.excluded:
        left_out: list[list[Cell]] = [
            [group, name, reason] for group, names in sorted(covered.excluded.items()) for name, reason in names.items()
        ]
        parts.append("<h3>Excluded bins</h3>" + _table(["functional group", "bin", "reason"], left_out))
    if covered.points:
        code: list[list[Cell]] = [
            [file, kind, hit, total, _percent(hit, total)] for file, kind, hit, total in covered.code_rows()
        ]
        parts.append(_table(["file", "kind", "hit", "points", "%"], code))
    return "".join(parts)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], bad: set[int] | frozenset[int] = frozenset()) -> str:
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{_text(name)}</th>" for name in heads)
    body = []
    for index, row in enumerate(rows):
        cells = "".join(_cell(cell) for cell in row)
        body.append(f"<tr class=fail>{cells}</tr>" if index in bad else f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"<td>{_text(cell)}</td>"
    return f"<td class=number data-value={cell}>{cell:,}</td>"


def _text(value: object) -> str:
    return html.escape(str(value))
