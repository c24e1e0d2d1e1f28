"""What table entries were before they changed, and how long an IOMMU may still act on it.

An entry that was valid when it was replaced may be cached until an invalidation that applies to it, and the fence behind that,
have completed. An entry that was not valid is never cached; only a walk under way can have read it.
Source: RISC-V IOMMU specification, *Command-Queue*, caching of in-memory data structures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sluicegate.iommu.commands import Opcode
from sluicegate.memory import Memory

from tb.scoreboards.table_map import LAST, PAGE_SIZE, TableKind, TablePage

NEVER = 1 << 63
PAGE_SHIFT = 12
BLOCK = 1 << 16
"""Bytes that a NAPOT entry is cached as."""


@dataclass(slots=True)
class Change:
    """A dword of a table that changed. Sequence numbers: ``written_at`` of the write, ``retired_at`` of the fence after which
    nobody may act on ``old`` any more (NEVER: not yet)."""

    address: int
    old: int
    written_at: int
    valid: bool
    """The entry was valid when it was replaced."""
    leaf: bool
    page: TablePage
    first: int
    last: int
    covered: bool = False
    """An applicable invalidation has completed."""
    retired_at: int = NEVER

    def matters(self, asked: int, answered: int) -> bool:
        """Can a request of this window have seen ``old``, or was ``old`` still in force when it was answered?"""
        if self.written_at > asked:
            return True
        return self.valid and asked < self.retired_at

    def visible(self, asked: int, answered: int) -> bool:
        """May a request of this window act on ``old``, although something else was in force when it was answered?"""
        return self.written_at < answered and self.matters(asked, answered)


class TableHistory:
    """All changes that may still matter."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._by_address: dict[int, list[Change]] = {}
        """Changes of each dword, oldest first."""
        self._uncovered: dict[_Place | None, list[Change]] = {}
        """Changes that no invalidation has covered, by what an invalidation must touch to cover them."""
        self._unfenced: list[Change] = []
        """Covered changes that wait for a fence."""

    @property
    def changes(self) -> Sequence[Change]:
        return self._changes

    def add(self, change: Change) -> None:
        """Note the change that comes next in the log."""
        self._changes.append(change)
        self._note(change)

    def _note(self, change: Change) -> None:
        self._by_address.setdefault(change.address, []).append(change)
        if not change.covered:
            self._uncovered.setdefault(_place(change), []).append(change)
        elif change.retired_at == NEVER:
            self._unfenced.append(change)

    def values(self, address: int, asked: int, answered: int, memory: Memory) -> tuple[int, ...] | None:
        """What a request of this window may find in a dword of ``memory``: the value in force when it was answered first, then
        older ones from the newest on. None when no change of the dword is known."""
        changes = self._by_address.get(address)
        if changes is None:
            return None
        later = next((change.old for change in changes if change.written_at > answered), None)
        in_force = memory.read_u64(address) if later is None else later
        seen = [change.old for change in changes if change.visible(asked, answered)]
        return tuple(dict.fromkeys((in_force, *reversed(seen))))

    def turns(self) -> list[int]:
        """Where in the log the answer to :meth:`values` may change, ascending."""
        found = {change.written_at for change in self._changes} | {change.retired_at for change in self._changes}
        return sorted(found - {NEVER})

    def command(self, low: int, high: int, submitted: int, completed: int) -> None:
        """A command has completed. ``submitted``: when its words were written; only changes before that are covered."""
        opcode, function = low & 0x7F, low >> 7 & 7
        if opcode == Opcode.IOFENCE:
            for change in self._unfenced:
                change.retired_at = completed
            self._unfenced = []
        elif opcode == Opcode.IODIR:
            self._cover(list(self._uncovered), submitted, lambda change: _context_covered(change, function, low))
        elif opcode == Opcode.IOTINVAL:
            self._cover(self._places(low, high), submitted, lambda change: _entry_covered(change, low, high))

    def _places(self, low: int, high: int) -> list[_Place | None]:
        """Where an IOTINVAL may cover something."""
        # IOTINVAL.GVMA ignores its address without GV.
        by_address = low >> 10 & 1 and (low >> 33 & 1 or not low >> 7 & 7)
        start, size = _operand(high)
        if not by_address or size > BLOCK:
            return list(self._uncovered)
        pages = range(start >> PAGE_SHIFT, start + size >> PAGE_SHIFT)
        return [None, (BLOCK, start // BLOCK), *((PAGE_SIZE, page) for page in pages)]

    def _cover(self, places: Sequence[_Place | None], submitted: int, applies: Callable[[Change], bool]) -> None:
        for place in places:
            changes = self._uncovered.get(place)
            if not changes:
                continue
            left = []
            for change in changes:
                if change.written_at < submitted and applies(change):
                    change.covered = True
                    self._unfenced.append(change)
                else:
                    left.append(change)
            self._uncovered[place] = left

    def forget(self, before: int) -> None:
        """Drop what can matter to no request that was made at ``before`` or later."""
        kept = [change for change in self._changes if change.written_at > before or (change.valid and change.retired_at > before)]
        if len(kept) == len(self._changes):
            return
        self._changes, self._by_address, self._uncovered, self._unfenced = kept, {}, {}, []
        for change in kept:
            self._note(change)


_Place = tuple[int, int]
"""A page or a block of IOVAs or guest addresses: its size and number."""


def _place(change: Change) -> _Place | None:
    """What an invalidation by address must touch to cover a change; None: it may be anywhere."""
    if change.page.kind not in (TableKind.FIRST_STAGE, TableKind.SECOND_STAGE):
        return None
    first, last = _cached_range(change)
    for size in (PAGE_SIZE, BLOCK):
        if first // size == last // size:
            return size, first // size
    return None


_DEVICE_TABLES = (TableKind.DIRECTORY, TableKind.CONTEXT)
_PROCESS_TABLES = (TableKind.PROCESS_DIRECTORY, TableKind.PROCESS_CONTEXT)


def _context_covered(change: Change, function: int, low: int) -> bool:
    """Does IODIR.INVAL_DDT (``function`` 0) or INVAL_PDT (1) apply?"""
    kind, device = change.page.kind, low >> 40
    if function == 0:
        if not low >> 33 & 1:
            return kind in _DEVICE_TABLES + _PROCESS_TABLES
        owned = kind is TableKind.CONTEXT or (kind is TableKind.PROCESS_CONTEXT and change.page.devices == {device})
        return owned and change.page.responsible_for(change.address, device)
    process, _ = change.page.entry_range(change.address)
    return kind is TableKind.PROCESS_CONTEXT and change.page.devices == {device} and process == low >> 12 & 0xFFFFF


def _entry_covered(change: Change, low: int, high: int) -> bool:
    """Does IOTINVAL.VMA (func3 0) or GVMA (1) apply?"""
    second_stage = bool(low >> 7 & 7)
    by_address, by_process, by_guest, non_leaf = (bool(low >> bit & 1) for bit in (10, 32, 33, 34))
    page = change.page
    if page.kind is TableKind.LEARNED:
        # It may be any table: only an invalidation of everything is sure to apply.
        return second_stage and not by_address and not by_guest
    if by_guest and page.gscid != low >> 44 & 0xFFFF:
        return False
    if second_stage:
        if page.kind is not TableKind.SECOND_STAGE:
            return False
        by_address = by_address and by_guest
    else:
        if page.kind is not TableKind.FIRST_STAGE or by_guest != (page.gscid is not None):
            return False
        if by_process and (page.pscid != low >> 12 & 0xFFFFF or bool(change.old >> 5 & 1)):
            return False
    return not by_address or (_overlaps(change, high) and (change.leaf or non_leaf))


def _overlaps(change: Change, high: int) -> bool:
    """Does the address operand of an invalidation, a page or a range of pages, touch what the entry is responsible for?"""
    start, size = _operand(high)
    first, last = _cached_range(change)
    return start <= last and first <= start + size - 1


def _cached_range(change: Change) -> tuple[int, int]:
    """First and last of the addresses that a cache may use the old entry for."""
    first, last = change.page.entry_range(change.address)
    if change.leaf and change.old >> 63:
        # A NAPOT entry is cached as the 64 KiB that it is part of.
        return first & -BLOCK, last | BLOCK - 1
    return first, last


def _operand(high: int) -> tuple[int, int]:
    """First address and bytes that the address operand of an invalidation names."""
    number = high >> 10 & (1 << 52) - 1
    size = 1 << 12
    if high >> 9 & 1:
        ones = (~number & number + 1).bit_length() - 1
        size = 1 << min(13 + ones, 64)
    return (number << 12) & ~(size - 1) & LAST, size
