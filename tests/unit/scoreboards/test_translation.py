"""The translation scoreboard accepts what tables and caches allow, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sluicegate.iommu.commands import Fence, InvalidateTranslations

from tb.bridge.event_log import Actor
from tb.scoreboards import translation
from tb.scoreboards.scoreboard import ScoreboardError
from tb.scoreboards.translation import TranslationScoreboard
from tests.unit.scoreboards.log_builder import LogBuilder, words
from tests.unit.scoreboards.table_log import (
    CAPABILITIES,
    CONTEXTS,
    DEVICE,
    FAULTS,
    HIGH,
    IOVA,
    LEAVES,
    MIDDLE,
    PSCID,
    UNMAPPED,
    VALID_LEAF,
    TableLog,
)


def judged(play: Callable[[TableLog], None], race: bool = False, stepwise: bool = False) -> dict[str, int]:
    """Figures of a run of ``play`` after set-up, which must pass."""
    board, log = TranslationScoreboard(CAPABILITIES, race), TableLog()
    log.setup()
    if stepwise:
        play(log)
        for record in log.records:
            board.ingest(LogBuilder(records=[record], data=log.data).batch())
    else:
        board.ingest(log.batch())
        play(log)
        board.ingest(log.batch())
    return dict(board.finish().figures)


def traffic(log: TableLog) -> None:
    for page in range(16):
        log.good(page, 0x123 * page & 0xFFC, write=bool(page & 1))


def steady(log: TableLog) -> None:
    traffic(log)
    log.fault()
    log.fault(write=True, cause=15)
    log.fault(device=0x380, cause=258)
    for _ in range(12):
        traffic(log)


def churn(log: TableLog) -> None:
    """Unmap in the middle of requests: stale answers until the fence, then faults; then a new mapping, seen at once."""
    for _ in range(20):
        steady(log)
    old = log.physical(3)
    early = log.ask(IOVA + 0x3000)
    log.unmap(3)
    late = log.ask(IOVA + 0x3000)
    log.answer(early, old)
    log.answer(late, old)
    log.fault(IOVA + 0x3000)
    log.invalidate(3)
    log.fault(IOVA + 0x3000)
    in_flight = log.ask(IOVA + 0x3000)
    log.map(3, 300)
    log.answer(in_flight, None)
    log.record(IOVA + 0x3000)
    log.good(3)
    log.good(4)


def test_requests_that_are_alike_count_as_many_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def crowd(log: TableLog) -> None:
        """Each request of the churn and several more like it, some with their fault records, amid one unmapping."""
        for _ in range(60):
            steady(log)
        old = log.physical(3)
        early = [log.ask(IOVA + 0x3000 + 4 * word) for word in range(3)]
        log.unmap(3)
        late = [log.ask(IOVA + 0x3000 + 4 * word) for word in range(4)]
        for word, identifier in enumerate(early):
            log.answer(identifier, old + 4 * word)
        for word, identifier in enumerate(late[:2]):
            log.answer(identifier, old + 4 * word)
        for identifier in late[2:]:
            log.answer(identifier, None)
            log.record(IOVA + 0x3000)
        log.invalidate(3)
        log.fault(IOVA + 0x3000)

    together = judged(crowd, race=True)
    monkeypatch.setattr(translation, "alike", lambda pairs, _: [[row] for row in range(len(pairs))])
    assert together == judged(crowd, race=True)
    assert (together["ambiguous"], together["ambiguous_old"], together["ambiguous_new"]) == (7, 5, 2)


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("play", [steady, churn])
def test_correct_answers_pass(play: Callable[[TableLog], None], stepwise: bool) -> None:
    figures = judged(play, stepwise=stepwise)
    assert figures["faults"] == figures["fault_records"] > 0
    assert (figures["ambiguous"], figures["ambiguous_old"]) == ((4, 3) if play is churn else (0, 0))


def _stale_after_the_fence(log: TableLog) -> None:
    old = log.physical(3)
    log.unmap(3)
    log.invalidate(3)
    log.answer(log.ask(IOVA + 0x3000), old)


def _stale_remap_after_the_fence(log: TableLog) -> None:
    old = log.physical(3)
    log.map(3, 300)
    log.invalidate()
    log.answer(log.ask(IOVA + 0x3000), old)


def _fault_on_a_page_that_was_mapped_before(log: TableLog) -> None:
    log.map(20, 300)
    log.fault(IOVA + 20 * 0x1000)


def _neither_old_nor_new(log: TableLog) -> None:
    log.map(3, 300)
    log.answer(log.ask(IOVA + 0x3000), log.physical(4))


def _wrong_offset(log: TableLog) -> None:
    log.answer(log.ask(IOVA + 0x3008), log.physical(3))


def _too_large_a_range(log: TableLog) -> None:
    log.answer(log.ask(IOVA + 0x3000), log.physical(3), size=21)


def _write_to_a_read_only_page(log: TableLog) -> None:
    log.map(21, 300, permissions=0x53)
    log.good(21, write=True)


def _wrong_status(log: TableLog) -> None:
    log.answer(log.ask(UNMAPPED), None, status=2)


def _foreign_device(log: TableLog) -> None:
    log.answer(log.ask(IOVA, device=0x380), log.physical(0))


def _wrong_cause(log: TableLog) -> None:
    log.fault(cause=15)


def _record_without_fault(log: TableLog) -> None:
    log.record(IOVA)


def _record_in_the_wrong_entry(log: TableLog) -> None:
    log.memory_write(FAULTS + 64, words(0, 0, 0, 0), Actor.IOMMU)


def _old_context_after_its_invalidation(log: TableLog) -> None:
    log.dword(CONTEXTS, 0)
    log.invalidate_device()
    log.good(3)


def _translated_while_off(log: TableLog) -> None:
    log.register(0x010, 0)
    log.good(3)


PLANTED: list[tuple[str, Callable[[TableLog], None]]] = [
    ("expected status 1", _stale_after_the_fence),
    ("expected 0x", _stale_remap_after_the_fence),
    ("answered with status 1", _fault_on_a_page_that_was_mapped_before),
    ("expected 0x.* or 0x", _neither_old_nor_new),
    ("expected 0x", _wrong_offset),
    ("range at most 2\\^12", _too_large_a_range),
    ("expected status 1 \\(cause 15", _write_to_a_read_only_page),
    ("answered with status 2", _wrong_status),
    ("expected status 1 \\(cause 258", _foreign_device),
    ("has cause 15, expected \\[13\\]", _wrong_cause),
    ("which did not fault", _record_without_fault),
    ("written to entry 2", _record_in_the_wrong_entry),
    ("expected status 1 \\(cause 258", _old_context_after_its_invalidation),
    ("expected status 1 \\(cause 256", _translated_while_off),
]


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize(("message", "plant"), PLANTED, ids=[case[1].__name__ for case in PLANTED])
def test_planted_errors_are_caught(message: str, plant: Callable[[TableLog], None], stepwise: bool) -> None:
    def play(log: TableLog) -> None:
        traffic(log)
        plant(log)

    with pytest.raises(ScoreboardError, match=message) as caught:
        judged(play, stepwise=stepwise)
    assert (caught.value.checker, caught.value.block) == ("translation", "iommu")


def _many(log: TableLog) -> None:
    for _ in range(20):
        traffic(log)


def test_an_invalidation_of_another_page_keeps_the_stale_answer_legal() -> None:
    def play(log: TableLog) -> None:
        _many(log)
        old = log.physical(3)
        log.unmap(3)
        log.invalidate(4)
        log.command(InvalidateTranslations(pscid=PSCID + 1).pack())
        log.invalidate(3, fence=False)
        log.answer(log.ask(IOVA + 0x3000), old)

    assert judged(play)["ambiguous_old"] == 1


def test_a_command_written_before_the_change_does_not_cover_it() -> None:
    def play(log: TableLog) -> None:
        _many(log)
        old = log.physical(3)
        invalidation = InvalidateTranslations().pack()
        log.command(invalidation, complete=False)
        log.unmap(3)
        log.complete(invalidation)
        log.command(Fence().pack())
        log.answer(log.ask(IOVA + 0x3000), old)

    assert judged(play)["ambiguous_old"] == 1


def test_non_leaf_entries_need_an_invalidation_of_everything() -> None:
    entry = MIDDLE + 8 * (IOVA >> 21 & 511)

    def play(log: TableLog, page: int | None) -> None:
        _many(log)
        log.dword(entry, 0)
        log.invalidate(page)
        log.good(3)

    assert judged(lambda log: play(log, 3))["ambiguous_old"] == 1
    with pytest.raises(ScoreboardError, match="expected status 1"):
        judged(lambda log: play(log, None))


def test_an_invalidation_inside_a_napot_range_covers_all_its_entries() -> None:
    napot = 1 << 63 | (HIGH >> 12 | 8) << 10 | VALID_LEAF

    def play(log: TableLog, page: int) -> None:
        _many(log)
        for entry in range(16, 32):
            log.dword(LEAVES + 8 * entry, napot)
        log.answer(log.ask(IOVA + 0x1_4000), HIGH + 0x4000)
        for entry in range(16, 32):
            log.dword(LEAVES + 8 * entry, 0)
        log.invalidate(page)
        log.answer(log.ask(IOVA + 0x1_4000), HIGH + 0x4000)

    assert judged(lambda log: play(log, 15))["ambiguous_old"] == 1
    with pytest.raises(ScoreboardError, match="expected status 1"):
        judged(lambda log: play(log, 30))


def test_a_race_test_must_see_both_answers() -> None:
    def play(log: TableLog, new: bool) -> None:
        old = log.physical(3)
        log.map(3, 300)
        log.answer(log.ask(IOVA + 0x3000), old)
        if new:
            log.good(3)

    assert judged(lambda log: play(log, True), race=True)["ambiguous"] == 2
    with pytest.raises(ScoreboardError, match="must see both"):
        judged(lambda log: play(log, False), race=True)
    with pytest.raises(ScoreboardError, match="more than 1 %"):
        judged(lambda log: play(log, True))


def test_a_missing_record_is_a_failure_unless_the_queue_was_full_or_off() -> None:
    def lost(log: TableLog) -> None:
        log.fault(record=False)

    def off(log: TableLog) -> None:
        log.register(0x04C, 0, 4)
        log.fault(record=False)

    def full(log: TableLog) -> None:
        for page in range(3):
            log.answer(log.ask(UNMAPPED + 0x1000 * page), None)
            packed = log.record
            del packed
        for page in range(3):
            iova = UNMAPPED + 0x1000 * page
            log.memory_write(FAULTS + 32 * page, words(13 | 2 << 34 | DEVICE << 40, 0, iova, 0), Actor.IOMMU)
        log.fault(record=False)

    with pytest.raises(ScoreboardError, match="no fault record"):
        judged(lost)
    assert judged(off)["fault_records_dropped"] == 1
    assert judged(full)["fault_records_dropped"] == 1


def test_faults_of_a_device_with_reporting_disabled_leave_no_record() -> None:
    def play(log: TableLog) -> None:
        log.dword(CONTEXTS, 1 | 1 << 4)
        log.invalidate_device()
        log.fault(record=False)

    assert judged(play)["fault_records"] == 0


def test_faults_of_one_page_meet_their_records_in_order_across_a_change_of_the_context() -> None:
    def play(log: TableLog) -> None:
        log.dword(CONTEXTS, 0)
        log.invalidate_device()
        log.fault(cause=258)
        log.dword(CONTEXTS, 1 | 1 << 2)
        log.fault(cause=259)

    assert judged(play)["fault_records"] == 2
    assert judged(play, stepwise=True)["fault_records"] == 2


def test_superpages_and_tables_outside_of_memory() -> None:
    def play(log: TableLog) -> None:
        entry = MIDDLE + 8 * ((IOVA >> 21 & 511) + 1)
        log.dword(entry, (HIGH >> 12) << 10 | 0xD7)
        log.answer(log.ask(IOVA + 0x20_3000), HIGH + 0x3000, size=21)
        log.dword(entry + 8, (1 << 40) << 10 | 1)
        log.fault(IOVA + 0x40_0000, cause=5)

    assert judged(play)["fault_records"] == 1


def test_requests_without_answer_and_empty_runs_fail() -> None:
    def unanswered(log: TableLog) -> None:
        log.good(1)
        log.ask(IOVA)

    with pytest.raises(ScoreboardError, match="never answered"):
        judged(unanswered)
    with pytest.raises(ScoreboardError, match="compared nothing"):
        judged(lambda log: None)
