"""The judge of the random test: each answer is one that the golden model gives on tables which the request may have seen.

A request may have missed an edit that was made while it was under way, or that nothing has retired before it came. It has seen
every edit that was retired before, and none that came after its answer. What is left is mostly one answer, and the counts say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sluicegate.iommu.port import swap_u64
from sluicegate.iommu.request import AddressType

from tb.bridge.event_log import LogBatch, LookupOutcome, RequestBit
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tb.scoreboards.translation_pairs import TranslationPairs
from tests.block.iommu.bench import IDENTIFIERS, IommuBench, LoggedWrite
from tests.block.iommu.edit import Edit
from tests.block.iommu.page_tables import TableStore
from tests.block.iommu.queue_driver import FaultRecords
from tests.block.iommu.reference import GUEST_PAGE_MASK, Answer, FaultKey, Reference
from tests.block.iommu.request_pool import RequestPool
from tests.block.iommu.table_entries import NAPOT, A, D

AMBIGUOUS_PERCENT = 15
"""Most answers of a run that may be old or new: more would say that the test judges too little."""
MOST_PASSED = 3 * IDENTIFIERS
"""Later misses of its page that may pass one: with all identifiers in use it waits for those under way to have their turn."""
_CXL_IO, _WRITE_GRANT = 1 << 22, 1 << 17
_EXAMINED = 64
"""Requests of a round for which the answer before its edits is worked out, to count those that had to be new."""

Words = NDArray[np.uint64]


@dataclass
class Flight:
    """Requests of one round: their numbers in the pool, and what the port saw of them, in the same order."""

    numbers: NDArray[np.intp]
    pairs: TranslationPairs
    writes: list[LoggedWrite]
    """Writes to tables by the IOMMU, in the order of the log."""
    edits: list[Edit]
    """Edits that were pending when the round began, or made in it."""
    records: FaultRecords
    lookups: NDArray[np.uint32]
    """What the IOTLBs said to each request (:class:`LookupOutcome`)."""


@dataclass
class Verdict:
    """What was found out about a round: for each request its accepted answers (the one it agreed with first)."""

    answers: list[Answer]
    """Distinct answers."""
    answer_of: NDArray[np.intp]
    """Index in ``answers`` for each request."""
    settled: NDArray[np.bool_]
    """No edit was under way: the walk of the answer is the one that took place, not just one that ends alike."""


@dataclass(frozen=True)
class Accepted:
    """Answers that one request may have got; ``edited``: some edit was under way."""

    choices: list[Answer]
    edited: bool

    @property
    def exact(self) -> bool:
        """One answer, which can be compared as it stands."""
        answer = self.choices[0]
        return len(self.choices) == 1 and not answer.names_guest_page and not self._open_to_write(answer)

    def fits(self, observed: Words, spa: int) -> list[Answer]:
        """The answers that agree with what was seen."""
        words = tuple(observed.tolist())
        return [choice for choice in self.choices if words == choice.words or self._nearly(words, spa, choice)]

    def _open_to_write(self, choice: Answer) -> bool:
        """Whether W is granted may hang on the D bit that another request has set: in an entry which was replaced since, or in
        another entry of a NAPOT range."""
        return choice.grants_by_update and (self.edited or choice.in_napot_range)

    def _nearly(self, words: tuple[int, ...], spa: int, choice: Answer) -> bool:
        if choice.names_guest_page:
            low = (1 << 32) - 1
            page = (choice.response.spa or 0) >> 12 & GUEST_PAGE_MASK
            return words[0] & low == choice.words[0] & low and spa >> 12 == page
        return self._open_to_write(choice) and words[1:] == choice.words[1:] and words[0] ^ choice.words[0] == _WRITE_GRANT


def observed_words(pairs: TranslationPairs) -> Words:
    """The compared part of responses, three dwords each as ``reference.answer_words`` has them."""
    good = pairs.status == 0
    probe = pairs.address_type == AddressType.TRANSLATION_REQUEST
    granted = pairs.permissions.astype(np.uint64) << np.uint64(16) & ~np.uint64(_CXL_IO)
    placed = good & ~(probe & (pairs.permissions & 3 == 0))
    word = pairs.status.astype(np.uint64)
    word |= np.where(good & probe, granted, 0).astype(np.uint64)
    word |= np.where(placed, pairs.memory_type.astype(np.uint64) << np.uint64(8), 0).astype(np.uint64)
    mrif = placed & pairs.mrif
    file = np.uint64(1 << 24) | pairs.notice_identity.astype(np.uint64) << np.uint64(32)
    word |= np.where(mrif, file, 0).astype(np.uint64)
    page = np.where(placed, np.where(mrif, pairs.spa, pairs.spa >> np.uint64(12)), 0).astype(np.uint64)
    notice = np.where(mrif, pairs.notice_page, 0).astype(np.uint64)
    return np.stack((word, page, notice), axis=1)


class LockStep(Scoreboard):
    """Judges round after round; a mismatch is raised where it is seen."""

    name = "lock_step"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.compared = 0
        self.ambiguous = 0
        self.saw_old = 0
        self.new_only = 0
        self.dropped_records = 0
        self.kinds: Counter[str] = Counter()
        self.causes: Counter[int] = Counter()

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def finish(self) -> ScoreboardResult:
        bench = self._bench
        if self.ambiguous * 100 > self.compared * AMBIGUOUS_PERCENT:
            raise self.error(f"{self.ambiguous} of {self.compared} answers could be old or new: the test judges too little")
        self.require_compared(self.compared)
        link = LinkCount(bench.observed, bench.requests, self.compared)
        figures = {
            "ambiguous": self.ambiguous,
            "ambiguous_old": self.saw_old,
            "new_only": self.new_only,
            "causes": len(self.causes),
            "fault_records": self.causes.total(),
            "fault_records_dropped": self.dropped_records,
            **{f"edits_{kind.replace(' ', '_')}": count for kind, count in sorted(self.kinds.items())},
        }
        return ScoreboardResult(self.name, self.block, self.compared, {"translation": link}, figures=figures)

    # ---- a round ----

    def judge(self, flight: Flight, pool: RequestPool, reference: Reference, tables: TableStore) -> Verdict:
        """Judge a round. The tables are those after all edits; A and D as the hardware left them are adopted."""
        numbers = np.unique(flight.numbers).tolist()
        reference.begin_round()
        before = {number: reference.answer(number) for number in numbers}
        changed = self._adopt(flight, before, tables)
        dirtied = reference.readers(changed)
        reference.changed(changed)
        observed = observed_words(flight.pairs)
        marks = np.array(sorted({at for edit in flight.edits for at in (edit.applied_at, edit.retired_at)}), dtype=np.uint64)
        asked = np.searchsorted(marks, flight.pairs.requested_at, "right")
        answered = np.searchsorted(marks, flight.pairs.answered_at, "right")
        span = marks.size + 1
        keys, case_of = np.unique((flight.numbers * span + asked) * span + answered, return_inverse=True)
        places = {int(at): index + 1 for index, at in enumerate(marks.tolist())}
        touched = reference.readers({address for edit in flight.edits for address in edit.addresses})
        touched |= {number for number in numbers if not touched.isdisjoint((number,))}
        remapped = any(edit.configurations is not None for edit in flight.edits)
        accepted: list[Accepted] = []
        for key in keys.tolist():
            number, asked_in, answered_in = key // span // span, key // span % span, key % span
            answer = before[number]
            choices, edited = [answer], False
            if number in touched or remapped or number in dirtied:
                unseen = [edit for edit in flight.edits if places[edit.applied_at] > answered_in]
                undecided = [
                    edit for edit in flight.edits if places[edit.applied_at] <= answered_in and places[edit.retired_at] > asked_in
                ]
                probe = pool.requests[number].address_type is AddressType.TRANSLATION_REQUEST
                edited = bool(unseen or undecided)
                if edited:
                    choices = reference.alternatives(number, unseen, undecided)
                    if undecided and not unseen:
                        choices.append(answer)
                elif probe and number in dirtied:
                    choices.append(reference.answer(number))
            accepted.append(Accepted(_distinct(choices), edited))
        return self._compare(flight, pool, observed, accepted, case_of)

    def count_new(self, flight: Flight, reference: Reference) -> None:
        """Count requests of a round that came after edits were retired and could tell old from new."""
        retired = [edit for edit in flight.edits if edit.retired_at < (1 << 62) and edit.cures]
        if not retired:
            return
        settled = max(edit.retired_at for edit in retired)
        late = flight.numbers[flight.pairs.requested_at >= np.uint64(settled)]
        touched = reference.readers({address for edit in retired for address in edit.addresses})
        for number, count in list(Counter(number for number in late.tolist() if number in touched).items())[:_EXAMINED]:
            (old, *_) = reference.alternatives(number, retired, ())
            if old.same_as != reference.answer(number).same_as:
                self.new_only += count

    # ---- answers ----

    def _compare(
        self,
        flight: Flight,
        pool: RequestPool,
        observed: Words,
        accepted: Sequence[Accepted],
        case_of: NDArray[np.intp],
    ) -> Verdict:
        pairs = flight.pairs
        first = np.array([case.choices[0].words for case in accepted], dtype=np.uint64)
        largest = np.array([max(choice.page_shift for choice in case.choices) for case in accepted])
        open_case = np.array([not case.exact for case in accepted])
        agrees = (observed == first[case_of]).all(axis=1)
        placed = (observed[:, 1] != 0) & ~pairs.mrif
        offset = np.uint64(0xFFF)
        wrong = ~open_case[case_of] & ~agrees
        wrong |= placed & ((pairs.spa ^ pairs.iova) & offset != 0)
        wrong |= placed & ((pairs.size > largest[case_of]) | (pairs.size < 12))
        certain: Counter[FaultKey] = Counter()
        possible: Counter[FaultKey] = Counter()
        counts = np.bincount(case_of[~open_case[case_of]], minlength=len(accepted)).tolist()
        for case, count in zip(accepted, counts, strict=True):
            fault = case.choices[0].fault
            if count and fault is not None:
                certain[fault] += count
        answers = [case.choices[0] for case in accepted]
        answer_of = case_of.astype(np.intp)
        for row in np.flatnonzero(open_case[case_of]).tolist():
            case = accepted[int(case_of[row])]
            choices = case.choices
            agreeing = case.fits(observed[row], int(pairs.spa[row]))
            if not agreeing:
                wrong[row] = True
                continue
            self.ambiguous += len(choices) > 1
            self.saw_old += choices[0] not in agreeing
            if agreeing[0] is not choices[0]:
                answer_of[row] = len(answers)
                answers.append(agreeing[0])
            faults = {choice.fault for choice in agreeing}
            if len(faults) > 1:
                possible.update(fault for fault in faults if fault is not None)
            elif agreeing[0].fault is not None:
                certain[agreeing[0].fault] += 1
        if wrong.any():
            row = int(np.argmax(wrong))
            self._fail(flight, pool, row, accepted[int(case_of[row])].choices)
        self._require_progress(flight, pool)
        self.compared += len(pairs)
        self._judge_records(flight.records, certain, possible)
        return Verdict(answers, answer_of, ~np.array([case.edited for case in accepted])[case_of])

    def _require_progress(self, flight: Flight, pool: RequestPool) -> None:
        """The request that waited longest was not passed again and again by later ones to its page."""
        pairs = flight.pairs
        if len(flight.lookups) != len(pairs):
            raise self.error(f"{len(flight.lookups)} lookups were reported for {len(pairs)} requests")
        row = int(np.argmax(pairs.cycle - pairs.requested_in))
        later = (pairs.requested_at > pairs.requested_at[row]) & (pairs.answered_at < pairs.answered_at[row])
        later &= pairs.iova >> np.uint64(12) == pairs.iova[row] >> np.uint64(12)
        # Others may have an easier way to a page of that address.
        same = np.uint32(RequestBit.PV | RequestBit.PRIV)
        later &= (pairs.device_id == pairs.device_id[row]) & (pairs.process_id == pairs.process_id[row])
        later &= (pairs.bits ^ pairs.bits[row]) & same == 0
        # Hits pass misses as they please.
        passed = int(np.count_nonzero(later & (flight.lookups == LookupOutcome.MISS)))
        if passed > MOST_PASSED:
            request = pool.requests[int(flight.numbers[row])]
            raise self.error(
                f"{request} starved: {passed} later misses of its page were answered before it", int(pairs.cycle[row])
            )

    def _fail(self, flight: Flight, pool: RequestPool, row: int, choices: Sequence[Answer]) -> None:
        pairs = flight.pairs
        wanted = " or ".join(
            f"{choice.response.status.name} {'' if choice.response.spa is None else hex(choice.response.spa)} "
            f"{choice.response.memory_type.name} {choice.response.permissions or ''} {choice.response.mrif or ''} "
            f"size {choice.page_shift} cause {int(choice.response.cause or 0)}"
            for choice in choices
        )
        got = (
            f"status {pairs.status[row]}, {int(pairs.spa[row]):#x}, type {pairs.memory_type[row]}, "
            f"permissions {int(pairs.permissions[row]):#x}, size {pairs.size[row]}, mrif {bool(pairs.mrif[row])}"
        )
        request = pool.requests[int(flight.numbers[row])]
        message = f"{request} at {int(pairs.iova[row]):#x}: {wanted} expected, got {got}"
        raise self.error(message, int(pairs.cycle[row]), int(pairs.answered_at[row]))

    # ---- fault records ----

    def _judge_records(self, records: FaultRecords, certain: Counter[FaultKey], possible: Counter[FaultKey]) -> None:
        for fault, count in records.counts.items():
            self.causes[fault[0] & 0xFFF] += count
            if count > certain[fault] + possible[fault]:
                raise self.error(
                    f"{count} fault records {_describe(fault)}, {certain[fault]} to {certain[fault] + possible[fault]} expected"
                )
        missing = certain - records.counts
        if records.lossy:
            self.dropped_records += missing.total()
            if records.overflow and not (missing or possible):
                raise self.error("fqof is set although every record found room")
        elif missing:
            raise self.error(f"{missing.total()} fault records are missing, one of them {_describe(next(iter(missing)))}")

    # ---- A and D ----

    def _adopt(self, flight: Flight, before: dict[int, Answer], tables: TableStore) -> set[int]:
        """Judge and take over the IOMMU's writes to tables; returns the dwords that differ from the replica now."""
        content: dict[int, int] = {}
        edited: dict[int, list[tuple[int, int, int]]] = {}
        for edit in flight.edits:
            for address, (old, new) in edit.words.items():
                edited.setdefault(address, []).append((edit.applied_at, old, new))
        for write in flight.writes:
            address = write.address
            if address not in tables.big_endian or len(write.data) != 8:
                raise self.error(f"{len(write.data)} bytes written to {address:#x}, which is no entry of a table", None)
            word = int.from_bytes(write.data, "little")
            found = content.get(address, tables.words[address])
            later = [change for change in edited.get(address, ()) if change[0] > write.sequence]
            if later:
                found = later[0][1]
            mask = swap_u64(A | D) if tables.big_endian[address] else A | D
            if (word ^ found) & ~mask or (not later and found & ~word & mask):
                raise self.error(f"entry at {address:#x} was updated from {found:#x} to {word:#x}", None, write.sequence)
            if not later:
                content[address] = word
        if not flight.edits:
            self._require_updates(before, content, tables)
        for address, word in content.items():
            tables.adopt(address, word)
        return set(content)

    def _require_updates(self, before: dict[int, Answer], content: dict[int, int], tables: TableStore) -> None:
        """While the tables stand still the updates are exactly those of the model."""
        wanted: dict[int, int] = {}
        for answer in before.values():
            for address, word in answer.updates.items():
                wanted[address] = wanted.get(address, tables.words[address]) | word
        for address in sorted(wanted.keys() | content.keys()):
            expected, found = wanted.get(address, tables.words[address]), content.get(address, tables.words[address])
            if expected != found and not _by_napot(tables, content, address, expected):
                raise self.error(f"A and D of the entry at {address:#x}: {found:#x} in memory, {expected:#x} expected")


