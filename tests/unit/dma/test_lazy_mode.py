"""The lazy mode: between unmap and flush an old translation may be used, and its IOVA is not given again."""

import pytest
from sluicegate.dma import (
    DMA_TO_DEVICE,
    DebugClass,
    DmaDebugError,
    DmaIovaState,
    Host,
    ManualClock,
    device_read,
    dma_iova_destroy,
    dma_iova_free,
    dma_iova_link,
    dma_iova_sync,
    dma_iova_try_alloc,
    dma_iova_unlink,
    dma_map_phys,
    dma_mapping_error,
    dma_unmap_phys,
)
from sluicegate.iova.flush_queue import FlushQueueKind

from tests.unit.dma.machine import LOW_RAM, Machine, behind_iommu


def lazy() -> tuple[Machine, ManualClock]:
    clock = ManualClock()
    host = Host(ram=LOW_RAM, clock_ms=clock)
    return behind_iommu(host=host, iommu={"rcache": False, "lazy": FlushQueueKind.PER_CPU}), clock


def test_the_iova_comes_back_only_after_the_flush() -> None:
    machine, clock = lazy()
    first = dma_map_phys(machine.device, 0x5000, 4096, DMA_TO_DEVICE)
    dma_mapping_error(machine.device, first)
    dma_unmap_phys(machine.device, first, 4096, DMA_TO_DEVICE)
    assert machine.domain.invalidations == 0
    assert machine.iommu.in_lazy_window(int(first))
    with pytest.raises(DmaDebugError) as caught:
        device_read(machine.device, first, 4)
    assert caught.value.error_class is DebugClass.DEVICE_ACCESS_AFTER_UNMAP
    second = dma_map_phys(machine.device, 0x5000, 4096, DMA_TO_DEVICE)
    assert second == 0xFFFFE000
    clock.advance(11)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)
    assert machine.iommu.flush_queue is not None
    machine.iommu.flush_queue.poll()
    assert machine.domain.invalidations == 1
    assert not machine.iommu.in_lazy_window(int(first))
    assert dma_map_phys(machine.device, 0x6000, 4096, DMA_TO_DEVICE) == first


def test_destroy_is_lazy_but_unlink_and_free_are_not() -> None:
    machine, _ = lazy()
    state = DmaIovaState()
    assert dma_iova_try_alloc(machine.device, state, 0, 8192)
    assert dma_iova_link(machine.device, state, 0x5000, 0, 8192, DMA_TO_DEVICE) == 0
    with pytest.raises(DmaDebugError) as caught:
        device_read(machine.device, state.addr, 4)
    assert caught.value.error_class is DebugClass.DEVICE_ACCESS_BEFORE_SYNC
    dma_iova_sync(machine.device, state, 0, 8192)
    assert device_read(machine.device, state.addr, 8192) == bytes(8192)
    dma_iova_unlink(machine.device, state, 0, 8192, DMA_TO_DEVICE)
    assert machine.domain.invalidations == 1
    dma_iova_free(machine.device, state)
    assert len(machine.iommu.tree) == 0
    assert dma_iova_try_alloc(machine.device, state, 0, 8192)
    assert dma_iova_link(machine.device, state, 0x5000, 0, 8192, DMA_TO_DEVICE) == 0
    dma_iova_destroy(machine.device, state, 8192, DMA_TO_DEVICE)
    assert machine.domain.invalidations == 1
    assert len(machine.iommu.tree) == 1
    machine.host.assert_clean()
