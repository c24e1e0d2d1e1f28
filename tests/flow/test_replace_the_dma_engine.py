"""The guide on replacing the DMA engine: with its entries the block test builds an engine from a folder of its own and judges it.

The engine is a copy of ours outside of `hdl/dma`; a bug in the copy alone must be caught, so it is the copy that was judged.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flow import regress, testlist
from flow.project import CHECKOUT, Project
from flow.verdict import Result
from tests.unit.docs.pages import load

GUIDE = "docs/guides/replace-the-dma-engine.md"
KEPT = {"dma_pkg.v", "dma_block.v", "dma_local_memory.v"}
"""Files of `hdl/dma` that the guide's device still takes from there."""
RIGHT, WRONG = "bytes = error_offset;", "bytes = head_length;"


def entries(first_word: str) -> str:
    return "\n".join(block.text for block in load(GUIDE).blocks("toml") if first_word in block.text)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkout with `my_engine/` and the guide's entries."""
    for entry in CHECKOUT.iterdir():
        if entry.is_dir() and not entry.name.startswith(".") and entry.name != "build":
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "my_engine").mkdir()
    for module in (CHECKOUT / "hdl" / "dma").glob("*.v"):
        if module.name not in KEPT:
            shutil.copy(module, tmp_path / "my_engine")
    known = Project()
    duts, tests = tmp_path / "duts.toml", tmp_path / "testlist.toml"
    duts.write_text(known.duts_file.read_text() + entries("[[dut]]"))
    tests.write_text(entries("[[test]]").replace("my_dma_random", "my_dma_errors").replace("test_transfers", "test_errors"))
    tests.write_text(tests.read_text().replace("random_mix", "errors") + entries("[[test]]"))
    return Project(tmp_path, duts, tests, build=known.build)


def run(project: Project, name: str) -> Result:
    test = testlist.find(testlist.load(project), name)
    return regress.run(project, "own_engine", [(test, 1)], regress.Options()).results[0]


def test_an_engine_of_ones_own_is_built_and_judged(project: Project) -> None:
    passed = run(project, "my_dma_random")
    assert passed.passed, passed.reasons
    assert passed.compared > 1000


def test_a_bug_in_ones_own_engine_is_caught(project: Project) -> None:
    table = project.root / "my_engine" / "dma_operation_table.v"
    assert table.read_text().count(RIGHT) == 1
    table.write_text(table.read_text().replace(RIGHT, WRONG))
    failed = run(project, "my_dma_errors")
    assert failed.signature is not None
    assert failed.signature.bucket == "engine in dma"
