"""Queues that are turned off at work: what is under way ends, nothing new begins, and only then is the queue off."""

from __future__ import annotations

from collections.abc import Callable

import cocotb
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr
from sluicegate.iommu.request import Cause, FaultRecord, Request, Status, TransactionType

from tb.bridge.native import Knob
from tb.env.base_test import run_test
from tests.block.iommu.test_queues import ABSENT, AV, COMMANDS, FENCE, FENCE_TARGET, FLUSH, GOOD, IOVA, QueueTest

LATENCY = 300
"""Cycles of a memory access: long enough to act in the middle of one."""
DONE = 4 * LATENCY
COMMAND_STATE = CommandQueueCsr.CQEN | CommandQueueCsr.CQON | CommandQueueCsr.BUSY
FAULT_STATE = RecordQueueCsr.QEN | RecordQueueCsr.QON | RecordQueueCsr.BUSY


class SwitchingTest(QueueTest):
    """All directed cases, each from reset."""

    def run_all(self) -> None:
        """Every case; runs in the bridge thread."""
        cases: tuple[Callable[[], None], ...] = (self.off_during_fetch, self.off_during_store, self.off_during_record)
        for case in cases:
            self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, 2)
            case()

    def slow(self) -> None:
        """Memory takes its time from here on."""
        self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, LATENCY)

    def commands_on(self) -> CommandQueueCsr:
        """cqen, cqon and busy."""
        return CommandQueueCsr(self.bench.read_register(Offset.CQCSR, 4)) & COMMAND_STATE

    def faults_on(self) -> RecordQueueCsr:
        """fqen, fqon and busy."""
        return RecordQueueCsr(self.bench.read_register(Offset.FQCSR, 4)) & FAULT_STATE

    def off_during_fetch(self) -> None:
        """The fetched command may still execute, the next one is not fetched; turned on again, the queue starts at 0."""
        self.begin()
        self.bench.store(COMMANDS, (FLUSH, 0, FLUSH, 0, FLUSH, 0))
        self.slow()
        self.bench.write_register(Offset.CQT, 3, 4)
        self.bench.cycles(LATENCY // 2)
        self.bench.forget_reads()
        self.bench.write_register(Offset.CQCSR, 0, 4)
        stopping = CommandQueueCsr.CQON | CommandQueueCsr.BUSY
        self.check("a fetch is under way", self.commands_on(), stopping)
        self.bench.cycles(DONE)
        self.check("off", self.commands_on(), CommandQueueCsr(0))
        self.check("commands fetched", [read.address for read in self.bench.reads], [COMMANDS])
        self.check("head is at or behind the fetched command", self.bench.read_register(Offset.CQH, 4) in (0, 1), True)
        self.bench.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)
        self.check("on", self.commands_on(), CommandQueueCsr.CQEN | CommandQueueCsr.CQON)
        self.check("head", self.bench.read_register(Offset.CQH, 4), 0)
        self.bench.cycles(2 * DONE)
        self.check("all executed", self.bench.read_register(Offset.CQH, 4), 3)

    def off_during_store(self) -> None:
        """The store of a fence is complete before the queue is off."""
        self.begin()
        self.bench.store(COMMANDS, (FENCE | AV | 0x4321 << 32, FENCE_TARGET >> 2, FLUSH, 0))
        self.slow()
        self.bench.write_register(Offset.CQT, 2, 4)
        self.bench.cycles(LATENCY + LATENCY // 2)
        self.bench.write_register(Offset.CQCSR, 0, 4)
        self.check("a store is under way", self.commands_on(), CommandQueueCsr.CQON | CommandQueueCsr.BUSY)
        while self.commands_on():
            pass
        self.check("stored", self.bench.memory.read(FENCE_TARGET, 4), (0x4321).to_bytes(4, "little"))
        self.check("head", self.bench.read_register(Offset.CQH, 4), 1)

    def off_during_record(self) -> None:
        """The record under way is complete before the queue is off; later ones are dropped; turned on again, the tail is 0."""
        self.begin()
        self.slow()
        self.bench.translate([Request(ABSENT, IOVA)])
        self.bench.cycles(LATENCY // 2)
        self.bench.write_register(Offset.FQCSR, 0, 4)
        self.check("a record is under way", self.faults_on(), RecordQueueCsr.QON | RecordQueueCsr.BUSY)
        self.bench.translate([Request(ABSENT, IOVA + 0x1000)])
        self.bench.cycles(DONE)
        self.check("off", self.faults_on(), RecordQueueCsr(0))
        record = FaultRecord(Cause.DDT_NOT_VALID, TransactionType.UNTRANSLATED_READ, ABSENT, iotval=IOVA)
        self.check("record", self.record(0), record)
        self.check("tail", self.bench.read_register(Offset.FQT, 4), 1)
        self.check("translation without a queue", self.read(GOOD), Status.OK)
        self.bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)
        self.check("on", self.faults_on(), RecordQueueCsr.QEN | RecordQueueCsr.QON)
        self.check("tail of the queue turned on", self.bench.read_register(Offset.FQT, 4), 0)
        self.bench.translate([Request(ABSENT, IOVA + 0x2000)])
        self.bench.cycles(DONE)
        self.check("record after that", self.record(0).iotval, IOVA + 0x2000)


@cocotb.test()
async def queue_switching(_: object) -> None:
    """Queues end what they began before they are off."""
    await run_test(SwitchingTest)
