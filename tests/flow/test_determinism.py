"""Same test and seed, everything else different: the same result; and a result that does differ is noticed."""

from __future__ import annotations

import pytest

from flow import determinism, testlist
from flow.project import Project
from flow.testlist import ListedTest
from flow.verilate import Main


def test_nothing_outside_the_seed_matters(example: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Hash seeds, runs beside, another checkout, waves, X seeds and cocotb's stock main against our own."""
    test = testlist.load(example)["counter_counts"]
    assert determinism.check(example, test, 6, determinism.conditions([Main.FAST, Main.STOCK])) == []
    lines = capsys.readouterr().out
    for condition in (
        "PYTHONHASHSEED=12345",
        "beside two other runs",
        "in another checkout",
        "with waves",
        "stock main",
        "X seed 77",
    ):
        assert f"same      {condition}" in lines


def test_log_that_follows_a_register_nobody_wrote_is_noticed(example: Project) -> None:
    test = ListedTest(name="follows_unset", dut="counter", module="tests.flow.example.unset")
    every = determinism.conditions([Main.FAST])
    chosen = [every[0], *(condition for condition in every if condition.name.startswith("X seed"))]
    differences = determinism.check(example, test, 6, chosen)
    assert differences
    assert all(line.startswith("X seed") and "log_hash is" in line for line in differences)
