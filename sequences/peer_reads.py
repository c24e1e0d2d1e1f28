"""Peer-to-peer reads: an endpoint reads the local memory of another, on the path that the topology allows, one way or both.

Without ACS redirection the read goes directly through the switch, and so does its completion. With it the bus address of the
peer goes up and is an IOVA that nobody mapped; the mapped IOVA goes through the host bridge and comes back down.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import numpy as np
from sluicegate.dma.direction import DmaDirection
from sluicegate.endpoint.descriptor import Descriptor
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.registers.completion import StatusCode
from sluicegate.registers.descriptor import Space

from sequences.bulk_transfers import run_together
from sequences.machine import Endpoint, Machine
from sequences.peer_window import PeerWindow, peer_window
from sequences.peer_writes import places_in_window
from sequences.single_transfers import awkward_length, awkward_offset
from sequences.transfers import (
    GuardedBuffer,
    discard_faults,
    expect_bytes,
    from_local,
    guarded_buffer,
    map_buffer,
    run_batch,
    to_local,
    unmap_buffer,
)

READS: Final = 16
WINDOW: Final = 1 << 16
"""Bytes of the peer's local memory that are used."""
PIECE: Final = 4096
"""Bytes of each of the mutual reads: as many requests as a descriptor can make in one page."""


def peer_reads(machine: Machine, random: np.random.Generator, rounds: int = 3) -> None:
    """Host to second endpoint, peer read by the first, back to the host; then the other way round."""
    for _ in range(rounds):
        for reader in machine.endpoints:
            for target in machine.endpoints:
                if reader is not target:
                    _one_round(machine, reader, target, random)


def _one_round(machine: Machine, reader: Endpoint, target: Endpoint, random: np.random.Generator) -> None:
    with ExitStack() as buffers:
        window = buffers.enter_context(peer_window(reader, target, WINDOW, DmaDirection.TO_DEVICE))
        lengths = [awkward_length(random, 3000) for _ in range(READS)]
        inputs = [buffers.enter_context(guarded_buffer(machine, random, n, awkward_offset(random))) for n in lengths]
        peers = places_in_window(random, lengths, WINDOW)
        _fill(target, inputs, [window.local + place for place in peers])
        reader.local.release()
        places = [reader.local.allocate(n, 64, int(random.integers(0, 64))) for n in lengths]
        reads = zip(peers, places, lengths, strict=True)
        run_batch(reader, [to_local(window.address + q, p, n, Space.PEER) for q, p, n in reads])
        _compare(machine, reader, random, buffers, inputs, places)
        if window.map_type is P2pdmaMapType.THRU_HOST_BRIDGE:
            _wrong_way(machine, reader, window)


def _fill(target: Endpoint, inputs: list[GuardedBuffer], places: list[int]) -> None:
    """Bring buffers into the local memory of ``target``."""
    out = [map_buffer(target, guarded.buffer, DmaDirection.TO_DEVICE) for guarded in inputs]
    run_batch(target, [to_local(a, p, g.buffer.size) for a, p, g in zip(out, places, inputs, strict=True)])
    for address, guarded in zip(out, inputs, strict=True):
        unmap_buffer(target, address, guarded.buffer, DmaDirection.TO_DEVICE)


def _compare(
    machine: Machine,
    reader: Endpoint,
    random: np.random.Generator,
    buffers: ExitStack,
    inputs: list[GuardedBuffer],
    places: list[int],
) -> None:
    """Bring what was read to the host and look at it."""
    sizes = [guarded.buffer.size for guarded in inputs]
    outputs = [buffers.enter_context(guarded_buffer(machine, random, n, awkward_offset(random))) for n in sizes]
    back = [map_buffer(reader, guarded.buffer, DmaDirection.FROM_DEVICE) for guarded in outputs]
    run_batch(reader, [from_local(p, a, n) for p, a, n in zip(places, back, sizes, strict=True)])
    for address, guarded in zip(back, outputs, strict=True):
        unmap_buffer(reader, address, guarded.buffer, DmaDirection.FROM_DEVICE)
    for given, got in zip(inputs, outputs, strict=True):
        expect_bytes(got.buffer, given.contents, f"peer read of {reader.bdf}")


def _wrong_way(machine: Machine, reader: Endpoint, window: PeerWindow) -> None:
    """Under redirection the bus address of the peer is an IOVA that nobody mapped: the read must be refused."""
    read = to_local(window.bus_address, 0, 64, Space.PEER)
    run_batch(reader, [read], StatusCode.UNSUPPORTED_REQUEST)
    discard_faults(machine)


def mutual_peer_reads(machine: Machine, random: np.random.Generator, rounds: int = 2) -> None:
    """Both endpoints read each other at once, rings full, and write into each other meanwhile.

    Each answers the other's reads while its own wait for credit: non-posted requests must not hold back the completions that
    free them, nor posted writes.
    """
    for _ in range(rounds):
        with ExitStack() as buffers:
            _mutual_round(machine, random, buffers)


def _mutual_round(machine: Machine, random: np.random.Generator, buffers: ExitStack) -> None:
    first, second = machine.endpoints
    work: list[tuple[Endpoint, list[Descriptor]]] = []
    checks: list[tuple[Endpoint, list[GuardedBuffer], list[int]]] = []
    for reader, target in ((first, second), (second, first)):
        pieces = reader.driver.entries * 3 // 4
        window = buffers.enter_context(peer_window(reader, target, (pieces + 2) * PIECE, DmaDirection.BIDIRECTIONAL))
        source = buffers.enter_context(guarded_buffer(machine, random, PIECE, awkward_offset(random)))
        _fill(target, [source], [window.local])
        reader.local.release()
        outgoing = reader.local.allocate(PIECE, 64, int(random.integers(0, 64)))
        _fill(reader, [source], [outgoing])
        places = [reader.local.allocate(PIECE, 64, int(random.integers(0, 64))) for _ in range(pieces)]
        batch = [to_local(window.address, place, PIECE, Space.PEER) for place in places]
        for piece in range(reader.driver.entries - pieces):
            at = int(random.integers(0, PIECE // 2))
            target_page = window.address + PIECE * (2 + piece)
            batch.insert(int(random.integers(0, len(batch) + 1)), from_local(outgoing, target_page + at, 700, Space.PEER))
        work.append((reader, batch))
        chosen = [places[int(index)] for index in random.integers(0, pieces, 2)]
        checks.append((reader, [source, source], chosen))
    run_together(work)
    for reader, inputs, places in checks:
        _compare(machine, reader, random, buffers, inputs, places)
