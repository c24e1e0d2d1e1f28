"""Debug translation port of the core: its answers against those of the register-level model, alone and amid traffic of devices.

The driver functions on the core are those that the model's unit tests use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cocotb
from sluicegate.conformance.iommu_cases import MemoryImage, TranslationCase
from sluicegate.conformance.iommu_compare import comparable_fault
from sluicegate.conformance.iommu_parse import read_translation_cases
from sluicegate.dma.pages import PageAllocator
from sluicegate.driver.iommu import IommuDriver
from sluicegate.driver.iommu_diagnostics import DebugTranslation, translate_address
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.device import IommuDevice
from sluicegate.iommu.registers import Offset, RecordQueueCsr
from sluicegate.iommu.request import AddressType, Cause, FaultRecord, Request, Response, Status, TransactionType

from tb.bridge.native import Knob
from tb.bridge.platform import SimulationPlatform
from tb.env.base_test import run_test
from tb.scoreboards.scoreboard import ScoreboardResult
from tests.block.iommu.address_spaces import CAPABILITIES, DIRECTORY_ROOT, A, AddressSpaces, D, R, U, V, W, X
from tests.block.iommu.bench import SETTLE_CYCLES, LoggedResponse
from tests.block.iommu.small_machine import LockStepScoreboard, RandomTest

DBG = 1 << 31
GO = 1
MODE_BARE = 1
SADE = 1 << 8
"""First-stage A and D are updated by hardware (``DC.tc``)."""
VECTORS = Path(__file__).parents[2] / "conformance" / "data" / "iommu"
CASES, TESTS = 24, 4
"""Recorded cases of each file that the port is asked about, and requests of each."""
ROUNDS = 60
DEVICE, IOVA, TABLE = 1, 0x4000_0000, 0x8003_0000
LEAF = V | R | W | X | U | A | D


class DebugScoreboard(LockStepScoreboard):
    """Also counts what the port was asked outside of traffic."""

    name = "debug"

    def __init__(self, test: DebugTest) -> None:
        super().__init__(test.bench)
        self.asked = 0
        self.translated = 0
        self.faulted: set[int] = set()

    def check(self, what: str, got: object, expected: object) -> None:
        """One comparison."""
        if got != expected:
            raise self.error(f"{what}: {expected} expected, got {got}")
        self.asked += 1

    def finish(self) -> ScoreboardResult:
        lock_step = super().finish()
        if not self.translated or len(self.faulted) < 10:
            raise self.error(f"{self.translated} translations, {len(self.faulted)} causes of faults: the stimulus is too weak")
        return ScoreboardResult(
            self.name, self.block, lock_step.compared + self.asked, lock_step.links, figures=lock_step.figures
        )


class DebugTest(RandomTest):
    """Recorded cases, directed cases, then random requests amid traffic."""

    scoreboard: DebugScoreboard

    def new_scoreboard(self) -> DebugScoreboard:
        return DebugScoreboard(self)

    def run_all(self) -> None:
        """Runs in the bridge thread."""
        self.platform = SimulationPlatform(self.environment.simulation)
        self.driver = IommuDriver(self.platform, PageAllocator(self.platform.address_map.ram))
        for path in sorted(VECTORS.glob("xlate_*")):
            self.recorded_cases(path)
        cases: tuple[Callable[[], None], ...] = (
            self.absent,
            self.modes_without_directory,
            self.busy,
            self.writes,
            self.fence_waits,
            self.directory_waits,
            self.among_hits,
            self.among_misses,
        )
        for case in cases:
            case()
        self.traffic()

    # ---- what the port answers, and what it should ----

    def ask(self, request: Request) -> Response:
        """The port's answer as that of a translation."""
        found = translate_address(self.driver, request)
        return response_of(found)

    def start(self, request: Request) -> None:
        """Set Go for a read; the port is busy afterwards."""
        self.bench.write_register(Offset.TR_REQ_IOVA, request.iova, 8)
        self.bench.write_register(Offset.TR_REQ_CTL, request.device_id << 40 | 1 << 3 | GO, 8)

    @property
    def going(self) -> bool:
        """Go/Busy."""
        return bool(self.bench.read_register(Offset.TR_REQ_CTL, 4) & GO)

    # ---- recorded cases ----

    def recorded_cases(self, path: Path) -> None:
        """Some cases of a file, each request from its memory image, on the core and on the model."""
        taken = 0
        for case in read_translation_cases(path):
            if taken == CASES or self.choose(0, 4):
                continue
            requests = [test.request for test in case.tests if test.request.address_type is AddressType.UNTRANSLATED]
            if not requests:
                continue
            taken += 1
            for _ in range(TESTS):
                chosen = requests[self.choose(0, len(requests))]
                self.recorded_case(case, with_page(chosen))

    def recorded_case(self, case: TranslationCase, request: Request) -> None:
        """One request from cold."""
        given = case.configuration
        capabilities = Capabilities(given.capabilities.word | DBG)
        (queue,) = case.image.scratch_pages(1, given, case.touched)
        memory = case.image.build()
        model = IommuDevice(capabilities, memory, big_endian=given.big_endian)
        self.bench.load(case.image)
        self.bench.program(IommuConfiguration(capabilities, given.fctl, given.ddtp))
        self.driver.probe()
        for write in (self.bench.write_register, model.write_register):
            write(Offset.FCTL, given.fctl, 4)
            write(Offset.DDTP, given.ddtp, 8)
            write(Offset.FQB, queue >> 2 | 3, 8)
            write(Offset.FQCSR, RecordQueueCsr.QEN, 4)
        expected = model.translate_for_debug(request)
        got = self.ask(request)
        self.bench.cycles(SETTLE_CYCLES)
        name = f"{request} of case {case.identifier}"
        if expected is None or expected.spa is None:
            self.scoreboard.check(f"status of {name}", got.status, Status.UNSUPPORTED_REQUEST)
        else:
            self.scoreboard.check(f"translation of {name}", (got.spa, got.memory_type), (expected.spa, expected.memory_type))
            self.scoreboard.check(f"range of {name} within the page", got.page_shift <= expected.page_shift, True)
            self.scoreboard.translated += 1
        tails = [read(Offset.FQT, 4) for read in (self.bench.read_register, model.read_register)]
        self.scoreboard.check(f"fault records of {name}", *tails)
        if tails[0]:
            records = [record_in(source.read(queue, 32), given.big_endian) for source in (self.bench.memory, memory)]
            self.scoreboard.check(f"fault record of {name}", *(comparable_fault(record) for record in records))
            self.scoreboard.faulted.add(int(records[1].cause))

    # ---- directed cases ----

    def begin(self, latency: int, mode: int = 2) -> None:
        """64 pages of one device at the given memory latency; all queues on."""
        self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, latency)
        self.environment.translation_port.set_stalls(0, 0)
        words = {
            DIRECTORY_ROOT + 32 * DEVICE: V,
            DIRECTORY_ROOT + 32 * DEVICE + 24: 8 << 60 | TABLE >> 12,
            TABLE + 8: TABLE + 0x1000 >> 2 | V,
            TABLE + 0x1000: TABLE + 0x2000 >> 2 | V,
        }
        words |= {TABLE + 0x2000 + 8 * index: (0x10_0000 + index) << 10 | LEAF for index in range(64)}
        self.bench.load(MemoryImage(words))
        self.spaces = AddressSpaces(self.random, lambda address, word: None)
        self.spaces.configuration = IommuConfiguration(Capabilities(CAPABILITIES.word | DBG), 2, DIRECTORY_ROOT >> 2 | mode)
        self.turn_on()
        self.driver.probe()

    def page(self, index: int) -> Request:
        """A read of one of the pages."""
        return Request(DEVICE, IOVA + (index << 12))

    def check_page(self, index: int, response: Response) -> None:
        """The answer to a device for that page is right."""
        self.scoreboard.compared += 1
        self.scoreboard.check(f"page {index}", (response.status, response.spa), (Status.OK, 0x1_0000_0000 + (index << 12)))

    def absent(self) -> None:
        """Without the capability the registers read 0 and take nothing."""
        self.bench.program(IommuConfiguration(CAPABILITIES, 2, MODE_BARE))
        for register in (Offset.TR_REQ_IOVA, Offset.TR_REQ_CTL, Offset.TR_RESPONSE):
            self.bench.write_register(register, (1 << 64) - 1, 8)
            self.scoreboard.check(f"absent register {register.name}", self.bench.read_register(register, 8), 0)

    def modes_without_directory(self) -> None:
        """Bare translates one to one; Off faults."""
        self.begin(4, MODE_BARE)
        self.scoreboard.check("Bare", self.ask(self.page(3)).spa, IOVA + 0x3000)
        self.begin(4)
        self.bench.write_register(Offset.DDTP, 0, 8)
        self.scoreboard.check("Off", self.ask(self.page(3)).status, Status.UNSUPPORTED_REQUEST)
        self.scoreboard.check("causes", [record.cause for record in self.new_records()], [Cause.ALL_INBOUND_DISALLOWED])

    def busy(self) -> None:
        """Registers stand still while Go is 1; the answer is that of the request as it was."""
        self.begin(300)
        self.start(self.page(5))
        self.scoreboard.check("Go", self.going, True)
        self.bench.write_register(Offset.TR_REQ_IOVA, self.page(6).iova, 8)
        self.bench.write_register(Offset.TR_REQ_CTL, 2 << 40 | GO, 8)
        self.bench.cycles(2000)
        self.scoreboard.check("Go", self.going, False)
        self.scoreboard.check("tr_req_iova", self.bench.read_register(Offset.TR_REQ_IOVA, 8), self.page(5).iova)
        self.scoreboard.check("tr_response", self.bench.read_register(Offset.TR_RESPONSE, 8), 0x10_0005 << 10)

    def writes(self) -> None:
        """NW = 0 asks for a write: it needs W, the record names a write, and the page becomes dirty; none of that with NW = 1."""
        self.begin(4)
        read_only, clean = 9, 10
        for index, flags in ((read_only, V | R | U | A | D), (clean, V | R | W | U | A)):
            self.bench.store(TABLE + 0x2000 + 8 * index, ((0x10_0000 + index) << 10 | flags,))
        self.bench.store(DIRECTORY_ROOT + 32 * DEVICE, (V | SADE,))
        for index in (read_only, clean):
            self.scoreboard.check(f"read of page {index}", self.ask(self.page(index)).spa, 0x1_0000_0000 + (index << 12))
        entry = TABLE + 0x2000 + 8 * clean
        self.scoreboard.check("D after a read", self.bench.memory.read_u64(entry) & D, 0)
        written = self.ask(replace(self.page(clean), write=True))
        self.scoreboard.check("write of a clean page", written.spa, 0x1_0000_0000 + (clean << 12))
        self.scoreboard.check("D after a write", self.bench.memory.read_u64(entry) & D, D)
        refused = self.ask(replace(self.page(read_only), write=True))
        self.scoreboard.check("write of a page without W", refused.status, Status.UNSUPPORTED_REQUEST)
        records = [(record.cause, record.transaction_type) for record in self.new_records()]
        self.scoreboard.check("records", records, [(Cause.WRITE_PAGE_FAULT, TransactionType.UNTRANSLATED_WRITE)])

    def fence_waits(self) -> None:
        """IOFENCE.C completes after the request that was under way."""
        self.begin(300)
        self.start(self.page(7))
        self.scoreboard.check("Go", self.going, True)
        self.push([(0x002, 0)])
        self.wait_for_commands()
        self.scoreboard.check("Go after the fence", self.going, False)

    def directory_waits(self) -> None:
        """A new ddtp takes effect after the request that was under way, which the old directory translates."""
        self.begin(300)
        self.start(self.page(8))
        self.bench.write_register(Offset.DDTP, 0, 8)
        self.scoreboard.check("ddtp.busy", self.bench.read_register(Offset.DDTP, 4), 1 << 4)
        self.scoreboard.check("Go", self.going, True)
        self.bench.cycles(2000)
        self.scoreboard.check("ddtp", self.bench.read_register(Offset.DDTP, 8), 0)
        self.scoreboard.check("tr_response", self.bench.read_register(Offset.TR_RESPONSE, 8), 0x10_0008 << 10)

    def among_hits(self) -> None:
        """A request gets in between those of a device that come in every cycle, and costs them one cycle."""
        self.begin(4)
        count = 3000
        for index, answer in enumerate(self.bench.translate([self.page(index) for index in range(4)])):
            self.check_page(index, answer.response)
        self.bench.send([self.page(index % 4) for index in range(count)])
        seen = self.bench.observed
        self.bench.cycles(40)
        self.start(self.page(2))
        while self.going:
            pass
        self.scoreboard.check("answered before the device was", self.bench.observed - seen < count, True)
        answers = self.bench.collect(count)
        for index, answer in enumerate(answers):
            self.check_page(index % 4, answer.response)
        lost = answers[-1].answered - answers[0].answered - (count - 1)
        self.scoreboard.check("cycles lost to the debug port at most 1", lost in (0, 1), True)
        self.scoreboard.check("tr_response", self.bench.read_register(Offset.TR_RESPONSE, 8), 0x10_0002 << 10)

    def among_misses(self) -> None:
        """A request gets through while misses fill every queue, merged with one of them or by itself."""
        for index in (63, 5):
            self.begin(120)
            self.bench.send([self.page(index) for index in range(48)])
            self.start(self.page(index))
            answers = self.bench.collect(48)
            for position, answer in enumerate(answers):
                self.check_page(position, answer.response)
            self.bench.cycles(2000)
            self.scoreboard.check("Go", self.going, False)
            self.scoreboard.check("tr_response", self.bench.read_register(Offset.TR_RESPONSE, 8), 0x10_0000 + index << 10)

    # ---- amid traffic ----

    def traffic(self) -> None:
        """Requests of devices under way, the port is asked, all are judged by the model alike."""
        self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, self.choose(2, 20))
        self.bench.load(MemoryImage({}))
        self.spaces = AddressSpaces(self.random, self.bench.memory.write_u64)
        self.spaces.configuration = IommuConfiguration(Capabilities(CAPABILITIES.word | DBG), 2, DIRECTORY_ROOT >> 2 | 4)
        self.turn_on()
        for _ in range(ROUNDS):
            requests = self.requests()
            choices = [(device, process) for device in self.spaces.devices for process in device.spaces]
            asked: list[Request] = []
            while len(asked) < 3:
                request = self.request(*choices[self.choose(0, len(choices))])
                if request.address_type is AddressType.UNTRANSLATED:
                    asked.append(with_page(request))
            before = [self.undisturbed(request) for request in requests + asked]
            self.bench.send(requests)
            self.bench.cycles(self.choose(0, 40))
            found = [LoggedResponse(self.ask(request), 0, 0) for request in asked]
            answers = self.bench.collect(len(requests)) + found
            for request in requests + asked:
                self.expected(request)
            settled = [self.undisturbed(request) for request in requests + asked]
            self.judge(requests + asked, answers, [list(both) for both in zip(before, settled, strict=True)])
            self.compare_tables(adopt=True)
            self.scoreboard.asked += len(asked)
            # The port's requests were compared, but not on the translation port.
            self.scoreboard.compared -= len(asked)
            if self.choose(0, 3) == 0:
                self.push([*self.edit(), self.fence()])
                self.wait_for_commands()


def with_page(request: Request) -> Request:
    """The request that the port can make of it: at the beginning of its page."""
    return replace(request, iova=request.iova & ~0xFFF, cxl=False, no_write=False)


def response_of(found: DebugTranslation | None) -> Response:
    """What the port said, as an answer to a device."""
    if found is None:
        return Response(Status.UNSUPPORTED_REQUEST)
    return Response(Status.OK, found.spa, found.page_shift, found.memory_type)


def record_in(data: bytes, big_endian: bool) -> FaultRecord:
    """A fault record in memory."""
    order: Literal["big", "little"] = "big" if big_endian else "little"
    words = [int.from_bytes(data[at : at + 8], order) for at in range(0, 32, 8)]
    return FaultRecord.unpack((words[0], words[1], words[2], words[3]))


@cocotb.test()
async def debug_port(_: object) -> None:
    """The debug port translates as the model does, and disturbs nobody."""
    await run_test(DebugTest)
