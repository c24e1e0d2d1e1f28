"""Tables of the random test: their pages and dwords, stages with the slots that they may map, and directories.

Everything is written to a replica memory (which the golden model walks) and, through ``store``, to the memory of the bench.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from sluicegate.iommu.port import swap_u64

from tests.block.iommu.table_entries import A, D, G, R, U, V, W, X

GUEST_TABLES = 0x7000_0000
"""Where the table pages of a guest lie in its address space."""
GUEST_DIRECTORIES = {8: 1 << 39, 9: 1 << 48, 10: 1 << 53}
"""How far beyond lie those of its process directories, by the mode of the second stage: no pointer of it leads to both, so that
what is wrong with a pointer is met by who has a process directory and by who has not."""

HEALTHY, REFUSED, POISONED = 0, 1, 2
"""State of a dword of memory: it can be accessed, refuses that, or answers with poison."""


class TableStore:
    """Pages from ``base`` on, every dword written to them, and the dwords that memory fails to deliver.

    ``store`` writes a dword of the bench's memory, ``mark`` sets the state of one.
    """

    def __init__(self, base: int, store: Callable[[int, int], None], mark: Callable[[int, int], None]) -> None:
        self._next = self.base = base
        self._store, self._mark = store, mark
        self.words: dict[int, int] = {}
        """Dwords as they lie in memory, by address: what the model walks."""
        self.states: dict[int, int] = {}
        """Dwords that are not healthy."""
        self.big_endian: dict[int, bool] = {}
        """Byte order of each dword."""
        self.written: dict[int, tuple[int, int]] = {}
        """Old and new value of the dwords written since :meth:`take_changes`."""
        self.marked: dict[int, tuple[int, int]] = {}
        """Old and new state, likewise."""

    def page(self, count: int = 1) -> int:
        """Fresh pages, aligned to their number (a power of two)."""
        size = count << 12
        self._next = -(-self._next // size) * size
        self._next += size
        return self._next - size

    def write(self, address: int, word: int, big_endian: bool) -> None:
        """One dword, in the replica and in the bench; it is healthy then."""
        if address in self.states:
            self.mark(address, HEALTHY)
        raw = swap_u64(word) if big_endian else word
        old, _ = self.written.get(address, (self.words.get(address, 0), 0))
        self.written[address] = old, raw
        self.words[address] = raw
        self.big_endian[address] = big_endian
        self._store(address, raw)

    def adopt(self, address: int, raw: int) -> None:
        """The hardware changed a dword."""
        self.words[address] = raw

    def mark(self, address: int, state: int) -> None:
        """Change the state of a dword."""
        before = self.states.pop(address, HEALTHY)
        old, _ = self.marked.get(address, (before, 0))
        self.marked[address] = old, state
        if state:
            self.states[address] = state
        self._mark(address, state)

    def take_changes(self) -> tuple[dict[int, tuple[int, int]], dict[int, tuple[int, int]]]:
        """Dwords and states changed since the last call, by address: old and new."""
        changes = self.written, self.marked
        self.written, self.marked = {}, {}
        return changes

    def read(self, address: int) -> int:
        """A dword in its byte order."""
        raw = self.words.get(address, 0)
        return swap_u64(raw) if self.big_endian.get(address) else raw


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in an address space that one leaf entry maps: its address and the level of that leaf (16 entries for NAPOT)."""

    address: int
    level: int
    napot: bool = False

    @property
    def bytes(self) -> int:
        return 1 << 16 if self.napot else 1 << (12 + 9 * self.level)


@dataclass
class MsiWindow:
    """MSI page table of a guest: its address, and which guest pages it translates."""

    table: int
    mask: int
    pattern: int

    @property
    def files(self) -> int:
        return 1 << self.mask.bit_count()

    def page(self, number: int) -> int:
        """Guest page number of an interrupt file."""
        page, mask = self.pattern & ~self.mask, self.mask
        while mask:
            lowest = mask & -mask
            page |= lowest if number & 1 else 0
            number >>= 1
            mask ^= lowest
        return page


