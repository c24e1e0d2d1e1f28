"""`make model-coverage`: branch coverage of the golden model's DMA API, IOVA, P2PDMA and PCI packages by their unit tests.

What is measured and what may be left out is in `pyproject.toml` (`[tool.coverage]`): a line leaves the count only by a comment
`# pragma: no cover (reason)` or `# pragma: no branch (reason)`. Anything else that no test reaches fails the run.
"""

from __future__ import annotations

import subprocess
import sys

from flow import unit_tests
from flow.errors import UserError
from flow.project import Project

TESTS = tuple(f"tests/unit/{package}" for package in ("conformance", "dma", "iova", "p2pdma", "pci"))
"""Folders whose tests exercise the measured packages."""


def run(project: Project) -> tuple[int, int]:
    """(passed, failed) tests, full coverage counting as one more; prints the tests' lines and the table of uncovered branches."""
    folder = project.build / "model-coverage"
    folder.mkdir(parents=True, exist_ok=True)
    data = f"--data-file={folder / 'data'}"
    runner = ("-m", "coverage", "run", data, *unit_tests.PYTEST)
    passed, failed = unit_tests.run(project, TESTS, runner)
    command = [sys.executable, "-m", "coverage", "report", data]
    report = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    if "TOTAL" not in report.stdout:
        raise UserError("There is no table of the model's coverage.", (report.stdout + report.stderr).strip()[-500:])
    print(report.stdout.rstrip(), flush=True)
    if report.returncode:
        print("cover each branch of the table with a test, or exclude it by '# pragma: no cover (reason)'", flush=True)
    return passed + int(not report.returncode), failed + int(bool(report.returncode))
