"""A regression: choose runs, build what they need once, run them, say what happened."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from flow import catalogue, job, modules, verdict
from flow.build import Build, Builder, Variant, wave_format
from flow.errors import UserError
from flow.job import Job
from flow.launchers import launcher, read_result
from flow.progress import Progress, duration
from flow.project import Project
from flow.testlist import ListedTest
from flow.verilate import Main, Waves

HISTORY = "history.json"
"""Below the build folder: seconds the last run of each test took; orders the next regression, longest first."""
ASSUMED_S = 5.0
SHOWN_FAILURES = 3
"""Failures of one signature that are printed as they happen; the summary has all."""


@dataclass(frozen=True)
class Options:
    """How to run, beside what."""

    main: Main = Main.FAST
    waves: bool = False
    coverage: bool = False
    jobs: int | None = None
    launcher: str = "local"
    resume: bool = False
    quiet: bool = False
    """Print nothing but sentences about what is missing."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Extra environment of the simulator."""
    x_seed: int | None = None
    """Seed of X-initialisation; follows the seed of the run unless given."""


@dataclass
class Outcome:
    """All results of a set of runs, in the order of the test list."""

    name: str
    folder: Path
    results: list[verdict.Result]
    wall_s: Mapping[tuple[str, int], float]
    """Seconds each run took, by test and seed."""

    @property
    def failures(self) -> list[verdict.Result]:
        return [result for result in self.results if not result.passed]


def build_all(builder: Builder, names: Sequence[str], options: Options) -> dict[str, Build]:
    """Builds the named DUTs side by side; reports those that were not in the cache."""
    duts = catalogue.load(builder.project)
    waves = Waves.NONE
    if options.waves:
        waves, sentence = wave_format(builder)
        if sentence:
            print(sentence)
    variant = Variant(options.main, waves, options.coverage)
    wanted = [catalogue.find(duts, name) for name in dict.fromkeys(names)]
    if not options.quiet:
        print(f"simulations: {', '.join(dut.name for dut in wanted)} ({options.main.value})", flush=True)
    with ThreadPoolExecutor(max_workers=max(1, builder.pool.jobs)) as executor:
        pending = [executor.submit(builder.build, dut, variant) for dut in wanted]
        builds: dict[str, Build] = {}
        try:
            for future in as_completed(pending):
                build = future.result()
                builds[build.dut.name] = build
                if build.seconds and not options.quiet:
                    print(f"  built {build.dut.name} in {duration(build.seconds)}", flush=True)
        except BaseException:
            # One build has failed or Ctrl-C: those that wait do not start.
            for future in pending:
                future.cancel()
            raise
    return builds


def run(project: Project, name: str, runs: Sequence[tuple[ListedTest, int]], options: Options) -> Outcome:
    """Runs `runs` as the set `name`; run folders are `build/runs/<name>/<test>-<seed>/`."""
    if not runs:
        raise UserError(f"The set '{name}' holds no run.")
    modules.check(project, [test for test, _ in runs])
    builds = build_all(Builder(project, options.jobs), [test.dut for test, _ in runs], options)
    folder = project.runs / name
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        job.make_job(project, test, seed, builds[test.dut], folder / f"{test.name}-{seed}", options.env, options.x_seed)
        for test, seed in runs
    ]
    results = {(entry.test, entry.seed): _kept(project, entry) for entry in jobs} if options.resume else {}
    todo = [entry for entry in jobs if results.get((entry.test, entry.seed)) is None]
    history = _history(project)
    todo.sort(key=lambda entry: (-history.get(entry.test, ASSUMED_S), entry.test, entry.seed))
    for entry in todo:
        entry.write(project)
    weights = {entry.test: history.get(entry.test, ASSUMED_S) for entry in todo}
    stream = io.StringIO() if options.quiet else sys.stdout
    progress = Progress(sum(weights[entry.test] for entry in todo), len(todo), stream)

    shown: Counter[str] = Counter()

    def finished(entry: Job, result: verdict.Result) -> None:
        results[entry.test, entry.seed] = result
        if not result.passed:
            bucket = result.signature.bucket if result.signature else "unknown"
            shown[bucket] += 1
            if shown[bucket] <= SHOWN_FAILURES:
                progress.note(f"  FAIL {entry.test} seed {entry.seed}: {bucket}: {result.reasons[0]}\n       {result.reproduce}")
        progress.finished(weights[entry.test], result.passed)

    try:
        if todo:
            launcher(options.launcher, options.jobs).run(project, todo, finished)
    finally:
        progress.close()
    ordered = [result for entry in jobs if (result := results.get((entry.test, entry.seed))) is not None]
    times = {(entry.test, entry.seed): _wall(entry.folder(project)) for entry in jobs}
    _remember(project, history, times)
    return Outcome(name, folder, ordered, times)


def _kept(project: Project, entry: Job) -> verdict.Result | None:
    """The result of an earlier run of exactly this job, if it passed."""
    folder = entry.folder(project)
    try:
        earlier = job.read(folder)
    except UserError:
        return None
    result = read_result(folder)
    return result if earlier == entry and result is not None and result.passed else None


def _wall(folder: Path) -> float:
    with contextlib.suppress(OSError, ValueError, KeyError):
        return float(json.loads((folder / verdict.TIMING).read_text())["wall_s"])
    return 0.0


def _history(project: Project) -> dict[str, float]:
    with contextlib.suppress(OSError, ValueError):
        return {str(name): float(value) for name, value in json.loads((project.build / HISTORY).read_text()).items()}
    return {}


def _remember(project: Project, history: dict[str, float], times: Mapping[tuple[str, int], float]) -> None:
    for test in {name for name, _ in times}:
        known = [value for (name, _), value in times.items() if name == test and value]
        if known:
            history[test] = round(sum(known) / len(known), 3)
    job.write_json(project.build / HISTORY, history)


def reproduce_folder(project: Project, test: ListedTest, seed: int) -> Path:
    """Where `make sim` runs."""
    return project.runs / "sim" / f"{test.name}-{seed}"
