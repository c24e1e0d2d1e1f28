"""Vectors 41 to 54: the IOVA-based API."""

from collections.abc import Callable

import pytest
from sluicegate.dma import (
    DMA_TO_DEVICE,
    DebugClass,
    DebugMode,
    Device,
    DmaAttrs,
    DmaDebugError,
    DmaIovaState,
    Swiotlb,
    dma_iova_destroy,
    dma_iova_free,
    dma_iova_link,
    dma_iova_sync,
    dma_iova_try_alloc,
    dma_iova_unlink,
    dma_use_iova,
)

from tests.unit.dma.machine import Machine, behind_iommu, direct


def allocated(size: int = 12288) -> tuple[Machine, DmaIovaState]:
    machine = behind_iommu(debug=DebugMode.LOG)
    state = DmaIovaState()
    assert dma_iova_try_alloc(machine.device, state, 0x12345, size)
    return machine, state


def test_v41_only_the_offset_of_phys_counts() -> None:
    _, state = allocated()
    assert (state.addr, state.size) == (0xFFFFC345, 12288)
    assert dma_use_iova(state)


def test_v42_to_v50_link_sync_unlink_destroy() -> None:
    machine, state = allocated()
    device = machine.device
    assert dma_iova_link(device, state, 0x12345, 0, 3259, DMA_TO_DEVICE) == 0
    assert machine.log() == [("M", 0xFFFFC000, 0x12000, 4096, 5)]
    assert dma_iova_link(device, state, 0x80200, 3259, 4096, DMA_TO_DEVICE) == -5
    assert dma_iova_link(device, state, 0x80000, 4096, 4096, DMA_TO_DEVICE) == -22
    assert dma_iova_link(device, state, 0x80000, 3259, 4096, DMA_TO_DEVICE, DmaAttrs.MMIO) == 0
    assert machine.log() == [("M", 0xFFFFD000, 0x80000, 4096, 17)]
    assert dma_iova_link(device, state, 0x80000, 3259, 4096, DMA_TO_DEVICE, DmaAttrs.MMIO) == -98
    assert machine.host.debug.counts[DebugClass.IOVA_LINK_OVERLAP] == 1
    assert dma_iova_link(device, state, 0x90000, 7355, 4933, DMA_TO_DEVICE) == 0
    assert machine.log() == [("M", 0xFFFFE000, 0x90000, 8192, 5)]
    assert dma_iova_sync(device, state, 0, 12288) == 0
    assert machine.domain.log == [("S", 0xFFFFC000, 16384)]
    machine.domain.log.clear()
    dma_iova_unlink(device, state, 3259, 4096, DMA_TO_DEVICE, DmaAttrs.MMIO)
    assert machine.log() == [("U", 0xFFFFD000, 4096, 4096)]
    assert dma_iova_link(device, state, 0x80000, 3259, 4096, DMA_TO_DEVICE) == 0
    machine.log()
    dma_iova_destroy(device, state, 12288, DMA_TO_DEVICE)
    assert machine.log() == [("U", 0xFFFFC000, 16384, 16384)]
    assert len(machine.iommu.tree) == 0
    assert not dma_use_iova(state)
    machine.host.assert_clean()


def test_v51_bad_sizes() -> None:
    machine = behind_iommu(debug=DebugMode.LOG)
    state = DmaIovaState()
    assert not dma_iova_try_alloc(machine.device, state, 0, 0)
    assert not dma_iova_try_alloc(machine.device, state, 0, 1 << 63)
    counts = machine.host.debug.counts
    assert (counts[DebugClass.IOVA_ZERO_SIZE], counts[DebugClass.IOVA_SIZE_TOO_LARGE]) == (1, 1)


def test_v52_a_24_bit_space() -> None:
    machine = behind_iommu(24)
    state = DmaIovaState()
    for size in (16773120, 16777216):
        assert not dma_iova_try_alloc(machine.device, state, 0, size)
    assert dma_iova_try_alloc(machine.device, state, 0, 8388608)
    assert state.addr == 8388608
    assert not dma_iova_try_alloc(machine.device, DmaIovaState(), 0, 8388608)


def test_v53_a_direct_device_has_no_iova() -> None:
    device = direct(debug=DebugMode.LOG)
    state = DmaIovaState(addr=1, size=2)
    assert not dma_iova_try_alloc(device, state, 0x5000, 4096)
    assert (state.addr, state.size, dma_use_iova(state)) == (0, 0, False)
    assert dma_iova_link(device, state, 0x5000, 0, 4096, DMA_TO_DEVICE) == -95
    assert dma_iova_sync(device, state, 0, 4096) == -95


