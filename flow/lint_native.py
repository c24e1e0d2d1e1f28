"""Lint of the native C++: every file of tb/native compiles without a warning at -Wall -Wextra."""

from __future__ import annotations

import tempfile
from pathlib import Path

from flow import catalogue, verilate
from flow.build import NATIVE_FLAGS
from flow.lint_check import Check, Finding, Skipped, output_of
from flow.project import Project
from flow.toolchain import find_toolchain
from flow.verilate import Defines, Waves


def checks(project: Project) -> list[Check]:
    """All checks of this file."""
    return [Check("g++ -Wall -Wextra", _warnings)]


def _warnings(project: Project) -> Finding | Skipped:
    sources = sorted(project.root.glob("tb/native/*.cpp"))
    if not sources:
        return Skipped("no native code is in this checkout yet")
    toolchain = find_toolchain()
    include = toolchain.verilator_root / "include"
    defines = Defines(Waves.NONE, coverage=False)
    faults: list[str] = []
    covered = 0
    with tempfile.TemporaryDirectory() as folder:
        # A main includes the header that Verilator generates; any top will do, its code is not compiled.
        duts = [dut for dut in catalogue.load(project).values() if dut.available(project)]
        if duts:
            command = verilate.verilate_command(toolchain, project, duts[0], defines, True, Path(folder))
            output_of(command, project.root, toolchain.environment())
        generated = (Path(folder) / f"{verilate.PREFIX}.h").is_file()
        for path in sources:
            if f'"{verilate.PREFIX}' in path.read_text() and not generated:
                continue
            covered += 1
            command = [toolchain.cxx, *NATIVE_FLAGS, "-fsyntax-only", *defines.flags(), f"-I{folder}", "-Itb/native"]
            command += [f"-isystem{include}", f"-isystem{include / 'vltstd'}", project.relative(path)]
            status, lines = output_of(command, project.root)
            found = [line for line in lines if ": warning:" in line or "error:" in line]
            faults += found or (lines[-1:] if status else [])
    left = f", {len(sources) - covered} wait for a model to include" if covered < len(sources) else ""
    return Finding(f"{covered} files{left}", tuple(faults))
