"""Lint on RTL made to fail: each front end and each rule finds what it is there for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flow import lint, lint_python, lint_verilog
from flow.errors import UserError
from flow.lint_check import Check, Finding, Skipped
from flow.project import Project

GOOD = """\
`default_nettype none
module stage #(parameter int DATA_W = 256) (
    input  wire              clk_i,
    input  wire [DATA_W-1:0] data_i,
    output reg  [DATA_W-1:0] data_o
);
  always @(posedge clk_i) data_o <= data_i;
endmodule
`default_nettype wire
"""
LATCH = GOOD.replace("always @(posedge clk_i) data_o <= data_i;", "always @* if (clk_i) data_o = data_i;")
WIDTH = GOOD.replace("data_o <= data_i", "data_o <= {1'b0, data_i}")
INTERFACE = GOOD.replace("module stage", "interface bus; wire x; endinterface\nmodule stage")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkout with one room of RTL."""
    (tmp_path / "hdl" / "common").mkdir(parents=True)
    (tmp_path / "hdl" / "common" / "stage.v").write_text(GOOD)
    return Project(root=tmp_path, rtl_root=tmp_path, duts_file=tmp_path / "duts.toml", build=tmp_path / "build")


def outcome(project: Project, name: str) -> Finding | Skipped:
    check: Check
    (check,) = [check for check in lint_verilog.checks(project) if check.name == name]
    return check.function(project)


def faults(project: Project, name: str, text: str, file: str = "common/stage.v") -> tuple[str, ...]:
    path = project.root / "hdl" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    found = outcome(project, name)
    if isinstance(found, Skipped):
        pytest.skip(found.reason)
    return found.faults


@pytest.mark.parametrize(
    "name", ["verilog files", "verilog rooms", "verilator -Wall", "icarus -g2012 -Wall", "slang", "yosys latches"]
)
def test_good_rtl_is_clean(project: Project, name: str) -> None:
    assert faults(project, name, GOOD) == ()


def test_verilator_finds_a_latch_and_a_width(project: Project) -> None:
    assert any("LATCH" in line for line in faults(project, "verilator -Wall", LATCH))
    widths = faults(project, "verilator -Wall", WIDTH)
    assert any("WIDTH" in line for line in widths)


def test_yosys_names_every_module_with_a_latch(project: Project) -> None:
    faults(project, "yosys latches", LATCH.replace("module stage", "module after"), "common/after.v")
    found = faults(project, "yosys latches", LATCH)
    assert [line.split(":")[0] for line in found] == ["after", "stage"]
    assert all("data_o" in line for line in found)


def test_yosys_remembers_only_what_was_clean(project: Project) -> None:
    assert faults(project, "yosys latches", GOOD) == ()
    assert outcome(project, "yosys latches") == Finding("1 modules, unchanged since they were clean")
    assert faults(project, "yosys latches", LATCH) != ()
    assert outcome(project, "yosys latches") != Finding("1 modules, unchanged since they were clean")


def test_fault_of_one_width_names_it(project: Project) -> None:
    text = GOOD.replace("endmodule", "generate if (DATA_W > 128) begin : g_wide\nabsent u ();\nend endgenerate\nendmodule")
    lines = [line for line in faults(project, "verilator -Wall", text) if "absent" in line]
    assert lines
    assert all(line.endswith("[DATA_W=256 512]") for line in lines)


def test_icarus_rejects_what_it_does_not_know(project: Project) -> None:
    assert faults(project, "icarus -g2012 -Wall", GOOD.replace("endmodule", "assert property (@(posedge clk_i) 1);\nendmodule"))


def test_slang_finds_an_unknown_name(project: Project) -> None:
    assert any("undeclared" in line for line in faults(project, "slang", GOOD.replace("<= data_i", "<= datum")))


def test_file_rules(project: Project) -> None:
    assert faults(project, "verilog files", GOOD.replace("module stage", "module other"))
    assert faults(project, "verilog files", GOOD.replace("`default_nettype none\n", ""))
    assert faults(project, "verilog files", GOOD.replace("`default_nettype wire\n", ""))
    assert faults(project, "verilog files", GOOD + GOOD)
    assert faults(project, "verilog files", GOOD.replace("module stage", f"// {'x' * 138}\nmodule stage"))


def test_rooms_do_not_reach_across_walls(project: Project) -> None:
    user = GOOD.replace("module stage", "module dma_user").replace("endmodule", "iommu_core u ();\nendmodule")
    faults(project, "verilog rooms", GOOD.replace("module stage", "module iommu_core"), "iommu/iommu_core.v")
    assert faults(project, "verilog rooms", user, "dma/dma_user.v") == (
        "hdl/dma/dma_user.v: hdl/dma must not use iommu_core of hdl/iommu",
    )


def test_waiver_needs_a_reason(project: Project) -> None:
    waivers = project.root / "hdl" / "lint.vlt"
    waivers.write_text('`verilator_config\n// Because.\nlint_off -rule LATCH -file "a.v"\n')
    assert outcome(project, "lint waivers") == Finding("1 waivers with a reason")
    waivers.write_text('`verilator_config\nlint_off -rule LATCH -file "a.v"\n')
    found = outcome(project, "lint waivers")
    assert isinstance(found, Finding)
    assert found.faults == ("hdl/lint.vlt:2: no reason stands above this waiver",)


def test_missing_tool_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = outcome(project, "icarus -g2012 -Wall")
    assert isinstance(found, Skipped)
    assert "apt-get install iverilog" in found.reason


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("models/sluicegate/a.py", "import cocotb\n", "models imports numpy and the standard library only, not cocotb"),
        ("models/sluicegate/a.py", "from tb import bridge\n", "not tb"),
        ("tb/a.py", "import sequences.churn\n", "tb must not import sequences"),
        ("sequences/a.py", "from tb.bridge import views\n", "sequences must not import tb"),
        ("sequences/a.py", "def f():\n    import cocotb\n", "sequences must not import cocotb"),
        ("tests/block/a.py", "import flow.job\n", "tests must not import flow"),
    ],
)
def test_import_across_a_wall_is_found(tmp_path: Path, file: str, text: str, words: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    found = lint_python.layers(Project(root=tmp_path))
    assert isinstance(found, Finding)
    assert len(found.faults) == 1
    assert words in found.faults[0]


def test_imports_along_the_layers_are_fine(tmp_path: Path) -> None:
    files = {
        "models/sluicegate/a.py": "import json\nimport numpy\nfrom sluicegate import b\n",
        "tests/flow/a.py": "import flow\n",
    }
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(text)
    assert lint_python.layers(Project(root=tmp_path)) == Finding("2 files")


def test_word_that_no_check_contains_ends_in_a_sentence(project: Project) -> None:
    with pytest.raises(UserError, match=r"no check 'verilatr': known: .*verilator"):
        lint.run(project, ["verilatr"])
