"""Entries of test list, testplan and catalogue that the documentation shows are valid, and those of the guides are real."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from flow import catalogue, testlist, testplan
from flow.project import Project
from tests.unit.docs.pages import PAGES, Block, load

PROJECT = Project()


def blocks(language: str, word: str) -> list[Block]:
    return [block for name in PAGES for block in load(name).blocks(language) if word in block.text]


def identity(block: Block) -> str:
    return f"{block.page.name}:{block.line}"


@pytest.mark.parametrize("block", blocks("toml", "[[dut]]"), ids=identity)
def test_a_device_can_be_loaded(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "duts.toml"
    path.write_text(PROJECT.duts_file.read_text(encoding="utf-8") + block.text, encoding="utf-8")
    known, extended = catalogue.load(PROJECT), catalogue.load(replace(PROJECT, duts_file=path))
    (name,) = extended.keys() - known.keys()
    assert extended[name].available(PROJECT)
    for pattern in extended[name].sources:
        assert pattern.startswith("my_") or list(PROJECT.root.glob(pattern)), pattern


@pytest.mark.parametrize("block", blocks("toml", "[[test]]"), ids=identity)
def test_a_test_can_be_loaded(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "testlist.toml"
    path.write_text(block.text, encoding="utf-8")
    shown = testlist.load(replace(PROJECT, testlist_file=path))
    assert shown
    listed = testlist.load(PROJECT)
    for name, test in shown.items():
        if "guides" in block.page.name and not name.startswith("my_"):
            assert test == listed[name]
        if "guides" in block.page.name:
            assert (PROJECT.root / f"{test.module.replace('.', '/')}.py").is_file()


@pytest.mark.parametrize("block", blocks("json", "testpoints"), ids=identity)
def test_a_testpoint_is_that_of_the_testplan(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "testplan.hjson"
    path.write_text(block.text, encoding="utf-8")
    shown = testplan.load(replace(PROJECT, testplan_file=path))
    assert shown
    assert set(shown) <= set(testplan.load(PROJECT))


def test_entries_are_found() -> None:
    assert len(blocks("toml", "[[test]]")) >= 4
    assert blocks("toml", "[[dut]]")
    assert blocks("json", "testpoints")
    assert all(tomllib.loads(block.text) for name in PAGES for block in load(name).blocks("toml"))
