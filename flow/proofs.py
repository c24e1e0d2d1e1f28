"""The catalogue of proofs, `flow/proofs.toml`, and the seeded bugs that each of them must find."""

from __future__ import annotations

import enum
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flow import faults
from flow.errors import UserError
from flow.faults import Fault
from flow.project import Project, near_matches

BUG_FOLDER = "tests/faults/formal"
HARNESSES = "tests/formal"
"""Modules around several of hdl/, for proofs of what those do together."""
BUG_HEADER = re.compile(r"^# ?(proof|expect-assertion): *(.+?) *$", re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
PACKAGE = re.compile(r"^\s*package\s+(\w+)", re.MULTILINE)
TYPES: Mapping[str, type] = {
    "name": str,
    "module": str,
    "states": str,
    "mode": str,
    "depth": int,
    "reach": int,
    "parameters": dict,
    "abstract": list,
}


class Mode(enum.StrEnum):
    """How far a proof reaches."""

    PROVE = "prove"
    """By k-induction, for every number of cycles."""
    BMC = "bmc"
    """For every run of `depth` cycles from reset."""


@dataclass(frozen=True)
class SeededBug:
    """A patch of the RTL that a proof must refute."""

    patch: Fault
    proof: str
    assertions: tuple[str, ...]
    """Labels of the assertions that may be the first to fail; one of them must."""

    @property
    def name(self) -> str:
        return self.patch.name


@dataclass(frozen=True)
class Proof:
    """The assertions in the formal section of one module, in one configuration."""

    name: str
    module: str
    states: str
    """What is proven, in a sentence."""
    mode: Mode
    depth: int
    """Cycles of the induction, or of the bounded check."""
    reach: int
    """Cycles from reset within which every cover statement must be met and every seeded bug found."""
    parameters: Mapping[str, int] = field(hash=False)
    abstract: tuple[str, ...]
    """Modules below whose outputs are left free."""
    bugs: tuple[SeededBug, ...]

    @property
    def reproduce(self) -> str:
        return f"make formal PROOF={self.name}"


def load(project: Project) -> dict[str, Proof]:
    """All proofs by name; a catalogue or a seeded bug that is not in order is a `UserError`."""
    shown = project.relative(project.proofs_file)
    try:
        tables = tomllib.loads(project.proofs_file.read_text()).get("proof", [])
    except FileNotFoundError:
        raise UserError(f"There is no catalogue of proofs {shown}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{shown} is not TOML: {error}.") from None
    bugs = _bugs(project)
    if not tables:
        raise UserError(f"{shown} holds no proof.")
    names = [str(table.get("name", "")) for table in tables]
    if len(set(names)) != len(names):
        raise UserError(f"{shown} gives a name to two proofs.")
    for bug in bugs:
        if bug.proof not in names:
            raise UserError(f"The seeded bug {bug.name} is of proof '{bug.proof}': {near_matches(bug.proof, names)}")
    return {name: _proof(table, bugs, shown) for name, table in zip(names, tables, strict=True)}


def select(proofs: Mapping[str, Proof], names: Sequence[str]) -> list[Proof]:
    """The named proofs, or all of them."""
    for name in names:
        if name not in proofs:
            raise UserError(f"There is no proof '{name}': {near_matches(name, proofs)}")
    return [proof for name, proof in proofs.items() if not names or name in names]


def sources(project: Project, module: str) -> tuple[list[Path], list[Path]]:
    """Verilog that a module is made of: files in reading order, packages first and the module last, and headers included."""
    harnesses = sorted((project.root / HARNESSES).glob("*.v"))
    files = {path.stem: path for path in (*harnesses, *sorted(project.rtl_root.glob("hdl/**/*.v")))}
    headers = {path.name: path for path in sorted(project.rtl_root.glob("hdl/**/*.vh"))}
    if module not in files:
        raise UserError(f"There is no module '{module}' below hdl/: {near_matches(module, files)}")
    packages: list[Path] = []
    modules: list[Path] = []
    included: dict[Path, None] = {}
    seen = {module}

    def visit(path: Path) -> None:
        text = COMMENT.sub("", path.read_text())
        included.update((headers[name], None) for name in re.findall(r'`include "([^"]+)"', text) if name in headers)
        for name in sorted(set(re.findall(r"\w+", text)) & files.keys()):
            if name not in seen:
                seen.add(name)
                visit(files[name])
        (packages if PACKAGE.search(text) else modules).append(path)

    visit(files[module])
    return [*packages, *modules], list(included)


def table(proofs: Mapping[str, Proof]) -> str:
    """The catalogue as a Markdown table."""
    lines = ["| proof | what holds | for | seeded bugs it finds |", "|---|---|---|---|"]
    for proof in proofs.values():
        span = "every cycle" if proof.mode is Mode.PROVE else f"{proof.depth} cycles"
        bugs = "; ".join(bug.patch.title for bug in proof.bugs)
        lines.append(f"| `{proof.name}` | {proof.states} | {span} | {bugs} |")
    return "\n".join(lines)


def _bugs(project: Project) -> list[SeededBug]:
    found = []
    for patch in faults.load(project.root / BUG_FOLDER):
        header = dict(BUG_HEADER.findall(patch.path.read_text().split("\n--- ")[0]))
        for key in ("proof", "expect-assertion"):
            if key not in header:
                raise UserError(f"The seeded bug {patch.path.name} has no line '# {key}:'.")
        labels = tuple(label.strip() for label in header["expect-assertion"].split(","))
        found.append(SeededBug(patch, header["proof"], labels))
    return found


def _proof(table: Mapping[str, Any], bugs: Sequence[SeededBug], shown: str) -> Proof:
    name = table.get("name", "")
    for key, value in table.items():
        if key not in TYPES:
            raise UserError(f"Proof '{name}' of {shown} has an unknown key '{key}': {near_matches(key, TYPES)}")
        if type(value) is not TYPES[key]:
            raise UserError(f"Proof '{name}' of {shown}: the value of '{key}' has the wrong type.")
    for key in ("name", "module", "states", "mode", "depth"):
        if key not in table:
            raise UserError(f"Proof '{name}' of {shown} has no '{key}'.")
    if table["mode"] not in list(Mode):
        raise UserError(f"Proof '{name}' of {shown}: its mode is {' or '.join(Mode)}, not '{table['mode']}'.")
    if table["depth"] < 1 or table.get("reach", 1) < 1:
        raise UserError(f"Proof '{name}' of {shown}: depth and reach are at least 1.")
    own = tuple(bug for bug in bugs if bug.proof == name)
    if not own:
        raise UserError(f"Proof '{name}' of {shown} has no seeded bug in {BUG_FOLDER}: nothing shows that it can fail.")
    return Proof(
        name=name,
        module=table["module"],
        states=table["states"],
        mode=Mode(table["mode"]),
        depth=table["depth"],
        reach=table.get("reach", table["depth"]),
        parameters=table.get("parameters", {}),
        abstract=tuple(table.get("abstract", ())),
        bugs=own,
    )
