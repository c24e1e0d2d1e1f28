"""What a lint check is and what it may answer."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
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


def clean_stamp(project: Project, name: str, files: Iterable[Path], versions: Iterable[str]) -> Path:
    """The file whose existence says that check `name` was clean on this content with these tools and flags.

    For checks that take most of a minute: what was clean once stays clean. Findings are never remembered.
    """
    digest = hashlib.sha256("\0".join(versions).encode())
    for path in files:
        digest.update(f"\0{project.relative(path)}\0".encode() + path.read_bytes())
    return project.build / "lint" / f"{name}-{digest.hexdigest()[:20]}"


def remember_clean(stamp: Path) -> None:
    """Leaves the stamp of a clean check."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()


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
