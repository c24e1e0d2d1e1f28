"""Watchdog of progress: no TLP may stand still for long inside the fabric, and no completer may owe an answer for long.

It looks now and then (``look``) at what other checkers still wait for: TLPs that entered a block and have not left it, and
requests that reached a completer of the design and have no last completion. The oldest of them names the block that holds it. A
deadlock shows as such long before a driver gives up, and with everything that stands still, link by link and class by class.
Source: PCI Express Base, transaction ordering table: what must be able to pass, so that no cycle of waiting can close.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tb.scoreboards.scoreboard import ScoreboardError
from tb.scoreboards.tlp_batch import TlpBatch
from tb.scoreboards.tlp_types import TlpClass

PATIENCE = 16_384
"""Cycles that a TLP may need to pass a block or an answer to come, under any stalls and latencies that tests draw."""


@dataclass(frozen=True)
class Waiting:
    """A kind of standing TLPs: how to get them now, what each still has to do, and the block that holds those of each link."""

    standing: Callable[[], TlpBatch]
    duty: str
    block: Mapping[int, str]


class ProgressWatchdog:
    """``names``: of the links; ``patience``: cycles after which a TLP stands still."""

    name = "progress"

    def __init__(self, kinds: tuple[Waiting, ...], names: Mapping[int, str], patience: int = PATIENCE) -> None:
        self._kinds = kinds
        self._names = names
        self._patience = patience
        self.looks = 0

    def look(self, cycle: int) -> None:
        """Raises ScoreboardError when something has stood still for longer than the patience at ``cycle``."""
        self.looks += 1
        found: list[tuple[int, Waiting, TlpBatch, int]] = []
        for kind in self._kinds:
            standing = kind.standing()
            if len(standing):
                oldest = int(np.argmin(standing.cycle))
                found.append((int(standing.cycle[oldest]), kind, standing, oldest))
        if not found:
            return
        since, kind, standing, row = min(found, key=lambda entry: entry[0])
        if cycle - since <= self._patience:
            return
        link = int(standing.link[row])
        message = f"{self._names[link]}: {standing.describe(row)} {kind.duty} for {cycle - since} cycles; standing still: "
        message += "; ".join(self._census(kind, standing) for _, kind, standing, _ in found)
        raise ScoreboardError(self.name, kind.block[link], message, since, int(standing.sequence[row]))

    def _census(self, kind: Waiting, standing: TlpBatch) -> str:
        """How many TLPs of which class stand on which link."""
        parts = []
        for link in np.unique(standing.link).tolist():
            classes = standing.tlp_class[standing.link == link]
            counts = [
                f"{int((classes == member).sum())} {member.name.lower()}" for member in TlpClass if (classes == member).any()
            ]
            parts.append(f"{', '.join(counts)} on {self._names[link]}")
        return f"{', '.join(parts)} ({kind.duty})"