@dataclass
class Stage:
    """One page table: mode (0 Bare), and the slots that it may map. ``guest``: for a first stage, the guest whose second stage
    translates its tables; None for a second stage. ``global_tables``: its pointers have G set."""

    tables: TableStore
    mode: int
    big_endian: bool
    guest: Guest | None = None
    global_tables: bool = False
    slots: list[Slot] = field(default_factory=list)
    pages: dict[tuple[int, int], int] = field(default_factory=dict)
    """Table pages by level and by what of the address is above it."""

    def __post_init__(self) -> None:
        if self.mode:
            self.pages[self.levels - 1, 0] = self.tables.page(4) if self.guest is None else self.guest.table_page()

    @property
    def levels(self) -> int:
        return self.mode - 5 if self.mode else 0

    @property
    def root(self) -> int:
        """What iosatp or iohgatp holds, as a byte address: a guest address for a first stage."""
        return self.place(self.pages[self.levels - 1, 0]) if self.mode else 0

    def place(self, page: int) -> int:
        """The address by which this stage refers to a page of its tables."""
        return page if self.guest is None else self.guest.place(page)

    def entry(self, address: int, level: int) -> int:
        """Where the entry of ``address`` at ``level`` lies; missing tables are made."""
        address &= (1 << (12 + 9 * self.levels + (2 if self.guest is None else 0))) - 1
        if level == self.levels - 1:
            return self.pages[level, 0] + 8 * (address >> (12 + 9 * level))
        key = level, address >> (21 + 9 * level)
        if key not in self.pages:
            self.set_table(address, level, self.tables.page() if self.guest is None else self.guest.table_page())
        return self.pages[key] + 8 * (address >> (12 + 9 * level) & 0x1FF)

    def set_table(self, address: int, level: int, page: int) -> None:
        """Make ``page`` the table at ``level`` for ``address``."""
        address &= (1 << (12 + 9 * self.levels + (2 if self.guest is None else 0))) - 1
        pointer = self.entry(address, level + 1)
        self.pages[level, address >> (21 + 9 * level)] = page
        self.tables.write(pointer, self.place(page) >> 2 | V | (G if self.global_tables else 0), self.big_endian)

    def write_leaf(self, slot: Slot, leaf: int) -> None:
        """Write the leaf of a slot."""
        for index in range(16 if slot.napot else 1):
            self.tables.write(self.entry(slot.address + (index << 12), slot.level), leaf, self.big_endian)

    def read_leaf(self, slot: Slot) -> int:
        """The leaf of a slot."""
        return self.tables.read(self.entry(slot.address, slot.level))

    def mixed_ranges(self) -> list[Slot]:
        """NAPOT slots whose sixteen entries differ in more than A and D. A cache may read any of them for all (Privileged
        specification, Svnapot): such a page has as many right answers as there are different entries."""
        return [slot for slot in self.slots if self.mode and slot.napot and len(self._versions(slot)) > 1]

    def _versions(self, slot: Slot) -> set[int]:
        places = (self.entry(slot.address + (index << 12), slot.level) for index in range(16))
        return {self.tables.read(place) & ~(A | D) for place in places}


@dataclass
class Guest:
    """A GSCID and its second stage. ``updates``: (SADE, GADE) of its devices, alike in all of them, else one device's update
    could decide another one's fault; ``big_endian``: byte order of its first stages and process directories."""

    gscid: int
    stage: Stage
    updates: tuple[bool, bool]
    big_endian: bool
    random: Random
    msi: MsiWindow | None = None
    table_pages: list[int] = field(default_factory=list)
    directory_pages: set[int] = field(default_factory=set)

    def place(self, page: int) -> int:
        """Guest address of a table page."""
        if not self.stage.mode:
            return page
        beyond = GUEST_DIRECTORIES[self.stage.mode] if page in self.directory_pages else 0
        return page - self.stage.tables.base + GUEST_TABLES + beyond

    def table_page(self, directory: bool = False) -> int:
        """A page for a first-stage table or a process directory, mapped in the second stage."""
        page = self.stage.tables.page()
        self.table_pages.append(page)
        if directory:
            self.directory_pages.add(page)
        self.map_table_page(page, self.table_flags())
        return page

    def table_flags(self) -> int:
        """Rights and state of a table page's entry that let a walk pass."""
        if not all(self.updates):
            return R | W | X | U | A | D
        return self.random.choice((R | W | X | U | A | D, R | W | U | A | D, R | W | U, R | W | U | A))

    def map_table_page(self, page: int, flags: int) -> None:
        """Give a table page its entry in the second stage; nothing when that is Bare."""
        if self.stage.mode:
            entry = self.stage.entry(self.place(page), 0)
            self.stage.tables.write(entry, page >> 2 | V | flags, self.stage.big_endian)


@dataclass
class ProcessDirectory:
    """A process directory of 1 to 3 levels in the memory of a guest."""

    tables: TableStore
    guest: Guest
    mode: int
    pages: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode:
            self.pages[self.mode - 1, 0] = self.guest.table_page(directory=True)

    @property
    def root(self) -> int:
        """What pdtp holds, as a byte address."""
        return self.guest.place(self.pages[self.mode - 1, 0]) if self.mode else 0

    @property
    def process_id_bits(self) -> int:
        return (20, 8, 17, 20)[self.mode]

    def entry(self, process_id: int, level: int = 0) -> int:
        """Where the pointer at ``level``, or at level 0 the process context, lies; missing tables are made."""
        return self.page(process_id, level) + (8 if level else 16) * (process_id >> (0, 8, 17)[level] & (0xFF, 0x1FF, 0x7)[level])

    def page(self, process_id: int, level: int) -> int:
        """The page with the entries at ``level`` for a process; missing pages are made."""
        key = level, 0 if level == self.mode - 1 else process_id >> (8, 17, 20)[level]
        if key not in self.pages:
            page = self.pages[key] = self.guest.table_page(directory=True)
            self.tables.write(self.entry(process_id, level + 1), self.guest.place(page) >> 2 | V, self.guest.big_endian)
        return self.pages[key]
