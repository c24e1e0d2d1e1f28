"""The watchdog of progress: young TLPs may wait, old ones are a failure of the block that holds the oldest."""

from __future__ import annotations

import pytest

from tb.checkers.progress import ProgressWatchdog, Waiting
from tb.scoreboards.scoreboard import ScoreboardError
from tb.scoreboards.tlp_batch import TlpBatch
from tests.unit.scoreboards.log_builder import LogBuilder, memory_request

NAMES = {1: "endpoint0_down", 4: "switch_up"}
BLOCKS = {1: "switch", 4: "root_complex"}


def standing(*entries: tuple[int, int, bool]) -> TlpBatch:
    """TLPs (cycle, link, write) as another checker holds them."""
    log = LogBuilder()
    for cycle, link, write in entries:
        log.cycle = cycle
        log.tlp(link, memory_request(write, 0x8000_0000, 4), bytes(4) if write else b"")
    return TlpBatch.of(log.batch())


def watchdog(batch: TlpBatch) -> ProgressWatchdog:
    return ProgressWatchdog((Waiting(lambda: batch, "has not left", BLOCKS),), NAMES, patience=1000)


def test_nothing_waits() -> None:
    dog = watchdog(TlpBatch.none())
    dog.look(1_000_000)
    assert dog.looks == 1


def test_waiting_up_to_the_patience_is_no_failure() -> None:
    watchdog(standing((500, 1, True))).look(1500)


def test_the_oldest_names_the_block_and_everything_that_stands_is_counted() -> None:
    dog = watchdog(standing((600, 1, True), (500, 4, False), (700, 4, False)))
    with pytest.raises(ScoreboardError) as caught:
        dog.look(2000)
    assert (caught.value.checker, caught.value.block) == ("progress", "root_complex")
    assert "switch_up: memory read" in caught.value.message
    assert "has not left for 1500 cycles" in caught.value.message
    assert "1 posted on endpoint0_down" in caught.value.message
    assert "2 nonposted on switch_up" in caught.value.message
