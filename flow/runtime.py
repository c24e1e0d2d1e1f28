"""Verilator's C++ runtime as a static library, compiled once per flag set and shared by all builds.

The runtime is most of the compile time of a small model (about 20 s of 25 s), and does not depend on the design.
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

OBJECTS = ("verilated", "verilated_dpi", "verilated_vpi", "verilated_threads")
LIBRARY = "libverilated.a"


def runtime_library(
    project: Project, toolchain: Toolchain, pool: CompilerPool, defines: Defines, compile_flags: Sequence[str]
) -> Path:
    """The library for these macros and flags, compiled if it is not there yet."""
    objects = [*OBJECTS]
    if defines.coverage:
        objects.append("verilated_cov")
    if defines.waves is Waves.FST:
        objects.append("verilated_fst_c")
    if defines.waves is Waves.VCD:
        objects.append("verilated_vcd_c")
    entering = [toolchain.fingerprint(), objects, defines.flags(), list(compile_flags)]
    key = hashlib.sha256(json.dumps(entering, sort_keys=True).encode()).hexdigest()[:16]
    library = project.runtime / key / LIBRARY
    if library.is_file():
        return library
    with exclusive(project.runtime / f"{key}.lock"):
        if library.is_file():
            return library
        work = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=project.runtime))
        try:
            include = toolchain.verilator_root / "include"
            compiler = [*([toolchain.ccache] if toolchain.ccache else []), toolchain.cxx]
            flags = [*compile_flags, *defines.flags(), f"-I{include}", f"-I{include / 'vltstd'}"]
            steps = [
                Step(
                    f"Compiling Verilator's runtime ({name}.cpp)",
                    [*compiler, *flags, "-c", str(include / f"{name}.cpp"), "-o", f"{name}.o"],
                    work,
                )
                for name in objects
            ]
            pool.run_all(steps)
            archive = ["ar", "-rcs", LIBRARY, *(f"{name}.o" for name in objects)]
            pool.run(Step("Archiving Verilator's runtime", archive, work))
            for name in objects:
                (work / f"{name}.o").unlink()
            work.rename(library.parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return library
