"""The translation scoreboard: every answer of the IOMMU is one that the tables in memory allowed.

It rebuilds the tables from the log and judges each request over its window, from request to response. Entries that did not change
have one answer, given by the golden model for whole batches. An entry that changed in the window may be seen old or new; one that
was valid when it was replaced may be seen old until the fence behind its invalidation has completed; one that was not valid is
never seen old by a request that came after the write. Every fault must have its record in the fault queue, and every record its
fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

import numpy as np
from sluicegate.iommu.batch import BatchRequest, BatchTranslator
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.request import AddressType, FaultRecord, Request, Response, Status
from sluicegate.iommu.translate import translate
from sluicegate.platform import ADDRESS_MAP, AddressMap

from tb.bridge.event_log import Actor, EventArray, EventFlag, EventKind, LogBatch, RequestBit
from tb.scoreboards.fault_log import FAULT_RECORD_BYTES, ExpectedFault, FaultKey, FaultLog, describe
from tb.scoreboards.iommu_state import COMMAND_BYTES, IommuState
from tb.scoreboards.replayed_tables import ReplayedTables
from tb.scoreboards.replica import Replica
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardResult
from tb.scoreboards.table_memory import TableMemory, no_choices
from tb.scoreboards.tlp_batch import Bool
from tb.scoreboards.translation_outcomes import alike, describe_answer, fault_key, fits, outcomes, request_of
from tb.scoreboards.translation_pairs import TranslationPairer, TranslationPairs

_AMBIGUOUS_PERCENT = 1


@dataclass(frozen=True)
class _Ending:
    """A configuration that was in force until ``sequence``."""

    configuration: IommuConfiguration
    sequence: int


class TranslationScoreboard(Scoreboard):
    """Judges one IOMMU with the given capabilities.

    ``race``: the test provokes ambiguous answers, and both the old and the new must be seen; otherwise at most 1 % of the
    answers may be ambiguous. ``access_faults`` and ``poison``: aligned dwords where the test lets memory fail.
    """

    name = "translation"
    block = "iommu"

    def __init__(
        self,
        capabilities: Capabilities,
        race: bool = False,
        address_map: AddressMap = ADDRESS_MAP,
        access_faults: set[int] | None = None,
        poison: set[int] | None = None,
    ) -> None:
        self._state = IommuState(capabilities)
        self._race = race
        replica = Replica(address_map)
        self._memory = TableMemory(
            replica, address_map, set() if access_faults is None else access_faults, set() if poison is None else poison
        )
        self._tables = ReplayedTables(self._state, replica, self._memory, self._changed)
        self._pairer = TranslationPairer(self.name)
        self._translator = BatchTranslator(self._state.configuration, self._memory)
        self._translator_is_current = True
        self._endings: list[_Ending] = []
        self._commands_written: dict[int, int] = {}
        self._recorded: dict[tuple[int, int], bool] = {}
        self._faults = FaultLog()
        self._compared = self._ambiguous = self._saw_old = self._saw_new = self._faulted = self._exempt = 0
        self._end = 0

    def ingest(self, batch: LogBatch) -> None:
        records = batch.records
        if records.size == 0:
            return
        pairs = self._pairer.ingest(batch)
        wanted = _RELEVANT[records["kind"]]
        if self._tables.map.incomplete:
            wanted |= (records["kind"] == EventKind.MEMORY_READ) & (records["source"] == Actor.IOMMU)
        pairs = self._walk(batch, records[wanted], pairs)
        self._judge(pairs)
        self._end = int(records["sequence"][-1]) + 1
        waiting = self._pairer.outstanding
        oldest = int(TranslationPairs(waiting, waiting).requested_at.min()) if waiting.size else self._end
        self._tables.history.forget(oldest)
        self._endings = [ending for ending in self._endings if ending.sequence > oldest]
        self._refuse_idle_records(waiting)

    # The log, record by record: tables, registers, commands, fault records.

    def _walk(self, batch: LogBatch, records: EventArray, pairs: TranslationPairs) -> TranslationPairs:
        """Apply the records; returns the pairs that are still to be judged when all are applied."""
        records = records[(records["kind"] != EventKind.MEMORY_WRITE) | (records["flags"] & EventFlag.FAILED == 0)]
        by_device = (records["kind"] == EventKind.MEMORY_WRITE) & (records["source"] == Actor.LINK)
        rows = np.flatnonzero(~by_device)
        others = records[rows]
        payload, base = batch.payload.data, batch.payload_base
        columns = (others[name].tolist() for name in ("kind", "source", "address", "length", "sequence", "payload"))
        done = 0
        for row, kind, source, address, length, sequence, position in zip(rows.tolist(), *columns, strict=True):
            if done < row:
                self._tables.write_many(batch, records[done:row])
            done = row + 1
            if kind == _MEMORY_WRITE:
                data = payload[position - base : position - base + length]
                if source == _IOMMU:
                    self._tables.replica.store(address, data)
                    self._iommu_write(records[row], address, bytes(data) if length == FAULT_RECORD_BYTES else b"")
                elif not self._tables.write(address, data, sequence):
                    for entry in self._state.command_queue.slots(address, length, COMMAND_BYTES):
                        self._commands_written[entry] = sequence
            elif kind == _REGISTER_WRITE:
                pairs = self._register_write(records[row], sequence, pairs)
            elif kind == _IOMMU_COMMAND:
                self._command(records[row], sequence)
            elif self._state.command_queue.slot(address, COMMAND_BYTES) is None:
                self._tables.map.learn(address >> 12, length)
        if done < records.size:
            self._tables.write_many(batch, records[done:])
        return pairs

    def _command(self, record: Any, sequence: int) -> None:
        words = [int(word) for word in record["header"]]
        slot = self._state.commands % self._state.command_queue.entries
        self._state.commands += 1
        submitted = self._commands_written.get(slot, sequence)
        self._tables.history.command(words[0] | words[1] << 32, words[2] | words[3] << 32, submitted, sequence)

    def _register_write(self, record: Any, sequence: int, pairs: TranslationPairs) -> TranslationPairs:
        before = self._state.configuration
        changed = self._state.write(record)
        self._note_fault_queue(sequence)
        if not changed:
            return pairs
        now = self._state.configuration
        earlier = pairs.answered_at < np.uint64(sequence)
        self._state.configuration = before
        self._judge(pairs.take(earlier))
        self._state.configuration = now
        self._endings.append(_Ending(before, sequence))
        self._translator = BatchTranslator(now, self._memory)
        self._tables.rebuild()
        return pairs.take(~earlier)

    def _changed(self) -> None:
        self._translator_is_current = False
        self._recorded.clear()

    def _iommu_write(self, record: Any, address: int, data: bytes) -> None:
        state = self._state
        slot = state.fault_queue.slot(address, FAULT_RECORD_BYTES) if state.fault_queue.on else None
        if slot is None:
            if address >> 12 in self._tables.map.pages:
                self._changed()
            return
        if slot != state.fault_tail or not data:
            self._fail(
                record,
                f"fault record of {len(data)} bytes written to entry {slot}, expected 32 bytes in entry {state.fault_tail}",
            )
        state.fault_tail = (state.fault_tail + 1) % state.fault_queue.entries
        self._note_fault_queue(int(record["sequence"]))
        words = np.frombuffer(data, ">u8" if state.configuration.big_endian else "<u8").tolist()
        fault = FaultRecord.unpack((words[0], words[1], words[2], words[3]))
        wrong = self._faults.record(fault, int(record["sequence"]), int(record["cycle"]))
        if wrong is not None:
            self._fail(record, wrong)

    def _note_fault_queue(self, sequence: int) -> None:
        state = self._state
        if state.fault_queue_full:
            state.overflow = True
        elif state.overflow and not self._faults.expected:
            # Nothing was lost while it was full.
            state.overflow = False
        self._faults.lossy(sequence, not state.fault_queue.on or state.overflow)

    def _refuse_idle_records(self, waiting: np.ndarray[Any, np.dtype[np.uint32]]) -> None:
        """A record may be ahead of its response, but not of its request."""
        if not self._faults.records:
            return
        open_requests = TranslationPairs(waiting, waiting)
        keys = {fault_key(request_of(open_requests, row)) for row in range(len(open_requests))}
        for key, records in self._faults.records.items():
            if key not in keys:
                record, sequence, cycle = records[0]
                raise self.error(
                    f"fault record (cause {int(record.cause)}) of {describe(key)}, which did not fault", cycle, sequence
                )

    # Requests.

    def _judge(self, pairs: TranslationPairs) -> None:
        if len(pairs) == 0:
            return
        self._compared += len(pairs)
        found: list[tuple[FaultKey, ExpectedFault]] = []
        special = self._affected(pairs) | (pairs.address_type != AddressType.UNTRANSLATED)
        for ending in self._endings:
            special |= pairs.requested_at < np.uint64(ending.sequence)
        rows = np.flatnonzero(~special)
        if rows.size:
            wrong = self._judge_batch(pairs.take(rows), found)
            special[rows[wrong]] = True
        if special.any():
            self._judge_alike(pairs.take(np.flatnonzero(special)), found)
        # Faults of one key meet their records in order, whichever way their requests were judged.
        for key, fault in sorted(found, key=lambda pair: pair[1].sequence):
            difference = self._faults.expect(key, fault)
            if difference is not None:
                raise self.error(difference, fault.cycle, fault.sequence)

    def _affected(self, pairs: TranslationPairs) -> Bool:
        """Requests for which some entry on their way may be seen with more than the value that it has now."""
        affected = np.zeros(len(pairs), np.bool_)
        changes = self._tables.history.changes
        if not changes:
            return affected
        order = np.argsort(pairs.iova, kind="stable")
        iova, asked = pairs.iova[order], pairs.requested_at
        begin = np.searchsorted(iova, np.array([change.first for change in changes], np.uint64), "left").tolist()
        end = np.searchsorted(iova, np.array([change.last for change in changes], np.uint64), "right").tolist()
        for change, low, high in zip(changes, begin, end, strict=True):
            if low < high:
                rows = order[low:high]
                seen = asked[rows] < np.uint64(change.retired_at if change.valid else change.written_at)
                seen |= asked[rows] < np.uint64(change.written_at)
                for device in np.unique(pairs.device_id[rows[seen]]).tolist():
                    if change.page.responsible_for(change.address, device):
                        affected[rows[seen & (pairs.device_id[rows] == device)]] = True
        return affected

    def _judge_batch(self, pairs: TranslationPairs, found: list[tuple[FaultKey, ExpectedFault]]) -> Bool:
        """Judge requests with one answer each, faults into ``found``; returns those that differ, mask of shape ``[n]``."""
        if not self._translator_is_current:
            self._translator.invalidate()
            self._translator_is_current = True
        self._memory.choices, self._memory.chosen = no_choices, {}
        self._memory.updates.clear()
        requests = BatchRequest(
            pairs.device_id,
            pairs.process_id,
            pairs.has(RequestBit.PV),
            pairs.has(RequestBit.PRIV),
            pairs.has(RequestBit.EXEC),
            pairs.has(RequestBit.WRITE),
            pairs.iova,
        )
        answer = self._translator.translate(requests)
        success = pairs.status == 0
        wrong = success != (answer.status == Status.OK)
        wrong |= success & ((pairs.spa != answer.spa) | (pairs.size > answer.page_shift))
        wrong |= pairs.status == 2
        if self._memory.updates:
            # An A or D bit that should be in memory is not: find the request.
            wrong[:] = True
        for row in np.flatnonzero(~success & ~wrong).tolist():
            request = request_of(pairs, row)
            cause = int(answer.cause[row])
            if self._is_recorded(request, cause):
                found.append(_expected_fault(pairs, row, request, {cause}))
            self._faulted += 1
        return np.asarray(wrong)

    def _is_recorded(self, request: Request, cause: int) -> bool:
        """Is this fault of this device recorded, or suppressed by DTF?"""
        known = self._recorded.get((request.device_id, cause))
        if known is None:
            known = translate(request, self._state.configuration, self._memory).fault is not None
            self._recorded[request.device_id, cause] = known
        return known

    def _judge_alike(self, pairs: TranslationPairs, found: list[tuple[FaultKey, ExpectedFault]]) -> None:
        """Judge requests one by one, but equal ones that were answered alike while the same entries could be seen only once."""
        turns = sorted({*self._tables.history.turns(), *(ending.sequence for ending in self._endings)})
        for rows in alike(pairs, turns):
            self._judge_one(pairs, rows, found)

    def _judge_one(self, pairs: TranslationPairs, rows: list[int], found: list[tuple[FaultKey, ExpectedFault]]) -> None:
        """Judge ``rows``, which are alike, by the first of them."""
        row, count = rows[0], len(rows)
        asked, answered = int(pairs.requested_at[row]), int(pairs.answered_at[row])
        request = request_of(pairs, row)
        choices = cache(lambda address: self._tables.history.values(address, asked, answered, self._tables.replica))
        configurations = [self._state.configuration]
        configurations += [ending.configuration for ending in self._endings if asked < ending.sequence < answered]
        answers = [answer for each in configurations for answer in outcomes(request, each, self._memory, choices)]
        fitting = [answer for answer in answers if fits(pairs, row, request, answer)]
        if not fitting:
            self._fail_answer(pairs, row, request, answers)
        if len({(answer.status, answer.spa) for answer in answers}) > 1:
            self._ambiguous += count
            if fitting[0] is answers[0]:
                self._saw_new += count
            else:
                self._saw_old += count
        if request.address_type is AddressType.TRANSLATED and fitting[0].status is Status.OK:
            self._exempt += count
        if all(answer.fault is not None for answer in fitting):
            self._faulted += count
            causes = {int(answer.fault.cause) for answer in fitting if answer.fault is not None}
            found += [_expected_fault(pairs, each, request, causes) for each in rows]

    def _fail_answer(self, pairs: TranslationPairs, row: int, request: Request, answers: list[Response]) -> NoReturn:
        expected = sorted({describe_answer(answer) for answer in answers})
        observed = f"status {int(pairs.status[row])}"
        if int(pairs.status[row]) == 0:
            observed = f"{int(pairs.spa[row]):#x} (range 2^{int(pairs.size[row])})"
        raise self.error(
            f"{describe(fault_key(request))}: IOVA {request.iova:#x} answered with {observed}, expected {' or '.join(expected)}",
            int(pairs.cycle[row]),
            int(pairs.answered_at[row]),
        )

    def _fail(self, record: Any, message: str) -> NoReturn:
        raise self.error(message, int(record["cycle"]), int(record["sequence"]))

    def finish(self) -> ScoreboardResult:
        waiting = self._pairer.outstanding
        if waiting.size:
            first = describe(fault_key(request_of(TranslationPairs(waiting, waiting), 0)))
            raise self.error(f"{waiting.shape[1]} translation requests were never answered, the first for {first}")
        missing = self._faults.missing(self._end)
        if missing is not None:
            key, fault = missing
            raise self.error(f"no fault record for {describe(key)}, cause {sorted(fault.causes)}", fault.cycle, fault.sequence)
        for key in self._faults.records:
            raise self.error(f"fault record of {describe(key)}, which did not fault")
        self.require_compared(self._compared)
        if self._race and not (self._saw_old and self._saw_new):
            raise self.error(
                f"a race test must see both answers of ambiguous requests: {self._saw_old} saw the old, {self._saw_new} the new"
            )
        if not self._race and self._ambiguous * 100 > self._compared * _AMBIGUOUS_PERCENT:
            raise self.error(f"{self._ambiguous} of {self._compared} answers were ambiguous, more than {_AMBIGUOUS_PERCENT} %")
        figures = {
            "ambiguous": self._ambiguous,
            "ambiguous_old": self._saw_old,
            "ambiguous_new": self._saw_new,
            "faults": self._faulted,
            "fault_records": self._faults.compared,
            "fault_records_dropped": self._faults.excused,
            "fault_records_apart": self._faults.apart,
            "translated_exempt": self._exempt,
        }
        return ScoreboardResult(self.name, self.block, self._compared, figures=figures)


def _expected_fault(pairs: TranslationPairs, row: int, request: Request, causes: set[int]) -> tuple[FaultKey, ExpectedFault]:
    return fault_key(request), ExpectedFault(causes, int(pairs.answered_at[row]), int(pairs.cycle[row]))


# Plain integers: the enums are slow, and these are compared once for each record.
_MEMORY_WRITE, _REGISTER_WRITE = int(EventKind.MEMORY_WRITE), int(EventKind.REGISTER_WRITE)
_IOMMU_COMMAND, _IOMMU = int(EventKind.IOMMU_COMMAND), int(Actor.IOMMU)
_RELEVANT: Bool = np.zeros(256, np.bool_)
_RELEVANT[[EventKind.MEMORY_WRITE, EventKind.REGISTER_WRITE, EventKind.IOMMU_COMMAND]] = True
