"""The coverage reader on a module whose counts are known, through a real build and run; and its parts on text."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow import catalogue, code_coverage, coverage, coverage_report, job
from flow.build import Builder, Variant
from flow.coverage import Coverage
from flow.coverage_exclusions import Exclusions, PointExclusion
from flow.project import Project
from flow.regress import Outcome
from flow.simulations import Simulations
from flow.testlist import ListedTest
from flow.verdict import Result

FILE = "tests/flow/example/hdl/covered.v"


@pytest.fixture(scope="module")
def outcome(example: Project) -> Outcome:
    """One run of the module under coverage."""
    build = Builder(example).build(catalogue.load(example)["covered"], Variant(coverage=True))
    test = ListedTest(name="covered", dut="covered", module="tests.flow.example.covered")
    entry = job.make_job(example, test, 1, build, example.runs / "coverage" / "covered-1")
    entry.write(example)
    result: Result = job.execute(example, entry, Simulations())
    assert result.passed, result.reasons
    return Outcome("coverage", example.runs / "coverage", [result], {})


@pytest.fixture(scope="module")
def covered(example: Project, outcome: Outcome) -> Coverage:
    return coverage.of_runs(example, outcome)


def line_of(text: str) -> int:
    lines = (Project().root / FILE).read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if text in line)
    return number


def test_only_the_design_is_counted(covered: Coverage) -> None:
    assert set(covered.sources) == {FILE}


def test_branches_have_the_counts_that_follow_from_the_source(covered: Coverage) -> None:
    """Two instances, each five cycles below 5, one at 7, none at 200 and 201."""
    ways = covered.sources[FILE].branches

    def hits(text: str, kind: str) -> list[int]:
        return [hits for (line, _, what), hits in sorted(ways.items()) if line == line_of(text) and what == kind]

    assert hits("cycle_i < 8'd5", "if") + hits("cycle_i < 8'd5", "elsif") == [10]
    assert hits("cycle_i == 8'd200", "if") + hits("cycle_i == 8'd200", "elsif") == [0]
    assert hits("cycle_i == 8'd7", "cond_then") == [2, 0]
    seven, other = hits("cycle_i == 8'd7", "cond_else")
    assert seven == other > 2 * 90
    assert covered.sources[FILE].counters()["branch"] == (len(ways) - 2, len(ways))


def test_lines_are_hit_where_they_ran(covered: Coverage) -> None:
    lines = covered.sources[FILE].lines
    assert lines[line_of("taken_o + 4'd1")] == 10
    assert lines[line_of("4'd15")] == 0
    assert lines[line_of("wide_o <=")] > 2 * 90
    assert [number for number, hits in lines.items() if not hits] == [line_of("4'd15")]


def test_toggles_are_those_of_the_count_to_a_hundred(covered: Coverage) -> None:
    """Up to 100 = 0b110_0100 bit 7 never rises and bit 6 never falls; up to 5 = 0b101 the same holds for bits 3 and 2."""
    said = code_coverage.untoggled(covered.sources[FILE])
    assert said[line_of("cycle_i,")] == ["cycle_i[7]", "cycle_i[6] 1->0"]
    assert said[line_of("taken_o,")] == ["taken_o[3]", "taken_o[2] 1->0"]
    toggles = covered.sources[FILE].toggles
    assert toggles[line_of("cycle_i,"), "cycle_i", 0, "0->1"] == 2 * 50
    assert not any(signal == "wide_o" for _, signal, _, _ in toggles)
    assert covered.wide[FILE] == [[line_of("[79:0] wide_o"), "wide_o", 80]]


def test_annotated_source_names_every_hole(example: Project, covered: Coverage, tmp_path: Path) -> None:
    section = coverage_report.code(example, tmp_path, covered)
    (page,) = (tmp_path / coverage_report.SOURCES).iterdir()
    assert f"{coverage_report.SOURCES}/{page.name}" in section
    text = page.read_text()
    for said in ("never true", "? never chosen", "no toggle: cycle_i[7]", "wide_o: 80 bits, toggles not counted"):
        assert f">{said}</span>" in text, said
    assert "src=" not in text
    assert "http" not in text


def test_an_excluded_point_leaves_the_count_and_keeps_its_reason(example: Project, outcome: Outcome) -> None:
    never = PointExclusion(FILE, "line", "taken_o <= 4'd15;", "cycle stands still at 100")
    top_bit = PointExclusion(FILE, "toggle", "cycle_i[7] *", "cycle stands still at 100")
    merged = coverage.merge([outcome.folder / "covered-1"], Exclusions(points=(never, top_bit)), example.root)
    assert line_of("4'd15") not in merged.sources[FILE].lines
    assert (line_of("4'd15"), never.reason) in merged.excluded_lines[FILE]
    # So small a file has no room for exclusions at all.
    assert [fault.split(",")[0] for fault in merged.faults] == [
        "1 of 7 points of kind line are excluded",
        "2 of 26 points of kind toggle are excluded",
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (PointExclusion(FILE, "line", "nothing like it", "r"), "matches nothing"),
        (PointExclusion(FILE, "line", "taken_o <= taken_o + 4'd1;", "r"), "was hit: remove its exclusion"),
        (PointExclusion(FILE, "toggle", "cycle_i[*", "r"), "was hit"),
    ],
)
def test_exclusions_of_points_that_rot_are_faults(example: Project, outcome: Outcome, entry: PointExclusion, said: str) -> None:
    merged = coverage.merge([outcome.folder / "covered-1"], Exclusions(points=(entry,)), example.root)
    assert any(said in fault for fault in merged.faults)


def test_bits_are_named_as_ranges() -> None:
    assert code_coverage.ranges([1, 4, 5, 6, 7]) == "7:4, 1"
    assert code_coverage.ranges([]) == ""


def test_spans_and_points_of_several_instances() -> None:
    point = "\x01f\x02hdl/a.v\x01l\x025\x01n\x023\x01t\x02line\x01page\x02v_line/{}\x01o\x02block\x01S\x025-6,9\x01h\x02top"
    (source,) = code_coverage.by_source([(point.format("a__W1"), 2), (point.format("a__W2"), 3)]).values()
    assert dict(source.lines) == {5: 5, 6: 5, 9: 5}
