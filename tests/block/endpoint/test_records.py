"""Completion records on the link: one that is alone goes at once, those that wait while the engine sends share a write."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cocotb
from sluicegate.endpoint.descriptor import COMPLETION_BYTES
from sluicegate.registers import endpoint as registers
from sluicegate.registers.completion import StatusCode

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.env.base_test import run_test
from tb.scoreboards.tlp_batch import TlpBatch
from tb.scoreboards.tlp_types import Kind
from tb.scoreboards.transfer import TransferScoreboard
from tb.scoreboards.transfer_prediction import EndpointRules
from tests.block.endpoint.endpoint_test import BAR2, DOWN, FUNCTION, LOCAL_BYTES, UP
from tests.block.endpoint.ring_test import COMPLETIONS, RingTest

MAX_PAYLOAD = 256
STATUS_CYCLES = 4
"""From the last beat of an operation's data on the link to the earliest possible beat of its record."""
WAIT_BEATS = 32
"""Beats of data that may pass a record on an engine that goes on writing."""
SMALL, LARGE = 64, 100_000
ROUNDS = 6


@dataclass(frozen=True)
class Write:
    """A write of the endpoint as it stood on the link: last cycle, place and size."""

    cycle: int
    address: int
    length: int

    @property
    def is_record(self) -> bool:
        return COMPLETIONS <= self.address < COMPLETIONS + (1 << 20)


class RecordsTest(RingTest):
    """A link without stalls, an engine that writes."""

    def prepare(self) -> None:
        super().prepare()
        self.native.set_knob(Knob.COMPLETER_LATENCY, 20, link=UP)
        self.native.set_knob(Knob.COMPLETER_CUT_CHANCE, 0, link=UP)
        for agent in self.environment.agents.values():
            agent.set_stalls(0)
        rules = EndpointRules(FUNCTION, "endpoint0", UP, DOWN, LOCAL_BYTES, MAX_PAYLOAD, 512)
        self.environment.add_scoreboard(TransferScoreboard((rules,)))
        self.writes: list[Write] = []
        self.environment.simulation.add_consumer(self._collect_writes)

    def _collect_writes(self, batch: LogBatch) -> None:
        tlps = TlpBatch.of(batch)
        tlps = tlps.take((tlps.link == UP) & (tlps.kind == Kind.MEMORY_WRITE))
        columns = tlps.cycle.tolist(), tlps.address.tolist(), tlps.length_bytes.tolist()
        self.writes += [Write(*row) for row in zip(*columns, strict=True)]

    async def stimulate(self) -> None:
        await self.enable()
        self.fill()
        self.observer.on_local_memory(FUNCTION, BAR2, LOCAL_BYTES)
        await self.set_interrupts()
        sizes = await self.read(registers.SIZES)
        self.beat_bytes = 1 << registers.SIZES_LOG2_BEAT_BYTES.get(sizes)
        self.records = 0
        self.log2 = 4
        await self.start()
        await self.lone()
        await self.behind_a_large_one()
        for log2 in (1, 2, 6):
            self.log2 = log2
            await self.start()
            await self.joined()
        await self.moderation()
        assert await self.read(registers.COMPLETION_RECORDS) == self.records, "the statistics do not count every record once"

    async def run_jobs(self, lengths: list[int], interrupt: bool = False) -> list[Write]:
        """Copies from local memory of these lengths, submitted at once; what the endpoint wrote meanwhile."""
        simulation = self.environment.simulation
        await simulation.cycles(200)
        simulation.drain()
        self.writes.clear()
        jobs, offset = [], 0
        for length in lengths:
            jobs.append([replace(self.copy_out(offset, offset, length), interrupt=interrupt)])
            offset += length
        self.submit(jobs)
        for completion in await self.complete():
            assert completion.status is StatusCode.SUCCESS, completion
        await simulation.cycles(200)
        simulation.drain()
        # What came is judged with the ring at hand.
        self.environment.suite.flush()
        self.records += len(lengths)
        return self.writes

    async def lone(self) -> None:
        """The record of the only operation waits for nothing."""
        for length in (SMALL, MAX_PAYLOAD, 3 * MAX_PAYLOAD):
            *data, record = await self.run_jobs([length])
            assert record.is_record, record
            assert record.length == COMPLETION_BYTES, record
            assert record.cycle - data[-1].cycle == STATUS_CYCLES, f"{record} came late behind {data[-1]}"

    async def behind_a_large_one(self) -> None:
        """While the engine goes on writing, a record lets a bounded number of beats pass, and the write that has the turn."""
        writes = await self.run_jobs([SMALL, LARGE])
        (data, *_), (record, last) = writes, [write for write in writes if write.is_record]
        most = STATUS_CYCLES + WAIT_BEATS + MAX_PAYLOAD // self.beat_bytes
        assert record.cycle - data.cycle <= most, f"{record} came {record.cycle - data.cycle} cycles behind {data}"
        assert last is writes[-1], writes[-2:]

    async def joined(self) -> None:
        """Small writes keep the link busy: their records come by the beat, never across the end of the ring."""
        found: list[Write] = []
        # Half a turn first, so that every round goes over the end of the ring.
        counts = [self.entries // 2] + [self.entries] * ROUNDS
        for count in counts:
            writes = await self.run_jobs([SMALL] * count)
            found += [write for write in writes if write.is_record]
        size = self.entries * COMPLETION_BYTES
        block = min(self.beat_bytes, size)
        assert sum(write.length for write in found) == sum(counts) * COMPLETION_BYTES, found
        place = 0
        for write in found:
            assert write.address == COMPLETIONS + place, f"{write}, expected at {COMPLETIONS + place:#x}"
            assert place % block + write.length <= block, f"{write} lies in two blocks"
            place = (place + write.length) % size
        if size >= 4 * self.beat_bytes:
            full = sum(write.length for write in found if write.length == block)
            assert full >= sum(counts) * COMPLETION_BYTES * 3 // 4, f"{full} bytes of records came by the {block}"

    async def moderation(self) -> None:
        """Interrupts are counted by the record, whatever came in one write."""
        count, jobs = 3, 12
        await self.start(moderation=count)
        self.interrupts.clear()
        await self.run_jobs([SMALL] * jobs, interrupt=True)
        assert len(self.interrupts) == jobs // count, f"{len(self.interrupts)} interrupts for {jobs} records, {count} each"


@cocotb.test()
async def records(_: object) -> None:
    """Alone, behind a long operation, and many at once."""
    await run_test(RecordsTest)
