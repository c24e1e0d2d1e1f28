"""What a lint check is and what it may answer."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flow.project import Project


@dataclass(frozen=True)
class Finding:
    """A check that ran: what it covered and every fault it found, one line each."""

    covered: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """A check that did not run, and why."""

    reason: str


@dataclass(frozen=True)
class Check:
    """One check of `make lint`."""

    name: str
    function: Callable[[Project], Finding | Skipped]


def output_of(command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None) -> tuple[int, list[str]]:
    """Exit status and non-empty output lines of a tool."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(environment) if environment is not None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, [line for line in done.stdout.splitlines() if line.strip()]
