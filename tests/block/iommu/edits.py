"""Random changes of the tables while the IOMMU works on them, each with the commands that make it visible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sluicegate.iommu.request import Request

from tests.block.iommu.edit import Command, Edit
from tests.block.iommu.page_tables import Guest, Slot, Stage
from tests.block.iommu.random_machine import DC_ATS, DC_DTF, DC_T2GPA, Device, RandomMachine, Space
from tests.block.iommu.reference import Answer
from tests.block.iommu.spoiler import Aim, Spoiler, Spoilt
from tests.block.iommu.table_entries import A, D, G, R, U, V, W, X, malformed_directory_pointer, malformed_pointer

INVALIDATE_VMA, INVALIDATE_GVMA, FENCE, INVALIDATE_DDT, INVALIDATE_PDT = 0x001, 0x081, 0x002, 0x003, 0x083
AV, PSCV, GV, NL = 1 << 10, 1 << 32, 1 << 33, 1 << 34
RANGE = 1 << 9
"""S: the address operand of an invalidation is a range."""


Walks = list[tuple[Request, Answer]]


@dataclass(frozen=True, slots=True)
class Target:
    """What a request has used: edits of that are likely to matter."""

    device: Device
    process_id: int | None
    space: Space | None
    slot: Slot | None


class Editor:
    """Makes edits of one machine; ``recent`` gives the walks of some recent requests."""

    def __init__(self, random: Random, machine: RandomMachine, recent: Callable[[], Walks], spoiler: Spoiler) -> None:
        self._random = random
        self._machine = machine
        self._recent = recent
        self._spoiler = spoiler
        self._count = 0
        self._repairs: list[Callable[[], Edit]] = []
        """What makes good again what earlier edits have broken."""

    def new(self, kind: str, cures: list[list[Command]]) -> Edit:
        """The edit that was written since the last one."""
        self._count += 1
        words, states = self._machine.tables.take_changes()
        return Edit(self._count, kind, words, states, cures)

    def edit(self, target: Target) -> Edit:
        """A random edit near ``target``."""
        if self._repairs and self._random.randrange(5) < 3:
            return self._repairs.pop(0)()
        draw = self._random.randrange(100)
        if draw < 30 and target.space is not None and target.space.stage.mode:
            return self._leaf(target.space.stage, target.slot, self._first_stage_cures(target.space))
        if draw < 39 and target.space is not None and target.space.stage.mode:
            return self._table(target.space.stage, self._first_stage_cures(target.space))
        guest = target.device.guest
        if draw < 53 and guest.stage.mode:
            return self._leaf(guest.stage, target.slot, self._second_stage_cures(guest))
        if draw < 59 and guest.stage.mode:
            return self._table(guest.stage, self._second_stage_cures(guest))
        if draw < 65 and guest.stage.mode and guest.table_pages:
            return self._table_page(guest)
        if draw < 70 and guest.msi is not None:
            return self._msi_entry(guest)
        if draw < 82 and target.device.spaces and target.device.directory is not None and target.device.directory.mode:
            return self._process(target.device)
        if draw < 93:
            return self.spoil()
        return self._device(target.device)

    def spoil(self, aim: Aim = Aim.ANYTHING) -> Edit:
        """Something on the walk of a recent request is wrong from now on."""
        spoilt = self._spoiler.spoil(self._machine.tables, self._recent(), aim)
        if spoilt is None:
            return self.new("nothing", [])
        self._repairs.append(lambda: self._mend(spoilt))
        return self.new(spoilt.kind, [self.flush()])

    def _mend(self, spoilt: Spoilt) -> Edit:
        # What memory fails to deliver is never cached, nor an entry that is not valid; a malformed one might be.
        self._spoiler.mend(self._machine.tables, spoilt)
        return self.new(f"mended {spoilt.kind}", [self.flush()] if spoilt.words else [])

    def mend_all(self) -> list[Edit]:
        """Everything that is broken is good again."""
        repairs, self._repairs = self._repairs, []
        return [repair() for repair in repairs]

    # ---- what covers an edit ----

    def flush(self) -> list[Command]:
        """Invalidation of everything; contexts last, because a stale second stage could lead to a stale context again."""
        guests = [guest for guest in self._machine.guests if guest.stage.mode]
        return [
            (INVALIDATE_GVMA, 0),
            (INVALIDATE_VMA, 0),
            *((INVALIDATE_VMA | GV | guest.gscid << 44, 0) for guest in guests),
            (INVALIDATE_DDT, 0),
        ]

    def stray(self) -> list[Command]:
        """An invalidation that covers something, but hardly what was changed."""
        guest = self._random.choice(self._machine.guests)
        space = self._random.choice(self._machine.spaces)
        device = self._random.choice(self._machine.devices)
        address = self._random.getrandbits(52) << 10
        return [
            self._random.choice(
                (
                    (INVALIDATE_VMA | AV, address),
                    (INVALIDATE_VMA | PSCV | space.pscid << 12, 0),
                    (INVALIDATE_VMA | GV | PSCV | guest.gscid << 44 | space.pscid << 12, 0),
                    (INVALIDATE_GVMA | GV | AV | guest.gscid << 44, address),
                    (INVALIDATE_DDT | GV | device.device_id << 40, 0),
                    (INVALIDATE_VMA | GV | 0xFFFF << 44, 0),
                )
            )
        ]

    def _addresses(self, address: int, size: int) -> list[tuple[int, int]]:
        """(bits of dword 0, dword 1) that name ``address``, or some place in ``size`` bytes from there, or a range around it."""
        inside = address + self._random.randrange(0, size, 4096)
        forms = [(AV, inside >> 12 << 10), (AV, address >> 12 << 10)]
        if self._machine.capabilities.s:
            pages = 1 << self._random.randrange(1, 7)
            first = (inside >> 12) & ~(2 * pages - 1)
            forms.append((AV, (first | pages - 1) << 10 | RANGE))
        return forms

    def _first_stage_cures(self, space: Space) -> Callable[[int, int, int, bool], list[list[Command]]]:
        def cures(address: int, size: int, old: int, leaf: bool) -> list[list[Command]]:
            scope = INVALIDATE_VMA | (GV | space.guest.gscid << 44 if space.guest.stage.mode else 0)
            scopes = [scope]
            # Leaves below a table may be global.
            if leaf and not old & G and not space.stage.global_tables:
                scopes.append(scope | PSCV | space.pscid << 12)
            return self._forms(scopes, address, size, leaf)

        return cures

    def _second_stage_cures(self, guest: Guest) -> Callable[[int, int, int, bool], list[list[Command]]]:
        def cures(address: int, size: int, old: int, leaf: bool) -> list[list[Command]]:
            forms = [[(INVALIDATE_GVMA, 0)], *self._forms([INVALIDATE_GVMA | GV | guest.gscid << 44], address, size, leaf)]
            # Contexts may be cached with translated pointers, and what a table maps may hold the process directory.
            return forms if leaf else [[*form, (INVALIDATE_DDT, 0)] for form in forms]

        return cures

    def _forms(self, scopes: list[int], address: int, size: int, leaf: bool) -> list[list[Command]]:
        """Of a leaf, any place in it will do. Of a table, leaves below may be cached too: they need a range, or no address."""
        found = [[(scope, 0)] for scope in scopes]
        non_leaf = NL if self._machine.capabilities.nl else 0
        if leaf:
            for low, high in self._addresses(address, size):
                found += [[(scope | low | self._random.choice((0, non_leaf)), high)] for scope in scopes]
        elif non_leaf and self._machine.capabilities.s:
            pages = size >> 12
            found += [[(scope | AV | NL, (address >> 12 | pages // 2 - 1) << 10 | RANGE)] for scope in scopes]
        return found

    # ---- page tables ----

    def _leaf(self, stage: Stage, slot: Slot | None, cures_of: Callable[[int, int, int, bool], list[list[Command]]]) -> Edit:
        """Another leaf: new, or the old one without A or D."""
        if slot not in stage.slots or slot is None:
            slot = self._random.choice(stage.slots)
        old = stage.read_leaf(slot)
        clear = old & V and self._random.randrange(3) == 0
        new = old & ~self._random.choice((A, D, A | D)) if clear else self._machine.random_leaf(stage, slot)
        stage.write_leaf(slot, new)
        return self.new("leaf", cures_of(slot.address, slot.bytes, old, True) if old & V else [])

    def _table(self, stage: Stage, cures_of: Callable[[int, int, int, bool], list[list[Command]]]) -> Edit:
        """Another page for a table, with another leaf in it, or another pointer: malformed, or right again."""
        slot = self._random.choice([slot for slot in stage.slots if slot.level < stage.levels - 1])
        level = self._random.randrange(slot.level, stage.levels - 1)
        pointer = stage.entry(slot.address, level + 1)
        old = stage.tables.read(pointer)
        page = stage.pages[level, self._prefix(stage, slot.address, level)]
        right = stage.place(page) >> 2 | V | (G if stage.global_tables else 0)
        if old != right:
            stage.tables.write(pointer, right, stage.big_endian)
        elif level or self._random.randrange(2):
            stage.tables.write(pointer, malformed_pointer(self._random, right), stage.big_endian)
            self._repairs.append(lambda: self._pointer(stage, slot, level, cures_of))
        else:
            fresh = stage.tables.page() if stage.guest is None else stage.guest.table_page()
            for index in range(512):
                if page + 8 * index in stage.tables.words:
                    stage.tables.write(fresh + 8 * index, stage.tables.read(page + 8 * index), stage.big_endian)
            stage.set_table(slot.address, level, fresh)
            stage.write_leaf(slot, self._machine.random_leaf(stage, slot))
        size = 1 << 21 + 9 * level
        edit = self.new("table", cures_of(slot.address & ~(size - 1), size, old, False) if old & V else [])
        # What lies in a fresh page was written before anything pointed there.
        edit.words = {pointer: edit.words[pointer]}
        return edit

    def _pointer(
        self, stage: Stage, slot: Slot, level: int, cures_of: Callable[[int, int, int, bool], list[list[Command]]]
    ) -> Edit:
        """The right pointer to a table."""
        pointer = stage.entry(slot.address, level + 1)
        old = stage.tables.read(pointer)
        right = stage.place(stage.pages[level, self._prefix(stage, slot.address, level)]) >> 2 | V
        stage.tables.write(pointer, right | (G if stage.global_tables else 0), stage.big_endian)
        size = 1 << 21 + 9 * level
        return self.new("table", cures_of(slot.address & ~(size - 1), size, old, False) if old & V else [])

    @staticmethod
    def _prefix(stage: Stage, address: int, level: int) -> int:
        bits = 12 + 9 * stage.levels + (2 if stage.guest is None else 0)
        return (address & (1 << bits) - 1) >> (21 + 9 * level)

    def _table_page(self, guest: Guest) -> Edit:
        """The second-stage entry of a page that holds first-stage tables: without W, U or D, not valid, or good again."""
        page = self._random.choice(guest.table_pages)
        flags = self._random.choice((R | W | U, R | U | A | D, R | X | U, X | U | A | D, R | W | A | D, W | U))
        return self._map_table_page(guest, page, flags, repair=True)

    def _map_table_page(self, guest: Guest, page: int, flags: int, repair: bool) -> Edit:
        entry = guest.stage.entry(guest.place(page), 0)
        old = guest.stage.tables.read(entry)
        guest.map_table_page(page, flags)
        if repair:
            self._repairs.append(lambda: self._map_table_page(guest, page, guest.table_flags(), repair=False))
        if not old & V:
            return self.new("table page", [])
        address = guest.place(page)
        forms = self._second_stage_cures(guest)(address, 4096, old, True)
        return self.new("table page", [[*form, (INVALIDATE_DDT, 0)] for form in forms])

    def _msi_entry(self, guest: Guest) -> Edit:
        window = guest.msi
        assert window is not None
        file = self._random.randrange(window.files)
        old = guest.stage.tables.read(window.table + 16 * file)
        self._machine.write_msi_entry(window, file)
        address = window.page(file) << 12
        return self.new("msi entry", self._second_stage_cures(guest)(address, 4096, old, True) if old & V else [])

    # ---- contexts ----

    def _device(self, device: Device) -> Edit:
        """A device context: DTF, ATS, not valid, a reserved bit, good again; or the pointer to it."""
        tables, big_endian = self._machine.tables, self._machine.big_endian
        levels = self._machine.configuration.mode.levels
        draw = self._random.randrange(10)
        if draw == 0 and levels > 1:
            return self._directory_pointer(device, self._random.randrange(1, levels))
        valid = tables.read(device.context) & V
        if draw < 5 or not valid:
            if draw & 1:
                device.control ^= DC_DTF
            if self._machine.capabilities.ats and draw & 2:
                device.control = device.control ^ DC_ATS if not device.control & DC_T2GPA else device.control & ~DC_T2GPA
            self._machine.write_context(device)
        else:
            if draw < 7:
                tables.write(device.context, device.control, big_endian)
            else:
                self._spoil_context(device)
            self._repairs.append(lambda: self._restore(device))
        return self._context_edit(device, valid)

    def _directory_pointer(self, device: Device, level: int) -> Edit:
        """The pointer to a page of the device directory: malformed, or right again."""
        pointer = self._machine.directory_entry(device.device_id, level)
        old = self._machine.tables.read(pointer)
        right = self._machine.directory_page(device.device_id, level - 1) >> 2 | V
        word = malformed_directory_pointer(self._random, right) if old == right else right
        self._machine.tables.write(pointer, word, self._machine.big_endian)
        if old == right:
            self._repairs.append(lambda: self._directory_pointer(device, level))
        return self.new("directory pointer", [[(INVALIDATE_DDT, 0)]] if old & V else [])

    def _context_edit(self, device: Device, valid: int) -> Edit:
        cures = [[(INVALIDATE_DDT, 0)], [(INVALIDATE_DDT | GV | device.device_id << 40, 0)]]
        return self.new("context", cures if valid else [])

    def _restore(self, device: Device) -> Edit:
        """A good device context."""
        valid = self._machine.tables.read(device.context) & V
        self._machine.write_context(device)
        return self._context_edit(device, valid)

    def _spoil_context(self, device: Device) -> None:
        """One thing wrong in a device context."""
        tables = self._machine.tables
        places = [(0, bit) for bit in (11, 12, 17, 23, 32, 63)] + [
            (1, 62),
            (2, 0),
            (2, 11),
            (2, 32),
            (2, 39),
            (3, 44),
            (3, 59),
            (3, 62),
        ]
        if self._machine.capabilities.msi_flat:
            places += [(4, 44), (4, 61), (5, 52), (6, 63), (7, 0)]
        word, bit = self._random.choice(places)
        address = device.context + 8 * word
        tables.write(address, tables.read(address) ^ 1 << bit, self._machine.big_endian)

    def _process(self, device: Device) -> Edit:
        """A process context: another space, other rights, not valid, a reserved bit; or the pointer to it."""
        directory = device.directory
        assert directory is not None
        tables, big_endian = self._machine.tables, device.guest.big_endian
        process_id = self._random.choice(list(device.spaces))
        if directory.mode > 1 and self._random.randrange(5) == 0:
            return self._process_pointer(device, process_id, self._random.randrange(1, directory.mode))
        context = directory.entry(process_id)
        old = tables.read(context)
        draw = self._random.randrange(6)
        if draw < 4 or not old & V:
            return self._new_process(device, process_id)
        self._repairs.append(lambda: self._new_process(device, process_id))
        if draw == 4:
            tables.write(context, old & ~V, big_endian)
        else:
            word, bit = self._random.choice(((0, 3), (0, 11), (0, 32), (0, 63), (1, 44), (1, 59), (1, 62)))
            tables.write(context + 8 * word, tables.read(context + 8 * word) ^ 1 << bit, big_endian)
        return self._process_edit(device, process_id, old)

    def _process_pointer(self, device: Device, process_id: int, level: int) -> Edit:
        """The pointer to a page of a process directory: malformed, or right again."""
        directory = device.directory
        assert directory is not None
        pointer = directory.entry(process_id, level)
        old = self._machine.tables.read(pointer)
        right = device.guest.place(directory.page(process_id, level - 1)) >> 2 | V
        word = malformed_directory_pointer(self._random, right) if old == right else right
        self._machine.tables.write(pointer, word, device.guest.big_endian)
        if old == right:
            self._repairs.append(lambda: self._process_pointer(device, process_id, level))
        return self.new("process pointer", [[(INVALIDATE_DDT, 0)], self._whole(device)] if old & V else [])

    def _new_process(self, device: Device, process_id: int) -> Edit:
        """A good process context, of some space."""
        assert device.directory is not None
        old = self._machine.tables.read(device.directory.entry(process_id))
        spaces = [space for space in self._machine.spaces if space.guest is device.guest]
        device.spaces[process_id] = self._random.choice(spaces)
        self._machine.write_process_context(device, process_id, device.spaces[process_id])
        return self._process_edit(device, process_id, old)

    def _process_edit(self, device: Device, process_id: int, old: int) -> Edit:
        one = [(INVALIDATE_PDT | process_id << 12 | GV | device.device_id << 40, 0)]
        return self.new("process context", [one, one, self._whole(device)] if old & V else [])

    @staticmethod
    def _whole(device: Device) -> list[Command]:
        """Invalidation of a device context with all its process contexts."""
        return [(INVALIDATE_DDT | GV | device.device_id << 40, 0)]
