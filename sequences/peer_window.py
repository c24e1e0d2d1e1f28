"""Memory of a peer, mapped for another endpoint the way P2PDMA decides: by bus address, or by an IOVA through the host bridge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sluicegate.address import DmaAddress
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.masks import dma_set_max_seg_size, dma_set_seg_boundary
from sluicegate.dma.scatterlist import Scatterlist, SgEntry, sg_dma_address, sg_dma_is_bus_address
from sluicegate.dma.sg_mapping import dma_map_sg, dma_unmap_sg
from sluicegate.p2pdma.api import (
    PeerBuffer,
    pci_alloc_p2pmem,
    pci_free_p2pmem,
    pci_p2pdma_distance,
    pci_p2pdma_map_type,
    pci_p2pmem_virt_to_bus,
)
from sluicegate.p2pdma.map_type import P2pdmaMapType

from sequences.machine import Endpoint
from sequences.transfers import SequenceError

DISTANCE: Final = 4
"""Links between two endpoints of this machine, up and down: whatever path a request takes, P2PDMA counts these."""

BOUNDARY: Final = (1 << 32) - 1
"""Segment boundary as a mask: the kernel's default."""


@dataclass(frozen=True)
class PeerWindow:
    """``address``: where the initiator reaches the first byte; ``bus_address``: where the BAR has it; ``local``: its offset in
    the local memory of the target."""

    address: DmaAddress
    bus_address: int
    local: int
    map_type: P2pdmaMapType


@contextmanager
def peer_window(initiator: Endpoint, target: Endpoint, size: int, direction: DmaDirection) -> Iterator[PeerWindow]:
    """``size`` bytes of the target's published memory, mapped for the initiator.

    Raises SequenceError when P2PDMA finds no path, or when the mapping is not of the kind that it decided on.
    """
    distance = pci_p2pdma_distance(target.device, initiator.device)
    if distance != DISTANCE:
        raise SequenceError(f"{initiator.bdf}: the distance to {target.bdf} is {distance}, expected {DISTANCE}")
    buffer = pci_alloc_p2pmem(target.device, size)
    if buffer is None:
        raise SequenceError(f"{target.bdf} has no {size} bytes of peer memory left")
    # One segment, whatever limits the last user of the device has set.
    dma_set_max_seg_size(initiator.device, size)
    dma_set_seg_boundary(initiator.device, BOUNDARY)
    memory = Scatterlist([SgEntry(buffer.page, 0, size)])
    if dma_map_sg(initiator.device, memory, 1, direction) != 1:
        raise SequenceError(f"{initiator.bdf}: the memory of {target.bdf} was not mapped")
    window = _window(initiator, target, buffer, memory[0])
    try:
        yield window
    finally:
        initiator.observer.on_revoke(initiator.bdf.requester_id, int(window.address))
        dma_unmap_sg(initiator.device, memory, 1, direction)
        pci_free_p2pmem(target.device, buffer, size)


def _window(initiator: Endpoint, target: Endpoint, buffer: PeerBuffer, entry: SgEntry) -> PeerWindow:
    map_type = pci_p2pdma_map_type(buffer.provider, initiator.device)
    bus_address = int(pci_p2pmem_virt_to_bus(target.device, buffer))
    address = sg_dma_address(entry)
    direct = map_type is P2pdmaMapType.BUS_ADDR
    if sg_dma_is_bus_address(entry) != direct or (int(address) == bus_address) != direct:
        raise SequenceError(f"{initiator.bdf}: map type {map_type.name}, but {bus_address:#x} was mapped at {int(address):#x}")
    return PeerWindow(address, bus_address, bus_address - target.driver.local_memory.base, map_type)
