"""Consistent allocations: memory that CPU and device see alike at any time (specification DMA_API, section 1.2)."""

from __future__ import annotations

from operator import index

from sluicegate.address import DmaAddress, PhysicalAddress
from sluicegate.arguments import validated
from sluicegate.dma.atomic_pool import AtomicPools
from sluicegate.dma.attrs import NO_KERNEL_MAPPING, NO_WARN, DmaAttrs, Gfp
from sluicegate.dma.backends.base import MAPPING_ERROR, SIZE_MAX
from sluicegate.dma.cpu_buffer import CookieBuffer, CpuBuffer
from sluicegate.dma.debug import caller, match_unmap
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device, MaskState
from sluicegate.dma.device_memory import DeviceCoherentMemory
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.fault_injection import FaultPoint
from sluicegate.dma.ledger import Mapping, MappingKind
from sluicegate.dma.pages import OutOfMemory
from sluicegate.memory import PAGE_SIZE


def page_align(size: int) -> int:
    """``size`` rounded up to whole pages."""
    return (size + PAGE_SIZE - 1) & -PAGE_SIZE


def allocation_allowed(dev: Device, size: int, gfp: Gfp) -> bool:
    """Whether the device may allocate DMA memory at all, and with these flags; reports why not."""
    dev.check_present()
    if size <= 0 or size > SIZE_MAX:
        raise ValueError(f"an allocation of {size} bytes")
    if gfp & Gfp.COMP:
        dev.report(DebugClass.BAD_ALLOCATION_FLAGS, f"an allocation of {size} bytes as a compound page")
        return False
    if not dev.coherent_dma_mask:
        dev.report(DebugClass.COHERENT_MASK_ZERO, f"an allocation of {size} bytes")
        return False
    if dev.mask_state is MaskState.FAILED:
        dev.report(DebugClass.MAP_WITHOUT_MASK, "an allocation although dma_set_mask failed")
    return True


def alloc_block(dev: Device, size: int) -> PhysicalAddress | None:
    """Contiguous pages that a coherent mapping of the device may use; None when there are none."""
    if dev.host.should_fail(FaultPoint.PAGE_ALLOC):
        return None
    try:
        return dev.host.pages.alloc(size, dev.backend.alloc_limit(dev))
    except OutOfMemory:
        return None


@validated
def dma_alloc_attrs(dev: Device, size: int, gfp: Gfp = Gfp.KERNEL, attrs: int = 0) -> tuple[CpuBuffer, DmaAddress] | None:
    """Allocate ``size`` bytes of zeroed consistent memory: (CPU view, device address), or None.

    Both addresses are aligned to the power of two of pages that holds ``size``; the last byte is within the coherent mask.
    With ``NO_KERNEL_MAPPING`` the CPU view is a cookie for the free that refuses every access.
    """
    size = index(size)
    if not allocation_allowed(dev, size, gfp):
        return None
    view = CookieBuffer if attrs & NO_KERNEL_MAPPING else CpuBuffer
    code, line = caller()
    if dev.coherent_memory is not None:
        block = dev.coherent_memory.alloc(size)
        if block is None:
            return None
        phys, dma = block
        cpu = view(dev.host, PhysicalAddress(phys), size, uncached=True)
    else:
        uncached = not dev.coherent
        pools = dev.host.atomic_pools
        if uncached and gfp & Gfp.ATOMIC and pools is not None:
            found = _from_atomic_pool(dev, pools, size, gfp)
        else:
            found = _from_pages(dev, size, attrs)
        if found is None:
            return None
        phys, dma = found
        cpu = view(dev.host, PhysicalAddress(phys), size, uncached)
        if uncached and dev.host.cache is not None:
            dev.host.cache.invalidate(phys, page_align(size))
    dev.host.write_barrier()
    dev.host.memory.write(phys, bytes(size))
    dev.add_mapping(Mapping(dev, MappingKind.COHERENT, dma, size, DmaDirection.BIDIRECTIONAL, attrs & ~NO_WARN, phys, code, line))
    return cpu, DmaAddress(dma)


def _from_pages(dev: Device, size: int, attrs: int) -> tuple[int, int] | None:
    phys = alloc_block(dev, size)
    if phys is None:
        return None
    rounded = page_align(size)
    dma = dev.backend.map_pages(dev, [(int(phys), rounded)], rounded, attrs)
    if dma == MAPPING_ERROR:
        dev.host.pages.free(int(phys))
        return None
    return int(phys), dma