def _by_napot(tables: TableStore, content: dict[int, int], address: int, expected: int) -> bool:
    """Another entry of the same NAPOT range has the A and D that this one lacks: a read of that one may stand for all sixteen in
    a cache (Privileged specification, Svnapot), so that none of them is updated for this page. ``content``: dwords that the
    hardware has changed."""

    def entry(place: int) -> int:
        word = content.get(place, tables.words.get(place, 0))
        return swap_u64(word) if tables.big_endian[address] else word

    wanted = swap_u64(expected) if tables.big_endian[address] else expected
    others = [entry(place) for place in range(address & ~0x7F, (address & ~0x7F) + 128, 8)]
    return bool(wanted & NAPOT) and any(other | A | D == wanted | A | D and not wanted & ~other for other in others)


def _describe(fault: FaultKey) -> str:
    word, iotval, iotval2 = fault
    return f"of cause {word & 0xFFF}, device {word >> 40:#x}, type {word >> 34 & 63}, iotval {iotval:#x}, iotval2 {iotval2:#x}"


def _distinct(choices: Sequence[Answer]) -> list[Answer]:
    """Answers that can be told apart, in their order."""
    found: dict[tuple[object, ...], Answer] = {}
    for choice in choices:
        known = found.setdefault(choice.same_as, choice)
        known.page_shift = max(known.page_shift, choice.page_shift)
    return list(found.values())
