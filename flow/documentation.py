"""`make docs` and the checks of the documentation: links lead somewhere, commands exist; register pages as HTML."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from peakrdl_html.exporter import HTMLExporter
from systemrdl.compiler import RDLCompiler
from systemrdl.messages import RDLCompileError

from flow.errors import UserError
from flow.lint_check import Check, Finding, Skipped, output_of
from flow.project import Project
from flow.registers import SOURCES

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)|!\[[^\]]*\]\(([^)\s]+)\)")
MAKE = re.compile(r"(?:^|`|\n)make ([-a-z_]+)")
TARGET = re.compile(r"^([-a-z_ ]+):(?!=)", re.MULTILINE)
REGISTER_SOURCE = "hdl/regs/sluicegate.rdl"
REGISTER_FOLDER = "hdl/regs"


def checks(project: Project) -> list[Check]:
    """All checks of this file."""
    return [Check("documentation", links_and_commands), Check("registers", _registers_fresh)]


def pages(project: Project) -> list[Path]:
    """Every Markdown page that is read on its own."""
    return [*sorted(project.root.glob("*.md")), *sorted(project.root.glob("docs/**/*.md"))]


def links_and_commands(project: Project) -> Finding | Skipped:
    """Relative links to files that do not exist, `make` targets that the Makefile does not have."""
    makefile = project.root / "Makefile"
    targets = {name for line in TARGET.findall(makefile.read_text()) for name in line.split()} if makefile.is_file() else set()
    faults: list[str] = []
    found = pages(project)
    for page in found:
        for number, line in _lines(page):
            shown = f"{page.relative_to(project.root)}:{number}"
            links = (first or second for first, second in LINK.findall(line))
            files = [link for link in links if "://" not in link and not link.startswith("mailto:")]
            faults += [f"{shown}: the link {link} leads nowhere" for link in files if not (page.parent / link).exists()]
            faults += [f"{shown}: there is no target 'make {name}'" for name in MAKE.findall(line) if name not in targets]
    return Finding(f"{len(found)} pages", tuple(faults))


def write(project: Project) -> Path:
    """Renders the register pages to `build/docs/registers/` and returns their start page."""
    if not (project.root / REGISTER_SOURCE).is_file():
        raise UserError(f"There are no registers to document: {REGISTER_SOURCE} is not in this checkout.")
    target = project.build / "docs" / "registers"
    target.mkdir(parents=True, exist_ok=True)
    compiler = RDLCompiler()
    try:
        for name in SOURCES:
            compiler.compile_file(str(project.root / REGISTER_FOLDER / name))
        HTMLExporter().export(compiler.elaborate(), str(target))
    except RDLCompileError:
        raise UserError("The SystemRDL does not compile; its messages are above.") from None
    return target / "index.html"


def _registers_fresh(project: Project) -> Finding | Skipped:
    if not (project.root / REGISTER_SOURCE).is_file():
        return Skipped("no register description is in this checkout yet")
    status, lines = output_of([sys.executable, "-m", "flow.registers", "--check"], project.root)
    return Finding("generated files are up to date", tuple(lines) if status else ())


def _lines(page: Path) -> Iterator[tuple[int, str]]:
    yield from enumerate(page.read_text().splitlines(), start=1)
