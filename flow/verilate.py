"""Verilator's command line, and the lists of generated C++ it leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from flow.catalogue import Dut
from flow.project import Project
from flow.toolchain import Toolchain

PREFIX = "Vtop"
OUTPUT_SPLIT = "6000"
"""Nodes a generated file holds: Verilator's own 20000 puts a block into one file that one core compiles for ten seconds."""
UNIT_BYTES = 600_000
"""Generated C++ compiled as one unit: one unit pays about a second for headers, several use more cores."""

WIDEST_TOGGLE = 64
"""Bits of the widest signal whose toggles are counted; the report lists wider ones."""
COVERAGE = ("--coverage-line", "--coverage-toggle", "--coverage-max-width", str(WIDEST_TOGGLE))
WITHOUT_TESTBENCH = Path(__file__).with_name("coverage.vlt")


class Waves(Enum):
    """Which wave format a build can write."""

    NONE = "none"
    FST = "fst"
    VCD = "vcd"


class Main(Enum):
    """The C++ main of a simulation; all of them must give the same log."""

    FAST = "fast"
    """Our own main: skips VPI work in steps where nothing is due."""
    STOCK = "stock"
    """cocotb's main on the same verilated model."""
    UNMODIFIED = "unmodified"
    """cocotb's runner and main, untouched, every signal public."""
    BARE = "bare"
    """No cocotb, and nothing calls VPI; the same model objects as the others: the yardstick of the bench."""


@dataclass(frozen=True)
class Defines:
    """The VM_* macros that generated code, runtime and mains have to agree on."""

    waves: Waves
    coverage: bool

    def flags(self) -> list[str]:
        fst, vcd = int(self.waves is Waves.FST), int(self.waves is Waves.VCD)
        values = {
            "VERILATOR": 1,
            "VM_COVERAGE": int(self.coverage),
            "VM_SC": 0,
            "VM_TIMING": 0,
            "VM_TRACE": fst | vcd,
            "VM_TRACE_FST": fst,
            "VM_TRACE_VCD": vcd,
            "VM_TRACE_SAIF": 0,
        }
        return [f"-D{name}={value}" for name, value in values.items()]


def language_flags(dut: Dut, project: Project, paths: Sequence[str]) -> list[str]:
    """What every way of running Verilator on `dut` shares: flags, parameters, include folders, sources."""
    return [
        *dut.verilator_flags,
        *(f"-G{name}={value}" for name, value in sorted(dut.parameters.items())),
        *(f"-I{project.relative(folder)}" for folder in dut.include_dirs(project)),
        *([dut.vlt] if dut.vlt else []),
        *paths,
    ]


def verilate_command(toolchain: Toolchain, project: Project, dut: Dut, defines: Defines, folder: Path) -> list[str]:
    """The command that generates the C++ model into `folder`; run it in the checkout so that paths in messages are relative."""
    waves = {Waves.NONE: [], Waves.FST: ["--trace-fst", "--trace-structs"], Waves.VCD: ["--trace-vcd", "--trace-structs"]}
    return [
        str(toolchain.verilator),
        *("--cc", "--prefix", PREFIX, "--top-module", dut.toplevel, "--Mdir", str(folder), "--timescale", dut.timescale),
        *("-O3", "--vpi", "--x-assign", "unique", "--x-initial", "unique", "-Wno-fatal"),
        *("--output-split", OUTPUT_SPLIT),
        *waves[defines.waves],
        *((*COVERAGE, project.relative(WITHOUT_TESTBENCH)) if defines.coverage else []),
        *language_flags(dut, project, [project.relative(path) for path in dut.rtl_files(project)]),
    ]


def tree_command(toolchain: Toolchain, project: Project, dut: Dut, folder: Path) -> list[str]:
    """The command that leaves the syntax tree of `dut`, parameters resolved, in `folder`."""
    return [
        str(toolchain.verilator),
        *("--json-only", "--prefix", PREFIX, "--top-module", dut.toplevel, "--Mdir", str(folder), "--timescale", dut.timescale),
        *("-Wno-fatal", "-Wno-lint"),
        *language_flags(dut, project, [project.relative(path) for path in dut.rtl_files(project)]),
    ]


def generated_units(folder: Path) -> tuple[list[Path], list[Path]]:
    """Writes translation units that include the generated C++, grouped by size alone, and returns (fast, slow) ones."""
    text = (folder / f"{PREFIX}_classes.mk").read_text()
    lists = {
        name: re.findall(r"^\s+(\w+) \\$", block, re.MULTILINE)
        for name, block in re.findall(r"^(VM_\w+) \+= \\\n((?:\s+\w+ \\\n)*)", text, re.MULTILINE)
    }
    fast = lists.get("VM_CLASSES_FAST", []) + lists.get("VM_SUPPORT_FAST", [])
    slow = lists.get("VM_CLASSES_SLOW", []) + lists.get("VM_SUPPORT_SLOW", [])
    return _grouped(folder, "fast", fast), _grouped(folder, "slow", slow)


def _grouped(folder: Path, kind: str, stems: Sequence[str]) -> list[Path]:
    sizes = {stem: (folder / f"{stem}.cpp").stat().st_size for stem in stems}
    groups: list[list[str]] = [[] for _ in range(max(1, round(sum(sizes.values()) / UNIT_BYTES)))]
    weights = [0] * len(groups)
    for stem in sorted(stems, key=lambda name: (-sizes[name], name)):
        lightest = weights.index(min(weights))
        groups[lightest].append(stem)
        weights[lightest] += sizes[stem]
    units = []
    for number, group in enumerate(groups):
        unit = folder / f"unit_{kind}_{number}.cpp"
        unit.write_text("".join(f'#include "{stem}.cpp"\n' for stem in sorted(group)))
        units.append(unit)
    return units
