"""Neighbours of a walked page: which entries of its line reach the IOTLB, and what an invalidation leaves of them.

A neighbour is a hit afterwards exactly if the golden model would answer the same access at once: without a fault, without an
update of A or D, and with a second stage that the walk of the demanded page has seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import cocotb
from cocotb.task import bridge
from sluicegate.conformance.iommu_cases import ExpectedResponse, MemoryImage
from sluicegate.conformance.iommu_compare import response_difference
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr
from sluicegate.iommu.request import Request, Response, Status
from sluicegate.iommu.translate import translate
from sluicegate.memory import MemoryAccessError, MemoryPoisonError, SparseMemory

from tb.bridge.event_log import Actor, EventKind, LogBatch
from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IommuBench, LoggedResponse, with_fault
from tests.block.iommu.statistics import StatisticsReader

CORE = 0x10 | 1 << 9 | 1 << 17 | 1 << 15 | 1 << 24 | 1 << 27 | 1 << 28 | 1 << 38 | 56 << 32
"""Sv39, Sv39x4, Svpbmt, hardware A and D, both byte orders, wired interrupts, PD8."""
MSI_FLAT = 1 << 22
V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))
LEAF = V | R | W | X | U | A | D
RESERVED, PBMT_NC, PBMT_RESERVED, NAPOT = 1 << 54, 1 << 61, 3 << 61, 1 << 63
DIRECTORY, FIRST, SECOND, PROCESSES, COMMANDS, FAULTS, MSI_TABLE = (0x8000_0000 + (index << 16) for index in range(7))
LEAVES = FIRST + 0x2000
DEVICE, PROCESS = 1, 3
IOVA = 0x4000_0000
DATA, FAR = 0x1_0000_0000, 0x1_0020_0000
"""Guest addresses under two second-stage pages of 2 MiB."""
LINE = 8
OWN = 2
"""Place of the demanded page in its line."""
FLUSH_FIRST, FLUSH_SECOND, FENCE = 0x001, 0x081, 0x002
FLUSH_GUEST = FLUSH_FIRST | 1 << 33 | 5 << 44
"""IOTINVAL.VMA of the guest with GSCID 5."""
QUEUE_LOG2 = 9
REQUEST_AT = 40
"""Cycle of a race in which the demanded page is asked for."""
COMMAND_TAKES = 10
"""Cycles after which a command that was read has taken effect."""
SETTLED = 60
"""Cycles after which nothing of a walk is under way."""

VARIANTS: dict[str, int] = {
    "usual": LEAF,
    "not valid": LEAF & ~V,
    "not accessed": LEAF & ~A,
    "not dirty": LEAF & ~D,
    "supervisor": LEAF & ~U,
    "write without read": LEAF & ~R,
    "read only": V | R | U | A | D,
    "execute only": V | X | U | A | D,
    "reserved bit": LEAF | RESERVED,
    "global": LEAF | G,
    "non-cacheable": LEAF | PBMT_NC,
    "reserved memory type": LEAF | PBMT_RESERVED,
    "NAPOT": LEAF | NAPOT,
    "pointer": V,
    "another second-stage page": LEAF,
    "poisoned": LEAF,
    "refused": LEAF,
}


@dataclass(frozen=True)
class Machine:
    """A configuration. ``second``: log2 of the second stage's page under the data, 0 for Bare."""

    name: str
    second: int = 0
    updates: bool = False
    big_endian: bool = False
    privileged: bool = False
    supervisor_user_memory: bool = False
    messages: bool = False

    @property
    def capabilities(self) -> int:
        return CORE | (MSI_FLAT if self.messages else 0)


MACHINES = (
    Machine("first stage"),
    Machine("updates of A and D", updates=True),
    Machine("big-endian tables", big_endian=True),
    Machine("privileged", privileged=True),
    Machine("privileged with SUM", privileged=True, supervisor_user_memory=True),
    Machine("2 MiB second stage", second=21),
    Machine("4 KiB second stage", second=12),
    Machine("message window", second=21, messages=True),
)
ACCESSES = (("read", False, False), ("write", True, False), ("execute", False, True))


