"""Accesses after unmap: the device must be refused, the fault must be recorded, and not a byte may change."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import numpy as np
from sluicegate.dma.direction import DmaDirection
from sluicegate.iommu.request import Cause
from sluicegate.registers.completion import StatusCode

from sequences.machine import Endpoint, Machine
from sequences.single_transfers import awkward_offset
from sequences.transfers import (
    discard_faults,
    expect_bytes,
    expect_faults,
    from_local,
    guarded_buffer,
    map_buffer,
    run_batch,
    to_local,
    unmap_buffer,
)

BUFFERS: Final = 12


def unmap_access(machine: Machine, random: np.random.Generator, rounds: int = 3) -> None:
    """Use mappings (so that translations are cached), unmap some, use all again: the unmapped ones must fault."""
    for _ in range(rounds):
        for endpoint in machine.endpoints:
            with ExitStack() as buffers:
                _one_round(machine, endpoint, random, buffers)


def _one_round(machine: Machine, endpoint: Endpoint, random: np.random.Generator, buffers: ExitStack) -> None:
    lengths = [int(random.integers(1, 1500)) for _ in range(BUFFERS)]
    chosen = [buffers.enter_context(guarded_buffer(machine, random, length, awkward_offset(random))) for length in lengths]
    direction = DmaDirection.BIDIRECTIONAL
    addresses = [map_buffer(endpoint, guarded.buffer, direction) for guarded in chosen]
    endpoint.local.release()
    places = [endpoint.local.allocate(length, 64) for length in lengths]
    run_batch(endpoint, [to_local(a, p, n) for a, p, n in zip(addresses, places, lengths, strict=True)])
    discard_faults(machine)

    gone = [bool(draw) for draw in random.random(BUFFERS) < 0.5]
    for address, guarded, is_gone in zip(addresses, chosen, gone, strict=True):
        if is_gone:
            unmap_buffer(endpoint, address, guarded.buffer, direction)
    statuses = [StatusCode.UNSUPPORTED_REQUEST if is_gone else StatusCode.SUCCESS for is_gone in gone]
    run_batch(endpoint, [to_local(a, p, n) for a, p, n in zip(addresses, places, lengths, strict=True)], statuses)
    expect_faults(machine, endpoint, [int(a) for a, g in zip(addresses, gone, strict=True) if g], Cause.READ_PAGE_FAULT)

    discard_faults(machine)
    # A posted write that faults is dropped, and only the fault queue tells: the requester sees success.
    lost = [(a, p, n) for a, p, n, g in zip(addresses, places, lengths, gone, strict=True) if g]
    if lost:
        run_batch(endpoint, [from_local(p, a, n) for a, p, n in lost])
        expect_faults(machine, endpoint, [int(a) for a, _, _ in lost], Cause.WRITE_PAGE_FAULT)
    for address, guarded, is_gone in zip(addresses, chosen, gone, strict=True):
        if not is_gone:
            unmap_buffer(endpoint, address, guarded.buffer, direction)
        expect_bytes(guarded.buffer, guarded.contents, "buffer that was only read or unmapped")
