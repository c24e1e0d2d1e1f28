"""On a DUT of the project: every main, every X seed and both ways into the DUT give the same log."""

from __future__ import annotations

import json

import pytest

from flow import determinism, regress, testlist
from flow.bench import Bench
from flow.launchers import read_result
from flow.project import Project
from flow.regress import Options
from flow.verilate import Main

TEST = "tlp_link_parity_native"
NATIVE, PINS = "tlp_link_parity_native", "tlp_link_parity_pins"


@pytest.fixture(scope="module")
def project() -> Project:
    return Project()


def test_mains_and_x_seeds_do_not_change_the_log(project: Project) -> None:
    every = determinism.conditions([Main.FAST, Main.STOCK, Main.UNMODIFIED])
    chosen = [entry for entry in every if entry.name.endswith("main") or entry.name.startswith(("reference", "X seed", "PYTHON"))]
    assert determinism.check(project, testlist.load(project)[TEST], 2, chosen) == []


def test_pins_and_native_agents_give_the_same_log(project: Project) -> None:
    tests = testlist.load(project)
    outcome = regress.run(project, "parity", [(tests[NATIVE], 1), (tests[PINS], 1)], Options(quiet=True))
    native, pins = outcome.results
    assert native.passed, native.reasons
    assert pins.passed, pins.reasons
    assert native.evidence["log_hash"] == pins.evidence["log_hash"] != ""


def test_the_bare_main_replays_a_run_on_the_same_model(project: Project) -> None:
    bench = Bench(project)
    folder = bench.simulate(TEST, journal=True)
    result = read_result(folder)
    assert result is not None
    models = set(project.cache.glob("tlp_link-model-*"))
    bare = json.loads(bench.replay_bare(TEST, folder, result.cycles))
    assert set(project.cache.glob("tlp_link-model-*")) == models
    assert bare["cycles"] == result.cycles
    assert bare["tlps"] == sum(link["observed"] for link in result.evidence["links"].values())
