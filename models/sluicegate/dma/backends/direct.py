"""The direct back end: no IOMMU; device addresses are CPU physical ones, moved by the range map, bounced when out of reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluicegate.dma.attrs import MMIO, REQUIRE_COHERENT, SKIP_CPU_SYNC
from sluicegate.dma.backends.arch_sync import arch_sync_for_cpu, arch_sync_for_device
from sluicegate.dma.backends.base import MAPPING_ERROR, SIZE_MAX, dma_bit_mask, min_not_zero
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.errno import Errno
from sluicegate.p2pdma.map_type import P2pdmaMapType

if TYPE_CHECKING:
    from sluicegate.dma.backends.swiotlb import Swiotlb
    from sluicegate.dma.device import Device
    from sluicegate.dma.scatterlist import SgEntry


def phys_to_dma(device: Device, phys: int) -> int | None:
    """The bus address of a physical address, None where the range map has none."""
    if not device.range_map:
        return phys
    for entry in device.range_map:
        if entry.cpu_start <= phys < entry.cpu_start + entry.size:
            return phys - entry.cpu_start + entry.dma_start
    return None


def dma_to_phys(device: Device, dma: int) -> int | None:
    """The inverse of :func:`phys_to_dma`."""
    if not device.range_map:
        return dma
    for entry in device.range_map:
        if entry.dma_start <= dma < entry.dma_start + entry.size:
            return dma - entry.dma_start + entry.cpu_start
    return None


def dma_capable(device: Device, dma: int, size: int) -> bool:
    """Whether the device and its bus can address every byte."""
    return dma + size - 1 <= min_not_zero(device.dma_mask or 0, device.bus_dma_limit)


class DirectBackend:
    """Mappings without an IOMMU. Stateless: bounce buffers belong to the host."""

    name = "direct"
    scatters_pages = False

    def map_phys(self, device: Device, phys: int, size: int, direction: DmaDirection, attrs: int) -> int:
        if device.force_bounce:
            if attrs & (MMIO | REQUIRE_COHERENT):
                return MAPPING_ERROR
            return self._bounce(device, phys, size, direction, attrs)
        dma = phys if attrs & MMIO else phys_to_dma(device, phys)
        fits = dma is not None and dma_capable(device, dma, size)
        if attrs & MMIO:
            if not fits:
                self._overflow(device, phys, size)
                return MAPPING_ERROR
        elif not fits or device.host.needs_kmalloc_bounce(device, size, direction):
            if device.host.swiotlb is not None and not attrs & REQUIRE_COHERENT:
                return self._bounce(device, phys, size, direction, attrs)
            self._overflow(device, phys, size)
            return MAPPING_ERROR
        arch_sync_for_device(device, phys, size, direction, attrs)
        assert dma is not None
        return dma

    def _map_peer(self, device: Device, phys: int, size: int) -> int:
        """Peer memory through the host bridge: never bounced, no cache work."""
        dma = phys_to_dma(device, phys)
        if dma is None or not dma_capable(device, dma, size):
            self._overflow(device, phys, size)
            return MAPPING_ERROR
        return dma

    def _overflow(self, device: Device, phys: int, size: int) -> None:
        limit = min_not_zero(device.dma_mask or 0, device.bus_dma_limit)
        device.report(DebugClass.ADDRESS_OVERFLOW, f"{phys:#x}+{size:#x} is out of reach (highest address {limit:#x})")

    def _bounce(self, device: Device, phys: int, size: int, direction: DmaDirection, attrs: int) -> int:
        pool = device.host.swiotlb
        if pool is None:
            self._overflow(device, phys, size)
            return MAPPING_ERROR
        bounce = pool.map(device, phys, size, 0, attrs)
        if bounce is None:
            return MAPPING_ERROR
        dma = phys_to_dma(device, bounce)
        if dma is None or not dma_capable(device, dma, size):
            pool.unmap(bounce, direction, attrs | SKIP_CPU_SYNC)
            self._overflow(device, bounce, size)
            return MAPPING_ERROR
        device.skip_sync = False
        arch_sync_for_device(device, bounce, size, direction, attrs)
        return dma

    def _pool_of(self, device: Device, phys: int) -> Swiotlb | None:
        pool = device.host.swiotlb
        return pool if pool is not None and pool.contains(phys) else None

    def unmap_phys(self, device: Device, dma: int, size: int, direction: DmaDirection, attrs: int) -> None:
        if attrs & MMIO:
            return
        phys = dma_to_phys(device, dma)
        if phys is None:
            return
        arch_sync_for_cpu(device, phys, size, direction, attrs)
        pool = self._pool_of(device, phys)
        if pool is not None and pool.original(phys) is not None:
            pool.unmap(phys, direction, attrs)

    def map_sg(self, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> int:
        error = 0
        for index, entry in enumerate(entries):
            kind = entry.peer_map_type(device)
            if kind is P2pdmaMapType.BUS_ADDR:
                entry.set_bus_address()
                continue
            if kind is P2pdmaMapType.THRU_HOST_BRIDGE:
                dma = self._map_peer(device, entry.phys, entry.length)
            elif kind is P2pdmaMapType.NONE:
                dma = self.map_phys(device, entry.phys, entry.length, direction, attrs)
            else:
                error = -Errno.EREMOTEIO
                dma = MAPPING_ERROR
            if dma == MAPPING_ERROR:
                self.unmap_sg(device, entries[:index], direction, attrs | SKIP_CPU_SYNC)
                for done in entries:
                    done.clear_dma()
                return error or -Errno.EIO
            entry.dma_address, entry.dma_length = dma, entry.length
        return len(entries)

    def unmap_sg(self, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> None:
        for entry in entries:
            if entry.is_bus_address:
                entry.is_bus_address = False
            elif entry.page.provider is None:
                self.unmap_phys(device, entry.dma_address, entry.dma_length, direction, attrs)

    def map_resource(self, device: Device, phys: int, size: int, direction: DmaDirection, attrs: int) -> int:
        return self.map_phys(device, phys, size, direction, attrs | MMIO)

    def unmap_resource(self, device: Device, dma: int, size: int, direction: DmaDirection, attrs: int) -> None:
        self.unmap_phys(device, dma, size, direction, attrs | MMIO)

    def alloc_limit(self, device: Device) -> int | None:
        limit = min_not_zero(device.coherent_dma_mask, device.bus_dma_limit)
        if not device.range_map:
            return limit
        reachable = [
            entry.cpu_start + min(entry.size, limit - entry.dma_start + 1) - 1
            for entry in device.range_map
            if entry.dma_start <= limit
        ]
        return max(reachable, default=0)

    def map_pages(self, device: Device, pages: Sequence[tuple[int, int]], size: int, attrs: int) -> int:
        ((phys, _),) = pages
        dma = phys_to_dma(device, phys)
        limit = min_not_zero(device.coherent_dma_mask, device.bus_dma_limit)
        return MAPPING_ERROR if dma is None or dma + size - 1 > limit else dma

    def unmap_pages(self, device: Device, dma: int, size: int, attrs: int) -> None:
        """Nothing was mapped."""

    def sync_for_cpu(self, device: Device, dma: int, size: int, direction: DmaDirection) -> None:
        phys = dma_to_phys(device, dma)
        if phys is None:
            return
        arch_sync_for_cpu(device, phys, size, direction)
        pool = self._pool_of(device, phys)
        if pool is not None and direction is not DmaDirection.TO_DEVICE:
            pool.sync_for_cpu(device, phys, size)

    def sync_for_device(self, device: Device, dma: int, size: int, direction: DmaDirection) -> None:
        phys = dma_to_phys(device, dma)
        if phys is None:
            return
        pool = self._pool_of(device, phys)
        if pool is not None and direction is not DmaDirection.FROM_DEVICE:
            pool.sync_for_device(device, phys, size)
        arch_sync_for_device(device, phys, size, direction)

    def dma_supported(self, device: Device, mask: int) -> bool:
        if mask >= dma_bit_mask(32):
            return True
        bits = device.host.zone_dma_bits
        needed = min(device.host.pages.last_page, dma_bit_mask(32 if bits is None else bits))
        bus = phys_to_dma(device, needed)
        return bus is not None and mask >= bus

    def required_mask(self, device: Device) -> int:
        last = phys_to_dma(device, device.host.pages.last_page)
        return dma_bit_mask(64) if last is None else (1 << last.bit_length()) - 1

    def addressing_limited(self, device: Device) -> bool:
        if min_not_zero(device.dma_mask or 0, device.bus_dma_limit) < self.required_mask(device):
            return True
        return bool(device.range_map) and any(
            phys_to_dma(device, address) is None for region in device.host.pages.ram for address in (region.base, region.end - 1)
        )

    def max_mapping_size(self, device: Device) -> int:
        pool = device.host.swiotlb
        if pool is not None and (device.force_bounce or self.addressing_limited(device)):
            return pool.max_mapping_size(device)
        return SIZE_MAX

    def opt_mapping_size(self, device: Device) -> int:
        return SIZE_MAX

    def merge_boundary(self, device: Device) -> int:
        return 0

    def can_skip_sync(self, device: Device) -> bool:
        return device.coherent

    def need_sync(self, device: Device, dma: int) -> bool:
        phys = dma_to_phys(device, dma)
        return not device.coherent or (phys is not None and self._pool_of(device, phys) is not None)

    def translate(self, device: Device, dma: int) -> int | None:
        return dma_to_phys(device, dma)
