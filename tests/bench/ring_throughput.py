"""Throughput of the endpoint fed from its descriptor ring, descriptor fetches and completion records included.

One batch fills the ring. Cycles run from the first descriptor fetch to the last beat of payload, so the way from the doorbell to
the first data is in them. The bound is that of the busier direction of the link, from the bytes that must move: payload, 64 bytes
of descriptor and 16 of completion record per operation, and a beat for each read request of MRRS bytes or of 8 descriptors.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import cocotb
from sluicegate.endpoint.descriptor import COMPLETION_BYTES, DESCRIPTOR_BYTES, Descriptor
from sluicegate.registers.completion import StatusCode

from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import Knob
from tb.env.base_test import run_test
from tb.scoreboards.transfer import TransferScoreboard
from tb.scoreboards.transfer_prediction import EndpointRules
from tests.block.endpoint.endpoint_test import BAR2, DOWN, FUNCTION, LOCAL_BYTES, UP
from tests.block.endpoint.ring_test import DESTINATION_BYTES, SOURCE_BYTES, RingTest

LATENCY = 50
BEAT, MAX_READ_REQUEST = 32, 512
FETCHED_AT_ONCE = MAX_READ_REQUEST // DESCRIPTOR_BYTES
RECORD_BYTES_MAX = 32
"""Payload of a write that is longer is data, not completion records."""


@dataclass(frozen=True)
class Cell:
    """``count`` operations of ``length`` bytes: reads, writes, or in turn."""

    name: str
    length: int
    count: int
    reads: bool = False
    writes: bool = False

    def bound(self) -> float:
        """Payload bytes per cycle, both directions together, at which the busier one is full."""
        each = self.count / (self.reads + self.writes)
        data = each * ceil(self.length / BEAT)
        records = self.count * COMPLETION_BYTES / BEAT
        requests = self.count / FETCHED_AT_ONCE + self.reads * each * ceil(self.length / MAX_READ_REQUEST)
        up = self.writes * data + records + requests
        down = self.reads * data + self.count * DESCRIPTOR_BYTES / BEAT
        return self.length * self.count / max(up, down)


CELLS = (
    Cell("read 4 KiB", 4096, 256, reads=True),
    Cell("write 4 KiB", 4096, 256, writes=True),
    Cell("read and write 4 KiB in turn", 4096, 256, reads=True, writes=True),
    Cell("read 256 B", 256, 4096, reads=True),
    Cell("write 256 B", 256, 4096, writes=True),
    Cell("read 64 B", 64, 4096, reads=True),
    Cell("write 64 B", 64, 4096, writes=True),
)


class RingThroughputTest(RingTest):
    """One ring, cell after cell."""

    log2 = 12

    def prepare(self) -> None:
        super().prepare()
        self.native.set_knob(Knob.COMPLETER_LATENCY, LATENCY, link=UP)
        for agent in self.environment.agents.values():
            agent.set_stalls(0)
        rules = EndpointRules(FUNCTION, "endpoint0", UP, DOWN, LOCAL_BYTES, 256, 512)
        self.environment.add_scoreboard(TransferScoreboard((rules,)))
        self._begin: int | None = None
        self._end = 0
        self.environment.simulation.add_consumer(self._collect)

    def _collect(self, batch: LogBatch) -> None:
        tlps = batch.of_kind(EventKind.TLP)
        kind = tlps["header"][:, 0] >> 24 & 0x1F
        up = tlps["source"] == UP
        fetches = tlps["cycle"][up & (kind == 0)]
        if self._begin is None and fetches.size:
            self._begin = int(fetches[0])
        data = tlps["cycle"][(tlps["length"] > RECORD_BYTES_MAX) & (up | (kind == 0x0A))]
        if data.size:
            self._end = int(data[-1])

    async def stimulate(self) -> None:
        await self.enable()
        self.fill()
        self.observer.on_local_memory(FUNCTION, BAR2, LOCAL_BYTES)
        await self.start()
        for cell in CELLS:
            await self.measure(cell)

    async def measure(self, cell: Cell) -> None:
        """One cell, with nothing before it in flight."""
        simulation = self.environment.simulation
        await simulation.cycles(1000)
        simulation.drain()
        self._begin, self._end = None, 0
        self.submit([[self.operation(cell, index)] for index in range(cell.count)])
        for completion in await self.complete():
            if completion.status is not StatusCode.SUCCESS or completion.bytes != cell.length:
                raise self.answers.error(f"{cell.name}: {completion}")
        await simulation.cycles(1000)
        simulation.drain()
        assert self._begin is not None, "no descriptor was fetched"
        rate = cell.length * cell.count / (self._end - self._begin + 1)
        self.environment.add_figure(cell.name, rate, "bytes/cycle")
        self.environment.add_figure(f"{cell.name}: bound", cell.bound(), "bytes/cycle")

    def operation(self, cell: Cell, index: int) -> Descriptor:
        """The ``index``-th of a cell: reads into the lower half of local memory, writes from the upper half."""
        at = index * cell.length
        half = LOCAL_BYTES // 2
        if cell.reads and not (cell.writes and index % 2):
            return self.copy_in(at % SOURCE_BYTES, at % half, cell.length)
        return self.copy_out(half + at % half, at % DESTINATION_BYTES, cell.length)


@cocotb.test()
async def throughput(_: object) -> None:
    """All cells."""
    await run_test(RingThroughputTest)
