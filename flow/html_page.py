"""Parts that all pages of the report share: escaped text, sortable tables, bars, and a page that needs nothing from outside."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
GOOD, POOR = 90.0, 50.0
"""Percentages from which a bar is green, and below which it is red."""


@dataclass(frozen=True)
class Markup:
    """A cell that is markup already; ``value`` sorts it, and a number stands on the right."""

    text: str
    value: float | None = None


Cell = str | int | float | Markup


def escape(value: object) -> str:
    """`value` as text of a page."""
    return html.escape(str(value))


def link(target: str, text: str) -> Markup:
    """A cell that leads to another page."""
    return Markup(f"<a href='{escape(target)}'>{escape(text)}</a>")


def percent(part: int, whole: int) -> float:
    """How much of `whole`, to one decimal, never rounded up to 100."""
    if not whole:
        return 0.0
    return round(100 * part / whole, 1) if part == whole else min(99.9, round(100 * part / whole, 1))


def share(part: int, whole: int) -> Markup:
    """A cell with the percentage and a bar; empty where there is nothing to hit."""
    if not whole:
        return Markup("", -1.0)
    value = percent(part, whole)
    level = "" if value >= GOOD else " class=some" if value >= POOR else " class=few"
    return Markup(f"{value:.1f} <span class=bar><i{level} style='width:{value:.0f}%'></i></span>", value)


def table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], bad: set[int] | frozenset[int] = frozenset()) -> str:
    """A table that a click on a head sorts; rows in `bad` are marked as failing."""
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = []
    for index, row in enumerate(rows):
        cells = "".join(_cell(cell) for cell in row)
        body.append(f"<tr class=fail>{cells}</tr>" if index in bad else f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"<td>{escape(cell)}</td>"
    if isinstance(cell, Markup):
        number = "" if cell.value is None else f" class=number data-value={cell.value}"
        return f"<td{number}>{cell.text}</td>"
    return f"<td class=number data-value={cell}>{cell:,}</td>"


def write(path: Path, template: str, parts: Mapping[str, str]) -> Path:
    """Fills a template of this folder (`<!-- name -->` each) and writes it by renaming."""
    page = (HERE / template).read_text()
    every = {"style": (HERE / "report.css").read_text(), "script": (HERE / "report.js").read_text(), **parts}
    for name, text in every.items():
        page = page.replace(f"<!-- {name} -->", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(page)
    partial.rename(path)
    return path
