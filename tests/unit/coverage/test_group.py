"""Cover groups: bins and their names, counting, and combinations that cannot occur."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tb.bridge.event_log import EVENT_DTYPE, LogBatch
from tb.coverage.collector import Collector, FunctionalCoverage, Records
from tb.coverage.group import Axis, CoverGroup, Illegal
from tb.scoreboards.scoreboard import ScoreboardError

KIND = Axis("kind", ("read", "write"))
PAYLOAD = Axis("payload", ("none", "short", "long"))
READ_CARRIES_NOTHING = Illegal("a read carries no payload", lambda of: (of["kind"] == "read") & (of["payload"] != "none"))


def group() -> CoverGroup:
    return CoverGroup("requests", (KIND, PAYLOAD), (READ_CARRIES_NOTHING,), block="dma")


@dataclass
class Seen:
    cycle: NDArray[np.uint64]
    sequence: NDArray[np.uint64]


def seen(count: int) -> Seen:
    return Seen(np.arange(100, 100 + count, dtype=np.uint64), np.arange(7, 7 + count, dtype=np.uint64))


def test_every_legal_bin_is_listed_and_counted() -> None:
    requests = group()
    assert requests.bins == 4
    requests.sample(np.array([0, 1, 1, 1], np.uint8), np.array([0, 2, 2, 0], np.int64))
    requests.sample(np.zeros(0, np.uint8), np.zeros(0, np.uint8))
    assert requests.hits() == {"read, none": 1, "write, none": 1, "write, short": 0, "write, long": 2}


def test_only_the_chosen_rows_count() -> None:
    kind, payload = np.array([0, 1, 1]), np.array([2, 1, 2])
    by_mask, by_position = group(), group()
    by_mask.sample(kind, payload, rows=kind == 1)
    by_position.sample(kind, payload, rows=np.array([2, 1]))
    assert by_mask.hits() == by_position.hits() == {"read, none": 0, "write, none": 0, "write, short": 1, "write, long": 1}


@pytest.mark.parametrize("chosen", [None, np.array([False, True, True]), np.array([1, 2])])
def test_a_combination_that_cannot_be_ends_the_run(chosen: NDArray[np.bool_] | None) -> None:
    kind, payload = np.array([1, 1, 0]), np.array([0, 1, 2])
    with pytest.raises(
        ScoreboardError, match=r"read, long cannot be: a read carries no payload \(cycle 102, record 9\)"
    ) as failure:
        group().sample(kind, payload, rows=chosen, at=seen(3))
    assert (failure.value.checker, failure.value.block) == ("coverage", "dma")


def test_codes_that_an_axis_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="axis 'payload' of 'requests' has codes 0 to 2, got 0 to 3"):
        group().sample(np.array([1, 1]), np.array([0, 3]))
    with pytest.raises(ValueError, match="codes 0 to 1, got -1"):
        group().sample(np.array([-1]), np.array([0]))
    with pytest.raises(ValueError, match="2 axes, 1 arrays"):
        group().sample(np.array([1]))


def test_nonsense_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="rules out nothing"):
        CoverGroup("g", (KIND,), (Illegal("never", lambda of: of["kind"] == "atomic"),))
    with pytest.raises(ValueError, match="no bin left"):
        CoverGroup("g", (KIND,), (Illegal("all", lambda of: of["kind"] != "atomic"),))
    with pytest.raises(ValueError, match="different names"):
        CoverGroup("g", (KIND, KIND))
    with pytest.raises(ValueError, match="values that differ"):
        Axis("kind", ("read", "read"))
    with pytest.raises(ValueError, match="must not"):
        Axis("kind", ("read, write",))


class RequestCollector(Collector):
    """Samples the source of every record as if it were a write's payload."""

    def __init__(self) -> None:
        self.requests = group()
        self.groups: Sequence[CoverGroup] = (self.requests,)

    def ingest(self, batch: LogBatch) -> None:
        kind = np.ones(batch.records.size, np.uint8)
        self.requests.sample(kind, batch.records["source"], at=Records(batch.records))


def test_the_file_lists_every_bin_that_can_be_hit(tmp_path: Path) -> None:
    coverage = FunctionalCoverage()
    coverage.write(tmp_path)
    assert not list(tmp_path.iterdir())
    coverage.add(RequestCollector())
    records = np.zeros(3, EVENT_DTYPE)
    records["source"] = [0, 2, 2]
    coverage.ingest(LogBatch(records, np.zeros(0, np.uint8), 0))
    coverage.write(tmp_path)
    data = json.loads((tmp_path / "coverage.json").read_text())
    assert data == {"schema": 1, "groups": {"requests": {"read, none": 0, "write, none": 1, "write, short": 0, "write, long": 2}}}
    with pytest.raises(ValueError, match="belongs to two collectors"):
        coverage.add(RequestCollector())
