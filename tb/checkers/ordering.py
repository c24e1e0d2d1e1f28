"""Checker of PCIe ordering across a forwarding block: no TLP overtakes a posted one that entered before it, unless it may.

Source: PCI Express Base, transaction ordering table: posted, non-posted and completions may not pass posted, except with relaxed
ordering (writes, non-posted with data, completions) or ID-based ordering between different requesters. Order holds within one
traffic class, from one ingress link to one egress link. What *must* be able to pass is a matter of progress, not of order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tb.scoreboards.scoreboard import ScoreboardError
from tb.scoreboards.tlp_batch import U64, Bool, TlpBatch
from tb.scoreboards.tlp_types import CompletionStatus, TlpClass


@dataclass
class _Path:
    """Latest entries (sequence + 1) among TLPs that have left: of those that may pass nothing posted, and of ID-ordered ones."""

    strict: int = 0
    by_identity: dict[int, int] = field(default_factory=dict)


class OrderingChecker:
    """Judges pairs of entry and exit that a flow scoreboard has matched; ``compared`` counts them."""

    name = "ordering"

    def __init__(self, link_names: Mapping[int, str]) -> None:
        self._names = link_names
        self._paths: dict[tuple[int, int, int], _Path] = {}
        self.compared = 0

    def check(self, block: str, ingress: int, entered: U64, left: TlpBatch) -> None:
        """``left``: TLPs on one egress link in the order they left; ``entered``: the record of each at ``ingress``.

        Raises ScoreboardError when a posted TLP left after one that it had preceded and that had to stay behind it.
        """
        if len(left) == 0:
            return
        self.compared += len(left)
        classes = left.traffic_class
        for traffic_class in np.unique(classes).tolist():
            rows = np.flatnonzero(classes == traffic_class)
            path = self._paths.setdefault((ingress, int(left.link[0]), traffic_class), _Path())
            chosen = left if rows.size == len(left) else left.take(rows)
            overtaken = _overtaken(path, entered[rows].astype(np.int64) + 1, chosen)
            if overtaken is not None:
                raise ScoreboardError(
                    self.name,
                    block,
                    f"{self._names[ingress]} to {self._names[int(left.link[0])]}: {chosen.describe(overtaken)} was overtaken by "
                    f"a TLP that entered later and may not pass it; it entered as record {int(entered[rows[overtaken]])}",
                    int(chosen.cycle[overtaken]),
                    int(chosen.sequence[overtaken]),
                )


def _overtaken(path: _Path, entered: np.ndarray[tuple[int], np.dtype[np.int64]], tlps: TlpBatch) -> int | None:
    tlp_class = tlps.tlp_class
    posted = tlp_class == TlpClass.POSTED
    with_data = tlps.has_data
    free = tlps.relaxed_ordering & (with_data | (tlp_class != TlpClass.NONPOSTED))
    free |= tlps.is_completion & ~with_data & (tlps.status == CompletionStatus.SC)
    by_id = tlps.id_ordering & ~free
    latest = np.maximum.accumulate(np.concatenate(([path.strict], np.where(free | by_id, 0, entered))))
    late = posted & (latest[:-1] > entered)
    path.strict = int(latest[-1])
    if by_id.any() or path.by_identity:
        late |= _overtaken_by_id(path, entered, tlps, posted, by_id)
    return int(np.argmax(late)) if late.any() else None


def _overtaken_by_id(
    path: _Path, entered: np.ndarray[tuple[int], np.dtype[np.int64]], tlps: TlpBatch, posted: Bool, by_id: Bool
) -> Bool:
    # DW1[31:16]: the requester of requests, the completer of completions; the PASID refines it.
    identity = (tlps.header[1] >> np.uint32(16)).astype(np.int64) << 20 | (tlps.prefix & np.uint32(0xFFFFF))
    late = np.zeros(len(tlps), np.bool_)
    for value in sorted(path.by_identity.keys() | set(np.unique(identity[by_id]).tolist())):
        same = identity == value
        steps = np.where(same & by_id, entered, 0)
        latest = np.maximum.accumulate(np.concatenate(([path.by_identity.get(value, 0)], steps)))
        late |= same & posted & (latest[:-1] > entered)
        path.by_identity[value] = int(latest[-1])
    return late
