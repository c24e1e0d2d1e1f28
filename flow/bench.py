"""`make bench`: collects the figures of the design beside their targets.

A figure family is a file of `flow/benches/` with a function `measure(bench) -> list[Figure]`. Figures of a simulation come from
counters in native code or RTL, left by the testbench under `figures` in `test_result.json`; what a Python bus model counted is
refused, because such a model loses cycles of its own and calls them losses of the design.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from flow import benches, catalogue, job, regress, testlist, verdict
from flow.build import Builder, Variant
from flow.errors import UserError
from flow.project import Project
from flow.verilate import Main

Better = Literal["higher", "lower"]
COUNTED_BY = "native"
RESULTS = "bench.json"
JOURNAL = "journal.bin"
NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Figure:
    """One measured figure beside its target."""

    name: str
    value: float
    unit: str
    target: float | None
    """None: measured and shown, with no target."""
    better: Better
    anchor: str = ""
    """What the public design that is the measure here reaches, as measured; empty: not known, or it has nothing like it."""

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value >= self.target if self.better == "higher" else self.value <= self.target


class Bench:
    """What a figure family may use."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def simulate(
        self,
        test: str,
        seed: int = 1,
        main: Main = Main.FAST,
        journal: bool = False,
        parameters: Mapping[str, Any] = NO_PARAMETERS,
    ) -> Path:
        """Runs a test alone, waves and coverage off; returns its run folder. A run that fails measures nothing.

        With `journal`, its native actions are recorded in the run folder for `replay_bare`. `parameters` go over those of the
        test list.
        """
        entry = testlist.find(testlist.load(self.project), test)
        entry = replace(entry, parameters={**entry.parameters, **parameters})
        words = [main.value, *(["journal"] if journal else []), *(f"{key}-{value}" for key, value in parameters.items())]
        name = "-".join(["bench", *words])
        folder = self.project.runs / name / f"{test}-{seed}"
        env = {"SLUICEGATE_COVERAGE": "0", **({"SLUICEGATE_JOURNAL": str(folder / JOURNAL)} if journal else {})}
        options = regress.Options(main=main, jobs=1, env=env, quiet=True)
        result = regress.run(self.project, name, [(entry, seed)], options).results[0]
        if not result.passed:
            raise UserError(f"The bench cannot measure '{test}': its run failed: {result.reasons[0]}.")
        return folder

    def replay_bare(self, test: str, recorded: Path, cycles: int) -> str:
        """Replays the journal of a run on the bare main of the same model; returns the line of JSON it prints."""
        entry = testlist.find(testlist.load(self.project), test)
        dut = catalogue.find(catalogue.load(self.project), entry.dut)
        build = Builder(self.project).build(dut, Variant(Main.BARE))
        manifest = job.read(recorded)
        plusargs = [word for word in manifest.command[1:] if word.startswith("+verilator")]
        command = [str(build.executable), str(recorded / JOURNAL), str(cycles), *plusargs]
        done = subprocess.run(command, cwd=recorded, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not done.stdout.strip():
            raise UserError(f"The bare main could not replay '{test}'.", (done.stderr or done.stdout).strip()[-500:])
        return done.stdout.strip().splitlines()[-1]

    def program(self, module: str) -> dict[str, float]:
        """Runs a module of the checkout in a process of its own; returns the figures it prints as one line of JSON."""
        root = self.project.root
        environment = {**os.environ, "PYTHONPATH": f"{root / 'models'}{os.pathsep}{root}"}
        done = subprocess.run(
            [sys.executable, "-m", module], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode or not done.stdout.strip():
            raise UserError(f"The bench program {module} failed.", done.stderr.strip()[-500:])
        figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
        return figures


def native_figures(folder: Path) -> dict[str, tuple[float, str]]:
    """{name: (value, unit)} of a run folder's native counters; a figure that anything else counted is a `UserError`."""
    data: dict[str, Any] = json.loads((folder / verdict.TEST_RESULT).read_text())
    figures: dict[str, tuple[float, str]] = {}
    for figure in data.get("figures", []):
        if figure["counted_by"] != COUNTED_BY:
            raise UserError(
                f"Figure '{figure['name']}' of {folder.name} was counted by '{figure['counted_by']}':"
                " only what native code or RTL counted is a throughput."
            )
        figures[figure["name"]] = (float(figure["value"]), figure["unit"])
    return figures


def measure(project: Project) -> tuple[list[Figure], list[str]]:
    """Every figure of every family, families by name; and a sentence for each family that cannot be measured."""
    bench = Bench(project)
    figures: list[Figure] = []
    failures: list[str] = []
    for family in sorted(entry.name for entry in pkgutil.iter_modules(benches.__path__)):
        print(f"measuring {family}", flush=True)
        try:
            figures += importlib.import_module(f"{benches.__name__}.{family}").measure(bench)
        except UserError as error:
            failures.append(f"{family}: {error}")
    return figures, failures


def write(project: Project, figures: list[Figure]) -> Path:
    """Leaves `build/bench/bench.json`. Figures are told apart by their names."""
    names = [figure.name for figure in figures]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"Two figures have the name '{twice[0]}': give each its own in flow/benches.")
    path = project.build / "bench" / RESULTS
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps([{**asdict(figure), "met": figure.met} for figure in figures], indent=1) + "\n")
    partial.rename(path)
    return path


def render(figures: list[Figure]) -> str:
    """The figures as a table."""
    if not figures:
        return "no figure is measured yet"
    width = max(len(figure.name) for figure in figures)
    reach = max([len("anchor"), *(len(figure.anchor) for figure in figures)])
    lines = [f"{'figure':<{width}}  {'value':>12}  {'target':>14}  {'anchor':>{reach}}  unit"]
    for figure in figures:
        sign = ">=" if figure.better == "higher" else "<="
        target = "-" if figure.target is None else f"{sign} {figure.target:,.6g}"
        verdict_word = {None: "", True: "met", False: "MISSED"}[figure.met]
        cells = f"{figure.value:>12,.6g}  {target:>14}  {figure.anchor:>{reach}}  {figure.unit:<24}"
        lines.append(f"{figure.name:<{width}}  {cells} {verdict_word}".rstrip())
    missed = sum(figure.met is False for figure in figures)
    lines.append(f"{len(figures)} figures, {sum(figure.met is True for figure in figures)} met, {missed} missed")
    return "\n".join(lines)
