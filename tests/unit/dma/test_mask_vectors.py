"""Vectors 55 to 62: masks, limits, resources, the error test; and the rest of section 1.1."""

import pytest
from sluicegate.dma import (
    DMA_BIT_MASK,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    DebugClass,
    DebugMode,
    Device,
    DmaDebugError,
    DmaIommu,
    DmaRange,
    DummyBackend,
    Host,
    RecordingDomain,
    Swiotlb,
    dma_addressing_limited,
    dma_coerce_mask_and_coherent,
    dma_get_cache_alignment,
    dma_get_mask,
    dma_get_max_seg_size,
    dma_get_merge_boundary,
    dma_get_min_align_mask,
    dma_get_required_mask,
    dma_get_seg_boundary,
    dma_get_seg_boundary_nr_pages,
    dma_map_phys,
    dma_map_resource,
    dma_mapping_error,
    dma_max_mapping_size,
    dma_need_sync,
    dma_need_unmap,
    dma_opt_mapping_size,
    dma_pci_p2pdma_supported,
    dma_set_coherent_mask,
    dma_set_mask,
    dma_set_mask_and_coherent,
    dma_set_max_seg_size,
    dma_set_min_align_mask,
    dma_set_seg_boundary,
    dma_unmap_resource,
)
from sluicegate.platform import Region

from tests.unit.dma.machine import behind_iommu, direct

FOUR_GIB = (Region(0, 1 << 32),)


def test_v55_the_smallest_mask_of_direct_depends_on_zone_dma() -> None:
    device = Device(Host(ram=FOUR_GIB), "dut")
    assert dma_set_mask(device, DMA_BIT_MASK(24)) == 0
    assert dma_set_mask(device, DMA_BIT_MASK(23)) == -5
    assert dma_get_mask(device) == DMA_BIT_MASK(24)
    device = Device(Host(ram=FOUR_GIB, zone_dma_bits=None), "dut")
    assert dma_set_mask(device, DMA_BIT_MASK(31)) == -5
    assert dma_set_mask(device, DMA_BIT_MASK(32)) == 0


def test_v56_the_iommu_takes_any_mask() -> None:
    assert dma_set_mask(behind_iommu().device, DMA_BIT_MASK(1)) == 0


def test_v57_the_required_mask() -> None:
    host = Host(ram=(Region(0, 0x1_8000_0000),))
    assert dma_get_required_mask(Device(host, "direct")) == 0x1FFFFFFFF
    assert dma_get_required_mask(Device(host, "iommu", backend=DmaIommu(host, RecordingDomain()))) == 0xFFFFFFFF


