"""Checks before any simulation starts that the test modules can be imported: a broken one ends in a sentence, not in a run."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence

from flow.errors import UserError
from flow.project import Project
from flow.testlist import ListedTest


def check(project: Project, tests: Sequence[ListedTest]) -> None:
    """Imports each module in one process of its own; the first that fails is a `UserError`."""
    by_module = {test.module: test for test in tests}
    environment = {**os.environ, "PYTHONPATH": f"{project.root / 'models'}{os.pathsep}{project.root}"}
    done = subprocess.run(
        [sys.executable, "-m", "flow.modules", *by_module],
        cwd=project.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        broken = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise UserError("Importing the test modules ended the interpreter.", done.stderr.strip()[-500:]) from None
    for module, (reason, place) in broken.items():
        raise UserError(f"Test '{by_module[module].name}': its module {module} cannot be imported: {reason}.", place)


def _import_all(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    broken: dict[str, tuple[str, str]] = {}
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            # The last frame that is not the import machinery is where the user has to look.
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
            last = frames[-1] if len(frames) > 1 else None
            if isinstance(error, SyntaxError):
                place = f"{error.filename}:{error.lineno}: {(error.text or '').strip()}"
            else:
                place = f"{last.filename}:{last.lineno}: {last.line}" if last else ""
            broken[name] = (f"{type(error).__name__}: {error}", place)
    return broken


if __name__ == "__main__":
    print(json.dumps(_import_all(sys.argv[1:])))
