"""A run as a job with a manifest: all a launcher has to know to start it, here or on another machine that sees the checkout.

The manifest `job.json` lies in the run folder. `{root}` in its strings stands for the checkout, so that it does not depend on
where the checkout lies. `python -m flow job <run folder>` executes it and leaves `result.json` and `timing.json` there.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow import verdict, wave_save
from flow.build import Build
from flow.errors import UserError
from flow.project import Project
from flow.simulations import Simulations
from flow.testlist import ListedTest
from flow.verilate import Waves

SCHEMA = 1
MANIFEST = "job.json"
ROOT = "{root}"


@dataclass(frozen=True)
class Job:
    """One run of one test with one seed."""

    schema: int
    test: str
    seed: int
    dut: str
    main: str
    waves: bool
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    expected_testcases: int
    required_checkers: tuple[str, ...]
    timeout_s: int
    reproduce: str

    def folder(self, project: Project) -> Path:
        return project.root / self.cwd

    def write(self, project: Project) -> None:
        """Makes an empty run folder with nothing but the manifest in it."""
        folder = self.folder(project)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        write_json(folder / MANIFEST, dataclasses.asdict(self))


def read(folder: Path) -> Job:
    """The job of a run folder."""
    try:
        data = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        raise UserError(f"{folder} is not a run folder: it has no readable {MANIFEST}.") from None
    return Job(**{**data, **{key: tuple(data[key]) for key in ("command", "required_checkers")}})


def make_job(
    project: Project,
    test: ListedTest,
    seed: int,
    build: Build,
    folder: Path,
    extra_env: Mapping[str, str] | None = None,
    x_seed: int | None = None,
) -> Job:
    """The job that runs `test` with `seed` on `build` in `folder`.

    `x_seed` chooses the values of registers that are never written; it follows `seed` unless given, and no run may depend on it.
    """
    waves = build.variant.waves is not Waves.NONE
    cwd = project.relative(folder)
    result_dir = _portable(project, folder)
    environment = {
        "COCOTB_TEST_MODULES": test.module,
        "COCOTB_TOPLEVEL": build.dut.toplevel,
        "COCOTB_RESULTS_FILE": f"{result_dir}/{verdict.RESULTS_XML}",
        "COCOTB_RANDOM_SEED": str(seed),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        # Asserts of test modules explain themselves; rewriting those of every module takes longer than most runs.
        "COCOTB_REWRITE_ASSERTION_FILES": "test_*.py",
        "COCOTB_ANSI_OUTPUT": "0",
        "TOPLEVEL_LANG": "verilog",
        "PYTHONPATH": f"{ROOT}/models{os.pathsep}{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SLUICEGATE_TEST": test.name,
        "SLUICEGATE_SEED": str(seed),
        "SLUICEGATE_RESULT_DIR": result_dir,
        "SLUICEGATE_PARAMETERS": json.dumps(dict(test.parameters), sort_keys=True),
        "SLUICEGATE_MAIN": build.variant.main.value,
        "SLUICEGATE_WAVES": str(int(waves)),
    }
    if test.testcase:
        environment["COCOTB_TEST_FILTER"] = rf"\.{test.testcase}$"
    environment.update(extra_env or {})
    start = f"+verilator+seed+{seed if x_seed is None else x_seed}"
    command = [_portable(project, build.executable), "+verilator+rand+reset+2", start]
    if waves:
        command.append("--trace")
    return Job(
        schema=SCHEMA,
        test=test.name,
        seed=seed,
        dut=test.dut,
        main=build.variant.main.value,
        waves=waves,
        command=tuple(command),
        env=environment,
        cwd=cwd,
        expected_testcases=test.testcases,
        required_checkers=build.dut.required_checkers,
        timeout_s=test.timeout_s,
        reproduce=f"make sim TEST={test.name} SEED={seed}",
    )


def execute(project: Project, job: Job, simulations: Simulations) -> verdict.Result:
    """Runs the simulator in the run folder, judges the run and writes `result.json` and `timing.json`.

    Raises `Interrupted` and writes neither when `simulations.stop` ended the run.
    """
    folder = job.folder(project)
    environment = {**_inherited(), **_python(), **{name: _expand(project, value) for name, value in job.env.items()}}
    command = [_expand(project, part) for part in job.command]
    ended = simulations.run(command, environment, folder, folder / verdict.LOG, job.timeout_s)
    result = verdict.judge(
        folder,
        job.test,
        job.seed,
        job.dut,
        job.expected_testcases,
        ended.exit_code,
        ended.timed_out,
        job.reproduce,
        job.required_checkers,
    )
    timing: dict[str, Any] = {
        "wall_s": round(ended.wall_s, 3),
        "cpu_s": round(ended.cpu_s, 3),
        "exit_code": ended.exit_code,
        "timed_out": ended.timed_out,
        "main": job.main,
        "cycles_per_cpu_s": round(result.cycles / ended.cpu_s) if ended.cpu_s else None,
    }
    write_json(folder / verdict.TIMING, timing)
    wave = wave_file(folder)
    if wave is not None and not result.passed:
        wave_save.write(folder, Path(command[0]), wave, result)
    # Last, so that a run folder with a result is a complete one.
    write_json(folder / verdict.RESULT, result.as_json())
    return result


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Writes `data` with sorted keys, by renaming, so that nobody reads half a file."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    partial.rename(path)


def cpu_seconds(folder: Path) -> float:
    """CPU time the simulator of a run folder took."""
    return float(json.loads((folder / verdict.TIMING).read_text())["cpu_s"])


def wave_file(folder: Path) -> Path | None:
    """The wave a traced run left."""
    return next((folder / name for name in ("dump.fst", "dump.vcd") if (folder / name).is_file()), None)


def _inherited() -> dict[str, str]:
    """The caller's environment without what would steer cocotb or the testbench behind the manifest's back."""
    foreign = ("COCOTB_", "SLUICEGATE_", "GPI_", "PYGPI_")
    names = {"WAVES", "COVERAGE", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHONHOME", "TOPLEVEL"}
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign) and name not in names}


def _python() -> dict[str, str]:
    """How the simulator finds this interpreter; depends on the machine, so it is not in the manifest."""
    import cocotb_tools.config
    import find_libpython

    library = find_libpython.find_libpython()
    if library is None:
        raise UserError("The Python interpreter has no shared library (libpython): install one built with --enable-shared.")
    return {
        "GPI_USERS": f"{library};{cocotb_tools.config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
    }


def _portable(project: Project, path: Path) -> str:
    return f"{ROOT}/{project.relative(path)}" if path.is_relative_to(project.root) else str(path)


def _expand(project: Project, text: str) -> str:
    return text.replace(ROOT, str(project.root))
