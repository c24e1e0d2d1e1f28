"""The tables of an IOMMU in a replica of memory: which pages they are, and what their entries were before they changed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tb.bridge.event_log import EventArray, LogBatch
from tb.scoreboards.iommu_state import IommuState
from tb.scoreboards.replica import Replica
from tb.scoreboards.table_history import Change, TableHistory
from tb.scoreboards.table_map import TableKind, TableMap, TablePage
from tb.scoreboards.table_memory import TableMemory, no_choices

_PAGE_SHIFT = np.uint64(12)


class ReplayedTables:
    """Applies the memory writes of a log to ``replica``, which ``memory`` shows to walks under the configuration of ``state``.

    ``changed`` is called whenever a walk may find something else than before.
    """

    def __init__(self, state: IommuState, replica: Replica, memory: TableMemory, changed: Callable[[], None]) -> None:
        self._state, self._memory, self._on_change = state, memory, changed
        self.replica = replica
        self.map = TableMap()
        self.history = TableHistory()

    def rebuild(self) -> None:
        """Find the tables anew; those of before count as long as something of them may be cached."""
        former = self.map
        self._memory.choices, self._memory.chosen = no_choices, {}
        self.map = TableMap.walk(self._memory, self._state.configuration)
        if self.history.changes:
            for page, table in former.pages.items():
                self.map.pages.setdefault(page, table)
        self._on_change()

    def write(self, address: int, data: memoryview, sequence: int) -> bool:
        """Apply a write of record ``sequence``. True when some of it lies in a table."""
        if address >> 12 not in self.map.pages and (address + len(data) - 1) >> 12 not in self.map.pages:
            self.replica.store(address, data)
            return False
        if len(data) == 8 and not address & 7:
            self._write_dword(address, data, sequence)
        else:
            self._write_table(address, data, sequence)
        return True

    def write_many(self, batch: LogBatch, writes: EventArray) -> None:
        """Apply consecutive MEMORY_WRITE records of ``batch``."""
        first = writes["address"]
        last = first + writes["length"] - np.uint64(1)
        if self.map.pages.keys().isdisjoint((first >> _PAGE_SHIFT).tolist() + (last >> _PAGE_SHIFT).tolist()):
            self.replica.apply_writes(batch, writes)
            return
        for record in writes:
            self.write(int(record["address"]), batch.payload_of(record).data, int(record["sequence"]))

    def _write_table(self, address: int, data: memoryview, sequence: int) -> None:
        first = address & ~7
        count = (address + len(data) - first + 7) >> 3
        before = np.frombuffer(self.replica.read(first, 8 * count), "<u8")
        structure = False
        entry_valid = {
            dword: self._valid_entry(first + 8 * dword) for dword in range(count) if (first + 8 * dword) >> 12 in self.map.pages
        }
        self.replica.store(address, data)
        after = np.frombuffer(self.replica.read(first, 8 * count), "<u8")
        for dword in np.flatnonzero(before != after).tolist():
            at, old = first + 8 * dword, int(before[dword])
            page = self.map.pages.get(at >> 12)
            if page is not None:
                structure |= self._note(page, at, old, sequence, entry_valid[dword])
        if structure:
            self.rebuild()
        elif (before != after).any():
            self._on_change()

    def _write_dword(self, address: int, data: memoryview, sequence: int) -> None:
        """One whole dword of a table, as most writes of tables are."""
        old = self.replica.read_u64(address)
        if old == int.from_bytes(data, "little"):
            return
        valid = self._valid_entry(address)
        self.replica.store(address, data)
        if self._note(self.map.pages[address >> 12], address, old, sequence, valid):
            self.rebuild()
        else:
            self._on_change()

    def _note(self, page: TablePage, address: int, old: int, sequence: int, valid: bool) -> bool:
        """A dword of a table has changed. True when other tables may hang below it."""
        low, high = page.iova_range(address)
        self.history.add(Change(address, old, sequence, valid, bool(old & 0xE), page, low, high))
        return page.kind is not TableKind.FIRST_STAGE or page.level > 0

    def _valid_entry(self, address: int) -> bool:
        page = self.map.pages[address >> 12]
        head = self.replica.read_u64(address & -page.entry if page.entry > 8 else address)
        return bool(head & 1 or (self._state.capabilities.end and head >> 56 & 1))
