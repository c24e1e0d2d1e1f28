"""Streaming mappings of one buffer: map, unmap, error test (specification DMA_API, section 1.4)."""

from __future__ import annotations

from sluicegate.address import DMA_MAPPING_ERROR, DmaAddress, PhysicalAddress
from sluicegate.arguments import instance, unsigned
from sluicegate.dma.attrs import ATTR_BITS, CC_SHARED, MMIO, REQUIRE_COHERENT
from sluicegate.dma.backends.base import MAPPING_ERROR
from sluicegate.dma.cpu_buffer import CpuBuffer, VmallocBuffer
from sluicegate.dma.debug import DebugMode, caller, match_unmap
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device, MaskState
from sluicegate.dma.direction import DmaDirection, valid_direction
from sluicegate.dma.errno import Errno
from sluicegate.dma.fault_injection import FaultPoint
from sluicegate.dma.ledger import Mapping, MappingKind
from sluicegate.dma.pages import Page


def dma_map_single(dev: Device, ptr: CpuBuffer | VmallocBuffer, size: int, dir: DmaDirection, attrs: int = 0) -> DmaAddress:
    """Map the first ``size`` bytes of a buffer for the device (``dma_map_single[_attrs]``).

    Returns the device address, or ``DMA_MAPPING_ERROR``: test it with :func:`dma_mapping_error`. Until the unmap the buffer
    belongs to the device, except between syncs.
    """
    if dev.__class__ is not Device:
        instance(dev, (Device,), "dma_map_single: dev")
    if isinstance(ptr, VmallocBuffer):
        dev.check_present()
        dev.report(DebugClass.MAP_VMALLOC, f"dma_map_single of a vmalloc buffer of {ptr.size} bytes")
        return DMA_MAPPING_ERROR
    if not isinstance(ptr, CpuBuffer):
        raise TypeError(f"dma_map_single takes a CpuBuffer (from host.kmalloc), not {type(ptr).__name__}")
    if size.__class__ is not int:
        size = unsigned(size, "dma_map_single: size")
    if size > ptr.size:
        raise ValueError(f"a mapping of {size} bytes from a buffer of {ptr.size}: map at most the whole buffer")
    phys = int(ptr.phys)
    dev.check_present()
    if not dev.host.pages.is_ram(phys):
        dev.report(DebugClass.MAP_INVALID_AREA, f"dma_map_single of {phys:#x}, where no RAM is")
        return DMA_MAPPING_ERROR
    return map_range(dev, MappingKind.SINGLE, phys, size, dir, attrs)


def dma_map_page(dev: Device, page: Page, offset: int, size: int, dir: DmaDirection, attrs: int = 0) -> DmaAddress:
    """Map ``size`` bytes from ``offset`` of a page (highmem pages too)."""
    if attrs.__class__ is not int or attrs >> ATTR_BITS:
        attrs = unsigned(attrs, "dma_map_page: attrs")
    instance(dev, (Device,), "dma_map_page: dev")
    instance(page, (Page,), "dma_map_page: page")
    if attrs & MMIO:
        return DMA_MAPPING_ERROR
    if page.provider is not None:
        dev.report(DebugClass.MAP_PEER_PAGE, f"dma_map_page of peer memory at {int(page.phys):#x}")
        return DMA_MAPPING_ERROR
    offset = unsigned(offset, "dma_map_page: offset")
    phys = int(page.phys) + offset
    if not dev.host.pages.is_ram(phys):
        dev.report(DebugClass.MAP_INVALID_AREA, f"dma_map_page of {phys:#x}, where no RAM is")
        return DMA_MAPPING_ERROR
    return map_range(dev, MappingKind.PAGE, phys, size, dir, attrs)


def dma_map_phys(dev: Device, phys: PhysicalAddress | int, size: int, dir: DmaDirection, attrs: int = 0) -> DmaAddress:
    """Map ``size`` bytes at a CPU physical address; with the MMIO attribute device memory."""
    return map_range(dev, MappingKind.PHYS, int(PhysicalAddress(phys)), size, dir, attrs)


def map_range(dev: Device, kind: MappingKind, phys: int, size: int, dir: DmaDirection, attrs: int) -> DmaAddress:
    """The common part of the calls above: checks, the back end's mapping, the ledger entry."""
    direction = valid_direction(dir)
    if dev.__class__ is not Device or size.__class__ is not int or attrs.__class__ is not int or attrs >> ATTR_BITS:
        instance(dev, (Device,), "the device of a mapping")
        size = unsigned(size, "the size of a mapping")
        attrs = unsigned(attrs, "the attributes of a mapping")
    if (phys + size) >> 64:
        unsigned(size, "the size of a mapping")
        dev.report(DebugClass.ADDRESS_OVERFLOW, f"a mapping of {phys:#x}+{size:#x} ends beyond 64 bits")
        return DMA_MAPPING_ERROR
    if not mapping_allowed(dev, size):
        return DMA_MAPPING_ERROR
    if attrs & REQUIRE_COHERENT and not dev.coherent:
        return DMA_MAPPING_ERROR
    if attrs & CC_SHARED and dev.backend.name != "direct":
        return DMA_MAPPING_ERROR
    host = dev.host
    code = None
    line = 0
    if dev.debug_mode is not DebugMode.OFF:
        if not attrs & MMIO:
            if host.on_stack(phys, size):
                dev.report(DebugClass.MAP_FROM_STACK, f"{phys:#x}+{size:#x} is on the stack")
            if host.in_kernel_image(phys, size):
                dev.report(DebugClass.MAP_KERNEL_IMAGE, f"{phys:#x}+{size:#x} is kernel text or read-only data")
        if host.tracks_cachelines:
            host.debug.check_cacheline(dev, kind, phys, direction, attrs)
        code, line = caller()
    dma = dev.backend.map_phys(dev, phys, size, direction, attrs)
    if dma == MAPPING_ERROR:
        return DMA_MAPPING_ERROR
    dev.add_mapping(Mapping(dev, kind, dma, size, direction, attrs, phys, code, line))
    return DmaAddress(dma)