@dataclass(frozen=True)
class Entry:
    """One neighbour: its place in the line, variant, dword in the table, and whether its own second stage is the one seen."""

    place: int
    variant: str
    word: int
    guest: int


class FaultyMemory(SparseMemory):
    """What the model walks: dwords that fail or are poisoned, and no lasting update."""

    def __init__(self, image: MemoryImage) -> None:
        super().__init__()
        self._image = image
        for address, word in image.words.items():
            self.write_u64(address, word)

    def read_u64(self, address: int) -> int:
        if address in self._image.access_fault:
            raise MemoryAccessError(address)
        if address in self._image.poison:
            raise MemoryPoisonError(address)
        return super().read_u64(address)


@dataclass
class Case:
    """A machine with one line of entries."""

    machine: Machine
    entries: tuple[Entry, ...]
    image: MemoryImage = field(init=False)
    configuration: IommuConfiguration = field(init=False)

    def __post_init__(self) -> None:
        words: dict[int, int] = {}
        machine = self.machine

        def first(address: int, word: int) -> None:
            words[address] = int.from_bytes(word.to_bytes(8, "little"), "big") if machine.big_endian else word

        context = DIRECTORY + (64 if machine.messages else 32) * DEVICE
        words[context] = V | machine.updates << 7 | machine.updates << 8 | machine.big_endian << 10 | machine.privileged << 5
        words[context + 8] = 8 << 60 | 5 << 44 | SECOND >> 12 if machine.second else 0
        words[context + 16] = 7 << 12
        words[context + 24] = 1 << 60 | PROCESSES >> 12 if machine.privileged else 8 << 60 | FIRST >> 12
        words[PROCESSES + 16 * PROCESS] = V | 1 << 1 | machine.supervisor_user_memory << 2 | 7 << 12
        words[PROCESSES + 16 * PROCESS + 8] = 8 << 60 | FIRST >> 12
        if machine.messages:
            # The window is the guest page of place 4.
            words[context + 32] = 1 << 60 | MSI_TABLE >> 12
            words[context + 40], words[context + 48] = 0, (DATA >> 12) + 4
            words[MSI_TABLE] = 0x2800_0 << 10 | 3 << 1 | V
        words[SECOND + 8 * 2] = 2 << 28 | LEAF
        words[SECOND + 8 * 4] = (SECOND + 0x4000) >> 2 | V
        for index in range(2):
            if machine.second == 21:
                words[SECOND + 0x4000 + 8 * index] = (DATA + (index + 3 << 21)) >> 2 | LEAF
            else:
                table = SECOND + 0x5000 + (index << 12)
                words[SECOND + 0x4000 + 8 * index] = table >> 2 | V
                for page in range(3 * LINE):
                    words[table + 8 * page] = (DATA + (index + 3 << 21) + (page << 12)) >> 2 | LEAF
        first(FIRST + 8 * (IOVA >> 30), (FIRST + 0x1000) >> 2 | V)
        first(FIRST + 0x1000, LEAVES >> 2 | V)
        own = LEAF & ~U if machine.privileged else LEAF
        # The line before and the line behind are whole, so that a neighbour of another line would answer.
        for page in range(3 * LINE):
            first(LEAVES + 8 * page, (DATA + (page << 12)) >> 2 | own)
        first(LEAVES + 8 * (LINE + OWN), DATA >> 2 | own)
        for entry in self.entries:
            first(LEAVES + 8 * (LINE + entry.place), entry.guest >> 2 | entry.word)
        failing = {
            variant: frozenset(LEAVES + 8 * (LINE + entry.place) for entry in self.entries if entry.variant == variant)
            for variant in ("refused", "poisoned")
        }
        self.image = MemoryImage(words, failing["refused"], failing["poisoned"])
        self.configuration = IommuConfiguration(Capabilities(machine.capabilities), 2, DIRECTORY >> 2 | 2)

    def request(self, page: int, write: bool = False, execute: bool = False) -> Request:
        """An access to a page of the three lines."""
        machine = self.machine
        return Request(
            DEVICE,
            IOVA + (page << 12) + 8 * page,
            write=write,
            process_id=PROCESS if machine.privileged else 0,
            pasid_valid=machine.privileged,
            priv=machine.privileged,
            exec=execute,
        )

    def predict(self, request: Request) -> Response:
        """What the model answers on the tables as they were loaded."""
        return translate(request, self.configuration, FaultyMemory(self.image))

    def filled(self, entry: Entry, response: Response) -> bool:
        """Whether the access must be a hit behind a walk of the demanded page."""
        if response.status is not Status.OK or response.trace.updates or response.msi or entry.word & NAPOT:
            return False
        return not self.machine.second or entry.guest >> self.machine.second == DATA >> self.machine.second


