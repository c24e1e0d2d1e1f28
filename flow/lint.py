"""`make lint`: every static check, each in one line; a tool that is not installed is named, never passed over in silence."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from flow import documentation, lint_native, lint_python, lint_verilog
from flow.errors import UserError
from flow.lint_check import Check, Finding, Skipped
from flow.project import Project

SHOWN_LINES = 12


@dataclass(frozen=True)
class Report:
    """What all checks said."""

    passed: int
    failed: int
    skipped: int

    @property
    def line(self) -> str:
        left_out = f", {self.skipped} left out" if self.skipped else ""
        return f"lint: {self.passed} checks passed, {self.failed} failed{left_out}"


def run(project: Project, only: Sequence[str] = ()) -> Report:
    """Runs all checks, or those whose name contains one of `only`, and prints a line for each.

    A word of `only` that no name contains is a `UserError`.
    """
    modules = (lint_verilog, lint_native, lint_python, documentation)
    checks = [check for module in modules for check in module.checks(project)]
    for word in only:
        if not any(word in check.name for check in checks):
            raise UserError(f"There is no check '{word}': known: {', '.join(sorted(check.name for check in checks))}.")
    chosen = [check for check in checks if not only or any(word in check.name for word in only)]
    passed = failed = skipped = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as executor:
        for check, (outcome, seconds) in zip(chosen, executor.map(_timed(project), chosen), strict=True):
            if isinstance(outcome, Skipped):
                skipped += 1
                print(f"  left out  {check.name}: {outcome.reason}", flush=True)
            elif outcome.faults:
                failed += 1
                print(f"  FAILED    {check.name}: {len(outcome.faults)} findings", flush=True)
                for line in outcome.faults[:SHOWN_LINES]:
                    print(f"      {line}")
                if len(outcome.faults) > SHOWN_LINES:
                    print(f"      and {len(outcome.faults) - SHOWN_LINES} more lines")
            else:
                passed += 1
                print(f"  ok        {check.name}: {outcome.covered} ({seconds:.1f} s)", flush=True)
    return Report(passed, failed, skipped)


def _timed(project: Project) -> Callable[[Check], tuple[Finding | Skipped, float]]:
    def timed(check: Check) -> tuple[Finding | Skipped, float]:
        started = time.monotonic()
        return check.function(project), time.monotonic() - started

    return timed
