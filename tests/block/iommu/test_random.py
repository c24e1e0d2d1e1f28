"""Random translations in lock step with the golden model.

Each machine is a random capability word with random tables. Its rounds send requests while the tables stand still, after edits
whose invalidation has completed (or was wrong, late, or left out), and while tables, directory mode and memory change under
them; with queues that wrap, overflow and fail, and with back-pressure at every port.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto
from random import Random

import cocotb
import numpy as np
from cocotb.task import bridge
from sluicegate.iommu.capabilities import DirectoryMode, IommuConfiguration
from sluicegate.iommu.registers import Offset
from sluicegate.iommu.request import Request

from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tests.block.iommu.bench import IommuBench
from tests.block.iommu.capability_draw import Draw, draw_configuration
from tests.block.iommu.edit import Command, Edit
from tests.block.iommu.edits import Editor
from tests.block.iommu.lock_step import Flight, LockStep
from tests.block.iommu.lookup_states import LookupLog, lookup_states
from tests.block.iommu.page_tables import TableStore
from tests.block.iommu.queue_driver import QueueDriver, QueueError
from tests.block.iommu.random_machine import RandomMachine
from tests.block.iommu.reference import Answer, Reference
from tests.block.iommu.request_pool import WORKING_SETS, Purpose, RequestPool
from tests.block.iommu.spoiler import Aim, Spoiler
from tests.block.iommu.translation_bins import TranslationBins

MACHINES, ROUNDS = 4, 15
LEAST, MOST = 500, 1300
"""Requests of a round."""
MACHINE_BYTES = 1 << 27
"""Room for the tables of one machine."""
MOST_PENDING = 4
RECENT = 64
"""Requests among which something is chosen to be spoilt."""
BUSY = 1 << 4
MOST_POLLS = 10_000
"""Requests in flight may need a walk each, on memory that answers late and stalls, before a new directory is in force."""


class Style(Enum):
    """What happens to the tables in a round."""

    FRESH = auto()
    """All caches are emptied, and some edits made."""
    BEFORE = auto()
    """Some edits before the requests."""
    STILL = auto()
    SPOILT = auto()
    """Much of what the requests need is broken, and every cache knows it."""
    CUT_OFF = auto()
    """Likewise, but few pointers that much hangs on."""
    MESSAGES = auto()
    """Likewise, mostly entries of MSI page tables, and the requests go there."""
    LARGE = auto()
    """Nothing, and the requests go to large pages."""
    MEANWHILE = auto()
    """Some edits amid the requests."""
    MODE = auto()
    """The directory goes off and on amid the requests."""


STYLES = (
    *(Style.FRESH, Style.BEFORE, Style.BEFORE, Style.BEFORE, Style.STILL),
    *(Style.SPOILT, Style.SPOILT, Style.SPOILT, Style.SPOILT, Style.CUT_OFF, Style.CUT_OFF),
    *(Style.LARGE, Style.LARGE, Style.LARGE),
    *(Style.MESSAGES, Style.MEANWHILE, Style.MEANWHILE, Style.MEANWHILE, Style.MODE),
)
PURPOSES = {
    Style.SPOILT: (Purpose.EVERY_TYPE, Aim.ANYTHING, 24),
    Style.CUT_OFF: (Purpose.EVERY_TYPE, Aim.POINTERS, 6),
    Style.MESSAGES: (Purpose.MESSAGES, Aim.MESSAGES, 8),
    Style.LARGE: (Purpose.LARGE_PAGES, None, 0),
}
"""What the requests of a round are for; what is spoilt for them, and how much at most."""


class RandomTest(BaseTest):
    """Parameters ``machines`` and ``rounds`` of each."""

    top = IOMMU

    def prepare(self) -> None:
        self.random = Random(self.settings.seed)
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.scoreboard = LockStep(self.bench)
        self.environment.add_scoreboard(self.scoreboard)
        self.bins = TranslationBins()
        self.environment.add_collector(self.bins)
        self.lookups = LookupLog(self.environment.simulation)
        self.modes: Counter[tuple[int, int]] = Counter()
        self.aimed: Counter[tuple[int, int]] = Counter()
        self.spoiler = Spoiler(self.random)

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def run_all(self) -> None:
        """All machines; runs in the bridge thread."""
        machines = int(self.settings.parameters.get("machines", MACHINES))
        for number in range(machines):
            self.choose_pressure()
            self.start_machine(number, draw_configuration(self.random, self.settings.seed * machines + number))
            try:
                for _ in range(int(self.settings.parameters.get("rounds", ROUNDS))):
                    self.round()
            except QueueError as error:
                raise self.scoreboard.error(str(error)) from error
        self.environment.add_figure("translations compared", self.scoreboard.compared, "translations")

    # ---- a machine ----

    def choose_pressure(self) -> None:
        """Latencies and stalls of every port."""
        native, random = self.environment.simulation.native, self.random
        native.set_knob(Knob.MEMORY_PORT_LATENCY, random.choice((2, 2, 4, 7, 12, 30)))
        native.set_knob(Knob.MEMORY_PORT_JITTER, random.choice((0, 0, 6, 30)))
        native.set_knob(Knob.MEMORY_PORT_REQUEST_STALL_CHANCE, random.choice((0, 0, 20000)))
        native.set_knob(Knob.MEMORY_PORT_RESPONSE_STALL_CHANCE, random.choice((0, 0, 20000)))
        self.environment.translation_port.set_stalls(random.choice((0, 0, 0, 30000)), random.choice((0, 0, 0, 30000)))

    def start_machine(self, number: int, draw: Draw) -> None:
        """Reset, new tables, empty queues."""
        random, bench = self.random, self.bench
        limit = min(1 << draw.capabilities.physical_address_bits, 1 << 56)
        base = random.choice((0x8000_0000, limit - (1 << 34))) + number % 64 * MACHINE_BYTES
        self.tables = TableStore(base, bench.memory.write_u64, bench.mark)
        self.machine = RandomMachine(random, draw, self.tables, self.modes)
        self.tables.take_changes()
        self.depth = draw.mode
        bench.program(self.machine.configuration)
        entries = random.choice((2, 3, 5, 10)), random.choice((1, 3, 11, 11, 11))
        self.queues = QueueDriver(bench, random, draw.big_endian, bool(draw.fctl & 2), entries)
        self.pool = RequestPool(random, self.machine, self.aimed)
        self.reference = Reference(self.machine.configuration, self.tables, self.pool.requests)
        self.editor = Editor(random, self.machine, self.recent, self.spoiler)
        self.pending: list[Edit] = []
        self.spoilt = False
        self.spoiler.bad.clear()
        self.used: list[int] = []
        bench.forget_writes()
        bench.commands.clear()

    def recent(self) -> list[tuple[Request, Answer]]:
        """Some requests that were just used, or are about to be, and their walks."""
        numbers = self.random.sample(self.used, min(len(self.used), RECENT))
        return [(self.pool.requests[number], self.reference.answer(number)) for number in numbers]

    # ---- a round ----

    def round(self) -> None:
        """Requests, and what happens before or meanwhile."""
        random = self.random
        style = random.choice(STYLES)
        purpose, aim, most = PURPOSES.get(style, (Purpose.ANYTHING, None, 0))
        numbers = self.choose_requests(random.choice(WORKING_SETS) if style not in PURPOSES else WORKING_SETS[-1], purpose)
        offsets = np.frombuffer(random.randbytes(2 * len(numbers)), np.uint16).astype(np.uint64) & np.uint64(0xFFF)
        records = self.pool.records(numbers, offsets)
        self.used = np.unique(numbers).tolist()
        live = list(self.pending)
        if self.spoilt:
            # Quietly, so that the edits of other rounds are others than these.
            live += self.settle(self.editor.mend_all())
        if len(self.pending) > MOST_PENDING or style is Style.FRESH:
            self.cure(self.pending, [self.editor.flush()])
        if style in (Style.FRESH, Style.BEFORE):
            live += self.change(random.randrange(1, 4))
        self.spoilt = aim is not None
        if aim is not None:
            live += self.settle([self.editor.spoil(aim) for _ in range(random.randrange(1, most + 1))])
        if random.randrange(16) == 0:
            self.queues.spoil_fault_queue()
        self.bench.send_records(records)
        if style in (Style.MEANWHILE, Style.MODE):
            self.bench.cycles(random.randrange(120))
            live += self.change_mode() if style is Style.MODE else self.change(random.randrange(1, 4))
        pairs = self.bench.collect_pairs()
        fault_records = self.queues.records()
        reads = self.bench.read_records
        writes = [write for write in self.bench.writes if not 0x6000_0000 <= write.address < 0x6300_0000]
        self.bench.forget_writes()
        lookups = self.lookups.take()
        seen = [edit for edit in live if edit.retired_at > int(pairs.requested_at[0])]
        flight = Flight(numbers, pairs, writes, seen, fault_records, lookups)
        self.require_legal_tables()
        verdict = self.scoreboard.judge(flight, self.pool, self.reference, self.tables)
        self.scoreboard.count_new(Flight(numbers, pairs, [], live, fault_records, lookups), self.reference)
        self.bins.sample(flight, verdict, self.pool.requests, lookup_states(flight, verdict, reads))
        self.pending = [edit for edit in self.pending if edit.retired_at >= 1 << 62]

    def require_legal_tables(self) -> None:
        """The tables have one right answer for each page: a mismatch on others would say nothing about the IOMMU."""
        for stage in (*(guest.stage for guest in self.machine.guests), *(space.stage for space in self.machine.spaces)):
            for slot in stage.mixed_ranges():
                raise self.scoreboard.error(
                    f"stimulus: entries of the NAPOT range at {slot.address:#x} differ in more than A and D; write all sixteen"
                )

    def choose_requests(self, size: int, purpose: Purpose) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        """Numbers of requests, biased to a working set of ``size``: new ones (:meth:`RequestPool.fresh`), and some that were used
        before."""
        random = self.random
        chosen = self.pool.fresh(random.randrange(1, size + 2), purpose)
        if self.used:
            chosen += random.sample(self.used, min(len(self.used), size))
        if self.pool.requests:
            chosen += [random.randrange(len(self.pool.requests)) for _ in range(size // 4)]
        weights = [random.choice((1, 1, 4, 16)) for _ in chosen]
        random.shuffle(chosen)
        places = random.choices(range(len(chosen)), weights, k=random.randrange(LEAST, MOST))
        if random.randrange(2):
            # One after the other they come up and go: most meet caches that are warm already.
            overlap = len(chosen) / random.choice((2, 4, 16))
            places.sort(key=lambda place: place + overlap * random.random())
        return np.array(chosen, np.intp)[places]

    # ---- changes ----

    def change(self, count: int) -> list[Edit]:
        """Some edits; then their invalidation and a fence, which may be wrong or missing, and that of edits still pending."""
        random = self.random
        edits: list[Edit] = []
        for _ in range(count):
            edit = self.editor.edit(self.pool.targets[random.choice(self.used)])
            edit.applied_at = self.bench.position
            self.reference.changed(edit.addresses)
            self.scoreboard.kinds[edit.kind] += 1
            if not edit.cures:
                before = [earlier for earlier in (*self.pending, *edits) if earlier.cures and edit.follows(earlier)]
                if before:
                    edit.cures = before[-1].cures
                else:
                    edit.retired_at = edit.applied_at
            edits.append(edit)
            if random.randrange(2):
                self.bench.cycles(random.randrange(30))
        self.pending += [edit for edit in edits if edit.cures]
        draw = random.randrange(10)
        if draw == 0:
            return edits
        if draw == 1:
            self.queues.push([*self.editor.stray(), self.queues.fence()])
            self.queues.wait()
            return edits
        late = [edit for edit in self.pending if edit in edits or random.randrange(2)]
        self.cure(late, [random.choice(edit.cures) for edit in late])
        return edits

    def settle(self, edits: list[Edit]) -> list[Edit]:
        """Edits that all caches know of before anything else happens; what was pending is settled by that too."""
        for edit in edits:
            edit.applied_at = self.bench.position
            self.reference.changed(edit.addresses)
            self.scoreboard.kinds[edit.kind] += 1
        self.pending += edits
        self.cure(self.pending, [self.editor.flush()])
        self.pending = []
        return edits

    def cure(self, edits: list[Edit], commands: list[list[Command]]) -> None:
        """Invalidations, a fence, and nobody may act on what was before ``edits``."""
        words = [command for part in commands for command in part]
        self.queues.push([*words, self.queues.fence()])
        self.queues.wait()
        self.bench.cycles(4)
        completed = self.bench.commands[self.queues.pushed - 1]
        for edit in edits:
            edit.retired_at = min(edit.retired_at, completed)

    def change_mode(self) -> list[Edit]:
        """The directory goes to Off or Bare and back, perhaps to another depth, under the requests."""
        between = self.machine.configured(self.random.choice((DirectoryMode.OFF, DirectoryMode.BARE)))
        # A shallower directory leaves devices out: mostly the one that the tables were made for.
        depth = self.random.choice((2, 3, 4)) if self.random.randrange(4) == 0 else int(self.depth)
        edits = [self.set_mode(between)]
        self.bench.cycles(self.random.randrange(60))
        edits.append(self.set_mode(self.machine.configured(depth)))
        return edits

    def set_mode(self, configuration: IommuConfiguration) -> Edit:
        """Write ddtp and wait until it is in force."""
        self.tables.take_changes()
        edit = self.editor.new("mode", [])
        edit.configurations = self.machine.configuration, configuration
        edit.applied_at = self.bench.position
        self.bench.write_register(Offset.DDTP, configuration.ddtp, 8)
        for _ in range(MOST_POLLS):
            if not self.bench.read_register(Offset.DDTP, 4) & BUSY:
                break
            self.bench.cycles(64)
        else:
            raise self.scoreboard.error(f"ddtp is busy after {64 * MOST_POLLS} cycles")
        edit.retired_at = self.bench.position
        self.machine.configuration = configuration
        self.reference.reconfigured(configuration)
        self.scoreboard.kinds[edit.kind] += 1
        return edit


@cocotb.test()
async def lock_step(_: object) -> None:
    """The core and the model agree on every translation and every fault record."""
    await run_test(RandomTest)
