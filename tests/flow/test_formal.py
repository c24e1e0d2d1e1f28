"""Proofs of a module of a few lines: proved, refuted, vacuous, bugs found and surviving, mistakes that end in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow import formal, formal_check, proofs
from flow.errors import UserError
from flow.formal_check import Answer, Question
from flow.project import Project

COUNTER = """\
`default_nettype none
module even_counter (
    input  wire       clk_i,
    input  wire       rst_i,
    input  wire       step_i,
    output wire [3:0] count_o
);
  logic [3:0] count_q;
  assign count_o = count_q;
  always_ff @(posedge clk_i) begin
    if (step_i) count_q <= count_q + 4'd2;
    if (rst_i) count_q <= '0;
  end
`ifdef FORMAL
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb begin
    if (!f_started_q) assume (rst_i);
    if (f_started_q) begin
      even: assert (!count_q[0]);
      six: cover (count_q == 4'd6);
    end
  end
`endif
endmodule
`default_nettype wire
"""
PROOF = """\
[[proof]]
name = "even"
module = "even_counter"
mode = "prove"
depth = 2
reach = 6
states = "The count stays even"
"""
BUG = """\
# title: a step from 4 is one too wide
# proof: even
# expect-assertion: even
--- a/hdl/even_counter.v
+++ b/hdl/even_counter.v
@@ -10,4 +10,4 @@
   always_ff @(posedge clk_i) begin
-    if (step_i) count_q <= count_q + 4'd2;
+    if (step_i) count_q <= count_q + (count_q == 4'd4 ? 4'd3 : 4'd2);
     if (rst_i) count_q <= '0;
   end
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkout with one module, one proof and one seeded bug."""
    (tmp_path / "hdl").mkdir()
    (tmp_path / "hdl" / "even_counter.v").write_text(COUNTER)
    (tmp_path / proofs.BUG_FOLDER).mkdir(parents=True)
    (tmp_path / proofs.BUG_FOLDER / "wide_step.patch").write_text(BUG)
    (tmp_path / "proofs.toml").write_text(PROOF)
    return Project(root=tmp_path, rtl_root=tmp_path, proofs_file=tmp_path / "proofs.toml", build=tmp_path / "build")


def edit(project: Project, name: str, old: str, new: str) -> None:
    path = project.root / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_proof_holds_and_finds_its_seeded_bug(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert formal.run(project) == (1, 0)
    shown = capsys.readouterr().out
    assert "even: proved in " in shown
    assert ", depth 2\n" in shown
    assert "  wide_step: found by even at step 4\n" in shown
    assert (project.root / "hdl" / "even_counter.v").read_text() == COUNTER


def test_failure_names_assertion_and_line_and_leaves_waves_and_is_never_remembered(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(project, "hdl/even_counter.v", "even: assert (!count_q[0])", "even: assert (count_q != 4'd4)")
    line = next(number for number, text in enumerate(COUNTER.splitlines(), 1) if "even:" in text)
    for _ in range(2):
        assert formal.run(project) == (0, 1)
        shown = capsys.readouterr().out
        assert "even: FAILED at step 3:" in shown
        assert f"    even (hdl/even_counter.v:{line})" in shown
        assert "    waves: build/formal/even/refute/run/engine_0/trace.vcd" in shown
    assert (project.build / "formal/even/refute/run/engine_0/trace.vcd").is_file()


def test_what_is_not_inductive_is_told_from_what_is_wrong(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project, "hdl/even_counter.v", "assert (!count_q[0])", "assert (count_q != 4'd9)")
    assert formal.run(project) == (0, 1)
    assert "even: FAILED, not inductive at depth 2:" in capsys.readouterr().out


def test_cover_that_is_never_met_is_vacuity(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project, "hdl/even_counter.v", "if (!f_started_q) assume (rst_i)", "assume (rst_i)")
    assert formal.run(project) == (0, 1)
    shown = capsys.readouterr().out
    assert "  cover: FAILED, vacuous: never met within 6 cycles:" in shown
    assert "    six (hdl/even_counter.v:" in shown
    assert "  wide_step: survived 6 cycles" in shown


@pytest.mark.parametrize("kind", ["assert", "cover"])
def test_module_without_statements_proves_nothing(project: Project, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    text = "".join(line for line in COUNTER.splitlines(keepends=True) if f": {kind} (" not in line)
    (project.root / "hdl" / "even_counter.v").write_text(text)
    assert formal.run(project) == (0, 1)
    assert f"the module even_counter has no {kind} statement under FORMAL" in capsys.readouterr().out


def test_what_the_front_end_warns_of_is_a_failure(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project, "hdl/even_counter.v", "even: assert (!count_q[0])", "even: assert (!count_r[0])")
    assert formal.run(project) == (0, 1)
    assert "count_r" in capsys.readouterr().out


def test_bug_found_by_another_assertion_is_a_failure(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project, f"{proofs.BUG_FOLDER}/wide_step.patch", "expect-assertion: even", "expect-assertion: order")
    assert formal.run(project) == (0, 1)
    assert "  wide_step: found by even at step 4, expected order" in capsys.readouterr().out


def test_passes_are_remembered_by_content(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert formal.run(project) == (1, 0)
    asked: list[str] = []
    original = formal_check.ask

    def ask(project: Project, question: Question, folder: Path) -> Answer:
        asked.append(question.name)
        return original(project, question, folder)

    monkeypatch.setattr(formal_check, "ask", ask)
    assert formal.run(project) == (1, 0)
    assert asked == []
    edit(project, "hdl/even_counter.v", "4'd6", "4'd8")
    formal.run(project)
    assert sorted(asked) == ["cover", "prove", "wide_step"]


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("proofs.toml", PROOF, "", "proofs.toml holds no proof"),
        ("proofs.toml", "depth = 2", 'depth = "2"', "the value of 'depth' has the wrong type"),
        ("proofs.toml", "reach", "reech", "unknown key 'reech': did you mean reach"),
        ("proofs.toml", '"prove"', '"pdr"', "its mode is prove or bmc, not 'pdr'"),
        ("proofs.toml", '"even_counter"', '"even_countr"', "no module 'even_countr' below hdl/: did you mean even_counter"),
        (f"{proofs.BUG_FOLDER}/wide_step.patch", "proof: even", "proof: evn", "of proof 'evn': did you mean even"),
        (f"{proofs.BUG_FOLDER}/wide_step.patch", "# proof: even\n", "", "wide_step.patch has no line '# proof:'"),
        (f"{proofs.BUG_FOLDER}/wide_step.patch", "-    if (step_i)", "-    if (stop_i)", "does not apply to hdl/"),
    ],
)
def test_mistakes_end_in_a_sentence(project: Project, file: str, old: str, new: str, sentence: str) -> None:
    edit(project, file, old, new)
    with pytest.raises(UserError, match=sentence):
        formal.run(project)


def test_module_below_two_others_is_read_once(project: Project) -> None:
    below = {"top": ("left", "right", "shared"), "left": ("shared",), "right": ("shared",), "shared": ()}
    for name, modules in below.items():
        instances = " ".join(f"{module} u_{module} ();" for module in modules)
        (project.root / "hdl" / f"{name}.v").write_text(f"module {name}; {instances} endmodule\n")
    files, headers = proofs.sources(project, "top")
    assert [path.stem for path in files] == ["shared", "left", "right", "top"]
    assert headers == []


def test_unknown_name_is_a_sentence(project: Project) -> None:
    with pytest.raises(UserError, match=r"There is no proof 'evem': did you mean even\?"):
        formal.run(project, ["evem"])


def test_proof_without_a_seeded_bug_is_refused(project: Project) -> None:
    (project.root / "proofs.toml").write_text(PROOF + PROOF.replace('"even"', '"odd"'))
    with pytest.raises(UserError, match=r"Proof 'odd' of proofs.toml has no seeded bug"):
        formal.run(project)


def test_catalogue_of_the_project_is_in_order_and_stands_in_the_page() -> None:
    project = Project()
    known = proofs.load(project)
    for proof in known.values():
        proofs.sources(project, proof.module)
    page = (project.root / "docs" / "formal.md").read_text()
    assert proofs.table(known) in page
