"""The save file of a failing run with waves: it opens at the first mismatch and shows what the failure names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flow import catalogue, job, wave_save
from flow.build import Builder, Variant
from flow.faults import plant, read
from flow.project import CHECKOUT, Project
from flow.simulations import Simulations
from flow.testlist import find, load
from flow.verdict import Result, Signature
from flow.verilate import Waves

MISMATCH_PS = 1_049_000
"""Cycle 525, in which the planted fault shows (docs/guides/hunt-a-failure.md)."""
FLAGS = {"@28", "@22", "@24", "@800200", "@c00200", "@1000200"}
SCOPES = {
    "path": "top",
    "top": [["clk", ""], ["cycle", "63:0"], ["other", ""]],
    "links": {"0": ["top.g[0].monitor", [["valid_i", ""], ["hdr_i", "127:0"]]], "3": ["top.out", [["valid_i", ""]]]},
    "modules": {
        "pcie_endpoint": [["top.dut.u_endpoint0", "top.dut.u_endpoint1"], [["tx_valid_o", ""]]],
        "fifo": [["top.f"], [["w_i", ""]]],
    },
}


@pytest.fixture(scope="module")
def failing_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the switch's routing test with waves and a planted fault."""
    project = Project()
    planted = plant(project, read(CHECKOUT / "tests" / "faults" / "switch_window_limit.patch"))
    builder = Builder(planted)
    # VCD on every machine: its names can be read without a wave viewer.
    variant = Variant(waves=Waves.VCD)
    build = builder.build(catalogue.load(planted)["switch"], variant)
    entry = job.make_job(planted, find(load(planted), "switch_routing"), 1, build, planted.runs / "waves" / "switch_routing-1")
    entry.write(planted)
    result = job.execute(planted, entry, Simulations())
    assert result.signature is not None
    assert result.signature.bucket == "link_flow in switch"
    return entry.folder(planted)


def test_a_failing_run_leaves_a_save_file_that_opens_at_the_first_mismatch(failing_run: Path) -> None:
    lines = (failing_run / wave_save.FILE).read_text().splitlines()
    wave = job.wave_file(failing_run)
    assert wave is not None
    assert lines[0] == f'[dumpfile] "{wave.name}"'
    marker = next(line for line in lines if line.startswith("*")).split()
    assert marker[1] == str(MISMATCH_PS)
    (start,) = (int(line.split()[1]) for line in lines if line.startswith("[timestart]"))
    assert 0 < MISMATCH_PS - start < 100_000
    # The link that the message names stands open, before the others.
    groups = [line for line in lines if line.startswith("-")]
    assert groups[0] == "-link switch_up"
    assert lines[lines.index("-link switch_up") - 1] == "@800200"
    assert lines[lines.index("-link switch_down") - 1] == "@c00200"
    assert "-ports of switch_top.dut" in groups


def test_every_line_is_of_the_format_and_every_signal_is_in_the_wave(failing_run: Path) -> None:
    lines = (failing_run / wave_save.FILE).read_text().splitlines()
    signals = [line for line in lines if line and line[0] not in "[*@-"]
    assert {line for line in lines if line.startswith("@")} <= FLAGS
    assert len(signals) > 80
    wave = failing_run / "dump.vcd"
    assert wave.is_file()
    names = _names_of_vcd(wave)
    assert [signal for signal in signals if signal not in names] == []


def _names_of_vcd(path: Path) -> set[str]:
    names: set[str] = set()
    scope: list[str] = []
    with path.open() as lines:
        for line in lines:
            words = line.split()
            if words[:1] == ["$scope"]:
                scope.append(words[2])
            elif words[:1] == ["$upscope"]:
                scope.pop()
            elif words[:1] == ["$var"]:
                names.add(".".join([*scope, words[4]]) + "".join(words[5:-1]))
            elif words[:1] == ["$enddefinitions"]:
                break
    return names


def result(message: str, block: str, cycles: int = 0) -> Result:
    return Result("t", 1, "make sim", (message,), Signature("checker", block, message), {"cycles": cycles})


def test_the_instance_that_is_blamed_is_shown_and_links_by_their_place_in_the_message(tmp_path: Path) -> None:
    lines = list(wave_save._groups(SCOPES, {"a_up": 0, "b_up": 3, "gone": 9}, result("b_up: after a_up", "endpoint1")))
    titles = [line for line in lines if line.startswith("-")]
    assert titles[::2] == ["-link b_up", "-link a_up", "-ports of top.dut.u_endpoint1"]
    assert "top.g[0].monitor.hdr_i[127:0]" in lines
    assert "top.other" not in lines


def test_a_module_whose_assertion_fired_is_shown_at_the_time_it_printed(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("[23000] %Error: fifo.v:7: Assertion failed in top.f: overflow\n")
    assert wave_save._failure_time(tmp_path, {}, result("x", "fifo")) == 23_000
    lines = list(wave_save._groups(SCOPES, {}, result("overflow", "fifo")))
    assert lines[-6:] == ["@800200", "-ports of top.f", "@28", "top.f.w_i", "@1000200", "-ports of top.f"]


def test_a_failure_at_the_end_is_shown_at_the_end(tmp_path: Path) -> None:
    assert wave_save._failure_time(tmp_path, {"cycle": None}, result("x", "dma", cycles=500)) == 999_000
    assert re.fullmatch(r"\*-\d+\.\d{6} 999000( -1){26}", wave_save._head(Path("dump.fst"), 999_000)[4])
