"""The cover groups of translations: what the core answered, on which tables, and how it was found.

The cross of mode, levels, page size, permission, cause, request type and cache state is taken in groups that are whole in
themselves: no bin of a group is ruled out but for a reason. Those of single page-table entries are in ``walk_groups``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tb.coverage.group import Axis, CoverGroup, Illegal
from tests.block.iommu.lookup_states import SECOND, STATES

Names = Mapping[str, NDArray[np.str_]]
MODES = ("Bare", "Sv39", "Sv48", "Sv57")
SIZES = {12: "4 KiB", 16: "64 KiB", 21: "2 MiB", 30: "1 GiB", 39: "512 GiB", 48: "256 TiB"}
STAGES = ("none", "first", "second", "both")
TYPES = ("read", "execute", "write", "ATS read", "ATS write", "translated read", "translated execute", "translated write")
CAUSES = {
    1: "instruction access fault",
    5: "read access fault",
    7: "write access fault",
    12: "instruction page fault",
    13: "read page fault",
    15: "write page fault",
    20: "instruction guest page fault",
    21: "read guest page fault",
    23: "write guest page fault",
    256: "all inbound disallowed",
    257: "DDT access fault",
    258: "DDT not valid",
    259: "DDT misconfigured",
    260: "transaction type disallowed",
    261: "MSI PTE access fault",
    262: "MSI PTE not valid",
    263: "MSI PTE misconfigured",
    265: "PDT access fault",
    266: "PDT not valid",
    267: "PDT misconfigured",
    268: "DDT data corruption",
    269: "PDT data corruption",
    270: "MSI PT data corruption",
    274: "PT data corruption",
}
KNOWLEDGE = ("no context", "one stage kept", "one stage read", "two stages kept", "two stages read")
"""What is known of a requester whose request is refused, and whether its context (with the process context) was kept or read."""
GRANTS = {0: "none", 1: "R", 3: "RW", 5: "RX", 7: "RWX"}
_WIDEST = {"Sv39": 30, "Sv48": 39, "Sv57": 48, "Bare": 64}


def starts(names: NDArray[np.str_], prefix: str) -> NDArray[np.bool_]:
    return np.char.startswith(names, prefix)


def _wider_than_stages(of: Names) -> NDArray[np.bool_]:
    shifts = {name: shift for shift, name in SIZES.items()}
    size = np.array([shifts[name] for name in of["size"].tolist()])
    widest = [
        min(_WIDEST[first], _WIDEST[second]) for first, second in zip(of["first"].tolist(), of["second"].tolist(), strict=True)
    ]
    return np.asarray(size > np.array(widest), np.bool_)


def ats_or_translated(of: Names) -> NDArray[np.bool_]:
    return starts(of["type"], "ATS") | starts(of["type"], "translated")


def shared(of: Names) -> NDArray[np.bool_]:
    return np.isin(of["found"], STATES[:3])


def _cause_type_mismatch(of: Names) -> NDArray[np.bool_]:
    """Causes that name the access occur for that access only; a translation request counts as a read, or as an execute."""
    cause, kind = of["cause"], of["type"]
    execute = np.isin(kind, ("execute", "translated execute"))
    write = np.isin(kind, ("write", "translated write"))
    ats = starts(kind, "ATS")
    named = np.char.endswith(cause, "access fault") | np.char.endswith(cause, "page fault")
    named &= starts(cause, "instruction") | starts(cause, "read") | starts(cause, "write")
    fits = np.where(starts(cause, "instruction"), execute | ats, np.where(starts(cause, "write"), write, ~execute & ~write))
    msi_execute = (cause == "instruction access fault") & execute
    return np.asarray(named & ~fits & ~msi_execute, np.bool_)


def _beyond_second_iotlb(of: Names) -> NDArray[np.bool_]:
    bare = (of["first"] == "Bare") & (of["second"] == "Bare")
    return np.asarray((of["found"] == STATES[SECOND]) & ((of["size"] != "4 KiB") | bare), np.bool_)


SECOND_IOTLB = "the second IOTLB holds pages of 4 KiB that some table maps; everything else is kept in one place"
SIZES_AXIS = Axis("size", tuple(SIZES.values()))
FOUND_AXIS = Axis("found", STATES)
TYPES_AXIS = Axis("type", TYPES)


def mode_group() -> CoverGroup:
    """Modes of both stages, which are their levels, by page size and by where the translation was found."""
    return CoverGroup(
        "iommu: mode and page size",
        (Axis("first", MODES), Axis("second", MODES), SIZES_AXIS, FOUND_AXIS),
        (
            Illegal(
                "without tables an answer holds for 4 KiB",
                lambda of: (of["first"] == "Bare") & (of["second"] == "Bare") & (of["size"] != "4 KiB"),
            ),
            Illegal("no leaf of one of the stages is that large", _wider_than_stages),
            Illegal(
                "without tables there is no page-table walk to be merged with",
                lambda of: (of["first"] == "Bare") & (of["second"] == "Bare") & (of["found"] == "merged"),
            ),
            Illegal(SECOND_IOTLB, _beyond_second_iotlb),
        ),
        block="iommu",
    )


def type_group() -> CoverGroup:
    """Request type by stages and by where the translation was found."""
    return CoverGroup(
        "iommu: request type",
        (TYPES_AXIS, Axis("stages", STAGES), FOUND_AXIS),
        (
            Illegal("only untranslated requests use the IOTLBs and merge", lambda of: ats_or_translated(of) & shared(of)),
            Illegal(
                "a translated request has its first stage behind it",
                lambda of: starts(of["type"], "translated") & np.isin(of["stages"], ("first", "both")),
            ),
            Illegal(
                "without tables there is no page-table walk to be merged with",
                lambda of: (of["stages"] == "none") & (of["found"] == "merged"),
            ),
            Illegal(SECOND_IOTLB, lambda of: (of["stages"] == "none") & (of["found"] == STATES[SECOND])),
        ),
        block="iommu",
    )


def type_size_group() -> CoverGroup:
    """Request type by stages and page size."""
    return CoverGroup(
        "iommu: request type and page size",
        (TYPES_AXIS, Axis("stages", STAGES), SIZES_AXIS),
        (
            Illegal(
                "a translated request has its first stage behind it",
                lambda of: starts(of["type"], "translated") & np.isin(of["stages"], ("first", "both")),
            ),
            Illegal("without tables an answer holds for 4 KiB", lambda of: (of["stages"] == "none") & (of["size"] != "4 KiB")),
        ),
        block="iommu",
    )


def cause_group() -> CoverGroup:
    """Cause by request type and by what was known of the requester."""
    early = ("all inbound disallowed", "DDT access fault", "DDT not valid", "DDT misconfigured", "DDT data corruption")
    second_only = (
        "instruction guest page fault",
        "read guest page fault",
        "write guest page fault",
        *(name for name in CAUSES.values() if name.startswith("MSI")),
    )
    first_only = tuple(name for name in CAUSES.values() if name.endswith(" page fault") and "guest" not in name)
    process = tuple(name for name in CAUSES.values() if name.startswith("PDT"))
    return CoverGroup(
        "iommu: cause and request type",
        (Axis("cause", tuple(CAUSES.values())), TYPES_AXIS, Axis("known", KNOWLEDGE)),
        (
            Illegal(
                "the cause comes before the device context is known",
                lambda of: np.isin(of["cause"], early) & (of["known"] != "no context"),
            ),
            Illegal(
                "the cause needs a device context",
                lambda of: ~np.isin(of["cause"], (*early, "transaction type disallowed")) & (of["known"] == "no context"),
            ),
            Illegal(
                "the cause needs a second stage",
                lambda of: np.isin(of["cause"], second_only) & ~starts(of["known"], "two stages"),
            ),
            Illegal(
                "a translated request is neither looked up in the process directory nor in the first stage",
                lambda of: np.isin(of["cause"], (*first_only, *process)) & starts(of["type"], "translated"),
            ),
            Illegal(
                "a translated request with one stage is passed on or disallowed",
                lambda of: (
                    starts(of["type"], "translated")
                    & starts(of["known"], "one stage")
                    & (of["cause"] != "transaction type disallowed")
                ),
            ),
            Illegal("the cause names another kind of access", _cause_type_mismatch),
            Illegal(
                "a process directory is walked for a context that is not kept",
                lambda of: np.isin(of["cause"], process) & np.char.endswith(of["known"], "kept"),
            ),
        ),
        block="iommu",
    )


def directory_group() -> CoverGroup:
    """Shape of the directories by outcome and by what of them was kept."""
    return CoverGroup(
        "iommu: directories",
        (
            Axis("depth", ("1LVL", "2LVL", "3LVL")),
            Axis("context", ("base", "extended")),
            Axis("process", ("none", "Bare", "PD8", "PD17", "PD20")),
            Axis("order", ("little-endian", "big-endian")),
            Axis("outcome", ("granted", "refused")),
            Axis("found", ("shared", "warm walk", "cold walk")),
        ),
        (
            Illegal(
                "refusals are never kept",
                lambda of: (of["outcome"] == "refused") & (of["found"] == "shared"),
            ),
        ),
        block="iommu",
    )


def grant_group() -> CoverGroup:
    """What an ATS completion grants by what was asked."""
    return CoverGroup(
        "iommu: ATS grants",
        (
            Axis("granted", tuple(GRANTS.values())),
            Axis("asked", ("read", "write", "execute", "execute and write")),
            Axis("stages", STAGES),
            Axis("address", ("SPA", "GPA")),
        ),
        (
            Illegal(
                "X is granted only to who asks for it",
                lambda of: np.char.endswith(of["granted"], "X") & ~starts(of["asked"], "execute"),
            ),
            Illegal(
                "guest addresses need a second stage",
                lambda of: (of["address"] == "GPA") & np.isin(of["stages"], ("none", "first")),
            ),
            Illegal(
                "without tables everything is granted",
                lambda of: (of["stages"] == "none") & (of["granted"] != np.where(starts(of["asked"], "execute"), "RWX", "RW")),
            ),
        ),
        block="iommu",
    )


def msi_group() -> CoverGroup:
    """MSI pages by kind of entry and access."""
    return CoverGroup(
        "iommu: MSI pages",
        (
            Axis("entry", ("flat", "file")),
            Axis("type", ("read", "write", "ATS")),
            Axis("first", ("Bare", "paged")),
            Axis("found", ("kept", "walked")),
        ),
        (
            Illegal("a file is no translation that could be kept", lambda of: (of["entry"] == "file") & (of["found"] == "kept")),
            Illegal("only untranslated requests use the IOTLBs", lambda of: (of["type"] == "ATS") & (of["found"] == "kept")),
        ),
        block="iommu",
    )
