"""The HTML report of a set of runs: `build/report/index.html`, and the pages of coverage beside it, self-contained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from flow import coverage, coverage_report, html_page, summary, testlist, testplan, verdict
from flow.errors import UserError
from flow.html_page import Cell, escape, table
from flow.progress import duration
from flow.project import Project
from flow.regress import Outcome

SHOWN_RUNS = 10
"""Failing runs listed of each signature."""


def write(project: Project, outcome: Outcome, covered: coverage.Coverage) -> Path:
    """Writes the report and returns its path."""
    folder = project.build / "report"
    return html_page.write(folder / "index.html", "report.html", _parts(project, folder, outcome, covered))


def _parts(project: Project, folder: Path, outcome: Outcome, covered: coverage.Coverage) -> dict[str, str]:
    rows = summary.rows(outcome)
    failed = len(outcome.failures)
    compared = sum((result.compared_kinds for result in outcome.results), Counter[str]())
    tiles = [
        ("verdict", "PASS" if not failed else "FAIL"),
        ("tests", f"{len(rows):,}"),
        ("runs", f"{len(outcome.results):,}"),
        ("failed", f"{failed:,}"),
        *((f"{kind} compared", f"{count:,}") for kind, count in sorted(compared.items())),
        ("simulated cycles", f"{sum(row.cycles for row in rows):,}"),
        ("simulation time", duration(sum(row.seconds for row in rows))),
    ]
    return {
        "title": escape(f"Sluicegate: {outcome.name}"),
        "set": escape(outcome.name),
        "verdict-class": "fail" if failed else "pass",
        "tiles": "".join(f"<div class=tile><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in tiles),
        "tests": table(
            ["test", "runs", "failed", "compared", "cycles", "seconds"],
            [[row.name, row.runs, row.failed, row.compared, row.cycles, round(row.seconds, 1)] for row in rows],
            bad={index for index, row in enumerate(rows) if row.failed},
        ),
        "failures": _failures(project, outcome),
        "links": _links(outcome.results),
        "distinct": table(["combination", "distinct over all runs"], [[*row] for row in summary.distinct(outcome).items()]),
        "testplan": _testplan(project, outcome.results),
        "functional-coverage": coverage_report.functional(folder, covered),
        "code-coverage": coverage_report.code(project, folder, covered),
    }


def _failures(project: Project, outcome: Outcome) -> str:
    if not outcome.failures:
        return "<p>None.</p>"
    blocks = []
    for bucket, results in summary.buckets(outcome.failures):
        items = []
        for result in results[:SHOWN_RUNS]:
            log = f"../{(outcome.folder / f'{result.test}-{result.seed}' / verdict.LOG).relative_to(project.build)}"
            first, *others = map(escape, result.reasons)
            more = f"<details><summary>and {len(others)} more</summary>{'<br>'.join(others)}</details>" if others else ""
            items.append(f"<li><code>{escape(result.reproduce)}</code> <a href='{escape(log)}'>log</a><br>{first}{more}</li>")
        if len(results) > SHOWN_RUNS:
            items.append(f"<li>and {len(results) - SHOWN_RUNS} more runs, listed in summary.json</li>")
        blocks.append(f"<h3>{len(results)} &times; {escape(bucket)}</h3><ul>{''.join(items)}</ul>")
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
    return table(["link", "observed", "expected", "compared"], rows, bad)


def _testplan(project: Project, results: Sequence[verdict.Result]) -> str:
    try:
        points, tests = testplan.load(project), testlist.load(project)
    except UserError as error:
        return f"<p class=fail>{escape(error)}</p>"
    if not points:
        return "<p>There is no testplan in this checkout.</p>"
    runs = Counter(result.test for result in results)
    failed = Counter(result.test for result in results if not result.passed)
    rows: list[list[Cell]] = []
    for point in points:
        count, bad = sum(runs[name] for name in point.tests), sum(failed[name] for name in point.tests)
        state = "failed" if bad else ("passed" if point.tests and all(runs[name] for name in point.tests) else "not run")
        rows.append([point.block, point.name, state, count, ", ".join(point.tests), point.description])
    faults = "".join(f"<li>{escape(fault)}</li>" for fault in testplan.check(points, tests))
    plan = table(
        ["block", "testpoint", "state", "runs", "tests", "description"],
        rows,
        {index for index, row in enumerate(rows) if row[2] == "failed"},
    )
    return plan + (f"<ul class=fail>{faults}</ul>" if faults else "")
