"""Cocotb tests that each look like a pass to their framework although nothing was proved; the runner must fail all of them."""

from __future__ import annotations

from typing import Any

import cocotb
import pyuvm
from cocotb.triggers import ReadOnly, RisingEdge
from cocotb_bus.scoreboard import Scoreboard

from tests.flow.example.test_counter import leave_evidence, start


@cocotb.test()
async def assertion_error(dut: Any) -> None:
    """An SVA fires once; with an error limit the simulation goes on and cocotb reports a pass."""
    await start(dut)
    dut.trip.value = 1
    await RisingEdge(dut.clk)
    dut.trip.value = 0
    for _ in range(5):
        await RisingEdge(dut.clk)
    leave_evidence(5, 5)


@cocotb.test()
async def stop_called(dut: Any) -> None:
    """$stop kills the process in the middle of the test."""
    await start(dut)
    dut.halt.value = 1
    for _ in range(5):
        await RisingEdge(dut.clk)
    leave_evidence(5, 5)


@cocotb.test()
async def logged_error(dut: Any) -> None:
    """A pyuvm component logs an error; pyuvm lets the test pass."""
    await start(dut)
    pyuvm.uvm_component("checker", None).logger.error("got 3, expected 4")
    leave_evidence(5, 5)


@cocotb.test()
async def logged_critical(dut: Any) -> None:
    """A pyuvm component logs a critical message; pyuvm lets the test pass."""
    await start(dut)
    pyuvm.uvm_component("checker", None).logger.critical("the queue is gone")
    leave_evidence(5, 5)


@cocotb.test()
async def scoreboard_result(dut: Any) -> None:
    """cocotb-bus' `Scoreboard.result` ends the test as a pass at once: what follows never runs."""
    await start(dut)
    scoreboard = Scoreboard(dut)
    assert scoreboard.result is not None
    raise AssertionError("cocotb-bus no longer ends the test here: this hazard is gone")


@cocotb.test()
async def compared_nothing(dut: Any) -> None:
    """A scoreboard whose queues stayed empty is content."""
    await start(dut)
    leave_evidence(5, 0)


@cocotb.test()
async def lost_item(dut: Any) -> None:
    """One item was expected and never seen; nobody compared it, so nobody complained."""
    await start(dut)
    leave_evidence(5, 5, links={"count": {"observed": 4, "expected": 5, "compared": 4}})


@cocotb.test()
async def python_throughput(dut: Any) -> None:
    """A Python bus model that settles after every edge sees half of what the DUT does and calls it the throughput."""
    await start(dut)
    await ReadOnly()
    first, seen = int(dut.count.value), 0
    for _ in range(50):
        await RisingEdge(dut.clk)
        await ReadOnly()
        seen += 1
        await RisingEdge(dut.clk)
    counted = int(dut.count.value) - first
    figures = [
        {"name": "items per cycle", "value": seen / counted, "unit": "items/cycle", "counted_by": "python"},
        {"name": "items per cycle", "value": 1.0, "unit": "items/cycle", "counted_by": "native"},
    ]
    leave_evidence(counted, counted, figures=figures)
