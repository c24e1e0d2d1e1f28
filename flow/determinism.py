"""Runs one test and seed under everything that must not matter, and requires the same `result.json`.

What varies: PYTHONHASHSEED, other runs beside it, the place of the checkout, waves, the main of the simulation, and the seed of
X-initialisation. A design whose log follows the X seed reads a register it never wrote.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flow import regress, verdict
from flow.errors import UserError
from flow.project import Project
from flow.regress import Options
from flow.testlist import ListedTest
from flow.verilate import Main

X_SEEDS = (1, 77, 4242)
COPIED = ("hdl", "tb", "models", "sequences", "tests", "flow", "pyproject.toml")


@dataclass(frozen=True)
class Condition:
    """One way to run; `name` says what differs from the first."""

    name: str
    options: Options
    copied: bool = False
    beside: int = 0
    """Other seeds of the same test that run at the same time."""


def conditions(mains: Sequence[Main]) -> list[Condition]:
    """All conditions, the reference first."""
    base = Options(main=mains[0], jobs=1, quiet=True)
    made = [
        Condition("reference", base),
        Condition("PYTHONHASHSEED=0", replace(base, env={"PYTHONHASHSEED": "0"})),
        Condition("PYTHONHASHSEED=12345", replace(base, env={"PYTHONHASHSEED": "12345"})),
        Condition("beside two other runs", replace(base, jobs=3), beside=2),
        Condition("in another checkout", base, copied=True),
        Condition("with waves", replace(base, waves=True)),
    ]
    made += [Condition(f"{main.value} main", replace(base, main=main)) for main in mains[1:]]
    made += [Condition(f"X seed {seed}", replace(base, x_seed=seed)) for seed in X_SEEDS]
    return made


def check(project: Project, test: ListedTest, seed: int, chosen: Sequence[Condition]) -> list[str]:
    """What differed from the first condition; prints a line for each. The first run has to pass."""
    differences: list[str] = []
    reference = ""
    for number, condition in enumerate(chosen):
        text = _run(project, test, seed, condition, number)
        data = json.loads(text)
        if not reference:
            reference = text
            if data["status"] != "pass":
                raise UserError(f"Determinism of '{test.name}' cannot be checked: its run fails: {data['reasons'][0]}.")
            if not data["log_hash"]:
                raise UserError(f"Determinism of '{test.name}' cannot be checked: its testbench gives no log hash.")
        same = text == reference
        print(f"  {'same     ' if same else 'DIFFERENT'} {condition.name}: log {data['log_hash'][:16]}", flush=True)
        if not same:
            differences.append(f"{condition.name}: {_first_difference(json.loads(reference), data)}")
    return differences


def _run(project: Project, test: ListedTest, seed: int, condition: Condition, number: int) -> str:
    if condition.copied:
        place = project.build / "determinism" / "checkout"
        project = _copy(project, place)
    runs = [(test, seed + offset) for offset in range(condition.beside + 1)]
    outcome = regress.run(project, f"determinism-{number}", runs, condition.options)
    return (outcome.folder / f"{test.name}-{seed}" / verdict.RESULT).read_text()


def _copy(project: Project, place: Path) -> Project:
    """The same project in another place, with a build folder of its own, so that nothing is reused."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in COPIED:
        source = project.root / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__", "build"))
        elif source.is_file():
            shutil.copy2(source, place / name)
    moved = {name: place / path.relative_to(project.root) for name, path in _files(project).items()}
    # The C++ runtime is the same everywhere and compiles longest.
    copy = Project(root=place, rtl_root=place, build=place / "build", **moved)
    copy.build.mkdir()
    if project.runtime.is_dir():
        copy.runtime.symlink_to(project.runtime)
    return copy


def _files(project: Project) -> dict[str, Path]:
    return {
        "duts_file": project.duts_file,
        "testlist_file": project.testlist_file,
        "testplan_file": project.testplan_file,
    }


def _first_difference(reference: dict[str, object], other: dict[str, object]) -> str:
    for name in sorted({*reference, *other}):
        if reference.get(name) != other.get(name):
            return f"{name} is {other.get(name)}, was {reference.get(name)}"
    return "the text of result.json"
