"""The Slurm launcher, with commands that stand in for Slurm's own."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flow import job, testlist
from flow.build import Build
from flow.errors import UserError
from flow.job import Job
from flow.launchers import SlurmLauncher
from flow.project import CHECKOUT, Project
from flow.verdict import Result

SCRIPT = f"""\
#!/bin/bash
#SBATCH --job-name=sluicegate-default
#SBATCH --array=1-2%8
#SBATCH --time=12
#SBATCH --cpus-per-task=1
#SBATCH --output=build/flow-tests/runs/default/slurm-%a.txt
cd {CHECKOUT} || exit 2
run=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" build/flow-tests/runs/default/jobs.txt)
exec {sys.executable} -m flow job "$run"
"""
FAKE_SBATCH = """\
#!/bin/sh
# Runs the tasks of the array one after the other, and leaves out the task numbers in $LOST.
script=$2
tasks=$(sed -n 's/^#SBATCH --array=1-\\([0-9]*\\).*/\\1/p' "$script")
for task in $(seq "$tasks"); do
  [ "$task" = "$LOST" ] || SLURM_ARRAY_TASK_ID=$task bash "$script" > /dev/null 2>&1
done
echo "77;cluster"
"""


@pytest.fixture
def jobs(example: Project, counter: Build) -> list[Job]:
    """Two runs of the example with written manifests."""
    test = testlist.load(example)["counter_counts"]
    made = [job.make_job(example, test, seed, counter, example.runs / "slurm" / f"counter_counts-{seed}") for seed in (1, 2)]
    for entry in made:
        entry.write(example)
    return made


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands named as Slurm's, first on PATH."""
    for name, text in {"sbatch": FAKE_SBATCH, "squeue": "#!/bin/sh\n", "scancel": "#!/bin/sh\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def collect(example: Project, jobs: list[Job]) -> dict[int, Result]:
    results: dict[int, Result] = {}
    SlurmLauncher(None, poll_s=0.01).run(example, jobs, lambda entry, result: results.update({entry.seed: result}))
    return results


def test_script_is_the_expected_text(example: Project, jobs: list[Job]) -> None:
    assert SlurmLauncher(8).script(example, [replace(entry, timeout_s=600) for entry in jobs], example.runs / "default") == SCRIPT


def test_array_runs_every_job(example: Project, jobs: list[Job], slurm: None) -> None:
    results = collect(example, jobs)
    assert {seed: result.passed for seed, result in results.items()} == {1: True, 2: True}


def test_lost_task_is_a_failure(example: Project, jobs: list[Job], slurm: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOST", "2")
    results = collect(example, jobs)
    assert results[1].passed
    assert results[2].reasons == ("Slurm job 77 ended without a result of this run",)


def test_missing_slurm_is_a_sentence(example: Project, jobs: list[Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="'sbatch' is not on PATH"):
        collect(example, jobs)


def test_manifest_does_not_depend_on_the_place_of_the_checkout(example: Project, jobs: list[Job]) -> None:
    text = (jobs[0].folder(example) / "job.json").read_text()
    assert str(CHECKOUT) not in text
    assert job.read(jobs[0].folder(example)) == jobs[0]


def test_folder_without_a_manifest_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a run folder"):
        job.read(tmp_path)
