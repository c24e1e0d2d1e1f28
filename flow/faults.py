"""`make faults`: plants each fault in a copy of the RTL and reports which checker catches it.

A planted fault is a patch, a unified diff against hdl/, with comment lines above it:
`# title:`, `# test:` (names, separated by commas), `# seed:`, `# expect-checker:`, `# expect-block:`.
A patch without a header (from somebody else) runs every test of every DUT that is built from a file it touches; any checker may
catch it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flow import catalogue, regress, testlist
from flow.errors import UserError
from flow.project import Project
from flow.regress import Options
from flow.testlist import ListedTest
from flow.verilate import Main

FOLDER = "tests/faults"
HEADER = re.compile(r"^# ?(title|test|seed|expect-checker|expect-block): *(.+?) *$", re.MULTILINE)
TOUCHED = re.compile(r"^\+\+\+ (?:b/)?(hdl/\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Fault:
    """One patch and what is expected of it."""

    name: str
    path: Path
    title: str
    tests: tuple[str, ...]
    seed: int
    checker: str
    """Empty: any checker may catch it."""
    block: str
    touched: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What happened to one fault."""

    fault: Fault
    caught_by: str
    """`<checker> in <block>`, or empty for a survivor."""
    right: bool
    """Caught, by the checker and in the block expected."""
    reproduce: str

    @property
    def line(self) -> str:
        if not self.caught_by:
            return "survived"
        expected = f"{self.fault.checker or 'any checker'} in {self.fault.block or 'any block'}"
        return f"caught by {self.caught_by}" + ("" if self.right else f" (expected {expected})")


def load(folder: Path) -> list[Fault]:
    """All patches of a folder, by name."""
    if not folder.is_dir():
        raise UserError(f"The folder of patches {folder} does not exist.")
    paths = sorted(folder.glob("*.patch"))
    if not paths:
        raise UserError(f"The folder {folder} holds no *.patch.")
    return [read(path) for path in paths]


def read(path: Path) -> Fault:
    """One patch file."""
    text = path.read_text()
    header = dict(HEADER.findall(text.split("\n--- ")[0]))
    touched = tuple(dict.fromkeys(TOUCHED.findall(text)))
    if not touched:
        raise UserError(f"The patch {path.name} changes no file below hdl/: it has no line '+++ b/hdl/...'.")
    return Fault(
        name=path.stem,
        path=path,
        title=header.get("title", path.stem.replace("_", " ")),
        tests=tuple(name.strip() for name in header.get("test", "").split(",") if name.strip()),
        seed=testlist.parse_seed(header.get("seed", str(testlist.FIRST_SEED))),
        checker=header.get("expect-checker", ""),
        block=header.get("expect-block", ""),
        touched=touched,
    )


def run(project: Project, folder: Path, names: Sequence[str] = (), main: Main = Main.FAST) -> list[Outcome]:
    """Plants and hunts every fault (or the named ones); prints a line for each."""
    faults = [fault for fault in load(folder) if not names or fault.name in names]
    if not faults:
        raise UserError(f"{folder} holds none of the faults {', '.join(names)}.")
    tests = testlist.load(project)
    chosen = {fault.name: tests_for(project, fault, tests) for fault in faults}
    # A patch that does not apply is said before the first of many builds.
    for fault in faults:
        plant(project, fault)
    outcomes = []
    for fault in faults:
        outcome = hunt(project, fault, chosen[fault.name], main)
        print(f"{fault.name}: {outcome.line}", flush=True)
        if not outcome.right and outcome.reproduce:
            print(f"  {outcome.reproduce} with {fault.path} applied")
        outcomes.append(outcome)
    return outcomes


def tests_for(project: Project, fault: Fault, tests: Mapping[str, ListedTest]) -> list[ListedTest]:
    """The tests to run for a fault."""
    if fault.tests:
        return [testlist.find(tests, name) for name in fault.tests]
    duts = catalogue.load(project)
    touched = {project.rtl_root / name for name in fault.touched}
    concerned = {name for name, dut in duts.items() if dut.available(project) and touched & set(dut.rtl_files(project))}
    found = [test for test in tests.values() if test.dut in concerned]
    if not found:
        raise UserError(
            f"No test runs on a DUT built from {', '.join(fault.touched)}, which the patch {fault.path.name} changes."
        )
    return found


def hunt(project: Project, fault: Fault, tests: Sequence[ListedTest], main: Main = Main.FAST) -> Outcome:
    """Builds the RTL with the fault in it and runs the tests one after the other until one fails."""
    planted = plant(project, fault)
    reproduce = ""
    for test in tests:
        outcome = regress.run(planted, f"faults/{fault.name}", [(test, fault.seed)], Options(main=main, quiet=True))
        for result in outcome.failures:
            signature = result.signature
            reproduce = result.reproduce
            if signature is not None:
                right = (not fault.checker or signature.checker == fault.checker) and (
                    not fault.block or signature.block == fault.block
                )
                return Outcome(fault, signature.bucket, right, reproduce)
    return Outcome(fault, "", False, reproduce)


def plant(project: Project, fault: Fault) -> Project:
    """The project with a patched copy of hdl/; a patch that does not apply exactly is a `UserError`."""
    place = project.build / "faults" / fault.name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copytree(project.rtl_root / "hdl", place / "hdl")
    strip = "-p1" if re.search(r"^\+\+\+ b/", fault.path.read_text(), re.MULTILINE) else "-p0"
    patch = str(fault.path.absolute())
    if shutil.which("git"):
        command = ["git", "apply", "--whitespace=nowarn", strip, patch]
    else:
        command = ["patch", "--batch", "--fuzz=0", "--no-backup-if-mismatch", strip, "-i", patch]
    # Inside a repository `git apply` passes over ignored folders such as build/, without a word.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(place.parent)}
    try:
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError("Neither 'git' nor 'patch' is installed: install one to plant faults.") from None
    if done.returncode != 0:
        raise UserError(f"The patch {fault.path.name} does not apply to hdl/.", (done.stderr or done.stdout).strip())
    for name in fault.touched:
        before, after = project.rtl_root / name, place / name
        if before.is_file() and after.is_file() and before.read_bytes() == after.read_bytes():
            raise UserError(f"The patch {fault.path.name} was applied but left {name} as it was.")
    return replace(project, rtl_root=place)
