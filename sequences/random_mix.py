"""A busy machine: what the other sequences do, in random order and small helpings. Races stay apart, in churn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sequences.bulk_transfers import bulk_transfers
from sequences.directory_faults import directory_faults
from sequences.machine import Machine
from sequences.peer_reads import peer_reads
from sequences.peer_writes import peer_writes
from sequences.recorded_lists import RecordedList
from sequences.scatter_gather import scatter_gather
from sequences.single_transfers import single_transfers
from sequences.unmap_access import unmap_access


def random_mix(machine: Machine, random: np.random.Generator, lists: Sequence[RecordedList], steps: int = 8) -> None:
    """``steps`` helpings, drawn with the seed; each kind may come several times or not at all."""
    helpings: list[Callable[[], None]] = [
        lambda: single_transfers(machine, random, batches=1),
        lambda: scatter_gather(machine, random, lists, count=1),
        lambda: unmap_access(machine, random, rounds=1),
        lambda: peer_writes(machine, random, rounds=1),
        lambda: peer_reads(machine, random, rounds=1),
        lambda: directory_faults(machine, random, rounds=1),
        lambda: bulk_transfers(machine, random, rounds=1, pages=16),
    ]
    for choice in random.integers(0, len(helpings), steps).tolist():
        helpings[choice]()
