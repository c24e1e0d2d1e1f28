"""Functional coverage of translations, sampled from answers that were seen and judged right: status, page size and permissions as
the port showed them, the cause of the fault record, and the contexts and entries on which the model agrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sluicegate.iommu.request import AddressType, Cause, Request

from tb.bridge.event_log import LogBatch
from tb.coverage.collector import Collector, Records
from tests.block.iommu import translation_groups, walk_groups, walk_samples
from tests.block.iommu.lock_step import Flight, Verdict
from tests.block.iommu.lookup_states import COLD, FIRST, MERGED, SECOND
from tests.block.iommu.reference import Answer
from tests.block.iommu.translation_groups import CAUSES, GRANTS, SIZES


def request_type(request: Request) -> int:
    """Index in ``TYPES``."""
    if request.address_type is AddressType.TRANSLATION_REQUEST:
        return 3 if request.no_write else 4
    kind = 2 if request.write else 1 if request.exec else 0
    if request.address_type is AddressType.TRANSLATED:
        return 5 + (0, 1 if request.pasid_valid else 0, 2)[kind]
    return kind


class TranslationBins(Collector):
    """Sampled round by round, after the judge."""

    def __init__(self) -> None:
        groups = translation_groups
        self.modes, self.types, self.type_sizes = groups.mode_group(), groups.type_group(), groups.type_size_group()
        self.causes, self.directories = groups.cause_group(), groups.directory_group()
        self.grants, self.msi = groups.grant_group(), groups.msi_group()
        self.faults, self.rights = walk_groups.fault_group(), walk_groups.rights_group()
        self.privilege, self.updates = walk_groups.privilege_group(), walk_groups.update_group()
        self.groups = (
            *(self.modes, self.types, self.type_sizes, self.causes, self.directories, self.grants, self.msi),
            *(self.faults, self.rights, self.privilege, self.updates),
        )

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
        size = np.minimum(np.searchsorted(np.array(tuple(SIZES)), pairs.size), len(SIZES) - 1)
        # Larger pages, and what no table maps, are kept in one place: it counts as the first IOTLB, whichever the core calls it.
        found = np.where((found == SECOND) & ((size > 0) | (stages == 0)), FIRST, found)
        paged = granted & ~answer.msi[of]
        self.modes.sample(first, second, size, found, rows=paged & (kinds < 3), at=at)
        self.types.sample(kinds, stages, found, rows=paged, at=at)
        self.type_sizes.sample(kinds, stages, size, rows=paged, at=at)
        cold = ((found == COLD) | answer.unresolved[of]).astype(np.intp)
        known = answer.known[of]
        # What was refused to a walk says nothing of those that were merged with it.
        settled = verdict.settled
        refused = answer.failed[of] & (found != MERGED) & (settled | (known == 0))
        self.causes.sample(answer.cause[of], kinds, known + ((known > 0) & (cold > 0)), rows=refused, at=at)
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
        privilege = np.array([request.pasid_valid and request.priv for request in requests])[flight.numbers]
        self._sample_entries(answer, of, kinds, granted, settled, found, cold, privilege, at)

    def _sample_entries(
        self,
        answer: _Answers,
        of: NDArray[np.intp],
        kinds: NDArray[np.intp],
        granted: NDArray[np.bool_],
        settled: NDArray[np.bool_],
        found: NDArray[np.intp],
        cold: NDArray[np.intp],
        privilege: NDArray[np.bool_],
        at: Records,
    ) -> None:
        """The groups of page-table entries; arrays have an element for each request of the round."""
        table, mode, level, fault = answer.fault[of].T
        walked = (found > MERGED).astype(np.intp)
        rows = (table >= 0) & (found != MERGED) & settled
        self.faults.sample(*(np.maximum(code, 0) for code in (table, mode, level, fault)), cold, rows=rows, at=at)
        leaves = answer.leaves[of]
        probe = (kinds == 3) | (kinds == 4)
        # A completion without rights is no fault: every leaf of it has part in that.
        nothing = probe & ~granted & ~answer.failed[of]
        refused_by = leaves[:, 5]
        for stage in (0, 1):
            rights, before = leaves[:, 2 * stage], leaves[:, 2 * stage + 1]
            refused = (refused_by == stage) | nothing
            rows = (rights >= 0) & (granted | refused) & settled
            outcome = (~granted).astype(np.intp)
            stages = np.full(len(kinds), stage)
            seen = np.where(granted, walked, 1)
            self.rights.sample(stages, np.maximum(rights, 0), kinds, outcome, seen, rows=rows, at=at)
            updates = answer.updates[of, stage]
            self.updates.sample(stages, np.maximum(before, 0), kinds, updates, outcome, rows=rows & ~nothing, at=at)
            if stage == 0:
                requester = np.where(privilege, 1 + answer.sum[of], 0)
                page = np.maximum(leaves[:, 4], 0)
                self.privilege.sample(
                    page, requester, np.minimum(kinds, 4), outcome, seen, rows=rows & ~nothing & (kinds < 5), at=at
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
        self.unresolved = np.array([_unresolved(answer) for answer in answers])
        """The walk ended in the process directory."""
        self.known = np.array([_knowledge(answer) for answer in answers])
        self.msi = np.array([answer.response.msi for answer in answers])
        self.guest = np.array([int(answer.device is not None and answer.device.t2gpa) for answer in answers])
        self.depth = np.array([answer.response.trace.directory_reads - 1 if answer.device else -1 for answer in answers])
        self.extended = np.array([int(answer.extended) for answer in answers])
        self.order = np.array([int(answer.big_endian) for answer in answers])
        self.process = np.array([_process(answer) for answer in answers])
        self.fault = np.array([walk_samples.fault(answer) for answer in answers]).reshape(-1, walk_samples.FAULT)
        self.leaves = np.array([walk_samples.leaves(answer) for answer in answers]).reshape(-1, walk_samples.LEAVES)
        self.updates = np.array([_updates(answer) for answer in answers])
        """Whether hardware updates A and D of the first and of the second stage."""
        self.sum = np.array([int(answer.process is not None and answer.process.sum) for answer in answers])


def _mode(mode: int) -> int:
    return mode - 7 if mode else 0


def _unresolved(answer: Answer) -> bool:
    disallowed = answer.response.cause is Cause.TRANSACTION_TYPE_DISALLOWED
    return answer.device is not None and answer.process is None and answer.response.cause is not None and not disallowed


def _knowledge(answer: Answer) -> int:
    return 0 if answer.device is None else 3 if answer.device.second_stage else 1


def _updates(answer: Answer) -> tuple[int, int]:
    device = answer.device
    return (0, 0) if device is None else (int(device.update_first_stage_ad), int(device.update_second_stage_ad))


def _process(answer: Answer) -> int:
    directory = None if answer.device is None else answer.device.process_directory
    return 0 if directory is None else 1 + int(directory)


def _stamps(flight: Flight) -> NDArray[np.void]:
    stamps = np.zeros(len(flight.numbers), np.dtype([("cycle", "<u8"), ("sequence", "<u8")]))
    stamps["cycle"], stamps["sequence"] = flight.pairs.cycle, flight.pairs.answered_at
    return stamps
