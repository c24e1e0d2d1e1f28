"""Requests and their completions: every non-posted request of a link gets exactly its completions.

The outstanding requests are an array that goes from batch to batch. In a batch, requests and completions are sorted by
transaction (stable, so that each transaction keeps its order), and every rule becomes a comparison of neighbours.
Source: PCI Express Base, completion rules: Transaction ID, Byte Count, Lower Address, read completion boundary, status.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tb.checkers.tlp_rules import SOURCES, LinkRules
from tb.scoreboards.payload_store import PayloadStore
from tb.scoreboards.tlp_batch import U32, U64, Bool, TlpBatch
from tb.scoreboards.tlp_types import AddressType, CompletionStatus, Kind

_TRANSACTION_BITS = np.uint64(26)


@dataclass(frozen=True)
class TransactionViolation:
    """The first broken rule of a batch: the record, its link, and what was expected."""

    rule: str
    row_words: U32
    source: int
    sequence: int
    cycle: int


@dataclass
class _Steps:
    """Requests and completions of one batch (and the outstanding requests before it), sorted by transaction."""

    words: U32
    """Record words ``[16, n]``; those of the request for an outstanding one."""
    key: U64
    is_request: Bool
    remaining: U32
    """Bytes still to come after this step."""
    lower: U32
    """Lower Address of the next completion."""

    def take(self, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> _Steps:
        return _Steps(self.words[:, rows], self.key[rows], self.is_request[rows], self.remaining[rows], self.lower[rows])


def _empty() -> _Steps:
    none = np.zeros(0, np.uint32)
    return _Steps(np.zeros((16, 0), np.uint32), none.astype(np.uint64), none.astype(np.bool_), none, none)


class TransactionTracker:
    """Follows the transactions of all links; ``answered`` counts requests whose last completion came, by request link."""

    def __init__(self, links: tuple[LinkRules, ...]) -> None:
        self._request_link = np.full(SOURCES, -1, np.int64)
        self._boundary = np.full(SOURCES, 128, np.uint32)
        self._elsewhere = np.zeros(SOURCES, np.bool_)
        self._tracked = np.zeros(SOURCES, np.bool_)
        for link in links:
            self._boundary[link.source] = link.completion_boundary
            self._elsewhere[link.source] = link.completes_elsewhere
            if link.completions_on is not None:
                self._tracked[link.source] = True
                self._request_link[link.completions_on] = link.source
        self._open = _empty()
        self.answered = np.zeros(SOURCES, np.int64)
        self.requests = np.zeros(SOURCES, np.int64)
        self.completions = np.zeros(SOURCES, np.int64)

    def ingest(self, tlps: TlpBatch) -> TransactionViolation | None:
        """Follow a batch; returns the violation that comes first in the log, if any."""
        link = tlps.link
        completion = tlps.is_completion & (self._request_link[link] >= 0)
        wanted = completion | ((tlps.tlp_class == 1) & self._tracked[link])
        if not wanted.any():
            return None
        chosen = tlps.take(np.flatnonzero(wanted))
        steps = self._sorted(chosen)
        violation = self._judge(steps)
        if violation is None:
            link = chosen.link
            self.requests += np.bincount(link[~chosen.is_completion], minlength=SOURCES)
            self.completions += np.bincount(link[chosen.is_completion], minlength=SOURCES)
        return violation

    def _sorted(self, tlps: TlpBatch) -> _Steps:
        completion, kind = tlps.is_completion, tlps.kind
        link = np.where(completion, self._request_link[tlps.link], tlps.link).astype(np.uint64)
        key = link << _TRANSACTION_BITS | tlps.transaction
        size = tlps.length_dw << np.uint32(2)
        read = kind == Kind.MEMORY_READ
        total = np.where(read, tlps.byte_span, np.uint32(4))
        lower = np.where(read, tlps.first_byte.astype(np.uint32) & np.uint32(0x7F), np.uint32(0))
        atomic = kind == Kind.ATOMIC
        if atomic.any():
            compare_and_swap = (tlps.fmt_type & np.uint32(0x1F)) == 0x0E
            total = np.where(atomic, np.where(compare_and_swap, size >> np.uint32(1), size), total)
        here = np.minimum(tlps.byte_count, size - (tlps.lower_address & np.uint32(3)))
        ended = (tlps.status != CompletionStatus.SC) | ~tlps.has_data
        left = np.where(ended, np.uint32(0), tlps.byte_count - here)
        new = _Steps(
            tlps.words,
            key,
            ~completion,
            np.where(completion, left, total),
            np.where(completion, tlps.lower_address + here & np.uint32(0x7F), lower),
        )
        old = self._open
        steps = _Steps(
            np.concatenate((old.words, new.words), axis=1),
            np.concatenate((old.key, new.key)),
            np.concatenate((old.is_request, new.is_request)),
            np.concatenate((old.remaining, new.remaining)),
            np.concatenate((old.lower, new.lower)),
        )
        return steps.take(np.argsort(steps.key, kind="stable"))

    def _judge(self, steps: _Steps) -> TransactionViolation | None:
        count = steps.key.size
        same = np.zeros(count, np.bool_)
        same[1:] = steps.key[1:] == steps.key[:-1]
        request, opened = steps.is_request, steps.is_request | (steps.remaining > 0)
        before_open = np.zeros(count, np.bool_)
        before_open[1:] = same[1:] & opened[:-1]
        request_link = (steps.key >> _TRANSACTION_BITS).astype(np.intp)
        elsewhere = self._elsewhere[request_link]
        completion = ~request
        known = completion & before_open
        checks = [
            ("tag is used again while its request is outstanding", request & before_open & ~elsewhere),
            ("completion is unexpected: no request with its Transaction ID is outstanding", completion & ~before_open),
        ]
        origin = np.maximum.accumulate(np.where(request, np.arange(count), 0))
        if known.any():
            checks += self._completion_checks(steps, known, origin, request_link)
        first: TransactionViolation | None = None
        for rule, mask in checks:
            if mask.any():
                rows = np.flatnonzero(mask)
                batch = TlpBatch(steps.words[:, rows], PayloadStore.empty(), 0)
                position = int(np.argmin(batch.sequence))
                sequence = int(batch.sequence[position])
                if first is None or sequence < first.sequence:
                    words = batch.words[:, position : position + 1]
                    first = TransactionViolation(rule, words, int(batch.link[position]), sequence, int(batch.cycle[position]))
        if first is None:
            finished = known & ~opened
            self.answered += np.bincount(request_link[finished], minlength=SOURCES)
            last = np.ones(count, np.bool_)
            last[:-1] = ~same[1:]
            rows = np.flatnonzero(last & opened)
            kept = steps.take(rows)
            self._open = _Steps(steps.words[:, origin[rows]], kept.key, np.ones(rows.size, np.bool_), kept.remaining, kept.lower)
        return first

    def _completion_checks(
        self,
        steps: _Steps,
        known: Bool,
        origin: np.ndarray[tuple[int], np.dtype[np.intp]],
        request_link: np.ndarray[tuple[int], np.dtype[np.intp]],
    ) -> list[tuple[str, Bool]]:
        rows = np.flatnonzero(known)
        tlps = TlpBatch(steps.words[:, rows], PayloadStore.empty(), 0)
        requests = TlpBatch(steps.words[:, origin[rows]], tlps.payload, 0)
        expected, lower = steps.remaining[rows - 1], steps.lower[rows - 1]
        left = steps.remaining[rows]
        success, data, kind = tlps.status == CompletionStatus.SC, tlps.has_data, requests.kind
        read = kind == Kind.MEMORY_READ
        with_data = read | (kind == Kind.ATOMIC) | (kind == Kind.IO_READ) | (kind == Kind.CONFIG_READ)
        translation = read & (requests.address_type == AddressType.TRANSLATION_REQUEST)
        configuration = (kind == Kind.CONFIG_READ) | (kind == Kind.CONFIG_WRITE)
        plain = success & ~translation
        boundary = self._boundary[tlps.link] - np.uint32(1)
        found = {
            "TC, RO and NS of a completion must equal those of its request": (
                (tlps.header[0] ^ requests.header[0]) & np.uint32(0x0070_3000)
            )
            != 0,
            "status RRS answers something else than a configuration request": (tlps.status == CompletionStatus.CRS)
            & ~configuration,
            "successful completion has data if and only if its request wants some": success & (data != with_data),
            "Byte Count must be the bytes that are still to come": (plain & (tlps.byte_count != expected))
            | (success & translation & (tlps.byte_count > expected)),
            "Lower Address must be that of the first byte": plain & data & (tlps.lower_address != lower),
            "completion must end on a read completion boundary or at the end of the read": plain
            & (left > 0)
            & ((steps.lower[rows] & boundary) != 0),
        }
        checks = []
        for rule, broken in found.items():
            mask = np.zeros(known.size, np.bool_)
            mask[rows] = broken
            checks.append((rule, mask))
        return checks

    def outstanding(self) -> TlpBatch:
        """Requests that still wait for a completion, those of links with ``completes_elsewhere`` left out."""
        link = (self._open.key >> _TRANSACTION_BITS).astype(np.intp)
        return TlpBatch(self._open.words[:, ~self._elsewhere[link]], PayloadStore.empty(), 0)
