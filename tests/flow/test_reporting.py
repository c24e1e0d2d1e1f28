"""Summary, report, coverage merge, testplan, progress and bench table, from results made by hand."""

from __future__ import annotations

import importlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from flow import bench, coverage, report, summary, testlist, testplan, verdict
from flow.bench import Figure
from flow.errors import UserError
from flow.progress import Progress, duration
from flow.project import CHECKOUT, Project
from flow.regress import Outcome
from flow.testlist import ListedTest
from flow.verdict import Result, Signature
from tests.flow.conftest import EXAMPLE

POINT = "\x01f\x02hdl/{file}.v\x01l\x02{line}\x01page\x02v_{kind}/x"


def result(test: str, seed: int, compared: int = 10, failure: Signature | None = None) -> Result:
    links = {"up": {"observed": compared, "expected": compared, "compared": compared}}
    evidence = {"links": links, "cycles": 100, "distinct": {"offset": seed}, "log_hash": "a", "comparisons": {}}
    reasons = (failure.message, "and <more>") if failure else ()
    return Result(test, seed, f"make sim TEST={test} SEED={seed}", reasons, failure, evidence)


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    """Five runs of two tests, three failures of two kinds."""
    stale, lost = Signature("translation", "iommu", "stale entry"), Signature("transfer", "dma", "byte 3")
    results = [
        result("copy", 1),
        result("copy", 2, failure=lost),
        result("churn", 1, failure=stale),
        result("churn", 2, failure=stale),
        result("churn", 3, compared=2000),
    ]
    return Outcome("default", tmp_path / "runs" / "default", results, {(entry.test, entry.seed): 1.5 for entry in results})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(build=tmp_path, testlist_file=EXAMPLE / "testlist.toml", testplan_file=tmp_path / "testplan.hjson")


def test_summary_groups_failures_by_signature_and_counts(outcome: Outcome) -> None:
    text = summary.render(outcome, 61.0, coverage.Coverage())
    assert text.index("FAILED 2 x translation in iommu: stale entry") < text.index("FAILED 1 x transfer in dma: byte 3")
    assert "make sim TEST=churn SEED=1" in text
    assert text.splitlines()[-1] == "default: 2 tests, 5 runs, 2,040 TLPs compared, 3 failed, 1 min 01 s"


def test_what_was_compared_has_its_name() -> None:
    links = {
        name: {"observed": count, "expected": count, "compared": count} for name, count in (("translation", 1500), ("up", 3))
    }
    both = replace(result("copy", 1), evidence={"links": links})
    assert (both.compared, verdict.compared_text(both.compared_kinds)) == (1503, "3 TLPs and 1,500 translations")
    assert verdict.compared_text({}) == "0 TLPs"


def test_summary_fits_one_screen_and_never_hides_a_failing_test(outcome: Outcome) -> None:
    many = [result(f"test_{number:02}", 1) for number in range(40)]
    failing = result("z_last", 1, failure=Signature("transfer", "dma", "byte 3"))
    text = summary.render(replace(outcome, results=[*many, failing]), 5.0, coverage.Coverage())
    assert len(text.splitlines()) <= 40
    assert "z_last" in text
    assert "and 17 more tests, all passed" in text


def test_summary_file_has_no_times(outcome: Outcome) -> None:
    outcome.folder.mkdir(parents=True)
    summary.write(outcome)
    data = json.loads((outcome.folder / "summary.json").read_text())
    assert [test["compared"] for test in data["tests"]] == [20, 2020]
    assert [failure["seed"] for failure in data["failures"]] == [2, 1, 2]


def test_report_is_self_contained_and_escapes(project: Project, outcome: Outcome) -> None:
    page = report.write(project, outcome, coverage.of_runs(project, outcome)).read_text()
    assert not re.search(r"<!-- [a-z-]+ -->", page), "a part of the page was not filled in"
    assert not re.search(r"(src|href)=.?https?:", page)
    assert "and &lt;more&gt;" in page
    assert "2 &times; translation in iommu" in page
    assert "<code>make sim TEST=copy SEED=2</code>" in page
    assert len(page) < 100_000


def test_report_shows_coverage_and_testplan(project: Project, outcome: Outcome) -> None:
    folder = outcome.folder / "copy-1"
    folder.mkdir(parents=True)
    (folder / "coverage.json").write_text(json.dumps({"schema": 1, "groups": {"length": {"4": 1, "4096": 0}}}))
    project.testplan_file.write_text(
        '{\n // plan\n "testpoints": [{"name": "n", "block": "b", "description": "d", "tests": ["counter_counts"]},],\n}'
    )
    page = report.write(project, outcome, coverage.of_runs(project, outcome)).read_text()
    assert "<td>4096</td>" in page
    assert "<td>counter_counts</td>" in page
    assert "not run" in page


