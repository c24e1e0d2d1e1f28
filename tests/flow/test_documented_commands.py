"""Every command of the documentation exists: targets and variables of the Makefile, options, tests, sets, DUTs, files.

`make -n` expands a command to what it would run, and the flow's own parser and lists judge that; nothing heavy is started.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from flow import catalogue, conformance, faults, testlist
from flow.command_line import make_parser
from flow.errors import UserError
from flow.project import Project
from tests.unit.docs.pages import PAGES, ROOT, load

PROJECT = Project()
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
VARIABLES = set(re.findall(r"\$\((?:[a-z-]+ [^$]*\$\()?([A-Z]+)", MAKEFILE))
FLOW, STAMP = ".venv/bin/python -m flow ", "build/environment.stamp"
PLACEHOLDER = re.compile(r"[\[\]|<]|=(?=\s|$|dir)")
"""Open settings and arguments, as in `make sim TEST= SEED= [WAVES=1]`."""
WITH_COMMANDS = [name for name in PAGES if load(name).commands()]
OPENED_FIRST = {"git clone", "git apply", "cd sluicegate"}
"""Commands of others; files they name must exist."""


def test_commands_are_found() -> None:
    assert {"README.md", "docs/flow.md", "docs/guides/first-run.md", "docs/guides/hunt-a-failure.md"} <= set(WITH_COMMANDS)
    assert {"TEST", "SEED", "WAVES", "PATCHES", "DUT"} <= VARIABLES


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_the_commands_of_a_page_exist(name: str) -> None:
    faults_found = [
        f"{name}:{line}: `{command}`: {fault}" for line, command in load(name).commands() if (fault := judge(command))
    ]
    assert not faults_found, "\n".join(faults_found)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("make simulate TEST=iommu_random", "No rule"),
        ("make sim TEST=iommu_randon SEED=1", "There is no test"),
        ("make sim TEST=iommu_random SED=1", "no variable SED"),
        ("make sim TEST=iommu_random SEED=x", "not a seed"),
        ("make regress SET=weekly", "There is no set"),
        ("python -m flow build dma_huge", "There is no DUT"),
        ("python -m flow faults none", "no planted fault"),
        ("python -m flow simulate x", "invalid choice"),
        ("git apply tests/faults/none.patch", "does not exist"),
        ("rm -rf everything", "nobody checks"),
    ],
)
def test_a_wrong_command_is_noticed(command: str, fault: str) -> None:
    assert fault in judge(command)


def test_the_planted_fault_of_the_guide_fails_as_the_guide_says() -> None:
    page = load("docs/guides/hunt-a-failure.md")
    (fault,) = {faults.read(ROOT / text.split()[-1]) for _, text in page.commands() if text.startswith("git apply")}
    assert f"{fault.checker} in {fault.block}" in page.text
    assert f"make sim TEST={fault.tests[0]} SEED={fault.seed}" in page.text


def test_make_help_names_every_target_of_the_readme() -> None:
    done = run_make("help")
    for _, command in load("README.md").commands():
        if command.startswith("make ") and command != "make help":
            assert command.split()[1] in done.stdout


def run_make(*words: str) -> subprocess.CompletedProcess[str]:
    # What the make around this test was given is not for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in VARIABLES}
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def judge(command: str) -> str:
    """What is wrong with a command; empty when nothing is."""
    words = shlex.split(re.sub(r"^(\w+=\S+ )+", "", command))
    if words[0] == "make":
        return judge_make(words[1:], mentioned=bool(PLACEHOLDER.search(command)))
    if "-m flow " in command:
        return judge_flow(command.split("-m flow ", 1)[1])
    if words[0] == ".venv/bin/python":
        return judge_files(words[1:]) if words[1] != "-m" else judge_module(words[2:])
    if " ".join(words[:2]) in OPENED_FIRST:
        return judge_files(words[2:])
    return "nobody checks this kind of command"


def judge_make(words: list[str], mentioned: bool) -> str:
    """``mentioned``: settings are left open, so only the names of target and variables can be judged."""
    target, *settings = (word.strip("[]") for word in words)
    if unknown := [name for name in (setting.split("=")[0] for setting in settings) if name not in VARIABLES]:
        return f"the Makefile knows no variable {unknown[0]}"
    # The environment is taken as set up: its recipe is not what is asked for here.
    done = run_make("-n", f"--old-file={STAMP}", target, *([] if mentioned else settings))
    if done.returncode:
        return done.stderr.strip()
    if mentioned or not settings:
        return ""
    expanded = [line for line in done.stdout.replace("\\\n", " ").splitlines() if line.startswith(FLOW)]
    return next((fault for line in expanded if (fault := judge_flow(line.removeprefix(FLOW)))), "")


def judge_flow(text: str) -> str:
    if PLACEHOLDER.search(text):
        text = f"{text.split()[0]} --help"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            arguments = make_parser().parse_args(shlex.split(text))
    except UserError as error:
        return str(error)
    except SystemExit as end:
        return "" if end.code == 0 else "the flow does not know it"
    try:
        tests = testlist.load(PROJECT)
        for test in [getattr(arguments, "test", None), *getattr(arguments, "tests", [])]:
            if test is not None:
                testlist.find(tests, test)
        if hasattr(arguments, "set"):
            testlist.choose(tests, arguments.set)
        for dut in getattr(arguments, "duts", []):
            catalogue.find(catalogue.load(PROJECT), dut)
        if arguments.command == "faults":
            known = {fault.name for fault in faults.load(arguments.patches or ROOT / faults.FOLDER)}
            if unknown := sorted(set(arguments.names) - known):
                return f"there is no planted fault {unknown[0]}"
    except UserError as error:
        return str(error)
    return ""


def judge_module(words: list[str]) -> str:
    if words[0] == "pytest":
        return judge_files([word for word in words[1:] if not word.startswith("-")])
    if words[0] == "sluicegate.conformance":
        return "" if conformance.available(PROJECT) else "there is no replay"
    return f"nobody checks python -m {words[0]}"


def judge_files(words: list[str]) -> str:
    for word in words:
        if "/" in word and "://" not in word and not (ROOT / Path(word)).exists():
            return f"{word} does not exist"
    return ""
