"""The pass rule, one condition at a time, on run folders written by hand (a fake simulator)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flow import catalogue, verdict
from flow.project import Project
from flow.verdict import Result

PASSING_XML = '<testsuites><testsuite><testcase name="copy" classname="m"/></testsuite></testsuites>'
FAILING_XML = (
    '<testsuites><testsuite><testcase name="copy"><failure error_type="AssertionError" error_msg="byte 7 of /a/b/buffer.py"/>'
    "</testcase></testsuite></testsuites>"
)
ISOLATION_CHECKERS = {"grants", "isolation"}
EVIDENCE: dict[str, Any] = {
    "schema": 1,
    "test": "copy",
    "seed": 5,
    "status": "pass",
    "cycles": 100,
    "log_hash": "abc",
    "links": {"up": {"observed": 3, "expected": 3, "compared": 3}, "down": {"observed": 0, "expected": 0, "compared": 0}},
    "comparisons": {},
    "distinct": {},
    "signature": None,
}


def judged(
    folder: Path,
    evidence: Mapping[str, Any] | str | None = EVIDENCE,
    xml: str | None = PASSING_XML,
    log: str = "0.00ns INFO cocotb all well\n",
    exit_code: int = 0,
    timed_out: bool = False,
    required: tuple[str, ...] = (),
) -> Result:
    """The verdict on a run folder with these files."""
    if evidence is not None:
        text = evidence if isinstance(evidence, str) else json.dumps(evidence)
        (folder / verdict.TEST_RESULT).write_text(text)
    if xml is not None:
        (folder / verdict.RESULTS_XML).write_text(xml)
    (folder / verdict.LOG).write_text(log)
    return verdict.judge(folder, "copy", 5, "dma", 1, exit_code, timed_out, "make sim TEST=copy SEED=5", required)


def test_everything_in_order_passes(tmp_path: Path) -> None:
    result = judged(tmp_path)
    assert result.passed
    assert (result.compared, result.cycles, result.signature) == (3, 100, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exit_code": 1}, "the simulator ended with exit code 1"),
        ({"exit_code": -11}, "the simulator ended with signal 11"),
        ({"exit_code": -15, "timed_out": True}, "the watchdog stopped the run: it took too long"),
        ({"xml": None}, "no results file"),
        ({"xml": "<testsuites><testsuite>"}, "the results file is not complete"),
        ({"xml": "<testsuites/>"}, "0 test cases ran where exactly 1 had to"),
        ({"xml": PASSING_XML.replace("<testcase", "<testcase name='other'/><testcase")}, "2 test cases ran"),
        ({"xml": PASSING_XML.replace("/></tests", "><skipped/></testcase></tests")}, "test case copy skipped"),
        ({"xml": FAILING_XML}, "test case copy failed: AssertionError byte 7 of buffer.py"),
        ({"log": "%Error: hdl/dma/dma_tags.v:9: Assertion failed in TOP.dut: tag lost\n"}, "simulator error: Assertion"),
        ({"log": "12.00ns ERROR    checker.tags   tag 3 twice\n"}, "ERROR in the log: checker.tags tag 3 twice"),
        ({"log": "12.00ns CRITICAL ring    gone\n"}, "CRITICAL in the log: ring gone"),
        ({"evidence": None}, "no test_result.json"),
        ({"evidence": "{"}, "test_result.json is not valid JSON"),
        ({"evidence": {**EVIDENCE, "schema": 2}}, "test_result.json is not of schema 1"),
        ({"evidence": {**EVIDENCE, "seed": 6}}, "test_result.json is of test copy seed 6, not of this run"),
        ({"evidence": {**EVIDENCE, "links": {}}}, "nothing was compared"),
        ({"evidence": {**EVIDENCE, "links": {"up": {"observed": 1}}}}, "does not give observed, expected and compared"),
        (
            {"evidence": {**EVIDENCE, "links": {"up": {"observed": 3, "expected": 3, "compared": 2}}}},
            "link up: observed 3, expected 3, compared 2",
        ),
        ({"evidence": {**EVIDENCE, "status": "fail"}}, "the testbench reports a failure"),
    ],
)
def test_one_thing_wrong_fails(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    result = judged(tmp_path, **changes)
    assert not result.passed
    assert any(reason in given for given in result.reasons), result.reasons
    assert result.signature is not None


@pytest.mark.parametrize("counts", [{}, {"isolation": 0}, {"isolation.fences": 4, "translation": 9}])
def test_a_required_checker_that_judged_nothing_fails_the_run(tmp_path: Path, counts: dict[str, int]) -> None:
    result = judged(tmp_path, evidence={**EVIDENCE, "comparisons": counts}, required=("isolation",))
    assert result.reasons == ("the checker 'isolation' judged nothing, and every run of this DUT needs it",)
    assert result.signature is not None
    assert result.signature.bucket == "isolation in testbench"


def test_a_required_checker_that_judged_something_passes(tmp_path: Path) -> None:
    assert judged(tmp_path, evidence={**EVIDENCE, "comparisons": {"isolation": 1}}, required=("isolation",)).passed


def test_every_device_with_an_iommu_requires_an_isolation_checker() -> None:
    project = Project()
    required = {
        name: set(dut.required_checkers) & ISOLATION_CHECKERS
        for name, dut in catalogue.load(project).items()
        if any(path.name == "riscv_iommu.v" for path in dut.rtl_files(project))
    }
    assert {"iommu", "root_complex", "system", "system_wide"} <= required.keys()
    assert all(required.values()), required


def test_kernel_error_names_in_the_log_are_no_errors(tmp_path: Path) -> None:
    assert judged(tmp_path, log="1.00ns INFO driver map returned DMA_MAPPING_ERROR as expected\n").passed


def test_assertion_names_the_block_it_stands_in(tmp_path: Path) -> None:
    log = "[12] %Error: dma_tags.v:9: Assertion failed in TOP.dut.u_tags: tag lost\n"
    result = judged(tmp_path, log=log, exit_code=1)
    assert result.signature is not None
    assert result.signature.bucket == "assertion in dma_tags"


def test_signature_of_the_testbench_comes_first(tmp_path: Path) -> None:
    given = {"checker": "transfer", "block": "dma", "message": "byte 7 differs at 0x80001007"}
    result = judged(tmp_path, evidence={**EVIDENCE, "status": "fail", "signature": given}, xml=FAILING_XML, exit_code=1)
    assert result.signature is not None
    assert result.signature.bucket == "transfer in dma"
    assert result.signature.message == "byte 7 differs at 0x80001007"


def test_result_file_holds_no_place_and_no_object_address(tmp_path: Path) -> None:
    xml = FAILING_XML.replace("byte 7 of /a/b/buffer.py", "&lt;Tag at 0x7f12ab34cd56&gt; in /a/b/tags.py")
    text = json.dumps(judged(tmp_path, xml=xml).as_json())
    assert "0x7f12ab34cd56" not in text
    assert "/a/b" not in text


def test_result_survives_its_file(tmp_path: Path) -> None:
    result = judged(tmp_path, xml=FAILING_XML)
    assert verdict.from_json(json.loads(json.dumps(result.as_json()))) == result
