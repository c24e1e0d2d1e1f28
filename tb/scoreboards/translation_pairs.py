"""Translation requests of the IOMMU port paired with their responses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tb.bridge.event_log import (
    REQUEST_AT_SHIFT,
    RESPONSE_MRIF,
    RESPONSE_PBMT_SHIFT,
    RESPONSE_PERMISSIONS_SHIFT,
    RESPONSE_SIZE_SHIFT,
    RESPONSE_STATUS_SHIFT,
    EventKind,
    LogBatch,
    RequestBit,
)
from tb.scoreboards.scoreboard import ScoreboardError
from tb.scoreboards.tlp_batch import U32, U64, Bool, JudgedBatch, Rows


def _pair(words: U32, low: int) -> U64:
    joined: U64 = words[low].astype(np.uint64) | words[low + 1].astype(np.uint64) << np.uint64(32)
    return joined


@dataclass(frozen=True)
class TranslationPairs:
    """``n`` answered requests in the order of their responses: record words of request and response, ``[16, n]`` each."""

    request: U32
    response: U32

    def __len__(self) -> int:
        return int(self.request.shape[1])

    def take(self, rows: Rows | Bool) -> TranslationPairs:
        return TranslationPairs(self.request[:, rows], self.response[:, rows])

    @cached_property
    def requested_at(self) -> U64:
        """Sequence number of the request."""
        return _pair(self.request, 14)

    @cached_property
    def answered_at(self) -> U64:
        """Sequence number of the response."""
        return _pair(self.response, 14)

    @cached_property
    def cycle(self) -> U64:
        """Cycle of the response."""
        return _pair(self.response, 0)

    @cached_property
    def requested_in(self) -> U64:
        """Cycle of the request."""
        return _pair(self.request, 0)

    @cached_property
    def iova(self) -> U64:
        return _pair(self.request, 10)

    @cached_property
    def device_id(self) -> U32:
        return np.asarray(self.request[5])

    @cached_property
    def process_id(self) -> U32:
        return np.asarray(self.request[6])

    @cached_property
    def bits(self) -> U32:
        """Request bits, see :class:`~tb.bridge.event_log.RequestBit`."""
        return np.asarray(self.request[7])

    def has(self, bit: RequestBit) -> Bool:
        mask: Bool = (self.bits & np.uint32(bit)) != 0
        return mask

    @cached_property
    def address_type(self) -> U32:
        return self.bits >> np.uint32(REQUEST_AT_SHIFT) & np.uint32(3)

    @cached_property
    def spa(self) -> U64:
        return _pair(self.response, 10)

    @property
    def given(self) -> U32:
        """Everything that the response says beside the address: status, memory type, permissions, size, kind."""
        return np.asarray(self.response[5])

    @cached_property
    def status(self) -> U32:
        """0 success, 1 unsupported request, 2 completer abort."""
        return np.asarray(self.response[5] >> np.uint32(RESPONSE_STATUS_SHIFT) & np.uint32(3))

    @cached_property
    def memory_type(self) -> U32:
        return np.asarray(self.response[5] >> np.uint32(RESPONSE_PBMT_SHIFT) & np.uint32(3))

    @cached_property
    def size(self) -> U32:
        """log2 bytes of the range in which the answer holds."""
        return np.asarray(self.response[5] >> np.uint32(RESPONSE_SIZE_SHIFT) & np.uint32(0x3F))

    @cached_property
    def permissions(self) -> U32:
        """{0, CXL.io, untranslated-only, global, privileged, X, W, R}: what an ATS translation request is granted."""
        return np.asarray(self.response[5] >> np.uint32(RESPONSE_PERMISSIONS_SHIFT) & np.uint32(0xFF))

    @cached_property
    def mrif(self) -> Bool:
        """The answer is a memory-resident interrupt file; ``spa`` is its address."""
        mask: Bool = (self.response[5] & np.uint32(RESPONSE_MRIF)) != 0
        return mask

    @cached_property
    def notice_identity(self) -> U32:
        """Identity of the notice MSI of a memory-resident interrupt file."""
        return np.asarray(self.response[6])

    @cached_property
    def notice_page(self) -> U64:
        """Page number that the notice MSI is written to."""
        page: U64 = self.response[7].astype(np.uint64) | self.response[8].astype(np.uint64) << np.uint64(32)
        return page


@dataclass(frozen=True, eq=False)
class _Open:
    """Record words of requests without response, ``[16, n]``."""

    words: U32


_NOTHING_OPEN = _Open(np.zeros((16, 0), np.uint32))


@dataclass(frozen=True)
class _Paired:
    """What one batch made of the open requests; ``wrong``: what breaks the rules, and the record words of it, ``[16]``."""

    pairs: TranslationPairs
    open: _Open
    wrong: tuple[str, U32] | None = None


class TranslationPairer:
    """Follows the request ids from batch to batch; ``block`` names the IOMMU in failures."""

    def __init__(self, checker: str, block: str = "iommu") -> None:
        self._checker, self._block = checker, block
        self._open = _NOTHING_OPEN

    @property
    def outstanding(self) -> U32:
        """Record words of requests without response, ``[16, n]``."""
        return self._open.words

    def ingest(self, batch: LogBatch) -> TranslationPairs:
        """The pairs whose response is in ``batch``. Raises ScoreboardError for a response that answers nothing.

        Scoreboards that have followed the log from the same record on share their pairs.
        """
        shared = batch.shared if isinstance(batch, JudgedBatch) else {}
        paired = shared.get(self._open)
        if not isinstance(paired, _Paired):
            paired = shared[self._open] = _pair_up(batch, self._open)
        if paired.wrong is not None:
            message, words = paired.wrong
            record = words[:, None]
            raise ScoreboardError(self._checker, self._block, message, int(_pair(record, 0)[0]), int(_pair(record, 14)[0]))
        self._open = paired.open
        return paired.pairs


def _pair_up(batch: LogBatch, before: _Open) -> _Paired:
    kind = batch.records["kind"]
    wanted = (kind == EventKind.TRANSLATION_REQUEST) | (kind == EventKind.TRANSLATION_RESPONSE)
    new = np.ascontiguousarray(batch.records).view("<u4").reshape(-1, 16)[wanted].T
    words = np.concatenate((before.words, new), axis=1)
    key = (words[2] >> np.uint32(8) & np.uint32(0xFF)).astype(np.uint64) << np.uint64(32) | words[4]
    words = words[:, np.argsort(key, kind="stable")]
    port = words[2] >> np.uint32(8) & np.uint32(0xFF)
    request = (words[2] & np.uint32(0xFF)) == EventKind.TRANSLATION_REQUEST
    waits = np.zeros(request.size, np.bool_)
    waits[1:] = request[:-1] & (words[4, 1:] == words[4, :-1]) & (port[1:] == port[:-1])
    broken = request == waits
    wrong = None
    if broken.any():
        rows = np.flatnonzero(broken)
        first = rows[np.argmin(_pair(words[:, rows], 14))]
        what = "id is used again before its response" if request[first] else "response without request"
        wrong = f"translation port {int(port[first])}: {what}, id {int(words[4, first]):#x}", words[:, first]
    answer = np.flatnonzero(~request)
    answer = answer[np.argsort(_pair(words[:, answer], 14), kind="stable")]
    unanswered = request.copy()
    unanswered[:-1] &= ~waits[1:]
    return _Paired(TranslationPairs(words[:, answer - 1], words[:, answer]), _Open(words[:, unanswered]), wrong)
