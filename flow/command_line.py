"""The command line: parses, calls one function a command, turns a `UserError` into one sentence and exit status 2."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from flow import (
    bench,
    catalogue,
    conformance,
    coverage,
    determinism,
    documentation,
    edit_to_verdict,
    faults,
    formal,
    job,
    lint,
    model_coverage,
    proofs,
    registers,
    regress,
    report,
    suite,
    summary,
    synthesis,
    synthesis_table,
    testlist,
    verdict,
    wave_save,
)
from flow.build import Builder
from flow.edit_to_verdict import TARGET_S
from flow.errors import UserError
from flow.launchers import launcher
from flow.lint_check import Finding
from flow.project import Project
from flow.verilate import Main

FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line as a `UserError`."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message[:1].upper()}{message[1:]}; see 'make help' or 'python -m flow --help'.")


def positive(text: str) -> int:
    """A number of jobs or seeds."""
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"'{text}' is not a number of jobs or seeds: give a whole number of at least 1.")
    return int(text)


def regress_command(project: Project, arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    tests = testlist.select(testlist.load(project), arguments.tests)
    runs = testlist.choose(tests, arguments.set, arguments.seed, arguments.seeds)
    options = regress.Options(
        main=Main(arguments.main),
        waves=arguments.waves,
        coverage=arguments.coverage,
        jobs=arguments.jobs,
        launcher=arguments.launcher,
        resume=arguments.resume,
    )
    print(f"{arguments.set}: {len(tests)} tests, {len(runs)} runs", flush=True)
    outcome = regress.run(project, arguments.set, runs, options)
    summary.write(outcome)
    covered = coverage.of_runs(project, outcome)
    page = report.write(project, outcome, covered)
    print(summary.render(outcome, time.monotonic() - started, covered))
    print(f"report: {project.relative(page)}")
    return FAILED if outcome.failures or covered.faults or len(outcome.results) != len(runs) else 0


def sim_command(project: Project, arguments: argparse.Namespace) -> int:
    test = testlist.find(testlist.load(project), arguments.test)
    options = regress.Options(main=Main(arguments.main), waves=arguments.waves, coverage=arguments.coverage)
    outcome = regress.run(project, "sim", [(test, arguments.seed)], options)
    result = outcome.results[0]
    folder = regress.reproduce_folder(project, test, arguments.seed)
    passed = "PASS" if result.passed else "FAIL"
    compared = verdict.compared_text(result.compared_kinds)
    print(f"{passed} {test.name} seed {result.seed}: {result.cycles:,} cycles, {compared} compared")
    for reason in result.reasons[1:]:
        print(f"  also: {reason}")
    print(f"log: {project.relative(folder / 'log.txt')}")
    if arguments.waves:
        wave = job.wave_file(folder)
        print(f"wave: {project.relative(wave)}" if wave else "wave: none was written")
        if wave and (folder / wave_save.FILE).is_file():
            names = [project.relative(path) for path in (wave, folder / wave_save.FILE)]
            print(f"at the first mismatch: gtkwave {' '.join(names)}")
    elif not result.passed:
        print(f"waves: {result.reproduce} WAVES=1")
    return 0 if result.passed else FAILED


def lint_command(project: Project, arguments: argparse.Namespace) -> int:
    report = lint.run(project, arguments.only)
    print(report.line)
    return FAILED if report.failed else 0


def build_command(project: Project, arguments: argparse.Namespace) -> int:
    duts = catalogue.load(project)
    names = arguments.duts or [name for name, dut in duts.items() if dut.available(project)]
    options = regress.Options(main=Main(arguments.main), waves=arguments.waves, coverage=arguments.coverage)
    for name, build in regress.build_all(Builder(project, arguments.jobs), names, options).items():
        print(f"{name}: {project.relative(build.executable)}")
    return 0


def test_command(project: Project, arguments: argparse.Namespace) -> int:
    return suite.run(project)


def model_coverage_command(project: Project, arguments: argparse.Namespace) -> int:
    passed, failed = model_coverage.run(project)
    return 0 if passed and not failed else FAILED


def conformance_command(project: Project, arguments: argparse.Namespace) -> int:
    passed, failed = conformance.replay(project, arguments.vectors, arguments.dut)
    return 0 if passed and not failed else FAILED


def faults_command(project: Project, arguments: argparse.Namespace) -> int:
    outcomes = faults.run(project, arguments.patches or project.root / faults.FOLDER, arguments.names, Main(arguments.main))
    right = sum(outcome.right for outcome in outcomes)
    survived = sum(not outcome.caught_by for outcome in outcomes)
    print(f"{len(outcomes)} faults, {right} caught by the right checker, {survived} survived")
    return 0 if right == len(outcomes) else FAILED


def formal_command(project: Project, arguments: argparse.Namespace) -> int:
    if arguments.table:
        print(proofs.table(proofs.load(project)))
        return 0
    passed, failed = formal.run(project, arguments.names, arguments.jobs)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else FAILED


def bench_command(project: Project, arguments: argparse.Namespace) -> int:
    figures, failures = bench.measure(project)
    print(bench.render(figures))
    print(f"figures: {project.relative(bench.write(project, figures))}")
    for sentence in failures:
        print(f"not measured: {sentence}")
    return FAILED if failures else 0


def synth_command(project: Project, arguments: argparse.Namespace) -> int:
    catalogue = synthesis.load(project)
    if arguments.docs and (arguments.block or arguments.target):
        raise UserError("The table of the documentation holds every block and target: leave out BLOCK= and TARGET= with DOCS=1.")
    blocks, targets = synthesis.choose(catalogue, arguments.block, arguments.target)
    figures = synthesis.measure(project, catalogue, blocks, targets, arguments.jobs or os.cpu_count() or 1)
    print(synthesis_table.render(figures))
    print(f"figures: {project.relative(synthesis.write(project, figures))}")
    if arguments.docs:
        synthesis_table.write_page(project, figures)
        print(f"table written into {synthesis_table.PAGE}")
    return FAILED if any(entry.met is False for entry in figures) else 0


def determinism_command(project: Project, arguments: argparse.Namespace) -> int:
    test = testlist.find(testlist.load(project), arguments.test)
    try:
        mains = [Main(name) for name in arguments.mains.split(",")]
    except ValueError:
        raise UserError(f"'{arguments.mains}' is not a list of mains: give some of fast,stock,unmodified.") from None
    differences = determinism.check(project, test, arguments.seed, determinism.conditions(mains))
    for line in differences:
        print(line)
    print(f"{test.name} seed {arguments.seed}: " + (f"{len(differences)} conditions differ" if differences else "deterministic"))
    return FAILED if differences else 0


def edit_command(project: Project, arguments: argparse.Namespace) -> int:
    slow = [measured for measured in edit_to_verdict.measure(project, arguments.duts, arguments.jobs) if measured.idle > TARGET_S]
    print("within the target" if not slow else f"above {TARGET_S:.0f} s: {', '.join(measured.dut for measured in slow)}")
    return 0


def docs_command(project: Project, arguments: argparse.Namespace) -> int:
    found = documentation.links_and_commands(project)
    faults = found.faults if isinstance(found, Finding) else ()
    for fault in faults:
        print(fault)
    print(f"register pages: {project.relative(documentation.write(project))}")
    return FAILED if faults else 0


def registers_command(project: Project, arguments: argparse.Namespace) -> int:
    return registers.main([])


def job_command(project: Project, arguments: argparse.Namespace) -> int:
    entry = job.read(project.root / arguments.folder)
    results = []
    launcher("local", 1).run(project, [entry], lambda _, result: results.append(result))
    return 0 if results and results[0].passed else FAILED


def make_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(prog="python -m flow", description="Builds simulations, runs tests, reports.")
    project = Project()
    parser.add_argument("--duts", type=Path, default=project.duts_file, dest="duts_file", help="catalogue of DUTs")
    parser.add_argument("--testlist", type=Path, default=project.testlist_file, help="list of tests")
    parser.add_argument("--testplan", type=Path, default=project.testplan_file, help="testplan")
    parser.add_argument("--proofs", type=Path, default=project.proofs_file, dest="proofs_file", help="catalogue of proofs")
    parser.add_argument("--build", type=Path, default=project.build, help="build folder")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command", parser_class=Parser)

    def command(name: str, function: Callable[[Project, argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(function=function)
        return added

    def how_to_run(added: argparse.ArgumentParser) -> None:
        added.add_argument("--main", default="fast", choices=["fast", "stock", "unmodified"], help="main of the simulation")
        added.add_argument("--waves", action="store_true", help="write waves")
        added.add_argument("--coverage", action="store_true", help="collect code coverage")

    added = command("regress", regress_command, "run a set of tests")
    added.add_argument("tests", nargs="*", help="only these tests")
    added.add_argument("--set", default="default", help="default, nightly or short")
    added.add_argument("--seed", type=testlist.parse_seed, default=testlist.FIRST_SEED, help="first seed of every test")
    added.add_argument("--seeds", type=positive, help="this many seeds of every test, not those of the test list")
    added.add_argument("--jobs", type=positive, help="runs at a time; one a core unless given")
    added.add_argument("--launcher", default="local", help="local or slurm")
    added.add_argument("--resume", action="store_true", help="keep passed runs of the same build")
    how_to_run(added)

    added = command("sim", sim_command, "run one test with one seed")
    added.add_argument("test")
    added.add_argument("seed", type=testlist.parse_seed)
    how_to_run(added)

    added = command("build", build_command, "build simulations")
    added.add_argument("duts", nargs="*", help="all that are in the checkout unless given")
    added.add_argument("--jobs", type=positive, help="compilers at a time")
    how_to_run(added)

    added = command("lint", lint_command, "run every static check")
    added.add_argument("only", nargs="*", help="only checks whose name contains one of these words")

    command("test", test_command, "all tests of the project")

    command("model-coverage", model_coverage_command, "branch coverage of the golden DMA API by its unit tests")

    added = command("conformance", conformance_command, "replay recorded truth")
    added.add_argument("--vectors", type=Path, help="folder of vectors; the project's own unless given")
    added.add_argument("--dut", default="model", choices=conformance.DUTS, help="model or iommu_rtl")

    added = command("faults", faults_command, "plant faults in the RTL and see who catches them")
    added.add_argument("names", nargs="*", help="only these faults")
    added.add_argument("--patches", type=Path, help="folder of patches; the project's own unless given")
    added.add_argument("--main", default="fast", choices=["fast", "stock"], help="main of the simulation")

    added = command("formal", formal_command, "prove what the formal sections of the RTL assert")
    added.add_argument("names", nargs="*", help="only these proofs")
    added.add_argument("--jobs", type=positive, help="proofs at a time; one a core unless given")
    added.add_argument("--table", action="store_true", help="print the catalogue as a Markdown table instead")

    command("bench", bench_command, "measure the figures of the design beside their targets")

    added = command("synth", synth_command, "synthesise blocks for UltraScale+ and ECP5, place them on ECP5")
    added.add_argument("--block", help="one block of flow/synthesis.toml; all unless given")
    added.add_argument("--target", help="ecp5 or xcup; both unless given")
    added.add_argument("--jobs", type=positive, help="tools at a time; one a core unless given")
    added.add_argument("--docs", action="store_true", help="write the table into docs/synthesis.md")

    added = command("determinism", determinism_command, "one test and seed under everything that must not matter")
    added.add_argument("test")
    added.add_argument("seed", type=testlist.parse_seed)
    added.add_argument("--mains", default="fast,stock,unmodified", help="mains to compare, the reference first")

    added = command("edit", edit_command, "time from an edit of RTL to the first verdict of its block's test")
    added.add_argument("duts", nargs="*", help="only these DUTs")
    added.add_argument("--jobs", type=positive, help="compilers at a time")

    command("docs", docs_command, "check the documentation and render the register pages")
    command("registers", registers_command, "write what follows from the SystemRDL")

    added = command("job", job_command, "execute the job of a run folder (what a launcher starts)")
    added.add_argument("folder", type=Path)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns its exit status."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        arguments = make_parser().parse_args(argv)
        project = replace(
            Project(),
            duts_file=arguments.duts_file.absolute(),
            testlist_file=arguments.testlist.absolute(),
            testplan_file=arguments.testplan.absolute(),
            proofs_file=arguments.proofs_file.absolute(),
            build=arguments.build.absolute(),
        )
        function: Callable[[Project, argparse.Namespace], int] = arguments.function
        return function(project, arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.detail:
            print(error.detail, file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("\ninterrupted; RESUME=1 continues where it stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has gone (`make regress | head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
