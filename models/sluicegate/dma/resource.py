"""Mapping of device memory: ``dma_map_resource`` (specification DMA_API, sections 1.4 and 1.7)."""

from __future__ import annotations

from operator import index

from sluicegate.address import DMA_MAPPING_ERROR, DmaAddress, PhysicalAddress
from sluicegate.arguments import validated
from sluicegate.dma.attrs import MMIO
from sluicegate.dma.backends.base import MAPPING_ERROR
from sluicegate.dma.debug import caller, match_unmap
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device
from sluicegate.dma.direction import DmaDirection, valid_direction
from sluicegate.dma.ledger import Mapping, MappingKind
from sluicegate.dma.streaming import check_in_flight, mapping_allowed
from sluicegate.memory import PAGE_SIZE


@validated
def dma_map_resource(dev: Device, phys: PhysicalAddress | int, size: int, dir: DmaDirection, attrs: int = 0) -> DmaAddress:
    """Map device memory (MMIO) at a CPU physical address; ``DMA_MAPPING_ERROR`` on failure. RAM is always refused.

    No cache work is done. The direct back end returns the CPU physical address unchanged: on a bus with an offset that is the
    wrong address, and reported.
    """
    direction = valid_direction(dir)
    size = index(size)
    address = int(PhysicalAddress(phys))
    if not mapping_allowed(dev, size):
        return DMA_MAPPING_ERROR
    if dev.host.pages.is_ram(address & -PAGE_SIZE):
        dev.report(DebugClass.RESOURCE_IS_RAM, f"dma_map_resource of {address:#x}, which is RAM")
        return DMA_MAPPING_ERROR
    if (address + size) >> 64:
        dev.report(DebugClass.ADDRESS_OVERFLOW, f"dma_map_resource of {address:#x}+{size:#x} ends beyond 64 bits")
        return DMA_MAPPING_ERROR
    if dev.range_map and dev.backend.name == "direct":
        dev.report(DebugClass.RESOURCE_BUS_OFFSET, f"dma_map_resource of {address:#x} returns it untranslated")
    dma = dev.backend.map_resource(dev, address, size, direction, attrs)
    if dma == MAPPING_ERROR:
        return DMA_MAPPING_ERROR
    code, line = caller()
    dev.add_mapping(Mapping(dev, MappingKind.RESOURCE, dma, size, direction, attrs | MMIO, address, code, line))
    return DmaAddress(dma)


@validated
def dma_unmap_resource(dev: Device, dma: DmaAddress | int, size: int, dir: DmaDirection, attrs: int = 0) -> None:
    """Undo :func:`dma_map_resource`."""
    direction = valid_direction(dir)
    dev.check_present()
    address = int(DmaAddress(dma))
    size = index(size)
    entry = match_unmap(dev, MappingKind.RESOURCE, address, size, direction, attrs=attrs | MMIO)
    check_in_flight(dev, address, size)
    if entry is None and (address == MAPPING_ERROR or size <= 0):
        return
    dev.backend.unmap_resource(dev, address, size, direction, attrs)
    if entry is not None:
        dev.remove_mapping(entry)
