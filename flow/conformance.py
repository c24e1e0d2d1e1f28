"""`make conformance`: replays recorded truth on the golden model or on the IOMMU RTL.

On the model, `python -m sluicegate.conformance [folder]` does the work; on the RTL, the cocotb test `conformance_iommu`, which
gets the folder as its parameter `vectors`. Both print one line a file and `N passed, N failed` last.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from flow import regress, testlist, verdict
from flow.errors import UserError
from flow.project import Project

PACKAGE = "models/sluicegate/conformance"
RTL_TEST = "conformance_iommu"
DUTS = ("model", "iommu_rtl")
LAST_LINE = re.compile(r"(\d+) passed, (\d+) failed")
RTL_LINES = "conformance.txt"
"""What the test leaves in its run folder: the lines to print."""


def available(project: Project) -> bool:
    """Whether the replay package is in the checkout."""
    return (project.root / PACKAGE).is_dir()


def replay(project: Project, vectors: Path | None, dut: str) -> tuple[int, int]:
    """(passed, failed) cases; prints the replay's lines."""
    if vectors is not None and not vectors.is_dir():
        raise UserError(f"The folder of vectors {vectors} does not exist.")
    if not available(project):
        raise UserError(f"There is nothing to replay with: {PACKAGE} is not in this checkout.")
    lines, status = _on_model(project, vectors) if dut == "model" else _on_rtl(project, vectors)
    match = LAST_LINE.fullmatch(lines[-1]) if lines else None
    if match is None:
        raise UserError("The conformance replay ended without its last line 'N passed, N failed'.", "\n".join(lines[-6:]))
    passed, failed = int(match[1]), int(match[2])
    # A replay that fails for another reason than a case (an unknown file, an empty set) failed too.
    return passed, failed if failed or not status else 1


def _on_model(project: Project, vectors: Path | None) -> tuple[list[str], int]:
    environment = {**os.environ, "PYTHONPATH": f"{project.root / 'models'}{os.pathsep}{project.root}"}
    command = [sys.executable, "-m", "sluicegate.conformance", *([str(vectors.absolute())] if vectors else [])]
    with subprocess.Popen(command, cwd=project.root, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    return lines, process.returncode


def _on_rtl(project: Project, vectors: Path | None) -> tuple[list[str], int]:
    test = testlist.find(testlist.load(project), RTL_TEST)
    if vectors is not None:
        test = replace(test, parameters={**test.parameters, "vectors": str(vectors.absolute())})
    outcome = regress.run(project, "conformance", [(test, testlist.FIRST_SEED)], regress.Options())
    path = outcome.folder / f"{test.name}-{testlist.FIRST_SEED}" / RTL_LINES
    lines = path.read_text().splitlines() if path.is_file() else []
    print("\n".join(lines))
    result: verdict.Result = outcome.results[0]
    return lines, int(not result.passed)
