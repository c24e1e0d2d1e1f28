"""What the flow's tests share: the example project and its one small build."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from flow import catalogue, job
from flow.build import Build, Builder, Variant
from flow.project import CHECKOUT, Project
from flow.simulations import Simulations
from flow.testlist import ListedTest
from flow.verdict import Result

EXAMPLE = CHECKOUT / "tests" / "flow" / "example"

RunExample = Callable[..., Result]


@pytest.fixture(scope="session")
def example() -> Project:
    """The example project; its builds stay between sessions, below build/flow-tests."""
    return replace(
        Project(),
        duts_file=EXAMPLE / "duts.toml",
        testlist_file=EXAMPLE / "testlist.toml",
        testplan_file=EXAMPLE / "testplan.hjson",
        build=CHECKOUT / "build" / "flow-tests",
    )


def flow_command(project: Project, *arguments: str) -> list[str]:
    """The command line that runs `arguments` on a project."""
    options = ["--duts", project.duts_file, "--testlist", project.testlist_file, "--testplan", project.testplan_file]
    return [sys.executable, "-m", "flow", *map(str, options), "--build", str(project.build), *arguments]


@pytest.fixture(scope="session")
def counter(example: Project) -> Build:
    """The counter, built once."""
    return Builder(example).build(catalogue.load(example)["counter"], Variant())


@pytest.fixture
def run_example(example: Project, counter: Build, tmp_path: Path) -> RunExample:
    """Runs one cocotb test of the example in a process of its own and returns the verdict."""

    def run(
        testcase: str,
        module: str = "tests.flow.example.hazards",
        plusargs: Sequence[str] = (),
        timeout_s: int = 60,
        required_checkers: tuple[str, ...] = (),
    ) -> Result:
        test = ListedTest(name=testcase, dut="counter", module=module, testcase=testcase, timeout_s=timeout_s)
        entry = job.make_job(example, test, 3, counter, tmp_path / testcase)
        entry = replace(entry, command=(*entry.command, *plusargs), required_checkers=required_checkers)
        entry.write(example)
        return job.execute(example, entry, Simulations())

    return run