def usual_line() -> tuple[Entry, ...]:
    """Neighbours that all become hits."""
    return tuple(Entry(place, "usual", LEAF, DATA + (place << 12)) for place in range(LINE) if place != OWN)


def cases() -> Iterator[Case]:
    """Every machine with every variant in some place of the line."""
    places = [place for place in range(LINE) if place != OWN]
    names = list(VARIANTS)
    for machine in MACHINES:
        for begin in range(0, len(names), len(places)):
            chosen = (names[begin:] + names)[: len(places)]
            entries = []
            for place, name in zip(places, chosen, strict=True):
                base = FAR if name == "another second-stage page" else DATA
                word = VARIANTS[name] ^ (U if machine.privileged and not machine.supervisor_user_memory else 0)
                entries.append(Entry(place, name, word, base + (8 << 12 if name == "NAPOT" else place << 12)))
            yield Case(machine, tuple(entries))


class NeighbourScoreboard(Scoreboard):
    """Counts what was judged; a wrong answer is raised where it is seen."""

    name = "neighbours"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.hits = self.misses = self.squashed = 0

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def finish(self) -> ScoreboardResult:
        link = LinkCount(self._bench.observed, self._bench.requests, self._bench.observed)
        figures = {"hits": self.hits, "misses": self.misses, "squashed": self.squashed}
        judged = self.hits + self.misses + self.squashed
        return ScoreboardResult(self.name, self.block, judged, {"translation": link}, figures=figures)


