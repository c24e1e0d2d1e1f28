"""Scatterlists through dma-iommu: one IOVA block, joined segments, peer entries (specification DMA_API, section 4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sluicegate.dma.attrs import SKIP_CPU_SYNC
from sluicegate.dma.backends.arch_sync import arch_sync_for_cpu, arch_sync_for_device
from sluicegate.dma.backends.base import MAPPING_ERROR
from sluicegate.dma.backends.domain import DomainMapError
from sluicegate.dma.backends.prot import iommu_prot
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.errno import Errno
from sluicegate.p2pdma.map_type import P2pdmaMapType

if TYPE_CHECKING:
    from sluicegate.dma.backends.iommu import DmaIommu
    from sluicegate.dma.device import Device
    from sluicegate.dma.scatterlist import SgEntry

_ULONG_MAX = (1 << 64) - 1


def _is_bounced(backend: DmaIommu, device: Device, entries: Sequence[SgEntry], direction: DmaDirection) -> bool:
    """Whether the list needs bouncing: then every entry is mapped on its own."""
    if device.untrusted:
        return True
    return any(backend.host.needs_kmalloc_bounce(device, entry.length, direction) for entry in entries)


def map_sg(backend: DmaIommu, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> int:
    """Map a list; the number of segments, or a negative errno with the list as it was."""
    if _is_bounced(backend, device, entries, direction):
        return _map_sg_bounced(backend, device, entries, direction, attrs)
    for entry in entries:
        if entry.page.provider is None:
            arch_sync_for_device(device, entry.phys, entry.length, direction, attrs)
    spans = _padded_lengths(backend, device, entries)
    if spans is None:
        _clear(entries)
        return -Errno.EREMOTEIO
    total = sum(spans)
    iova = 0
    if total:
        iova = backend.alloc_iova(device, total, device.dma_mask or 0)
        if not iova:
            _clear(entries)
            return -Errno.ENOMEM
        try:
            backend.map_runs(iova, _runs(backend, entries, spans), iommu_prot(device, direction, attrs))
        except DomainMapError as error:
            backend.free_iova(iova, total)
            _clear(entries)
            return -Errno.ENOMEM if error.errno == Errno.ENOMEM else -Errno.EINVAL
    return _finalise(backend, device, entries, spans, iova)


def _padded_lengths(backend: DmaIommu, device: Device, entries: Sequence[SgEntry]) -> list[int] | None:
    """Bytes of IOVA that each entry takes, 0 for bus addresses; None when a peer cannot be reached."""
    low = backend.granule - 1
    boundary = device.seg_boundary_mask or _ULONG_MAX
    spans: list[int] = []
    total = 0
    previous = None
    provider = None
    kind = P2pdmaMapType.NONE
    for index, entry in enumerate(entries):
        if entry.page.provider is not provider:
            provider = entry.page.provider
            kind = entry.peer_map_type(device)
        if provider is not None and kind is P2pdmaMapType.BUS_ADDR:
            entry.set_bus_address()
            spans.append(0)
            continue
        if provider is not None and kind is not P2pdmaMapType.THRU_HOST_BRIDGE:
            return None
        span = ((entry.phys & low) + entry.length + low) & ~low
        pad = (boundary - total + 1) & boundary
        if pad and pad < span - 1 and previous is not None:
            spans[previous] += pad
            total += pad
        spans.append(span)
        total += span
        previous = index
    return spans


def _runs(backend: DmaIommu, entries: Sequence[SgEntry], spans: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Physically contiguous runs of the padded entries, in IOVA order."""
    low = backend.granule - 1
    start = length = 0
    for entry, span in zip(entries, spans, strict=True):
        phys = entry.phys & ~low if span else entry.phys
        if length and phys != start + length:
            yield start, length
            length = 0
        if span:
            if not length:
                start = phys
            length += span
    if length:
        yield start, length


def _finalise(backend: DmaIommu, device: Device, entries: Sequence[SgEntry], spans: Sequence[int], iova: int) -> int:
    """Write the segments into the entries, joining neighbours where the limits allow.

    The room left in a segment is an unsigned 32-bit difference: after an entry longer than the limit it wraps, as in the kernel.
    """
    low = backend.granule - 1
    boundary = device.seg_boundary_mask or _ULONG_MAX
    longest = device.max_seg_size or 65536
    segments: list[tuple[int, int, bool]] = []
    current = 0
    for entry, span in zip(entries, spans, strict=True):
        if not span:
            segments.append((entry.dma_address, entry.dma_length, True))
            current = 0
            continue
        offset = entry.phys & low
        if current and not offset and iova & boundary and (longest - current) & 0xFFFFFFFF >= entry.length:
            address, length, _ = segments[-1]
            current += entry.length
            segments[-1] = address, length + entry.length, False
        else:
            segments.append((iova + offset, entry.length, False))
            current = entry.length
        iova += span
        if offset + entry.length < span:
            current = 0
    for index, entry in enumerate(entries):
        if index < len(segments):
            entry.dma_address, entry.dma_length, entry.is_bus_address = segments[index]
        else:
            entry.clear_dma()
    return len(segments)


def _clear(entries: Sequence[SgEntry]) -> None:
    for entry in entries:
        entry.clear_dma()


def unmap_sg(backend: DmaIommu, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> None:
    """Unmap the one range from the first to the end of the last segment that is no bus address."""
    if _is_bounced(backend, device, entries, direction):
        for entry in entries:
            if entry.is_bus_address:
                entry.is_bus_address = False
            else:
                backend.unmap_phys(device, entry.dma_address, entry.dma_length, direction, attrs)
        return
    for entry in entries:
        if entry.page.provider is None:
            arch_sync_for_cpu(device, entry.phys, entry.length, direction, attrs)
    start = end = 0
    for entry in entries:
        if entry.is_bus_address:
            entry.is_bus_address = False
            continue
        if not entry.dma_length:
            break
        if not end:
            start = entry.dma_address
        end = entry.dma_address + entry.dma_length
    if end:
        backend.unmap_range(device, start, end - start)


def _map_sg_bounced(backend: DmaIommu, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> int:
    for index, entry in enumerate(entries):
        kind = entry.peer_map_type(device)
        if kind is P2pdmaMapType.BUS_ADDR:
            entry.set_bus_address()
            continue
        dma = MAPPING_ERROR
        if kind is P2pdmaMapType.NONE:
            dma = backend.map_phys(device, entry.phys, entry.length, direction, attrs)
        if dma == MAPPING_ERROR:
            for done in entries[:index]:
                if not done.is_bus_address:
                    backend.unmap_phys(device, done.dma_address, done.dma_length, direction, attrs | SKIP_CPU_SYNC)
            _clear(entries)
            return -Errno.EREMOTEIO if kind in _UNREACHABLE else -Errno.EIO
        entry.dma_address, entry.dma_length = dma, entry.length
    return len(entries)


_UNREACHABLE = (P2pdmaMapType.NOT_SUPPORTED, P2pdmaMapType.UNKNOWN)
