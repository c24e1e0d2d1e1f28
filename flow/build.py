"""Builds simulations and keeps them in a cache by content.

A build is three cached folders below `build/cache/`: the verilated and compiled *model* of a DUT, the compiled *native* C++, and
one executable per *main* linked from both. The key of a folder is a hash over everything that enters: the content of every
source, the flags, the tool versions and this recipe. A folder is complete once it exists: work happens in a hidden folder beside
it that is renamed at the end, under a lock, so that parallel builders never see or make half a build.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flow import compiler, syntax_tree, unmodified, verilate, wave_scopes, wide_signals
from flow.catalogue import Dut
from flow.compiler import CompilerPool, Step
from flow.errors import UserError
from flow.locking import exclusive
from flow.project import Project
from flow.runtime import NEUTRAL, runtime_libraries
from flow.syntax_tree import SyntaxTree
from flow.toolchain import Toolchain, find_toolchain, lz4_header_present
from flow.verilate import Defines, Main, Waves

EXECUTABLE = "sim"
KEPT_BUILDS = 96
"""Folders the cache keeps; the least recently used beyond that go."""
# Measured: models run as fast at -O2 as at -O3 and compile a tenth faster; -Os costs a quarter of the speed.
# A model is few huge functions over one struct: the compiler's walks over all earlier stores were a third of the time and found
# nothing (measured: a heavy unit compiles two fifths faster with these limits, and the model runs as fast).
ALIAS_LIMITS = ("--param=sccvn-max-alias-queries-per-access=30", "--param=dse-max-alias-queries-per-store=8")
FAST_FLAGS = ("-std=gnu++20", "-O2", *ALIAS_LIMITS, "-g0")
SLOW_FLAGS = ("-std=gnu++20", "-O0", "-g0")
NATIVE_FLAGS = ("-std=gnu++20", "-O3", "-g1", "-Wall", "-Wextra")
SIGNAL_LISTS = [Path(module.__file__ or "") for module in (syntax_tree, wave_scopes, wide_signals)]
HEADERS = {".h", ".hpp", ".vh", ".svh", ".inc"}


@dataclass(frozen=True)
class Variant:
    """How a DUT is built, beside what it is."""

    main: Main = Main.FAST
    waves: Waves = Waves.NONE
    coverage: bool = False

    @property
    def defines(self) -> Defines:
        return Defines(self.waves, self.coverage)


@dataclass(frozen=True)
class Build:
    """A finished build."""

    dut: Dut
    variant: Variant
    executable: Path
    key: str
    seconds: float
    """What it cost now: 0 when it was in the cache."""


class Builder:
    """Builds DUTs of one project through the cache; safe to use from several threads and processes."""

    def __init__(self, project: Project, jobs: int | None = None, toolchain: Toolchain | None = None) -> None:
        self.project = project
        self.toolchain = toolchain or find_toolchain()
        self.pool = CompilerPool(jobs)

    def build(self, dut: Dut, variant: Variant) -> Build:
        """The executable for `dut` in this variant; a failed build is a `UserError` with the first compiler errors."""
        started = time.monotonic()
        if variant.main is Main.UNMODIFIED:
            executable, fresh = self._unmodified(dut, variant)
        else:
            executable, fresh = self._linked(dut, variant)
        seconds = time.monotonic() - started if fresh else 0.0
        return Build(dut, variant, executable, executable.parent.name, seconds)

    def _linked(self, dut: Dut, variant: Variant) -> tuple[Path, bool]:
        defines = variant.defines
        public = [self.project.root / dut.vlt] if dut.vlt else []
        flags = [FAST_FLAGS, SLOW_FLAGS, defines.flags()]
        model_key = self._key(f"{dut.name}-model", [*self._verilog(dut), public, *flags])
        native_key = self._native_key(dut)
        main_file = self._main_file(dut, variant.main)
        headers = dut.native_include_dirs(self.project)
        listing = SIGNAL_LISTS if variant.coverage or variant.waves is not Waves.NONE else []
        key = self._key(f"{dut.name}-{variant.main.value}", [model_key, native_key, main_file, headers, NATIVE_FLAGS, listing])

        def make_executable(folder: Path) -> None:
            self._cached(model_key, lambda work: self._compile_model(dut, defines, work))
            self._native(dut)
            self._link(dut, variant, main_file, self.project.cache / model_key, self.project.cache / native_key, folder)
            if variant.coverage or variant.waves is not Waves.NONE:
                self._list_signals(dut, variant, folder)

        fresh = self._cached(key, make_executable)
        return self.project.cache / key / EXECUTABLE, fresh

    def _unmodified(self, dut: Dut, variant: Variant) -> tuple[Path, bool]:
        entering = [*self._verilog(dut), self._native_key(dut), variant.waves.value, Path(unmodified.__file__)]
        key = self._key(f"{dut.name}-{variant.main.value}", entering)

        def make(folder: Path) -> None:
            native = self._native(dut)
            unmodified.build(self.toolchain, self.pool, self.project, dut, native, variant.waves, folder)
            (folder / dut.toplevel).rename(folder / EXECUTABLE)
            for path in folder.iterdir():
                if path.suffix in {".o", ".a", ".gch"}:
                    path.unlink()

        fresh = self._cached(key, make)
        return self.project.cache / key / EXECUTABLE, fresh

    def _verilog(self, dut: Dut) -> list[object]:
        """What of a DUT enters its model."""
        files = [dut.rtl_files(self.project), dut.include_dirs(self.project)]
        return [dut.toplevel, files, dut.parameters, dut.verilator_flags, dut.timescale]

    def _native_key(self, dut: Dut) -> str:
        return self._key("native", [dut.native_files(self.project), dut.native_include_dirs(self.project), NATIVE_FLAGS])

    def _native(self, dut: Dut) -> list[Path]:
        """The native objects: the same for every main, with and without waves, as only a main includes generated headers."""
        key, sources = self._native_key(dut), dut.native_files(self.project)
        self._cached(key, lambda work: self._compile_native(dut, NEUTRAL, sources, work, work))
        return sorted((self.project.cache / key).glob("*.o"))

    def _main_file(self, dut: Dut, main: Main) -> Path:
        if main is Main.STOCK:
            return self.toolchain.cocotb_main
        name = dut.fast_main if main is Main.FAST else dut.bare_main
        path = self.project.root / name
        if not name or not path.is_file():
            raise UserError(f"DUT '{dut.name}' has no '{main.value}' main: {name or 'none'} is not in this checkout.")
        return path

    def _compile_model(self, dut: Dut, defines: Defines, folder: Path) -> None:
        command = verilate.verilate_command(self.toolchain, self.project, dut, defines, folder)
        step = Step(f"Verilating DUT '{dut.name}'", command, self.project.root)
        self.pool.run(step, self.toolchain.environment(), log=folder / "verilator.log")
        fast, slow = verilate.generated_units(folder)
        common = [*defines.flags(), *self._runtime_include(), "-I."]
        steps = [
            Step(f"Compiling the model of '{dut.name}'", [*self._compiler(), *flags, *common, "-c", unit.name], folder)
            for units, flags in ((fast, FAST_FLAGS), (slow, SLOW_FLAGS))
            for unit in units
        ]
        self.pool.run_all(steps, self.toolchain.compile_environment(self.project.root))

    def _list_signals(self, dut: Dut, variant: Variant, folder: Path) -> None:
        """Leaves what the report says about signals beside their coverage, and what a save file for the wave needs."""
        with tempfile.TemporaryDirectory(dir=folder) as work:
            command = verilate.tree_command(self.toolchain, self.project, dut, Path(work))
            self.pool.run(Step(f"Reading the signals of '{dut.name}'", command, self.project.root), self.toolchain.environment())
            tree = SyntaxTree(Path(work))
        lists = {wide_signals.FILE: wide_signals.listed(tree)} if variant.coverage else {}
        if variant.waves is not Waves.NONE:
            lists[wave_scopes.FILE] = wave_scopes.listed(tree, dut.toplevel)
        for name, content in lists.items():
            (folder / name).write_text(json.dumps(content, indent=0, sort_keys=True) + "\n")

    def _compile_native(self, dut: Dut, defines: Defines, sources: Sequence[Path], model: Path, folder: Path) -> None:
        common = [*NATIVE_FLAGS, *defines.flags(), f"-ffile-prefix-map={self.project.root}=.", f"-I{model}"]
        common += [f"-I{path}" for path in dut.native_include_dirs(self.project)]
        common += [f"-isystem{flag[2:]}" for flag in self._runtime_include()]
        self.pool.run_all(
            [
                Step(
                    f"Compiling {self.project.relative(path)} for '{dut.name}'",
                    [*self._compiler(), *common, "-c", str(path), "-o", f"{path.stem}.o"],
                    folder,
                )
                for path in sources
            ],
            self.toolchain.compile_environment(self.project.root),
        )

    def _link(self, dut: Dut, variant: Variant, main_file: Path, model: Path, native: Path, folder: Path) -> None:
        libraries = runtime_libraries(self.project, self.toolchain, self.pool, variant.defines, FAST_FLAGS)
        self._compile_native(dut, variant.defines, [main_file], model, folder)
        main_object = folder / f"{main_file.stem}.o"
        libs = self.toolchain.cocotb_libs
        cocotb = [f"-Wl,-rpath,{libs}", f"-L{libs}", "-lcocotbvpi_verilator"] if variant.main is not Main.BARE else []
        waves = ["-llz4", "-lz"] if variant.waves is Waves.FST else []
        objects = [main_object, *sorted(native.glob("*.o")), *sorted(model.glob("unit_*.o")), *libraries]
        command = [self.toolchain.cxx, "-rdynamic", "-pthread", "-o", EXECUTABLE, *map(str, objects), *cocotb, *waves]
        self.pool.run(Step(f"Linking the {variant.main.value} simulation of '{dut.name}'", command, folder))
        main_object.unlink()

    def _compiler(self) -> list[str]:
        return [*([self.toolchain.ccache] if self.toolchain.ccache else []), self.toolchain.cxx]

    def _runtime_include(self) -> list[str]:
        include = self.toolchain.verilator_root / "include"
        return [f"-I{include}", f"-I{include / 'vltstd'}"]

    def _cached(self, key: str, make: Callable[[Path], None]) -> bool:
        """Makes the cache folder `key` unless it exists; tells whether it was made now."""
        target = self.project.cache / key
        if target.is_dir():
            os.utime(target)
            return False
        with exclusive(self.project.cache / f"{key}.lock"):
            if target.is_dir():
                return False
            work = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=self.project.cache))
            try:
                make(work)
                work.rename(target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        prune(self.project.cache, KEPT_BUILDS)
        return True

    def _key(self, name: str, entering: Sequence[object]) -> str:
        recipe = [Path(build_recipe.__file__ or "") for build_recipe in (compiler, verilate)] + [Path(__file__)]
        tools = self.toolchain.fingerprint()
        text = json.dumps([tools, self._content(recipe), self._content(entering)], sort_keys=True, default=str)
        return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"

    def _content(self, item: object) -> object:
        """`item` with every path replaced by its place in the source tree and the hash of its content."""
        if isinstance(item, Path):
            if item.is_dir():
                return [self._content(path) for path in sorted(item.rglob("*")) if path.suffix in HEADERS]
            for root in (self.project.rtl_root, self.project.root, self.toolchain.cocotb_libs.parent):
                if item.is_relative_to(root):
                    return [str(item.relative_to(root)), hashlib.sha256(item.read_bytes()).hexdigest()]
            return [item.name, hashlib.sha256(item.read_bytes()).hexdigest()]
        if isinstance(item, (list, tuple)):
            return [self._content(part) for part in item]
        return item


def wave_format(builder: Builder) -> tuple[Waves, str]:
    """The wave format this machine can build, and the line to tell the user where it is not FST."""
    if lz4_header_present(builder.toolchain):
        return Waves.FST, ""
    return Waves.VCD, "Waves are written as VCD, not FST: lz4.h is missing (Debian: apt-get install liblz4-dev)."


def prune(cache: Path, keep: int) -> None:
    """Removes the least recently used builds beyond `keep`."""
    builds = sorted((path for path in cache.iterdir() if path.is_dir() and not path.name.startswith(".")), key=_age)
    for path in builds[: max(0, len(builds) - keep)]:
        shutil.rmtree(path, ignore_errors=True)
        (cache / f"{path.name}.lock").unlink(missing_ok=True)


def _age(path: Path) -> float:
    return path.stat().st_mtime
