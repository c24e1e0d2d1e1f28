"""`make test`: everything the project tests, cheapest first; the last line is `N passed, N failed` and nothing else.

A stage counts what it passed and failed; one that found nothing to count, or could not run, is a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from flow import conformance, coverage, formal, lint, model_coverage, regress, report, summary, testlist, testplan, unit_tests
from flow.errors import UserError
from flow.progress import duration
from flow.project import Project

SYSTEM = "system"


@dataclass(frozen=True)
class Count:
    """What a stage passed and failed."""

    passed: int
    failed: int


Stage = Callable[[Project], Count]


def run(project: Project, stages: Sequence[tuple[str, Stage]] | None = None) -> int:
    """All ``stages`` (the project's own unless given); the exit status is 0 only if nothing failed and something passed."""
    passed = failed = 0
    for name, stage in STAGES if stages is None else stages:
        print(f"=== {name}", flush=True)
        started = time.monotonic()
        try:
            count = stage(project)
        except UserError as error:
            print(f"error: {error}\n{error.detail}".rstrip())
            count = Count(0, 1)
        if count == Count(0, 0):
            print("error: This stage found nothing to test: what it runs is missing from the checkout.")
            count = Count(0, 1)
        print(f"--- {name}: {count.passed} passed, {count.failed} failed ({duration(time.monotonic() - started)})", flush=True)
        passed += count.passed
        failed += count.failed
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if passed and not failed else 1


def _lint(project: Project) -> Count:
    outcome = lint.run(project)
    print(outcome.line)
    return Count(outcome.passed, outcome.failed)


def _testplan(project: Project) -> Count:
    faults = testplan.check(testplan.load(project), testlist.load(project))
    for fault in faults:
        print(fault)
    return Count(int(not faults), len(faults))


def _pytest(project: Project, folder: str, *ignored: str) -> Count:
    return Count(*unit_tests.run(project, [folder, *(f"--ignore={path}" for path in ignored)]))


def _simulations(project: Project, name: str, system: bool) -> Count:
    started = time.monotonic()
    tests = {key: test for key, test in testlist.load(project).items() if (test.dut == SYSTEM) == system}
    runs = testlist.choose(tests, "short")
    if not runs:
        return Count(0, 0)
    outcome = regress.run(project, name, runs, regress.Options())
    summary.write(outcome)
    covered = coverage.of_runs(project, outcome)
    report.write(project, outcome, covered)
    print(summary.render(outcome, time.monotonic() - started, covered))
    missing = len(runs) - len(outcome.results)
    return Count(len(outcome.results) - len(outcome.failures), len(outcome.failures) + missing + len(covered.faults))


def _conformance(project: Project) -> Count:
    return Count(*conformance.replay(project, None, "model"))


STAGES: Final[tuple[tuple[str, Stage], ...]] = (
    ("lint", _lint),
    ("unit tests", lambda p: _pytest(p, "tests/unit", *model_coverage.TESTS)),
    ("unit tests of the DMA API, with branch coverage", lambda p: Count(*model_coverage.run(p))),
    ("flow tests", lambda p: _pytest(p, "tests/flow")),
    ("testplan", _testplan),
    ("block simulations", lambda p: _simulations(p, "blocks", system=False)),
    ("system regression", lambda p: _simulations(p, "short", system=True)),
    ("conformance", _conformance),
    ("proofs", lambda p: Count(*formal.run(p))),
)
