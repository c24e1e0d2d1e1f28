"""The IOVA-based API: one IOVA block, linked piece by piece (``dma_iova_*``; specification DMA_API, section 1.10).

States of a :class:`DmaIovaState`: empty, allocated, linked (not yet usable by the device), live (after the sync).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sluicegate.address import PhysicalAddress
from sluicegate.arguments import validated
from sluicegate.dma.attrs import MMIO, REQUIRE_COHERENT, SKIP_CPU_SYNC
from sluicegate.dma.backends.arch_sync import arch_sync_for_cpu, arch_sync_for_device
from sluicegate.dma.backends.domain import DomainMapError
from sluicegate.dma.backends.iommu import DmaIommu
from sluicegate.dma.backends.prot import iommu_prot
from sluicegate.dma.debug import DebugMode, caller
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device
from sluicegate.dma.direction import DmaDirection, valid_direction
from sluicegate.dma.errno import Errno
from sluicegate.dma.ledger import Mapping, MappingKind
from sluicegate.dma.streaming import check_in_flight, mapping_allowed

USED_SWIOTLB: Final = 1 << 63
"""Bit of the stored size that says that some link was bounced (``DMA_IOVA_USE_SWIOTLB``)."""


@dataclass
class DmaIovaState:
    """``struct dma_iova_state``. ``addr`` is the device address of byte 0, ``size`` its bytes and :data:`USED_SWIOTLB`.

    ``links`` are the live links as ledger entries, by offset; ``block`` is the IOVA block (start, bytes).
    """

    addr: int = 0
    size: int = 0
    links: dict[int, Mapping] = field(default_factory=dict)
    block: tuple[int, int] = (0, 0)

    @property
    def length(self) -> int:
        """Bytes of IOVA asked for."""
        return self.size & ~USED_SWIOTLB

    @property
    def used_swiotlb(self) -> bool:
        return bool(self.size & USED_SWIOTLB)

    def clear(self) -> None:
        """Not in use."""
        self.addr = self.size = 0
        self.links.clear()
        self.block = (0, 0)


@validated
def dma_use_iova(state: DmaIovaState) -> bool:
    """Whether :func:`dma_iova_try_alloc` succeeded."""
    return state.size != 0


@validated
def dma_iova_try_alloc(dev: Device, state: DmaIovaState, phys: PhysicalAddress | int, size: int) -> bool:
    """Reserve IOVA space for ``size`` bytes whose first byte has the granule offset of ``phys``.

    False: use the streaming calls instead (no dma-iommu, no room, a size of 0 or with bit 63 set).
    """
    dev.check_present()
    address = int(PhysicalAddress(phys))
    if state.links or state.block[1]:
        dev.report(DebugClass.IOVA_STATE_IN_USE, f"the state still holds {state.block[1]:#x} bytes at {state.block[0]:#x}")
    state.clear()
    backend = dev.backend
    if not isinstance(backend, DmaIommu):
        return False
    if size <= 0:
        dev.report(DebugClass.IOVA_ZERO_SIZE, f"dma_iova_try_alloc of {size} bytes")
        return False
    if size & USED_SWIOTLB:
        dev.report(DebugClass.IOVA_SIZE_TOO_LARGE, f"dma_iova_try_alloc of {size:#x} bytes")
        return False
    if not mapping_allowed(dev, size):
        return False
    low = backend.granule - 1
    offset = address & low
    span = (size + offset + low) & ~low
    iova = backend.alloc_iova(dev, span, dev.dma_mask or 0)
    if not iova:
        return False
    state.addr = iova + offset
    state.size = size
    state.block = iova, span
    return True


@validated
def dma_iova_link(
    dev: Device,
    state: DmaIovaState,
    phys: PhysicalAddress | int,
    offset: int,
    size: int,
    dir: DmaDirection,
    attrs: int = 0,
) -> int:
    """Link ``size`` bytes at ``phys`` to byte ``offset`` of the state: 0 or a negative errno.

    Every start but the first and every end but the last lie on the merge boundary. Call :func:`dma_iova_sync` before the
    device uses the range. -EIO: ``phys`` misaligned; -EINVAL: place misaligned, or outside the state; -EADDRINUSE: linked
    already; -EPERM: would have to be bounced; -ENOMEM: no bounce buffer or page table; -EOPNOTSUPP: must be coherent.
    """
    direction = valid_direction(dir)
    dev.check_present()
    address = int(PhysicalAddress(phys))
    backend = dev.backend
    if not isinstance(backend, DmaIommu):
        return -Errno.EOPNOTSUPP
    if not dma_use_iova(state):
        dev.report(DebugClass.IOVA_NOT_ALLOCATED, "dma_iova_link of an unused state")
        return -Errno.EINVAL
    if _outside(dev, state, offset, size):
        dev.report(DebugClass.IOVA_LINK_OUTSIDE, f"link of {size} bytes at {offset} of a state of {state.length} bytes")
        return -Errno.EINVAL
    low = backend.granule - 1
    pad = address & low
    if pad and offset:
        dev.report(DebugClass.IOVA_MISALIGNED_LINK, f"link of {address:#x} at offset {offset}: not on a granule")
        return -Errno.EIO
    if attrs & REQUIRE_COHERENT:
        if state.used_swiotlb:
            dev.report(DebugClass.IOVA_COHERENT_AFTER_BOUNCE, f"link at offset {offset}")
            return -Errno.EOPNOTSUPP
        if not dev.coherent:
            return -Errno.EOPNOTSUPP
    if backend.needs_bounce(dev, address, size, direction):
        if attrs & (MMIO | REQUIRE_COHERENT):
            return -Errno.EPERM
        error = _link_bounced(dev, backend, state, address, offset, size, direction, attrs)
    else:
        error = _link_range(dev, backend, state.addr + offset, address, size, direction, attrs)
        if error in (-Errno.EADDRINUSE, -Errno.EEXIST):
            dev.report(DebugClass.IOVA_LINK_OVERLAP, f"link of {size} bytes at offset {offset}: the range is linked already")
    if not error:
        code, line = caller()
        mapping = Mapping(dev, MappingKind.IOVA, state.addr + offset, size, direction, attrs, address, code, line, visible=False)
        state.links[offset] = mapping
        dev.add_mapping(mapping)
    return error


def _link_range(dev: Device, backend: DmaIommu, dma: int, phys: int, size: int, direction: DmaDirection, attrs: int) -> int:
    low = backend.granule - 1
    pad = phys & low
    arch_sync_for_device(dev, phys, size, direction, attrs)
    try:
        backend.map_range(dma - pad, phys - pad, (size + pad + low) & ~low, iommu_prot(dev, direction, attrs))
    except DomainMapError as error:
        return -error.errno
    return 0


def _link_bounced(
    dev: Device,
    backend: DmaIommu,
    state: DmaIovaState,
    phys: int,
    offset: int,
    size: int,
    direction: DmaDirection,
    attrs: int,
) -> int:
    """Bounce the partial granules at both ends and map what is between; undo exactly what was done on a failure."""
    granule = backend.granule
    low = granule - 1
    done = 0
    while done < size:
        start = phys + done
        if start & low or size - done < granule:
            step = min(size - done, granule - (start & low))
            bounce = backend.bounce(dev, start, step, attrs, keep_offset=True)
            error = -Errno.ENOMEM
            if bounce is not None:
                state.size |= USED_SWIOTLB
                error = _link_range(dev, backend, state.addr + offset + done, bounce, step, direction, attrs)
                if error:
                    backend.unbounce(bounce, direction, attrs | SKIP_CPU_SYNC)
        else:
            step = (size - done) & ~low
            error = _link_range(dev, backend, state.addr + offset + done, start, step, direction, attrs)
        if error:
            if done:
                _unlink_range(dev, backend, state, offset, done, direction, attrs | SKIP_CPU_SYNC)
            return error
        done += step
    return 0


@validated
def dma_iova_sync(dev: Device, state: DmaIovaState, offset: int, size: int) -> int:
    """Make the links of a range visible to the device: 0 or a negative errno. Must precede the first access."""
    dev.check_present()
    backend = _backend(dev, state, "dma_iova_sync")
    if backend is None:
        return -Errno.EOPNOTSUPP
    if _outside(dev, state, offset, size):
        dev.report(DebugClass.IOVA_SYNC_OUTSIDE, f"sync of {size} bytes at {offset} of a state of {state.length} bytes")
        return -Errno.EINVAL
    low = backend.granule - 1
    start = state.addr + offset
    pad = start & low
    backend.domain.sync_map(start - pad, (size + pad + low) & ~low)
    for at, link in state.links.items():
        if at < offset + size and offset < at + link.size:
            link.visible = True
    return 0


@validated
def dma_iova_unlink(dev: Device, state: DmaIovaState, offset: int, size: int, dir: DmaDirection, attrs: int = 0) -> None:
    """Unlink a range and keep its IOVA. Always waits for the invalidation."""
    direction = valid_direction(dir)
    dev.check_present()
    backend = _backend(dev, state, "dma_iova_unlink")
    if backend is None:
        return
    links = [at for at, link in state.links.items() if at >= offset and at + link.size <= offset + size]
    covered = sum(state.links[at].size for at in links)
    _check_links(dev, state, links, direction, attrs)
    if covered != size:
        dev.report(DebugClass.IOVA_UNLINK_MISMATCH, f"unlink of {size} bytes at {offset}: {covered} bytes are linked there")
    check_in_flight(dev, state.addr + offset, size)
    _unlink_range(dev, backend, state, offset, size, direction, attrs)
    for at in links:
        dev.remove_mapping(state.links.pop(at))


@validated
def dma_iova_destroy(dev: Device, state: DmaIovaState, mapped_len: int, dir: DmaDirection, attrs: int = 0) -> None:
    """Unlink the first ``mapped_len`` bytes (all that is linked) and free the IOVA."""
    direction = valid_direction(dir)
    dev.check_present()
    backend = _backend(dev, state, "dma_iova_destroy")
    if backend is None:
        return
    linked = max((at + link.size for at, link in state.links.items()), default=0)
    if mapped_len != linked or sum(link.size for link in state.links.values()) != linked:
        dev.report(DebugClass.IOVA_DESTROY_LENGTH, f"dma_iova_destroy of {mapped_len} bytes, linked up to {linked}")
    _check_links(dev, state, list(state.links), direction, attrs)
    low = backend.granule - 1
    if mapped_len > 0:
        check_in_flight(dev, state.addr, mapped_len)
        queued = backend.flush_queue is not None and not state.used_swiotlb
        _unlink_range(dev, backend, state, 0, mapped_len, direction, attrs, invalidate=not queued)
        start = state.addr & ~low
        span = (mapped_len + (state.addr & low) + low) & ~low
        backend.free_iova(start, span, queued=queued)
    else:
        backend.free_iova(*state.block)
    for link in state.links.values():
        dev.remove_mapping(link)
    state.clear()


@validated
def dma_iova_free(dev: Device, state: DmaIovaState) -> None:
    """Free the IOVA; everything must be unlinked."""
    dev.check_present()
    backend = _backend(dev, state, "dma_iova_free")
    if backend is None:
        return
    if state.links:
        dev.report(DebugClass.IOVA_FREE_LINKED, f"{len(state.links)} links are left, the first at offset {min(state.links)}")
    backend.free_iova(*state.block)
    for link in state.links.values():
        dev.remove_mapping(link)
    state.clear()


def _outside(dev: Device, state: DmaIovaState, offset: int, size: int) -> bool:
    """Whether a range is no part of the state. The kernel does not look at the end: without debugging neither does this."""
    return size <= 0 or offset < 0 or (offset + size > state.length and dev.debug_mode is not DebugMode.OFF)


def _backend(dev: Device, state: DmaIovaState, call: str) -> DmaIommu | None:
    if isinstance(dev.backend, DmaIommu) and dma_use_iova(state):
        return dev.backend
    dev.report(DebugClass.IOVA_NOT_ALLOCATED, f"{call} of a state that holds no IOVA")
    return None


def _check_links(dev: Device, state: DmaIovaState, links: list[int], direction: DmaDirection, attrs: int) -> None:
    for at in links:
        link = state.links[at]
        if link.direction is not direction or (link.attrs ^ attrs) & ~SKIP_CPU_SYNC:
            dev.report(
                DebugClass.IOVA_UNLINK_MISMATCH,
                f"{direction.name} and attributes {attrs:#x} given at offset {at}, linked as {link!r}",
            )


def _unlink_range(
    dev: Device,
    backend: DmaIommu,
    state: DmaIovaState,
    offset: int,
    size: int,
    direction: DmaDirection,
    attrs: int,
    invalidate: bool = True,
) -> None:
    low = backend.granule - 1
    start = state.addr + offset
    pad = start & low
    base, span = start - pad, (size + pad + low) & ~low
    bounces = _sync_unlinked(dev, backend, state, start, size, direction, attrs)
    removed = backend.domain.unmap(base, span)
    if removed != span:
        dev.report(DebugClass.UNMAP_SHORT, f"{removed} of {span} bytes were mapped at {base:#x}")
    if invalidate:
        backend.domain.iotlb_sync(base, span)
    for bounce in bounces:
        backend.unbounce(bounce, direction, attrs)


def _sync_unlinked(
    dev: Device, backend: DmaIommu, state: DmaIovaState, start: int, size: int, direction: DmaDirection, attrs: int
) -> list[int]:
    """Give the range back to the CPU; the bounce buffers to release once the device can no longer reach them."""
    if not state.used_swiotlb and (dev.coherent or dev.host.cache is None):
        return []
    bounces = []
    pool = dev.host.swiotlb
    at = start
    while at < start + size:
        step = min(start + size - at, backend.granule - (at & (backend.granule - 1)))
        phys = backend.domain.iova_to_phys(at)
        if phys is not None:
            if pool is not None and pool.contains(phys):
                bounces.append(phys)
            arch_sync_for_cpu(dev, phys, step, direction, attrs)
        at += step
    return bounces
