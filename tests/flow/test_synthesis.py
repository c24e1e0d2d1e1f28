"""Synthesis: the wrapper, the reading of the tools' answers, the table, and a real run on a small module."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flow import netlist, synthesis, synthesis_table, synthesis_tools
from flow.errors import UserError
from flow.project import CHECKOUT, Project
from flow.synthesis_tools import Area, Design, Placement, Port, Route

CATALOGUE = """\
[ecp5]
options = ["--25k", "--package", "CABGA381", "--speed", "8"]
device = "LFE5U-25F, speed grade 8"

[[block]]
name = "fifo"
what = "a queue"
fmax_mhz = 50
parameters = { WIDTH = 8, DEPTH = 5 }
"""
LATCH = """\
`default_nettype none
module fifo #(parameter int WIDTH = 8, parameter int DEPTH = 5) (
    input wire clk_i, input wire open_i, input wire [WIDTH-1:0] in_i, output reg [WIDTH-1:0] held_o
);
  always @* if (open_i) held_o = in_i;
endmodule
`default_nettype wire
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkout with the queue and its storage."""
    for name in ("fifo.v", "ram_simple_dual_port.v"):
        target = tmp_path / "hdl" / "common" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((CHECKOUT / "hdl" / "common" / name).read_text())
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "synthesis.toml").write_text(CATALOGUE)
    return Project(root=tmp_path, rtl_root=tmp_path, build=tmp_path / "build")


def lut(output: int, *inputs: int | str) -> dict[str, object]:
    names = "ABCD"[: len(inputs)]
    return {
        "type": "LUT4",
        "port_directions": {**dict.fromkeys(names, "input"), "Z": "output"},
        "connections": {**{name: [net] for name, net in zip(names, inputs, strict=True)}, "Z": [output]},
    }


def carry(carry_in: int, a: int, result: int, carry_out: int) -> dict[str, object]:
    return {
        "type": "CCU2C",
        "port_directions": {"CIN": "input", "A0": "input", "S0": "output", "COUT": "output"},
        "connections": {"CIN": [carry_in], "A0": [a], "S0": [result], "COUT": [carry_out]},
    }


def register(data: int, output: int) -> dict[str, object]:
    return {
        "type": "TRELLIS_FF",
        "port_directions": {"DI": "input", "Q": "output"},
        "connections": {"DI": [data], "Q": [output]},
    }


def test_depth_is_the_longest_path_between_registers() -> None:
    cells = {"a": lut(2, 1, "0"), "b": lut(3, 2, 1), "r": register(3, 4), "c": lut(5, 4)}
    assert netlist.depth(cells) == 2
    assert netlist.count(cells)["LUT4"] == 3
    assert netlist.depth({"r": register(1, 2)}) == 0


def test_a_carry_chain_is_one_level() -> None:
    chain = {f"c{i}": carry(100 + i, 10 + i, 50 + i, 101 + i) for i in range(8)}
    assert netlist.depth(chain) == 1
    assert netlist.depth({**chain, "before": lut(10, 1), "after": lut(2, 57)}) == 3


def test_depth_survives_a_loop() -> None:
    assert netlist.depth({"a": lut(2, 3), "b": lut(3, 2), "c": lut(4, 1)}) == 1


def test_ports_are_parsed() -> None:
    answer = "module fifo\ninput [0:0] clk_i\ninput [31:0] in_data_i\noutput [4:0] count_o\nendmodule\n"
    assert synthesis_tools.parse_ports(answer) == [
        Port("clk_i", False, 1),
        Port("in_data_i", False, 32),
        Port("count_o", True, 5),
    ]


def test_wrapper_registers_every_port(tmp_path: Path) -> None:
    design = Design("block", {"WIDTH": 5}, [], [], tmp_path, tmp_path)
    text = synthesis_tools.wrapper(
        design, [Port("clk_i", False, 1), Port("a_i", False, 3), Port("b_i", False, 2), Port("c_o", True, 5)]
    )
    assert ".a_i(in_q[2:0])" in text
    assert ".b_i(in_q[4:3])" in text
    assert ".c_o(out[4:0])" in text
    assert "#(.WIDTH(5))" in text
    assert "fold0_q <= out;" in text
    assert "fold1_q[1] <= ^fold0_q[4:4];" in text
    assert "fold2_q[0] <= ^fold1_q[1:0];" in text


def test_a_block_without_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no output"):
        synthesis_tools.wrapper(Design("block", {}, [], [], tmp_path, tmp_path), [Port("clk_i", False, 1)])


def report(*paths: dict[str, object]) -> dict[str, object]:
    return {"fmax": {"$glbnet$clk_i": {"achieved": 123.456, "constraint": 100.0}}, "critical_paths": list(paths)}


def path(source: str, sink: str, clock: str, *delays: tuple[str, float]) -> dict[str, object]:
    steps = [{"type": kind, "delay": delay, "from": {"cell": source}, "to": {"cell": sink}} for kind, delay in delays]
    return {"from": clock, "to": clock if clock != "<async>" else "posedge clk", "path": steps}


def test_report_gives_the_path_within_the_clock() -> None:
    inner = path(
        "u_block.state_q_TRELLIS_FF_Q_3",
        "fold0_q_TRELLIS_FF_Q",
        "posedge clk",
        ("clk-to-q", 0.5),
        ("routing", 2.0),
        ("setup", 0.1),
    )
    pin = path("in_i", "in_q_TRELLIS_FF_Q", "<async>", ("routing", 9.0))
    found = synthesis_tools.parse_report(report(pin, inner))
    assert found == Route(123.5, "state_q", "fold0_q", 0.6, 2.0)


def test_report_without_a_clock_is_refused() -> None:
    with pytest.raises(UserError, match="no registers"):
        synthesis_tools.parse_report({"fmax": {}, "critical_paths": []})


def test_log_gives_the_estimate_after_placement() -> None:
    line = "Info: Max frequency for clock '$glbnet$clk_i': {} MHz (PASS at 100.00 MHz)\n"
    assert synthesis_tools.parse_log("Info: placed\n" + line.format("164.39") + line.format("201.50")) == 164.4
    with pytest.raises(UserError, match="no registers"):
        synthesis_tools.parse_log("Info: placed\n")


def figures(fmax: float) -> synthesis.Figures:
    block = synthesis.Block("fifo", "a queue", fmax_mhz=100, seeds=(1, 2))
    area = Area(luts=1234, flip_flops=5, lut_rams=6, block_rams=7, depth=8)
    placements = (
        Placement(1, 70.0, Route(fmax - 1, "a_q", "b_q", 1.0, 2.0)),
        Placement(2, 60.0, Route(fmax, "c_q", "d_q", 1.0, 2.0)),
    )
    return synthesis.Figures(block, {"ecp5": area, "xcup": area}, placements)


def test_best_seed_against_what_is_asked() -> None:
    assert figures(100.0).met is True
    assert figures(99.9).met is False
    assert "MISSED" in synthesis_table.render([figures(99.9)])
    rows = synthesis_table.rows([figures(100.0)])
    assert rows[0] == ("fifo", "ecp5", "1,234", "5", "6", "7", "8", "60 (70)", "100 (99)", ">= 100 met")
    assert rows[1] == ("fifo", "xcup", "1,234", "5", "6", "7", "8", "-", "-", "")


def test_a_block_that_is_not_routed_is_judged_by_its_estimate() -> None:
    block = synthesis.Block("fifo", "a queue", fmax_mhz=100, routed=False)
    found = synthesis.Figures(block, {"ecp5": Area(1, 2, 3, 4, 5)}, (Placement(1, 99.0, None),))
    assert found.met is False
    assert synthesis_table.rows([found])[0][-3:] == ("99", "-", ">= 100 MISSED")
    assert "longest path" not in synthesis_table.render([found])


def test_table_goes_between_the_markers(project: Project) -> None:
    page = project.root / synthesis_table.PAGE
    with pytest.raises(UserError, match="markers"):
        synthesis_table.write_page(project, [figures(100.0)])
    page.parent.mkdir()
    page.write_text("before\n<!-- figures: make synth DOCS=1 -->\nold\n<!-- end of figures -->\nafter\n")
    synthesis_table.write_page(project, [figures(100.0)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("<!-- end of figures -->\nafter\n")
    assert "old" not in text
    assert "| fifo | ecp5 | 1,234 |" in text


def test_page_of_the_checkout_has_markers() -> None:
    assert len(synthesis_table.MARKERS.findall((CHECKOUT / synthesis_table.PAGE).read_text())) == 1


def test_every_block_of_the_catalogue_is_a_module() -> None:
    catalogue = synthesis.load(Project())
    assert {"iommu_lookup", "iommu_walker", "riscv_iommu"} <= set(catalogue.blocks)
    for name in catalogue.blocks:
        files = synthesis.files_of(Project(), name)
        assert name in {file.stem for file in files}


def test_files_of_a_block_are_those_it_needs(project: Project) -> None:
    (project.root / "hdl" / "common" / "other.v").write_text(
        "`default_nettype none\nmodule other; endmodule\n`default_nettype wire\n"
    )
    assert [path.name for path in synthesis.files_of(project, "fifo")] == ["fifo.v", "ram_simple_dual_port.v"]


@pytest.mark.parametrize(
    ("block", "target", "words"), [("fifos", None, "did you mean fifo"), (None, "ecp6", "did you mean ecp5")]
)
def test_wrong_names_end_in_a_sentence(project: Project, block: str | None, target: str | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        synthesis.choose(synthesis.load(project), block, target)


@pytest.mark.parametrize("text", ["[ecp5", "[ecp5]\ndevice = 'x'\n", CATALOGUE + "colour = 3\n"])
def test_broken_catalogue_ends_in_a_sentence(project: Project, text: str) -> None:
    (project.root / "flow" / "synthesis.toml").write_text(text)
    with pytest.raises(UserError, match=r"flow/synthesis\.toml"):
        synthesis.load(project)


def test_a_queue_is_synthesised_placed_and_kept(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    catalogue = synthesis.load(project)
    (found,) = synthesis.measure(project, catalogue, list(catalogue.blocks.values()), ["ecp5", "xcup"], jobs=2)
    assert "fifo ecp5" in capsys.readouterr().out
    for area in found.areas.values():
        # Counters, the bypass word and its flag; never the storage.
        assert 8 < area.flip_flops < 40
        assert area.luts > 10
        assert 2 <= area.depth <= 12
        assert area.lut_rams + area.block_rams > 0
    assert found.best is not None
    assert 50 < found.best.fmax_mhz < 1000
    assert found.met
    (entry,) = json.loads(synthesis.write(project, [found]).read_text())
    assert entry["placements"][0]["route"]["fmax_mhz"] == found.best.fmax_mhz
    # Once measured, no tool runs again until something changes.
    assert synthesis.measure(project, catalogue, list(catalogue.blocks.values()), ["ecp5", "xcup"], jobs=1) == [found]
    assert capsys.readouterr().out == ""


def test_a_latch_ends_in_a_sentence(project: Project) -> None:
    (project.root / "hdl" / "common" / "fifo.v").write_text(LATCH)
    catalogue = synthesis.load(project)
    with pytest.raises(UserError, match=r"infers a latch for .*held_o"):
        synthesis.measure(project, catalogue, list(catalogue.blocks.values()), ["xcup"], jobs=1)


def test_a_broken_module_ends_in_a_sentence(project: Project) -> None:
    (project.root / "hdl" / "common" / "ram_simple_dual_port.v").unlink()
    catalogue = synthesis.load(project)
    with pytest.raises(UserError, match="does not synthesise") as caught:
        synthesis.measure(project, catalogue, list(catalogue.blocks.values()), ["xcup"], jobs=1)
    assert "ram_simple_dual_port" in caught.value.detail


def test_a_missing_tool_ends_in_a_sentence(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis_tools, "NEXTPNR", "nextpnr-absent")
    with pytest.raises(UserError, match="make setup"):
        synthesis.measure(project, synthesis.load(project), [], ["ecp5"], jobs=1)