def test_v58_the_last_byte_must_be_within_the_mask() -> None:
    device = direct(32, debug=DebugMode.LOG)
    assert dma_map_phys(device, 0xFFFFF000, 0x1000, DMA_TO_DEVICE) == 0xFFFFF000
    assert dma_map_phys(device, 0xFFFFF000, 0x1001, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert device.host.debug.counts[DebugClass.ADDRESS_OVERFLOW] == 1


def test_v59_mapping_sizes() -> None:
    host = Host()
    Swiotlb(host)
    limited = direct(32, host=host)
    assert dma_addressing_limited(limited)
    assert dma_max_mapping_size(limited) == dma_opt_mapping_size(limited) == 262144
    dma_set_min_align_mask(limited, 4095)
    assert dma_get_min_align_mask(limited) == 4095
    assert dma_max_mapping_size(limited) == 258048
    machine = behind_iommu()
    assert dma_opt_mapping_size(machine.device) == 131072
    assert dma_get_merge_boundary(machine.device) == 0xFFF
    assert dma_get_merge_boundary(limited) == 0
    untrusted = Device(host, "untrusted", backend=DmaIommu(host, RecordingDomain()), untrusted=True)
    assert dma_max_mapping_size(untrusted) == 262144
    assert dma_max_mapping_size(machine.device) == dma_max_mapping_size(direct(64)) == (1 << 64) - 1


def test_v60_a_range_map_moves_memory_but_not_resources() -> None:
    device = direct(64, range_map=[DmaRange(0x80000000, 0, 0x40000000)], debug=DebugMode.LOG)
    assert dma_map_phys(device, 0x80001000, 16, DMA_TO_DEVICE) == 0x1000
    assert dma_map_phys(device, 0x40000000, 16, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert dma_map_resource(device, 0xF0000000, 16, DMA_TO_DEVICE) == 0xF0000000
    assert device.host.debug.counts[DebugClass.RESOURCE_BUS_OFFSET] == 1


def test_v61_a_resource_is_never_ram() -> None:
    device = direct()
    with pytest.raises(DmaDebugError) as caught:
        dma_map_resource(device, 0x5000, 4096, DMA_TO_DEVICE)
    assert caught.value.error_class is DebugClass.RESOURCE_IS_RAM
    device.host.debug.mode = DebugMode.LOG
    assert dma_map_resource(device, 0x5000, 4096, DMA_TO_DEVICE) == DMA_MAPPING_ERROR


def test_v62_address_0_is_a_success() -> None:
    device = direct()
    assert dma_mapping_error(device, 0) == 0
    assert dma_mapping_error(device, (1 << 64) - 1) == -12


def test_resources_through_both_back_ends() -> None:
    device = direct(32)
    dma = dma_map_resource(device, 0xF0000000, 4096, DMA_TO_DEVICE)
    assert dma_mapping_error(device, dma) == 0
    dma_unmap_resource(device, dma, 4096, DMA_TO_DEVICE)
    machine = behind_iommu()
    dma = dma_map_resource(machine.device, 0xF0000010, 16, DMA_TO_DEVICE)
    assert dma_mapping_error(machine.device, dma) == 0
    assert machine.log() == [("M", 0xFFFFF000, 0xF0000000, 4096, 17)]
    dma_unmap_resource(machine.device, dma, 16, DMA_TO_DEVICE)
    assert machine.domain.mapped_bytes == 0


def test_the_coherent_mask_follows_only_a_streaming_success() -> None:
    device = Device(Host(ram=FOUR_GIB), "dut")
    assert dma_set_mask_and_coherent(device, DMA_BIT_MASK(20)) == -5
    assert device.coherent_dma_mask == DMA_BIT_MASK(32)
    assert dma_set_mask_and_coherent(device, DMA_BIT_MASK(40)) == 0
    assert device.coherent_dma_mask == DMA_BIT_MASK(40)
    assert dma_set_coherent_mask(device, DMA_BIT_MASK(20)) == -5
    assert dma_set_coherent_mask(device, DMA_BIT_MASK(36)) == 0
    assert (device.dma_mask, device.coherent_dma_mask) == (DMA_BIT_MASK(40), DMA_BIT_MASK(36))


def test_without_mask_storage_only_coercion_helps() -> None:
    device = Device(Host(), "platform", dma_mask=None)
    assert dma_set_mask(device, DMA_BIT_MASK(32)) == -5
    assert dma_get_mask(device) == DMA_BIT_MASK(32)
    with pytest.raises(DmaDebugError) as caught:
        dma_map_phys(device, 0x80000000, 16, DMA_TO_DEVICE)
    assert caught.value.error_class is DebugClass.NO_MASK_STORAGE
    assert dma_coerce_mask_and_coherent(device, DMA_BIT_MASK(36)) == 0
    assert dma_set_coherent_mask(device, DMA_BIT_MASK(33)) == 0
    assert dma_get_mask(device) == DMA_BIT_MASK(33), "the two masks are one now"


@pytest.mark.parametrize("failed", [False, True])
def test_mapping_after_a_missing_or_failed_mask_is_reported(failed: bool) -> None:
    device = Device(Host(ram=FOUR_GIB), "dut")
    if failed:
        dma_set_mask(device, DMA_BIT_MASK(8))
    with pytest.raises(DmaDebugError, match="failed" if failed else "before") as caught:
        dma_map_phys(device, 0x5000, 16, DMA_TO_DEVICE)
    assert caught.value.error_class is DebugClass.MAP_WITHOUT_MASK


def test_segment_limits_and_their_defaults() -> None:
    device = direct()
    assert (dma_get_max_seg_size(device), dma_get_seg_boundary(device)) == (65536, (1 << 64) - 1)
    assert dma_get_seg_boundary_nr_pages(None, 12) == 1 << 20
    dma_set_max_seg_size(device, 1 << 20)
    dma_set_seg_boundary(device, 0xFFFFFF)
    assert (dma_get_max_seg_size(device), dma_get_seg_boundary(device)) == (1 << 20, 0xFFFFFF)
    assert dma_get_seg_boundary_nr_pages(device, 12) == 4096
    bare = direct(has_parameters=False, debug=DebugMode.LOG)
    dma_set_max_seg_size(bare, 1 << 20)
    assert dma_get_max_seg_size(bare) == 65536
    assert bare.host.debug.counts[DebugClass.NO_MASK_STORAGE] == 1


def test_need_sync_and_unmap() -> None:
    host = Host(debug=DebugMode.OFF, dma_minalign=128)
    device = Device(host, "coherent")
    assert not dma_need_sync(device, 0x8000_0000)
    assert dma_need_unmap(device)
    dma_set_mask(device, DMA_BIT_MASK(64))
    assert not dma_need_sync(device, 0)
    assert not dma_need_unmap(device)
    assert dma_need_sync(Device(host, "noncoherent", coherent=False), 0x8000_0000)
    assert dma_need_sync(behind_iommu().device, 0x1000)
    assert dma_get_cache_alignment(device) == 128


def test_a_device_that_cannot_do_dma() -> None:
    device = Device(Host(debug=DebugMode.LOG), "dummy", backend=DummyBackend())
    assert dma_set_mask(device, DMA_BIT_MASK(64)) == -5
    assert dma_map_phys(device, 0x80000000, 16, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert not dma_pci_p2pdma_supported(device)
    assert dma_get_required_mask(device) == DMA_BIT_MASK(32)
    assert dma_map_resource(device, 0xF0000000, 16, DMA_TO_DEVICE) == DMA_MAPPING_ERROR


@pytest.mark.parametrize("bits", [0, 65, -1])
def test_a_bit_mask_has_1_to_64_bits(bits: int) -> None:
    with pytest.raises(ValueError, match="1 to 64"):
        DMA_BIT_MASK(bits)


def test_a_mask_wider_than_64_bits_is_refused_and_changes_nothing() -> None:
    device = direct()
    with pytest.raises(ValueError, match="64-bit"):
        dma_set_mask(device, 1 << 64)
    assert dma_get_mask(device) == DMA_BIT_MASK(32)
