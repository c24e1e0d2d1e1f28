"""Functional coverage of translations: what the core answered, on which tables, and how it was found.

Everything is sampled from answers that were seen and judged right: status, page size and permissions as the port showed them, the
cause of the fault record, and the contexts on which the model agrees. The cross of all axes has groups that are whole in
themselves: no bin of a group is ruled out but for a reason.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sluicegate.iommu.request import AddressType, Request

from tb.bridge.event_log import LogBatch
from tb.coverage.collector import Collector, Records
from tb.coverage.group import Axis, CoverGroup, Illegal
from tests.block.iommu.lock_step import Flight, Verdict
from tests.block.iommu.lookup_states import STATES
from tests.block.iommu.reference import Answer

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
KNOWLEDGE = ("no context", "one stage", "two stages")
"""What is known of a requester whose request is refused."""
GRANTS = {0: "none", 1: "R", 3: "RW", 5: "RX", 7: "RWX"}
_WIDEST = {"Sv39": 30, "Sv48": 39, "Sv57": 48, "Bare": 64}


def request_type(request: Request) -> int:
    """Index in ``TYPES``."""
    if request.address_type is AddressType.TRANSLATION_REQUEST:
        return 3 if request.no_write else 4
    kind = 2 if request.write else 1 if request.exec else 0
    if request.address_type is AddressType.TRANSLATED:
        return 5 + (0, 1 if request.pasid_valid else 0, 2)[kind]
    return kind


def _starts(names: NDArray[np.str_], prefix: str) -> NDArray[np.bool_]:
    return np.char.startswith(names, prefix)


def _wider_than_stages(of: Names) -> NDArray[np.bool_]:
    shifts = {name: shift for shift, name in SIZES.items()}
    size = np.array([shifts[name] for name in of["size"].tolist()])
    widest = [
        min(_WIDEST[first], _WIDEST[second]) for first, second in zip(of["first"].tolist(), of["second"].tolist(), strict=True)
    ]
    return np.asarray(size > np.array(widest), np.bool_)


def _ats_or_translated(of: Names) -> NDArray[np.bool_]:
    return _starts(of["type"], "ATS") | _starts(of["type"], "translated")


def _shared(of: Names) -> NDArray[np.bool_]:
    return np.isin(of["found"], STATES[:3])


def _cause_type_mismatch(of: Names) -> NDArray[np.bool_]:
    """Causes that name the access occur for that access only; a translation request counts as a read, or as an execute."""
    cause, kind = of["cause"], of["type"]
    execute = np.isin(kind, ("execute", "translated execute"))
    write = np.isin(kind, ("write", "translated write"))
    ats = _starts(kind, "ATS")
    named = np.char.endswith(cause, "access fault") | np.char.endswith(cause, "page fault")
    named &= _starts(cause, "instruction") | _starts(cause, "read") | _starts(cause, "write")
    fits = np.where(_starts(cause, "instruction"), execute | ats, np.where(_starts(cause, "write"), write, ~execute & ~write))
    msi_execute = (cause == "instruction access fault") & execute
    return np.asarray(named & ~fits & ~msi_execute, np.bool_)


SIZES_AXIS = Axis("size", tuple(SIZES.values()))
FOUND_AXIS = Axis("found", STATES)
TYPES_AXIS = Axis("type", TYPES)


def _size_group() -> CoverGroup:
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
        ),
        block="iommu",
    )


def _type_group() -> CoverGroup:
    return CoverGroup(
        "iommu: request type",
        (TYPES_AXIS, Axis("stages", STAGES), FOUND_AXIS),
        (
            Illegal("only untranslated requests use the IOTLBs and merge", lambda of: _ats_or_translated(of) & _shared(of)),
            Illegal(
                "a translated request has its first stage behind it",
                lambda of: _starts(of["type"], "translated") & np.isin(of["stages"], ("first", "both")),
            ),
            Illegal(
                "without tables there is no page-table walk to be merged with",
                lambda of: (of["stages"] == "none") & (of["found"] == "merged"),
            ),
        ),
        block="iommu",
    )


def _cause_group() -> CoverGroup:
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
                "the cause needs a second stage", lambda of: np.isin(of["cause"], second_only) & (of["known"] != "two stages")
            ),
            Illegal(
                "a translated request is neither looked up in the process directory nor in the first stage",
                lambda of: np.isin(of["cause"], (*first_only, *process)) & _starts(of["type"], "translated"),
            ),
            Illegal(
                "a translated request with one stage is passed on or disallowed",
                lambda of: (
                    _starts(of["type"], "translated")
                    & (of["known"] == "one stage")
                    & (of["cause"] != "transaction type disallowed")
                ),
            ),
            Illegal("the cause names another kind of access", _cause_type_mismatch),
        ),
        block="iommu",
    )


def _directory_group() -> CoverGroup:
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


def _grant_group() -> CoverGroup:
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
                lambda of: np.char.endswith(of["granted"], "X") & ~_starts(of["asked"], "execute"),
            ),
            Illegal(
                "guest addresses need a second stage",
                lambda of: (of["address"] == "GPA") & np.isin(of["stages"], ("none", "first")),
            ),
            Illegal(
                "without tables everything is granted",
                lambda of: (of["stages"] == "none") & (of["granted"] != np.where(_starts(of["asked"], "execute"), "RWX", "RW")),
            ),
        ),
        block="iommu",
    )


def _msi_group() -> CoverGroup:
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


class TranslationBins(Collector):
    """Sampled round by round, after the judge."""

    def __init__(self) -> None:
        self.sizes, self.types, self.causes = _size_group(), _type_group(), _cause_group()
        self.directories, self.grants, self.msi = _directory_group(), _grant_group(), _msi_group()
        self.groups = (self.sizes, self.types, self.causes, self.directories, self.grants, self.msi)

    def ingest(self, batch: LogBatch) -> None:
        """The test samples what its judge has found right."""

    def sample(self, flight: Flight, verdict: Verdict, requests: list[Request], found: NDArray[np.intp]) -> None:
        """Count a round; ``found``: index in ``STATES`` for each request."""
        pairs = flight.pairs
        at = Records(_stamps(flight))
        answer = _Answers(verdict)
        of = verdict.answer_of
        kinds = np.array([request_type(request) for request in requests])[flight.numbers]
        probe = (kinds == 3) | (kinds == 4)
        granted = (pairs.status == 0) & ~(probe & (pairs.permissions & 3 == 0)) & answer.located[of]
        first, second = answer.first[of], answer.second[of]
        stages = (first > 0) + 2 * (second > 0)
        size = np.searchsorted(np.array(tuple(SIZES)), pairs.size)
        plain = granted & ~probe & ~answer.msi[of] & (kinds < 3)
        self.sizes.sample(first, second, np.minimum(size, len(SIZES) - 1), found, rows=plain, at=at)
        self.types.sample(kinds, stages, found, rows=granted & ~answer.msi[of], at=at)
        self.causes.sample(answer.cause[of], kinds, answer.known[of], rows=answer.failed[of], at=at)
        shared = np.array((0, 0, 0, 1, 2))[found]
        in_directory = answer.depth[of] >= 0
        refused = answer.failed[of] & ~probe
        self.directories.sample(
            np.maximum(answer.depth[of], 0),
            answer.extended[of],
            answer.process[of],
            answer.order[of],
            refused.astype(np.intp),
            shared,
            rows=in_directory & (granted & (kinds < 3) | refused & (shared > 0)),
            at=at,
        )
        asked = np.array([2 * request.exec + (not request.no_write) for request in requests])[flight.numbers]
        rights = np.searchsorted(np.array(tuple(GRANTS)), pairs.permissions & 7)
        rows = probe & (pairs.status == 0) & answer.walked[of] & ~answer.failed[of] & ~answer.msi[of]
        self.grants.sample(rights, asked, stages, answer.guest[of], rows=rows, at=at)
        rows = (pairs.status == 0) & answer.msi[of] & (kinds < 5) & ~(probe & (pairs.permissions & 3 == 0))
        msi_kind = np.where(probe, 2, np.where(kinds == 2, 1, 0))
        self.msi.sample(
            pairs.mrif.astype(np.intp), msi_kind, (first > 0).astype(np.intp), (found > 1).astype(np.intp), rows=rows, at=at
        )


class _Answers:
    """What is sampled of each distinct answer of a round, arrays of shape ``[n]``."""

    def __init__(self, verdict: Verdict) -> None:
        codes = {cause: index for index, cause in enumerate(CAUSES)}
        answers = verdict.answers
        self.first = np.array([_mode(answer.process.mode if answer.process else 0) for answer in answers])
        self.second = np.array([_mode(answer.device.second_stage if answer.device else 0) for answer in answers])
        self.cause = np.array([codes.get(int(answer.response.cause or 0), 0) for answer in answers])
        self.failed = np.array([answer.response.cause is not None for answer in answers])
        self.located = np.array([answer.device is not None for answer in answers])
        self.walked = np.array([answer.process is not None for answer in answers])
        self.known = np.array([_knowledge(answer) for answer in answers])
        self.msi = np.array([answer.response.msi for answer in answers])
        self.guest = np.array([int(answer.device is not None and answer.device.t2gpa) for answer in answers])
        self.depth = np.array([answer.response.trace.directory_reads - 1 if answer.device else -1 for answer in answers])
        self.extended = np.array([int(answer.extended) for answer in answers])
        self.order = np.array([int(answer.big_endian) for answer in answers])
        self.process = np.array([_process(answer) for answer in answers])


def _mode(mode: int) -> int:
    return mode - 7 if mode else 0


def _knowledge(answer: Answer) -> int:
    return 0 if answer.device is None else 2 if answer.device.second_stage else 1


def _process(answer: Answer) -> int:
    directory = None if answer.device is None else answer.device.process_directory
    return 0 if directory is None else 1 + int(directory)


def _stamps(flight: Flight) -> NDArray[np.void]:
    stamps = np.zeros(len(flight.numbers), np.dtype([("cycle", "<u8"), ("sequence", "<u8")]))
    stamps["cycle"], stamps["sequence"] = flight.pairs.cycle, flight.pairs.answered_at
    return stamps
