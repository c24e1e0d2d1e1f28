"""The dummy back end: a device that cannot do DMA. Everything fails (``dma_dummy_ops``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluicegate.dma.backends.base import MAPPING_ERROR, SIZE_MAX, dma_bit_mask
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.errno import Errno

if TYPE_CHECKING:
    from sluicegate.dma.device import Device
    from sluicegate.dma.scatterlist import SgEntry


class DummyBackend:
    """Mappings fail, unmappings are reported."""

    name = "dummy"
    scatters_pages = False

    def map_phys(self, device: Device, phys: int, size: int, direction: DmaDirection, attrs: int) -> int:
        return MAPPING_ERROR

    def unmap_phys(self, device: Device, dma: int, size: int, direction: DmaDirection, attrs: int) -> None:
        device.report(DebugClass.DUMMY_UNMAP, f"unmap of {dma:#x}")

    def map_sg(self, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> int:
        return -Errno.EINVAL

    def unmap_sg(self, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> None:
        device.report(DebugClass.DUMMY_UNMAP, f"unmap of a scatterlist of {len(entries)} entries")

    def map_resource(self, device: Device, phys: int, size: int, direction: DmaDirection, attrs: int) -> int:
        return MAPPING_ERROR

    def unmap_resource(self, device: Device, dma: int, size: int, direction: DmaDirection, attrs: int) -> None:
        device.report(DebugClass.DUMMY_UNMAP, f"unmap of the resource at {dma:#x}")

    def alloc_limit(self, device: Device) -> int | None:
        return None

    def map_pages(self, device: Device, pages: Sequence[tuple[int, int]], size: int, attrs: int) -> int:
        return MAPPING_ERROR

    def unmap_pages(self, device: Device, dma: int, size: int, attrs: int) -> None:
        device.report(DebugClass.DUMMY_UNMAP, f"free of {dma:#x}")

    def sync_for_cpu(self, device: Device, dma: int, size: int, direction: DmaDirection) -> None:
        """Nothing is mapped."""

    def sync_for_device(self, device: Device, dma: int, size: int, direction: DmaDirection) -> None:
        """Nothing is mapped."""

    def dma_supported(self, device: Device, mask: int) -> bool:
        return False

    def required_mask(self, device: Device) -> int:
        return dma_bit_mask(32)

    def addressing_limited(self, device: Device) -> bool:
        return False

    def max_mapping_size(self, device: Device) -> int:
        return SIZE_MAX

    def opt_mapping_size(self, device: Device) -> int:
        return SIZE_MAX

    def merge_boundary(self, device: Device) -> int:
        return 0

    def can_skip_sync(self, device: Device) -> bool:
        return False

    def need_sync(self, device: Device, dma: int) -> bool:
        return True

    def translate(self, device: Device, dma: int) -> int | None:
        return None
