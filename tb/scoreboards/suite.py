"""All scoreboards of a run, fed with the log piece by piece, and what they leave for the result file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tb.bridge.event_log import EVENT_DTYPE, LogBatch
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardError
from tb.scoreboards.tlp_batch import JudgedBatch

ROOM = 1 << 18
"""Bytes behind the payload of a batch for that of TLPs that wait from earlier ones."""


class ScoreboardSuite:
    """Passes the log to each scoreboard in the order they were added. Of the mismatches of a piece of the log the earliest raises
    (of one record's, that of the scoreboard added first) and ends the judging: what follows from it is not reported.

    ``gathered_records``: judge only when at least so many records have come. Each numpy call costs as much as tens of TLPs, so a
    long run is judged several times faster in pieces of 16384 records; :meth:`flush` before anything changes that a scoreboard
    should not yet know (a configuration, for example).

    The log hash is SHA-256 over all records and all payload bytes, each in log order, so it does not depend on where the log was
    cut into batches.
    """

    def __init__(self, gathered_records: int = 1) -> None:
        self.gathered_records = gathered_records
        self._scoreboards: list[Scoreboard] = []
        self._observers: list[Callable[[JudgedBatch], None]] = []
        self._records, self._payload = hashlib.sha256(), hashlib.sha256()
        self._waiting: list[LogBatch] = []
        self._waiting_records = 0
        self._next_sequence: int | None = None
        self._failure: ScoreboardError | None = None
        self.distinct: dict[str, frozenset[str]] = {}
        """Combinations that the scoreboards saw, known after :meth:`finish`."""

    def add(self, scoreboard: Scoreboard) -> None:
        """Let another scoreboard judge from the next batch on."""
        self.flush()
        self._scoreboards.append(scoreboard)

    def add_observer(self, observer: Callable[[JudgedBatch], None]) -> None:
        """Let ``observer`` see each piece of the log that the scoreboards found right."""
        self._observers.append(observer)

    def ingest(self, batch: LogBatch) -> None:
        """Take the next records; they must not change afterwards. Raises ScoreboardError at the first mismatch."""
        if batch.records.size == 0:
            return
        first = int(batch.records["sequence"][0])
        if self._next_sequence not in (None, first):
            raise ValueError(
                f"the log goes on with record {first}, expected {self._next_sequence}: a batch was lost or given twice"
            )
        self._next_sequence = int(batch.records["sequence"][-1]) + 1
        self._waiting.append(batch)
        self._waiting_records += batch.records.size
        if self._waiting_records >= self.gathered_records:
            self.flush()

    def flush(self) -> None:
        """Judge everything that has come. Raises ScoreboardError at the first mismatch, and that one again ever after."""
        if self._failure is not None:
            raise self._failure
        if not self._waiting:
            return
        batch = _joined(self._waiting)
        self._waiting, self._waiting_records = [], 0
        self._records.update(batch.records.view(np.uint8).data)
        self._payload.update(batch.payload.data)
        failures: list[ScoreboardError] = []
        for scoreboard in self._scoreboards:
            try:
                scoreboard.ingest(batch)
            except ScoreboardError as failure:
                failures.append(failure)
            except Exception:
                # A log that breaks the rules may be more than the scoreboards behind can read.
                if not failures:
                    raise
        if not failures:
            failures += self._observe(batch)
        if failures:
            self._failure = min(failures, key=_position)
            raise self._failure

    def _observe(self, batch: JudgedBatch) -> list[ScoreboardError]:
        for observer in self._observers:
            try:
                observer(batch)
            except ScoreboardError as failure:
                return [failure]
        return []

    @property
    def log_hash(self) -> str:
        """Hash of what has been judged, in hexadecimal."""
        return hashlib.sha256(self._records.digest() + self._payload.digest()).hexdigest()

    def missing(self) -> ScoreboardError | None:
        """Of what the scoreboards miss now the one whose record comes first; None when nothing is. The end of all judging."""
        failures: list[ScoreboardError] = []
        for scoreboard in self._scoreboards:
            try:
                scoreboard.finish()
            except ScoreboardError as failure:
                failures.append(failure)
        return min(failures, key=_position, default=None)

    def finish(self) -> dict[str, Any]:
        """Verdicts of all scoreboards as the result file has them. Raises ScoreboardError for what is missing at the end.

        ``links``: observed, expected and compared TLPs; two scoreboards that account for one link must agree.
        """
        self.flush()
        links: dict[str, LinkCount] = {}
        comparisons: dict[str, int] = {}
        for scoreboard in self._scoreboards:
            result = scoreboard.finish()
            scoreboard.require_compared(result.compared)
            comparisons[result.name] = result.compared
            comparisons |= {f"{result.name}.{figure}": count for figure, count in result.figures.items()}
            self.distinct |= result.distinct
            for link, count in result.links.items():
                if links.setdefault(link, count) != count:
                    raise scoreboard.error(f"{link}: {count}, but another scoreboard has {links[link]}")
        counts = {
            name: {"observed": count.observed, "expected": count.expected, "compared": count.compared}
            for name, count in links.items()
        }
        distinct = {name: len(combinations) for name, combinations in self.distinct.items()}
        return {"links": counts, "comparisons": comparisons, "distinct": distinct, "log_hash": self.log_hash}


def _position(failure: ScoreboardError) -> int:
    """Sequence number of the record at fault, behind all others when there is none."""
    return 1 << 64 if failure.sequence is None else failure.sequence


def _joined(batches: list[LogBatch]) -> JudgedBatch:
    """Consecutive batches as one."""
    if len(batches) == 1:
        only = batches[0]
        return JudgedBatch(np.ascontiguousarray(only.records), only.payload, only.payload_base)
    records = np.empty(sum(batch.records.size for batch in batches), EVENT_DTYPE)
    position = 0
    for batch in batches:
        records[position : position + batch.records.size] = batch.records
        position += batch.records.size
    size = sum(batch.payload.size for batch in batches)
    room = np.empty(size + ROOM, np.uint8)
    np.concatenate([batch.payload for batch in batches], out=room[:size])
    return JudgedBatch(records, room[:size], batches[0].payload_base, room)
