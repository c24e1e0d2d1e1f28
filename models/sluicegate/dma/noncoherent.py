"""Allocations that need syncs: pages, non-coherent and non-contiguous memory (specification DMA_API, section 1.2)."""

from __future__ import annotations

from operator import index
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sluicegate.address import DmaAddress, PhysicalAddress
from sluicegate.arguments import validated
from sluicegate.dma.attrs import DmaAttrs, Gfp
from sluicegate.dma.backends.base import MAPPING_ERROR
from sluicegate.dma.coherent import alloc_block, allocation_allowed, page_align
from sluicegate.dma.cpu_buffer import CpuBuffer
from sluicegate.dma.debug import caller, match_unmap
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device
from sluicegate.dma.direction import DmaDirection, valid_direction
from sluicegate.dma.ledger import Mapping, MappingKind, Piece
from sluicegate.dma.pages import Page
from sluicegate.dma.scatterlist import Scatterlist, SgEntry, SgTable
from sluicegate.memory import PAGE_SIZE

_ZONE_FLAGS: Final = Gfp.DMA | Gfp.DMA32 | Gfp.HIGHMEM
_LARGEST_PIECE: Final = 4 << 20


@validated
def dma_alloc_pages(dev: Device, size: int, dir: DmaDirection, gfp: Gfp = Gfp.KERNEL) -> tuple[Page, DmaAddress] | None:
    """Allocate contiguous, zeroed pages and map them; the driver syncs. None on failure."""
    direction = valid_direction(dir)
    size = index(size)
    if gfp & _ZONE_FLAGS:
        dev.report(DebugClass.BAD_ALLOCATION_FLAGS, f"an allocation of {size} bytes with zone flags")
        return None
    if not allocation_allowed(dev, size, gfp):
        return None
    rounded = page_align(size)
    phys = alloc_block(dev, rounded)
    if phys is None:
        return None
    dma = dev.backend.map_pages(dev, [(int(phys), rounded)], rounded, 0)
    if dma == MAPPING_ERROR:
        dev.host.pages.free(int(phys))
        return None
    _clear(dev, int(phys), rounded)
    code, line = caller()
    dev.add_mapping(Mapping(dev, MappingKind.NONCOHERENT, dma, rounded, direction, 0, int(phys), code, line))
    return Page(phys, rounded), DmaAddress(dma)


def _clear(dev: Device, phys: int, size: int) -> None:
    dev.host.write_barrier()
    if dev.host.cache is not None:
        dev.host.cache.invalidate(phys, size)
    dev.host.memory.write(phys, bytes(size))


@validated
def dma_free_pages(dev: Device, size: int, page: Page, dma: DmaAddress | int, dir: DmaDirection) -> None:
    """Free pages of :func:`dma_alloc_pages`: same size, page, address and direction."""
    direction = valid_direction(dir)
    dev.check_present()
    entry = match_unmap(
        dev,
        MappingKind.NONCOHERENT,
        int(DmaAddress(dma)),
        page_align(index(size)),
        direction,
        cpu_address=int(page.phys),
    )
    if entry is None or entry.kind is not MappingKind.NONCOHERENT:
        return
    dev.backend.unmap_pages(dev, entry.dma, entry.size, 0)
    dev.remove_mapping(entry)
    dev.host.pages.free(entry.phys)


@validated
def dma_alloc_noncoherent(
    dev: Device, size: int, dir: DmaDirection, gfp: Gfp = Gfp.KERNEL
) -> tuple[CpuBuffer, DmaAddress] | None:
    """:func:`dma_alloc_pages` with a CPU view."""
    block = dma_alloc_pages(dev, size, dir, gfp)
    if block is None:
        return None
    page, dma = block
    return CpuBuffer(dev.host, page.phys, index(size)), dma


@validated
def dma_free_noncoherent(dev: Device, size: int, cpu: CpuBuffer, dma: DmaAddress | int, dir: DmaDirection) -> None:
    """Free memory of :func:`dma_alloc_noncoherent`."""
    dma_free_pages(dev, size, Page(PhysicalAddress(cpu.phys)), dma, dir)


