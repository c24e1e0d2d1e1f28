"""What is sampled of one answer of the golden model for ``walk_groups``, as codes of their axes."""

from __future__ import annotations

from tests.block.iommu.reference import Answer
from tests.block.iommu.table_entries import A, D, R, U, W, X
from tests.block.iommu.walk_groups import RIGHTS
from tests.block.iommu.walk_steps import PAGE_TABLES, Step, Table

_PAGE_FAULTS, _GUEST_PAGE_FAULTS = (12, 13, 15), (20, 21, 23)
_ACCESS_FAULTS, _CORRUPTIONS = (1, 5, 7, 265), (269, 274)
_RIGHTS = {rights: code for code, rights in enumerate(RIGHTS)}
NONE = -1
FAULT, LEAVES = 4, 6
"""Codes of :func:`fault`, and of :func:`leaves`."""


def fault(answer: Answer) -> tuple[int, int, int, int]:
    """(table, mode, level, fault) of an answer that a page-table walk has refused; ``NONE`` of each for any other."""
    cause, device = int(answer.response.cause or 0), answer.device
    none = (NONE, NONE, NONE, NONE)
    if device is None or not cause or not answer.steps:
        return none
    last = answer.steps[-1]
    if cause in _PAGE_FAULTS:
        return _codes(answer, Table.FIRST, last.level if last.table is Table.FIRST else None, 0)
    if cause in _GUEST_PAGE_FAULTS:
        if last.table in PAGE_TABLES[1:]:
            return _codes(answer, last.table, last.level, 0)
        table = _too_wide(answer, last)
        return none if table is None else _codes(answer, table, None, 0)
    if last.table in PAGE_TABLES and cause in (*_ACCESS_FAULTS, *_CORRUPTIONS):
        return _codes(answer, last.table, last.level, 1 if cause in _ACCESS_FAULTS else 2)
    return none


def _too_wide(answer: Answer, last: Step) -> Table | None:
    """What the guest address was for that is wider than the second stage; None for an update of A and D that it refused."""
    if answer.process is None:
        return Table.SECOND_OF_PROCESS
    if not answer.process.mode:
        return Table.SECOND_OF_PAGE
    if last.table is not Table.FIRST or not last.is_leaf:
        return Table.SECOND_OF_TABLE
    # Only the record tells the page of a leaf from an update of that leaf.
    record = answer.response.fault
    return None if record is None or record.iotval2 & 1 else Table.SECOND_OF_PAGE


def _codes(answer: Answer, table: Table, level: int | None, kind: int) -> tuple[int, int, int, int]:
    assert answer.device is not None
    mode = answer.process.mode if table is Table.FIRST and answer.process else answer.device.second_stage
    return PAGE_TABLES.index(table), int(mode) - 8, 0 if level is None else level + 1, kind


def leaves(answer: Answer) -> tuple[int, int, int, int, int, int]:
    """(rights, state of A and D) of the first-stage leaf, of the second-stage leaf of the page, U of the first-stage leaf, and
    the stage whose leaf has refused the request (0 first, 1 second); ``NONE`` for what there is not.

    Encodings that are reserved count as the leaf that they resemble.
    """
    found: dict[Table, Step] = {}
    for step in answer.steps:
        found[step.table] = step
    first, second = (_leaf(found.get(table)) for table in (Table.FIRST, Table.SECOND_OF_PAGE))
    cause, refused = int(answer.response.cause or 0), NONE
    if cause and answer.steps:
        last = answer.steps[-1].table
        if cause in _PAGE_FAULTS and last is Table.FIRST and first is not None:
            refused = 0
        elif cause in _GUEST_PAGE_FAULTS and last is Table.SECOND_OF_PAGE and second is not None:
            refused = 1
    user = NONE if first is None else 0 if first & U else 1
    return (*_entry(first), *_entry(second), user, refused)


def _leaf(step: Step | None) -> int | None:
    return step.value if step is not None and step.is_leaf else None


def _entry(value: int | None) -> tuple[int, int]:
    if value is None:
        return NONE, NONE
    return _RIGHTS[value & (R | W | X)], (1 if value & A else 0) | (2 if value & D else 0)
