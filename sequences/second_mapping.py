"""One buffer mapped twice: the end of one mapping must not touch the other, whose pages are the same."""

from __future__ import annotations

import numpy as np
from sluicegate.dma.direction import DmaDirection
from sluicegate.registers.completion import StatusCode

from sequences.machine import Endpoint, Machine
from sequences.single_transfers import awkward_length, awkward_offset
from sequences.transfers import discard_faults, guarded_buffer, map_buffer, run_batch, to_local, unmap_buffer


def second_mapping(machine: Machine, random: np.random.Generator, rounds: int = 8) -> None:
    """``rounds`` buffers on each endpoint."""
    for _ in range(rounds):
        for endpoint in machine.endpoints:
            _one_buffer(machine, endpoint, random)


def _one_buffer(machine: Machine, endpoint: Endpoint, random: np.random.Generator) -> None:
    with guarded_buffer(machine, random, awkward_length(random), awkward_offset(random)) as guarded:
        first = map_buffer(endpoint, guarded.buffer, DmaDirection.TO_DEVICE)
        second = map_buffer(endpoint, guarded.buffer, DmaDirection.TO_DEVICE)
        endpoint.local.release()
        places = [endpoint.local.allocate(guarded.buffer.size, 64) for _ in range(2)]
        reads = [to_local(at, place, guarded.buffer.size) for at, place in zip((first, second), places, strict=True)]
        run_batch(endpoint, reads)
        unmap_buffer(endpoint, first, guarded.buffer, DmaDirection.TO_DEVICE)
        run_batch(endpoint, reads, [StatusCode.UNSUPPORTED_REQUEST, StatusCode.SUCCESS])
        discard_faults(machine)
        unmap_buffer(endpoint, second, guarded.buffer, DmaDirection.TO_DEVICE)
