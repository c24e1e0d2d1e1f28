"""Every way to pass without having tested anything, reproduced with the real tools: the runner fails them all."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from flow import modules
from flow.bench import native_figures
from flow.errors import UserError
from flow.project import Project
from flow.testlist import ListedTest
from tests.flow.conftest import RunExample


def framework_says_pass(folder: Path) -> bool:
    """What somebody who looks only at the results file would believe."""
    cases = list(ElementTree.parse(folder / "results.xml").getroot().iter("testcase"))
    return all(case.find("failure") is None and case.find("error") is None for case in cases)


def test_the_example_passes(run_example: RunExample) -> None:
    result = run_example("counts", module="tests.flow.example.test_counter")
    assert result.passed, result.reasons
    assert result.compared == 23


def test_module_that_cannot_be_imported(run_example: RunExample) -> None:
    result = run_example("anything", module="tests.flow.example.broken_import")
    assert not result.passed
    assert any("no results file" in reason for reason in result.reasons)


def test_module_that_cannot_be_imported_is_a_sentence_before_anything_runs(example: Project) -> None:
    broken = ListedTest(name="broken", dut="counter", module="tests.flow.example.broken_import")
    with pytest.raises(UserError, match=r"broken_import cannot be imported: ModuleNotFoundError: No module named 'no_such"):
        modules.check(example, [broken])


def test_filter_that_matches_nothing(run_example: RunExample, tmp_path: Path) -> None:
    result = run_example("no_such_testcase")
    assert framework_says_pass(tmp_path / "no_such_testcase")
    assert "0 test cases ran where exactly 1 had to" in result.reasons


def test_assertion_with_an_error_limit(run_example: RunExample, tmp_path: Path) -> None:
    result = run_example("assertion_error", plusargs=["+verilator+error+limit+100"])
    assert framework_says_pass(tmp_path / "assertion_error")
    assert result.signature is not None
    assert (result.signature.checker, result.signature.block) == ("assertion", "counter_top")
    assert any("exit code" in reason for reason in result.reasons)


def test_stop_fails_its_own_test_and_no_other(run_example: RunExample) -> None:
    stopped = run_example("stop_called")
    innocent = run_example("counts", module="tests.flow.example.test_counter")
    assert not stopped.passed
    assert innocent.passed, innocent.reasons


@pytest.mark.parametrize("testcase", ["logged_error", "logged_critical"])
def test_error_that_was_only_logged(run_example: RunExample, tmp_path: Path, testcase: str) -> None:
    result = run_example(testcase)
    assert framework_says_pass(tmp_path / testcase)
    assert result.signature is not None
    assert result.signature.checker == "log"


def test_scoreboard_that_ends_the_test(run_example: RunExample, tmp_path: Path) -> None:
    result = run_example("scoreboard_result")
    assert framework_says_pass(tmp_path / "scoreboard_result")
    assert any("did not reach its final check" in reason for reason in result.reasons)


def test_scoreboard_that_compared_nothing(run_example: RunExample, tmp_path: Path) -> None:
    result = run_example("compared_nothing")
    assert framework_says_pass(tmp_path / "compared_nothing")
    assert result.reasons == ("nothing was compared",)


def test_isolation_checker_that_was_forgotten(run_example: RunExample, tmp_path: Path) -> None:
    result = run_example("counts", module="tests.flow.example.test_counter", required_checkers=("isolation",))
    assert framework_says_pass(tmp_path / "counts")
    assert result.reasons == ("the checker 'isolation' judged nothing, and every run of this DUT needs it",)


def test_item_that_was_expected_and_never_seen(run_example: RunExample, tmp_path: Path) -> None:
    result = run_example("lost_item")
    assert framework_says_pass(tmp_path / "lost_item")
    assert result.reasons == ("link count: observed 4, expected 5, compared 4",)


def test_throughput_counted_in_python_is_no_figure(run_example: RunExample, tmp_path: Path) -> None:
    assert run_example("python_throughput").passed
    with pytest.raises(UserError, match="counted by 'python'"):
        native_figures(tmp_path / "python_throughput")
