"""A running simulation: begin, the doorbell and its waits, and the drained log on its way to whoever judges it.

One task (the pump) waits for the doorbell. At each ring it drains the event log, hands the batch to the consumers (scoreboards,
coverage) and wakes those whose condition fired. Nothing in Python runs per clock.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Event, Timer, ValueChange

from tb.bridge.event_log import LogBatch
from tb.bridge.native import ActionKind, Native, WakeKind

CLOCK_PERIOD_NS = 2
QUIET_CYCLES = 320
"""After the last TLP: the link monitors account for credits when nothing has moved for a while (``tlp_link_monitor.sv``)."""
WATCHDOG_CYCLES = 2_000_000
"""A wait without its own limit fails after so many cycles: a hung design must end the run with a sentence."""


class SimulationTimeout(Exception):
    """A wait whose condition never came."""


class Simulation:
    """The simulation of this process. Create one per test, then :meth:`start` it."""

    def __init__(self, dut: Any, seed: int, journal: Path | None = None) -> None:
        self.dut = dut
        self.seed = seed
        self.native = Native()
        self.native.record_journal(journal)
        self.native.act(ActionKind.BEGIN, seed)
        self._consumers: list[Callable[[LogBatch], None]] = []
        self._free_slots = list(range(31, -1, -1))
        self._waiting: dict[int, Event] = {}
        self._failure: BaseException | None = None
        self._pump_task: Any = None
        self._watch_tasks: list[Any] = []

    def add_consumer(self, consumer: Callable[[LogBatch], None]) -> None:
        """Every drained batch goes to each consumer, in log order; what it raises fails the test."""
        self._consumers.append(consumer)

    def start(self) -> None:
        """Let the clock run (our own main has one inside) and answer the doorbell."""
        if os.environ.get("SLUICEGATE_MAIN", "fast") != "fast":
            Clock(self.dut.clk, CLOCK_PERIOD_NS, unit="ns").start()
        self._pump_task = cocotb.start_soon(self._pump())

    @property
    def cycle(self) -> int:
        """Clock edges that have taken effect."""
        return self.native.cycle

    def drain(self) -> None:
        """Hand everything logged so far to the consumers."""
        batch = self.native.drain_log()
        if len(batch.records):
            for consumer in self._consumers:
                consumer(batch)

    def watch(self, interval: int, look: Callable[[int], None]) -> None:
        """Call ``look`` with the cycle every ``interval`` cycles, after everything logged went to the consumers, until the end.

        What it raises fails the test at once, whoever waits for whatever.
        """
        self._watch_tasks.append(cocotb.start_soon(self._watch(interval, look)))

    async def _watch(self, interval: int, look: Callable[[int], None]) -> None:
        try:
            while True:
                await self.cycles(interval)
                self.drain()
                look(self.cycle)
        except Exception as error:
            if self._failure is None:
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Everybody who waits is woken to raise this."""
        self._failure = error
        for event in self._waiting.values():
            event.set()
        self._waiting.clear()

    async def _pump(self) -> None:
        try:
            while True:
                await ValueChange(self.dut.doorbell)
                self.drain()
                fired = self.native.take_fired()
                for slot in [slot for slot in self._waiting if fired >> slot & 1]:
                    self._waiting.pop(slot).set()
        except Exception as error:
            self._fail(error)

    async def wait(self, kind: WakeKind, threshold: int, argument: int = 0, timeout: int = WATCHDOG_CYCLES) -> bool:
        """Wait for a native condition; False when ``timeout`` cycles passed first. Raises what has failed the test already."""
        # Nothing rings after a failure, and whoever unwinds may want to wait once more.
        if self._failure is not None:
            raise self._failure
        slot, limit = self._free_slots.pop(), self._free_slots.pop()
        event = Event()
        self._waiting[slot] = event
        self._waiting[limit] = event
        try:
            self.native.arm(slot, kind, threshold, argument)
            self.native.arm(limit, WakeKind.CYCLE, self.cycle + timeout)
            await event.wait()
            came = slot not in self._waiting
        finally:
            for used in (slot, limit):
                self._waiting.pop(used, None)
                self.native.disarm(used)
                self._free_slots.append(used)
        if self._failure is not None:
            raise self._failure
        return came

    async def expect(self, what: str, kind: WakeKind, threshold: int, argument: int = 0, timeout: int = WATCHDOG_CYCLES) -> None:
        """As :meth:`wait`, but a timeout is a failure that says what was awaited."""
        if not await self.wait(kind, threshold, argument, timeout):
            raise SimulationTimeout(f"no {what} within {timeout} cycles (now cycle {self.cycle})")

    async def cycles(self, count: int) -> None:
        """Let ``count`` clock cycles pass."""
        await self.wait(WakeKind.CYCLE, self.cycle + count, timeout=count + 1)

    async def finish(self) -> None:
        """Let what is in flight end, stop the pump and hand the rest of the log to the consumers."""
        await self.expect("quiet memory side", WakeKind.MEMORY_IDLE, 0)
        await self.cycles(QUIET_CYCLES)
        for task in (self._pump_task, *self._watch_tasks):
            task.cancel()
        await Timer(1, unit="ps")
        self.drain()
        if self._failure is not None:
            raise self._failure
