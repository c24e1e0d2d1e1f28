"""Performance counters of the core against the golden performance monitor.

The monitor counts what the requests and the logged memory reads say: the kind of a request and its identifiers are known when it
is sent, every read of a walk is known by the page that it went to. What caches keep from being read is thereby left to the core,
and whatever it did read has to be counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum

import cocotb
import numpy as np
from cocotb.task import bridge
from sluicegate.dma.pages import PageAllocator
from sluicegate.driver.iommu import IommuDriver
from sluicegate.driver.iommu_diagnostics import EventFilter, read_counter, start_counter
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.performance import EventSource, PerformanceMonitor
from sluicegate.iommu.pri import PageRequest
from sluicegate.iommu.registers import HpmEvent, Ipsr, Offset, counter_offset, event_offset
from sluicegate.iommu.request import AddressType, Request
from sluicegate.iommu.translate import Translation

from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import Knob
from tb.bridge.platform import SimulationPlatform
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.address_spaces import CAPABILITIES, DIRECTORY_ROOT, AddressSpaces
from tests.block.iommu.bench import IommuBench, LoggedRead
from tests.block.iommu.command_ring import DROP_EVERYTHING, CommandRing
from tests.block.iommu.random_requests import RequestGenerator
from tests.block.iommu.rtl_under_test import PAGE_REQUEST_CYCLES
from tests.block.iommu.table_pages import TablePage, table_pages

COMMAND_PAGE = 0x7100_0000
HPM = 1 << 30
COUNTERS = 8
OVERFLOW = 1 << 63
SETTLE = 16
"""Cycles after which everything that happened has been counted."""
ROUNDS, ALONE, TOGETHER = 24, 24, 40
_REQUEST_EVENT = {
    AddressType.UNTRANSLATED: HpmEvent.UNTRANSLATED_REQUEST,
    AddressType.TRANSLATED: HpmEvent.TRANSLATED_REQUEST,
    AddressType.TRANSLATION_REQUEST: HpmEvent.ATS_REQUEST,
}
_PAGE_TABLES = (HpmEvent.FIRST_STAGE_WALK, HpmEvent.SECOND_STAGE_WALK)


class Traffic(Enum):
    """What is under way while the counters count."""

    ALONE = "one request at a time"
    ONE_REQUESTER = "requests of one device and process at once"
    MANY_REQUESTERS = "requests of several devices and processes at once"


class CountersScoreboard(Scoreboard):
    """Compares registers with the monitor, and keeps the cycles of register reads."""

    name = "counters"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.compared = 0
        self.counted: Counter[HpmEvent] = Counter()
        self.overflows = 0
        self.cycle_reads: list[int] = []

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def watch(self, batch: LogBatch) -> None:
        """Cycles in which ``iohpmcycles`` was read."""
        reads = batch.of_kind(EventKind.REGISTER_READ)
        self.cycle_reads += [int(read["cycle"]) for read in reads if int(read["address"]) & ~7 == Offset.IOHPMCYCLES]

    def compare(self, what: str, got: int, expected: int) -> None:
        """One comparison of a register."""
        if got != expected:
            raise self.error(f"{what} is {got:#x}, {expected:#x} expected")
        self.compared += 1

    def finish(self) -> ScoreboardResult:
        self.require_compared(self.compared)
        missing = [event.name for event in HpmEvent if event is not HpmEvent.NONE and not self.counted[event]]
        if missing or not self.overflows:
            raise self.error(f"never counted: {', '.join(missing) or 'an overflow'}: the stimulus is too weak")
        link = LinkCount(self._bench.observed, self._bench.requests, self._bench.observed)
        figures = {event.name.lower(): count for event, count in sorted(self.counted.items())} | {"overflows": self.overflows}
        return ScoreboardResult(self.name, self.block, self.compared, {"translation": link}, figures=figures)


class CountersTest(BaseTest):
    """Parameter ``rounds``: how often all counters are set anew."""

    top = IOMMU

    def prepare(self) -> None:
        self.random = np.random.default_rng(self.settings.seed)
        simulation = self.environment.simulation
        self.bench = IommuBench(simulation, self.environment.translation_port)
        self.scoreboard = CountersScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)
        simulation.add_consumer(self.scoreboard.watch)
        simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, self.choose(2, 12))
        simulation.native.set_knob(Knob.MEMORY_PORT_JITTER, self.choose(0, 2) * self.choose(1, 30))
        self.environment.translation_port.set_stalls(self.choose(0, 2) * 30000, self.choose(0, 2) * 30000)

    def choose(self, low: int, high: int) -> int:
        """A random integer in ``low .. high - 1``."""
        return int(self.random.integers(low, high))

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def run_all(self) -> None:
        """All rounds; runs in the bridge thread."""
        self.platform = SimulationPlatform(self.environment.simulation)
        self.spaces = AddressSpaces(self.random, self.bench.memory.write_u64)
        self.requests = RequestGenerator(self.random, self.spaces)
        self.pages = table_pages(self.spaces)
        self.absent()
        capabilities = Capabilities(CAPABILITIES.word | HPM)
        self.configuration = IommuConfiguration(capabilities, 2, DIRECTORY_ROOT >> 2 | 4)
        self.monitor = PerformanceMonitor(COUNTERS)
        self.bench.program(self.configuration)
        self.driver = IommuDriver(self.platform, PageAllocator(self.platform.address_map.ram))
        self.driver.probe()
        self.commands = CommandRing(self.bench, COMMAND_PAGE)
        self.commands.enable()
        self.cycle_counter()
        for _ in range(int(self.settings.parameters.get("rounds", ROUNDS))):
            self.set_counters(Traffic.ALONE)
            for _ in range(ALONE):
                if self.choose(0, 6):
                    self.one_request()
                else:
                    self.one_page_request()
            self.compare()
            self.set_counters(Traffic.ONE_REQUESTER)
            self.one_requester()
            self.compare()
            self.set_counters(Traffic.MANY_REQUESTERS)
            self.many_requesters()
            self.compare()

    # ---- registers ----

    def write_dword(self, offset: int, value: int) -> None:
        """Write an 8-byte register whole or in halves, in either order."""
        form = self.choose(0, 3)
        if form == 0:
            self.bench.write_register(offset, value, 8)
            return
        for half in (0, 4) if form == 1 else (4, 0):
            self.bench.write_register(offset + half, value >> 8 * half & 0xFFFF_FFFF, 4)

    def read_dword(self, offset: int) -> int:
        """Read an 8-byte register whole or in halves."""
        if self.choose(0, 2):
            return self.bench.read_register(offset, 8)
        return self.bench.read_register(offset, 4) | self.bench.read_register(offset + 4, 4) << 32

    def set_counters(self, traffic: Traffic) -> None:
        """New events, filters, values and inhibitions, for what is known of ``traffic``."""
        self.traffic = traffic
        self.bench.cycles(SETTLE)
        self.bench.write_register(Offset.IOCOUNTINH, (1 << COUNTERS + 1) - 1, 4)
        for index in range(COUNTERS):
            event = HpmEvent(self.choose(0, 9))
            selection = self.selection(event, traffic)
            if event is not HpmEvent.NONE and self.choose(0, 3) == 0:
                start_counter(self.driver, index + 1, event, selection)
                self.monitor.events[index], self.monitor.counters[index] = selection.encode(event), 0
                continue
            unknown = self.choose(9, 1 << 15) if self.choose(0, 10) == 0 else 0
            word = selection.encode(event) | self.choose(0, 4) // 3 << 63
            self.write_dword(event_offset(index + 1), word & ~0x7FFF | unknown if unknown else word)
            value = (0, self.choose(0, 1 << 62), (1 << 64) - self.choose(1, 30))[self.choose(0, 3)]
            self.write_dword(counter_offset(index + 1), value)
            self.monitor.events[index] = word & ~0x7FFF if unknown else word
            self.monitor.counters[index] = value
        inhibited = 1
        for index in range(COUNTERS):
            inhibited |= (self.choose(0, 5) == 0) << index + 1
        self.monitor.inhibited = inhibited
        self.vector = self.choose(0, 16)
        self.write_dword(Offset.ICVEC, self.vector << 8)
        self.bench.write_register(Offset.IPSR, Ipsr.PMIP, 4)
        self.bench.write_register(Offset.IOCOUNTINH, inhibited, 4)
        self.overflowed = False
        self.scoreboard.compare("ipsr after it was cleared", self.bench.read_register(Offset.IPSR, 4), 0)
        self.bench.forget_writes()

    def selection(self, event: HpmEvent, traffic: Traffic) -> EventFilter:
        """A filter whose verdict on every event is known: of many requesters a page of a table tells no more than its guest and
        process space, and no page tells whether a second-stage read came before or after the process context."""
        guest = self.choose(0, 3) == 0
        request = event in _REQUEST_EVENT.values()
        outer: int | None = self.some_guest() if guest else self.some_device()
        inner: int | None = self.choose(0x1F, 0x28) if guest else self.choose(0, 4)
        if traffic is not Traffic.ALONE and event is HpmEvent.SECOND_STAGE_WALK and guest:
            inner = None
        if traffic is Traffic.MANY_REQUESTERS and not request:
            outer = outer if event in _PAGE_TABLES and guest else None
            inner = inner if event is HpmEvent.FIRST_STAGE_WALK and guest else None
        if self.choose(0, 2):
            outer = None
        if self.choose(0, 2):
            inner = None
        return EventFilter(outer, inner, guest, outer is not None and self.choose(0, 2) == 0)

    def some_device(self) -> int:
        """A device ID that exists, or one near it whose low ones name a range with DMASK."""
        device = self.spaces.devices[self.choose(0, len(self.spaces.devices))].device_id
        return (device, device ^ 1 << self.choose(0, 24), device | (1 << self.choose(0, 25)) - 1)[self.choose(0, 3)]

    def some_guest(self) -> int:
        """A GSCID that exists, or one near it."""
        gscid = self.spaces.guests[self.choose(0, len(self.spaces.guests))].gscid
        return (gscid, gscid ^ 1 << self.choose(0, 18), gscid | (1 << self.choose(0, 18)) - 1)[self.choose(0, 3)]

    def compare(self) -> None:
        """Every register of the monitor, and the interrupt."""
        self.bench.cycles(SETTLE)
        check = self.scoreboard.compare
        for index in range(COUNTERS):
            name = f"of counter {index + 1}, iohpmevt {self.monitor.events[index]:#x}, {self.traffic.value},"
            by_driver = self.choose(0, 2)
            value = read_counter(self.driver, index + 1) if by_driver else self.read_dword(counter_offset(index + 1))
            check(f"value {name}", value, self.monitor.counters[index])
            check(f"event {name}", self.read_dword(event_offset(index + 1)), self.monitor.events[index])
        both = self.monitor.overflow & ~1 | self.monitor.inhibited << 32
        check("iocountovf and iocountinh", self.read_dword(Offset.IOCOUNTOVF) & ~1, both & ~1)
        check("ipsr", self.bench.read_register(Offset.IPSR, 4), Ipsr.PMIP if self.overflowed else 0)
        check("rises of the wires", len(self.bench.interrupts), int(self.overflowed))
        if self.overflowed:
            check("wire", self.bench.interrupts[0], 0x700 + self.vector)
            self.scoreboard.overflows += 1

    def cycle_counter(self) -> None:
        """The cycle counter counts every cycle between two reads, overflows once, and stands still while inhibited."""
        bench, check = self.bench, self.scoreboard.compare
        start = (1 << 63) - 150
        bench.write_register(Offset.IOCOUNTINH, 1, 4)
        self.write_dword(Offset.IOHPMCYCLES, start)
        bench.cycles(100)
        check("inhibited iohpmcycles", bench.read_register(Offset.IOHPMCYCLES, 8), start)
        bench.write_register(Offset.IOCOUNTINH, 0, 4)
        self.scoreboard.cycle_reads.clear()
        values = []
        for delay in (7, 40, 200, 11):
            values.append(bench.read_register(Offset.IOHPMCYCLES, 8))
            bench.cycles(delay)
        stamps = self.scoreboard.cycle_reads
        for index in range(1, 4):
            passed = stamps[index] - stamps[0]
            expected = (values[0] + passed) % (1 << 63) | (values[0] + passed >> 63 << 63)
            check(f"iohpmcycles after {passed} cycles", values[index], expected)
        check("iocountovf", bench.read_register(Offset.IOCOUNTOVF, 4), 1)
        check("ipsr", bench.read_register(Offset.IPSR, 4), Ipsr.PMIP)
        bench.write_register(Offset.IOCOUNTINH, 1, 4)
        bench.write_register(Offset.IPSR, Ipsr.PMIP, 4)
        self.write_dword(Offset.IOHPMCYCLES, (1 << 64) - 50)
        bench.write_register(Offset.IOCOUNTINH, 0, 4)
        bench.cycles(100)
        check("overflow while OF is set", bench.read_register(Offset.IPSR, 4), 0)
        check("OF", bench.read_register(Offset.IOHPMCYCLES, 8) >> 63, 1)

    def absent(self) -> None:
        """Without the capability every register of the monitor reads 0 and takes nothing."""
        self.bench.program(IommuConfiguration(CAPABILITIES, 2, DIRECTORY_ROOT >> 2 | 4))
        registers: list[int] = [Offset.IOCOUNTOVF, Offset.IOHPMCYCLES]
        registers += [offset(index) for index in (1, COUNTERS) for offset in (counter_offset, event_offset)]
        for register in registers:
            self.bench.write_register(register, 0x0123_4567_0000_0001, 8)
            self.scoreboard.compare(f"absent register {register:#x}", self.bench.read_register(register, 8), 0)

    # ---- traffic, and what it has to count ----

    def count(self, event: HpmEvent, source: EventSource, occurrences: int = 1) -> None:
        """Let the monitor count."""
        before = list(self.monitor.counters)
        self.overflowed |= self.monitor.count(event, source, occurrences)
        self.scoreboard.counted[event] += before != self.monitor.counters

    def translation(self, request: Request) -> Translation:
        """The model's translation of a request on the present tables, which it updates."""
        translation = Translation(request, self.configuration, self.spaces.memory)
        translation.run()
        return translation

    def walk_reads(self) -> list[tuple[LoggedRead, TablePage]]:
        """The logged reads of walks and what they went to. A read of anything else fails the test."""
        found = []
        for read in self.bench.reads:
            if read.update or read.address in self.commands:
                continue
            page = self.pages.get(read.address >> 12)
            if page is None:
                raise self.scoreboard.error(f"the core read {read.length} bytes at {read.address:#x}, where no table is")
            found.append((read, page))
        return found

    @staticmethod
    def source(request: Request) -> EventSource:
        """Device and process of a request."""
        return EventSource(request.device_id, request.process_id if request.pasid_valid else None)

    @staticmethod
    def source_of(request: Request, translation: Translation) -> EventSource:
        """All identifiers of a request."""
        device, process = translation.device, translation.process
        return EventSource(
            request.device_id,
            request.process_id if request.pasid_valid else None,
            device.gscid if device is not None and device.second_stage else None,
            process.pscid if process is not None and translation.pscid_valid else None,
        )

    def one_request(self) -> None:
        """A request by itself, often with empty caches: every read is its own."""
        cold = self.choose(0, 3) == 0
        if cold:
            self.commands.run(DROP_EVERYTHING)
        request = self.requests.request(*self.requests.requester())
        translation = self.translation(request)
        trace = translation.trace
        hits = self.hits()
        self.bench.forget_reads()
        self.bench.translate([request])
        hits = self.hits() - hits
        reads = self.walk_reads()
        kinds = Counter(page.event for _, page in reads)
        first_stage = kinds[HpmEvent.FIRST_STAGE_WALK], trace.first_stage_reads
        if cold:
            self.scoreboard.compare("directory reads of a cold walk", kinds[HpmEvent.DIRECTORY_WALK], trace.directory_reads)
            process = kinds[HpmEvent.PROCESS_DIRECTORY_WALK]
            self.scoreboard.compare("process directory reads of a cold walk", process, trace.process_directory_reads)
            self.scoreboard.compare("first-stage reads of a cold walk", *first_stage)
        self.count(_REQUEST_EVENT[request.address_type], self.source(request))
        # A second-stage leaf that the walker had cached is a miss of the IOTLB all the same.
        second_stage = trace.second_stage_reads > (
            0 if kinds[HpmEvent.PROCESS_DIRECTORY_WALK] else translation.second_stage_reads_to_locate
        )
        self.count_walk(self.source_of(request, translation), reads, through_leaf=second_stage and not hits)

    def one_page_request(self) -> None:
        """A page request by itself: its walk reads the device directory, whatever becomes of it."""
        device, process = self.requests.requester()
        segment = device.device_id >> 16
        message = PageRequest(
            device.device_id & 0xFFFF,
            0x1000 | 5,
            segment_valid=segment != 0,
            segment=segment,
            pasid_valid=process is not None,
            process_id=process or 0,
        )
        self.bench.forget_reads()
        self.bench.send_page_request(message)
        self.bench.deliver_messages()
        self.bench.cycles(PAGE_REQUEST_CYCLES)
        for _, page in self.walk_reads():
            self.count(page.event, EventSource(device.device_id, process))

    def count_walk(self, source: EventSource, reads: Sequence[tuple[LoggedRead, TablePage]], *, through_leaf: bool) -> None:
        """The reads of one walk in their order; before the last one of the process directory its PSCID is not known.

        ``through_leaf``: it needed a leaf of the second stage, read or cached.
        """
        kinds = [page.event for _, page in reads]
        located = max((at for at, kind in enumerate(kinds) if kind is HpmEvent.PROCESS_DIRECTORY_WALK), default=-1)
        unlocated = EventSource(source.device_id, source.process_id, source.gscid)
        for at, kind in enumerate(kinds):
            self.count(kind, unlocated if at < located else source)
        if through_leaf or any(kind in _PAGE_TABLES for kind in kinds):
            self.count(HpmEvent.TLB_MISS, source)

    def one_requester(self) -> None:
        """Requests of one requester back to back: walks merge and overtake each other, but all have the same identifiers."""
        device, process = self.requests.requester()
        requests = [self.requests.request(device, process, astray=False) for _ in range(TOGETHER)]
        self.batch(requests, self.source(requests[0]))

    def many_requesters(self) -> None:
        """Requests of several requesters back to back; no filter asks for theirs."""
        requesters = [self.requests.requester() for _ in range(3)]
        requests = [self.requests.request(*requesters[self.choose(0, 3)], astray=False) for _ in range(TOGETHER)]
        self.batch(requests, EventSource(0))

    def batch(self, requests: Sequence[Request], requester: EventSource) -> None:
        """Send requests back to back. ``requester``: device and process where all requests have the same.

        Which request a read belongs to is not known: it counts with the identifiers of the requester and of its page. Hits are
        requests that would have walked otherwise, and got through to a translation. None goes astray: whether a request that
        ends with a fault at its address walks at all depends on whether its process context is cached.
        """
        translations = [self.translation(request) for request in requests]
        hits = self.hits()
        self.bench.forget_reads()
        self.bench.translate(requests)
        hits = self.hits() - hits
        missed: Counter[EventSource] = Counter()
        for request, translation in zip(requests, translations, strict=True):
            self.count(_REQUEST_EVENT[request.address_type], self.source(request))
            if translation.trace.first_stage_reads + translation.trace.second_stage_reads:
                source = self.source_of(request, translation)
                missed[EventSource(requester.device_id, requester.process_id, source.gscid, source.pscid)] += 1
        for _, page in self.walk_reads():
            self.count(page.event, EventSource(requester.device_id, requester.process_id, page.gscid, page.pscid))
        if hits:
            missed[max(missed, key=lambda source: (source.gscid is not None) + (source.pscid is not None))] -= hits
        for source, occurrences in missed.items():
            self.count(HpmEvent.TLB_MISS, source, occurrences)

    def hits(self) -> int:
        """Requests that either level of the IOTLB answered."""
        dut = self.environment.simulation.dut
        return int(dut.stat_l1_hits.value) + int(dut.stat_l2_hits.value)


@cocotb.test()
async def counters(_: object) -> None:
    """The counters count what the golden monitor counts."""
    await run_test(CountersTest)
