"""Lint of the RTL: Verilator -Wall, Icarus, slang and Yosys, each module as a top of its own, and the rules for files.

Four front ends, because a construct that one of them takes silently is an error or another circuit in the next. Packages are
read first; every other module is found by its file name, so a module that is not in a file of its name does not elaborate.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flow import catalogue, yosys
from flow.lint_check import Check, Finding, Skipped, clean_stamp, output_of, remember_clean
from flow.project import Project
from flow.toolchain import find_toolchain

WIDTHS = (128, 256, 512)
SLANG = Path(__file__).with_name("slang.py")
VERILOG = {".v", ".sv", ".vh", ".svh", ".vlt"}
WAIVERS = "hdl/lint.vlt"
MODULE = re.compile(r"^\s*module\s+(\w+)", re.MULTILINE)
PACKAGE = re.compile(r"^\s*package\s+(\w+)", re.MULTILINE)
COLUMNS = 140
DATA_W = re.compile(r"\bparameter\s+(?:int\s+|integer\s+)?DATA_W\b")
ICARUS_HARMLESS = (
    ": sorry: constant selects in always_",  # widens a sensitivity list, which changes nothing in a combinational block
    "($error) cannot be synthesized in an always_ff",  # immediate assertions beside the logic, absent under SYNTHESIS
)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
LATCH_SCRIPT = "design -load read; tee -q -o {mark} log {top}; hierarchy -check -top {top}; proc -latches error"
FOREIGN_ROOMS = {
    "common": ("tlp", "dma", "iommu", "endpoint", "switch", "root", "top"),
    "tlp": ("dma", "iommu", "endpoint", "switch", "root", "top"),
    "dma": ("iommu", "endpoint", "switch", "root", "top"),
    "iommu": ("dma", "endpoint", "switch", "root", "top"),
    "switch": ("dma", "iommu", "endpoint", "root", "top"),
}
"""Which rooms of hdl/ a room must not name; a dependency goes from the larger block to the smaller."""


@dataclass(frozen=True)
class Rtl:
    """The Verilog files of the checkout, as lint sees them."""

    packages: tuple[Path, ...]
    modules: tuple[Path, ...]
    folders: tuple[str, ...]

    def widths(self, module: Path) -> tuple[int | None, ...]:
        """The data widths to elaborate a module with; (None,) where it has no such parameter."""
        return WIDTHS if DATA_W.search(module.read_text()) else (None,)

    def search_path(self) -> list[str]:
        """Options that make a front end find a module by its file name."""
        return [word for folder in self.folders for word in ("-y", folder)]

    def elaborations(self) -> list[tuple[Path, int | None]]:
        return [(module, width) for module in self.modules for width in self.widths(module)]


def find_rtl(project: Project) -> Rtl:
    """Everything below hdl/."""
    files = sorted(project.rtl_root.glob("hdl/**/*.v"))
    packages = tuple(path for path in files if PACKAGE.search(COMMENT.sub("", path.read_text())))
    modules = tuple(path for path in files if path not in packages)
    folders = sorted({project.relative(path.parent) for path in modules})
    return Rtl(packages, modules, tuple(folders))


def checks(project: Project) -> list[Check]:
    """All checks of this file."""
    return [
        Check("verilog files", _file_rules),
        Check("verilog rooms", _room_rules),
        Check("verilator -Wall", _verilator),
        Check("lint waivers", _waivers),
        Check("verilator testbench tops", _testbench_tops),
        Check("icarus -g2012 -Wall", _icarus),
        Check("slang", _slang),
        Check("yosys latches", _yosys),
    ]


def _file_rules(project: Project) -> Finding | Skipped:
    rtl = find_rtl(project)
    faults = []
    for path in (*rtl.packages, *rtl.modules):
        text, shown = path.read_text(), project.relative(path)
        names = MODULE.findall(COMMENT.sub("", text)) + PACKAGE.findall(COMMENT.sub("", text))
        if names != [path.stem]:
            faults.append(f"{shown}: holds {', '.join(names) or 'no module'}, must hold exactly {path.stem}")
        if not text.startswith("`default_nettype none\n"):
            faults.append(f"{shown}: does not start with `default_nettype none")
        if not text.endswith("`default_nettype wire\n"):
            faults.append(f"{shown}: does not end with `default_nettype wire")
    for path in (*rtl.packages, *rtl.modules, *sorted(project.rtl_root.glob("hdl/**/*.vh"))):
        faults += [
            f"{project.relative(path)}:{number}: {len(line)} columns, at most {COLUMNS}"
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if len(line) > COLUMNS
        ]
    return Finding(f"{len(rtl.packages) + len(rtl.modules)} files", tuple(faults)) if rtl.folders or rtl.packages else _no_rtl()


def _room_rules(project: Project) -> Finding | Skipped:
    rtl = find_rtl(project)
    room_of = {path.stem: path.relative_to(project.rtl_root / "hdl").parts[0] for path in rtl.modules}
    faults = []
    for path in rtl.modules:
        room = room_of[path.stem]
        words = set(re.findall(r"\w+", COMMENT.sub("", path.read_text())))
        if room == "common" and "tlp_pkg" in words:
            faults.append(f"{project.relative(path)}: hdl/common knows nothing of PCIe but uses tlp_pkg")
        faults += [
            f"{project.relative(path)}: hdl/{room} must not use {name} of hdl/{room_of[name]}"
            for name in sorted(words & set(room_of))
            if room_of[name] in FOREIGN_ROOMS.get(room, ())
        ]
    return Finding(f"{len(rtl.modules)} modules", tuple(faults)) if rtl.modules else _no_rtl()


def _waivers(project: Project) -> Finding | Skipped:
    path = project.root / WAIVERS
    if not path.is_file():
        return Skipped(f"there is no {WAIVERS}")
    lines = path.read_text().splitlines()
    waivers = [number for number, line in enumerate(lines) if line.startswith("lint_off")]
    faults = []
    for number in waivers:
        above = next((line for line in reversed(lines[:number]) if not line.startswith("lint_off")), "")
        if not above.startswith("//"):
            faults.append(f"{WAIVERS}:{number + 1}: no reason stands above this waiver")
    return Finding(f"{len(waivers)} waivers with a reason", tuple(faults))


def _verilator(project: Project) -> Finding | Skipped:
    rtl = find_rtl(project)
    if not rtl.modules:
        return _no_rtl()
    toolchain = find_toolchain()
    waivers = [WAIVERS] if (project.root / WAIVERS).is_file() else []
    base = [str(toolchain.verilator), "--lint-only", "-Wall", "--assert", *waivers, *rtl.search_path()]
    entering = sorted(path for path in project.rtl_root.glob("hdl/**/*") if path.suffix in VERILOG)
    stamp = clean_stamp(project, "verilator", [*entering, Path(__file__)], [toolchain.verilator_version, *base])
    if stamp.is_file():
        return Finding(f"{len(rtl.modules)} modules, unchanged since they were clean")
    found: dict[int | None, list[str]] = {width: [] for width in (None, *WIDTHS)}
    for module, width in rtl.elaborations():
        command = [*base, "--top-module", module.stem, *([f"-GDATA_W={width}"] if width else [])]
        command += [project.relative(path) for path in (*rtl.packages, module)]
        status, lines = output_of(command, project.root, toolchain.environment())
        messages = [line for line in lines if line.startswith("%") and "Exiting due to" not in line]
        found[width] += messages or (lines[-1:] if status else [])
    faults = _over_widths(found)
    if not faults:
        remember_clean(stamp)
    return Finding(f"{len(rtl.modules)} modules, {len(rtl.elaborations())} elaborations", faults)


def _testbench_tops(project: Project) -> Finding | Skipped:
    duts = [dut for dut in catalogue.load(project).values() if dut.available(project)]
    if not duts:
        return Skipped("no testbench top is in this checkout yet")
    toolchain = find_toolchain()
    entering = sorted(path for room in ("hdl", "tb") for path in project.root.glob(f"{room}/**/*") if path.suffix in VERILOG)
    stamp = clean_stamp(project, "tops", [*entering, project.duts_file, Path(__file__)], [toolchain.verilator_version])
    if stamp.is_file():
        return Finding(f"{len(duts)} tops, unchanged since they were clean")
    faults: dict[str, None] = {}
    for dut in duts:
        command = [str(toolchain.verilator), "--lint-only", "--vpi", "--top-module", dut.toplevel, "--timescale", dut.timescale]
        command += [*dut.verilator_flags, *(f"-G{name}={value}" for name, value in sorted(dut.parameters.items()))]
        command += [f"-I{project.relative(path)}" for path in dut.include_dirs(project)]
        command += [*([dut.vlt] if dut.vlt else []), *(project.relative(path) for path in dut.rtl_files(project))]
        status, lines = output_of(command, project.root, toolchain.environment())
        found = [line for line in lines if line.startswith("%") and "Exiting due to" not in line]
        faults.update(dict.fromkeys(f"{dut.name}: {line}" for line in (found or (lines[-1:] if status else []))))
    if not faults:
        remember_clean(stamp)
    return Finding(f"{len(duts)} tops", tuple(faults))


def _icarus(project: Project) -> Finding | Skipped:
    rtl = find_rtl(project)
    program = shutil.which("iverilog")
    if program is None:
        return Skipped("iverilog is not installed (Debian: apt-get install iverilog)")
    if not rtl.modules:
        return _no_rtl()
    faults: dict[str, None] = {}
    for module in rtl.modules:
        command = [program, "-g2012", "-t", "null", "-Wall", "-Wno-timescale", "-s", module.stem]
        command += rtl.search_path()
        command += [f"-I{folder}" for folder in rtl.folders]
        command += [project.relative(path) for path in (*rtl.packages, module)]
        status, lines = output_of(command, project.root)
        found = [line for line in lines if not any(words in line for words in ICARUS_HARMLESS)]
        if status != 0 and not found:
            found = lines[-1:] or [f"{module.stem}: iverilog ended with status {status}"]
        faults.update(dict.fromkeys(found))
    return Finding(f"{len(rtl.modules)} modules", tuple(faults))


def _slang(project: Project) -> Finding | Skipped:
    rtl = find_rtl(project)
    if not rtl.modules:
        return _no_rtl()
    found: dict[int | None, list[str]] = {}
    files = [project.relative(path) for path in (*rtl.packages, *rtl.modules)]
    tops = [word for module in rtl.modules for word in ("--top", module.stem)]
    for width in WIDTHS:
        arguments = ["-Wextra", "-Wno-useless-cast", "--error-limit", "0", f"-GDATA_W={width}", *tops, *files]
        status, lines = output_of([sys.executable, str(SLANG), *arguments], project.root)
        # slang warns of modules that have no parameter DATA_W to override.
        messages = [line for line in lines if re.search(r": (error|warning):", line) and "DATA_W" not in line]
        found[width] = messages or (lines[-1:] if status and not any("DATA_W" in line for line in lines) else [])
    return Finding(f"{len(rtl.modules)} modules at {len(WIDTHS)} widths", _over_widths(found))


def _yosys(project: Project) -> Finding | Skipped:
    rtl = find_rtl(project)
    if not rtl.modules:
        return _no_rtl()
    entering = sorted(path for path in project.rtl_root.glob("hdl/**/*") if path.suffix in VERILOG)
    stamp = clean_stamp(project, "latches", [*entering, Path(__file__)], [yosys.version()])
    if stamp.is_file():
        return Finding(f"{len(rtl.modules)} modules, unchanged since they were clean")
    faults: list[str] = []
    waiting = [module.stem for module in rtl.modules]
    while waiting:
        failed, reasons = _first_latch(project, rtl, waiting)
        if failed is None:
            faults += reasons
            break
        faults += [f"{failed}: {line}" for line in reasons]
        waiting = waiting[waiting.index(failed) + 1 :]
    if not faults:
        remember_clean(stamp)
    return Finding(f"{len(rtl.modules)} modules", tuple(faults))


def _first_latch(project: Project, rtl: Rtl, tops: Sequence[str]) -> tuple[str | None, list[str]]:
    """The first of `tops` that Yosys does not take without latches, and its words; one process reads the files once for all."""
    mark = project.build / "lint" / "yosys_top.txt"
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.unlink(missing_ok=True)
    files = " ".join(project.relative(path) for path in (*rtl.packages, *rtl.modules))
    each = [LATCH_SCRIPT.format(top=top, mark=os.path.relpath(mark, project.root)) for top in tops]
    script = "; ".join([f"read_verilog -sv -DSYNTHESIS -defer {files}", "design -save read", *each])
    status, lines = yosys.run(script, project.root)
    if status == 0:
        return None, []
    reasons = [line for line in lines if "ERROR" in line] or lines[-1:] or [f"Yosys ended with status {status}"]
    return (mark.read_text().strip() if mark.is_file() else None), reasons


def _over_widths(found: Mapping[int | None, Sequence[str]]) -> tuple[str, ...]:
    """Messages once each; one that some widths do not give names those that do."""
    widths: dict[str, list[int]] = {}
    for width, lines in found.items():
        for line in lines:
            known = widths.setdefault(line, [])
            if width is not None and width not in known:
                known.append(width)
    return tuple(
        line if len(known) in (0, len(WIDTHS)) else f"{line} [DATA_W={' '.join(map(str, known))}]"
        for line, known in widths.items()
    )


def _no_rtl() -> Skipped:
    return Skipped("no RTL is in this checkout yet")
