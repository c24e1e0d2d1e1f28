"""Matches the TLPs that a block was to send with those that it sent.

Expected and observed TLPs meet by all of their header, prefix and link; of equal ones the first expected is the first observed.
Expected TLPs wait from batch to batch; an observed one must have its cause before it in the log.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tb.scoreboards.payload_compare import payloads_equal
from tb.scoreboards.tlp_batch import I64, U64, Bool, Rows, TlpBatch


@dataclass(frozen=True)
class Matches:
    """Result of one batch: ``causes`` row i is the expectation that ``observed`` row ``rows[i]`` met (``rows`` ascends)."""

    causes: TlpBatch
    ingress: I64
    """Where the cause came from (a link, or whatever number the expectation was given), shape ``[m]``."""
    rows: Rows
    unmatched: Rows
    """Observed rows without a cause."""


def header_key(tlps: TlpBatch) -> U64:
    """A 64-bit key of link, header and prefix; equal for equal TLPs, different (but for chance) for others."""
    h0, h1, h2, h3 = (tlps.header[i].astype(np.uint64) for i in range(4))
    shift = np.uint64(32)
    key: U64 = (h0 | h1 << shift) * np.uint64(0x9E37_79B9_7F4A_7C15)
    key ^= key >> np.uint64(29)
    key = (key + (h2 | h3 << shift)) * np.uint64(0xBF58_476D_1CE4_E5B9)
    key ^= key >> shift
    where = tlps.link.astype(np.uint64) << np.uint64(33) | tlps.has_prefix.astype(np.uint64) << shift
    key = (key + (tlps.prefix.astype(np.uint64) | where)) * np.uint64(0x94D0_49BB_1331_11EB)
    key ^= key >> np.uint64(29)
    return key


def transaction_key(tlps: TlpBatch) -> U64:
    """Link and Transaction ID."""
    return tlps.link.astype(np.uint64) << np.uint64(26) | tlps.transaction


def stable_order(keys: U64) -> I64:
    """``np.argsort(keys, kind="stable")``, several times faster for thousands of keys in no order."""
    order = np.argsort(keys)
    ordered = keys[order]
    turns = np.zeros(keys.size, np.uint64)
    np.not_equal(ordered[1:], ordered[:-1], out=turns[1:], casting="unsafe")
    # Which value it is, and the position among equal ones.
    ranks = np.cumsum(turns, dtype=np.uint64) << np.uint64(32) | order.astype(np.uint64)
    ranks.sort()
    return (ranks & np.uint64(0xFFFF_FFFF)).astype(np.int64)


def first_in_first_out(expected: U64, observed: U64) -> tuple[I64, Bool]:
    """Pairs the k-th of each value in ``observed`` with the k-th in ``expected``.

    Returns for each observed the position in ``expected`` (-1: none is left), and which of ``expected`` were taken.
    """
    known, count = expected.size, expected.size + observed.size
    keys = np.concatenate((expected, observed))
    order = stable_order(keys)
    keys = keys[order]
    is_expected = order < known
    new = np.ones(count, np.bool_)
    new[1:] = keys[1:] != keys[:-1]
    start = np.maximum.accumulate(np.where(new, np.arange(count), 0))
    before: I64 = np.cumsum(is_expected) - is_expected
    in_group: I64 = before - before[start]
    # In a group the expected stand first; behind e of them, the k-th observed is at start + e + k.
    partner = np.arange(count) - in_group
    valid = ~is_expected & (partner - start < in_group)
    found = np.full(observed.size, -1, np.int64)
    taken = np.zeros(known, np.bool_)
    chosen = order[partner[valid]]
    found[order[valid] - known] = chosen
    taken[chosen] = True
    return found, taken


class FlowMatcher:
    """Holds what is still expected; ``key`` says what makes an expected and an observed TLP the same."""

    def __init__(self, by_transaction: bool = False) -> None:
        self._key = transaction_key if by_transaction else header_key
        self._waiting = TlpBatch.none()
        self._ingress: I64 = np.zeros(0, np.int64)

    @property
    def waiting(self) -> TlpBatch:
        """Expected TLPs that have not been seen; their link is the one on which they must leave."""
        return self._waiting

    @property
    def waiting_ingress(self) -> I64:
        """Where the causes of :attr:`waiting` came from."""
        return self._ingress

    def withdraw(self, ingress: I64) -> None:
        """No longer expect what came from these."""
        kept = ~np.isin(self._ingress, ingress)
        self._waiting, self._ingress = self._waiting.take(kept), self._ingress[kept]

    def match(self, expected: TlpBatch, ingress: I64, observed: TlpBatch) -> Matches:
        """Match one batch; ``expected`` and ``observed`` in log order."""
        causes = expected.after(self._waiting)
        entered = np.concatenate((self._ingress, ingress))
        found, taken = first_in_first_out(self._key(causes), self._key(observed))
        late = found >= 0
        late[late] = observed.sequence[late] < causes.sequence[found[late]]
        rows = np.flatnonzero((found >= 0) & ~late)
        result = Matches(causes.take(found[rows]), entered[found[rows]], rows, np.flatnonzero((found < 0) | late))
        left = np.flatnonzero(~taken)
        self._waiting = causes.carry(left)
        self._ingress = entered[left]
        return result


def payload_mismatch(causes: TlpBatch, observed: TlpBatch) -> int | None:
    """Row of the first pair whose payloads differ, None when all are equal."""
    equal = causes.length_bytes == observed.length_bytes
    same = payloads_equal(
        causes.payload.bytes,
        causes.payload_start,
        observed.payload.bytes,
        observed.payload_start,
        np.where(equal, observed.length_bytes, np.uint32(0)),
    )
    same &= equal
    return None if same.all() else int(np.argmin(same))