def test_coverage_adds_up_in_any_order(tmp_path: Path) -> None:
    for number, (bins, hits) in enumerate([({"a": 1, "b": 0}, 2), ({"a": 0, "b": 0, "c": 4}, 0)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "coverage.json").write_text(json.dumps({"schema": 1, "groups": {"g": bins}}))
        points = [f"C '{POINT.format(file='fifo', line=line, kind='line')}' {hits * line}" for line in (0, 1)]
        (folder / "coverage.dat").write_text("# SystemC::Coverage-3\n" + "\n".join(points) + "\n")
    folders = [tmp_path / "0", tmp_path / "1"]
    merged = coverage.merge(folders)
    assert merged == coverage.merge(reversed(folders))
    assert merged.group_rows() == [("g", 2, 3)]
    assert merged.holes("g") == ["b"]
    assert merged.sources["hdl/fifo.v"].counters() == {"line": (1, 2), "branch": (0, 0), "toggle": (0, 0)}


def test_spoiled_coverage_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "coverage.json").write_text('{"groups": [1]}')
    with pytest.raises(UserError, match="is not a coverage file"):
        coverage.merge([tmp_path])


def test_testplan_is_checked_in_both_directions() -> None:
    tests = {name: ListedTest(name, "dma", "m") for name in ("copy", "churn")}
    points = [testplan.Testpoint("a", "dma", "", ("copy", "chrun")), testplan.Testpoint("b", "dma", "", ())]
    assert testplan.check(points, tests) == [
        "testpoint 'a' names the test 'chrun', which is not in the test list: did you mean churn?",
        "test 'churn' serves no testpoint",
        "testpoint 'b' has no test",
    ]


def test_testplan_of_the_project_fits_its_test_list() -> None:
    project = Project()
    assert testplan.check(testplan.load(project), testlist.load(project)) == []


def test_sets_take_consecutive_seeds() -> None:
    tests = {"copy": ListedTest("copy", "dma", "m", seeds=3), "churn": ListedTest("churn", "dma", "m", seeds=1, nightly_seeds=5)}
    assert [(test.name, seed) for test, seed in testlist.choose(tests, "default", 7)] == [
        ("copy", 7),
        ("copy", 8),
        ("copy", 9),
        ("churn", 7),
    ]
    assert len(testlist.choose(tests, "nightly")) == 65
    for_each = [seed for test, seed in testlist.choose(tests, "default", 7, seeds=9) if test.name == "copy"]
    assert for_each == list(range(7, 16))
    assert len(testlist.choose(tests, "short")) == 2
    assert testlist.choose(tests, "default", testlist.LAST_SEED)[1][1] == testlist.FIRST_SEED


def test_progress_off_a_terminal_is_about_ten_lines() -> None:
    stream = io.StringIO()
    progress = Progress(500.0, 500, stream)
    for number in range(500):
        progress.finished(1.0, passed=number != 3)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("  500/500 runs, 1 failed")


def test_durations_are_readable() -> None:
    assert [duration(value) for value in (0.4, 59.4, 61, 3600)] == ["0 s", "59 s", "1 min 01 s", "60 min 00 s"]


def test_figures_know_whether_they_met_their_target(project: Project) -> None:
    figures = [
        Figure("speed", 0.6, "ratio", 0.5, "higher"),
        Figure("latency", 5, "cycles", 4, "lower", "3 L + 6"),
        Figure("rate", 9, "TLP/s", None, "higher"),
    ]
    lines = bench.render(figures).splitlines()
    assert lines[-1] == "3 figures, 1 met, 1 missed"
    assert "anchor" in lines[0]
    assert "3 L + 6" in lines[2]
    data = json.loads(bench.write(project, figures).read_text())
    assert [entry["met"] for entry in data] == [True, False, None]
    assert set(data[0]) == {"name", "value", "unit", "target", "better", "anchor", "met"}


def test_figures_of_one_name_are_refused(project: Project) -> None:
    with pytest.raises(UserError, match="Two figures have the name 'speed'"):
        bench.write(project, [Figure("speed", 1, unit, None, "higher") for unit in ("ratio", "TLP/s")])


def test_a_family_that_cannot_be_measured_does_not_take_the_others_along(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: bench.Bench) -> list[Figure]:
        raise UserError("Nothing to measure.")

    for path in sorted((CHECKOUT / "flow" / "benches").glob("[a-z]*.py")):
        family = importlib.import_module(f"flow.benches.{path.stem}")
        figure = Figure(path.stem, 1, "ratio", None, "higher")
        monkeypatch.setattr(family, "measure", refuse if path.stem == "dma_api" else lambda _, figure=figure: [figure])
    figures, failures = bench.measure(project)
    assert failures == ["dma_api: Nothing to measure."]
    assert len(figures) > 3


def test_every_figure_family_can_be_imported() -> None:
    for path in (CHECKOUT / "flow" / "benches").glob("[a-z]*.py"):
        assert callable(importlib.import_module(f"flow.benches.{path.stem}").measure)
