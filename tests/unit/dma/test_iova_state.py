"""Corners of the IOVA-based API: unused states, log mode, bounces, non-coherent links."""

from __future__ import annotations

from sluicegate.dma import (
    DMA_BIDIRECTIONAL,
    DMA_FROM_DEVICE,
    DMA_TO_DEVICE,
    DebugMode,
    DmaAttrs,
    DmaIovaState,
    FaultInjector,
    FaultPoint,
    Host,
    Swiotlb,
    device_read,
    dma_iova_destroy,
    dma_iova_free,
    dma_iova_link,
    dma_iova_sync,
    dma_iova_try_alloc,
    dma_iova_unlink,
)

from tests.unit.dma.machine import LOW_RAM, behind_iommu, reports


def test_calls_on_states_that_hold_nothing() -> None:
    machine = behind_iommu(debug=DebugMode.LOG)
    empty = DmaIovaState()
    assert dma_iova_link(machine.device, empty, 0, 0, 4096, DMA_TO_DEVICE) == -22
    dma_iova_unlink(machine.device, empty, 0, 4096, DMA_TO_DEVICE)
    dma_iova_destroy(machine.device, empty, 0, DMA_TO_DEVICE)
    dma_iova_free(machine.device, empty)
    assert dma_iova_sync(machine.device, empty, 0, 4096) == -95
    assert reports(machine.device) == ["I7"] * 5


def test_log_mode_goes_on() -> None:
    machine = behind_iommu(debug=DebugMode.LOG)
    state = DmaIovaState()
    dma_iova_try_alloc(machine.device, state, 0, 8192)
    assert dma_iova_link(machine.device, state, 0x5000, 4096, 8192, DMA_TO_DEVICE) == -22
    assert dma_iova_sync(machine.device, state, 4096, 8192) == -22
    assert dma_iova_link(machine.device, state, 0x5000, 0, 4096, DMA_TO_DEVICE) == 0
    assert dma_iova_link(machine.device, state, 0x9000, 4096, 4096, DMA_TO_DEVICE) == 0
    assert dma_iova_sync(machine.device, state, 0, 4096) == 0
    assert [mapping.visible for mapping in machine.device.mappings()] == [True, False]
    dma_iova_unlink(machine.device, state, 0, 4096, DMA_FROM_DEVICE)
    dma_iova_free(machine.device, state)
    assert reports(machine.device) == ["I4", "I11", "I9", "I6"]
    assert machine.device.mappings() == ()
    assert not dma_iova_try_alloc(machine.device, DmaIovaState(), 0, 1 << 40)
    dma_iova_try_alloc(machine.device, state, 0, 4096)
    dma_iova_destroy(machine.device, state, 0, DMA_TO_DEVICE)
    assert (len(machine.iommu.tree), machine.domain.mapped_bytes) == (0, 4096), "the driver leaked a translation, as reported"


def test_without_debugging_the_end_of_a_state_is_not_looked_at() -> None:
    machine = behind_iommu(debug=DebugMode.OFF)
    state = DmaIovaState()
    dma_iova_try_alloc(machine.device, state, 0, 4096)
    assert dma_iova_link(machine.device, state, 0x5000, 0, 8192, DMA_TO_DEVICE) == 0
    assert dma_iova_sync(machine.device, state, 0, 8192) == 0
    assert dma_iova_link(machine.device, state, 0x5000, 0, 0, DMA_TO_DEVICE) == -22


def test_injected_failures() -> None:
    machine = behind_iommu()
    machine.host.faults = FaultInjector()
    machine.host.faults.fail(FaultPoint.MAP)
    assert not dma_iova_try_alloc(machine.device, DmaIovaState(), 0, 4096)


def test_coherent_memory_after_a_bounce_and_no_bounce_buffer() -> None:
    machine = behind_iommu(untrusted=True, debug=DebugMode.LOG)
    pool = Swiotlb(machine.host)
    state = DmaIovaState()
    dma_iova_try_alloc(machine.device, state, 0x40_0100, 8192)
    assert dma_iova_link(machine.device, state, 0x40_0100, 0, 3840, DMA_TO_DEVICE) == 0
    assert dma_iova_link(machine.device, state, 0x50_0000, 3840, 4096, DMA_TO_DEVICE, DmaAttrs.REQUIRE_COHERENT) == -95
    assert reports(machine.device) == ["I12"]
    machine.host.faults = FaultInjector()
    machine.host.faults.fail(FaultPoint.SWIOTLB)
    assert dma_iova_link(machine.device, state, 0x50_0000, 3840, 100, DMA_TO_DEVICE) == -12
    dma_iova_destroy(machine.device, state, 3840, DMA_TO_DEVICE)
    assert pool.used_slots == 0


def test_a_noncoherent_link_is_synced_granule_by_granule() -> None:
    machine = behind_iommu(host=Host(ram=LOW_RAM, cpu_cache=True, dma_minalign=64), coherent=False)
    page = machine.host.buffer(machine.host.alloc_page(8192))
    page.write(b"c" * 8192)
    state = DmaIovaState()
    dma_iova_try_alloc(machine.device, state, int(page.phys), 8192)
    assert dma_iova_link(machine.device, state, page.phys, 0, 8192, DMA_BIDIRECTIONAL) == 0
    dma_iova_sync(machine.device, state, 0, 8192)
    assert device_read(machine.device, state.addr, 8192) == b"c" * 8192
    machine.host.memory.write(int(page.phys), b"d" * 8192)
    machine.domain.unmap(state.addr, 4096)
    machine.device.debug_mode = machine.host.debug.mode = DebugMode.OFF
    dma_iova_destroy(machine.device, state, 8192, DMA_BIDIRECTIONAL)
    assert page.read(4096) == b"d" * 4096
