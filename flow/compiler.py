"""Runs the C++ compiler: a bounded number at a time, over all builds of this process, with readable failures."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from flow.errors import UserError

FIRST_ERRORS = 6
ERROR_LINE = re.compile(r"(%Error|: error:|: fatal error:|undefined reference|ld returned|ld: )")


@dataclass(frozen=True)
class Step:
    """One command of a build; `what` completes the sentence '... failed'."""

    what: str
    command: Sequence[str]
    cwd: Path


class CompilerPool:
    """Bounds how many compilers run at once, however many builds are under way."""

    def __init__(self, jobs: int | None = None) -> None:
        self.jobs = jobs or os.cpu_count() or 1
        self.costs: list[tuple[str, float]] = []
        """What each step was and its CPU seconds."""
        self._slots = threading.BoundedSemaphore(self.jobs)

    def run(self, step: Step, environment: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        """Runs one step; a failure is a `UserError` that shows the first errors."""
        with self._slots:
            process = subprocess.Popen(
                step.command,
                cwd=step.cwd,
                env=dict(environment) if environment is not None else None,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            assert process.stdout is not None
            output = process.stdout.read()
            # wait4 and not Popen.wait: it tells what this child alone has cost.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stdout.close()
        self.costs.append((step.what, usage.ru_utime + usage.ru_stime))
        if log is not None:
            log.write_text(output)
        if process.returncode != 0:
            raise UserError(f"{step.what} failed.", first_errors(output))

    def run_all(self, steps: Sequence[Step], environment: Mapping[str, str] | None = None) -> None:
        """Runs steps that do not depend on each other; raises the first failure after all have ended."""
        if not steps:
            return
        with ThreadPoolExecutor(max_workers=min(self.jobs, len(steps))) as executor:
            futures = [executor.submit(self.run, step, environment) for step in steps]
        for future in futures:
            future.result()


def first_errors(output: str, count: int = FIRST_ERRORS) -> str:
    """The first error lines of a compiler's output, or its last lines where none is marked as an error."""
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if ERROR_LINE.search(line)]
    chosen = errors[:count] if errors else lines[-count:]
    return "\n".join(chosen)
