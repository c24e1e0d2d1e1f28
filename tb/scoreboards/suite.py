"""All scoreboards of a run together: they judge each piece of the log in turn and stop at the first mismatch.

Give :meth:`ScoreboardSuite.consume` to whoever drains the log. Short batches are gathered first, because each numpy call costs as
much as tens of TLPs; :meth:`ScoreboardSuite.flush` judges what has been gathered, before a configuration changes for example.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from tb.bridge.event_log import EVENT_DTYPE, LogBatch
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardError, ScoreboardResult
from tb.scoreboards.tlp_batch import JudgedBatch

GATHERED_RECORDS = 16384


class ScoreboardSuite:
    """Runs ``scoreboards`` in their order on the log, and keeps its hash: equal runs have equal logs, bit for bit.

    ``gathered_records``: judge when at least so many have come.
    """

    def __init__(self, scoreboards: Sequence[Scoreboard], gathered_records: int = GATHERED_RECORDS) -> None:
        if not scoreboards:
            raise ValueError("a run without scoreboards proves nothing: give at least one")
        self._scoreboards = tuple(scoreboards)
        self._gathered_records = gathered_records
        self._waiting: list[LogBatch] = []
        self._waiting_records = 0
        self._record_hash, self._payload_hash = hashlib.sha256(), hashlib.sha256()
        self._next_sequence = 0
        self.failure: ScoreboardError | None = None

    @property
    def log_hash(self) -> str:
        """sha256 over the sha256 of all record bytes and that of all payload bytes judged; it does not depend on the batches."""
        return hashlib.sha256(self._record_hash.digest() + self._payload_hash.digest()).hexdigest()

    def consume(self, batch: LogBatch) -> None:
        """Take the next records of the log; they must not change afterwards. Raises the first ScoreboardError."""
        if self.failure is not None:
            raise self.failure
        if batch.records.size == 0:
            return
        first = int(batch.records["sequence"][0])
        if first != self._next_sequence:
            raise ValueError(
                f"the log goes on with record {first}, expected {self._next_sequence}: a batch was lost or given twice"
            )
        self._next_sequence = int(batch.records["sequence"][-1]) + 1
        self._waiting.append(batch)
        self._waiting_records += batch.records.size
        if self._waiting_records >= self._gathered_records:
            self.flush()

    def flush(self) -> None:
        """Judge everything consumed so far."""
        if not self._waiting:
            return
        batch = _joined(self._waiting)
        self._waiting, self._waiting_records = [], 0
        self._record_hash.update(np.ascontiguousarray(batch.records).view(np.uint8).data)
        self._payload_hash.update(batch.payload.data)
        try:
            for scoreboard in self._scoreboards:
                scoreboard.ingest(batch)
        except ScoreboardError as failure:
            self.failure = failure
            raise

    def finish(self) -> dict[str, object]:
        """Judge the rest and end all scoreboards; returns what ``test_result.json`` says about them."""
        self.flush()
        results = [scoreboard.finish() for scoreboard in self._scoreboards]
        return summary(results, self.log_hash)


def summary(results: Sequence[ScoreboardResult], log_hash: str) -> dict[str, object]:
    """``links``, ``comparisons``, ``distinct``, ``log_hash`` and (under ``scoreboards``) other counts of a run, ready for JSON."""
    links: dict[str, LinkCount] = {}
    for result in results:
        for name, count in result.links.items():
            if name in links:
                raise ValueError(f"two scoreboards account for link {name}")
            links[name] = count
    return {
        "links": {
            name: {"observed": count.observed, "expected": count.expected, "compared": count.compared}
            for name, count in sorted(links.items())
        },
        "comparisons": {result.name: result.compared for result in results},
        "distinct": {name: count for result in results for name, count in sorted(result.distinct.items())},
        "scoreboards": {result.name: dict(sorted(result.figures.items())) for result in results},
        "log_hash": log_hash,
    }


def _joined(batches: list[LogBatch]) -> JudgedBatch:
    """Consecutive batches as one."""
    if len(batches) == 1:
        only = batches[0]
        return JudgedBatch(only.records, only.payload, only.payload_base)
    records = np.empty(sum(batch.records.size for batch in batches), EVENT_DTYPE)
    position = 0
    for batch in batches:
        records[position : position + batch.records.size] = batch.records
        position += batch.records.size
    payload = np.concatenate([batch.payload for batch in batches])
    return JudgedBatch(records, payload, batches[0].payload_base)
