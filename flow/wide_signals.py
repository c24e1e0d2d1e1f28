"""Signals whose toggles are not counted: wider than 64 bits, or arrays; found in Verilator's syntax tree of a DUT."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flow.verilate import PREFIX, WIDEST_TOGGLE

FILE = "wide_signals.json"


def read_tree(folder: Path) -> dict[str, list[list[Any]]]:
    """{file: [[line, signal, bits or 0 for an array], ...]} of the tree that `verilator --json-only` left in `folder`."""
    tree = json.loads((folder / f"{PREFIX}.tree.json").read_text())
    files = json.loads((folder / f"{PREFIX}.tree.meta.json").read_text())["files"]
    types = {entry["addr"]: entry for misc in tree["miscsp"] for entry in misc.get("typesp", [])}
    found: dict[str, set[tuple[int, str, int]]] = {}
    for variable in _variables(tree["modulesp"]):
        if variable.get("isParam") or variable.get("isGParam"):
            continue
        width = _width(types.get(variable["dtypep"], {}))
        if width is None or 0 < width <= WIDEST_TOGGLE:
            continue
        file, place, _ = variable["loc"].split(",")
        found.setdefault(files[file]["filename"], set()).add((int(place.split(":")[0]), variable["origName"], width))
    return {file: [list(entry) for entry in sorted(entries)] for file, entries in sorted(found.items())}


def _variables(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for entry in node:
            yield from _variables(entry)
    elif isinstance(node, dict):
        if node.get("type") == "VAR":
            yield node
        for entry in node.values():
            yield from _variables(entry)


def _width(kind: dict[str, Any]) -> int | None:
    """Bits of a vector, 0 of an array, None of anything that has no bits to toggle."""
    if kind.get("type") == "UNPACKARRAYDTYPE":
        return 0
    if kind.get("type") != "BASICDTYPE" or kind.get("name") not in ("logic", "bit"):
        return None
    span = re.fullmatch(r"(\d+):(\d+)", kind.get("range", "0:0"))
    return abs(int(span[1]) - int(span[2])) + 1 if span else None