def mapping_allowed(dev: Device, size: int) -> bool:
    """Whether the device may map at all, and so many bytes; reports why not."""
    dev.check_present()
    if size < 0 or size >> 64:
        unsigned(size, "the size of a mapping")
    if size == 0:
        dev.report(DebugClass.ZERO_SIZE, "a mapping of 0 bytes")
        return False
    if dev.dma_mask is None:
        dev.report(DebugClass.NO_MASK_STORAGE, "a mapping of a device without a streaming mask")
        return False
    if dev.mask_state is not MaskState.SET:
        if dev.mask_state is MaskState.FAILED:
            dev.report(DebugClass.MAP_WITHOUT_MASK, "a mapping although dma_set_mask failed")
        elif dev.host.debug.require_mask:
            dev.report(DebugClass.MAP_WITHOUT_MASK, "a mapping before dma_set_mask")
    return not (dev.host.faults is not None and dev.host.should_fail(FaultPoint.MAP))


def dma_mapping_error(dev: Device, dma: DmaAddress | int) -> int:
    """0 for a usable address, -ENOMEM for ``DMA_MAPPING_ERROR``. Address 0 is usable."""
    if dev.__class__ is not Device:
        instance(dev, (Device,), "dma_mapping_error: dev")
    dev.check_present()
    if dma.__class__ is not DmaAddress:
        dma = DmaAddress(dma)
    for mapping in dev.ledger.at(int(dma)):
        if not mapping.error_checked and mapping.kind is not MappingKind.PEER:
            mapping.error_checked = True
            break
    return -Errno.ENOMEM if dma == DMA_MAPPING_ERROR else 0


def dma_unmap_single(dev: Device, dma: DmaAddress | int, size: int, dir: DmaDirection, attrs: int = 0) -> None:
    """Undo :func:`dma_map_single`: same device, address, size, direction and attributes."""
    unmap_range(dev, MappingKind.SINGLE, dma, size, dir, attrs)


def dma_unmap_page(dev: Device, dma: DmaAddress | int, size: int, dir: DmaDirection, attrs: int = 0) -> None:
    """Undo :func:`dma_map_page`."""
    if attrs.__class__ is not int or attrs >> ATTR_BITS:
        attrs = unsigned(attrs, "dma_unmap_page: attrs")
    if not attrs & MMIO:
        unmap_range(dev, MappingKind.PAGE, dma, size, dir, attrs)


def dma_unmap_phys(dev: Device, dma: DmaAddress | int, size: int, dir: DmaDirection, attrs: int = 0) -> None:
    """Undo :func:`dma_map_phys`."""
    unmap_range(dev, MappingKind.PHYS, dma, size, dir, attrs)


def unmap_range(dev: Device, kind: MappingKind, dma: DmaAddress | int, size: int, dir: DmaDirection, attrs: int) -> None:
    """The common part of the calls above: checks, the back end's unmap, the ledger."""
    direction = valid_direction(dir)
    if dev.__class__ is not Device or size.__class__ is not int or attrs.__class__ is not int or size >> 64 or attrs >> ATTR_BITS:
        instance(dev, (Device,), "the device of an unmap")
        size = unsigned(size, "the size of an unmap")
        attrs = unsigned(attrs, "the attributes of an unmap")
    dev.check_present()
    if dma.__class__ is not DmaAddress:
        dma = DmaAddress(dma)
    address = int(dma)
    entry = match_unmap(dev, kind, address, size, direction, attrs=attrs)
    check_in_flight(dev, address, size)
    if entry is None and (address == MAPPING_ERROR or size <= 0):
        return
    dev.backend.unmap_phys(dev, address, size, direction, attrs)
    if entry is not None:
        dev.remove_mapping(entry)


def check_in_flight(dev: Device, dma: int, size: int) -> None:
    """Report an unmap under a transfer that the device has not finished."""
    for start, length in dev.in_flight:
        if start < dma + size and dma < start + length:
            dev.report(
                DebugClass.UNMAP_IN_FLIGHT, f"unmap of {dma:#x}+{size:#x} while the device works on {start:#x}+{length:#x}"
            )
            return
