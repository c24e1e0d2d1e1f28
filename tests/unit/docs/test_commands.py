"""Every command of the documentation exists: targets and variables of the Makefile, options, tests, sets, DUTs, files.

`make -n` expands a command to what it would run, and the flow's own parser and lists judge that; nothing heavy is started.
"""

from __future__ import annotations

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
FLOW = ".venv/bin/python -m flow "
PLACEHOLDER = re.compile(r"[\[\]|]|=(?=\s|$|dir)")
WITH_COMMANDS = [name for name in PAGES if load(name).commands()]
OPENED_FIRST = {"git clone", "git apply", "cd sluicegate"}
"""Commands of others; files they name must exist."""


def test_commands_are_found() -> None:
    assert {"README.md", "docs/flow.md", "docs/guides/first-run.md", "docs/guides/hunt-a-failure.md"} <= set(WITH_COMMANDS)
    assert {"TEST", "SEED", "WAVES", "PATCHES", "DUT"} <= VARIABLES


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_the_commands_of_a_page_exist(name: str) -> None:
    faults_found = [f"{name}:{line}: `{command}`: {fault}" for line, command in load(name).commands() if (fault := judge(command))]
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
        ("git apply tests/faults/none.patch", "does not exist"),
        ("rm -rf everything", "nobody checks"),
    ],
)
def test_a_wrong_command_is_noticed(command: str, fault: str) -> None:
    assert fault in judge(command)


def test_make_help_names_every_target_of_the_readme() -> None:
    done = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for _, command in load("README.md").commands():
        if command.startswith("make ") and command != "make help":
            assert command.split()[1] in done.stdout


def judge(command: str) -> str:
    """What is wrong with a command; empty when nothing is."""
    words = shlex.split(re.sub(r"^(\w+=\S+ )+", "", command))
    if words[0] == "make":
        return judge_make(words[1:], concrete=not PLACEHOLDER.search(command))
    text = " ".join(words)
    if FLOW.strip() in text or text.startswith("python -m flow "):
        return judge_flow(text.split("-m flow ", 1)[1])
    if words[0] == ".venv/bin/python":
        return judge_files(words[1:]) if words[1] != "-m" else judge_module(words[2:])
    if " ".join(words[:2]) in OPENED_FIRST:
        return judge_files(words[2:])
    return "nobody checks this kind of command"


def judge_make(words: list[str], concrete: bool) -> str:
    target, settings = words[0].strip("[]"), [word.strip("[]") for word in words[1:]]
    for setting in settings:
        if "=" in setting and setting.split("=")[0] not in VARIABLES:
            return f"the Makefile knows no variable {setting.split('=')[0]}"
    assignments = [setting for setting in settings if "=" in setting] if concrete else []
    # The environment would be checked (and its set-up printed) before the target: that is not asked here.
    command = ["make", "-n", "--no-print-directory", "--old-file=build/environment.stamp", target, *assignments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip()
    if concrete:
        for line in done.stdout.replace("\\\n", " ").splitlines():
            if line.startswith(FLOW) and (fault := judge_flow(line.removeprefix(FLOW))):
                return fault
    return ""


def judge_flow(text: str) -> str:
    if PLACEHOLDER.search(text) or "<" in text:
        text = text.split()[0] + " --help" if text.split()[0] not in catalogue_of_commands() else ""
        return "no such command" if text else ""
    try:
        arguments = make_parser().parse_args(shlex.split(text))
        tests = testlist.load(PROJECT)
        for test in [getattr(arguments, "test", None), *getattr(arguments, "tests", [])]:
            if test is not None:
                testlist.find(tests, test)
        if getattr(arguments, "set", None):
            testlist.choose(tests, arguments.set)
        for dut in getattr(arguments, "duts", []):
            catalogue.find(catalogue.load(PROJECT), dut)
        if arguments.command == "faults":
            known = {fault.name for fault in faults.load(arguments.patches or ROOT / faults.FOLDER)}
            if unknown := set(arguments.names) - known:
                return f"no planted fault {unknown}"
    except UserError as error:
        return str(error)
    return ""


def catalogue_of_commands() -> str:
    return make_parser().format_help()


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
