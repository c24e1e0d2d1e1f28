"""Changes one thing on the walk of a request: memory that refuses or returns poison, an entry that is not valid, malformed or
leads out of the address space, a leaf with other rights or another state of A and D.

It turns to what it has done least so far, by table, mode and level and by request type: all of it comes up within few machines.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random

from sluicegate.iommu.port import swap_u64
from sluicegate.iommu.request import AddressType, Request

from tests.block.iommu.page_tables import HEALTHY, POISONED, REFUSED, TableStore
from tests.block.iommu.reference import Answer
from tests.block.iommu.table_entries import NAPOT, A, D, R, U, V, W, X, malformed_pointer
from tests.block.iommu.walk_steps import PAGE_TABLES, Step, Table

WIDE = 1 << 53
"""Highest bit of the page number in an entry: an address of more than 50 bits."""
STATES = {"refused": REFUSED, "poisoned": POISONED}
RIGHTS = {"R": R, "RW": R | W, "RX": R | X, "RWX": R | W | X, "X": X}
UPDATES = {"neither A nor D": 0, "A": A, "D": D}
NOT_VALID, MALFORMED, TOO_WIDE = "not valid", "malformed", "too wide"
MSI_MODE = 3 << 1
WITHOUT = {"malformed without A": A, "malformed without D": D, "malformed without A and D": A | D}


class Aim(Enum):
    """What is spoilt."""

    ANYTHING = auto()
    POINTERS = auto()
    """Pointers on the way to other tables: each hides what is behind it from all who go there."""
    MESSAGES = auto()
    """Entries of MSI page tables, mostly."""


Change = tuple[tuple[str, ...], tuple[Table, ...]]
_BROKEN = NOT_VALID, MALFORMED
_ANY = (
    *(Table.DIRECTORY, Table.PROCESS, Table.PROCESS, Table.MSI, Table.FIRST, Table.FIRST, Table.FIRST),
    *(Table.SECOND_OF_PAGE, Table.SECOND_OF_PAGE, Table.SECOND_OF_TABLE, Table.SECOND_OF_TABLE, Table.SECOND_OF_TABLE),
    *(Table.SECOND_OF_PROCESS, Table.SECOND_OF_PROCESS),
)
_POINTERS = (
    *(Table.SECOND_OF_TABLE, Table.SECOND_OF_TABLE, Table.SECOND_OF_TABLE, Table.SECOND_OF_PROCESS, Table.SECOND_OF_PROCESS),
    Table.FIRST,
)
_MESSAGES = Table.MSI, Table.MSI, Table.MSI, Table.SECOND_OF_PAGE
CHANGES: dict[Aim, tuple[Change, ...]] = {
    Aim.ANYTHING: (
        *((tuple(STATES), _ANY), (tuple(STATES), _ANY)),
        *(((*_BROKEN, TOO_WIDE, *WITHOUT), _ANY), ((*RIGHTS, *UPDATES), _ANY)),
    ),
    Aim.POINTERS: (
        *((tuple(STATES), _POINTERS), (tuple(STATES), _POINTERS), (_BROKEN, _POINTERS), (_BROKEN, _POINTERS)),
        ((TOO_WIDE,), (Table.FIRST, Table.FIRST, Table.PROCESS)),
    ),
    Aim.MESSAGES: ((tuple(STATES), _MESSAGES), (tuple(STATES), _MESSAGES), (_BROKEN, _MESSAGES)),
}
"""What is drawn first, a kind of change and a table, before what was done least."""

Way = tuple[Table, str]
Place = tuple[Way, int, int]


@dataclass
class Spoilt:
    """What was changed: dwords, good and bad as memory has them, or dwords whose access fails."""

    kind: str
    words: dict[int, tuple[int, int]] = field(default_factory=dict)
    marked: list[int] = field(default_factory=list)

    @property
    def addresses(self) -> set[int]:
        """Dwords that it concerns."""
        return {*self.words, *self.marked}


class Spoiler:
    """Counts over a run what it has done; ``bad`` are the dwords that are changed now."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._places: Counter[Place] = Counter()
        self._types: Counter[tuple[Way, int, bool]] = Counter()
        self.bad: set[int] = set()

    def spoil(self, tables: TableStore, walks: list[tuple[Request, Answer]], aim: Aim) -> Spoilt | None:
        """Change a step of one of ``walks`` that goes through nothing bad yet; None when there is none."""
        best: tuple[float, Way, Request, Answer, Step] | None = None
        whole = [walk for walk in walks if not any(step.address in self.bad for step in walk[1].steps)]
        # What many go through hides the rest.
        goers = Counter(step.address for _, answer in whole for step in answer.steps)
        pointers = aim is Aim.POINTERS
        kind, drawn = self._random.choice(CHANGES[aim])
        for table in (self._random.choice(drawn), Table.SECOND_OF_PAGE, Table.FIRST):
            through = [walk for walk in whole if any(step.table is table for step in walk[1].steps)]
            if through:
                break
        # One walk of each request type: there are many more of some.
        for request, answer in {_kind(request): (request, answer) for request, answer in through}.values():
            for step in answer.steps:
                if step.table is not table or step.address is None or step.address in tables.states:
                    continue
                if pointers and not step.level:
                    continue
                for name in _ways(answer, step):
                    if name not in kind:
                        continue
                    way = step.table, name
                    rank = self._places[_place(way, answer, step)] + self._random.random()
                    if not pointers:
                        rank += self._types[_type(way, request, answer)] + goers[step.address] / 5
                    if best is None or rank < best[0]:
                        best = rank, way, request, answer, step
        if best is None:
            return None
        _, way, request, answer, step = best
        self._places[_place(way, answer, step)] += 1
        self._types[_type(way, request, answer)] += 1
        spoilt = self._change(tables, way[1], answer, step)
        self.bad |= spoilt.addresses
        return spoilt

    def mend(self, tables: TableStore, spoilt: Spoilt) -> None:
        """Make it good again, where no other edit has changed it since."""
        self.bad -= spoilt.addresses
        for address in spoilt.marked:
            tables.mark(address, HEALTHY)
        # Edits change the entries of a NAPOT range together, the hardware sets A and D of one: a single bad one left says that no
        # edit came. All sixteen are mended then: a cache may read any of them, and would go on with the rights of one left out.
        if any(tables.words[address] == bad for address, (_, bad) in spoilt.words.items()):
            for address, (good, _) in spoilt.words.items():
                big_endian = tables.big_endian[address]
                tables.write(address, swap_u64(good) if big_endian else good, big_endian)

    def _change(self, tables: TableStore, name: str, answer: Answer, step: Step) -> Spoilt:
        assert step.address is not None
        if name in STATES:
            marked = _range(step) if step.table in PAGE_TABLES else [self._random.choice(_dwords(answer, step.address))]
            for address in marked:
                tables.mark(address, STATES[name])
            return Spoilt("memory state", marked=marked)
        changed = self._entry(name, step)
        spoilt = Spoilt("spoilt entry")
        for address in _range(step):
            good, big_endian = tables.words[address], tables.big_endian[address]
            tables.write(address, changed, big_endian)
            spoilt.words[address] = good, swap_u64(changed) if big_endian else changed
        return spoilt

    def _entry(self, name: str, step: Step) -> int:
        random, value = self._random, step.value
        if name in RIGHTS:
            lost = random.choice((0, 0, A, D, A | D))
            other = random.choice((0, 0, U)) if step.table is Table.FIRST else 0
            return (value & ~(R | W | X | lost) | RIGHTS[name]) ^ other
        if name in UPDATES:
            return value & ~(A | D) | UPDATES[name]
        if name == TOO_WIDE:
            return value | WIDE
        if name == NOT_VALID:
            return value & ~V
        # Bits that are reserved in every entry of such a table: in pointers and in contexts alike.
        if step.table is Table.DIRECTORY:
            return value | 1 << (random.randrange(12, 24) if not step.level else random.randrange(1, 10))
        if step.table is Table.PROCESS:
            return value | 1 << random.randrange(3, 10)
        if step.table is Table.MSI:
            return random.choice((value & ~MSI_MODE, value | 1 << random.randrange(54, 63)))
        if step.is_leaf:
            return value & ~WITHOUT.get(name, 0) | 1 << random.randrange(54, 59)
        return malformed_pointer(random, value)


