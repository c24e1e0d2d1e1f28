"""Mapping of another device's resource: ``dma_map_peer_resource`` (specification DMA_API, section 1.8).

Only the documentation of this proposal is known. Where it is silent the choices here are model policy: the resource must be a
memory BAR of the peer and hold the whole range, and both devices must be below one host bridge.
"""

from __future__ import annotations

from operator import index
from typing import Final

from sluicegate.address import PeerAddress
from sluicegate.arguments import validated
from sluicegate.dma.attrs import MMIO
from sluicegate.dma.backends.base import MAPPING_ERROR
from sluicegate.dma.backends.direct import dma_capable
from sluicegate.dma.debug import caller, match_unmap
from sluicegate.dma.device import Device
from sluicegate.dma.direction import DmaDirection, valid_direction
from sluicegate.dma.errno import Errno
from sluicegate.dma.ledger import Mapping, MappingKind
from sluicegate.dma.streaming import check_in_flight, mapping_allowed
from sluicegate.pci.topology import Bar

DMA_PEER_MAPPING_ERROR: Final = PeerAddress(MAPPING_ERROR)
"""What every failed peer mapping returns."""


@validated
def dma_map_peer_resource(dev: Device, peer: Device, res: Bar, offset: int, size: int, dir: DmaDirection) -> PeerAddress:
    """Map bytes ``[offset, offset + size)`` of a BAR of ``peer`` for ``dev``; ``DMA_PEER_MAPPING_ERROR`` on failure.

    Success grants access through the IOMMU only: it does not promise that switches or the root complex route the traffic.
    """
    direction = valid_direction(dir)
    size = index(size)
    offset = index(offset)
    peer.check_present()
    if not mapping_allowed(dev, size):
        return DMA_PEER_MAPPING_ERROR
    if not dev.host.has_dma_p2p or dev.pci is None or peer.pci is None or dev.pci.host is not peer.pci.host:
        return DMA_PEER_MAPPING_ERROR
    owned = any(bar is res for bar in peer.pci.bars.values())
    if not owned or not res.memory or not 0 <= offset < res.size or offset + size > res.size:
        return DMA_PEER_MAPPING_ERROR
    phys = res.phys + offset
    if dev.backend.name == "direct":
        address = res.bus + offset
        if not dma_capable(dev, address, size):
            return DMA_PEER_MAPPING_ERROR
    else:
        address = dev.backend.map_resource(dev, phys, size, direction, MMIO)
        if address == MAPPING_ERROR:
            return DMA_PEER_MAPPING_ERROR
    code, line = caller()
    dev.add_mapping(Mapping(dev, MappingKind.PEER, address, size, direction, MMIO, phys, code, line))
    return PeerAddress(address)


@validated
def dma_peer_mapping_error(dev: Device, addr: PeerAddress | int) -> int:
    """0 for a usable address, -ENOMEM for ``DMA_PEER_MAPPING_ERROR``. ``dma_mapping_error`` is not valid for peer addresses."""
    address = PeerAddress(addr)
    for mapping in dev.ledger.at(int(address)):
        if mapping.kind is MappingKind.PEER and not mapping.error_checked:
            mapping.error_checked = True
            break
    return -Errno.ENOMEM if address == DMA_PEER_MAPPING_ERROR else 0


@validated
def dma_unmap_peer_resource(dev: Device, addr: PeerAddress | int, size: int, dir: DmaDirection) -> None:
    """Undo :func:`dma_map_peer_resource`: every argument as in the map call and its result."""
    direction = valid_direction(dir)
    dev.check_present()
    address = int(PeerAddress(addr))
    size = index(size)
    entry = match_unmap(dev, MappingKind.PEER, address, size, direction)
    check_in_flight(dev, address, size)
    if entry is None:
        return
    if dev.backend.name != "direct":
        dev.backend.unmap_resource(dev, address, size, direction, MMIO)
    dev.remove_mapping(entry)
