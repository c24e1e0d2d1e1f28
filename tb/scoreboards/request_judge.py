"""Requests on the links of endpoints: exactly those that the descriptors in flight call for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from tb.checkers.tlp_rules import SOURCES
from tb.scoreboards.answered_reads import AnsweredReads
from tb.scoreboards.endpoint_state import COMPLETION_BYTES, DESCRIPTOR_BYTES, RECORD_BLOCK_BYTES, EndpointState
from tb.scoreboards.flow_matcher import FlowMatcher, Matches
from tb.scoreboards.scoreboard import ScoreboardError
from tb.scoreboards.tlp_batch import I64, U64, Bool, TlpBatch
from tb.scoreboards.tlp_types import Kind, TlpClass
from tb.scoreboards.transfer_job import Job
from tb.scoreboards.transfer_prediction import in_range, without_tag


class RequestJudge:
    """``by_up``: the endpoint of each upstream link. Part of the transfer scoreboard, whose name and block it fails with."""

    def __init__(self, checker: str, block: str, by_up: Mapping[int, EndpointState]) -> None:
        self._checker, self._block, self._by_up = checker, block, by_up
        self._up = np.zeros(SOURCES, np.bool_)
        self._up[list(by_up)] = True
        self._matcher = FlowMatcher()
        self._names = {endpoint.rules.device: endpoint.rules.name for endpoint in by_up.values()}
        self._answers = AnsweredReads({up: endpoint.rules.down for up, endpoint in by_up.items()})
        self._expected: list[tuple[TlpBatch, NDArray[np.int64]]] = []
        self._finished: dict[int, tuple[Job, int, int]] = {}
        self.compared = 0

    def expect(self, requests: TlpBatch, jobs: NDArray[np.int64]) -> None:
        """Descriptors of this batch make their endpoint send ``requests``; ``jobs``: number of each one's transfer."""
        self._expected.append((requests, jobs))

    def finished(self, job: Job, sequence: int, code: int) -> None:
        """A transfer completed with ``code`` in this batch, at record ``sequence``."""
        self._finished[job.number] = job, sequence, code

    def match(self, tlps: TlpBatch) -> None:
        """Judge the requests of a batch, after everything it says about descriptors has been told."""
        chosen = self._up[tlps.link] & (tlps.tlp_class != TlpClass.COMPLETION)
        sent = tlps.take(chosen)
        if len(sent):
            own = self._own_traffic(sent)
            self._judge_own(sent.take(own))
            sent = sent.take(~own)
        observed = without_tag(sent)
        parts, self._expected = self._expected, []
        if parts:
            expected = TlpBatch(np.concatenate([part.words for part, _ in parts], axis=1), tlps.payload, tlps.payload_base)
            owner = np.concatenate([numbers for _, numbers in parts])
        else:
            expected, owner = TlpBatch.none(), np.zeros(0, np.int64)
        matches = self._matcher.match(expected, owner, observed)
        if matches.unmatched.size:
            row = int(matches.unmatched[0])
            self.fail(observed, row, f"no descriptor in flight makes it send {observed.describe(row)}")
        self.compared += matches.rows.size
        reads = observed.kind[matches.rows] == Kind.MEMORY_READ
        answered = self._answers.ingest(sent.take(matches.rows[reads]), matches.ingress[reads], tlps)
        if self._finished:
            self._judge_finished(observed, matches, *answered)

    def _judge_own(self, own: TlpBatch) -> None:
        """Completion records and interrupts announce data written before: with relaxed ordering they could pass it."""
        relaxed = own.relaxed_ordering & (own.kind == Kind.MEMORY_WRITE)
        if relaxed.any():
            row = int(np.argmax(relaxed))
            self.fail(own, row, f"a completion record or an interrupt has relaxed ordering: {own.describe(row)}")

    def _judge_finished(self, observed: TlpBatch, matches: Matches, answered: I64, answered_at: U64) -> None:
        """No request after the completion of its transfer; none missing, and no read unanswered, before that of a successful one.

        ``answered``: transfers whose reads ended in this batch, ``answered_at``: where in the log.
        """
        done, self._finished = self._finished, {}
        numbers = np.array(sorted(done), np.int64)
        ended = np.array([done[number][1] for number in numbers.tolist()], np.uint64)
        position = np.minimum(np.searchsorted(numbers, matches.ingress), numbers.size - 1)
        late = (numbers[position] == matches.ingress) & (observed.sequence[matches.rows] > ended[position])
        if late.any():
            row = int(matches.rows[int(np.argmax(late))])
            self.fail(observed, row, f"{observed.describe(row)} was sent after the completion of its descriptor")
        failed = np.array([number for number, (_, _, code) in done.items() if code], np.int64)
        if failed.size:
            self._matcher.withdraw(failed)
        missing = np.isin(self._matcher.waiting_ingress, numbers)
        if missing.any():
            row = int(np.argmax(missing))
            waiting = self._matcher.waiting
            job = done[int(self._matcher.waiting_ingress[row])][0]
            self.fail(waiting, row, f"slot {job.slot} completed, but {waiting.describe(row)} was never sent for it")
        at = np.minimum(np.searchsorted(numbers, answered), numbers.size - 1)
        late = (numbers[at] == answered) & (answered_at > ended[at])
        unanswered = {*answered[late].tolist(), *self._answers.waiting.tolist()}
        for number in sorted(unanswered & done.keys()):
            job, sequence, code = done[number]
            if code == 0:
                message = f"{self._names[job.device]}: slot {job.slot} completed before the last completion of one of its reads"
                raise ScoreboardError(self._checker, self._block, message, sequence=sequence)

    def _own_traffic(self, observed: TlpBatch) -> Bool:
        """Requests of the rings and interrupts, which no descriptor predicts: fetches, completions, MSI-X."""
        own = np.zeros(len(observed), np.bool_)
        address = observed.address
        read = observed.kind == Kind.MEMORY_READ
        for link, endpoint in self._by_up.items():
            here = observed.link == link
            rings = endpoint.rings
            if rings is not None:
                whole = (address | observed.length_dw << np.uint32(2)) & np.uint64(DESCRIPTOR_BYTES - 1) == 0
                fetch = in_range(address, rings.descriptor_dma, rings.descriptor_entries * DESCRIPTOR_BYTES)
                if endpoint.chained:
                    fetch |= np.isin(address, np.fromiter(endpoint.chained, np.uint64))
                own |= here & read & whole & fetch & (observed.first_be == 0xF)
                whole = (address | observed.length_dw << np.uint32(2)) & np.uint64(COMPLETION_BYTES - 1) == 0
                whole &= (address % np.uint64(RECORD_BLOCK_BYTES)) + observed.length_bytes <= RECORD_BLOCK_BYTES
                whole &= (observed.first_be == 0xF) & (observed.last_be == 0xF)
                record = in_range(address, rings.completion_dma, rings.completion_entries * COMPLETION_BYTES)
                own |= here & ~read & whole & record
            if endpoint.interrupt_target is not None:
                own |= here & ~read & (address == np.uint64(endpoint.interrupt_target[0])) & (observed.length_dw == 1)
        return own

    def finish(self) -> None:
        """Raises ScoreboardError when a request was never sent."""
        waiting = self._matcher.waiting
        if len(waiting):
            self.fail(waiting, 0, f"{waiting.describe(0)} was never sent")

    def fail(self, tlps: TlpBatch, row: int, message: str) -> NoReturn:
        name = self._by_up[int(tlps.link[row])].rules.name
        raise ScoreboardError(self._checker, self._block, f"{name}: {message}", int(tlps.cycle[row]), int(tlps.sequence[row]))
