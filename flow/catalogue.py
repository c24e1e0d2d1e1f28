"""The catalogue of devices under test (`duts.toml`): what each simulation is built from.

Patterns are globs relative to the checkout. A table `[defaults]` holds what every DUT shares; a DUT with `extends` starts from
another DUT and overrides keys (parameters are merged). Packages are read first, in the order of `sources`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flow.errors import UserError
from flow.project import Project, near_matches

PACKAGE = re.compile(r"^\s*package\s+\w+", re.MULTILINE)
LIST_KEYS = ("sources", "include", "native", "native_exclude", "native_include", "verilator_flags", "required_checkers")
TEXT_KEYS = ("name", "extends", "top", "toplevel", "vlt", "fast_main", "bare_main", "timescale")


@dataclass(frozen=True)
class Dut:
    """One build: RTL, its SystemVerilog top, the native code linked into it and how Verilator reads it."""

    name: str
    top: str
    """SystemVerilog file that holds the toplevel module."""
    toplevel: str
    """Name of the toplevel module; the stem of `top` unless given."""
    sources: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    """Folders searched for Verilog headers."""
    native: tuple[str, ...] = ()
    """C++ compiled into every simulation main alike."""
    native_exclude: tuple[str, ...] = ()
    native_include: tuple[str, ...] = ()
    """Folders searched for C++ headers."""
    fast_main: str = ""
    bare_main: str = ""
    vlt: str = ""
    """Verilator control file that makes public what the testbench touches (not given to the `unmodified` main)."""
    verilator_flags: tuple[str, ...] = ()
    timescale: str = "1ns/1ps"
    required_checkers: tuple[str, ...] = ()
    """Checkers that must have compared something in every run, whatever the test."""
    parameters: Mapping[str, int | str] = field(default_factory=dict)

    def rtl_files(self, project: Project) -> list[Path]:
        """Every RTL file in reading order: packages as the patterns list them, then modules, the top last."""
        files = [path for pattern in self.sources for path in _expand(project, pattern)]
        top = project.root / self.top
        if not top.is_file():
            raise UserError(f"DUT '{self.name}' cannot be built: its top {self.top} is not in this checkout.")
        ordered = sorted(dict.fromkeys(path for path in files if path != top), key=lambda path: not _is_package(path))
        return [*ordered, top]

    def native_files(self, project: Project) -> list[Path]:
        """C++ sources shared by all mains, sorted by name."""
        excluded = {path for pattern in self.native_exclude for path in _expand(project, pattern)}
        files = {path for pattern in self.native for path in _expand(project, pattern)}
        return sorted(files - excluded)

    def include_dirs(self, project: Project) -> list[Path]:
        """Folders searched for Verilog headers."""
        return _folders(project, self.include)

    def native_include_dirs(self, project: Project) -> list[Path]:
        """Folders searched for C++ headers."""
        return _folders(project, self.native_include)

    def available(self, project: Project) -> bool:
        """Whether the top of this DUT is in the checkout."""
        return (project.root / self.top).is_file()


def _folders(project: Project, names: Sequence[str]) -> list[Path]:
    folders = (project.source_root(name) / name for name in names)
    return [folder for folder in folders if folder.is_dir()]


def _is_package(path: Path) -> bool:
    return PACKAGE.search(path.read_text()) is not None


def _expand(project: Project, pattern: str) -> list[Path]:
    return sorted(path for path in project.source_root(pattern).glob(pattern) if path.is_file())


def load(project: Project) -> dict[str, Dut]:
    """All DUTs by name; a malformed catalogue is a `UserError`."""
    shown = project.relative(project.duts_file)
    try:
        data = tomllib.loads(project.duts_file.read_text())
    except FileNotFoundError:
        raise UserError(f"The DUT catalogue {shown} does not exist.") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"The DUT catalogue {shown} is not valid TOML: {error}.") from None
    defaults = data.get("defaults", {})
    tables: dict[str, dict[str, Any]] = {}
    for table in data.get("dut", []):
        if not isinstance(table.get("name"), str):
            raise UserError(f"Every [[dut]] of {shown} needs a name.")
        tables[table["name"]] = table
    return {name: _dut(name, tables, defaults, shown) for name in tables}


def find(duts: Mapping[str, Dut], name: str) -> Dut:
    """The DUT called `name`, or a `UserError` with near matches."""
    if name not in duts:
        raise UserError(f"There is no DUT '{name}': {near_matches(name, duts)}")
    return duts[name]


def _merged(name: str, tables: Mapping[str, dict[str, Any]], shown: str, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    table = tables[name]
    base = table.get("extends")
    if base is None:
        return dict(table)
    if base not in tables or base in (*seen, name):
        raise UserError(f"DUT '{name}' of {shown} extends '{base}', which is unknown or extends it in turn.")
    merged = {**_merged(base, tables, shown, (*seen, name)), **table}
    merged["parameters"] = {**_merged(base, tables, shown, (*seen, name)).get("parameters", {}), **table.get("parameters", {})}
    return merged


def _dut(name: str, tables: Mapping[str, dict[str, Any]], defaults: Mapping[str, Any], shown: str) -> Dut:
    table = {**defaults, **_merged(name, tables, shown)}
    table.pop("extends", None)
    for key, value in table.items():
        if key in LIST_KEYS:
            good = isinstance(value, list) and all(isinstance(item, str) for item in value)
        elif key in TEXT_KEYS:
            good = isinstance(value, str)
        elif key == "parameters":
            good = isinstance(value, dict)
        else:
            known = (*LIST_KEYS, *TEXT_KEYS, "parameters")
            raise UserError(f"DUT '{name}' of {shown} has an unknown key '{key}': {near_matches(key, known)}")
        if not good:
            raise UserError(f"DUT '{name}' of {shown}: the value of '{key}' has the wrong type.")
    if not table.get("top"):
        raise UserError(f"DUT '{name}' of {shown} names no top file.")
    table.setdefault("toplevel", Path(table["top"]).stem)
    arguments: dict[str, Any] = {key: tuple(value) if key in LIST_KEYS else value for key, value in table.items()}
    return Dut(**arguments)
