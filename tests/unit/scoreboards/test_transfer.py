"""The transfer scoreboard passes a correct driver and endpoint, and names every way in which a transfer can go wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tb.bridge.event_log import Actor, EventKind
from tb.scoreboards.scoreboard import ScoreboardError
from tb.scoreboards.transfer import TransferScoreboard
from tests.unit.scoreboards.driver_log import (
    COPY,
    FLUSH_OPERATION,
    HOST,
    IDENTITY,
    INTERRUPT,
    LOCAL,
    PEER_SPACE,
    RING,
    RULES,
    DriverLog,
    descriptor,
)
from tests.unit.scoreboards.log_builder import LogBuilder, completion, memory_request, words
from tests.unit.scoreboards.machine_log import HIGH, IOVA, LINKS, LOW, PEER, REQUESTER

SOURCE, DESTINATION = IOVA + 0x1FF3, IOVA + 0x8005
LENGTH = 1500
BOTH, TO_DEVICE, FROM_DEVICE = 0, 1, 2


def board() -> TransferScoreboard:
    return TransferScoreboard(RULES)


def prepared() -> DriverLog:
    """Rings, a source of two scattered pieces and a guarded destination."""
    log = DriverLog()
    log.setup()
    data = bytes((7 * i + 3) & 0xFF for i in range(LENGTH))
    log.cpu_write(LOW + 0x2FF3, data[:13])
    log.cpu_write(LOW + 0x9000, data[13:])
    log.observer.on_buffer(LOW + 0x9000, np.frombuffer(data[13:], np.uint8), 8)
    log.map(SOURCE, [(LOW + 0x2FF3, 13), (LOW + 0x9000, LENGTH - 13)], TO_DEVICE)
    log.observer.on_buffer(HIGH + 0x5005, np.zeros(LENGTH, np.uint8), 5)
    log.map(DESTINATION, [(HIGH + 0x5005, LENGTH)], FROM_DEVICE)
    return log


def copy_in(log: DriverLog, cookie: int = 11, execute: bool = True) -> None:
    slot = log.slot
    log.submit(descriptor(COPY, (HOST, LOCAL), SOURCE, 0x100, LENGTH, cookie))
    log.fetch(slot)
    if execute:
        log.copy_in(SOURCE, 0x100, LENGTH)
        log.reap(log.complete(slot, cookie, LENGTH))


def submit_out(log: DriverLog, flags: int = INTERRUPT, destination: int = DESTINATION) -> int:
    slot = log.slot
    log.submit(descriptor(COPY, (LOCAL, HOST), 0x100, destination, LENGTH, 12, flags))
    log.fetch(slot)
    return slot


def copy_out(log: DriverLog) -> None:
    slot = submit_out(log)
    log.copy_out(0x100, DESTINATION, LENGTH)
    done = log.complete(slot, 12, LENGTH)
    log.interrupt()
    log.reap(done)


def test_a_copy_in_and_out_compares_every_byte() -> None:
    judge, log = board(), prepared()
    copy_in(log)
    judge.ingest(log.batch())
    copy_out(log)
    log.observer.on_unmap(REQUESTER[0], DESTINATION)
    judge.ingest(log.batch())
    result = judge.finish()
    assert result.figures["transfers"] == 2
    assert result.figures["bytes"] == LENGTH
    assert result.figures["requests"] == 4 + 6
    assert len(result.distinct["offset, length, page state"]) == 2


def test_records_of_one_write_are_judged_one_by_one() -> None:
    judge, log = board(), prepared()
    copy_in(log)
    _complete_to(log, 4)
    first, second = _two_jobs(log)
    log.reap(log.complete_together((first, 12, LENGTH, 0), (second, 13, LENGTH, 0)))
    judge.ingest(log.batch())
    assert judge.finish().figures["transfers"] == 6


def test_one_record_at_a_time_gives_the_same_result() -> None:
    whole, single, log = board(), board(), prepared()
    copy_in(log)
    copy_out(log)
    for record in log.records:
        single.ingest(LogBuilder(records=[record], data=log.data).batch())
    whole.ingest(log.batch())
    assert whole.finish() == single.finish()


def test_faulting_transfers_complete_as_the_ledger_says() -> None:
    judge, log = board(), prepared()
    slot = log.slot
    log.submit(descriptor(COPY, (HOST, LOCAL), IOVA + 0xF00_0000, 0, 64, 1))
    log.copy_in(IOVA + 0xF00_0000, 0, 64)
    log.complete(slot, 1, 0, code=1)
    slot = submit_out(log, destination=IOVA + 0xF00_0000, flags=0)
    log.copy_out(0x100, IOVA + 0xF00_0000, LENGTH)
    log.complete(slot, 12, LENGTH)
    slot = log.slot
    log.submit(descriptor(COPY, (HOST, HOST), SOURCE, DESTINATION, 64, 2))
    log.complete(slot, 2, 0, code=5)
    slot = log.slot
    log.submit(descriptor(COPY, (LOCAL, HOST), 1 << 20, DESTINATION, 64, 3))
    log.complete(slot, 3, 0, code=8)
    judge.ingest(log.batch())
    result = judge.finish()
    assert (result.figures["transfers"], result.figures["failed_transfers"]) == (4, 3)


def test_peer_write_chain_and_flush() -> None:
    judge, log = board(), prepared()
    copy_in(log)
    slot, target = log.slot, PEER[1].base + 0x40
    log.submit(
        descriptor(COPY, (LOCAL, PEER_SPACE), 0x100, target, 64, 5, following=IOVA + 0x9000),
        descriptor(FLUSH_OPERATION, (HOST, 0), SOURCE, 0, 0, 6),
    )
    payload = bytes(log.local[0x100:0x140])
    log.tlp(LINKS.endpoint_up[0], memory_request(True, target, 64), payload)
    log.tlp(LINKS.endpoint_down[1], memory_request(True, target, 64), payload)
    log.tlp(LINKS.endpoint_up[0], memory_request(False, target, 0, tag=200))
    log.tlp(LINKS.endpoint_up[0], memory_request(False, SOURCE, 0, tag=201))
    for tag in (200, 201):
        log.tlp(LINKS.endpoint_down[0], completion(REQUESTER[0], tag, 1, 0, 1), bytes(4))
    log.complete(slot, 5, 64)
    judge.ingest(log.batch())
    assert judge.finish().figures["bytes"] == 64


def test_an_unmap_in_flight_leaves_the_outcome_to_the_hardware() -> None:
    judge, log = board(), prepared()
    copy_in(log)
    slot = submit_out(log, 0)
    log.observer.on_unmap(REQUESTER[0], DESTINATION)
    log.copy_out(0x100, DESTINATION, LENGTH)
    log.complete(slot, 12, LENGTH)
    judge.ingest(log.batch())
    log.memory_write(HIGH + 0x5005, b"late", Actor.LINK, REQUESTER[0])
    with pytest.raises(ScoreboardError, match="no live mapping"):
        judge.ingest(log.batch())


def _wrong_request_length(log: DriverLog) -> None:
    log.host_read(0, SOURCE, 512, log.next_tag())


def _unknown_write(log: DriverLog) -> None:
    log.host_write(0, DESTINATION + 8, b"data")


def _missing_request(log: DriverLog) -> None:
    slot = submit_out(log)
    log.copy_out(0x100, DESTINATION, 251)
    log.memory_write(HIGH + 0x5005, bytes(log.local[0x100 : 0x100 + LENGTH]), Actor.LINK, REQUESTER[0])
    log.complete(slot, 12, LENGTH)


def _corrupt_byte(log: DriverLog) -> None:
    slot = submit_out(log)
    log.local[0x100 + 700] ^= 1
    log.copy_out(0x100, DESTINATION, LENGTH)
    log.complete(slot, 12, LENGTH)


def _completion_before_data(log: DriverLog) -> None:
    slot = submit_out(log)
    log.complete(slot, 12, LENGTH)
    log.copy_out(0x100, DESTINATION, LENGTH)


def _request_after_completion(log: DriverLog) -> None:
    slot = submit_out(log)
    data = bytes(log.local[0x100 : 0x100 + LENGTH])
    log.memory_write(HIGH + 0x5005, data, Actor.LINK, REQUESTER[0])
    log.complete(slot, 12, LENGTH)
    log.copy_out(0x100, DESTINATION, LENGTH)


def _outside_of_every_mapping(log: DriverLog) -> None:
    log.memory_write(HIGH + 0x5004, b"x", Actor.LINK, REQUESTER[0])


def _read_only_mapping(log: DriverLog) -> None:
    log.memory_write(LOW + 0x9000, b"x", Actor.LINK, REQUESTER[0])


def _other_device(log: DriverLog) -> None:
    log.memory_write(HIGH + 0x5005, b"x", Actor.LINK, REQUESTER[1])


def _unknown_requester(log: DriverLog) -> None:
    log.memory_write(HIGH + 0x5005, b"x", Actor.LINK, 0x500)


def _wrong_status(log: DriverLog) -> None:
    copy_in(log, 13, execute=False)
    log.copy_in(SOURCE, 0x100, LENGTH)
    log.complete((log.slot - 1) & 15, 13, LENGTH, code=2)


def _wrong_count(log: DriverLog) -> None:
    slot = submit_out(log)
    log.copy_out(0x100, DESTINATION, LENGTH)
    log.complete(slot, 12, LENGTH - 1)


def _wrong_cookie(log: DriverLog) -> None:
    slot = submit_out(log)
    log.copy_out(0x100, DESTINATION, LENGTH)
    log.complete(slot, 99, LENGTH)


def _wrong_phase(log: DriverLog) -> None:
    slot = submit_out(log)
    log.copy_out(0x100, DESTINATION, LENGTH)
    log.complete(slot, 12, LENGTH, phase=0)


def _completed_twice(log: DriverLog) -> None:
    copy_out(log)
    log.complete((log.slot - 1) & 15, 12, LENGTH)


def _wrong_place(log: DriverLog) -> None:
    log.host_write(0, RING.completion_dma + 48, words(1, 1))


def _two_jobs(log: DriverLog) -> tuple[int, int]:
    """Two copies out that are complete but for their records."""
    slots = submit_out(log, 0), log.slot
    log.submit(descriptor(COPY, (LOCAL, HOST), 0x100, DESTINATION, LENGTH, 13))
    log.fetch(slots[1])
    for _ in slots:
        log.copy_out(0x100, DESTINATION, LENGTH)
    return slots


def _same_record_twice(log: DriverLog) -> None:
    first, _ = _two_jobs(log)
    log.complete_together((first, 12, LENGTH, 0), (first, 12, LENGTH, 0))


def _records_exchanged(log: DriverLog) -> None:
    first, second = _two_jobs(log)
    log.complete_together((first, 13, LENGTH, 0), (second, 12, LENGTH, 0))


def _part_of_a_record(log: DriverLog) -> None:
    first, _ = _two_jobs(log)
    record = words(12, LENGTH | first << 40 | 1 << 63)
    log.memory_write(RING.completion_physical + 16 * log.completed, record + record[:8], Actor.LINK, REQUESTER[0])


def _complete_to(log: DriverLog, completed: int) -> None:
    """Copies until so many completions have come."""
    while log.completed < completed:
        copy_in(log)


def _stale_phase(log: DriverLog) -> None:
    _complete_to(log, 8)
    first, second = _two_jobs(log)
    log.complete_together((first, 12, LENGTH, 0), (second, 13, LENGTH, 0), phase=1)


def _records_of_two_blocks(log: DriverLog) -> None:
    _complete_to(log, 3)
    first, second = _two_jobs(log)
    log.complete_together((first, 12, LENGTH, 0), (second, 13, LENGTH, 0))


def _record_tlp_of_two_blocks(log: DriverLog) -> None:
    log.tlp(LINKS.endpoint_up[0], memory_request(True, RING.completion_dma + 48, 32), bytes(32))


def _record_tlp_with_a_hole(log: DriverLog) -> None:
    log.tlp(LINKS.endpoint_up[0], memory_request(True, RING.completion_dma + 16, 15), bytes(16))


def _early_interrupt(log: DriverLog) -> None:
    log.add(EventKind.INTERRUPT, 0, argument=IDENTITY)


def _unanswered_read(log: DriverLog) -> None:
    slot = log.slot
    log.submit(descriptor(COPY, (HOST, LOCAL), SOURCE, 0x100, 8, 13))
    log.tlp(LINKS.endpoint_up[0], memory_request(False, SOURCE, 8, tag=log.next_tag()))
    log.complete(slot, 13, 8)
    log.tlp(LINKS.endpoint_down[0], completion(REQUESTER[0], log.tag, 8, SOURCE & 0x7F, 8), bytes(12))


def _unfinished_read(log: DriverLog) -> None:
    slot = log.slot
    log.submit(descriptor(COPY, (HOST, LOCAL), SOURCE, 0x100, 8, 13))
    log.tlp(LINKS.endpoint_up[0], memory_request(False, SOURCE, 8, tag=log.next_tag()))
    log.tlp(LINKS.endpoint_down[0], completion(REQUESTER[0], log.tag, 8, SOURCE & 0x7F, 5), bytes(8))
    log.complete(slot, 13, 8)


def _relaxed_record(log: DriverLog) -> None:
    log.tlp(LINKS.endpoint_up[0], memory_request(True, RING.completion_dma + 16, 16, attributes=1 << 13), words(12, 5))


def _reaped_before_written(log: DriverLog) -> None:
    log.reap(words(12, 5))


def _memory_is_not_what_the_driver_wrote(log: DriverLog) -> None:
    log.observer.on_buffer(LOW + 0x9000, np.ones(4, np.uint8), 0)


PLANTED: list[tuple[str, str, Callable[[DriverLog], None]]] = [
    ("no descriptor in flight", "dma", _wrong_request_length),
    ("no descriptor in flight", "dma", _unknown_write),
    ("was never sent for it", "dma", _missing_request),
    ("byte 700 of its destination", "dma", _corrupt_byte),
    ("byte 0 of its destination", "dma", _completion_before_data),
    ("sent after the completion", "dma", _request_after_completion),
    ("no live mapping", "iommu", _outside_of_every_mapping),
    ("no live mapping", "iommu", _read_only_mapping),
    ("no live mapping", "iommu", _other_device),
    ("no endpoint under test", "root_complex", _unknown_requester),
    (r"completed with status 2, expected \[0\]", "dma", _wrong_status),
    ("reports 1499 bytes, expected 1500", "dma", _wrong_count),
    ("cookie 0x63, expected 0xc", "dma", _wrong_cookie),
    ("phase 0, expected 1", "dma", _wrong_phase),
    ("no transfer is in flight", "dma", _completed_twice),
    ("a completion at .*; the next one is at", "dma", _wrong_place),
    ("no transfer is in flight", "dma", _same_record_twice),
    ("phase 1, expected 0", "dma", _stale_phase),
    ("cookie 0xd, expected 0xc", "dma", _records_exchanged),
    ("expected whole records", "dma", _part_of_a_record),
    ("expected whole records", "dma", _records_of_two_blocks),
    ("no descriptor in flight", "dma", _record_tlp_of_two_blocks),
    ("no descriptor in flight", "dma", _record_tlp_with_a_hole),
    ("without a completion", "endpoint", _early_interrupt),
    ("before the last completion", "dma", _unanswered_read),
    ("before the last completion", "dma", _unfinished_read),
    ("has relaxed ordering", "dma", _relaxed_record),
    ("driver reaped", "driver", _reaped_before_written),
    ("the driver wrote 0x01", "memory", _memory_is_not_what_the_driver_wrote),
]


@pytest.mark.parametrize(("message", "block", "plant"), PLANTED, ids=[case[2].__name__ for case in PLANTED])
def test_planted_errors_are_caught(message: str, block: str, plant: Callable[[DriverLog], None]) -> None:
    judge, log = board(), prepared()
    copy_in(log)
    judge.ingest(log.batch())
    plant(log)
    with pytest.raises(ScoreboardError, match=message) as caught:
        judge.ingest(log.batch())
    assert (caught.value.checker, caught.value.block) == ("transfer", block)


def _no_completion(log: DriverLog) -> None:
    submit_out(log)


def _no_interrupt(log: DriverLog) -> None:
    slot = submit_out(log)
    log.copy_out(0x100, DESTINATION, LENGTH)
    log.complete(slot, 12, LENGTH)


def _guard_byte(log: DriverLog) -> None:
    log.cpu_write(HIGH + 0x5005 + LENGTH, b"!")


LEFT: list[tuple[str, str, Callable[[DriverLog], None]]] = [
    ("never completed", "dma", _no_completion),
    ("asked for an interrupt", "endpoint", _no_interrupt),
    ("guard byte", "dma", _guard_byte),
]


@pytest.mark.parametrize(("message", "block", "plant"), LEFT, ids=[case[2].__name__ for case in LEFT])
def test_what_is_missing_fails_at_the_end(message: str, block: str, plant: Callable[[DriverLog], None]) -> None:
    judge, log = board(), prepared()
    copy_in(log)
    plant(log)
    judge.ingest(log.batch())
    with pytest.raises(ScoreboardError, match=message) as caught:
        judge.finish()
    assert (caught.value.checker, caught.value.block) == ("transfer", block)


def test_nothing_seen_is_a_failure() -> None:
    with pytest.raises(ScoreboardError, match="compared nothing"):
        board().finish()
