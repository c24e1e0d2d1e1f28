"""One question to the solver: a model of one module, `prove`, `bmc` or `cover` to a depth, and the answer in terms of its source.

SymbiYosys runs Yosys (slang front end) and smtbmc with Yices, all from their wheels. Only the module under proof is read with
FORMAL defined; those below it are read as for synthesis, so that nothing a lower module assumes of its surroundings is taken for
granted here. The assertions beside the logic, those of every simulation, are part of the question.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flow import yosys
from flow.project import Project
from flow.proofs import sources

SYMBOLS = Path(__file__).with_name("formal_symbols.v")
SYMBOLS_MAP = Path(__file__).with_name("formal_symbols_map.v")
SYMBOL_MODULES = ("formal_constant", "formal_free")
MODEL = "{name}.sby"
SCRIPT = """\
[options]
mode {mode}
depth {depth}
vcd {waves}

[engines]
smtbmc yices

[script]
read_slang --threads 1 -Wextra -Wno-useless-cast --no-synthesis-define -C below.f -C proven.f --top {module}{parameters}{boxes}
techmap -map {map}
cutpoint -blackbox
prep -flatten -top {module}

[file below.f]
-D SYNTHESIS
{below}

[file proven.f]
-D FORMAL
{proven}

[files]
{files}
"""
STEP = re.compile(r"Checking assertions in step (\d+)")
FAILED = re.compile(r"Assert failed in [^:]+: (.+)$", re.MULTILINE)
PLACE = re.compile(r"(?:failed assertion|unreached cover statement\S*:?|  ) ?\S+?\.(\S+) at (\w+\.v):(\d+)")
UNREACHED = re.compile(r"Unreached cover statement at [^:]+: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Question:
    """What is asked of the solver."""

    name: str
    module: str
    parameters: Mapping[str, int] = field(hash=False)
    abstract: tuple[str, ...]
    """Modules below it whose outputs are free: what is shown holds whatever they do."""
    mode: str
    """prove, bmc or cover."""
    depth: int


@dataclass(frozen=True)
class Property:
    """An assertion or a cover statement."""

    label: str
    """Its label, or file and line of one without."""
    place: str
    """File below the checkout and line; empty where the tools do not say."""


@dataclass(frozen=True)
class Answer:
    """What the solver said."""

    holds: bool
    """Assertions hold; every cover statement is met."""
    step: int | None
    """Step from reset at which an assertion fails; None where it is only the induction that does not go through."""
    failed: tuple[Property, ...]
    """Assertions that fail, cover statements that are not met."""
    waves: Path | None
    complaint: str
    """Why there is no verdict: what the front end did not accept, a module without assertions; empty if there is one."""


def ask(project: Project, question: Question, folder: Path) -> Answer:
    """Puts a question; everything about it lies in `folder` afterwards, with the model as `<name>.sby` to run again by hand."""
    yosys.version()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files, headers = sources(project, question.module)
    model = folder / MODEL.format(name=question.name)
    given = [*files, *headers, SYMBOLS, SYMBOLS_MAP]
    model.write_text(
        SCRIPT.format(
            mode=question.mode,
            depth=question.depth,
            waves="off" if question.mode == "cover" else "on",
            module=question.module,
            parameters="".join(f" -G {name}={value}" for name, value in question.parameters.items()),
            boxes="".join(f" --blackboxed-module {name}" for name in (*SYMBOL_MODULES, *question.abstract)),
            map=SYMBOLS_MAP.name,
            below=" ".join(path.name for path in files[:-1]),
            proven=f"{SYMBOLS.name} {files[-1].name}",
            files="\n".join(os.path.relpath(path, folder) for path in given),
        )
    )
    command = [yosys.find("yowasp-sby"), "--yosys", yosys.YOSYS, "--smtbmc", f"{yosys.YOSYS}-smtbmc"]
    command += ["--witness", f"{yosys.YOSYS}-witness", "-f", "-d", "run", model.name]
    done = subprocess.run(
        command, cwd=folder, env=yosys.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    (folder / "log.txt").write_text(done.stdout)
    return _answer(project, question, folder, done.stdout, {path.name: path for path in given})


def _answer(project: Project, question: Question, folder: Path, log: str, given: Mapping[str, Path]) -> Answer:
    """Reads the log of SymbiYosys."""
    run = folder / "run"
    status = (run / "status").read_text().split()[0] if (run / "status").is_file() else "none"
    complaint = _complaint(question, run, status)
    if complaint or status == "PASS":
        return Answer(not complaint, None, (), None, complaint)
    places = {label: f"{_shown(project, given, name)}:{line}" for label, name, line in PLACE.findall(log)}
    if question.mode == "cover":
        labels = UNREACHED.findall(log)
        return Answer(False, None, tuple(_property(label, places) for label in dict.fromkeys(labels)), None, "")
    basecase = [line for line in log.splitlines() if "induction" not in line]
    labels = FAILED.findall("\n".join(basecase))
    if labels:
        steps = [int(step) for line in basecase for step in STEP.findall(line)]
        waves, step = run / "engine_0" / "trace.vcd", steps[-1] if steps else None
    else:
        labels = FAILED.findall(log)
        waves, step = run / "engine_0" / "trace_induct.vcd", None
    found = tuple(_property(label, places) for label in dict.fromkeys(labels))
    return Answer(False, step, found, waves if waves.is_file() else None, "" if found else f"no verdict ({status})")


def _complaint(question: Question, run: Path, status: str) -> str:
    design = run / "model" / "design.log"
    lines = design.read_text().splitlines() if design.is_file() else []
    for line in lines:
        if re.search(r"^(\S+: )?(error|warning): ", line, re.IGNORECASE):
            return line.strip()
    if status == "ERROR" or status == "none":
        return f"SymbiYosys ended without a verdict, see {run.parent.name}/log.txt"
    statements = (run / "model" / "design_smt2.smt2").read_text()
    kind = "cover" if question.mode == "cover" else "assert"
    if f"; yosys-smt2-{kind} " not in statements:
        return f"the module {question.module} has no {kind} statement under FORMAL: nothing was proven"
    return ""


def _property(label: str, places: Mapping[str, str]) -> Property:
    unlabelled = re.search(r"(\w+\.v):(\d+)", label)
    if unlabelled:
        return Property(f"assertion of line {unlabelled[2]}", f"{unlabelled[1]}:{unlabelled[2]}")
    return Property(label, places.get(label.rsplit(".", 1)[-1], ""))


def _shown(project: Project, given: Mapping[str, Path], name: str) -> str:
    path = given.get(name)
    if path is None:
        return name
    try:
        return str(path.relative_to(project.rtl_root))
    except ValueError:
        return project.relative(path)


def require() -> None:
    """A `UserError` where one of the programs is missing."""
    for name in (yosys.YOSYS, "yowasp-sby", f"{yosys.YOSYS}-smtbmc", f"{yosys.YOSYS}-witness", "yices-smt2"):
        yosys.find(name)
