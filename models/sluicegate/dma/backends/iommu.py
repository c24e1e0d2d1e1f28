"""The dma-iommu back end: IOVA allocator, flush queue and a paging domain (specification DMA_API, sections 1.9, 3.5, 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from sluicegate.arguments import instance, unsigned
from sluicegate.dma.attrs import MMIO, REQUIRE_COHERENT, SKIP_CPU_SYNC
from sluicegate.dma.backends import iommu_sg
from sluicegate.dma.backends.arch_sync import arch_sync_for_cpu, arch_sync_for_device
from sluicegate.dma.backends.base import MAPPING_ERROR, SIZE_MAX, dma_bit_mask, min_not_zero
from sluicegate.dma.backends.domain import DomainMapError, IommuDomain, IommuProt
from sluicegate.dma.backends.prot import iommu_prot
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.errno import Errno
from sluicegate.dma.fault_injection import FaultPoint
from sluicegate.dma.host import Host
from sluicegate.iova.flush_queue import FlushQueue, FlushQueueKind
from sluicegate.iova.rcache import MAX_CACHED_PAGES, IovaRcache
from sluicegate.iova.tree import IovaTree
from sluicegate.memory import PAGE_SIZE
from sluicegate.platform import Region

if TYPE_CHECKING:
    from sluicegate.dma.device import Device
    from sluicegate.dma.scatterlist import SgEntry

_4_GIB: Final = 1 << 32


class DmaIommu:
    """One IOVA space over one :class:`IommuDomain`, for the devices attached to it.

    Args:
        host: the machine (time and fault injection).
        domain: holds the translations.
        reserved: IOVA ranges never given out: the windows of the PCI host bridge, the MSI page. Both ends are widened to
            granules.
        aperture_start: lowest IOVA in bytes; page 0 is never given in any case.
        rcache: use the per-CPU caches.
        lazy: unmap through a flush queue of that kind; None invalidates at each unmap (strict).
        cpus: CPUs with caches of their own; ``cpu`` selects the one calls run on.
    """

    name = "dma-iommu"
    scatters_pages = True

    def __init__(
        self,
        host: Host,
        domain: IommuDomain,
        *,
        reserved: Iterable[Region] = (),
        aperture_start: int = 0,
        rcache: bool = True,
        lazy: FlushQueueKind | None = None,
        cpus: int = 1,
    ) -> None:
        instance(host, (Host,), "DmaIommu: host")
        unsigned(aperture_start, "DmaIommu: aperture_start")
        if not unsigned(cpus, "DmaIommu: cpus"):
            raise ValueError("DmaIommu: cpus is 0: give at least one")
        self.host: Final = host
        self.domain: Final = domain
        self.granule: Final = domain.granule
        self.shift: Final = self.granule.bit_length() - 1
        self.tree: Final = IovaTree(self.granule, max(1, aperture_start >> self.shift))
        self.iovas: Final = IovaRcache(self.tree, cpus, rcache)
        self.cpu = 0
        self._low_bits: Final = self.granule - 1
        self._last_pfn: Final = domain.aperture_end >> self.shift
        self._lazy: Final[dict[int, int]] = {}
        self.flush_queue: Final = (
            None if lazy is None else FlushQueue(domain.flush_iotlb_all, self._release, host.clock_ms, lazy, cpus)
        )
        for region in reserved:
            self.tree.reserve(region.base >> self.shift, (region.end - 1) >> self.shift)

    def alloc_iova(self, device: Device, size: int, limit: int) -> int:
        """IOVA of a free, aligned block of ``size`` bytes (whole granules) at or below ``limit``; 0 when there is none."""
        if self.host.faults is not None and self.host.should_fail(FaultPoint.IOVA_ALLOC):
            return 0
        if device.bus_dma_limit:
            limit = min_not_zero(limit, device.bus_dma_limit)
        shift = self.shift
        last = limit >> shift
        if last > self._last_pfn:
            last = self._last_pfn
            limit = min(limit, self.domain.aperture_end)
        pages = size >> shift
        if limit >= _4_GIB and device.prefer_32bit:
            pfn = self.iovas.alloc_iova_fast(pages, (_4_GIB - 1) >> shift, False, self.cpu)
            if pfn:
                return pfn << shift
            device.prefer_32bit = False
        return self.iovas.alloc_iova_fast(pages, last, True, self.cpu) << shift

    def free_iova(self, iova: int, size: int, queued: bool = False) -> None:
        """Free a block; ``queued`` waits in the flush queue where there is one."""
        if queued and self.flush_queue is not None:
            pfn, pages = iova >> self.shift, size >> self.shift
            self._lazy[pfn] = pages
            self.flush_queue.queue(pfn, pages, self.cpu)
        else:
            self.iovas.free_iova_fast(iova >> self.shift, size >> self.shift, self.cpu)

    def _release(self, pfn: int, pages: int, cpu: int) -> None:
        self._lazy.pop(pfn, None)
        self.iovas.free_iova_fast(pfn, pages, cpu)

    def in_lazy_window(self, iova: int) -> bool:
        """Whether ``iova`` was unmapped but its invalidation is still due: the hardware may use the old translation."""
        pfn = iova >> self.shift
        return any(first <= pfn < first + pages for first, pages in self._lazy.items())

    def needs_bounce(self, device: Device, phys: int, size: int, direction: DmaDirection) -> bool:
        """Whether the device must not see the granules around the range."""
        if not (device.untrusted or self.host.bounce_unaligned_kmalloc):
            return False
        if not device.untrusted and not self.host.needs_kmalloc_bounce(device, size, direction):
            return False
        return (phys | size) & self._low_bits != 0

    def bounce(self, device: Device, phys: int, size: int, attrs: int, keep_offset: bool = False) -> int | None:
        """Move a range into the bounce buffer, a block of whole granules; None when that fails.

        ``keep_offset`` keeps its place inside the granule.
        """
        pool = self.host.swiotlb
        if pool is None:
            device.report(DebugClass.BOUNCE_FULL, f"{size} bytes must be bounced and there is no swiotlb")
            return None
        address = pool.map(device, phys, size, self._low_bits, attrs, self._low_bits if keep_offset else 0)
        if address is not None:
            device.skip_sync = False
            if device.untrusted:
                start = address & ~self._low_bits
                end = (address + size + self._low_bits) & ~self._low_bits
                self.host.cpu_memory.write(start, bytes(address - start))
                self.host.cpu_memory.write(address + size, bytes(end - address - size))
        return address

    def unbounce(self, phys: int, direction: DmaDirection, attrs: int) -> None:
        """Release the bounce buffer that starts at ``phys``, if one does."""
        pool = self.host.swiotlb
        if pool is not None and pool.original(phys) is not None:
            pool.unmap(phys, direction, attrs)

    def map_range(self, iova: int, phys: int, size: int, prot: IommuProt) -> None:
        """Install one translation. Raises :class:`DomainMapError`."""
        if self.host.faults is not None and self.host.should_fail(FaultPoint.IOMMU_MAP):
            raise DomainMapError(Errno.ENOMEM, f"injected failure of the map of {iova:#x}")
        self.domain.map(iova, phys, size, prot)

    def map_runs(self, iova: int, runs: Iterable[tuple[int, int]], prot: IommuProt) -> None:
        """Translate (phys, bytes) runs one after the other from ``iova``, all or nothing, and make them visible."""
        mapped = 0
        try:
            for phys, size in runs:
                self.map_range(iova + mapped, phys, size, prot)
                mapped += size
        except DomainMapError:
            if mapped:
                self.domain.unmap(iova, mapped)
                self.domain.iotlb_sync(iova, mapped)
            raise
        self.domain.sync_map(iova, mapped)

    def unmap_range(self, device: Device, dma: int, size: int) -> None:
        """Remove the translations of the granules around a range and free its IOVA."""
        low = self._low_bits
        start = dma & ~low
        span = (size + (dma & low) + low) & ~low
        removed = self.domain.unmap(start, span)
        if removed != span:
            device.report(DebugClass.UNMAP_SHORT, f"{removed} of {span} bytes were mapped at {start:#x}")
        if self.flush_queue is None:
            self.domain.iotlb_sync(start, span)
        self.free_iova(start, span, queued=True)

    def _map(self, device: Device, phys: int, size: int, prot: IommuProt) -> int:
        low = self._low_bits
        if device.min_align_mask > low:
            device.report(
                DebugClass.MIN_ALIGN_UNSUPPORTED, f"minimum alignment mask {device.min_align_mask:#x}, granule {self.granule:#x}"
            )
            return MAPPING_ERROR
        offset = phys & low
        span = (size + offset + low) & ~low
        iova = self.alloc_iova(device, span, device.dma_mask or 0)
        if not iova:
            return MAPPING_ERROR
        try:
            self.map_range(iova, phys - offset, span, prot)
        except DomainMapError:
            self.free_iova(iova, span)
            return MAPPING_ERROR
        self.domain.sync_map(iova, span)
        return iova + offset

    def map_phys(self, device: Device, phys: int, size: int, direction: DmaDirection, attrs: int) -> int:
        bounced = self.needs_bounce(device, phys, size, direction)
        if bounced:
            if attrs & (MMIO | REQUIRE_COHERENT):
                return MAPPING_ERROR
            address = self.bounce(device, phys, size, attrs)
            if address is None:
                return MAPPING_ERROR
            phys = address
        arch_sync_for_device(device, phys, size, direction, attrs)
        dma = self._map(device, phys, size, iommu_prot(device, direction, attrs))
        if bounced and dma == MAPPING_ERROR:
            self.unbounce(phys, direction, attrs | SKIP_CPU_SYNC)
        return dma

    def unmap_phys(self, device: Device, dma: int, size: int, direction: DmaDirection, attrs: int) -> None:
        if attrs & MMIO:
            self.unmap_range(device, dma, size)
            return
        phys = self.domain.iova_to_phys(dma)
        if phys is None:
            device.report(DebugClass.UNMAP_UNTRANSLATED, f"unmap of {dma:#x}")
            return
        arch_sync_for_cpu(device, phys, size, direction, attrs)
        self.unmap_range(device, dma, size)
        self.unbounce(phys, direction, attrs)

    def map_resource(self, device: Device, phys: int, size: int, direction: DmaDirection, attrs: int) -> int:
        return self._map(device, phys, size, iommu_prot(device, direction, attrs | MMIO))

    def unmap_resource(self, device: Device, dma: int, size: int, direction: DmaDirection, attrs: int) -> None:
        self.unmap_range(device, dma, size)

    def map_sg(self, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> int:
        return iommu_sg.map_sg(self, device, entries, direction, attrs)

    def unmap_sg(self, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> None:
        iommu_sg.unmap_sg(self, device, entries, direction, attrs)

    def alloc_limit(self, device: Device) -> int | None:
        return None

    def map_pages(self, device: Device, pages: Sequence[tuple[int, int]], size: int, attrs: int) -> int:
        span = (size + self._low_bits) & ~self._low_bits
        iova = self.alloc_iova(device, span, device.coherent_dma_mask)
        if not iova:
            return MAPPING_ERROR
        try:
            self.map_runs(iova, contiguous_runs(pages), iommu_prot(device, DmaDirection.BIDIRECTIONAL, attrs))
        except DomainMapError:
            self.free_iova(iova, span)
            return MAPPING_ERROR
        return iova

    def unmap_pages(self, device: Device, dma: int, size: int, attrs: int) -> None:
        self.unmap_range(device, dma, size)

    def sync_for_cpu(self, device: Device, dma: int, size: int, direction: DmaDirection) -> None:
        phys = self.domain.iova_to_phys(dma)
        if phys is None:
            return
        arch_sync_for_cpu(device, phys, size, direction)
        pool = self.host.swiotlb
        if pool is not None and pool.contains(phys) and direction is not DmaDirection.TO_DEVICE:
            pool.sync_for_cpu(device, phys, size)

    def sync_for_device(self, device: Device, dma: int, size: int, direction: DmaDirection) -> None:
        phys = self.domain.iova_to_phys(dma)
        if phys is None:
            return
        pool = self.host.swiotlb
        if pool is not None and pool.contains(phys) and direction is not DmaDirection.FROM_DEVICE:
            pool.sync_for_device(device, phys, size)
        arch_sync_for_device(device, phys, size, direction)

    def dma_supported(self, device: Device, mask: int) -> bool:
        return True

    def required_mask(self, device: Device) -> int:
        return dma_bit_mask(32)

    def addressing_limited(self, device: Device) -> bool:
        return min_not_zero(device.dma_mask or 0, device.bus_dma_limit) < self.required_mask(device)

    def max_mapping_size(self, device: Device) -> int:
        pool = self.host.swiotlb
        return pool.max_mapping_size(device) if pool is not None and device.untrusted else SIZE_MAX

    def opt_mapping_size(self, device: Device) -> int:
        return PAGE_SIZE * MAX_CACHED_PAGES

    def merge_boundary(self, device: Device) -> int:
        return self.granule - 1

    def can_skip_sync(self, device: Device) -> bool:
        return device.coherent

    def need_sync(self, device: Device, dma: int) -> bool:
        return True

    def translate(self, device: Device, dma: int) -> int | None:
        return self.domain.iova_to_phys(dma)


def contiguous_runs(pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join (phys, bytes) pieces that follow each other in memory."""
    runs: list[tuple[int, int]] = []
    for phys, size in pieces:
        if runs and runs[-1][0] + runs[-1][1] == phys:
            runs[-1] = runs[-1][0], runs[-1][1] + size
        else:
            runs.append((phys, size))
    return runs
