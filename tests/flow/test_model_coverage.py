"""Branch coverage of the model fails on what no test reaches, and takes an exclusion only with its reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flow import model_coverage
from flow.project import CHECKOUT, Project

SOURCE = """
def sign(value: int) -> int:
    if value < 0:{comment}
        return -1
    return 1
"""


def project(root: Path, comment: str, test: str = "assert sign(3) == 1") -> Project:
    shutil.copy(CHECKOUT / "pyproject.toml", root)
    package = root / "models" / "sluicegate" / "dma"
    package.mkdir(parents=True)
    (package / "sign.py").write_text(SOURCE.format(comment=comment))
    for folder in model_coverage.TESTS:
        (root / folder).mkdir(parents=True)
    lines = ["from sluicegate.dma.sign import sign", "def test_sign() -> None:", f"    {test}"]
    (root / model_coverage.TESTS[0] / "test_sign.py").write_text("\n".join(lines) + "\n")
    return Project(root=root, build=root / "build")


@pytest.mark.parametrize(
    ("comment", "passed", "failed"),
    [
        ("", 1, 1),
        ("  # pragma: no cover", 1, 1),
        ("  # pragma: no cover ()", 1, 1),
        ("  # pragma: no cover (never negative)", 2, 0),
    ],
)
def test_an_exclusion_needs_a_reason(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], comment: str, passed: int, failed: int
) -> None:
    assert model_coverage.run(project(tmp_path, comment)) == (passed, failed)
    printed = capfd.readouterr().out
    assert "TOTAL" in printed
    assert ("sign.py" in printed) == bool(failed)


def test_a_failing_test_fails_the_run_whatever_it_covers(tmp_path: Path) -> None:
    assert model_coverage.run(project(tmp_path, "", "assert sign(3) == sign(-3)")) == (1, 1)
