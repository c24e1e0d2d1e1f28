"""What each read of a walk of the golden model was for: the table, the level of the entry in it, and the entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from sluicegate.iommu.context import DeviceContext, ProcessContext
from sluicegate.iommu.port import swap_u64
from sluicegate.iommu.request import Response, Trace

from tests.block.iommu.table_entries import R, V, W, X


class Table(IntEnum):
    """Whose entry was read; the second stage by what it translates."""

    DIRECTORY = 0
    PROCESS = 1
    FIRST = 2
    SECOND_OF_PROCESS = 3
    SECOND_OF_TABLE = 4
    SECOND_OF_PAGE = 5
    MSI = 6


PAGE_TABLES = (Table.FIRST, Table.SECOND_OF_PAGE, Table.SECOND_OF_TABLE, Table.SECOND_OF_PROCESS)
_SECOND = Table.SECOND_OF_PAGE


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a walk. ``level``: tables below it; ``address``: of its first dword, None beyond the physical address size,
    where nothing is read; ``value``: that dword in its byte order."""

    table: Table
    level: int
    address: int | None
    value: int

    @property
    def is_leaf(self) -> bool:
        """A valid leaf of a page table."""
        return bool(self.value & V and self.value & (R | X)) and self.value & (R | W) != W


class ReadLog:
    """The reads of one walk in their order, told apart by the counters of its trace."""

    def __init__(self) -> None:
        self.begin(Trace())

    def begin(self, trace: Trace) -> None:
        """A new walk."""
        self._trace = trace
        self._first = self._second = self._process = self._directory = 0
        self.reads: list[tuple[Table | None, int, int]] = []
        """Table (of the second stage, whatever for: SECOND_OF_PAGE; None: read again by an update), address and value."""

    def turn(self) -> Table | None:
        """The table that the walk has turned to since the last call; None: none that the trace counts."""
        trace = self._trace
        if trace.second_stage_reads != self._second:
            self._second = trace.second_stage_reads
            return _SECOND
        if trace.first_stage_reads != self._first:
            self._first = trace.first_stage_reads
            return Table.FIRST
        if trace.process_directory_reads != self._process:
            self._process = trace.process_directory_reads
            return Table.PROCESS
        if trace.directory_reads != self._directory:
            self._directory = trace.directory_reads
            return Table.DIRECTORY
        return None

    def dword(self, address: int, value: int) -> None:
        """A dword was read."""
        self.reads.append((self.turn(), address, value))

    def entry(self, address: int, value: int) -> None:
        """An entry of several dwords was read; the trace counts none of MSI page tables."""
        table = self.turn()
        self.reads.append((Table.MSI if table is None else table, address, value))


def steps(
    log: ReadLog, response: Response, device: DeviceContext | None, process: ProcessContext | None, big_endian: bool
) -> tuple[Step, ...]:
    """The steps of a walk that has ended, the one that failed beyond the physical address size included."""
    reads: list[tuple[Table, int | None, int]] = [
        (table, address, value) for table, address, value in log.reads if table is not None
    ]
    unread = log.turn()
    if unread is not None:
        reads.append((unread, None, 0))
    found: list[Step] = []
    purpose = _last_purpose(reads, response, device, process)
    # Backwards: what follows a second-stage walk says what it was for, and where it began gives its levels.
    tables: list[Table] = []
    for table, _, _ in reversed(reads):
        if table is Table.FIRST:
            purpose = Table.SECOND_OF_TABLE
        elif table is Table.PROCESS:
            purpose = Table.SECOND_OF_PROCESS
        tables.append(purpose if table is _SECOND else table)
    second = first = directory = 0
    deepest = sum(table is Table.DIRECTORY for table in tables) - 1
    for table, (kind, address, value) in zip(reversed(tables), reads, strict=True):
        level = 0
        swap = big_endian
        if kind is _SECOND and device is not None:
            level = device.second_stage.levels - 1 - second
            second += 1
        else:
            second = 0
            if kind is Table.FIRST and process is not None and device is not None:
                level = process.mode.levels - 1 - first
                first += 1
                swap = device.first_stage_big_endian
            elif kind is Table.DIRECTORY:
                level = deepest - len(found) if device is not None else 0
            elif kind is Table.PROCESS and device is not None:
                level = int(device.process_directory or 0) - 1 - directory
                directory += 1
                swap = device.first_stage_big_endian
        found.append(Step(table, level, address, swap_u64(value) if swap else value))
    return tuple(found)


def _last_purpose(
    reads: Sequence[tuple[Table, int | None, int]],
    response: Response,
    device: DeviceContext | None,
    process: ProcessContext | None,
) -> Table:
    """What a second-stage walk at the very end was for: the page, unless the first stage has not come to its leaf."""
    if process is None:
        return Table.SECOND_OF_PROCESS
    if response.cause is None or not process.mode or device is None:
        return Table.SECOND_OF_PAGE
    last = next((value for table, _, value in reversed(reads) if table is Table.FIRST), 0)
    entry = swap_u64(last) if device.first_stage_big_endian else last
    return Table.SECOND_OF_PAGE if entry & (R | X) else Table.SECOND_OF_TABLE
