"""The build cache: content decides, one builder builds, a changed source gives another build."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from flow import catalogue
from flow.build import Build, Builder, Variant, prune
from flow.compiler import first_errors
from flow.errors import UserError
from flow.project import CHECKOUT, Project
from flow.verilate import Main
from tests.flow.conftest import EXAMPLE


@pytest.fixture
def copy(example: Project, tmp_path: Path) -> Project:
    """The example's sources in a folder of their own; the compiled runtime is shared."""
    for name in ("counter.v", "counter_top.sv", "public.vlt"):
        (tmp_path / name).write_text((EXAMPLE / name).read_text())
    (tmp_path / "main.cpp").write_text((CHECKOUT / "tb" / "native" / "main.cpp").read_text())
    text = (EXAMPLE / "duts.toml").read_text().replace("tests/flow/example/", "").replace("tb/native/", "")
    (tmp_path / "duts.toml").write_text(text)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "runtime").symlink_to(example.runtime)
    return Project(root=tmp_path, rtl_root=tmp_path, duts_file=tmp_path / "duts.toml", build=tmp_path / "build")


def test_same_content_is_not_built_again(example: Project, counter: Build) -> None:
    again = Builder(example).build(catalogue.load(example)["counter"], Variant())
    assert (again.executable, again.seconds) == (counter.executable, 0.0)


def test_parallel_builders_share_one_build(copy: Project, counter: Build) -> None:
    dut = catalogue.load(copy)["counter"]
    with ThreadPoolExecutor(max_workers=3) as executor:
        builds = list(executor.map(lambda _: Builder(copy).build(dut, Variant()), range(3)))
    assert len({build.executable for build in builds}) == 1
    assert builds[0].executable.is_file()
    assert not [path for path in copy.cache.iterdir() if path.name.startswith(".")]


def test_edited_source_gives_another_build_and_the_old_one_comes_back(copy: Project, counter: Build) -> None:
    dut = catalogue.load(copy)["counter"]
    builder = Builder(copy)
    first = builder.build(dut, Variant())
    source = copy.root / "counter.v"
    text = source.read_text()
    source.write_text(text.replace("count_o + 1'b1", "count_o + 2'd2"))
    second = builder.build(dut, Variant())
    assert second.key != first.key
    source.write_text(text)
    assert builder.build(dut, Variant()).executable == first.executable


def test_failed_build_leaves_nothing_behind(copy: Project) -> None:
    (copy.root / "counter.v").write_text("module counter (input wire clk_i; endmodule\n")
    with pytest.raises(UserError, match="Verilating DUT 'counter' failed") as raised:
        Builder(copy).build(catalogue.load(copy)["counter"], Variant())
    assert "counter.v:1" in raised.value.detail
    assert not [path for path in copy.cache.iterdir() if path.is_dir()]


def test_variant_by_extension_overrides_parameters(copy: Project) -> None:
    copy.duts_file.write_text(
        copy.duts_file.read_text() + '[[dut]]\nname = "narrow"\nextends = "counter"\nparameters = { WIDTH = 8 }\n'
    )
    duts = catalogue.load(copy)
    assert duts["narrow"].toplevel == "counter_top"
    assert (dict(duts["counter"].parameters), dict(duts["narrow"].parameters)) == ({}, {"WIDTH": 8})


def test_every_dut_of_the_project_is_well_formed() -> None:
    project = Project()
    duts = catalogue.load(project)
    assert duts
    for dut in duts.values():
        assert dut.available(project), f"{dut.name}: {dut.top} does not exist, so the lint would pass over it"
        assert dut.rtl_files(project)[-1] == project.root / dut.top


def test_a_missing_top_is_a_sentence(example: Project) -> None:
    dut = replace(catalogue.load(example)["counter"], top="gone.sv")
    with pytest.raises(UserError, match=r"gone\.sv is not in this checkout"):
        dut.rtl_files(example)


def test_a_dut_without_a_bare_main_says_so(example: Project) -> None:
    dut = replace(catalogue.load(example)["counter"], bare_main="")
    with pytest.raises(UserError, match="has no 'bare' main"):
        Builder(example).build(dut, Variant(Main.BARE))


def test_cache_keeps_the_most_recently_used(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "middle", "old")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    prune(tmp_path, keep=2)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "middle"}


def test_first_errors_skip_what_leads_to_them() -> None:
    output = "In file included from a.h\na.cpp:3:1: error: expected ';'\nnote: here\nb.cpp:9:2: error: no type\n"
    assert first_errors(output).splitlines() == ["a.cpp:3:1: error: expected ';'", "b.cpp:9:2: error: no type"]
    assert first_errors("one\ntwo\n", count=1) == "two"
