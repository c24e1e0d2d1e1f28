"""The replica holds what the log's memory writes left, in every kind of region."""

from __future__ import annotations

import numpy as np
import pytest
from sluicegate.memory import Memory
from sluicegate.platform import ADDRESS_MAP

from tb.bridge.event_log import EventFlag
from tb.scoreboards.replica import MANY, Replica
from tests.unit.scoreboards.log_builder import LogBuilder, words

LOW, HIGH, IMSIC = ADDRESS_MAP.low_ram.base, ADDRESS_MAP.high_ram.base, ADDRESS_MAP.imsic.base


def test_writes_land_in_order_in_every_region() -> None:
    log, replica = LogBuilder(), Replica()
    log.memory_write(LOW + 5, b"abcdef")
    log.memory_write(HIGH + 0x1000, bytes(range(16)))
    log.memory_write(IMSIC, b"\x07\0\0\0")
    log.memory_write(LOW + 7, b"XY")
    replica.apply(log.batch())
    assert replica.read(LOW + 4, 8) == b"\0abXYef\0"
    assert replica.read(HIGH + 0x1000, 16) == bytes(range(16))
    assert replica.read(IMSIC, 4) == b"\x07\0\0\0"
    assert isinstance(replica, Memory)


@pytest.mark.parametrize("room", [40, 1 << 16])
def test_many_writes_at_once_are_as_one_by_one(room: int) -> None:
    """In little room they overlap, and only their order says what is left."""
    random = np.random.default_rng(room)
    together, singly, log = Replica(), Replica(), LogBuilder()
    for base in (HIGH, LOW):
        for _ in range(MANY + 20):
            size = int(random.choice([1, 4, 8, 64]))
            log.memory_write(base + int(random.integers(0, room)), random.bytes(size))
    for _ in range(MANY):
        log.memory_write(IMSIC, random.bytes(4))
    batch = log.batch()
    for start in range(0, batch.records.size, MANY + 20):
        together.apply(batch, start, start + MANY + 20)
    for row in range(batch.records.size):
        singly.apply(batch, row, row + 1)
    for base, size in ((HIGH, room + 64), (LOW, room + 64), (IMSIC, 4)):
        assert together.read(base, size) == singly.read(base, size)


def test_a_slice_applies_only_its_records_and_failed_writes_change_nothing() -> None:
    log, replica = LogBuilder(), Replica()
    log.memory_write(LOW, b"1")
    log.memory_write(LOW, b"2")
    log.memory_write(LOW + 1, b"3", flags=EventFlag.FAILED)
    batch = log.batch()
    replica.apply(batch, 0, 1)
    assert replica.read(LOW, 2) == b"1\0"
    replica.apply(batch, 1)
    assert replica.read(LOW, 2) == b"2\0"


def test_gather_reads_dwords_across_regions() -> None:
    log, replica = LogBuilder(), Replica()
    for address, value in ((LOW + 8, 11), (HIGH + 16, 22), (IMSIC + 24, 33)):
        log.memory_write(address, words(value))
    replica.apply(log.batch())
    addresses = np.array([IMSIC + 24, LOW + 8, HIGH + 16, HIGH], dtype=np.uint64)
    assert replica.gather_u64(addresses).tolist() == [33, 11, 22, 0]
    assert replica.gather_u64(addresses[2:]).tolist() == [22, 0]
    with pytest.raises(ValueError, match="aligned"):
        replica.gather_u64(np.array([LOW + 4], dtype=np.uint64))


def test_views_cannot_write() -> None:
    view = Replica().view(LOW, 8)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
