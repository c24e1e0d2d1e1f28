"""QoS identifiers on the memory port: every access of the core carries those that the specification gives it.

``iommu_qosid`` accompanies the device directory, the queues and interrupt messages; the identifiers of the device context
accompany whatever is read and updated on behalf of the device once its context is known. Without the extension all are 0.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cocotb
import numpy as np
from cocotb.task import bridge
from sluicegate.conformance.iommu_cases import MemoryImage, TranslationCase
from sluicegate.conformance.iommu_parse import read_translation_cases
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.pri import PageRequest
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr, msi_offset
from sluicegate.iommu.request import NO_QOS, MemoryRead, QosIds, Request
from sluicegate.iommu.translate import Translation

from tb.bridge.event_log import LogBatch
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import SETTLE_CYCLES, IommuBench, LoggedRead, LoggedWrite
from tests.block.iommu.command_ring import FENCE, CommandRing

VECTORS = Path(__file__).parents[2] / "conformance" / "data" / "iommu"
TESTS = 5
"""Requests of each recorded case with the extension; of those without it one in sixteen is taken."""
CAPABILITIES = Capabilities(0x10 | 1 << 9 | 1 << 25 | 2 << 28 | 56 << 32 | 1 << 41)
"""Sv39, ATS, interrupts by message, QOSID."""
DIRECTORY, FAULTS, COMMANDS, PAGES = 0x8000_0000, 0x8001_0000, 0x8002_0000, 0x8003_0000
FENCE_TARGET, MESSAGE_TARGET = 0x8004_0000, 0x2900_0000
DEVICE, ABSENT = 1, 2
AV = 1 << 10


class QosScoreboard(Scoreboard):
    """Compares the identifiers of every access."""

    name = "qos"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.compared = 0

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def compare(self, what: str, got: QosIds, expected: QosIds) -> None:
        """One access."""
        if got != expected:
            raise self.error(f"{what}: {expected} expected, got {got}")
        self.compared += 1

    def finish(self) -> ScoreboardResult:
        self.require_compared(self.compared)
        link = LinkCount(self._bench.observed, self._bench.requests, self._bench.observed)
        return ScoreboardResult(self.name, self.block, self.compared, {"translation": link})


class QosTest(BaseTest):
    """Recorded translations from cold, then queues and messages."""

    top = IOMMU

    def prepare(self) -> None:
        self.random = np.random.default_rng(self.settings.seed)
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.scoreboard = QosScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def run_all(self) -> None:
        """Runs in the bridge thread."""
        for path in sorted(VECTORS.glob("xlate_*")):
            for case in read_translation_cases(path):
                if case.configuration.capabilities.qosid or self.choose(0, 16) == 0:
                    for _ in range(TESTS):
                        self.recorded_case(case, case.tests[self.choose(0, len(case.tests))].request)
        for _ in range(8):
            self.engines()

    def choose(self, low: int, high: int) -> int:
        """A random integer in ``low .. high - 1``."""
        return int(self.random.integers(low, high))

    def recorded_case(self, case: TranslationCase, request: Request) -> None:
        """One request from cold: walk reads, updates of A and D, the fault record."""
        bench = self.bench
        qosid = self.choose(0, 1 << 12) | self.choose(0, 1 << 12) << 16
        configuration = replace(case.configuration, iommu_qosid=qosid)
        own = QosIds.of_register(qosid) if configuration.capabilities.qosid else NO_QOS
        (queue,) = case.image.scratch_pages(1, configuration, case.touched)
        translation = Translation(request, configuration, case.image.build())
        translation.run()
        bench.load(case.image)
        bench.program(configuration)
        bench.write_register(Offset.IOMMU_QOSID, qosid, 4)
        bench.write_register(Offset.FQB, queue >> 2 | 3, 8)
        bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)
        bench.read_register(Offset.FQCSR, 4)
        bench.forget_writes()
        bench.translate([request])
        bench.cycles(SETTLE_CYCLES)
        for read in bench.reads:
            self.scoreboard.compare(f"{read} for {request}", read.qos, self.wanted(read, translation.trace.reads))
        context = translation.device.qos if translation.device is not None else NO_QOS
        for write in bench.writes:
            record = queue <= write.address < queue + 4096
            name = "fault record" if record else f"update at {write.address:#x}"
            self.scoreboard.compare(f"{name} of {request}", write.qos, own if record else context)

    def wanted(self, read: LoggedRead, walked: list[MemoryRead]) -> QosIds:
        """Identifiers of the model's read in the range that was read."""
        for candidate in walked:
            if read.address <= candidate.address < read.address + read.length:
                return candidate.qos
        raise self.scoreboard.error(f"{read} is no read of the walk {walked}")

    def engines(self) -> None:
        """Command queue, fault queue, page-request queue, fence and interrupt messages carry ``iommu_qosid``."""
        bench = self.bench
        first, second = (QosIds(self.choose(1, 1 << 12), self.choose(1, 1 << 12)) for _ in range(2))
        context = DIRECTORY + 32 * DEVICE
        bench.load(MemoryImage({context: 0x7, context + 16: first.rcid << 40 | first.mcid << 52}))
        bench.program(IommuConfiguration(CAPABILITIES, 0, DIRECTORY >> 2 | 2))
        bench.write_register(Offset.IOMMU_QOSID, second.rcid | second.mcid << 16, 4)
        for vector in range(4):
            bench.write_register(msi_offset(vector), MESSAGE_TARGET + 4 * vector, 8)
        bench.write_register(Offset.ICVEC, 0x3210, 8)
        for base, csr, page in ((Offset.FQB, Offset.FQCSR, FAULTS), (Offset.PQB, Offset.PQCSR, PAGES)):
            bench.write_register(base, page >> 2 | 3, 8)
            bench.write_register(csr, RecordQueueCsr.QEN | RecordQueueCsr.IE, 4)
        ring = CommandRing(bench, COMMANDS)
        ring.enable()
        bench.write_register(Offset.CQCSR, CommandQueueCsr.CQEN | CommandQueueCsr.CIE, 4)
        bench.forget_writes()
        ring.run([(FENCE | AV | 0x1234 << 32, FENCE_TARGET >> 2)])
        bench.translate([Request(ABSENT, 0x1000)])
        bench.send_page_request(PageRequest(DEVICE, 0x1000 | 5))
        bench.deliver_messages()
        ring.push([(0x7F, 0)])
        bench.cycles(4 * SETTLE_CYCLES)
        seen = set()
        accesses: list[LoggedRead | LoggedWrite] = [*bench.reads, *bench.writes]
        for access in accesses:
            self.scoreboard.compare(f"{access} with iommu_qosid {second}", access.qos, second)
            seen.add(access.address & ~0xFFF if access.address >= DIRECTORY else access.address)
        messages = {MESSAGE_TARGET, MESSAGE_TARGET + 4, MESSAGE_TARGET + 12}
        missing = {DIRECTORY, FAULTS, COMMANDS, PAGES, FENCE_TARGET} | messages
        if missing - seen:
            raise self.scoreboard.error(f"no access to {', '.join(hex(address) for address in sorted(missing - seen))}")


@cocotb.test()
async def qos_identifiers(_: object) -> None:
    """Every access carries its identifiers."""
    await run_test(QosTest)
