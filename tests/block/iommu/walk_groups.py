"""The cover groups of page-table entries: where a walk failed, what a leaf allowed to whom, and the state of A and D.

What must be refused is derived from the specification here, once more and apart from model and RTL: a translation that was
granted against it is an illegal bin, and fails the run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb.coverage.group import Axis, CoverGroup, Illegal
from tests.block.iommu.table_entries import R, W, X
from tests.block.iommu.translation_groups import MODES, TYPES_AXIS, Names, ats_or_translated, starts
from tests.block.iommu.walk_steps import PAGE_TABLES

RIGHTS = {R: "R", R | W: "RW", R | X: "RX", R | W | X: "RWX", X: "X"}
PAGE_LEVELS = ("4 KiB", "2 MiB", "1 GiB", "512 GiB", "256 TiB")
TABLES = ("first stage", "second stage of a page", "second stage of a table", "second stage of a process directory")
FAULTS = ("page fault", "access fault", "data corruption")
STATES = ("neither", "A", "D", "A and D")
REQUESTERS = ("user", "supervisor", "supervisor with SUM")
OUTCOME = Axis("outcome", ("granted", "refused"))
FOUND = Axis("found", ("shared", "walked"))
STAGE = Axis("stage", ("first", "second"))

assert len(TABLES) == len(PAGE_TABLES)


def _level(of: Names) -> NDArray[np.intp]:
    """Level of the entry, -1 for an address of which none is read."""
    levels = {"address": -1, **{name: level for level, name in enumerate(PAGE_LEVELS)}}
    return np.array([levels[name] for name in of["level"].tolist()])


def fault_group() -> CoverGroup:
    """Where a walk of page tables ended with a fault: table, mode, level of the entry, kind of fault; where the context was."""
    return CoverGroup(
        "iommu: page-table faults",
        (
            Axis("table", TABLES),
            Axis("mode", MODES[1:]),
            Axis("level", ("address", *PAGE_LEVELS)),
            Axis("fault", FAULTS),
            Axis("context", ("kept", "read")),
        ),
        (
            Illegal(
                "no entry is read for what is no address", lambda of: (of["level"] == "address") & (of["fault"] != "page fault")
            ),
            Illegal(
                "the tables have no such level",
                lambda of: _level(of) > np.array([{"Sv39": 2, "Sv48": 3, "Sv57": 4}[mode] for mode in of["mode"].tolist()]),
            ),
            Illegal(
                "the 56 bits of address in an entry are fewer than Sv57x4 translates",
                lambda of: np.isin(of["table"], TABLES[2:]) & (of["mode"] == "Sv57") & (of["level"] == "address"),
            ),
            Illegal(
                "a process directory is walked for a context that is not kept",
                lambda of: (of["table"] == TABLES[3]) & (of["context"] == "kept"),
            ),
        ),
        block="iommu",
    )


def _without_table(of: Names) -> NDArray[np.bool_]:
    return np.asarray(starts(of["type"], "translated") & (of["stage"] == "first"), np.bool_)


def _shared_alone(of: Names) -> NDArray[np.bool_]:
    return np.asarray((of["found"] == "shared") & (ats_or_translated(of) | (of["outcome"] == "refused")), np.bool_)


def _granted_without_right(of: Names) -> NDArray[np.bool_]:
    reads = np.isin(of["type"], ("read", "ATS read", "ATS write", "translated read", "translated execute"))
    executes = np.isin(of["type"], ("execute", "translated execute"))
    writes = np.isin(of["type"], ("write", "translated write"))
    lacking = (reads & ~np.char.startswith(of["rights"], "R")) | (executes & ~np.char.endswith(of["rights"], "X"))
    lacking |= writes & (np.char.find(of["rights"], "W") < 0)
    return np.asarray(lacking & (of["outcome"] == "granted"), np.bool_)


def rights_group() -> CoverGroup:
    """What a leaf allows, by request type: granted from a cache or by a walk, or refused at this leaf for whatever reason."""
    return CoverGroup(
        "iommu: permissions",
        (STAGE, Axis("rights", tuple(RIGHTS.values())), TYPES_AXIS, OUTCOME, FOUND),
        (
            Illegal("a translated request has its first stage behind it", _without_table),
            Illegal("only grants are shared, by untranslated requests", _shared_alone),
            Illegal("the leaf does not allow that", _granted_without_right),
        ),
        block="iommu",
    )


def _barred(of: Names) -> NDArray[np.bool_]:
    user_page, user = of["page"] == "user", of["requester"] == "user"
    barred = ~user_page & user | user_page & (of["requester"] == "supervisor") | user_page & ~user & (of["type"] == "execute")
    return np.asarray(barred & (of["outcome"] == "granted"), np.bool_)


def privilege_group() -> CoverGroup:
    """U of the first-stage leaf by the privilege of the requester."""
    return CoverGroup(
        "iommu: privilege",
        (
            Axis("page", ("user", "supervisor")),
            Axis("requester", REQUESTERS),
            Axis("type", TYPES_AXIS.values[:5]),
            OUTCOME,
            FOUND,
        ),
        (
            Illegal("only grants are shared, by untranslated requests", _shared_alone),
            Illegal("the requester has no business on that page", _barred),
        ),
        block="iommu",
    )


def update_group() -> CoverGroup:
    """A and D of a leaf before the request, with and without updates by hardware."""
    return CoverGroup(
        "iommu: A and D",
        (STAGE, Axis("before", STATES), TYPES_AXIS, Axis("updates", ("off", "on")), OUTCOME),
        (
            Illegal("a translated request has its first stage behind it", _without_table),
            Illegal(
                "without A nothing is granted unless hardware sets it",
                lambda of: ~starts(of["before"], "A") & (of["updates"] == "off") & (of["outcome"] == "granted"),
            ),
            Illegal(
                "without D no write is granted unless hardware sets it",
                lambda of: (
                    ~np.char.endswith(of["before"], "D")
                    & np.isin(of["type"], ("write", "translated write"))
                    & (of["updates"] == "off")
                    & (of["outcome"] == "granted")
                ),
            ),
        ),
        block="iommu",
    )
