"""`python -m flow edit`: how long it takes from an edit of RTL to the first verdict of a block's test, everything else warm.

One module of the DUT gets a register more, with constants of its own each time, so that no cache knows the result; the edited
copy is built and the block's first test runs with seed 1. Machines are shared and differ, so beside the wall clock stands what an
idle machine with as many compilers would need at least: Verilator, then the longer of the longest unit and the shared sum of all
units, then the linker and the run, each in its CPU seconds.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flow import catalogue, job, testlist
from flow.build import Builder, Variant
from flow.errors import UserError
from flow.launchers import launcher
from flow.project import Project
from flow.testlist import ListedTest
from flow.verdict import Result

TARGET_S = 30.0
EDITED = {
    "dma": "hdl/dma/dma_engine.v",
    "iommu": "hdl/iommu/iommu_walker.v",
    "switch": "hdl/switch/pcie_switch.v",
    "endpoint": "hdl/endpoint/descriptor_ring.v",
    "root_complex": "hdl/root/root_complex.v",
    "system": "hdl/dma/dma_engine.v",
}
"""The module that is edited for each DUT; it has `clk_i`."""

REPLAY = "conformance"
"""Tag of tests that replay recorded cases: long, and not what an edit is tried on first."""


@dataclass(frozen=True)
class Verdict:
    """What one edit cost, in seconds."""

    dut: str
    test: str
    verilate: float
    compile: float
    longest: float
    link: float
    run: float
    wall: float
    jobs: int

    @property
    def idle(self) -> float:
        """Seconds on an idle machine with `jobs` compilers at a time."""
        return self.verilate + max(self.longest, self.compile / self.jobs) + self.link + self.run


def measure(project: Project, names: Sequence[str], jobs: int | None = None) -> list[Verdict]:
    """Edits each DUT named (all of `EDITED` unless any is) and prints a line for each."""
    tests = testlist.load(project)
    print(
        f"{'dut':<13} {'verilate':>8} {'compile':>8} {'longest':>8} {'link':>6} {'run':>6} {'idle':>7} {'wall':>7}   test",
        flush=True,
    )
    measured = []
    for name in names or EDITED:
        if name not in EDITED:
            raise UserError(f"No edit is known for DUT '{name}': known are {', '.join(EDITED)}.")
        test = next((test for test in tests.values() if test.dut == name and test.seeds and REPLAY not in test.tags), None)
        if test is None:
            raise UserError(f"DUT '{name}' has no test in the default set.")
        verdict = _one(project, name, test, jobs)
        columns = f"{verdict.compile:>8.1f} {verdict.longest:>8.1f} {verdict.link:>6.1f} {verdict.run:>6.1f}"
        print(
            f"{name:<13} {verdict.verilate:>8.1f} {columns} {verdict.idle:>7.1f} {verdict.wall:>7.1f}   {test.name}", flush=True
        )
        measured.append(verdict)
    return measured


def _one(project: Project, name: str, test: ListedTest, jobs: int | None) -> Verdict:
    dut = catalogue.load(project)[name]
    Builder(project, jobs).build(dut, Variant())
    with tempfile.TemporaryDirectory(prefix="edit-", dir=project.build) as folder:
        shutil.copytree(project.root / "hdl", Path(folder) / "hdl")
        _edit(Path(folder) / EDITED[name])
        edited = replace(project, rtl_root=Path(folder))
        builder = Builder(edited, jobs)
        started = time.monotonic()
        build = builder.build(dut, Variant())
        entry = job.make_job(edited, test, 1, build, project.runs / "edit" / f"{test.name}-1")
        entry.write(edited)
        results: list[Result] = []
        launcher("local", 1).run(edited, [entry], lambda _, result: results.append(result))
        wall = time.monotonic() - started
    if not results or not results[0].passed:
        raise UserError(
            f"The test {test.name} failed after an edit that changes nothing: {results[0].reasons[0] if results else ''}"
        )
    costs = builder.pool.costs
    units = [cost for what, cost in costs if what.startswith("Compiling the model")]
    return Verdict(
        dut=name,
        test=test.name,
        verilate=sum(cost for what, cost in costs if what.startswith("Verilating")),
        compile=sum(units),
        longest=max(units, default=0.0),
        link=sum(cost for what, cost in costs if what.startswith(("Linking", "Compiling tb"))),
        run=job.cpu_seconds(entry.folder(project)),
        wall=wall,
        jobs=builder.pool.jobs,
    )


def _edit(path: Path) -> None:
    """A register more in the module: logic that nothing can drop, and that never does anything."""
    step, never = random.getrandbits(30) | 1, random.getrandbits(32)
    lines = (
        "  reg [31:0] edit_q;",
        f"  always @(posedge clk_i) edit_q <= rst_i ? 32'd0 : edit_q + 32'd{step};",
        f'  always @(posedge clk_i) if (edit_q == 32\'d{never}) $display("edit");',
    )
    text = path.read_text()
    place = text.rindex("endmodule")
    path.write_text(text[:place] + "\n".join(lines) + "\n" + text[place:])
