"""Verilator's syntax tree of a DUT with all parameters resolved: its modules, their signals, and where each is instantiated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow.verilate import PREFIX

Node = dict[str, Any]


@dataclass(frozen=True)
class Signal:
    """A declared signal; ``bits`` is 0 for an array, ``span`` the range of a vector (`7:0`), empty for a scalar."""

    name: str
    bits: int
    span: str
    file: str
    line: int
    is_port: bool


class SyntaxTree:
    """The tree that `verilator --json-only` left in a folder."""

    def __init__(self, folder: Path) -> None:
        tree = json.loads((folder / f"{PREFIX}.tree.json").read_text())
        files = json.loads((folder / f"{PREFIX}.tree.meta.json").read_text())["files"]
        self._files = {key: str(entry["filename"]) for key, entry in files.items()}
        self._types = {entry["addr"]: entry for misc in tree["miscsp"] for entry in misc.get("typesp", [])}
        self.modules: dict[str, Node] = {module["addr"]: module for module in tree["modulesp"]}

    def signals(self, module: Node) -> list[Signal]:
        """Vectors and arrays that a module declares, parameters left out."""
        found = []
        for variable in _nodes(module, "VAR"):
            kind = self._types.get(variable["dtypep"], {})
            bits = _bits(kind)
            if bits is None or variable.get("isParam") or variable.get("isGParam"):
                continue
            file, place, _ = variable["loc"].split(",")
            is_port = variable.get("direction", "NONE") != "NONE"
            found.append(
                Signal(variable["origName"], bits, kind.get("range", ""), self._files[file], int(place.split(":")[0]), is_port)
            )
        return found

    def parameter(self, module: Node, name: str) -> int | None:
        """The value of an integer parameter of a module."""
        for variable in _nodes(module, "VAR"):
            if variable["name"] == name and variable.get("valuep"):
                value = re.fullmatch(r"\d+'s?h([0-9a-f]+)", variable["valuep"][0].get("name", ""))
                return int(value[1], 16) if value else None
        return None

    def instances(self, top: str) -> Iterator[tuple[str, Node]]:
        """(path, module) of every instance below and including the module `top`, the path as waves have it."""
        (root,) = (module for module in self.modules.values() if module["name"] == top)
        yield from self._below(root, top)

    def _below(self, module: Node, path: str) -> Iterator[tuple[str, Node]]:
        yield path, module
        for inner, cell in _cells(module, ()):
            yield from self._below(self.modules[cell["modp"]], ".".join((path, *inner)))


def _bits(kind: Node) -> int | None:
    """Bits of a vector, 0 of an array, None of anything else."""
    if kind.get("type") == "UNPACKARRAYDTYPE":
        return 0
    if kind.get("type") != "BASICDTYPE" or kind.get("name") not in ("logic", "bit"):
        return None
    span = re.fullmatch(r"(\d+):(\d+)", kind.get("range", "0:0"))
    return abs(int(span[1]) - int(span[2])) + 1 if span else None


def _nodes(node: Any, kind: str) -> Iterator[Node]:
    if isinstance(node, list):
        for entry in node:
            yield from _nodes(entry, kind)
    elif isinstance(node, dict):
        if node.get("type") == kind:
            yield node
        if node.get("type") in ("FUNC", "TASK"):
            return
        for entry in node.values():
            if isinstance(entry, (list, dict)):
                yield from _nodes(entry, kind)


def _cells(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Instances in a module, with the names of the generate blocks around them."""
    if isinstance(node, list):
        for entry in node:
            yield from _cells(entry, path)
    elif isinstance(node, dict):
        if node.get("type") == "CELL":
            yield (*path, node["name"]), node
            return
        inner = (*path, node["name"]) if node.get("type") in ("GENBLOCK", "BEGIN") and node.get("name") else path
        for entry in node.values():
            if isinstance(entry, (list, dict)):
                yield from _cells(entry, inner)
