"""When the reads of endpoints were answered: no transfer may complete before the last completion of each of its reads.

A read and its last completion meet by link, requester and tag: the first completion in the log that ends a request and comes
after the read. Source: PCI Express Base, completion rules: Byte Count is what is still to come, an error status ends the request.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tb.checkers.tlp_rules import SOURCES
from tb.scoreboards.tlp_batch import I64, U64, Bool, TlpBatch
from tb.scoreboards.tlp_types import CompletionStatus, Kind

_TRANSACTION_BITS = np.uint64(26)
_END, _ENTRY = -1, -2
"""In the place of a transfer: the end of a request, and a request on the link before."""


class AnsweredReads:
    """``down``: the link that brings the completions of each endpoint, by the link on which it sends.

    ``entry``: by such a link, one that its requests pass before, where some end that never get there. A tag that is used again
    on it was given up too.
    """

    def __init__(self, down: Mapping[int, int], entry: Mapping[int, int] | None = None) -> None:
        self._up_of = np.full(SOURCES, -1, np.int64)
        for up, link in down.items():
            self._up_of[link] = up
        self._entered = np.full(SOURCES, -1, np.int64)
        for up, link in (entry or {}).items():
            self._entered[link] = up
        self._key: U64 = np.zeros(0, np.uint64)
        self._job: I64 = np.zeros(0, np.int64)
        self._sequence: U64 = np.zeros(0, np.uint64)

    def ingest(self, reads: TlpBatch, jobs: I64, tlps: TlpBatch) -> tuple[I64, U64]:
        """Take the reads of a batch (with their tags, ``jobs`` the transfer of each) and all its TLPs.

        Returns the transfers whose reads ended in this batch and the sequence number of each end, shapes ``[n]``.
        """
        ends = tlps.take(np.flatnonzero(_ends_request(tlps) & (self._up_of[tlps.link] >= 0)))
        end_key = _key(self._up_of[ends.link].astype(np.uint64), ends)
        entries = tlps.take(np.flatnonzero((tlps.kind == Kind.MEMORY_READ) & (self._entered[tlps.link] >= 0)))
        entry_key = _key(self._entered[entries.link].astype(np.uint64), entries)
        key = np.concatenate((self._key, _key(reads.link.astype(np.uint64), reads), end_key, entry_key))
        sequence = np.concatenate((self._sequence, reads.sequence, ends.sequence, entries.sequence))
        others = (np.full(len(ends), _END, np.int64), np.full(len(entries), _ENTRY, np.int64))
        job = np.concatenate((self._job, jobs, *others))
        order = np.lexsort((sequence, key))
        key, sequence, job = key[order], sequence[order], job[order]
        is_read = job != _END
        same = key[1:] == key[:-1]
        answered = np.zeros(key.size, np.bool_)
        answered[:-1] = is_read[:-1] & ~is_read[1:] & same
        # A tag that is used again was given up by its endpoint (completion timeout).
        given_up = np.zeros(key.size, np.bool_)
        given_up[:-1] = is_read[:-1] & is_read[1:] & same
        left = np.flatnonzero(is_read & ~answered & ~given_up)
        self._key, self._job, self._sequence = key[left], job[left], sequence[left]
        rows = np.flatnonzero(answered & (job >= 0))
        return job[rows], sequence[rows + 1]

    @property
    def waiting(self) -> I64:
        """Transfers of the reads that have not ended."""
        return self._job[self._job >= 0]


def _key(up: U64, tlps: TlpBatch) -> U64:
    key: U64 = up << _TRANSACTION_BITS | tlps.transaction
    return key


def _ends_request(tlps: TlpBatch) -> Bool:
    """Completions after which nothing more comes under their tag."""
    here = (tlps.length_dw << np.uint32(2)) - (tlps.lower_address & np.uint32(3))
    last = (tlps.status != CompletionStatus.SC) | ~tlps.has_data | (tlps.byte_count <= here)
    mask: Bool = tlps.is_completion & last
    return mask
