"""The suite gathers batches, stops at the first mismatch and hashes the log, however it was cut."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tb.bridge.event_log import LogBatch
from tb.checkers.tlp_protocol import TlpProtocolChecker
from tb.checkers.tlp_rules import LinkRules
from tb.scoreboards.link_flow import LinkFlowScoreboard
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardError, ScoreboardResult
from tb.scoreboards.suite import ScoreboardSuite
from tests.unit.scoreboards.machine_log import IOVA, LINKS, LOW, MachineLog, configuration


def log_of_writes() -> LogBatch:
    log = MachineLog()
    log.pages[IOVA >> 12] = LOW >> 12
    for offset in range(0, 400, 40):
        log.host_write(0, IOVA + offset, bytes(40))
        log.host_read(1, IOVA + offset, 40, offset & 0xFF)
    return log.batch()


def suite(gathered_records: int = 1) -> ScoreboardSuite:
    pairs = {0: 1, 1: 0, 2: 3, 3: 2, 4: 5, 5: 4, 6: 7, 8: 9}
    rules = tuple(LinkRules(link, name, "any", pairs.get(link), completion_boundary=64) for link, name in LINKS.names.items())
    judge = ScoreboardSuite(gathered_records)
    judge.add(TlpProtocolChecker(rules))
    judge.add(LinkFlowScoreboard(configuration()))
    return judge


def cut(batch: LogBatch, *at: int) -> list[LogBatch]:
    pieces = []
    for records in np.split(batch.records, at):
        begin = int(records["payload"][0])
        end = int(records["payload"][-1] + (records["length"][-1] if records["kind"][-1] != 3 else 0))
        pieces.append(LogBatch(records, batch.payload[begin:end], begin))
    return pieces


def test_results_and_hash_do_not_depend_on_the_cuts() -> None:
    batch, outcomes = log_of_writes(), []
    for pieces, gathered in ((cut(batch), 1), (cut(batch, 7, 30, 31), 1), (cut(batch, 7, 30, 31), 1000)):
        judge = suite(gathered)
        for piece in pieces:
            judge.ingest(piece)
        outcomes.append(json.dumps(judge.finish(), sort_keys=True))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    result = json.loads(outcomes[0])
    assert result["links"]["memory_request"] == {"observed": 20, "expected": 20, "compared": 20}
    assert result["comparisons"]["tlp_protocol"] == 90
    other = batch.records.copy()
    other["cycle"][-1] += 1
    changed = suite()
    changed.ingest(LogBatch(other, batch.payload, 0))
    assert changed.finish()["log_hash"] != result["log_hash"]


def test_the_first_mismatch_ends_the_run() -> None:
    pieces, judge = cut(log_of_writes(), 7), suite()
    pieces[0].records["header"][1][2] ^= 4
    with pytest.raises(ScoreboardError) as first:
        judge.ingest(pieces[0])
    with pytest.raises(ScoreboardError) as again:
        judge.ingest(pieces[1])
    assert first.value is again.value


class _Count(Scoreboard):
    name, block = "count", "none"

    def __init__(self, observed: int) -> None:
        self._observed = observed

    def ingest(self, batch: LogBatch) -> None:
        """Counts are given."""

    def finish(self) -> ScoreboardResult:
        return ScoreboardResult(self.name, self.block, 1, {"up": LinkCount(self._observed, 1, 1)})


class _FailsAt(_Count):
    def __init__(self, sequence: int) -> None:
        super().__init__(1)
        self._sequence = sequence

    def ingest(self, batch: LogBatch) -> None:
        raise self.error("planted", 0, self._sequence)


def test_the_earliest_mismatch_is_reported() -> None:
    judge = ScoreboardSuite()
    for sequence in (9, 5, 7):
        judge.add(_FailsAt(sequence))
    with pytest.raises(ScoreboardError) as caught:
        judge.ingest(log_of_writes())
    assert caught.value.sequence == 5


def test_what_is_missing_when_a_run_hangs() -> None:
    log = MachineLog()
    log.pages[IOVA >> 12] = LOW >> 12
    log.host_write(0, IOVA, bytes(8))
    whole = log.batch()
    judge = suite()
    judge.ingest(whole)
    assert judge.missing() is None
    judge = suite()
    judge.ingest(cut(whole, 2)[0])
    cause = judge.missing()
    assert cause is not None
    assert (cause.checker, "never translated" in cause.message) == ("link_flow", True)


def test_a_lost_batch_is_refused() -> None:
    pieces, judge = cut(log_of_writes(), 7, 30), suite()
    judge.ingest(pieces[0])
    with pytest.raises(ValueError, match="a batch was lost"):
        judge.ingest(pieces[2])


def test_scoreboards_that_saw_nothing_fail() -> None:
    with pytest.raises(ScoreboardError, match="compared nothing"):
        suite().finish()


def test_two_accounts_of_one_link_must_agree() -> None:
    agreeing, differing = ScoreboardSuite(), ScoreboardSuite()
    for judge, second in ((agreeing, 1), (differing, 2)):
        judge.add(_Count(1))
        judge.add(_Count(second))
    assert agreeing.finish()["links"] == {"up": {"observed": 1, "expected": 1, "compared": 1}}
    with pytest.raises(ScoreboardError, match="another scoreboard has"):
        differing.finish()
