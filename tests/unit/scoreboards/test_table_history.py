"""The history of table entries finds what an invalidation covers without asking every change."""

from __future__ import annotations

import numpy as np
import pytest
from sluicegate.iommu.commands import Fence, InvalidateTranslations
from sluicegate.memory import SparseMemory

from tb.scoreboards import table_history
from tb.scoreboards.table_history import NEVER, Change, TableHistory
from tb.scoreboards.table_map import TableKind, TablePage

PSCID, GSCID = 7, 3
NAPOT = 1 << 63
PAGES = (
    TablePage(TableKind.FIRST_STAGE, 0, 1 << 12, pscid=PSCID),
    TablePage(TableKind.FIRST_STAGE, 0, 1 << 21, level=1, pscid=PSCID),
    TablePage(TableKind.FIRST_STAGE, -1 << 38 & (1 << 64) - 1, 1 << 12, pscid=PSCID + 1, gscid=GSCID),
    TablePage(TableKind.SECOND_STAGE, 0, 1 << 12, gscid=GSCID),
    TablePage(TableKind.SECOND_STAGE, 0, 1 << 30, level=2, gscid=GSCID + 1),
    TablePage(TableKind.CONTEXT, 0, 1, 32),
    TablePage(TableKind.LEARNED),
)


def random_change(random: np.random.Generator, written_at: int) -> Change:
    page = PAGES[int(random.integers(len(PAGES)))]
    address = int(random.integers(0, 64)) * 8
    old = int(random.choice([0, 1, 0xD7, 0xF7, 0xD7 | NAPOT]))
    return Change(address, old, written_at, bool(old & 1), bool(old & 0xE), page, *page.iova_range(address))


def random_invalidation(random: np.random.Generator) -> tuple[int, int]:
    """Dwords of an IOTINVAL of any kind, with an operand near the entries."""
    low = 1 | int(random.integers(0, 2)) << 7
    for bit in (10, 32, 33, 34):
        low |= int(random.integers(0, 2)) << bit
    low |= int(random.choice([PSCID, PSCID + 1])) << 12 | int(random.choice([GSCID, GSCID + 1])) << 44
    number = int(random.integers(0, 80)) << int(random.choice([0, 9, 18]))
    if random.random() < 0.2:
        number |= (-1 << 38 & (1 << 64) - 1) >> 12
    ones = int(random.choice([0, 1, 2, 3, 4, 12]))
    return low, number << 10 | (1 << ones + 10) - (1 << 10) | int(ones > 0 or random.random() < 0.2) << 9


@pytest.mark.parametrize("seed", range(20))
def test_an_invalidation_covers_what_asking_every_change_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    history, time = TableHistory(), 1
    for _ in range(60):
        for _ in range(int(random.integers(1, 12))):
            history.add(random_change(random, time))
            time += 1
        low, high = random_invalidation(random)
        submitted = time - int(random.integers(0, 5))
        expected = [
            change.covered or (change.written_at < submitted and table_history._entry_covered(change, low, high))
            for change in history.changes
        ]
        history.command(low, high, submitted, time)
        assert [change.covered for change in history.changes] == expected
        time += 1
        if random.random() < 0.3:
            history.command(*Fence().pack(), time, time)
            assert all((change.retired_at < NEVER) == change.covered for change in history.changes)
            history.forget(time - 20)
            time += 1


def test_a_window_sees_what_was_in_force_then_and_older_values() -> None:
    history, memory = TableHistory(), SparseMemory()
    page = PAGES[0]
    memory.write_u64(8, 30)
    for written_at, old in ((10, 11), (20, 21)):
        history.add(Change(8, old, written_at, True, True, page, *page.iova_range(8)))
    assert history.values(16, 0, 100, memory) is None
    assert history.values(8, 25, 26, memory) == (30, 21, 11)
    assert history.values(8, 5, 15, memory) == (21, 11)
    history.command(*InvalidateTranslations().pack(), 15, 16)
    history.command(*Fence().pack(), 17, 18)
    assert history.turns() == [10, 18, 20]
    assert history.values(8, 25, 26, memory) == (30, 21)
