"""Throughput of the DMA engine at its descriptor port: one operation size after the other, never waiting for anything outside.

Native agents feed descriptors at one per cycle, answer reads after a fixed latency (MPS 256, MRRS 512, completions cut at 64
bytes) and never stall. All cycles come from the event log. For each cell two figures are left: payload bytes per cycle, and the
bound.

* Data phase (reads: first to last beat of completions; writes: first to last beat of requests) against the least number of beats
  that can carry these addresses and lengths, at one TLP per beat: a single bubble shows.
* Reads limited by T tags: bytes that all requests but the last T ask for, per cycle from the first of them to the first of the
  last T, against T x MRRS / (L + MRRS/W + 4), where L = request handshake to the first beat of the first completion, W = bytes
  per beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import cocotb
from sluicegate.endpoint.descriptor import Descriptor

from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import Knob
from tb.env.base_test import run_test
from tests.block.dma.engine_scoreboard import COMPLETION_LINK, REQUEST_LINK
from tests.block.dma.engine_test import DESTINATION, HIGH, LOCAL_BYTES, LOW, SOURCE_BYTES, EngineTest

MAX_PAYLOAD, MAX_READ_REQUEST, BOUNDARY = 256, 512, 64
LATENCY = 50
"""Cycles of the host where the cell does not say otherwise: less than the tags cover at one 64-byte operation per cycle."""
SHORT_TAGS = 32
"""What is left without extended tags."""
DRAIN_CYCLES = 2000


@dataclass(frozen=True)
class Cell:
    """``count`` operations of ``length`` bytes at host addresses ``offset`` past a page, all written or all read."""

    name: str
    length: int
    offset: int
    write: bool
    latency: int = LATENCY
    short_tags: bool = False
    count: int = 64


CELLS = (
    Cell("read 4 KiB aligned", 4096, 0, False),
    Cell("read 4 KiB + 1", 4096, 1, False),
    Cell("read 1 KiB + 3", 1024, 3, False, count=128),
    Cell("read 64 B aligned", 64, 0, False, count=1024),
    Cell("read 4 KiB, host latency 250", 4096, 0, False, latency=250),
    Cell("read 4 KiB, host latency 1000", 4096, 0, False, latency=1000, count=128),
    Cell("read 4 KiB, 32 tags, host latency 250", 4096, 0, False, latency=250, short_tags=True, count=128),
    Cell("read 4 KiB, 32 tags, host latency 1000", 4096, 0, False, latency=1000, short_tags=True, count=128),
    Cell("write 4 KiB aligned", 4096, 0, True),
    Cell("write 4 KiB + 1", 4096, 1, True),
    Cell("write 1 KiB + 3", 1024, 3, True, count=128),
    Cell("write 64 B aligned", 64, 0, True, count=1024),
)


class ThroughputTest(EngineTest):
    """Parameters: ``data_width`` in bits and ``tags`` of the DUT; MPS and MRRS of the cells above."""

    def prepare(self) -> None:
        super().prepare()
        native = self.environment.simulation.native
        for agent in self.environment.agents.values():
            agent.set_stalls(0)
        self.environment.agents["engine_request"].set_credits(0, 0)
        native.set_knob(Knob.COMPLETER_JITTER, 0, link=REQUEST_LINK)
        native.set_knob(Knob.COMPLETER_INTERLEAVE_CHANCE, 0, link=REQUEST_LINK)
        native.set_knob(Knob.COMPLETER_BOUNDARY, BOUNDARY, link=REQUEST_LINK)
        native.set_knob(Knob.COMPLETER_MAX_PAYLOAD, MAX_PAYLOAD, link=REQUEST_LINK)
        self.beat_bytes = int(self.settings.parameters["data_width"]) // 8
        self.tags = int(self.settings.parameters["tags"])
        self._tlps: dict[int, list[tuple[int, int]]] = {}
        self.environment.simulation.add_consumer(self._collect)

    def _collect(self, batch: LogBatch) -> None:
        """First and last cycle of every TLP, by link."""
        tlps = batch.of_kind(EventKind.TLP)
        for link, last, beats in zip(tlps["source"].tolist(), tlps["cycle"].tolist(), tlps["argument"].tolist(), strict=True):
            self._tlps.setdefault(link, []).append((last - beats, last))

    async def stimulate(self) -> None:
        self.set_function()
        self.fill_host()
        await self.load_local(LOCAL_BYTES // 2)
        for cell in CELLS:
            await self.measure(cell)
        await self.check_idle()

    async def measure(self, cell: Cell) -> None:
        """One cell, with nothing before it in flight."""
        simulation = self.environment.simulation
        self.set_function(short_tags=cell.short_tags)
        simulation.native.set_knob(Knob.COMPLETER_LATENCY, cell.latency, link=REQUEST_LINK)
        await simulation.cycles(DRAIN_CYCLES)
        simulation.drain()
        self._tlps.clear()
        await self.run_descriptors([self.operation(cell, index) for index in range(cell.count)])
        await simulation.cycles(DRAIN_CYCLES)
        simulation.drain()
        requests, completions = self._tlps[REQUEST_LINK], self._tlps.get(COMPLETION_LINK, [])
        data = requests if cell.write else completions
        payload = cell.length * cell.count
        beats = cell.count * -(-(cell.offset % self.beat_bytes + cell.length) // self.beat_bytes)
        rate, bound = payload / (data[-1][1] - data[0][0] + 1), payload / beats
        if not cell.write:
            latency = completions[0][0] - requests[0][1]
            tags = min(SHORT_TAGS, self.tags) if cell.short_tags else self.tags
            limit = tags * MAX_READ_REQUEST / (latency + MAX_READ_REQUEST / self.beat_bytes + 4)
            if cell.length >= MAX_READ_REQUEST and limit < bound:
                waiting = len(requests) - tags
                rate, bound = waiting * MAX_READ_REQUEST / (requests[waiting][1] - requests[0][1]), limit
        self.environment.add_figure(cell.name, rate, "bytes/cycle")
        self.environment.add_figure(f"{cell.name}: bound", bound, "bytes/cycle")

    def operation(self, cell: Cell, index: int) -> Descriptor:
        """The ``index``-th of a cell; sources may repeat, destinations never overlap."""
        at = index * cell.length
        if cell.write:
            return self.write(at % (LOCAL_BYTES // 2), HIGH + DESTINATION + at + cell.offset, cell.length)
        source = (
            at % (SOURCE_BYTES - cell.length - cell.offset) // 4096 * 4096 if cell.length >= 4096 else at % (SOURCE_BYTES // 2)
        )
        return self.read(LOW + source + cell.offset, at, cell.length)


@cocotb.test()
async def throughput(_: object) -> None:
    """All cells."""
    await run_test(ThroughputTest)
