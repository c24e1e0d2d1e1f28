"""Builds a DUT with cocotb's own runner, as it is: no own main, every signal public, its own copy of the C++ runtime.

It is slow to build and to run. It exists to show that nothing depends on our own build, and must give the same log.
The runner is started as a process of its own, because it sends the compiler's output straight to standard output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from flow.catalogue import Dut
from flow.compiler import CompilerPool, Step
from flow.project import Project
from flow.toolchain import Toolchain
from flow.verilate import Waves

PRECOMPILED_HEADER_OFF = "-- VK_PCH_I_FAST= VK_PCH_I_SLOW="
"""For MAKEFLAGS: the wheel's makefile cannot name a precompiled header to this compiler and would pass it as a source file."""


def build(
    toolchain: Toolchain, pool: CompilerPool, project: Project, dut: Dut, native: Sequence[Path], waves: Waves, folder: Path
) -> None:
    """Leaves the executable `folder/<toplevel>`; `native` are the objects that every main links."""
    arguments = {
        "sources": [str(path) for path in dut.rtl_files(project)],
        "includes": [str(path) for path in dut.include_dirs(project)],
        "parameters": dict(dut.parameters),
        "hdl_toplevel": dut.toplevel,
        "build_dir": str(folder),
        "waves": waves is not Waves.NONE,
        "timescale": dut.timescale.split("/"),
        "build_args": [
            *dut.verilator_flags,
            *("--x-assign", "unique", "--x-initial", "unique", "-Wno-fatal"),
            *map(str, native),
            *("-CFLAGS", "-std=gnu++20", "-LDFLAGS", "-rdynamic"),
        ],
    }
    environment = {**toolchain.environment(), "MAKEFLAGS": PRECOMPILED_HEADER_OFF, "OBJCACHE": toolchain.ccache or ""}
    step = Step(
        f"Building DUT '{dut.name}' with cocotb's unmodified runner",
        [sys.executable, "-m", "flow.unmodified", json.dumps(arguments)],
        project.root,
    )
    pool.run(step, environment, log=folder / "build.log")


def _run_cocotb_runner(arguments: str) -> None:
    from cocotb_tools.runner import Verilator

    values = json.loads(arguments)
    values["timescale"] = tuple(values["timescale"])
    Verilator().build(**values)


if __name__ == "__main__":
    _run_cocotb_runner(sys.argv[1])
