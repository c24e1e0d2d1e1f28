"""What table entries were before they changed, and how long an IOMMU may still act on it.

An entry that was valid when it was replaced may be cached until an invalidation that applies to it, and the fence behind that,
have completed. An entry that was not valid is never cached; only a walk under way can have read it.
Source: RISC-V IOMMU specification, *Command-Queue*, caching of in-memory data structures.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sluicegate.iommu.commands import Opcode

from tb.scoreboards.table_map import LAST, TableKind, TablePage

NEVER = 1 << 63


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


@dataclass
class TableHistory:
    """All changes that may still matter."""

    changes: list[Change] = field(default_factory=list)

    def by_address(self) -> dict[int, list[Change]]:
        """Changes of each dword, oldest first."""
        found: dict[int, list[Change]] = {}
        for change in self.changes:
            found.setdefault(change.address, []).append(change)
        return found

    def command(self, low: int, high: int, submitted: int, completed: int) -> None:
        """A command has completed. ``submitted``: when its words were written; only changes before that are covered."""
        opcode, function = low & 0x7F, low >> 7 & 7
        if opcode == Opcode.IOFENCE:
            for change in self.changes:
                if change.covered and change.retired_at == NEVER:
                    change.retired_at = completed
        elif opcode in (Opcode.IOTINVAL, Opcode.IODIR):
            for change in self.changes:
                if change.written_at < submitted and not change.covered:
                    change.covered = (
                        _context_covered(change, function, low) if opcode == Opcode.IODIR else _entry_covered(change, low, high)
                    )

    def forget(self, before: int) -> None:
        """Drop what can matter to no request that was made at ``before`` or later."""
        self.changes = [
            change for change in self.changes if change.written_at > before or (change.valid and change.retired_at > before)
        ]


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
    number = high >> 10 & (1 << 52) - 1
    size = 1 << 12
    if high >> 9 & 1:
        ones = (~number & number + 1).bit_length() - 1
        size = 1 << min(13 + ones, 64)
    start = (number << 12) & ~(size - 1) & LAST
    first, last = change.page.entry_range(change.address)
    if change.leaf and change.old >> 63:
        # A NAPOT entry is cached as the 64 KiB that it is part of.
        first, last = first & ~0xFFFF, last | 0xFFFF
    return start <= last and first <= start + size - 1
