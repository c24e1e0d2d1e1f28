"""User-space mappings of DMA memory (``dma_mmap_*``, ``dma_get_sgtable``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sluicegate.address import DmaAddress, PhysicalAddress
from sluicegate.arguments import validated
from sluicegate.dma.coherent import page_align
from sluicegate.dma.cpu_buffer import CpuBuffer
from sluicegate.dma.device import Device
from sluicegate.dma.errno import Errno
from sluicegate.dma.pages import Page
from sluicegate.dma.scatterlist import SgEntry, SgTable
from sluicegate.memory import PAGE_SHIFT, PAGE_SIZE


@dataclass
class VirtualMemoryArea:
    """What user space asked for (``vm_area_struct``): ``pages`` pages from page ``offset`` of the memory, and what it got."""

    pages: int
    offset: int = 0
    mapped: list[PhysicalAddress] = field(default_factory=list)


@validated
def dma_can_mmap(dev: Device) -> bool:
    """Whether coherent memory of the device can be mapped into user space."""
    if dev.backend.name == "direct":
        return dev.coherent
    return dev.backend.name != "dummy"


@validated
def dma_mmap_attrs(dev: Device, area: VirtualMemoryArea, cpu: CpuBuffer, dma: DmaAddress | int, size: int, attrs: int = 0) -> int:
    """Map coherent memory into user space: 0, or -ENXIO when the area is outside the memory or the back end cannot."""
    dev.check_present()
    if not dma_can_mmap(dev):
        return -Errno.ENXIO
    _check_inside(size, cpu.size)
    return _map_area(area, [int(cpu.phys) + at for at in range(0, page_align(size), PAGE_SIZE)])


@validated
def dma_mmap_coherent(dev: Device, area: VirtualMemoryArea, cpu: CpuBuffer, dma: DmaAddress | int, size: int) -> int:
    """:func:`dma_mmap_attrs` without attributes."""
    return dma_mmap_attrs(dev, area, cpu, dma, size)


@validated
def dma_mmap_pages(dev: Device, area: VirtualMemoryArea, size: int, page: Page) -> int:
    """Map pages of ``dma_alloc_pages`` into user space."""
    dev.check_present()
    _check_inside(size, page.size)
    return _map_area(area, [int(page.phys) + at for at in range(0, page_align(size), PAGE_SIZE)])


@validated
def dma_mmap_noncontiguous(dev: Device, area: VirtualMemoryArea, size: int, table: SgTable) -> int:
    """Map memory of ``dma_alloc_noncontiguous`` into user space."""
    dev.check_present()
    pages = [entry.phys + at for entry in table.sgl for at in range(0, entry.length, PAGE_SIZE)]
    return _map_area(area, pages[: page_align(size) >> PAGE_SHIFT])


def _check_inside(size: int, available: int) -> None:
    if size > page_align(available):
        raise ValueError(f"{size} bytes of memory of {available} bytes: give the size it was allocated with")


def _map_area(area: VirtualMemoryArea, pages: list[int]) -> int:
    if area.offset >= len(pages) or area.pages > len(pages) - area.offset:
        return -Errno.ENXIO
    area.mapped = [PhysicalAddress(phys) for phys in pages[area.offset : area.offset + area.pages]]
    return 0


@validated
def dma_get_sgtable_attrs(dev: Device, table: SgTable, cpu: CpuBuffer, dma: DmaAddress | int, size: int, attrs: int = 0) -> int:
    """Describe coherent memory as a table of one page-rounded entry: 0, or -ENXIO where the back end cannot."""
    dev.check_present()
    if dev.backend.name == "dummy":
        return -Errno.ENXIO
    _check_inside(size, cpu.size)
    length = page_align(size)
    table.sgl.entries[:] = [SgEntry(Page(PhysicalAddress(cpu.phys), length), 0, length)]
    table.orig_nents = 1
    table.nents = 0
    return 0


@validated
def dma_get_sgtable(dev: Device, table: SgTable, cpu: CpuBuffer, dma: DmaAddress | int, size: int) -> int:
    """:func:`dma_get_sgtable_attrs` without attributes."""
    return dma_get_sgtable_attrs(dev, table, cpu, dma, size)