def test_v54_memory_that_cannot_be_bounced() -> None:
    machine = behind_iommu(untrusted=True)
    Swiotlb(machine.host)
    state = DmaIovaState()
    assert dma_iova_try_alloc(machine.device, state, 0x12345, 4096)
    assert dma_iova_link(machine.device, state, 0x12345, 0, 4096, DMA_TO_DEVICE, DmaAttrs.MMIO) == -1
    machine = behind_iommu(coherent=False)
    state = DmaIovaState()
    assert dma_iova_try_alloc(machine.device, state, 0x12345, 4096)
    assert dma_iova_link(machine.device, state, 0x12345, 0, 4096, DMA_TO_DEVICE, DmaAttrs.REQUIRE_COHERENT) == -95


Misuse = Callable[[Device, DmaIovaState], object]

MISUSES: dict[DebugClass, Misuse] = {
    DebugClass.IOVA_LINK_OUTSIDE: lambda dev, state: dma_iova_link(dev, state, 0x80000, 8192, 8192, DMA_TO_DEVICE),
    DebugClass.IOVA_MISALIGNED_LINK: lambda dev, state: dma_iova_link(dev, state, 0x80001, 4096, 100, DMA_TO_DEVICE),
    DebugClass.IOVA_LINK_OVERLAP: lambda dev, state: dma_iova_link(dev, state, 0x80000, 0, 4096, DMA_TO_DEVICE),
    DebugClass.IOVA_FREE_LINKED: lambda dev, state: dma_iova_free(dev, state),
    DebugClass.IOVA_DESTROY_LENGTH: lambda dev, state: dma_iova_destroy(dev, state, 8192, DMA_TO_DEVICE),
    DebugClass.IOVA_UNLINK_MISMATCH: lambda dev, state: dma_iova_unlink(dev, state, 0, 8192, DMA_TO_DEVICE),
    DebugClass.IOVA_STATE_IN_USE: lambda dev, state: dma_iova_try_alloc(dev, state, 0, 4096),
    DebugClass.IOVA_SYNC_OUTSIDE: lambda dev, state: dma_iova_sync(dev, state, 4096, 12288),
    DebugClass.IOVA_NOT_ALLOCATED: lambda dev, state: dma_iova_destroy(dev, DmaIovaState(), 0, DMA_TO_DEVICE),
}


@pytest.mark.parametrize("misuse", MISUSES, ids=lambda misuse: misuse.name)
def test_every_misuse_is_named_and_changes_nothing(misuse: DebugClass) -> None:
    machine = behind_iommu()
    state = DmaIovaState()
    assert dma_iova_try_alloc(machine.device, state, 0, 12288)
    assert dma_iova_link(machine.device, state, 0x50000, 0, 4096, DMA_TO_DEVICE) == 0
    before = machine.iommu.tree.state(), machine.domain.mapped_bytes, machine.device.mappings(), state.addr, state.size
    with pytest.raises(DmaDebugError) as caught:
        MISUSES[misuse](machine.device, state)
    assert caught.value.error_class is misuse
    assert before == (
        machine.iommu.tree.state(),
        machine.domain.mapped_bytes,
        machine.device.mappings(),
        state.addr,
        state.size,
    )


def test_an_unaligned_link_of_an_untrusted_device_is_bounced_at_both_ends() -> None:
    machine = behind_iommu(untrusted=True)
    Swiotlb(machine.host)
    data = bytes(range(256)) * 40
    phys = 0x40_0345
    machine.host.memory.write(phys, data)
    state = DmaIovaState()
    assert dma_iova_try_alloc(machine.device, state, phys, len(data))
    assert dma_iova_link(machine.device, state, phys, 0, len(data), DMA_TO_DEVICE) == 0
    assert state.used_swiotlb
    assert dma_iova_sync(machine.device, state, 0, len(data)) == 0
    seen = b""
    for at in range(state.addr, state.addr + len(data)):
        target = machine.domain.iova_to_phys(at)
        assert target is not None
        seen += machine.host.memory.read(target, 1)
    assert seen == data
    before = machine.domain.iova_to_phys(state.addr - 1)
    assert before is not None
    assert machine.host.memory.read(before, 1) == b"\0", "the neighbour of the buffer is not shown"
    dma_iova_destroy(machine.device, state, len(data), DMA_TO_DEVICE)
    assert machine.host.swiotlb is not None
    assert machine.host.swiotlb.used_slots == 0
    machine.host.assert_clean()


def test_a_failed_bounced_link_undoes_itself() -> None:
    for failing in range(3):
        machine = behind_iommu(untrusted=True)
        pool = Swiotlb(machine.host)
        state = DmaIovaState()
        assert dma_iova_try_alloc(machine.device, state, 0x40_0345, 10000)
        machine.domain.fail_map_at = failing
        assert dma_iova_link(machine.device, state, 0x40_0345, 0, 10000, DMA_TO_DEVICE) == -12
        assert (machine.domain.mapped_bytes, pool.used_slots) == (0, 0)
        dma_iova_free(machine.device, state)
        machine.host.assert_clean()
