"""Lint of the Python code: ruff, mypy strict, and the layers of the rooms (which may import which)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from flow.lint_check import Check, Finding, Skipped, output_of
from flow.project import Project

ROOMS = ("models", "tb", "flow", "sequences", "tests")
SIMULATOR = ("cocotb", "cocotb_bus", "cocotb_tools", "cocotbext", "pyuvm")
ALLOWED_IN_MODELS = frozenset({*sys.stdlib_module_names, "numpy", "sluicegate"})
FORBIDDEN = {
    "tb": ("sequences", "tests", "flow"),
    "sequences": ("tb", "tests", "flow", *SIMULATOR),
    "tests": ("flow",),
    "flow": ("tb", "sequences", "tests"),
}
"""Packages a room must not import."""
FLOW_TESTS = Path("tests/flow")
"""The flow's own tests, the only ones that import it."""


def checks(project: Project) -> list[Check]:
    """All checks of this file."""
    return [
        Check("ruff check", lambda p: _tool(p, "ruff", "check", "--output-format=concise", "--no-cache", ".")),
        Check("ruff format", lambda p: _tool(p, "ruff", "format", "--check", "--no-cache", ".")),
        Check("mypy strict", lambda p: _tool(p, "mypy", "--no-error-summary", *_rooms(p))),
        Check("import layers", layers),
    ]


def layers(project: Project) -> Finding | Skipped:
    """Every import that crosses a wall between rooms."""
    faults: list[str] = []
    files = [path for room in _rooms(project) for path in sorted((project.root / room).rglob("*.py"))]
    for path in files:
        place = path.relative_to(project.root)
        room = place.parts[0]
        for line, package in imported_packages(path):
            if room == "models":
                if package not in ALLOWED_IN_MODELS:
                    faults.append(f"{place}:{line}: models imports numpy and the standard library only, not {package}")
            elif package in FORBIDDEN[room] and not (room == "tests" and place.is_relative_to(FLOW_TESTS)):
                faults.append(f"{place}:{line}: {room} must not import {package}")
    return Finding(f"{len(files)} files", tuple(faults))


def imported_packages(path: Path) -> Iterator[tuple[int, str]]:
    """(line, top-level package) of every absolute import of a file."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name.split(".")[0]) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.split(".")[0]


def _rooms(project: Project) -> list[str]:
    return [room for room in ROOMS if any((project.root / room).rglob("*.py"))]


def _tool(project: Project, module: str, *arguments: str) -> Finding | Skipped:
    status, lines = output_of([sys.executable, "-m", module, *arguments], project.root)
    if status == 0:
        return Finding("clean")
    summary = ("Found ", "No fixes available", "[*]")
    return Finding("", tuple(line for line in lines if not line.startswith(summary)) or (f"{module} ended with {status}",))
