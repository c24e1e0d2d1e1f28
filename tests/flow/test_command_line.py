"""What a user sees: exit statuses, one clear sentence for every mistake, reproduction of a failure."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from flow.build import Build
from flow.project import CHECKOUT, Project
from tests.flow.conftest import EXAMPLE, flow_command

TESTLIST = (EXAMPLE / "testlist.toml").read_text()


def flow(project: Project, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the command line on a project."""
    return subprocess.run(
        flow_command(project, *arguments), cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def own(example: Project, tmp_path: Path) -> Project:
    """The example with a test list of its own to spoil."""
    (tmp_path / "testlist.toml").write_text(TESTLIST)
    (tmp_path / "duts.toml").write_text((EXAMPLE / "duts.toml").read_text())
    return Project(
        duts_file=tmp_path / "duts.toml",
        testlist_file=tmp_path / "testlist.toml",
        testplan_file=tmp_path / "testplan.hjson",
        build=example.build,
    )


def assert_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.startswith("error: ")
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sim", "counter_count", "1"], ["There is no test 'counter_count'", "did you mean counter_counts?"]),
        (["sim", "counter_counts", "many"], ["'many' is not a seed", "from 1 to 2147483647"]),
        (["sim", "counter_counts", "0"], ["'0' is not a seed"]),
        (["sim"], ["The following arguments are required: test, seed"]),
        (["regress", "--set", "nightli"], ["There is no set 'nightli'", "did you mean nightly?"]),
        (["regress", "--jobs", "none"], ["'none' is not a number of jobs"]),
        (["regress", "--launcher", "slrm"], ["There is no launcher 'slrm'", "did you mean slurm?"]),
        (["build", "countr"], ["There is no DUT 'countr'", "did you mean counter?"]),
        (["conformance", "--vectors", "nowhere"], ["The folder of vectors nowhere does not exist"]),
        (["faults", "--patches", "nowhere"], ["The folder of patches nowhere does not exist"]),
        (["sow"], ["see 'make help'"]),
    ],
)
def test_mistake_ends_in_a_sentence(own: Project, arguments: list[str], words: list[str]) -> None:
    assert_sentence(flow(own, *arguments), *words)


def test_broken_test_module(own: Project) -> None:
    own.testlist_file.write_text(TESTLIST.replace("example.test_counter", "example.broken_import"))
    assert_sentence(flow(own, "sim", "counter_counts", "1"), "broken_import cannot be imported", "no_such_package_anywhere")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seeds = 3", "seeds = 'three'", "'seeds' must be of type int"),
        ("seeds = 3", "sedes = 3", "unknown key 'sedes': did you mean seeds"),
        ("seeds = 3", "seeds = -1", "at least 0"),
        ("seeds = 3", "seeds = ", "is not valid TOML"),
        ('dut = "counter"', "", "has no 'dut'"),
    ],
)
def test_spoiled_test_list(own: Project, old: str, new: str, words: str) -> None:
    own.testlist_file.write_text(TESTLIST.replace(old, new))
    assert_sentence(flow(own, "regress"), words)


def test_failed_verilation_shows_the_first_error(own: Project, tmp_path: Path) -> None:
    source = tmp_path / "broken.v"
    source.write_text("module broken; wire x = y; endmodule\n")
    (tmp_path / "duts.toml").write_text(f'[[dut]]\nname = "counter"\ntop = "{source}"\nvlt = ""\n')
    assert_sentence(flow(own, "build", "counter", "--main", "stock"), "Verilating DUT 'counter' failed", "%Error: ", "'y'")


def test_missing_main_is_named(own: Project) -> None:
    own.duts_file.write_text(own.duts_file.read_text().replace("tb/native/main.cpp", "tb/native/none.cpp"))
    assert_sentence(flow(own, "build", "counter"), "has no 'fast' main: tb/native/none.cpp is not in this checkout")


@pytest.mark.parametrize("program", ["g++", "make", "perl"])
def test_missing_program_is_named_with_its_package(own: Project, tmp_path: Path, program: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in {"g++", "make", "perl"} - {program}:
        (folder / name).symlink_to(shutil.which(name) or "")
    done = flow(own, "build", "counter", env={**os.environ, "PATH": str(folder)})
    assert_sentence(done, f"'{program}' is not installed", f"apt-get install {program}")


def test_passing_run_exits_0_and_leaves_its_folder(example: Project, counter: Build) -> None:
    done = flow(example, "sim", "counter_counts", "4")
    assert done.returncode == 0, done
    assert "PASS counter_counts seed 4" in done.stdout
    folder = example.runs / "sim" / "counter_counts-4"
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "pass"
    assert result["reproduce"] == "make sim TEST=counter_counts SEED=4"
    assert (folder / "timing.json").is_file()
    assert not {"wall_s", "cpu_s"} & set(result)


def test_failing_run_exits_1_with_its_signature_and_how_to_reproduce_it(own: Project, counter: Build) -> None:
    own.testlist_file.write_text(TESTLIST.replace("test_counter", "hazards") + 'testcase = "compared_nothing"\n')
    done = flow(own, "regress")
    assert done.returncode == 1, done
    assert "FAILED 3 x evidence in counter: nothing was compared" in done.stdout
    assert "make sim TEST=counter_counts SEED=1" in done.stdout
    assert re.search(r"1 tests, 3 runs, 0 TLPs compared, 3 failed", done.stdout)


def test_waves_are_where_the_output_says(example: Project) -> None:
    done = flow(example, "sim", "counter_counts", "2", "--waves")
    assert done.returncode == 0, done
    wave = re.search(r"^wave: (.+)$", done.stdout, re.MULTILINE)
    assert wave is not None
    assert (CHECKOUT / wave[1]).stat().st_size > 0


def test_interrupted_regression_leaves_nothing_half_written_and_resumes(own: Project, counter: Build) -> None:
    own.testlist_file.write_text(
        TESTLIST.replace("cycles = 25", "cycles = 60000")
        .replace("counter_counts", "long_count")
        .replace("seeds = 3", "seeds = 2")
        + TESTLIST
    )
    folder = own.runs / "default"
    shutil.rmtree(folder, ignore_errors=True)
    # Whoever runs these tests in the background may have told its children to ignore the interrupt.
    process = subprocess.Popen(
        flow_command(own, "regress", "--jobs", "1"),
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(folder.glob("*/log.txt")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    finished = {path.parent.name for path in folder.glob("*/result.json")}
    assert len(finished) < 5
    assert not list(folder.glob("*/.*.partial"))
    own.testlist_file.write_text(own.testlist_file.read_text().replace("60000", "30"))
    done = flow(own, "regress", "--resume")
    assert done.returncode == 0, done
    assert len(list(folder.glob("*/result.json"))) == 5
    again = flow(own, "regress", "--resume")
    assert again.returncode == 0
    assert "5 runs" in again.stdout
    assert "1/5" not in again.stdout


def test_the_environment_is_python_enough() -> None:
    done = subprocess.run([sys.executable, "-m", "flow.environment"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
