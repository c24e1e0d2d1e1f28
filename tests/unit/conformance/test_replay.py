"""The replay cannot pass silently: bad sets end in a sentence and a non-zero status, differences are counted."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sluicegate.conformance import __main__ as command
from sluicegate.conformance import registry
from sluicegate.conformance.registry import replay_directory, replayer_of, undeclared_features
from sluicegate.conformance.result import Case, ConformanceError, FileResult, Mismatch, UnsupportedFeature, replay_cases

DATA = Path(__file__).parents[2] / "conformance" / "data" / "dma_api"
IOVA_CASE = {
    "id": 7,
    "granule": 4096,
    "start_pfn": 1,
    "ops": [["alloc", 1, 1048575, True, 1048575], ["reserve", 5, 6, [5, 6]], ["free", 1048575, None, None, None]],
    "final": {"cached_node_lo": (1 << 64) - 1, "cached32_node_lo": (1 << 64) - 1, "max32_alloc_size": 1048576},
}


def write(path: Path, *cases: object) -> Path:
    path.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["iova", "iova_fast_rcache", "map_sg", "dma_iova", "dmapool", "p2p_distance"])
def test_recorded_kernel_answers(name: str) -> None:
    (result,) = replay_directory(DATA / f"{name}.jsonl.gz")
    assert result.mismatches == ()
    assert result.passed == result.total >= 200
    assert result.failed == 0


def test_every_format_notices_a_changed_answer(tmp_path: Path) -> None:
    """The first answer of each file that can differ is changed: exactly that case must fail."""
    changes: dict[str, Callable[[Case], None]] = {
        "iova": lambda case: case["final"].__setitem__("max32_alloc_size", 1),
        "iova_fast_rcache": lambda case: case["ops"][0].__setitem__(4, 1),
        "map_sg": lambda case: case["ops"][0]["out"][0].__setitem__(0, 1),
        "dma_iova": lambda case: case["ops"][1][9].append(["U", 0, 0, 0]),
        "dmapool": lambda case: case.__setitem__("created", [1, 1, 1]),
        "p2p_distance": lambda case: case["pairs"][0].__setitem__(3, 99),
    }
    for name, change in changes.items():
        with gzip.open(DATA / f"{name}.jsonl.gz", "rt") as lines:
            cases = [json.loads(next(lines)) for _ in range(3)]
        change(cases[0])
        (result,) = replay_directory(write(tmp_path / f"{name}.jsonl", *cases))
        assert (result.passed, result.failed) == (2, 1), name
        assert result.mismatches[0].startswith(f"case {cases[0]['id']}, op "), name


def test_one_case_passes_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "iova.jsonl", IOVA_CASE)
    assert command.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == ["iova 1/1, unsupported 0", "1 passed, 0 failed"]


def test_a_mismatch_names_case_operation_expected_and_got(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = IOVA_CASE | {"ops": [["alloc", 1, 1048575, True, 5]]}
    write(tmp_path / "iova.jsonl", wrong, IOVA_CASE | {"ops": [["what"]]})
    assert command.main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].strip() == "case 7, op 0: expected 5, got 1048575"
    assert "ValueError: unknown operation" in lines[2]
    assert lines[-1] == "0 passed, 2 failed"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("iova.jsonl", "{not json\n", "line 1 is not JSON"),
        ("iova.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("iova.jsonl", '{"id": 1}\n', "line 1 lacks granule"),
        ("iova.jsonl", "", "holds no case"),
        ("unknown.jsonl", "{}\n", "of no known format"),
        ("iova.jsonl.gz", "not gzip", "cannot be read"),
        ("readme.txt", "text", r"holds no \*\.jsonl"),
    ],
)
def test_an_unusable_set_is_one_sentence_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, sentence: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert command.main([str(tmp_path)]) == 2
    with pytest.raises(ConformanceError, match=sentence):
        replay_directory(tmp_path)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_missing_folder_and_an_unknown_device_under_test(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError, match="does not exist"):
        replay_directory(tmp_path / "none")
    write(tmp_path / "iova.jsonl", IOVA_CASE)
    with pytest.raises(ConformanceError, match="no replayers here"):
        replay_directory(tmp_path, "fpga")


def test_the_longest_prefix_decides() -> None:
    found = {
        name: replayer_of(Path(f"{name}.jsonl.gz"), {"iova": _iova, "iova_fast": _fast})
        for name in ("iova", "iova_x", "iova_fast_y")
    }
    assert found == {"iova": _iova, "iova_x": _iova, "iova_fast_y": _fast}


def _iova(path: Path) -> FileResult:
    return FileResult("iova", 1, 1)


def _fast(path: Path) -> FileResult:
    def replay_case(case: Case) -> None:
        if case["id"] == 0:
            raise UnsupportedFeature("Sv57")
        if case["id"] == 1:
            raise Mismatch(3, "a", "b")
        if case["id"] == "a crash":
            raise ZeroDivisionError

    return replay_cases(path, ("id",), replay_case)


def test_unsupported_cases_are_counted_apart_and_must_be_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "fast.jsonl", *({"id": number} for number in range(30)))
    results = replay_directory(tmp_path, "chip", {"fast": _fast})
    assert (results[0].passed, results[0].failed, results[0].unsupported) == (28, 1, {"Sv57": 1})
    assert undeclared_features(results, "chip") == ["Sv57"]
    assert command.report(results, "chip") == 1
    assert "'Sv57' is not in the committed list" in capsys.readouterr().out
    declared = tmp_path / "declared.json"
    declared.write_text('{"chip": ["Sv57"]}', encoding="utf-8")
    monkeypatch.setattr(registry, "UNSUPPORTED_LIST", declared)
    passing = [FileResult("fast", 29, 30, {"Sv57": 1})]
    assert command.report(passing, "chip") == 0


@pytest.mark.parametrize("number", [1, "a crash"])
def test_at_most_20_mismatches_are_described(tmp_path: Path, number: int | str) -> None:
    write(tmp_path / "fast.jsonl", *({"id": number} for _ in range(30)))
    (result,) = replay_directory(tmp_path, "chip", {"fast": _fast})
    assert (result.failed, len(result.mismatches)) == (30, 20)


def test_the_committed_list_of_the_model_is_empty() -> None:
    assert json.loads(registry.UNSUPPORTED_LIST.read_text(encoding="utf-8"))["model"] == []


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("map_sg", lambda case: case["ops"][0].__setitem__("ret", 99), "op 0: expected 99"),
        ("map_sg", lambda case: case["ops"][0]["log"].pop(), "op 0: expected calls"),
        ("map_sg", lambda case: case["ops"][0].__setitem__("op", "mmap"), "unknown operation mmap"),
        ("dma_iova", lambda case: case["ops"][0][4].__setitem__(1, 5), "op 0: expected [1, 5, "),
        ("dma_iova", lambda case: case["ops"].__setitem__(0, ["what"]), "unknown operation"),
        ("iova_fast_rcache", lambda case: case["ops"].__setitem__(0, ["what"]), "unknown operation"),
        ("p2p_distance", lambda case: case["many"][0].__setitem__(2, 77), "op many 0: expected 77"),
        ("p2p_distance", lambda case: case["first_on_root_bus"].__setitem__("0", 2), "device 2 is not on root bus 0"),
    ],
)
def test_each_kind_of_difference_is_named(tmp_path: Path, name: str, change: Callable[[Case], None], sentence: str) -> None:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt") as lines:
        case = json.loads(next(lines))
    change(case)
    (result,) = replay_directory(write(tmp_path / f"{name}.jsonl", case))
    assert (result.failed, len(result.mismatches)) == (1, 1)
    assert sentence in result.mismatches[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda case: case["ops"][0].__setitem__(2, 5), "op 0: expected 5"),
        (lambda case: case["ops"].__setitem__(0, ["what"]), "unknown operation"),
        (lambda case: case["destroy"].__setitem__("nr_pages", 9), "op destroy"),
    ],
)
def test_each_difference_of_a_pool_is_named(tmp_path: Path, change: Callable[[Case], None], sentence: str) -> None:
    with gzip.open(DATA / "dmapool.jsonl.gz", "rt") as lines:
        case = next(found for found in map(json.loads, lines) if found["ops"])
    change(case)
    (result,) = replay_directory(write(tmp_path / "dmapool.jsonl", case))
    assert result.failed == 1
    assert sentence in result.mismatches[0]


def test_the_command_line_runs_as_a_module(tmp_path: Path) -> None:
    write(tmp_path / "iova.jsonl", IOVA_CASE)
    done = subprocess.run(
        [sys.executable, "-m", "sluicegate.conformance", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 passed, 0 failed")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(registry.__file__).parents[2])}
