"""Throughput of the path from the root port through the IOMMU to memory, every translation a hit of a warm IOTLB.

A native source sends on the link from the switch without a pause, memory answers after a fixed latency, nothing stalls. Bytes of
payload per cycle of the data phase: on the way to memory for writes, on the way back down for reads. The bound is a beat of 32
bytes per cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import cocotb
import cocotb.task

from tb.agents.tlp_link.item import StimulusTlp, TlpBatch
from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import Knob, WakeKind
from tb.checkers.isolation import IsolationChecker
from tb.env.base_test import run_test
from tests.block.root_complex.test_traffic import ATTACHED, PAGE, TrafficTest

SWITCH_DOWN, MEMORY_REQUEST = 5, 6
LATENCY = 50
BEAT = 32
PAGES = (0, 1, 2, 3)
"""Places in the list of mapped pages whose targets are writable RAM."""
QUIET_CYCLES = 1000


@dataclass(frozen=True)
class Cell:
    """``count`` requests of ``length`` bytes, one page after the other."""

    name: str
    length: int
    count: int
    write: bool

    @property
    def answers(self) -> int:
        """TLPs of the data phase: completions end at MPS, 256 bytes."""
        return self.count if self.write else self.count * ceil(self.length / 256)


CELLS = (
    Cell("writes of 256 B", 256, 512, True),
    Cell("writes of 64 B", 64, 1024, True),
    Cell("writes of 32 B", 32, 2048, True),
    Cell("reads of 512 B", 512, 240, False),
    Cell("reads of 64 B", 64, 240, False),
)


class PathTest(TrafficTest):
    """Cell after cell, each with nothing before it in flight."""

    def prepare(self) -> None:
        super().prepare()
        for agent in self.environment.agents.values():
            agent.set_stalls(0)
        self.environment.simulation.native.set_knob(Knob.COMPLETER_LATENCY, LATENCY, link=MEMORY_REQUEST)
        self._tlps: dict[int, list[tuple[int, int]]] = {SWITCH_DOWN: [], MEMORY_REQUEST: []}
        self._seen = dict.fromkeys(self._tlps, 0)
        self.environment.simulation.add_consumer(self._collect)

    def _collect(self, batch: LogBatch) -> None:
        """First and last cycle of every TLP on the two links."""
        tlps = batch.of_kind(EventKind.TLP)
        for link, last, beats in zip(tlps["source"].tolist(), tlps["cycle"].tolist(), tlps["argument"].tolist(), strict=True):
            if link in self._tlps:
                self._tlps[link].append((last - beats, last))
                self._seen[link] += 1

    async def stimulate(self) -> None:
        simulation = self.environment.simulation
        await cocotb.task.bridge(self._set_up)()
        await simulation.cycles(64)
        simulation.drain()
        self.environment.add_scoreboard(self.flow)
        self.environment.add_scoreboard(IsolationChecker())
        await self.measure(Cell("warm", 32, 2 * len(PAGES), True))
        for cell in CELLS:
            tlps = await self.measure(cell)
            rate = cell.length * cell.count / (tlps[-1][1] - tlps[0][0] + 1)
            self.environment.add_figure(cell.name, rate, "bytes/cycle")
        await simulation.cycles(QUIET_CYCLES)

    async def measure(self, cell: Cell) -> list[tuple[int, int]]:
        """First and last cycle of every TLP of the data phase."""
        simulation = self.environment.simulation
        link = MEMORY_REQUEST if cell.write else SWITCH_DOWN
        self._tlps[link].clear()
        due = self._seen[link] + cell.answers
        self.environment.agents["switch_up"].driver.queue(
            TlpBatch(cell.name, [self.request(cell, index) for index in range(cell.count)])
        )
        await simulation.expect(f"all TLPs of {cell.name}", WakeKind.LINK_TLPS, due, argument=link)
        await simulation.cycles(QUIET_CYCLES)
        simulation.drain()
        return self._tlps[link]

    def request(self, cell: Cell, index: int) -> StimulusTlp:
        """The ``index``-th of a cell, naturally aligned, from an attached device."""
        address = self.pages[PAGES[index % len(PAGES)]] + index // len(PAGES) * cell.length % PAGE
        four = address >> 32 != 0
        header = (
            (cell.write << 6 | four << 5) << 24 | cell.length // 4,
            ATTACHED[0] << 16 | (index & 0xFF) << 8 | 0xFF,
            address >> 32 if four else address,
            address & 0xFFFF_FFFF if four else 0,
        )
        return StimulusTlp(header, self.random.bytes(cell.length) if cell.write else b"")


@cocotb.test()
async def throughput(_: object) -> None:
    """All cells."""
    await run_test(PathTest)
