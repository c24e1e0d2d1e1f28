"""Peer-to-peer writes: from the local memory of one endpoint into that of another, on the path that the topology allows.

Without ACS redirection the bus address of the peer's BAR goes directly through the switch. With it, the same address would go
up and fault, so the BAR is mapped as a resource and the write goes through the host bridge: an IOVA whose translation lies in a
window.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import numpy as np
from sluicegate.address import DmaAddress, PhysicalAddress
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.resource import dma_map_resource, dma_unmap_resource
from sluicegate.dma.streaming import dma_mapping_error
from sluicegate.pci.topology import AcsControl
from sluicegate.registers.descriptor import Space

from sequences.machine import Endpoint, Machine
from sequences.single_transfers import awkward_length, awkward_offset
from sequences.transfers import (
    SequenceError,
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


def redirected(endpoint: Endpoint) -> bool:
    """Whether ACS sends the peer requests of this endpoint up to the root complex."""
    port = endpoint.function.device.parent
    return port is not None and port.acs is not None and bool(port.acs & AcsControl.REQUEST_REDIRECT)


def peer_writes(machine: Machine, random: np.random.Generator, rounds: int = 3) -> None:
    """Host to first endpoint, peer write to the second, back to the host; then the other way round."""
    for _ in range(rounds):
        for source in machine.endpoints:
            for target in machine.endpoints:
                if source is not target:
                    _one_round(machine, source, target, random)


def _one_round(machine: Machine, source: Endpoint, target: Endpoint, random: np.random.Generator) -> None:
    window = target.driver.local_memory
    through_host = redirected(source)
    if through_host:
        mapped = dma_map_resource(source.device, PhysicalAddress(window.base), WINDOW, DmaDirection.FROM_DEVICE)
        if dma_mapping_error(source.device, mapped):
            raise SequenceError(f"{source.bdf}: the BAR of {target.bdf} was not mapped")
        base = mapped
    else:
        base = DmaAddress(window.base)
    with ExitStack() as buffers:
        lengths = [awkward_length(random, 2048) for _ in range(WRITES)]
        inputs = [buffers.enter_context(guarded_buffer(machine, random, n, awkward_offset(random))) for n in lengths]
        outputs = [buffers.enter_context(guarded_buffer(machine, random, n, awkward_offset(random))) for n in lengths]
        out = [map_buffer(source, guarded.buffer, DmaDirection.TO_DEVICE) for guarded in inputs]
        back = [map_buffer(target, guarded.buffer, DmaDirection.FROM_DEVICE) for guarded in outputs]
        source.local.release()
        target.local.release()
        places = [source.local.allocate(n, 64, int(random.integers(0, 64))) for n in lengths]
        peers = [target.local.allocate(n, 64, int(random.integers(0, 64))) for n in lengths]
        run_batch(source, [to_local(a, p, n) for a, p, n in zip(out, places, lengths, strict=True)])
        run_batch(source, [from_local(p, base + q, n, Space.PEER) for p, q, n in zip(places, peers, lengths, strict=True)])
        run_batch(target, [from_local(q, a, n) for q, a, n in zip(peers, back, lengths, strict=True)])
        for address, guarded in zip(out, inputs, strict=True):
            unmap_buffer(source, address, guarded.buffer, DmaDirection.TO_DEVICE)
        for address, guarded in zip(back, outputs, strict=True):
            unmap_buffer(target, address, guarded.buffer, DmaDirection.FROM_DEVICE)
        for given, got in zip(inputs, outputs, strict=True):
            expect_bytes(got.buffer, given.contents, f"peer write {source.bdf} to {target.bdf}")
    if through_host:
        dma_unmap_resource(source.device, base, WINDOW, DmaDirection.FROM_DEVICE)
