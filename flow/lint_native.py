"""Lint of the native C++: every file of tb/native compiles without a warning at -Wall -Wextra."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flow import catalogue, verilate
from flow.lint_check import Check, Finding, Skipped, clean_stamp, output_of, remember_clean
from flow.project import Project
from flow.runtime import NEUTRAL
from flow.toolchain import Toolchain, find_toolchain

FLAGS = ("-std=gnu++20", "-Wall", "-Wextra", "-fsyntax-only")


def checks(project: Project) -> list[Check]:
    """All checks of this file."""
    return [Check("g++ -Wall -Wextra", _warnings)]


def _warnings(project: Project) -> Finding | Skipped:
    sources = sorted(project.root.glob("tb/native/*.cpp"))
    if not sources:
        return Skipped("no native code is in this checkout yet")
    toolchain = find_toolchain()
    versions = [toolchain.cxx_version, toolchain.verilator_version, *FLAGS]
    stamp = clean_stamp(project, "native", sorted(project.root.glob("tb/native/*.[ch]*")), versions)
    if stamp.is_file():
        return Finding(f"{len(sources)} files, unchanged since they were clean")
    with tempfile.TemporaryDirectory() as folder:
        generated = _generate_header(project, toolchain, Path(folder))
        checked = [path for path in sources if generated or f'"{verilate.PREFIX}' not in path.read_text()]
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as executor:
            results = executor.map(lambda path: _check_file(project, toolchain, Path(folder), path), checked)
            faults = [line for lines in results for line in lines]
    if not faults and len(checked) == len(sources):
        remember_clean(stamp)
    left = f", {len(sources) - len(checked)} wait for a model to include" if len(checked) < len(sources) else ""
    return Finding(f"{len(checked)} files{left}", tuple(faults))


def _generate_header(project: Project, toolchain: Toolchain, folder: Path) -> bool:
    """A main includes the header that Verilator generates; any top will do, its code is not compiled."""
    for dut in catalogue.load(project).values():
        if dut.available(project):
            command = verilate.verilate_command(toolchain, project, dut, NEUTRAL, folder)
            status, _ = output_of(command, project.root, toolchain.environment())
            if status == 0:
                return True
    return False


def _check_file(project: Project, toolchain: Toolchain, folder: Path, path: Path) -> list[str]:
    include = toolchain.verilator_root / "include"
    command = [toolchain.cxx, *FLAGS, *NEUTRAL.flags(), f"-I{folder}", "-Itb/native"]
    command += [f"-isystem{include}", f"-isystem{include / 'vltstd'}", project.relative(path)]
    status, lines = output_of(command, project.root)
    return [line for line in lines if ": warning:" in line or "error:" in line] or (lines[-1:] if status else [])
