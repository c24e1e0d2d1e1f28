"""A mapped netlist as Yosys' `write_json` leaves it: how many cells of which type, and how deep its logic is.

Levels are counted as FPGA designers do: a lookup table is one, a multiplexer that joins lookup tables (PFUMX, MUXF7) is one, a
carry chain is one, however long. Registers and memories, block or distributed, begin and end a path.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOGIC = (
    *("PFUMX", "L6MUX21", "CCU2C"),
    *("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2", "INV", "MUXF7", "MUXF8", "MUXF9", "CARRY4", "CARRY8"),
)
"""Types of cells that a combinational path leads through, of both families."""
CARRY_IN = {"CCU2C": "CIN", "CARRY4": "CI", "CARRY8": "CI"}

Cells = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Arc:
    """A combinational cell: the nets it reads, those among them that come along a carry chain, and those it drives."""

    reads: tuple[int, ...]
    carries: tuple[int, ...]
    drives: tuple[int, ...]


def read(path: Path) -> Cells:
    """The cells of the top module of a JSON netlist."""
    data: dict[str, Any] = json.loads(path.read_text())
    tops = [module for module in data["modules"].values() if int(str(module.get("attributes", {}).get("top", "0")), 2)]
    if len(tops) != 1:
        raise ValueError(f"{path.name}: {len(tops)} top modules")
    cells: Cells = tops[0]["cells"]
    return cells


def count(cells: Cells) -> Counter[str]:
    """Cells by type."""
    return Counter(str(cell["type"]) for cell in cells.values())


def depth(cells: Cells) -> int:
    """Levels of logic on the longest path. A combinational loop counts up to where it closes."""
    arcs = [_arc(cell) for cell in cells.values() if cell["type"] in LOGIC]
    driven = {net for arc in arcs for net in arc.drives}
    readers: defaultdict[int, list[int]] = defaultdict(list)
    waiting: list[int] = []
    for number, arc in enumerate(arcs):
        inputs = {net for net in (*arc.reads, *arc.carries) if net in driven}
        waiting.append(len(inputs))
        for net in inputs:
            readers[net].append(number)
    level: dict[int, int] = {}
    ready = deque(number for number, left in enumerate(waiting) if left == 0)
    while ready:
        arc = arcs[ready.popleft()]
        read_at = max((level.get(net, 0) for net in arc.reads), default=0)
        carried_at = max((level.get(net, 0) for net in arc.carries), default=0)
        for net in arc.drives:
            level[net] = max(read_at + 1, carried_at)
            for reader in readers[net]:
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    ready.append(reader)
    return max(level.values(), default=0)


def _arc(cell: Mapping[str, Any]) -> Arc:
    carry_in = CARRY_IN.get(str(cell["type"]))
    reads: list[int] = []
    carries: list[int] = []
    drives: list[int] = []
    for port, bits in cell["connections"].items():
        # Constants are strings.
        nets = [bit for bit in bits if isinstance(bit, int)]
        if cell["port_directions"][port] == "output":
            drives += nets
        else:
            (carries if port == carry_in else reads).extend(nets)
    return Arc(tuple(reads), tuple(carries), tuple(drives))
