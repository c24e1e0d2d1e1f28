"""Verilator's C++ runtime as static libraries, compiled once per flag set and shared by all builds.

The runtime is most of the compile time of a small model (about 20 s of 25 s), and does not depend on the design. None of it looks
at VM_TRACE or VM_COVERAGE, so the core serves builds with and without waves; waves and coverage add a library each.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from flow.compiler import CompilerPool, Step
from flow.locking import exclusive
from flow.project import Project
from flow.toolchain import Toolchain
from flow.verilate import Defines, Waves

CORE = ("verilated", "verilated_dpi", "verilated_vpi", "verilated_threads")
WAVE_OBJECTS = {Waves.NONE: (), Waves.FST: ("verilated_fst_c",), Waves.VCD: ("verilated_vcd_c",)}
COVERAGE_OBJECTS = ("verilated_cov",)
NEUTRAL = Defines(Waves.NONE, coverage=False)
LIBRARY = "runtime.a"


def runtime_libraries(
    project: Project, toolchain: Toolchain, pool: CompilerPool, defines: Defines, compile_flags: Sequence[str]
) -> list[Path]:
    """The libraries a build with these macros links, in link order; those that are not there yet are compiled."""
    groups = [WAVE_OBJECTS[defines.waves], COVERAGE_OBJECTS if defines.coverage else (), CORE]
    return [_library(project, toolchain, pool, group, compile_flags) for group in groups if group]


def _library(
    project: Project, toolchain: Toolchain, pool: CompilerPool, objects: Sequence[str], compile_flags: Sequence[str]
) -> Path:
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    entering = [toolchain.fingerprint(), recipe, objects, NEUTRAL.flags(), list(compile_flags)]
    key = hashlib.sha256(json.dumps(entering, sort_keys=True).encode()).hexdigest()[:16]
    library = project.runtime / key / LIBRARY
    if library.is_file():
        return library
    with exclusive(project.runtime / f"{key}.lock"):
        if library.is_file():
            return library
        work = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=project.runtime))
        try:
            _compile(toolchain, pool, objects, compile_flags, work)
            work.rename(library.parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return library


def _compile(
    toolchain: Toolchain, pool: CompilerPool, objects: Sequence[str], compile_flags: Sequence[str], folder: Path
) -> None:
    include = toolchain.verilator_root / "include"
    compiler = [*([toolchain.ccache] if toolchain.ccache else []), toolchain.cxx]
    flags = [*compile_flags, *NEUTRAL.flags(), f"-I{include}", f"-I{include / 'vltstd'}"]
    pool.run_all(
        [
            Step(
                f"Compiling Verilator's runtime ({name}.cpp)",
                [*compiler, *flags, "-c", str(include / f"{name}.cpp"), "-o", f"{name}.o"],
                folder,
            )
            for name in objects
        ],
        toolchain.compile_environment(folder),
    )
    pool.run(Step("Archiving Verilator's runtime", ["ar", "-rcs", LIBRARY, *(f"{name}.o" for name in objects)], folder))
    for name in objects:
        (folder / f"{name}.o").unlink()
