"""Peer-to-peer writes: from the local memory of one endpoint into that of another, on the path that the topology allows.

Without ACS redirection P2PDMA maps the peer's BAR by its bus address, and the write goes directly through the switch. With it,
the same address would go up and fault, so the BAR gets an IOVA and the write goes through the host bridge.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import numpy as np
from sluicegate.dma.direction import DmaDirection
from sluicegate.registers.descriptor import Space

from sequences.machine import Endpoint, Machine
from sequences.peer_window import peer_window
from sequences.single_transfers import awkward_length, awkward_offset
from sequences.transfers import (
    expect_bytes,
    from_local,
    guarded_buffer,
    map_buffer,
    run_batch,
    to_local,
    unmap_buffer,
)

WRITES: Final = 12
WINDOW: Final = 1 << 16
"""Bytes of the peer's local memory that are used."""


def peer_writes(machine: Machine, random: np.random.Generator, rounds: int = 3) -> None:
    """Host to first endpoint, peer write to the second, back to the host; then the other way round."""
    for _ in range(rounds):
        for source in machine.endpoints:
            for target in machine.endpoints:
                if source is not target:
                    _one_round(machine, source, target, random)


def _one_round(machine: Machine, source: Endpoint, target: Endpoint, random: np.random.Generator) -> None:
    with ExitStack() as buffers:
        window = buffers.enter_context(peer_window(source, target, WINDOW, DmaDirection.FROM_DEVICE))
        lengths = [awkward_length(random, 2048) for _ in range(WRITES)]
        inputs = [buffers.enter_context(guarded_buffer(machine, random, n, awkward_offset(random))) for n in lengths]
        outputs = [buffers.enter_context(guarded_buffer(machine, random, n, awkward_offset(random))) for n in lengths]
        out = [map_buffer(source, guarded.buffer, DmaDirection.TO_DEVICE) for guarded in inputs]
        back = [map_buffer(target, guarded.buffer, DmaDirection.FROM_DEVICE) for guarded in outputs]
        source.local.release()
        places = [source.local.allocate(n, 64, int(random.integers(0, 64))) for n in lengths]
        peers = places_in_window(random, lengths, WINDOW)
        run_batch(source, [to_local(a, p, n) for a, p, n in zip(out, places, lengths, strict=True)])
        writes = zip(places, peers, lengths, strict=True)
        run_batch(source, [from_local(p, window.address + q, n, Space.PEER) for p, q, n in writes])
        run_batch(target, [from_local(window.local + q, a, n) for q, a, n in zip(peers, back, lengths, strict=True)])
        for address, guarded in zip(out, inputs, strict=True):
            unmap_buffer(source, address, guarded.buffer, DmaDirection.TO_DEVICE)
        for address, guarded in zip(back, outputs, strict=True):
            unmap_buffer(target, address, guarded.buffer, DmaDirection.FROM_DEVICE)
        for given, got in zip(inputs, outputs, strict=True):
            expect_bytes(got.buffer, given.contents, f"peer write {source.bdf} to {target.bdf}")


def places_in_window(random: np.random.Generator, lengths: list[int], size: int) -> list[int]:
    """Offsets in a window of ``size`` bytes, one piece behind the other, each anywhere in a line of 64 bytes."""
    places, start = [], 0
    for length in lengths:
        place = start + int(random.integers(0, 64))
        places.append(place)
        start = -(-(place + length) // 64) * 64
    if start > size:
        raise MemoryError(f"pieces of {sum(lengths)} bytes need {start} bytes of a window of {size}")
    return places
