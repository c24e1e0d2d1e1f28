"""Every sequence by name, for the tests that run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from sequences.bulk_transfers import bulk_transfers
from sequences.churn import churn
from sequences.directory_faults import directory_faults
from sequences.machine import Machine
from sequences.peer_reads import mutual_peer_reads, peer_reads
from sequences.peer_writes import peer_writes
from sequences.random_mix import random_mix
from sequences.read_failures import read_failures
from sequences.recorded_lists import RecordedList
from sequences.refused_requests import refused_requests
from sequences.scatter_gather import scatter_gather
from sequences.second_mapping import second_mapping
from sequences.single_transfers import single_transfers
from sequences.unmap_access import unmap_access
from sequences.window_access import window_access

RunSequence = Callable[[Machine, np.random.Generator, Sequence[RecordedList], int], None]
"""A sequence, the machine, the random numbers of the run, recorded scatterlists, and how often to repeat."""

SEQUENCES: Final[Mapping[str, RunSequence]] = {
    "single_transfers": lambda machine, random, lists, count: single_transfers(machine, random, count),
    "scatter_gather": lambda machine, random, lists, count: scatter_gather(machine, random, lists, count),
    "unmap_access": lambda machine, random, lists, count: unmap_access(machine, random, count),
    "churn": lambda machine, random, lists, count: churn(machine, random, count),
    "peer_writes": lambda machine, random, lists, count: peer_writes(machine, random, count),
    "peer_reads": lambda machine, random, lists, count: peer_reads(machine, random, count),
    "mutual_peer_reads": lambda machine, random, lists, count: mutual_peer_reads(machine, random, count),
    "read_failures": lambda machine, random, lists, count: read_failures(machine, random, count),
    "directory_faults": lambda machine, random, lists, count: directory_faults(machine, random, count),
    "bulk_transfers": lambda machine, random, lists, count: bulk_transfers(machine, random, count),
    "second_mapping": lambda machine, random, lists, count: second_mapping(machine, random, count),
    "refused_requests": lambda machine, random, lists, count: refused_requests(machine, random, count),
    "window_access": lambda machine, random, lists, count: window_access(machine, random, count),
    "random_mix": lambda machine, random, lists, count: random_mix(machine, random, lists, count),
}
