"""All scoreboards of a run, fed with each batch of the log in turn, and what they leave for the result file."""

from __future__ import annotations

import hashlib
from typing import Any

from tb.bridge.event_log import LogBatch
from tb.scoreboards.scoreboard import LinkCount, Scoreboard
from tb.scoreboards.tlp_batch import JudgedBatch


class ScoreboardSuite:
    """Passes every batch to each scoreboard in the order they were added; the first mismatch raises.

    The log hash is SHA-256 over all records and all payload bytes, each in log order, so it does not depend on where the log was
    cut into batches.
    """

    def __init__(self) -> None:
        self._scoreboards: list[Scoreboard] = []
        self._records = hashlib.sha256()
        self._payload = hashlib.sha256()

    def add(self, scoreboard: Scoreboard) -> None:
        """Let another scoreboard judge from the next batch on."""
        self._scoreboards.append(scoreboard)

    def ingest(self, batch: LogBatch) -> None:
        """Judge the next records. Raises ScoreboardError at the first mismatch."""
        self._records.update(batch.records.tobytes())
        self._payload.update(batch.payload.tobytes())
        judged = JudgedBatch(batch.records, batch.payload, batch.payload_base)
        for scoreboard in self._scoreboards:
            scoreboard.ingest(judged)

    @property
    def log_hash(self) -> str:
        """Hash of the log so far, in hexadecimal."""
        return hashlib.sha256(self._records.digest() + self._payload.digest()).hexdigest()

    def finish(self) -> dict[str, Any]:
        """Verdicts of all scoreboards as the result file has them. Raises ScoreboardError for what is missing at the end.

        ``links``: observed, expected and compared TLPs; two scoreboards that account for one link must agree.
        """
        links: dict[str, LinkCount] = {}
        comparisons: dict[str, int] = {}
        distinct: dict[str, int] = {}
        for scoreboard in self._scoreboards:
            result = scoreboard.finish()
            scoreboard.require_compared(result.compared)
            comparisons[result.name] = result.compared
            comparisons |= {f"{result.name}.{figure}": count for figure, count in result.figures.items()}
            if result.distinct is not None:
                distinct[result.name] = result.distinct
            for link, count in result.links.items():
                if links.setdefault(link, count) != count:
                    raise scoreboard.error(f"{link}: {count}, but another scoreboard has {links[link]}")
        counts = {
            name: {"observed": count.observed, "expected": count.expected, "compared": count.compared}
            for name, count in links.items()
        }
        return {"links": counts, "comparisons": comparisons, "distinct": distinct, "log_hash": self.log_hash}