class NeighbourTest(BaseTest):
    """Rules first, then races with invalidations."""

    top = IOMMU

    def prepare(self) -> None:
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.statistics = StatisticsReader(self.environment.simulation)
        self.scoreboard = NeighbourScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)
        self.commands = 0
        self.stamps: list[tuple[str, int]] = []
        self.environment.simulation.add_consumer(self._stamp)

    def _stamp(self, batch: LogBatch) -> None:
        """Cycles of line reads, stores into the line and commands."""
        for record in batch.records:
            kind, source = int(record["kind"]), int(record["source"])
            line = int(record["address"]) & ~63 == LEAVES + 8 * LINE
            if kind == EventKind.MEMORY_READ and source == Actor.IOMMU and line:
                self.stamps.append(("read", int(record["cycle"])))
            elif kind == EventKind.MEMORY_WRITE and source == Actor.CPU and line:
                self.stamps.append(("store", int(record["cycle"])))
            elif kind == EventKind.IOMMU_COMMAND:
                self.stamps.append(("command", int(record["cycle"])))

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def run_all(self) -> None:
        """Runs in the bridge thread."""
        for case in cases():
            self.judge(case)
        if not self.scoreboard.hits:
            raise self.scoreboard.error("no neighbour was ever filled")
        for latency in (2, 6, 13):
            self.race(latency)
        self.race_second_stage(40)

    def start(self, case: Case) -> None:
        """Load the tables, reset the core, turn the queues on."""
        bench = self.bench
        bench.load(case.image)
        bench.program(case.configuration)
        bench.write_register(Offset.FQB, FAULTS >> 2 | QUEUE_LOG2 - 1, 8)
        bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)
        bench.write_register(Offset.CQB, COMMANDS >> 2 | QUEUE_LOG2 - 1, 8)
        bench.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)
        bench.read_register(Offset.CQCSR, 4)
        self.commands = 0

    def push(self, *words: int) -> None:
        """Append commands without operands and ring the tail."""
        for word in words:
            self.bench.store(COMMANDS + 16 * self.commands, (word, 0))
            self.commands = (self.commands + 1) % (1 << QUEUE_LOG2)
        self.bench.write_register(Offset.CQT, self.commands, 4)

    def finish_commands(self) -> None:
        """Wait until the head is at the tail."""
        for _ in range(100):
            if self.bench.read_register(Offset.CQH, 4) == self.commands:
                return
        raise self.scoreboard.error("the command queue stands still")

    # ---- rules ----

    def judge(self, case: Case) -> None:
        """Every neighbour with every access, and pages of other lines, behind a walk of the demanded page."""
        hits: list[tuple[str, Request, Response]] = []
        misses: list[tuple[str, Request, Response]] = []
        for entry in case.entries:
            for name, write, execute in ACCESSES:
                request = case.request(LINE + entry.place, write, execute)
                response = case.predict(request)
                chosen = hits if case.filled(entry, response) else misses
                chosen.append((f"{case.machine.name}, {entry.variant}, {name}", request, response))
        for page in (OWN, LINE - 1, 2 * LINE, 2 * LINE + OWN):
            request = case.request(page)
            misses.append((f"{case.machine.name}, page {page} of another line", request, case.predict(request)))
        self.start(case)
        self.demand(case)
        before = self.statistics.read()
        answers = self.bench.translate([request for _, request, _ in hits])
        missed = (self.statistics.read() - before).misses
        for (name, request, response), answer in zip(hits, answers, strict=True):
            self.compare(name, request, response, answer)
        if missed:
            raise self.scoreboard.error(
                f"{case.machine.name}: {missed} of {len(hits)} accesses missed that the line should answer"
            )
        self.scoreboard.hits += len(hits)
        for name, request, response in misses:
            # Updates of A and D, and what the walk before has filled, are undone.
            self.bench.load(case.image)
            self.push(FLUSH_FIRST, FLUSH_GUEST, FLUSH_SECOND, FENCE)
            self.finish_commands()
            self.demand(case)
            before = self.statistics.read()
            (answer,) = self.bench.translate([request])
            self.compare(name, request, response, answer)
            if (self.statistics.read() - before).misses != 1:
                raise self.scoreboard.error(f"{name}: a hit, but only a walk may answer it", answer.answered)
            self.bench.cycles(SETTLED)
            self.scoreboard.misses += 1

    def demand(self, case: Case) -> None:
        """Walk the demanded page; apart from its answer nothing may come of it: no record, no update."""
        self.bench.forget_writes()
        request = case.request(LINE + OWN)
        (answer,) = self.bench.translate([request])
        self.compare(f"{case.machine.name}, demanded page", request, case.predict(request), answer)
        self.bench.cycles(SETTLED)
        if self.bench.writes:
            raise self.scoreboard.error(f"{case.machine.name}: the walk of one page wrote to memory: {self.bench.writes[0]}")

    def compare(self, name: str, request: Request, wanted: Response, answer: LoggedResponse) -> None:
        """The answer is the model's."""
        expected = ExpectedResponse(
            wanted.status, wanted.spa, wanted.memory_type, wanted.msi, None, wanted.permissions, wanted.fault
        )
        difference = response_difference(expected, with_fault(answer.response, wanted.fault), False)
        if difference is not None:
            raise self.scoreboard.error(f"{name}: {request}: {difference}", answer.answered)

    # ---- races ----

    def race(self, latency: int) -> None:
        """Neighbours are remapped behind the read of their line; an invalidation follows at every possible moment."""
        self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, latency)
        case = Case(Machine("race"), usual_line())
        self.start(case)
        moments = self.moments(case, latency, range(REQUEST_AT - latency - 24, REQUEST_AT + latency + 16))
        # The module is at work until 17 cycles behind the answer. In the cycle of the answer no command can come: it would
        # have been on the memory port together with the line.
        missing = set(range(1, 18)) - moments
        if missing:
            raise self.scoreboard.error(f"latency {latency}: no invalidation came {sorted(missing)} cycles behind the answer")

    def race_second_stage(self, latency: int) -> None:
        """The same with a second stage that is walked behind the line: the invalidation comes while the walk is in flight."""
        self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, latency)
        case = Case(Machine("race of a nested walk", second=21), usual_line())
        # The page that is walked first lies under another second-stage page, so that this one is not known yet.
        case.image = replace(case.image, words={**case.image.words, LEAVES: FAR >> 2 | LEAF})
        self.start(case)
        moments = self.moments(case, latency, range(REQUEST_AT, REQUEST_AT + 2 * latency))
        early = {moment for moment in moments if moment < -COMMAND_TAKES}
        if len(early) < latency // 2:
            raise self.scoreboard.error(f"latency {latency}: only {len(early)} invalidations came while the walk was in flight")

    def moments(self, case: Case, latency: int, rings: Iterable[int]) -> set[int]:
        """Races with each of these moments of the tail write; when the invalidation came, counted from the answer."""
        found: set[int] = set()
        for ring_at in rings:
            self.bench.load(case.image)
            self.push(FLUSH_FIRST, FLUSH_GUEST, FLUSH_SECOND, FENCE)
            self.finish_commands()
            # Context and table are cached again.
            self.bench.translate([case.request(0)])
            self.bench.cycles(SETTLED)
            self.stamps.clear()
            answered, moment = self.race_once(case, latency, ring_at)
            if moment is not None:
                found.add(moment - answered)
        return found

    def race_once(self, case: Case, latency: int, ring_at: int) -> tuple[int, int | None]:
        """Cycle of the demanded page's answer; that of the invalidation if read, store and invalidation came in this order."""
        places = [place for place in range(LINE) if place != OWN]
        moved = [DATA + 0x10_0000 + (place << 12) for place in range(LINE)]
        mapped = 3 << 21 if case.machine.second else 0
        store_at = REQUEST_AT + latency + 5
        now = 0
        for at, what in sorted(((ring_at, "ring"), (REQUEST_AT, "request"), (store_at, "store"))):
            # Two that are due in one cycle go out in one.
            if at > now:
                self.bench.cycles(at - now)
            now = at
            if what == "ring":
                self.push(FLUSH_GUEST if case.machine.second else FLUSH_FIRST)
            elif what == "request":
                self.bench.send([case.request(LINE + OWN)])
            else:
                for place in places:
                    self.bench.store(LEAVES + 8 * (LINE + place), (moved[place] >> 2 | LEAF,))
        (first,) = self.bench.collect(1)
        self.push(FENCE)
        self.finish_commands()
        read = min(cycle for what, cycle in self.stamps if what == "read")
        store = max(cycle for what, cycle in self.stamps if what == "store")
        command = min(cycle for what, cycle in self.stamps if what == "command")
        if not read <= store <= command:
            return first.answered, None
        for place, answer in zip(places, self.bench.translate([case.request(LINE + place) for place in places]), strict=True):
            wanted = moved[place] + mapped + 8 * (LINE + place)
            if answer.response.spa != wanted:
                raise self.scoreboard.error(
                    f"latency {latency}: place {place} still leads to {answer.response.spa or 0:#x}, not {wanted:#x};"
                    f" line read at {read}, remapped at {store}, invalidated at {command}",
                    answer.answered,
                )
            self.scoreboard.squashed += 1
        return first.answered, command


@cocotb.test()
async def neighbours(_: object) -> None:
    """Exactly the certain neighbours are filled, and none survives an invalidation."""
    await run_test(NeighbourTest)
