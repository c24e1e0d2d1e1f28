"""Planted faults: caught, survived, caught by the wrong checker, foreign patches, patches that do not apply."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flow import faults, testlist
from flow.build import Build
from flow.errors import UserError
from flow.project import CHECKOUT, Project
from tests.flow.conftest import EXAMPLE

PATCH = (EXAMPLE / "wrong_step.patch").read_text()
HARMLESS = PATCH.replace("+    else count_o <= count_o + 2'd2;", "+    else count_o <= 1'b1 + count_o;")


@pytest.fixture
def project(example: Project, tmp_path: Path) -> Project:
    """The example with its counter below an hdl/ folder, as `make faults` patches only that."""
    (tmp_path / "hdl").mkdir()
    (tmp_path / "hdl" / "counter.v").write_text((EXAMPLE / "counter.v").read_text())
    duts = (EXAMPLE / "duts.toml").read_text().replace("tests/flow/example/counter.v", "hdl/counter.v")
    (tmp_path / "duts.toml").write_text(duts)
    return Project(
        rtl_root=tmp_path,
        duts_file=tmp_path / "duts.toml",
        testlist_file=EXAMPLE / "testlist.toml",
        testplan_file=EXAMPLE / "testplan.hjson",
        build=example.build,
    )


def planted(project: Project, tmp_path: Path, text: str) -> faults.Outcome:
    folder = tmp_path / "patches"
    folder.mkdir()
    (folder / "wrong_step.patch").write_text(text)
    (outcome,) = faults.run(project, folder)
    return outcome


def test_fault_is_caught_by_the_right_checker(project: Project, counter: Build, tmp_path: Path) -> None:
    outcome = planted(project, tmp_path, PATCH)
    assert outcome.right
    assert outcome.line == "caught by test in counter"
    assert (project.rtl_root / "hdl" / "counter.v").read_text() == (EXAMPLE / "counter.v").read_text()


def test_wrong_checker_is_not_right(project: Project, counter: Build, tmp_path: Path) -> None:
    outcome = planted(project, tmp_path, PATCH.replace("expect-checker: test", "expect-checker: transfer"))
    assert not outcome.right
    assert outcome.line == "caught by test in counter (expected transfer in counter)"


def test_foreign_patch_runs_every_test_of_the_duts_it_touches(project: Project, counter: Build, tmp_path: Path) -> None:
    outcome = planted(project, tmp_path, re.sub(r"^#.*\n", "", PATCH, flags=re.MULTILINE))
    assert outcome.right
    assert outcome.fault.tests == ()


def test_harmless_change_survives(project: Project, counter: Build, tmp_path: Path) -> None:
    outcome = planted(project, tmp_path, HARMLESS)
    assert (outcome.line, outcome.right) == ("survived", False)


def test_patch_that_does_not_apply_is_a_sentence(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"wrong_step.patch does not apply to hdl/"):
        planted(project, tmp_path, PATCH.replace("-    else count_o", "-    else counted"))


def test_patch_of_something_else_is_a_sentence(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="changes no file below hdl/"):
        planted(project, tmp_path, PATCH.replace("hdl/", "tb/"))


@pytest.mark.parametrize("folder", [faults.FOLDER, f"{faults.FOLDER}/formal"])
def test_every_patch_of_the_project_applies(folder: str, tmp_path: Path) -> None:
    patches = sorted((CHECKOUT / folder).glob("*.patch"))
    assert patches
    for path in patches:
        faults.plant(Project(build=tmp_path), faults.read(path))


def test_every_patch_of_the_project_names_tests_that_exist() -> None:
    project = Project()
    tests = testlist.load(project)
    known = faults.load(CHECKOUT / faults.FOLDER)
    assert known
    for fault in known:
        assert fault.tests
        assert fault.checker
        assert fault.block
        assert set(fault.tests) <= set(tests), fault.name
