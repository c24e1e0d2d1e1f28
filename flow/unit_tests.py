"""Runs pytest and counts what passed and failed, for the stages of `make test` that are made of unit tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence

from flow.project import Project

PYTEST = ("-m", "pytest")
SUMMARY = re.compile(r"\d+ (passed|failed|errors?)\b.* in [\d.]+s")
"""pytest's last line; what runs pytest may warn behind it."""


def run(project: Project, arguments: Sequence[str], runner: Sequence[str] = PYTEST) -> tuple[int, int]:
    """(passed, failed) tests of a pytest run with ``arguments``; prints its lines. ``runner``: the interpreter's arguments."""
    environment = {**os.environ, "PYTHONPATH": f"{project.root / 'models'}{os.pathsep}{project.root}"}
    command = [sys.executable, *runner, "--color=no", "--durations=5", *arguments]
    last = ""
    with subprocess.Popen(
        command, cwd=project.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line if SUMMARY.search(line) else last
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)", last)}
    failed = counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0)
    # A pytest that ended badly without counting a failure (a collection error, a crash) failed as a whole.
    return counts.get("passed", 0), failed or int(process.returncode != 0)
