"""`make test`: everything the project tests, cheapest first; the last line is `N passed, N failed` and nothing else.

A stage that does not exist yet in the checkout is named; a stage that runs counts what it passed and failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from flow import conformance, lint, model_coverage, regress, report, summary, testlist, testplan, unit_tests
from flow.errors import UserError
from flow.progress import duration
from flow.project import Project

SYSTEM = "system"


@dataclass(frozen=True)
class Count:
    """What a stage passed and failed."""

    passed: int
    failed: int


def run(project: Project) -> int:
    """All stages; the exit status is 0 only if nothing failed and something passed."""
    stages: list[tuple[str, Callable[[Project], Count | None]]] = [
        ("lint", _lint),
        ("unit tests", lambda p: _pytest(p, "tests/unit", *model_coverage.TESTS)),
        ("unit tests of the DMA API, with branch coverage", lambda p: Count(*model_coverage.run(p))),
        ("flow tests", lambda p: _pytest(p, "tests/flow")),
        ("testplan", _testplan),
        ("block simulations", lambda p: _simulations(p, "blocks", system=False)),
        ("system regression", lambda p: _simulations(p, "short", system=True)),
        ("conformance", _conformance),
    ]
    passed = failed = 0
    for name, stage in stages:
        print(f"=== {name}", flush=True)
        started = time.monotonic()
        try:
            count = stage(project)
        except UserError as error:
            print(f"error: {error}\n{error.detail}".rstrip())
            count = Count(0, 1)
        if count is None:
            print("not in this checkout yet")
            continue
        print(f"--- {name}: {count.passed} passed, {count.failed} failed ({duration(time.monotonic() - started)})", flush=True)
        passed += count.passed
        failed += count.failed
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if passed and not failed else 1


def _lint(project: Project) -> Count:
    outcome = lint.run(project)
    print(outcome.line)
    return Count(outcome.passed, outcome.failed)


def _testplan(project: Project) -> Count | None:
    if not project.testplan_file.is_file():
        return None
    faults = testplan.check(testplan.load(project), testlist.load(project))
    for fault in faults:
        print(fault)
    return Count(int(not faults), len(faults))


def _pytest(project: Project, folder: str, *ignored: str) -> Count | None:
    if not any((project.root / folder).rglob("test_*.py")):
        return None
    return Count(*unit_tests.run(project, [folder, *(f"--ignore={path}" for path in ignored)]))


def _simulations(project: Project, name: str, system: bool) -> Count | None:
    if not project.testlist_file.is_file():
        return None
    started = time.monotonic()
    tests = {key: test for key, test in testlist.load(project).items() if (test.dut == SYSTEM) == system}
    runs = testlist.choose(tests, "short")
    if not runs:
        return None
    outcome = regress.run(project, name, runs, regress.Options())
    summary.write(outcome)
    report.write(project, outcome)
    print(summary.render(outcome, time.monotonic() - started))
    missing = len(runs) - len(outcome.results)
    return Count(len(outcome.results) - len(outcome.failures), len(outcome.failures) + missing)


def _conformance(project: Project) -> Count | None:
    if not conformance.available(project):
        return None
    return Count(*conformance.replay(project, None, "model"))
