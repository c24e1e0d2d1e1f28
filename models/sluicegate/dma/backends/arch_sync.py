"""Cache maintenance at the hand-over of a buffer (``arch_sync_dma_for_device`` and ``_for_cpu``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluicegate.dma.attrs import MMIO, SKIP_CPU_SYNC
from sluicegate.dma.direction import DmaDirection

if TYPE_CHECKING:
    from sluicegate.dma.device import Device


def arch_sync_for_device(device: Device, phys: int, size: int, direction: DmaDirection, attrs: int = 0) -> None:
    """Before the device uses ``[phys, phys + size)``; nothing for coherent devices, device memory and on request."""
    cache = device.host.cache
    if cache is not None and not device.coherent and not attrs & (SKIP_CPU_SYNC | MMIO):
        device.host.write_barrier()
        cache.sync_for_device(phys, size, direction)


def arch_sync_for_cpu(device: Device, phys: int, size: int, direction: DmaDirection, attrs: int = 0) -> None:
    """Before the CPU uses it again."""
    cache = device.host.cache
    if cache is not None and not device.coherent and not attrs & (SKIP_CPU_SYNC | MMIO):
        device.host.write_barrier()
        cache.sync_for_cpu(phys, size, direction)
