"""Scoreboard of the DMA engine at its descriptor port: requests, bytes, statuses and their order, from the descriptors alone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb.bridge.event_log import Actor, EventFlag, EventKind, LogBatch
from tb.scoreboards.replica import Replica
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tb.scoreboards.tlp_batch import TlpBatch
from tb.scoreboards.tlp_types import CompletionStatus, Kind
from tb.scoreboards.transfer_prediction import Descriptors, EndpointRules, StatusCode, predicted_requests, without_tag

REQUEST_LINK = 0
COMPLETION_LINK = 1
REQUESTER_ID = 0x0300
ALL_ATTRIBUTES = 1 << 18 | 1 << 13 | 1 << 12
_COMPARED_WORDS = slice(4, 9)
_NOW = np.zeros(1, np.uint64)
_PREFIX_VALID = np.uint32(int(EventFlag.PREFIX_VALID) << 16)


@dataclass(frozen=True, slots=True)
class FaultRange:
    """Host addresses ``[base, base + size)`` whose reads fail with ``code``; writes to them are dropped."""

    base: int
    size: int
    code: StatusCode


@dataclass(slots=True)
class _Operation:
    identifier: int
    cookie: int
    code: int
    transferred: int
    reads: bool
    flushed: bool
    local: int
    bus: int
    length: int
    requests: int
    """Requests that have not been seen yet."""
    unanswered: int = 0
    """Reads that were seen and whose last completion was not."""


@dataclass(frozen=True, slots=True)
class _Expected:
    """A predicted request: header DWs and prefix, prefix flag, operation, offset of its first byte, bytes."""

    words: tuple[int, ...]
    prefixed: bool
    operation: _Operation
    offset: int
    span: int


class EngineScoreboard(Scoreboard):
    """``local_size``: bytes of local memory; ``max_payload``, ``max_read_request`` in bytes.

    Source and destination ranges of operations in flight together must not overlap: the engine gives no order between them.
    """

    name = "engine"
    block = "dma"

    def __init__(self, local_size: int, max_payload: int, max_read_request: int) -> None:
        self._rules = EndpointRules(
            REQUESTER_ID, "engine", REQUEST_LINK, COMPLETION_LINK, local_size, max_payload, max_read_request, ALL_ATTRIBUTES
        )
        self._host = Replica()
        self._local = np.zeros(local_size, np.uint8)
        self._known = np.zeros(local_size, np.bool_)
        self._faults: list[FaultRange] = []
        self._stop = StatusCode.SUCCESS
        self._operations: deque[_Operation] = deque()
        self._writes: deque[_Expected] = deque()
        self._reads: deque[_Expected] = deque()
        self._flushes: deque[_Expected] = deque()
        self._tags: dict[int, _Operation] = {}
        """Operations of the outstanding reads."""
        self._combinations: set[tuple[int, int, int, bool]] = set()
        self._observed = self._expected = self._statuses = self._bytes = 0

    def add_fault(self, fault: FaultRange) -> None:
        """Reads of this range fail from now on."""
        self._faults.append(fault)

    def set_stop(self, code: StatusCode) -> None:
        """Every operation accepted from now on ends with this code before it begins; SUCCESS: they run again."""
        self._stop = code

    def ingest(self, batch: LogBatch) -> None:
        tlps = TlpBatch.of(batch)
        sent = tlps.take((tlps.link == REQUEST_LINK) | (tlps.link == COMPLETION_LINK))
        kinds = batch.records["kind"]
        wanted = (kinds == EventKind.DESCRIPTOR) | (kinds == EventKind.STATUS) | (kinds == EventKind.MEMORY_WRITE)
        records = batch.records[wanted]
        # TLPs between two other records form a run.
        cuts = np.searchsorted(sent.sequence, records["sequence"]).tolist()
        clean = without_tag(sent)
        headers = clean.words[_COMPARED_WORDS].T.tolist()
        prefixed = (clean.words[2] & _PREFIX_VALID != 0).tolist()
        completions = sent.is_completion.tolist()
        for (start, stop), record in zip(pairwise([0, *cuts, len(sent)]), [*records, None], strict=True):
            for row in range(start, stop):
                if completions[row]:
                    self._completion(sent, row)
                else:
                    self._request(sent, row, tuple(headers[row]), prefixed[row])
            if record is not None:
                self._record(batch, record)

    def _record(self, batch: LogBatch, record: Any) -> None:
        kind = record["kind"]
        if kind == EventKind.MEMORY_WRITE:
            if record["source"] == Actor.CPU:
                self._host.store(int(record["address"]), batch.payload_of(record).data)
        elif kind == EventKind.DESCRIPTOR:
            self._descriptor(int(record["argument"]), batch.payload_of(record))
        else:
            self._status(record)

    def _descriptor(self, identifier: int, raw: NDArray[np.uint8]) -> None:
        descriptors = Descriptors(np.ascontiguousarray(raw).view("<u8").reshape(1, 8), self._rules.local_size)
        if self._stop and (descriptors.reads | descriptors.writes | descriptors.flushes)[0]:
            descriptors.code[:] = self._stop
            descriptors.reads[:] = descriptors.writes[:] = descriptors.flushes[:] = False
        requests, _ = predicted_requests(descriptors, self._rules, _NOW, _NOW)
        reads = bool(descriptors.reads[0])
        length = int(descriptors.length[0]) if reads or bool(descriptors.writes[0]) else 0
        bus = int(descriptors.bus_address[0])
        local = int(descriptors.destination[0] if reads else descriptors.source[0])
        code, cookie = int(descriptors.code[0]), int(descriptors.cookie[0])
        transferred = 0 if code else length
        operation = _Operation(
            identifier, cookie, code, transferred, reads, bool(descriptors.flushes[0]), local, bus, length, len(requests)
        )
        self._operations.append(operation)
        self._expected += len(requests)
        words = requests.words[_COMPARED_WORDS].T.tolist()
        prefixed = (requests.words[2] & _PREFIX_VALID != 0).tolist()
        first, span = requests.first_byte.tolist(), requests.byte_span.tolist()
        for row, kind in enumerate(requests.kind.tolist()):
            zero = requests.first_be[row] == 0
            offset = max(first[row] - bus, 0)  # a flush names the DW
            expected = _Expected(tuple(words[row]), prefixed[row], operation, offset, span[row])
            queue = self._writes if kind == Kind.MEMORY_WRITE else self._flushes if zero else self._reads
            queue.append(expected)
            if kind != Kind.MEMORY_WRITE:
                self._apply_fault(operation, first[row], offset)
        if length:
            self._combinations.add((bus % 64, local % 64, length, reads))

    def _apply_fault(self, operation: _Operation, address: int, offset: int) -> None:
        """The first failing read in address order decides the status."""
        if operation.code:
            return
        for fault in self._faults:
            if fault.base <= address < fault.base + fault.size:
                operation.code, operation.transferred = fault.code, offset

    def _request(self, sent: TlpBatch, row: int, words: tuple[int, ...], prefixed: bool) -> None:
        self._observed += 1
        write = sent.kind[row] == Kind.MEMORY_WRITE
        queue = self._writes if write else self._flushes if sent.first_be[row] == 0 else self._reads
        where = int(sent.cycle[row]), int(sent.sequence[row])
        if not queue:
            raise self.error(f"no descriptor asks for {sent.describe(row)}", *where)
        expected = queue.popleft()
        if words != expected.words or prefixed != expected.prefixed:
            shown = " ".join(f"{word:08x}" for word in expected.words)
            raise self.error(f"{sent.describe(row)} where header and prefix {shown} (tag 0) were due", *where)
        expected.operation.requests -= 1
        if write:
            self._payload(sent, row, expected)
        else:
            expected.operation.unanswered += 1
            tag = int(sent.tag[row])
            holder = self._tags.get(tag)
            if holder is not None and holder.code != StatusCode.COMPLETION_TIMEOUT:
                raise self.error(f"{sent.describe(row)} uses tag {tag} again while its read is outstanding", *where)
            self._tags[tag] = expected.operation

    def _completion(self, sent: TlpBatch, row: int) -> None:
        here = 4 * int(sent.length_dw[row]) - (int(sent.lower_address[row]) & 3)
        if sent.status[row] == CompletionStatus.SC and sent.has_data[row] and sent.byte_count[row] > here:
            return
        operation = self._tags.pop(int(sent.tag[row]), None)
        if operation is not None:
            operation.unanswered -= 1

    def _payload(self, sent: TlpBatch, row: int, expected: _Expected) -> None:
        lead = (expected.operation.bus + expected.offset) & 3
        data = sent.payload_of(row)[lead : lead + expected.span]
        start = expected.operation.local + expected.offset
        known = self._known[start : start + expected.span]
        wrong = known & (data != self._local[start : start + expected.span])
        if wrong.any():
            at = int(np.argmax(wrong))
            raise self.error(
                f"byte {expected.offset + at} of operation {expected.operation.identifier} is {data[at]:#04x}, local memory at "
                f"{start + at:#x} holds {self._local[start + at]:#04x}",
                int(sent.cycle[row]),
                int(sent.sequence[row]),
            )
        self._bytes += int(np.count_nonzero(known))

    def _status(self, record: Any) -> None:
        where = int(record["cycle"]), int(record["sequence"])
        if not self._operations:
            raise self.error(f"status of operation {int(record['argument'])}, but none is in flight", *where)
        operation = self._operations.popleft()
        code, transferred = int(record["header"][0]), int(record["header"][1])
        seen = (int(record["argument"]), int(record["address"]), code, transferred)
        due = (operation.identifier, operation.cookie, operation.code, operation.transferred)
        if seen != due:
            raise self.error(f"status (id, cookie, code, bytes) {seen} where {due} is due", *where)
        # The last beat of a posted write may stand in the output register of the transmit arbiter when its operation ends.
        if operation.requests > (operation.code == 0 and not operation.reads and not operation.flushed):
            raise self.error(f"status of operation {operation.identifier} before {operation.requests} of its requests", *where)
        if operation.unanswered and operation.code != StatusCode.COMPLETION_TIMEOUT:
            left = operation.unanswered
            raise self.error(f"status of operation {operation.identifier} before the last completion of {left} reads", *where)
        self._statuses += 1
        if operation.reads:
            place = slice(operation.local, operation.local + operation.length)
            self._local[place] = self._host.view(operation.bus, operation.length)
            self._known[place] = operation.code == StatusCode.SUCCESS

    def finish(self) -> ScoreboardResult:
        missing = len(self._writes) + len(self._reads) + len(self._flushes)
        if missing or self._operations:
            raise self.error(f"{missing} requests and {len(self._operations)} statuses never came")
        if self._bytes == 0:
            raise self.error("no byte of payload was compared")
        requests = LinkCount(self._observed, self._expected, self._observed)
        return ScoreboardResult(
            self.name,
            self.block,
            self._observed + self._statuses,
            {"engine_request": requests},
            distinct={"offsets, length, direction": frozenset(map(str, self._combinations))},
            figures={"bytes": self._bytes, "statuses": self._statuses},
        )