def _from_atomic_pool(dev: Device, pools: AtomicPools, size: int, gfp: Gfp) -> tuple[int, int] | None:
    rounded = page_align(size)
    for pool in pools.search_order(gfp):
        phys = pool.alloc(rounded)
        if phys is None:
            continue
        dma = dev.backend.map_pages(dev, [(phys, rounded)], rounded, 0)
        if dma != MAPPING_ERROR:
            return phys, dma
        pool.free(phys)
    return None


@validated
def dma_alloc_coherent(dev: Device, size: int, gfp: Gfp = Gfp.KERNEL) -> tuple[CpuBuffer, DmaAddress] | None:
    """:func:`dma_alloc_attrs` without attributes."""
    return dma_alloc_attrs(dev, size, gfp, NO_WARN if gfp & Gfp.NOWARN else 0)


@validated
def dma_alloc_wc(dev: Device, size: int, gfp: Gfp = Gfp.KERNEL) -> tuple[CpuBuffer, DmaAddress] | None:
    """:func:`dma_alloc_attrs`, write-combined by the CPU."""
    return dma_alloc_attrs(dev, size, gfp, int(DmaAttrs.WRITE_COMBINE))


@validated
def dma_free_attrs(dev: Device, size: int, cpu: CpuBuffer | None, dma: DmaAddress | int, attrs: int = 0) -> None:
    """Free memory of :func:`dma_alloc_attrs`: same size, CPU view, device address and attributes."""
    dev.check_present()
    size = index(size)
    address = int(DmaAddress(dma))
    if dev.host.interrupts_disabled:
        dev.report(DebugClass.FREE_IN_INTERRUPT, f"free of {address:#x}")
    if cpu is None:
        return
    phys = int(cpu.phys)
    entry = match_unmap(
        dev,
        MappingKind.COHERENT,
        address,
        size,
        DmaDirection.BIDIRECTIONAL,
        cpu_address=phys,
        attrs=attrs & ~NO_WARN,
    )
    if entry is None or entry.kind is not MappingKind.COHERENT:
        return
    dev.remove_mapping(entry)
    memory: DeviceCoherentMemory | None = dev.coherent_memory
    if memory is not None and memory.contains(entry.phys):
        memory.free(entry.phys)
        return
    dev.backend.unmap_pages(dev, entry.dma, page_align(entry.size), entry.attrs)
    pools = dev.host.atomic_pools
    pool = None if pools is None else pools.owner(entry.phys)
    if pool is not None:
        pool.free(entry.phys)
    else:
        dev.host.pages.free(entry.phys)


@validated
def dma_free_coherent(dev: Device, size: int, cpu: CpuBuffer | None, dma: DmaAddress | int) -> None:
    """Free memory of :func:`dma_alloc_coherent`."""
    dma_free_attrs(dev, size, cpu, dma)


@validated
def dma_free_wc(dev: Device, size: int, cpu: CpuBuffer | None, dma: DmaAddress | int) -> None:
    """Free memory of :func:`dma_alloc_wc`."""
    dma_free_attrs(dev, size, cpu, dma, int(DmaAttrs.WRITE_COMBINE))


@validated
def dmam_alloc_attrs(dev: Device, size: int, gfp: Gfp = Gfp.KERNEL, attrs: int = 0) -> tuple[CpuBuffer, DmaAddress] | None:
    """:func:`dma_alloc_attrs`, managed: freed when the driver detaches."""
    block = dma_alloc_attrs(dev, size, gfp, attrs)
    if block is not None:
        cpu, dma = block
        dev.managed[int(cpu.phys)] = size, int(dma)

        def release() -> None:
            if dev.managed.pop(int(cpu.phys), None) is not None:
                dma_free_attrs(dev, size, cpu, dma, attrs)

        dev.on_detach(release)
    return block


@validated
def dmam_alloc_coherent(dev: Device, size: int, gfp: Gfp = Gfp.KERNEL) -> tuple[CpuBuffer, DmaAddress] | None:
    """:func:`dmam_alloc_attrs` without attributes."""
    return dmam_alloc_attrs(dev, size, gfp, NO_WARN if gfp & Gfp.NOWARN else 0)


@validated
def dmam_free_coherent(dev: Device, size: int, cpu: CpuBuffer, dma: DmaAddress | int) -> None:
    """Free a managed allocation early."""
    known = dev.managed.get(int(cpu.phys))
    if known != (size, int(dma)):
        what = "is no managed allocation" if known is None else f"was allocated as {known[0]} bytes at {known[1]:#x}"
        dev.report(DebugClass.MANAGED_MISMATCH, f"{int(cpu.phys):#x} {what}")
        if known is None:
            return
    del dev.managed[int(cpu.phys)]
    dma_free_coherent(dev, size, cpu, dma)
