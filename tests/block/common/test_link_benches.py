"""Runs the self-checking benches of the TLP link blocks and judges their counts."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import First, RisingEdge, Timer

from tb.env.run_settings import RunSettings

CLOCK_PERIOD_NS = 2
RESET_CYCLES = 5
LIMIT_CYCLES = 400_000
MERGED_TLPS = 8000
LINK_DOWN_TLPS = 20_000
FAIR_DIFFERENCE = 2
"""Two sources that always have a TLP of one class take turns."""


async def run(dut: Any, **inputs: int) -> None:
    """Reset, then let the bench run until it says that it is done."""
    for name, value in inputs.items():
        getattr(dut, name).value = value
    dut.rst.value = 1
    if os.environ.get("SLUICEGATE_MAIN", "fast") != "fast":
        Clock(dut.clk, CLOCK_PERIOD_NS, unit="ns").start()
    for _ in range(RESET_CYCLES):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    await First(RisingEdge(dut.done), Timer(CLOCK_PERIOD_NS * LIMIT_CYCLES, unit="ns"))
    assert int(dut.done.value) == 1, f"the bench did not end within {LIMIT_CYCLES} cycles"
    assert int(dut.errors.value) == 0, f"the bench reports {int(dut.errors.value)} errors, see the log"


def leave_result(settings: RunSettings, observed: int, expected: int, **counts: int) -> None:
    """The result file of a bench without an event log: its counts take the place of the log hash."""
    text = json.dumps(counts, sort_keys=True)
    result = {
        "schema": 1,
        "test": settings.test,
        "seed": settings.seed,
        "status": "pass",
        "cycles": int(cocotb.utils.get_sim_time("ns")) // CLOCK_PERIOD_NS,
        "signature": None,
        "links": {"merged": {"observed": observed, "expected": expected, "compared": observed}},
        "comparisons": counts,
        "distinct": {},
        "log_hash": hashlib.sha256(text.encode()).hexdigest(),
    }
    (settings.folder / "test_result.json").write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")


@cocotb.test()
async def random_traffic(dut: Any) -> None:
    """All classes, stalls, scarce credits: content and order."""
    settings = RunSettings.from_environment()
    await run(dut, full_rate=0, seed=settings.seed)
    received, passed = int(dut.received.value), int(dut.passed.value)
    assert passed > 0, "no TLP passed a posted one by relaxed or ID-based ordering"
    leave_result(settings, received, MERGED_TLPS, passed=passed)


@cocotb.test()
async def full_rate(dut: Any) -> None:
    """Single-beat TLPs of two sources without a gap on the merged link, in turns."""
    settings = RunSettings.from_environment()
    await run(dut, full_rate=1, seed=settings.seed)
    idle, imbalance = int(dut.idle_cycles.value), int(dut.imbalance.value)
    assert idle == 0, f"the merged link idled for {idle} cycles"
    assert imbalance <= FAIR_DIFFERENCE, f"one source was {imbalance} TLPs ahead of the other"
    leave_result(settings, int(dut.received.value), MERGED_TLPS, imbalance=imbalance)


@cocotb.test()
async def link_down(dut: Any) -> None:
    """Links that go down lose only what was on them: at most the TLP being sent and the one before it in the output register."""
    settings = RunSettings.from_environment()
    await run(dut, seed=settings.seed)
    received, lost, downs = int(dut.received.value), int(dut.lost.value), int(dut.downs.value)
    assert downs > 0
    assert int(dut.cut_off.value) > 0, "no TLP was cut off"
    assert lost <= 2 * downs, f"{lost} TLPs were lost in {downs} link-downs"
    leave_result(settings, received + lost, LINK_DOWN_TLPS, lost=lost, downs=downs, cut_off=int(dut.cut_off.value))