@validated
def dma_alloc_noncontiguous(dev: Device, size: int, dir: DmaDirection, gfp: Gfp = Gfp.KERNEL, attrs: int = 0) -> SgTable | None:
    """Allocate pages that need not be neighbours, mapped as one device segment (``nents`` is 1). None on failure.

    Without an IOMMU the memory is one contiguous block.
    """
    direction = valid_direction(dir)
    size = page_align(index(size))
    if attrs & ~int(DmaAttrs.ALLOC_SINGLE_PAGES):
        dev.report(DebugClass.BAD_ALLOCATION_FLAGS, f"an allocation of {size} bytes with attributes {attrs:#x}")
        return None
    if not allocation_allowed(dev, size, gfp):
        return None
    largest = size if not dev.backend.scatters_pages else PAGE_SIZE if attrs else _LARGEST_PIECE
    blocks: list[tuple[int, int]] = []
    dma = MAPPING_ERROR
    left = size
    while left:
        step = min(largest, left)
        phys = alloc_block(dev, step)
        if phys is None:
            if largest == PAGE_SIZE or not dev.backend.scatters_pages:
                break
            largest = max(PAGE_SIZE, step // 2 & -PAGE_SIZE)
            continue
        blocks.append((int(phys), step))
        left -= step
    if not left:
        dma = dev.backend.map_pages(dev, blocks, size, 0)
    if dma == MAPPING_ERROR:
        for block, _ in blocks:
            dev.host.pages.free(block)
        return None
    table = SgTable(Scatterlist(SgEntry(Page(PhysicalAddress(block), length), 0, length) for block, length in blocks))
    table.nents = 1
    table.sgl[0].dma_address, table.sgl[0].dma_length = dma, size
    pieces = []
    at = dma
    for block, length in blocks:
        _clear(dev, block, length)
        pieces.append(Piece(at, block, length))
        at += length
    code, line = caller()
    dev.add_mapping(
        Mapping(dev, MappingKind.SG, dma, size, direction, 0, blocks[0][0], code, line, tuple(pieces), table.orig_nents, 1)
    )
    return table


@validated
def dma_free_noncontiguous(dev: Device, size: int, table: SgTable, dir: DmaDirection) -> None:
    """Free memory of :func:`dma_alloc_noncontiguous`."""
    direction = valid_direction(dir)
    dev.check_present()
    entry = match_unmap(
        dev,
        MappingKind.SG,
        table.sgl[0].dma_address,
        page_align(index(size)),
        direction,
        sg_call_ents=table.orig_nents,
    )
    if entry is None or entry.kind is not MappingKind.SG:
        return
    dev.backend.unmap_pages(dev, entry.dma, entry.size, 0)
    dev.remove_mapping(entry)
    for piece in entry.all_pieces():
        dev.host.pages.free(piece.phys)
    table.nents = 0


class VmapBuffer:
    """A contiguous CPU view of non-contiguous memory (``dma_vmap_noncontiguous``)."""

    def __init__(self, buffers: list[CpuBuffer]) -> None:
        self._buffers = buffers
        self.size: Final = sum(buffer.size for buffer in buffers)

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes as the CPU sees them."""
        length = self.size - offset if length is None else length
        return b"".join(buffer.read(at, count) for buffer, at, count in self._parts(offset, length))

    def write(self, data: bytes | bytearray | memoryview | NDArray[np.uint8], offset: int = 0) -> None:
        """Store ``data`` at ``offset``."""
        source = np.frombuffer(data, dtype=np.uint8)
        done = 0
        for buffer, at, count in self._parts(offset, source.size):
            buffer.write(source[done : done + count], at)
            done += count

    def unmap(self) -> None:
        """``dma_vunmap_noncontiguous``: the view ends."""
        self._buffers = []

    def _parts(self, offset: int, length: int) -> list[tuple[CpuBuffer, int, int]]:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ValueError(f"bytes {offset} to {offset + length} are outside a buffer of {self.size} bytes")
        if not self._buffers:
            raise ValueError("the view was unmapped: use dma_vmap_noncontiguous again")
        parts = []
        start = 0
        for buffer in self._buffers:
            first, last = max(offset, start), min(offset + length, start + buffer.size)
            if first < last:
                parts.append((buffer, first - start, last - first))
            start += buffer.size
        return parts


@validated
def dma_vmap_noncontiguous(dev: Device, size: int, table: SgTable) -> VmapBuffer:
    """A contiguous CPU view of the first ``size`` bytes."""
    buffers = []
    left = page_align(index(size))
    for entry in table.sgl:
        if not left:
            break
        buffers.append(CpuBuffer(dev.host, PhysicalAddress(entry.phys), min(left, entry.length)))
        left -= buffers[-1].size
    if left:
        raise ValueError(f"a view of {size} bytes of a table {left} bytes shorter")
    return VmapBuffer(buffers)


@validated
def dma_vunmap_noncontiguous(dev: Device, view: VmapBuffer) -> None:
    """End a view of :func:`dma_vmap_noncontiguous`; the memory stays."""
    dev.check_present()
    view.unmap()
