"""A device that cannot do DMA."""

from __future__ import annotations

from sluicegate.dma import (
    DMA_TO_DEVICE,
    DebugMode,
    Device,
    DummyBackend,
    Host,
    dma_alloc_coherent,
    dma_map_sgtable,
    dma_unmap_phys,
    dma_unmap_resource,
)

from tests.unit.dma.machine import LOW_RAM, reports, table


def test_everything_fails_and_unmaps_are_reported() -> None:
    device = Device(Host(ram=LOW_RAM, debug=DebugMode.LOG), "dummy", backend=DummyBackend())
    device.host.debug.require_mask = False
    sgt = table((0x5000, 64))
    assert dma_map_sgtable(device, sgt, DMA_TO_DEVICE) == -22
    assert dma_alloc_coherent(device, 4096) is None
    assert device.host.pages.allocated_bytes == 0
    dma_unmap_phys(device, 0x5000, 64, DMA_TO_DEVICE)
    dma_unmap_resource(device, 0x5000, 64, DMA_TO_DEVICE)
    back_end = device.backend
    back_end.unmap_sg(device, sgt.sgl.entries, DMA_TO_DEVICE, 0)
    back_end.unmap_pages(device, 0x5000, 64, 0)
    assert reports(device) == ["D2", "M11"] * 2 + ["M11"] * 2
    back_end.sync_for_cpu(device, 0, 1, DMA_TO_DEVICE)
    back_end.sync_for_device(device, 0, 1, DMA_TO_DEVICE)
    assert (back_end.addressing_limited(device), back_end.merge_boundary(device)) == (False, 0)
    assert (back_end.can_skip_sync(device), back_end.need_sync(device, 0)) == (False, True)
    assert back_end.max_mapping_size(device) == back_end.opt_mapping_size(device) == (1 << 64) - 1
    assert back_end.translate(device, 0) is None