def _ways(answer: Answer, step: Step) -> tuple[str, ...]:
    """What can be done to a step. Valid entries only: what is not valid is refused as it is."""
    if not step.value & V or answer.device is None:
        return tuple(STATES)
    ways = (*STATES, NOT_VALID, MALFORMED)
    guest = answer.device.second_stage
    if guest and not step.value & NAPOT and (step.table is Table.FIRST or (step.table is Table.PROCESS and step.level)):
        ways += (TOO_WIDE,)
    if step.is_leaf and step.table in (Table.FIRST, Table.SECOND_OF_PAGE):
        ways += (*RIGHTS, *UPDATES, *WITHOUT)
    return ways


def _place(way: Way, answer: Answer, step: Step) -> Place:
    """Modes and levels that are told apart: what is too wide is so for the second stage."""
    if answer.device is None or step.table not in PAGE_TABLES:
        return way, 0, 0
    if way[1] == TOO_WIDE:
        return way, int(answer.device.second_stage), 0
    mode = answer.process.mode if step.table is Table.FIRST and answer.process else answer.device.second_stage
    return way, int(mode), step.level


def _kind(request: Request) -> int:
    """Request types that are told apart."""
    probe = request.address_type is AddressType.TRANSLATION_REQUEST
    write = not request.no_write if probe else request.write
    execute = request.exec and (request.pasid_valid or request.address_type is AddressType.UNTRANSLATED)
    privileged = request.pasid_valid and request.priv
    return 4 * (2 * request.address_type + privileged) + 2 * write + execute


def _type(way: Way, request: Request, answer: Answer) -> tuple[Way, int, bool]:
    """The request type, and whether there is a second stage."""
    return way, _kind(request), answer.device is not None and bool(answer.device.second_stage)


def _range(step: Step) -> list[int]:
    """The entry, or the sixteen entries of a NAPOT range: a cache may read any of them for all."""
    assert step.address is not None
    # Malformed ones too, that are no leaf.
    if step.table in PAGE_TABLES and step.value & V and step.value & NAPOT and not step.level:
        first = step.address & ~0x7F
        return list(range(first, first + 128, 8))
    return [step.address]


def _dwords(answer: Answer, address: int) -> list[int]:
    """What the walk has read of the entry at ``address``: all dwords of a context."""
    return [dword for dword in answer.reads if dword >> 6 == address >> 6]
