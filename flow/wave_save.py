"""The save file beside a wave: it opens at the first mismatch, with the links and the block that the failure names.

GTKWave's format (`gtkwave dump.fst failure.gtkw`). What there is to show comes from `flow/wave_scopes.py`; when and where it went
wrong from `test_result.json` (`wave`), or from the time that an assertion printed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flow import verdict, wave_scopes

FILE = "failure.gtkw"
CLOCK_PS = 2000
BEFORE_CYCLES, SHOWN_CYCLES = 25, 40
WINDOW = (1600, 900)
WAVE_PIXELS, FRAME_PIXELS = 1100, 200
"""Width of the wave in the window, and of the frame whose length the zoom is the logarithm of."""
BINARY, HEXADECIMAL, DECIMAL = "@28", "@22", "@24"
OPEN, CLOSED, END = "@800200", "@c00200", "@1000200"
BLOCKS = {
    "dma": ("dma_block", "dma_engine"),
    "endpoint": ("pcie_endpoint",),
    "switch": ("pcie_switch",),
    "iommu": ("riscv_iommu",),
    "root_complex": ("root_complex",),
    "fabric": ("system",),
    "tlp": ("tlp_link_way",),
}
"""Modules that a block of a signature is, the outermost first; an assertion names a module itself."""
ASSERTED = re.compile(r"^\[(\d+)\] %Error", re.MULTILINE)
Signals = Sequence[tuple[str, str]]


def write(folder: Path, executable: Path, wave: Path, result: verdict.Result) -> Path | None:
    """Leaves the save file for `wave` in a run folder; None where the build does not tell what to show."""
    scopes_file = executable.parent / wave_scopes.FILE
    if not scopes_file.is_file():
        return None
    scopes = json.loads(scopes_file.read_text())
    seen = _seen(folder)
    time = _failure_time(folder, seen, result)
    text = "\n".join([*_head(wave, time), *_groups(scopes, seen.get("links", {}), result), ""])
    path = folder / FILE
    path.write_text(text)
    return path


def _seen(folder: Path) -> dict[str, Any]:
    try:
        seen: dict[str, Any] = json.loads((folder / verdict.TEST_RESULT).read_text()).get("wave", {})
    except (OSError, ValueError):
        return {}
    return seen


def _failure_time(folder: Path, seen: dict[str, Any], result: verdict.Result) -> int:
    """Picoseconds of the clock edge at which it was seen: edge n is at 2n - 1 ns. The last one for a failure at the end."""
    log = folder / verdict.LOG
    asserted = ASSERTED.search(log.read_text(errors="replace")) if log.is_file() else None
    if asserted and not seen.get("cycle"):
        return int(asserted[1])
    cycle = seen.get("cycle") or result.cycles
    return max(0, CLOCK_PS * int(cycle) - CLOCK_PS // 2)


def _head(wave: Path, time: int) -> list[str]:
    zoom = -math.log2(SHOWN_CYCLES * CLOCK_PS * FRAME_PIXELS / WAVE_PIXELS)
    return [
        f'[dumpfile] "{wave.name}"',
        f"[timestart] {max(0, time - BEFORE_CYCLES * CLOCK_PS)}",
        f"[size] {WINDOW[0]} {WINDOW[1]}",
        "[pos] -1 -1",
        f"*{zoom:.6f} {time}" + " -1" * 26,
        "[signals_width] 300",
    ]


def _groups(scopes: dict[str, Any], links: dict[str, int], result: verdict.Result) -> Iterator[str]:
    message, block = "", ""
    if result.signature is not None:
        message, block = f"{result.reasons[0]} {result.signature.message}", result.signature.block
    top = [(name, span) for name, span in scopes["top"] if name in ("clk", "rst", "cycle")]
    path = scopes["path"]
    yield from _signals(path, top)
    named = sorted((name for name in links if re.search(rf"\b{re.escape(name)}\b", message)), key=message.index)
    for name in [*named, *(name for name in sorted(links) if name not in named)]:
        place = scopes["links"].get(str(links[name]))
        if place:
            yield from _group(f"link {name}", place[0], place[1], name in named)
    for place, ports in _instances(scopes["modules"], block):
        yield from _group(f"ports of {place}", place, ports, not named)


def _instances(modules: dict[str, Any], block: str) -> list[tuple[str, Signals]]:
    """Instances of the block that is blamed; `endpoint1` means one of several."""
    stem = block.rstrip("0123456789")
    names = BLOCKS.get(block, BLOCKS.get(stem, (block,)))
    name = next((name for name in names if name in modules), None)
    if name is None:
        return []
    places, ports = modules[name]
    chosen = [place for place in places if block in place.split(".")[-1]] or places
    return [(place, ports) for place in chosen]


def _group(title: str, path: str, signals: Signals, is_open: bool) -> Iterator[str]:
    yield from (OPEN if is_open else CLOSED, f"-{title}")
    yield from _signals(path, signals)
    yield from (END, f"-{title}")


def _signals(path: str, signals: Iterable[tuple[str, str]]) -> Iterator[str]:
    flag = ""
    for name, span in signals:
        wanted = DECIMAL if name == "cycle" else HEXADECIMAL if span else BINARY
        if wanted != flag:
            flag = wanted
            yield flag
        yield f"{path}.{name}" + (f"[{span}]" if span else "")
