"""`make synth`: area and logic depth of blocks on UltraScale+ and ECP5, and the clock they reach placed on ECP5.

`flow/synthesis.toml` names the blocks. Results are cached by content: the files a block is made of, the scripts, the tools.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from flow import lint_verilog, netlist, synthesis_tools, yosys
from flow.errors import UserError
from flow.lint_check import output_of
from flow.progress import Progress, duration
from flow.project import Project, near_matches
from flow.synthesis_tools import TARGETS, Area, Design, Placement, Route

CATALOGUE = "flow/synthesis.toml"
RESULTS = "synth.json"
RESULT = "figures.json"
ASSUMED_SECONDS = 60.0
"""How long a step is taken to last that was never done here."""
UNASKED_MHZ = 100.0
"""What place and route aims at where the catalogue asks for nothing."""


@dataclass(frozen=True)
class Block:
    """An entry of the catalogue."""

    name: str
    what: str
    fmax_mhz: float = 0
    seeds: tuple[int, ...] = (1,)
    routed: bool = True
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """Blocks by name, and the ECP5 they are placed on."""

    blocks: Mapping[str, Block]
    device: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """What was measured of a block."""

    block: Block
    areas: Mapping[str, Area]
    placements: tuple[Placement, ...]

    @property
    def best(self) -> Placement | None:
        """The fastest placement."""
        return max(self.placements, key=lambda placement: placement.fmax_mhz, default=None)

    @property
    def met(self) -> bool | None:
        """Whether the clock asked for is reached; None where none is asked or none was measured."""
        if self.best is None or not self.block.fmax_mhz:
            return None
        return self.best.fmax_mhz >= self.block.fmax_mhz


@dataclass(frozen=True)
class Step:
    """A piece of work of minutes: a block on a target."""

    block: Block
    target: str
    design: Design
    work: Callable[[], Any]

    @property
    def name(self) -> str:
        return f"{self.block.name} {self.target}"


def load(project: Project) -> Catalogue:
    """The catalogue; what is wrong with it is a `UserError`."""
    path = project.root / CATALOGUE
    try:
        data = tomllib.loads(path.read_text())
        tables: list[dict[str, Any]] = data.get("block", [])
        blocks = {table["name"]: Block(**{**table, "seeds": tuple(table.get("seeds", (1,)))}) for table in tables}
        return Catalogue(blocks, str(data["ecp5"]["device"]), tuple(data["ecp5"]["options"]))
    except FileNotFoundError:
        raise UserError(f"The catalogue of blocks {CATALOGUE} does not exist.") from None
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise UserError(f"The catalogue of blocks {CATALOGUE} is not as its head describes: {error}.") from None


def choose(catalogue: Catalogue, block: str | None, target: str | None) -> tuple[list[Block], list[str]]:
    """The blocks and targets a user asked for; all unless named."""
    if block is not None and block not in catalogue.blocks:
        raise UserError(f"There is no block '{block}' in {CATALOGUE}: {near_matches(block, catalogue.blocks)}")
    if target is not None and target not in TARGETS:
        raise UserError(f"There is no target '{target}': {near_matches(target, TARGETS)}")
    blocks = [catalogue.blocks[block]] if block else list(catalogue.blocks.values())
    return blocks, [target] if target else list(TARGETS)


def files_of(project: Project, top: str) -> list[Path]:
    """The files a module is made of, packages first, found by the names that stand in them; the top last."""
    rtl = lint_verilog.find_rtl(project)
    by_name = {path.stem: path for path in (*rtl.packages, *rtl.modules)}
    if top not in by_name:
        raise UserError(f"There is no module '{top}' below hdl/: {near_matches(top, by_name)}")
    found: dict[str, None] = {}
    waiting = [top]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            text = lint_verilog.COMMENT.sub("", by_name[name].read_text())
            waiting += sorted(set(re.findall(r"\w+", text)) & set(by_name) - set(found))
    chosen = [by_name[name] for name in found]
    return [*(path for path in rtl.packages if path in chosen), *sorted(path for path in chosen if path not in rtl.packages)]


def measure(project: Project, catalogue: Catalogue, blocks: Sequence[Block], targets: Sequence[str], jobs: int) -> list[Figures]:
    """Measures blocks on targets, `jobs` tools at a time; the first that fails ends it with a `UserError`."""
    versions = [yosys.version(), _nextpnr_version() if "ecp5" in targets else ""]
    results: dict[tuple[str, str], dict[str, Any]] = {}
    steps: list[Step] = []
    for block in blocks:
        for target in targets:
            step = _step(project, catalogue, block, target, versions)
            kept = step.design.folder / RESULT
            if kept.is_file():
                results[block.name, target] = json.loads(kept.read_text())
            else:
                steps.append(step)
    if steps:
        _work(project, steps, jobs, results)
    return [_figures(block, {target: results[block.name, target] for target in targets}) for block in blocks]


def write(project: Project, figures: Iterable[Figures]) -> Path:
    """Leaves `build/synth/synth.json`."""
    path = project.build / "synth" / RESULTS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{**asdict(entry), "met": entry.met} for entry in figures], indent=1) + "\n")
    return path


def _figures(block: Block, results: Mapping[str, Mapping[str, Any]]) -> Figures:
    areas = {target: Area(**result["area"]) for target, result in results.items()}
    placements = tuple(_placement(**entry) for result in results.values() for entry in result["placements"])
    return Figures(block, areas, placements)


def _placement(seed: int, estimate_mhz: float, route: Mapping[str, Any] | None) -> Placement:
    return Placement(seed, estimate_mhz, Route(**route) if route else None)


def _step(project: Project, catalogue: Catalogue, block: Block, target: str, versions: Sequence[str]) -> Step:
    files = files_of(project, block.name)
    headers = sorted({path for file in files for path in file.parent.glob("*.vh")})
    include = sorted({os.path.relpath(path.parent, project.rtl_root) for path in headers})
    names = [os.path.relpath(path, project.rtl_root) for path in files]
    neutral = Design(block.name, block.parameters, names, include, project.rtl_root, project.rtl_root)
    entering = [*versions, synthesis_tools.map_script(neutral, target), _recipe(netlist)]
    if target == "ecp5":
        entering += [*catalogue.options, str(block.seeds), str(block.routed), f"{_aim(block):g}", _recipe(synthesis_tools)]
    digest = hashlib.sha256("\0".join(entering).encode())
    for path in (*files, *headers):
        digest.update(f"\0{os.path.relpath(path, project.rtl_root)}\0".encode() + path.read_bytes())
    folder = project.build / "synth" / f"{block.name}-{target}-{digest.hexdigest()[:16]}"
    design = Design(block.name, block.parameters, names, include, project.rtl_root, folder)

    def work() -> dict[str, Any]:
        area = synthesis_tools.map_block(design, target)
        placements = []
        if target == "ecp5":
            synthesis_tools.wrap(design)
            placements = [
                synthesis_tools.place(design, catalogue.options, seed, _aim(block), block.routed) for seed in block.seeds
            ]
        return {"area": asdict(area), "placements": [asdict(placement) for placement in placements]}

    return Step(block, target, design, work)


def _recipe(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text()


def _aim(block: Block) -> float:
    return block.fmax_mhz or UNASKED_MHZ


def _work(project: Project, steps: Sequence[Step], jobs: int, results: dict[tuple[str, str], dict[str, Any]]) -> None:
    durations_file = project.build / "synth" / "durations.json"
    durations: dict[str, float] = json.loads(durations_file.read_text()) if durations_file.is_file() else {}
    weight = {step.name: durations.get(step.name, ASSUMED_SECONDS) for step in steps}
    ordered = sorted(steps, key=lambda step: -weight[step.name])
    progress = Progress(sum(weight.values()), len(steps), sys.stdout)

    def timed(step: Step) -> tuple[dict[str, Any], float]:
        started = time.monotonic()
        return step.work(), time.monotonic() - started

    pool = ThreadPoolExecutor(jobs)
    try:
        running = {pool.submit(timed, step): step for step in ordered}
        progress.note(f"{len(steps)} of {len(steps)} steps to do, about {duration(sum(weight.values()) / jobs)}")
        for future in as_completed(running):
            step = running[future]
            result, durations[step.name] = future.result()
            results[step.block.name, step.target] = result
            (step.design.folder / RESULT).write_text(json.dumps(result, indent=1) + "\n")
            for left in step.design.folder.glob("*.json"):
                if left.name != RESULT:
                    left.unlink()
            progress.note(f"  {step.name}: {duration(durations[step.name])}")
            progress.finished(weight[step.name], True)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        progress.close()
    durations_file.write_text(json.dumps(durations, indent=1, sort_keys=True) + "\n")


def _nextpnr_version() -> str:
    status, lines = output_of([yosys.find(synthesis_tools.NEXTPNR), "--version"], Path.cwd(), yosys.environment())
    if status != 0 or not lines:
        raise UserError("nextpnr does not start; run 'make setup' again.", "\n".join(lines[-3:]))
    return lines[-1]
