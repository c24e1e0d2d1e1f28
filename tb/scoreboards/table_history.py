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


def _context_covered(change: Change, function: int, low: int) -> bool:
    if function != 0:
        return False
    if not low >> 33 & 1:
        return change.page.kind in (TableKind.DIRECTORY, TableKind.CONTEXT)
    return change.page.kind is TableKind.CONTEXT and change.page.responsible_for(change.address, low >> 40)


def _entry_covered(change: Change, low: int, high: int) -> bool:
    function = low >> 7 & 7
    by_address, by_process, by_guest, non_leaf = (bool(low >> bit & 1) for bit in (10, 32, 33, 34))
    kind = change.page.kind
    if kind is TableKind.LEARNED:
        # It may be any table: only an invalidation of everything is sure to apply.
        return not by_address and not by_process and not by_guest and function == 1
    if kind is not TableKind.FIRST_STAGE or function != 0 or by_guest:
        return False
    if by_process and (change.page.pscid != low >> 12 & 0xFFFFF or bool(change.old >> 5 & 1)):
        return False
    if not by_address:
        return True
    page = high >> 10 & (1 << 52) - 1
    size = 1 << 12
    if high >> 9 & 1:
        ones = (~page & page + 1).bit_length() - 1
        size = 1 << min(13 + ones, 64)
    start = (page << 12) & ~(size - 1) & LAST
    overlaps = start <= change.last and change.first <= start + size - 1
    return overlaps and (change.leaf or non_leaf)
