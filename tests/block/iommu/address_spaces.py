"""Random device contexts and page tables, edited through the same calls that build them.

Everything is written to a replica memory (which the golden model walks) and, through ``store``, to the memory of the bench.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.memory import SparseMemory

V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))
NAPOT = 1 << 63
SV39, SV48, SV57 = 8, 9, 10
BARE = 0
CAPABILITIES = Capabilities(
    0x10 | 0x7 << 9 | 1 << 15 | 0x7 << 17 | 1 << 24 | 1 << 25 | 1 << 26 | 1 << 28 | 56 << 32 | 0x7 << 38 | 1 << 42 | 1 << 43
)
"""Sv39 to Sv57 in both stages, Svpbmt, hardware A and D, ATS, T2GPA, wired interrupts, PD8 to PD20, NL, S."""
DIRECTORY_ROOT = 0x8000_0000
FIRST_FREE_PAGE = 0x8001_0000
DATA_BASE = 0x10_0000_0000


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
class Stage:
    """One page table: mode (0 Bare), root, and the slots that it may map."""

    mode: int
    root: int
    guest: Guest | None = None
    """For a first stage: the guest whose second stage translates its tables; None for a second stage."""
    slots: list[Slot] = field(default_factory=list)

    @property
    def second(self) -> bool:
        return self.guest is None

    @property
    def levels(self) -> int:
        return self.mode - 5 if self.mode else 0


@dataclass
class Guest:
    """A GSCID and its second stage."""

    gscid: int
    stage: Stage


@dataclass
class Space:
    """A first stage under a guest, with its PSCID."""

    pscid: int
    guest: Guest
    stage: Stage


@dataclass
class Device:
    """A device: its ID, the spaces by process ID (None: without PASID), and where its device context lies."""

    device_id: int
    spaces: dict[int | None, Space]
    context: int
    directory: bool
    process_contexts: dict[int, int] = field(default_factory=dict)


class RevocableMemory(SparseMemory):
    """Memory whose atomic updates can be taken back."""

    def __init__(self) -> None:
        super().__init__()
        self._replaced: list[tuple[int, int]] = []

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        found = super().compare_exchange_u64(address, expected, value)
        if found == expected:
            self._replaced.append((address, found))
        return found

    def settle(self) -> None:
        """Keep the updates so far."""
        self._replaced.clear()

    def revoke(self) -> None:
        """Take back the updates since :meth:`settle`, the last one first."""
        while self._replaced:
            self.write_u64(*self._replaced.pop())


class AddressSpaces:
    """The tables of a small machine: some guests, some spaces in each, some devices on them."""

    def __init__(self, random: np.random.Generator, store: Callable[[int, int], None]) -> None:
        self._random = random
        self._store = store
        self.memory = RevocableMemory()
        """What the model walks."""
        self.written: set[int] = set()
        """Addresses of all dwords of the tables."""
        self._next_page = FIRST_FREE_PAGE
        # SADE and GADE, alike in all contexts: else one device's update could decide another one's fault.
        self._updates = self.choose(0, 4)
        self.configuration = IommuConfiguration(CAPABILITIES, 2, DIRECTORY_ROOT >> 2 | 4)
        self.guests = [self._guest(number) for number in range(3)]
        self.spaces = [self._space(number) for number in range(6)]
        self.devices = [self._device(number) for number in range(6)]

    # ---- memory ----

    def write(self, address: int, word: int) -> None:
        """One dword, in the replica and in the bench."""
        self.memory.write_u64(address, word)
        self.written.add(address)
        self._store(address, word)

    def _page(self, count: int = 1) -> int:
        size = count << 12
        self._next_page = -(-self._next_page // size) * size
        self._next_page += size
        return self._next_page - size

    def choose(self, low: int, high: int) -> int:
        """A random integer in ``low .. high - 1``."""
        return int(self._random.integers(low, high))

    # ---- building ----

    def _guest(self, number: int) -> Guest:
        mode = (BARE, SV39, SV48)[number % 3]
        stage = Stage(mode, self._page(4) if mode else 0)
        guest = Guest(0x100 + number, stage)
        if mode:
            base = 0x40_0000_0000 if mode > SV39 else 0x8000_0000
            stage.slots = [Slot(base + (index << 12), 0) for index in range(12)]
            stage.slots += [Slot(base + (1 << 30) + (index << 21), 1) for index in range(4)]
            stage.slots += [Slot(base + (2 << 30) + (index << 16), 0, napot=True) for index in range(2)]
            for slot in stage.slots:
                self.map(stage, slot, self.random_leaf(slot, stage))
        return guest

    def _table(self, guest: Guest) -> int:
        """A page for a first-stage table or a process directory: its guest address, mapped one to one in the second stage."""
        page = self._page()
        if guest.stage.mode:
            self.write(self.entry_address(guest.stage, page, 0), page >> 2 | V | R | W | X | U | A | D)
        return page

    def _space(self, number: int) -> Space:
        guest = self.guests[number % 3]
        mode = (SV39, SV48, SV57, SV39, BARE, SV39)[number]
        stage = Stage(mode, self._table(guest) if mode else 0, guest)
        space = Space(0x20 + number, guest, stage)
        if mode:
            # Spaces share their addresses, so that a translation of a foreign one would be noticed; one lies in the upper half.
            high = (1 << 64) - (1 << 38) if number == 1 else 0x1000_0000
            stage.slots = [Slot(high + (index << 12), 0) for index in range(16)]
            stage.slots += [Slot(high + (3 << 21) + (index << 12), 0) for index in range(6)]
            stage.slots += [Slot(high + (4 << 21) + (index << 16), 0, napot=True) for index in range(3)]
            stage.slots += [Slot(high + (8 << 21) + (index << 21), 1) for index in range(4)]
            stage.slots += [Slot((high & ~((1 << 30) - 1)) + (2 << 30), 2)]
            for slot in stage.slots:
                self.map(stage, slot, self.random_leaf(slot, stage))
        elif guest.stage.mode:
            stage.slots = guest.stage.slots
        else:
            stage.slots = [Slot(0x1234_5000, 0)]
        return space

    def _device(self, number: int) -> Device:
        device_id = (0x000008, 0x000010, 0x008008, 0x018300, 0xA5F00F, 0x7FFFFF)[number]
        root = DIRECTORY_ROOT
        for index in (device_id >> 16, device_id >> 7 & 0x1FF):
            entry = root + 8 * index
            if not self.memory.read_u64(entry):
                self.write(entry, self._page() >> 2 | V)
            root = self.memory.read_u64(entry) >> 10 << 12
        context = root + 32 * (device_id & 0x7F)
        directory = number % 2 == 1
        guest = self.guests[number % 3]
        spaces = [space for space in self.spaces if space.guest is guest]
        if directory:
            device = Device(device_id, {index + 1: space for index, space in enumerate(spaces)}, context, True)
            table = self._table(guest)
            for process_id, space in device.spaces.items():
                assert process_id is not None
                device.process_contexts[process_id] = table + 16 * process_id
                self.write_process_context(device, process_id, space)
            self.write(context + 24, 1 << 60 | table >> 12)
        else:
            device = Device(device_id, {None: spaces[0]}, context, False)
            stage = spaces[0].stage
            self.write(context + 24, stage.mode << 60 | stage.root >> 12)
        second = guest.stage
        self.write(context + 8, second.mode << 60 | guest.gscid << 44 | second.root >> 12)
        self.write(context + 16, spaces[0].pscid << 12)
        self.write_context_control(device, valid=True)
        return device

    def write_context_control(self, device: Device, valid: bool, silent: bool = False) -> None:
        """Dword 0 of a device context; ``silent`` sets DTF."""
        self.write(device.context, valid * V | 1 << 1 | silent << 4 | device.directory << 5 | self._updates << 7)

    def write_process_context(self, device: Device, process_id: int, space: Space, supervisor: bool = True) -> None:
        """The process context of ``process_id``: ``space``, SUM set."""
        context = device.process_contexts[process_id]
        self.write(context + 8, space.stage.mode << 60 | space.stage.root >> 12)
        self.write(context, V | supervisor << 1 | 1 << 2 | space.pscid << 12)

    # ---- tables ----

    def entry_address(self, stage: Stage, address: int, level: int) -> int:
        """Where the entry of ``address`` at ``level`` lies; missing tables are made."""
        table = stage.root
        for at in range(stage.levels - 1, level - 1, -1):
            wide = stage.second and at == stage.levels - 1
            entry = table + 8 * (address >> (12 + 9 * at) & (0x7FF if wide else 0x1FF))
            if at == level:
                return entry
            word = self.memory.read_u64(entry)
            if not word & V:
                page = self._page() if stage.guest is None else self._table(stage.guest)
                word = page >> 2 | V
                self.write(entry, word)
            table = word >> 10 << 12
        raise ValueError(f"no level {level} in a table of {stage.levels}")

    def map(self, stage: Stage, slot: Slot, leaf: int) -> None:
        """Write the leaf of a slot (0 unmaps)."""
        for index in range(16 if slot.napot else 1):
            self.write(self.entry_address(stage, slot.address + (index << 12), slot.level), leaf)

    def replace_table(self, stage: Stage, slot: Slot) -> None:
        """Give the last-level table of ``slot`` a new page with the same entries, save for the leaf of the slot."""
        pointer = self.entry_address(stage, slot.address, 1)
        old = self.memory.read_u64(pointer) >> 10 << 12
        page = self._page() if stage.guest is None else self._table(stage.guest)
        for address in sorted(address for address in self.written if address >> 12 == old >> 12):
            self.write(page | address & 0xFFF, self.memory.read_u64(address))
        self.write(pointer, page >> 2 | V)
        self.map(stage, slot, self.random_leaf(slot, stage))

    def random_leaf(self, slot: Slot, stage: Stage) -> int:
        """A leaf for a slot; one in five is invalid, rights are random."""
        if self.choose(0, 5) == 0:
            return 0
        size = slot.bytes
        rights = (R, R | W, R | W | X, X, R | W)[self.choose(0, 5)]
        flags = V | rights | A | D
        if stage.second or self.choose(0, 8):
            flags |= U
        if not stage.second and self.choose(0, 6) == 0:
            flags |= G
        if self.choose(0, 6) == 0:
            flags &= ~D
        if self.choose(0, 10) == 0:
            flags &= ~(A | D)
        target = DATA_BASE + self.choose(0, 1 << 12) * size
        if stage.guest is not None and stage.guest.stage.mode:
            second = stage.guest.stage.slots
            candidates = [other.address for other in second if other.bytes >= size] or [second[12].address]
            target = candidates[self.choose(0, len(candidates))] // size * size
        word = target >> 2 | flags | self.choose(0, 3) << 61
        return word | NAPOT | 8 << 10 if slot.napot else word
