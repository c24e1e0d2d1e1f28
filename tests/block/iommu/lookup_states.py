"""How each translation was found: in an IOTLB, by the walk of another request, or by its own walk with warm or cold caches."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sluicegate.iommu.request import AddressType, Cause

from tb.bridge.event_log import EventKind, LogBatch, LookupOutcome
from tb.bridge.simulation import Simulation
from tests.block.iommu.lock_step import Flight, Verdict
from tests.block.iommu.reference import Answer
from tests.block.iommu.walk_steps import Table

STATES = ("first IOTLB", "second IOTLB", "merged", "warm walk", "cold walk")
FIRST, SECOND, MERGED, WARM, COLD = range(5)


class LookupLog:
    """Outcomes of the lookups since the last call of :meth:`take`, in the order of the requests."""

    def __init__(self, simulation: Simulation) -> None:
        self._parts: list[NDArray[np.uint32]] = []
        simulation.add_consumer(self._ingest)

    def _ingest(self, batch: LogBatch) -> None:
        found = batch.of_kind(EventKind.LOOKUP)
        if len(found):
            self._parts.append(found["argument"].copy())

    def take(self) -> NDArray[np.uint32]:
        """The outcomes (:class:`LookupOutcome`)."""
        found = np.concatenate(self._parts) if self._parts else np.zeros(0, np.uint32)
        self._parts = []
        return found


def lookup_states(flight: Flight, verdict: Verdict, reads: NDArray[np.void]) -> NDArray[np.intp]:
    """The state (index in ``STATES``) of every request of a round; ``reads``: log records of the IOMMU's reads.

    A walk reads its last entry between the request and its response: each request takes the first read that is left, one without
    was merged. The last entry is that of the first stage where a cache may have known the second-stage leaf of the page; with a
    Bare first stage such a walk may read nothing, and was merged if another one of its page was under way. A walk that also read
    its device context was cold. Requests that read no page table are warm or cold by that.
    """
    outcomes = flight.lookups
    states = np.where(outcomes == LookupOutcome.FIRST_LEVEL, FIRST, SECOND).astype(np.intp)
    # Only untranslated requests share walks: the others take theirs first, and who was answered first before who can wait.
    alone = flight.pairs.address_type != AddressType.UNTRANSLATED
    missed = np.flatnonzero(outcomes == LookupOutcome.MISS)
    missed = missed[np.lexsort((flight.pairs.answered_at[missed], ~alone[missed]))]
    places = _places(reads)
    taken: set[tuple[int, int]] = set()
    walked: dict[tuple[int, int], int] = {}
    """When the latest walk of an entry and a page was answered."""
    asked, answered = flight.pairs.requested_at.tolist(), flight.pairs.answered_at.tolist()
    pages = (flight.pairs.iova >> np.uint64(12)).tolist()
    for row in missed.tolist():
        answer = verdict.answers[int(verdict.answer_of[row])]
        if not answer.reads:
            states[row] = WARM
            continue
        context = answer.reads[0]
        own = WARM if _within(places.get(context, ()), asked[row], answered[row]) is None else COLD
        if not _ends_in_tables(answer):
            states[row] = own
            continue
        last, may_be_kept = _last_read(answer)
        found = places.get(last, ())
        at = bisect_left(found, asked[row])
        while at < len(found) and found[at] < answered[row] and (last, found[at]) in taken:
            at += 1
        if at < len(found) and found[at] < answered[row]:
            taken.add((last, found[at]))
            states[row] = own
        else:
            beside = not may_be_kept or walked.get((last, pages[row]), -1) > asked[row]
            states[row] = MERGED if beside and not alone[row] else WARM
        if states[row] != MERGED and not alone[row]:
            walked[last, pages[row]] = answered[row]
    return states


def _last_read(answer: Answer) -> tuple[int, bool]:
    """The last dword that a walk with this answer reads itself, and whether a cache may have known even that."""
    last = answer.reads[-1]
    if answer.response.cause is Cause.TRANSACTION_TYPE_DISALLOWED:
        # A process context without ENS, for a privileged request.
        return last, True
    if answer.response.cause is not None or not answer.steps or answer.steps[-1].table is not Table.SECOND_OF_PAGE:
        return last, False
    first = [step.address for step in answer.steps if step.table is Table.FIRST]
    return (last, True) if not first or first[-1] is None else (first[-1], False)


def _ends_in_tables(answer: Answer) -> bool:
    """The walk must have read the last entry itself: one of a page table, or in a process directory that led to no context."""
    if answer.process is not None:
        return bool(answer.process.mode or (answer.device is not None and answer.device.second_stage))
    trace = answer.response.trace
    return bool(trace.process_directory_reads or trace.second_stage_reads)


def _within(places: Sequence[int], low: int, high: int) -> int | None:
    at = bisect_left(places, low)
    return at if at < len(places) and places[at] < high else None


def _places(reads: NDArray[np.void]) -> dict[int, list[int]]:
    """Where in the log each dword was read."""
    places: dict[int, list[int]] = {}
    columns = (reads[name].tolist() for name in ("address", "length", "sequence"))
    for address, length, sequence in zip(*columns, strict=True):
        for dword in range(address, address + length, 8):
            places.setdefault(dword, []).append(sequence)
    return places
