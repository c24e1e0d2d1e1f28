"""The one-screen summary of a set of runs, as text and as `summary.json`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flow import verdict
from flow.coverage import Coverage
from flow.job import write_json
from flow.progress import duration
from flow.regress import Outcome

DISTINCT = "distinct.json"
SHOWN_TESTS = 24
SHOWN_FAILURES = 8
SHOWN_SLOWEST = 3


@dataclass(frozen=True)
class TestRow:
    """One test over all its runs."""

    name: str
    runs: int
    failed: int
    compared: int
    cycles: int
    seconds: float


def rows(outcome: Outcome) -> list[TestRow]:
    """One row a test, in the order of the test list."""
    made = []
    for name in dict.fromkeys(result.test for result in outcome.results):
        results = [result for result in outcome.results if result.test == name]
        made.append(
            TestRow(
                name=name,
                runs=len(results),
                failed=sum(not result.passed for result in results),
                compared=sum(result.compared for result in results),
                cycles=sum(result.cycles for result in results),
                seconds=sum(outcome.wall_s.get((name, result.seed), 0.0) for result in results),
            )
        )
    return made


def buckets(results: Sequence[verdict.Result]) -> list[tuple[str, list[verdict.Result]]]:
    """Failures grouped by signature, largest group first."""
    names = Counter(result.signature.bucket if result.signature else "unknown" for result in results)
    ordered = sorted(names, key=lambda name: (-names[name], name))
    return [(name, [r for r in results if (r.signature.bucket if r.signature else "unknown") == name]) for name in ordered]


def distinct(outcome: Outcome) -> dict[str, int]:
    """Different combinations of stimulus over all runs, by what is combined: the runs' `distinct.json` united."""
    united: dict[str, set[str]] = {}
    for result in outcome.results:
        path = outcome.folder / f"{result.test}-{result.seed}" / DISTINCT
        if path.is_file():
            for name, combinations in json.loads(path.read_text()).items():
                united.setdefault(name, set()).update(combinations)
    return {name: len(combinations) for name, combinations in sorted(united.items())}


def render(outcome: Outcome, wall_s: float, covered: Coverage) -> str:
    """What the terminal shows at the end."""
    table = rows(outcome)
    width = max((len(row.name) for row in table), default=4)
    lines = [f"{'test':<{width}}  {'runs':>5} {'failed':>6} {'compared':>14} {'cycles':>13} {'time':>11}"]
    # Tests with failures always make it onto the screen.
    shown = sorted(table, key=lambda row: row.failed == 0)[:SHOWN_TESTS]
    for row in (row for row in table if row in shown):
        numbers = f"{row.runs:>5} {row.failed or '-':>6} {row.compared:>14,} {row.cycles:>13,} {duration(row.seconds):>11}"
        lines.append(f"{row.name:<{width}}  {numbers}")
    if len(table) > len(shown):
        lines.append(f"and {len(table) - len(shown)} more tests, all passed")
    slowest = sorted(outcome.wall_s.items(), key=lambda item: -item[1])[:SHOWN_SLOWEST]
    lines.append("slowest: " + ", ".join(f"{name} seed {seed} ({duration(seconds)})" for (name, seed), seconds in slowest))
    for name, results in buckets(outcome.failures)[:SHOWN_FAILURES]:
        first = results[0]
        lines.append(f"FAILED {len(results)} x {name}: {first.reasons[0]}")
        lines.append(f"       {first.reproduce}")
    lines += [f"distinct {name}: {count:,}" for name, count in distinct(outcome).items()]
    lines += covered.lines
    lines += [f"FAILED coverage: {fault}" for fault in covered.faults]
    kinds = sum((result.compared_kinds for result in outcome.results), Counter[str]())
    failed = len(outcome.failures)
    counts = f"{len(table)} tests, {len(outcome.results)} runs, {verdict.compared_text(kinds)} compared, {failed} failed"
    lines.append(f"{outcome.name}: {counts}, {duration(wall_s)}")
    return "\n".join(lines)


def write(outcome: Outcome) -> None:
    """Leaves `summary.json` in the folder of the set: the same facts without times, for scripts."""
    tests: list[dict[str, Any]] = [
        {"name": row.name, "runs": row.runs, "failed": row.failed, "compared": row.compared, "cycles": row.cycles}
        for row in rows(outcome)
    ]
    failures = [result.as_json() for result in outcome.failures]
    write_json(
        outcome.folder / "summary.json",
        {"schema": 1, "set": outcome.name, "tests": tests, "failures": failures, "distinct": distinct(outcome)},
    )
