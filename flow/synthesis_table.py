"""The figures of `make synth` as a table, on the terminal and between the markers of docs/synthesis.md."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flow.errors import UserError
from flow.project import Project
from flow.synthesis import Figures

PAGE = "docs/synthesis.md"
MARKERS = re.compile(r"(<!-- figures: make synth DOCS=1 -->\n).*?(<!-- end of figures -->)", re.DOTALL)
HEAD = ("block", "target", "LUT", "FF", "LUT RAM", "block RAM", "depth", "placed (MHz)", "routed (MHz)", "asked")


def rows(figures: Sequence[Figures]) -> list[tuple[str, ...]]:
    """One row for each block and target."""
    found: list[tuple[str, ...]] = []
    for entry in figures:
        for target, area in entry.areas.items():
            counts = (f"{area.luts:,}", f"{area.flip_flops:,}", f"{area.lut_rams:,}", f"{area.block_rams:,}", str(area.depth))
            placed = ("-", "-", "")
            if target == "ecp5" and entry.best is not None:
                asked = f">= {entry.block.fmax_mhz:g}" if entry.block.fmax_mhz else ""
                verdict = {None: "", True: " met", False: " MISSED"}[entry.met]
                seeds = (entry.best, *(placement for placement in entry.placements if placement is not entry.best))
                estimates = _best_first([placement.estimate_mhz for placement in seeds])
                routes = _best_first([placement.route.fmax_mhz for placement in seeds if placement.route])
                placed = (estimates, routes, asked + verdict)
            found.append((entry.block.name, target, *counts, *placed))
    return found


def _best_first(clocks: Sequence[float]) -> str:
    """That of the best seed, in brackets those of the others."""
    if not clocks:
        return "-"
    others = ", ".join(f"{clock:g}" for clock in clocks[1:])
    return f"{clocks[0]:g}" + (f" ({others})" if others else "")


def render(figures: Sequence[Figures]) -> str:
    """The table for a terminal, and the longest path of each placed block."""
    table = [HEAD, *rows(figures)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    paths = [(entry.block.name, entry.best.route) for entry in figures if entry.best is not None and entry.best.route is not None]
    lines += [
        f"{name}: longest path {path.logic_ns:g} ns logic + {path.routing_ns:g} ns routing, {path.source} to {path.sink}"
        for name, path in paths
    ]
    return "\n".join(lines)


def write_page(project: Project, figures: Sequence[Figures]) -> None:
    """Puts the table between the markers of the page."""
    page = project.root / PAGE
    text = page.read_text() if page.is_file() else ""
    table = [HEAD, ("---",) * len(HEAD), *rows(figures)]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in table)
    written, places = MARKERS.subn(lambda found: f"{found[1]}{lines}{found[2]}", text)
    if places != 1:
        raise UserError(f"{PAGE} has no pair of markers for the figures: one must stand there.")
    page.write_text(written)
