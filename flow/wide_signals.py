"""Signals whose toggles are not counted: wider than 64 bits, or arrays."""

from __future__ import annotations

from typing import Any

from flow.syntax_tree import SyntaxTree
from flow.verilate import WIDEST_TOGGLE

FILE = "wide_signals.json"


def listed(tree: SyntaxTree) -> dict[str, list[list[Any]]]:
    """{file: [[line, signal, bits or 0 for an array], ...]}."""
    found: dict[str, set[tuple[int, str, int]]] = {}
    for module in tree.modules.values():
        for signal in tree.signals(module):
            if signal.bits > WIDEST_TOGGLE or not signal.bits:
                found.setdefault(signal.file, set()).add((signal.line, signal.name, signal.bits))
    return {file: [list(entry) for entry in sorted(entries)] for file, entries in sorted(found.items())}
