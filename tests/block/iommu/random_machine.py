"""A random machine: guests, address spaces and devices with their contexts, under one capability word."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.context import context_size, device_id_limit, directory_indices

from tests.block.iommu.capability_draw import Draw
from tests.block.iommu.page_tables import Guest, MsiWindow, ProcessDirectory, Slot, Stage, TableStore
from tests.block.iommu.table_entries import V, leaf_entry, msi_entry, sound_leaf

BARE, SV39, SV48, SV57 = 0, 8, 9, 10
GUESTS, SPACES, DEVICES = 4, 8, 9
RARE_LEVEL = 3
"""Pages of this level and above are few, and their leaves allow everything: they are there to be translated, and to be spoilt."""
DC_ATS, DC_T2GPA, DC_DTF, DC_PDTV, DC_GADE, DC_SADE, DC_DPE, DC_SBE = (1 << bit for bit in (1, 3, 4, 5, 7, 8, 9, 10))
PC_ENS, PC_SUM = 1 << 1, 1 << 2


@dataclass
class Space:
    """A first stage under a guest, with its PSCID."""

    pscid: int
    guest: Guest
    stage: Stage

    @property
    def slots(self) -> list[Slot]:
        """What requests may aim at: with a Bare first stage the guest addresses."""
        return self.stage.slots if self.stage.mode or not self.guest.stage.mode else self.guest.stage.slots


@dataclass
class Device:
    """A device: where its context lies, its control dword without V, its space without PASID, or its spaces by process ID."""

    device_id: int
    guest: Guest
    context: int
    control: int
    space: Space | None = None
    directory: ProcessDirectory | None = None
    spaces: dict[int, Space] = field(default_factory=dict)


class RandomMachine:
    """The tables of a small machine, in ``tables``. ``modes``: how often machines before had each pair of first-stage and
    second-stage mode; this one takes those that are rare."""

    def __init__(self, random: Random, draw: Draw, tables: TableStore, modes: Counter[tuple[int, int]]) -> None:
        self._random = random
        self._draw = draw
        self.capabilities = draw.capabilities
        self.tables = tables
        self.directory_pages: dict[tuple[int, int], int] = {(2, 0): self.tables.page()}
        self._physical_limit = 1 << self.capabilities.physical_address_bits
        first, second = self._first_stage_modes(), self._second_stage_modes()
        chosen: list[int] = []
        for _ in range(GUESTS):
            used = {mode: sum(modes[pair] for pair in modes if pair[1] == mode) / 2 + chosen.count(mode) for mode in second}
            chosen.append(min(second, key=lambda mode: (used[mode], random.random())))
        self.guests = [self._guest(number, mode) for number, mode in enumerate(chosen)]
        self.spaces: list[Space] = []
        for number in range(SPACES):
            other = chosen[number % GUESTS]
            mode = min(first, key=lambda mode: (modes[mode, other], random.random()))
            modes[mode, other] += 1
            self.spaces.append(self._space(number, mode))
        self.devices: list[Device] = []
        self._directories = self._directory_modes()
        for number in range(DEVICES):
            self.devices.append(self._device(number))
        self.absent = [self._fresh_device_id() for _ in range(2)]
        """Device IDs without a context."""
        self.configuration = self.configured(draw.mode)

    # ---- configuration ----

    def configured(self, mode: int) -> IommuConfiguration:
        """The configuration with the directory mode ``mode``: a shallower directory begins further down in the same tables."""
        if mode <= 1:
            return IommuConfiguration(self.capabilities, self._draw.fctl, mode)
        root = self.directory_page(0, mode - 2)
        return IommuConfiguration(self.capabilities, self._draw.fctl, root >> 2 | mode)

    @property
    def big_endian(self) -> bool:
        return self._draw.big_endian

    def _first_stage_modes(self) -> list[int]:
        offered = self.capabilities
        return [BARE, SV39] + [SV48] * offered.sv48 + [SV57] * offered.sv57

    def _second_stage_modes(self) -> list[int]:
        offered = self.capabilities
        return [BARE] + [SV39] * offered.sv39x4 + [SV48] * offered.sv48x4 + [SV57] * offered.sv57x4

    def _directory_modes(self) -> list[int | None]:
        """Modes of the devices' process directories, None for none: every one that is offered, then more at random."""
        random, offered = self._random, self.capabilities
        modes: list[int | None] = [mode for mode, there in ((1, offered.pd8), (2, offered.pd17), (3, offered.pd20)) if there]
        if not modes:
            return [None] * DEVICES
        every = [None, BARE, *modes]
        every += [random.choice((None, random.choice(modes))) for _ in range(DEVICES - len(every))]
        random.shuffle(every)
        return every

    # ---- device directory ----

    def directory_entry(self, device_id: int, level: int) -> int:
        """Where the pointer at ``level`` (1 or 2) of the device directory, or at level 0 the context of a device, lies."""
        indices = directory_indices(device_id, self.capabilities)
        size = context_size(self.capabilities) if level == 0 else 8
        return self.directory_page(device_id, level) + size * indices[level]

    def directory_page(self, device_id: int, level: int) -> int:
        """The page with the entries at ``level`` for a device; missing pages are made."""
        indices = directory_indices(device_id, self.capabilities)
        key = level, 0
        if level < 2:
            key = level, indices[2] if level == 1 else indices[2] << 9 | indices[1]
        if key not in self.directory_pages:
            page = self.directory_pages[key] = self.tables.page()
            self.tables.write(self.directory_entry(device_id, level + 1), page >> 2 | V, self.big_endian)
        return self.directory_pages[key]

    def _fresh_device_id(self) -> int:
        """A device ID that nobody has, close to others in some of its indices; the directory covers most of them."""
        known = {device.device_id for device in self.devices}
        limit = device_id_limit(self._draw.mode, self.capabilities)
        while True:
            bits = (6 if self.capabilities.msi_flat else 7, 9, 9)
            low = self._random.getrandbits(bits[0])
            middle = self._random.choice((0, 0x100, 0x101, 0x0FF))
            high = self._random.choice((0, 0, 0x80, 0x1FF))
            device_id = (low | middle << bits[0] | high << bits[0] + bits[1]) & 0xFF_FFFF
            if self._random.randrange(12):
                device_id %= limit
            if device_id not in known:
                return device_id

    # ---- guests and spaces ----

    def _guest(self, number: int, mode: int) -> Guest:
        random, offered = self._random, self.capabilities
        updates = (False, False)
        if offered.amo_hwad:
            updates = random.choice(((False, False), (True, False), (False, True), (True, True), (True, True)))
        stage = Stage(self.tables, mode, self.big_endian)
        first_big_endian = random.random() < 0.5 if offered.end else self.big_endian
        guest = Guest(0x100 + number, stage, updates, first_big_endian, random)
        if not mode:
            return guest
        wide = 1 << 12 + 9 * stage.levels
        # What a first-stage entry can name has 56 bits; more only comes from the device itself.
        highest = 3 * wide if stage.levels < 5 else 1 << 55
        base = random.choice((0x8000_0000, wide // 8, highest)) if stage.levels > 3 else 0x1_8000_0000
        stage.slots = [Slot(base + (index << 12), 0) for index in range(12)]
        if stage.levels == 5:
            stage.slots += [Slot(3 * wide + (index << 12), 0) for index in range(2)]
        stage.slots += [Slot(base + (1 << 30) + (index << 21), 1) for index in range(3)]
        stage.slots += [Slot(base + (2 << 30) + (index << 16), 0, napot=True) for index in range(2)]
        for level in range(2, stage.levels):
            size = 1 << 12 + 9 * level
            if 2 * size <= self._physical_limit:
                first = base // size + (8 if level == 2 else 3)
                stage.slots += [Slot((first + place) * size & 4 * wide - 1, level) for place in (0, 1)]
        stage.slots = sorted(set(stage.slots), key=lambda slot: (slot.level, slot.napot, slot.address))
        if offered.msi_flat and random.random() < 0.8:
            # The window lies in the middle of a superpage, or beside single pages.
            superpage = next(slot for slot in stage.slots if slot.level == 1)
            first = random.choice((superpage.address + 0x10_0000, base)) >> 12
            mask = random.choice((0x3, 0x5, 0x13, 0x1))
            guest.msi = MsiWindow(self.tables.page(), mask, first | random.getrandbits(4))
            for file in range(guest.msi.files):
                self.write_msi_entry(guest.msi, file)
        for slot in stage.slots:
            stage.write_leaf(slot, self.random_leaf(stage, slot))
        return guest

    def write_msi_entry(self, window: MsiWindow, file: int) -> None:
        """A random entry for one interrupt file."""
        for index, word in enumerate(msi_entry(self._random, self._random.getrandbits(44) << 12)):
            self.tables.write(window.table + 16 * file + 8 * index, word, self.big_endian)

    def _space(self, number: int, mode: int) -> Space:
        random = self._random
        guest = self.guests[number % GUESTS]
        stage = Stage(self.tables, mode, guest.big_endian, guest, global_tables=random.randrange(6) == 0)
        space = Space(0x20 + number, guest, stage)
        if not mode:
            stage.slots = [Slot(0x1234_5000 + (index << 12), 0) for index in range(3)]
            return space
        # Spaces share their addresses, so that a translation of a foreign one would be noticed; some lie in the upper half.
        top = 1 << 12 + 9 * stage.levels - 1
        base = random.choice((0x4000_0000, 0x4000_0000, (1 << 64) - top, top - (1 << 36)))
        stage.slots = [Slot(base + (index << 12), 0) for index in range(14)]
        stage.slots += [Slot(base + (3 << 21) + (index << 12), 0) for index in range(6)]
        stage.slots += [Slot(base + (4 << 21) + (index << 16), 0, napot=True) for index in range(3)]
        stage.slots += [Slot(base + (8 << 21) + (index << 21), 1) for index in range(3)]
        for level in range(2, stage.levels):
            size = 1 << 12 + 9 * level
            if 2 * size <= self._physical_limit:
                for address in (base // size * size + 2 * size, base // size * size + 3 * size):
                    if address & top == base & top:
                        stage.slots.append(Slot(address & (1 << 64) - 1, level))
        for slot in stage.slots:
            stage.write_leaf(slot, self.random_leaf(stage, slot))
        return space

    def random_leaf(self, stage: Stage, slot: Slot) -> int:
        """A leaf for a slot: it maps some memory, or for a first stage under a second one something that the guest has."""
        random = self._random
        target = random.randrange(self._physical_limit // slot.bytes) * slot.bytes
        if stage.guest is not None and stage.guest.stage.mode:
            target = self._guest_target(stage.guest, slot)
        if slot.level >= RARE_LEVEL:
            return sound_leaf(target)
        return leaf_entry(random, self.capabilities, target, slot.level, slot.napot, stage.guest is None)

    def _guest_target(self, guest: Guest, slot: Slot) -> int:
        random = self._random
        if guest.msi is not None and slot.level == 0 and random.randrange(5) == 0:
            return guest.msi.page(random.randrange(guest.msi.files)) << 12
        # Often something as large as the page, so that the answer holds for all of it.
        large = [other for other in guest.stage.slots if other.bytes >= slot.bytes]
        other = random.choice(large if large and random.randrange(6) else guest.stage.slots)
        if random.randrange(24) == 0:
            return random.getrandbits(min(44, 2 + 9 * guest.stage.levels)) << 12
        inside = random.randrange(0, other.bytes, 4096) if random.randrange(3) else 0
        return (other.address + inside) // slot.bytes * slot.bytes

    # ---- devices ----

    def _device(self, number: int) -> Device:
        random, offered = self._random, self.capabilities
        guest = self.guests[number % GUESTS]
        spaces = [space for space in self.spaces if space.guest is guest]
        device_id = self._fresh_device_id()
        control = DC_SADE * guest.updates[0] | DC_GADE * guest.updates[1] | DC_SBE * guest.big_endian
        if offered.ats and random.randrange(4):
            control |= DC_ATS
            if offered.t2gpa and guest.stage.mode and random.randrange(3):
                control |= DC_T2GPA
        if random.randrange(5) == 0:
            control |= DC_DTF
        device = Device(device_id, guest, self.directory_entry(device_id, 0), control)
        mode = self._directories[number]
        if mode is not None:
            device.control |= DC_PDTV | (DC_DPE if random.randrange(2) else 0)
            device.directory = ProcessDirectory(self.tables, guest, mode)
            for space in (*spaces, spaces[0]):
                process_id = random.getrandbits(device.directory.process_id_bits)
                device.spaces.setdefault(process_id, space)
            if device.control & DC_DPE:
                device.spaces[0] = spaces[-1]
            if mode:
                for process_id, space in device.spaces.items():
                    self.write_process_context(device, process_id, space)
        else:
            device.space = random.choice(spaces)
        self.write_context(device)
        return device

    def context_words(self, device: Device) -> list[int]:
        """The dwords of a valid device context, 4 or 8."""
        guest, offered = device.guest, self.capabilities
        second = guest.stage
        quality = self._random.getrandbits(24) << 40 if offered.qosid else 0
        if device.directory is not None:
            first = device.directory.mode << 60 | device.directory.root >> 12
            process = 0
        else:
            assert device.space is not None
            first = device.space.stage.mode << 60 | device.space.stage.root >> 12
            process = device.space.pscid
        words = [V | device.control, second.mode << 60 | guest.gscid << 44 | second.root >> 12, process << 12 | quality, first]
        if offered.msi_flat:
            window = guest.msi
            words += [0] * 4 if window is None else [1 << 60 | window.table >> 12, window.mask, window.pattern, 0]
        return words

    def write_context(self, device: Device) -> None:
        """Write the context of a device, its first dword last."""
        for index, word in reversed(tuple(enumerate(self.context_words(device)))):
            self.tables.write(device.context + 8 * index, word, self.big_endian)

    def write_process_context(self, device: Device, process_id: int, space: Space) -> None:
        """The process context of ``process_id``: ``space``, ENS and SUM at random."""
        assert device.directory is not None
        context = device.directory.entry(process_id)
        big_endian = device.guest.big_endian
        flags = (PC_ENS if self._random.randrange(3) else 0) | (PC_SUM if self._random.randrange(2) else 0)
        self.tables.write(context + 8, space.stage.mode << 60 | space.stage.root >> 12, big_endian)
        self.tables.write(context, V | flags | space.pscid << 12, big_endian)
