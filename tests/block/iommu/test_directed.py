"""The directed list on the RTL: the scenarios that the model passes too (`tests/unit/iommu/directed_list.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cocotb
from cocotb.task import bridge
from sluicegate.conformance.iommu_cases import MemoryImage
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr
from sluicegate.iommu.request import FaultRecord, Request, Response

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import SETTLE_CYCLES, IommuBench, with_fault
from tests.unit.iommu.changed_contexts import CHANGED_CONTEXTS
from tests.unit.iommu.directed_list import DIRECTED
from tests.unit.iommu.scenario import Scenario

FAULTS, COMMANDS = 0x2000_0000, 0x2001_0000
COMMAND_CYCLES = 400
"""Longer than a few commands take."""
LATENCIES = (2, 9)


class DirectedScoreboard(Scoreboard):
    """Counts the checks of each scenario, by its name; a failed check is raised where it is made."""

    name = "directed"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.checks: dict[str, int] = {}

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def finish(self) -> ScoreboardResult:
        for name, checks in self.checks.items():
            if not checks:
                raise self.error(f"scenario {name} has checked nothing")
        link = LinkCount(self._bench.observed, self._bench.requests, self._bench.observed)
        return ScoreboardResult(
            self.name, self.block, sum(self.checks.values()), {"translation": link}, figures=dict(sorted(self.checks.items()))
        )


class RtlIommu:
    """The core on its bench, behind the interface of the scenarios."""

    def __init__(self, bench: IommuBench, check: Callable[[str, object, object], None]) -> None:
        self._bench = bench
        self.check = check

    def begin(self, scenario: Scenario, fault_log2: int = 7, command_log2: int = 6) -> None:
        bench, memory = self._bench, scenario.memory
        words = {
            page + offset: word
            for page in memory.pages
            for offset in range(0, 4096, 8)
            if (word := memory.read_u64(page + offset))
        }
        bench.load(MemoryImage(words))
        bench.program(scenario.configuration)
        bench.write_register(Offset.FQB, FAULTS >> 2 | fault_log2 - 1, 8)
        bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)
        bench.write_register(Offset.CQB, COMMANDS >> 2 | command_log2 - 1, 8)
        bench.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)
        bench.read_register(Offset.CQCSR, 4)
        self._entries, self._tail = 1 << command_log2, 0

    def translate(self, request: Request) -> Response:
        before = self.read_register(Offset.FQT, 4)
        (answer,) = self._bench.translate([request])
        self._bench.cycles(SETTLE_CYCLES)
        if self.read_register(Offset.FQT, 4) == before:
            return with_fault(answer.response, None)
        data = self._bench.memory.read(FAULTS + 32 * before, 32)
        words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, 32, 8)]
        return with_fault(answer.response, FaultRecord.unpack((words[0], words[1], words[2], words[3])))

    def during(self, requests: Sequence[Request], action: Callable[[], None], delay: int = 6) -> list[Response]:
        self._bench.send(requests)
        self._bench.cycles(delay)
        action()
        answers = self._bench.collect(len(requests))
        self._bench.cycles(COMMAND_CYCLES)
        return [replace(answer.response) for answer in answers]

    def store(self, address: int, word: int) -> None:
        self._bench.store(address, (word,))

    def load(self, address: int) -> int:
        return self._bench.memory.read_u64(address)

    def fail(self, address: int, state: int) -> None:
        self._bench.mark(address, state)

    def command(self, *commands: tuple[int, int]) -> None:
        for words in commands:
            self._bench.store(COMMANDS + 16 * self._tail, words)
            self._tail = (self._tail + 1) % self._entries
        self.write_register(Offset.CQT, self._tail, 4)
        self._bench.cycles(COMMAND_CYCLES)

    def read_register(self, offset: int, width: int) -> int:
        return self._bench.read_register(offset, width)

    def write_register(self, offset: int, value: int, width: int) -> None:
        self._bench.write_register(offset, value, width)

    def complete_invalidation(self, device: int, tags: int) -> None:
        self._bench.complete_invalidation(device, tags)
        self._bench.deliver_messages()
        self._bench.cycles(COMMAND_CYCLES)


class DirectedTest(BaseTest):
    """Every scenario of the list, from reset, at a low and a higher memory latency."""

    top = IOMMU

    def prepare(self) -> None:
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.scoreboard = DirectedScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def run_all(self) -> None:
        """The whole list; runs in the bridge thread."""
        iommu = RtlIommu(self.bench, self.check)
        for latency in LATENCIES:
            self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, latency)
            for scenario in (*DIRECTED, *CHANGED_CONTEXTS):
                self.running = scenario.__name__
                self.scoreboard.checks.setdefault(self.running, 0)
                scenario(iommu)

    def check(self, what: str, got: object, expected: object) -> None:
        """One comparison of the scenario that runs."""
        if got != expected:
            raise self.scoreboard.error(f"{self.running}: {what}: {expected} expected, got {got}")
        self.scoreboard.checks[self.running] += 1


@cocotb.test()
async def directed(_: object) -> None:
    """Every item of the directed list comes out as the specification says."""
    await run_test(DirectedTest)
