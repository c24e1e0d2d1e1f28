"""Masks and limits of a device (specification DMA_API, section 1.1)."""

from __future__ import annotations

from typing import Final

from sluicegate.address import DmaAddress
from sluicegate.arguments import validated
from sluicegate.dma.backends.base import dma_bit_mask
from sluicegate.dma.debug import DebugMode
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device, MaskState
from sluicegate.dma.errno import Errno
from sluicegate.memory import PAGE_SHIFT

DMA_BIT_MASK = dma_bit_mask
_DEFAULT_SEGMENT: Final = 65536
_ULONG_MAX: Final = (1 << 64) - 1


@validated
def dma_set_mask(dev: Device, mask: int) -> int:
    """Set the streaming mask: 0, or -EIO with the old mask kept. After a failure the device must not do DMA at all."""
    dev.check_present()
    if dev.dma_mask is None or not dev.backend.dma_supported(dev, mask):
        dev.mask_state = MaskState.FAILED
        return -Errno.EIO
    dev.dma_mask = mask
    if dev.mask_aliases_coherent:
        dev.coherent_dma_mask = mask
    dev.mask_state = MaskState.SET
    dev.skip_sync = dev.backend.can_skip_sync(dev)
    return 0


@validated
def dma_set_coherent_mask(dev: Device, mask: int) -> int:
    """Set the mask of coherent allocations: 0 or -EIO."""
    dev.check_present()
    if not dev.backend.dma_supported(dev, mask):
        return -Errno.EIO
    dev.coherent_dma_mask = mask
    if dev.mask_aliases_coherent:
        dev.dma_mask = mask
    return 0


@validated
def dma_set_mask_and_coherent(dev: Device, mask: int) -> int:
    """Set both masks: the result of :func:`dma_set_mask`; the coherent mask stays when that fails."""
    result = dma_set_mask(dev, mask)
    if result == 0:
        dma_set_coherent_mask(dev, mask)
    return result


@validated
def dma_coerce_mask_and_coherent(dev: Device, mask: int) -> int:
    """Make the streaming mask alias the coherent one (platform devices without storage), then set both."""
    dev.mask_aliases_coherent = True
    if dev.dma_mask is None:
        dev.dma_mask = dev.coherent_dma_mask
    return dma_set_mask_and_coherent(dev, mask)


@validated
def dma_get_mask(dev: Device) -> int:
    """The streaming mask; 32 bits when there is none."""
    return dev.dma_mask or dma_bit_mask(32)


@validated
def dma_get_required_mask(dev: Device) -> int:
    """The mask that reaches all of RAM efficiently. Changes nothing."""
    return dev.backend.required_mask(dev)


@validated
def dma_addressing_limited(dev: Device) -> bool:
    """Whether the device cannot reach all memory itself."""
    return dev.backend.addressing_limited(dev)


@validated
def dma_max_mapping_size(dev: Device) -> int:
    """Longest single mapping in bytes."""
    return dev.backend.max_mapping_size(dev)


@validated
def dma_opt_mapping_size(dev: Device) -> int:
    """Longest mapping in bytes that stays efficient."""
    return min(dev.backend.opt_mapping_size(dev), dma_max_mapping_size(dev))


@validated
def dma_get_merge_boundary(dev: Device) -> int:
    """IOMMU granule - 1, or 0 when the back end cannot join pieces."""
    return dev.backend.merge_boundary(dev)


@validated
def dma_get_max_seg_size(dev: Device) -> int:
    """Longest segment in bytes that the device takes."""
    return dev.max_seg_size or _DEFAULT_SEGMENT


@validated
def dma_set_max_seg_size(dev: Device, size: int) -> None:
    """Set it (32 bits)."""
    if size >> 32:
        raise ValueError(f"a maximum segment size of {size} bytes: give at most 2^32 - 1")
    if _settable(dev, "maximum segment size"):
        dev.max_seg_size = size


@validated
def dma_get_seg_boundary(dev: Device) -> int:
    """Mask of the boundary that no segment may cross."""
    return dev.seg_boundary_mask or _ULONG_MAX


@validated
def dma_set_seg_boundary(dev: Device, mask: int) -> None:
    """Set it."""
    if _settable(dev, "segment boundary"):
        dev.seg_boundary_mask = mask


@validated
def dma_get_seg_boundary_nr_pages(dev: Device | None, page_shift: int = PAGE_SHIFT) -> int:
    """Pages up to the boundary; for no device the 32-bit boundary."""
    return ((0xFFFFFFFF if dev is None else dma_get_seg_boundary(dev)) >> page_shift) + 1


@validated
def dma_get_min_align_mask(dev: Device) -> int:
    """Low address bits that a bounce buffer must keep."""
    return dev.min_align_mask


@validated
def dma_set_min_align_mask(dev: Device, mask: int) -> None:
    """Set it."""
    if _settable(dev, "minimum alignment mask"):
        dev.min_align_mask = mask


def _settable(dev: Device, what: str) -> bool:
    dev.check_present()
    if not dev.has_parameters:
        dev.report(DebugClass.NO_MASK_STORAGE, f"the {what} was not set: the device has no parameter block")
    return dev.has_parameters


@validated
def dma_get_cache_alignment(dev: Device) -> int:
    """Alignment in bytes that keeps a buffer off foreign cache lines (``ARCH_DMA_MINALIGN``, 1 on coherent hosts)."""
    return dev.host.dma_minalign


@validated
def dma_need_sync(dev: Device, dma: DmaAddress | int) -> bool:
    """Whether syncs of a mapping do anything."""
    if dev.skip_sync and dev.debug_mode is DebugMode.OFF:
        return False
    return dev.backend.need_sync(dev, int(DmaAddress(dma)))


@validated
def dma_need_unmap(dev: Device) -> bool:
    """Whether the driver has to keep what an unmap needs."""
    return dev.debug_mode is not DebugMode.OFF or not (dev.backend.name == "direct" and dev.skip_sync)


@validated
def dma_pci_p2pdma_supported(dev: Device) -> bool:
    """Whether the back end handles peer memory in scatterlists."""
    return dev.backend.name != "dummy"
