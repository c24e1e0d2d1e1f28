"""Launchers start jobs: on this machine, or as Slurm job arrays on machines that see the same checkout."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol

from flow import verdict
from flow.errors import UserError
from flow.job import Job, execute
from flow.project import Project, near_matches
from flow.simulations import Simulations

OnResult = Callable[[Job, verdict.Result], None]


class Launcher(Protocol):
    """Runs jobs whose manifests are written, and reports each result once, from the calling thread."""

    def run(self, project: Project, jobs: Sequence[Job], on_result: OnResult) -> None: ...


class LocalLauncher:
    """Runs jobs in the order given, a fixed number at a time."""

    def __init__(self, parallel: int | None = None) -> None:
        self.parallel = parallel or os.cpu_count() or 1

    def run(self, project: Project, jobs: Sequence[Job], on_result: OnResult) -> None:
        simulations = Simulations()
        with ThreadPoolExecutor(max_workers=self.parallel) as executor:
            pending: dict[Future[verdict.Result], Job] = {
                executor.submit(execute, project, job, simulations): job for job in jobs
            }
            try:
                while pending:
                    done, _ = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        on_result(pending.pop(future), future.result())
            except BaseException:
                # Ctrl-C: queued runs never start, running ones end without a result.
                for future in pending:
                    future.cancel()
                simulations.stop()
                raise


class SlurmLauncher:
    """Submits all jobs as one array and waits for their result files."""

    POLL_S = 2.0
    GRACE_POLLS = 5
    """Polls after the array has left the queue before a missing result counts as lost (shared file systems lag)."""

    def __init__(self, parallel: int | None = None, poll_s: float = POLL_S) -> None:
        self.parallel = parallel
        self.poll_s = poll_s

    def script(self, project: Project, jobs: Sequence[Job], folder: Path) -> str:
        """The sbatch script; line N of `jobs.txt` beside it is the run folder of array task N."""
        limit = f"%{self.parallel}" if self.parallel else ""
        minutes = max(job.timeout_s for job in jobs) // 60 + 2
        shown = project.relative(folder)
        lines = [
            "#!/bin/bash",
            f"#SBATCH --job-name=sluicegate-{folder.name}",
            f"#SBATCH --array=1-{len(jobs)}{limit}",
            f"#SBATCH --time={minutes}",
            "#SBATCH --cpus-per-task=1",
            f"#SBATCH --output={shown}/slurm-%a.txt",
            f"cd {shlex.quote(str(project.root))} || exit 2",
            f'run=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {shlex.quote(f"{shown}/jobs.txt")})',
            f'exec {shlex.quote(sys.executable)} -m flow job "$run"',
        ]
        return "\n".join(lines) + "\n"

    def run(self, project: Project, jobs: Sequence[Job], on_result: OnResult) -> None:
        folder = jobs[0].folder(project).parent
        (folder / "jobs.txt").write_text("".join(f"{job.cwd}\n" for job in jobs))
        script = folder / "jobs.sbatch"
        script.write_text(self.script(project, jobs, folder))
        array = self._submit(project, script)
        waiting = {job.cwd: job for job in jobs}
        grace = self.GRACE_POLLS
        try:
            while waiting and grace:
                for cwd, job in list(waiting.items()):
                    result = read_result(job.folder(project))
                    if result is not None:
                        del waiting[cwd]
                        on_result(job, result)
                if waiting:
                    grace = self.GRACE_POLLS if self._queued(array) else grace - 1
                    time.sleep(self.poll_s)
        except BaseException:
            subprocess.run(["scancel", array], check=False, capture_output=True)
            raise
        for job in waiting.values():
            reason = f"Slurm job {array} ended without a result of this run"
            signature = verdict.Signature("launcher", "slurm", reason)
            on_result(job, verdict.Result(job.test, job.seed, job.reproduce, (reason,), signature))

    def _submit(self, project: Project, script: Path) -> str:
        command = ["sbatch", "--parsable", str(script)]
        try:
            done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise UserError("Slurm is not installed here: 'sbatch' is not on PATH; use LAUNCHER=local.") from None
        match = re.match(r"\d+", done.stdout)
        if done.returncode != 0 or match is None:
            raise UserError("Slurm did not take the job array.", (done.stderr or done.stdout).strip())
        return match[0]

    def _queued(self, array: str) -> bool:
        done = subprocess.run(["squeue", "--noheader", "--jobs", array], capture_output=True, text=True, check=False)
        return done.returncode == 0 and bool(done.stdout.strip())


LAUNCHERS: dict[str, Callable[[int | None], Launcher]] = {"local": LocalLauncher, "slurm": SlurmLauncher}


def launcher(name: str, parallel: int | None) -> Launcher:
    """The launcher called `name`."""
    if name not in LAUNCHERS:
        raise UserError(f"There is no launcher '{name}': {near_matches(name, LAUNCHERS)}")
    return LAUNCHERS[name](parallel)


def read_result(folder: Path) -> verdict.Result | None:
    """The result of a run folder; None while there is none."""
    try:
        return verdict.from_json(json.loads((folder / verdict.RESULT).read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
