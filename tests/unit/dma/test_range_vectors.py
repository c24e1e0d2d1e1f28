"""Vectors 20 and 22 to 27: one range through dma-iommu."""

import pytest
from sluicegate.dma import (
    DMA_BIDIRECTIONAL,
    DMA_BIT_MASK,
    DMA_FROM_DEVICE,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    DebugClass,
    DebugMode,
    DmaAttrs,
    DmaDebugError,
    dma_map_phys,
    dma_mapping_error,
    dma_set_mask,
    dma_unmap_phys,
)

from tests.unit.dma.machine import behind_iommu


def test_v20_below_4_gib_first_until_that_failed_once() -> None:
    machine = behind_iommu(64, prefer_32bit=True, iommu={"rcache": False})
    low = dma_map_phys(machine.device, 0x5000, 4096, DMA_TO_DEVICE)
    assert low == 0xFFFFF000
    machine.iommu.tree.reserve(1, 0xFFFFE)
    assert dma_map_phys(machine.device, 0x6000, 4096, DMA_TO_DEVICE) == 0xFFFF_FFFF_FFFF_F000
    dma_mapping_error(machine.device, low)
    dma_unmap_phys(machine.device, low, 4096, DMA_TO_DEVICE)
    assert dma_map_phys(machine.device, 0x7000, 4096, DMA_TO_DEVICE) == 0xFFFF_FFFF_FFFF_E000


def test_v22_v23_the_address_keeps_its_offset_and_mmio_is_not_cached() -> None:
    machine = behind_iommu(48, prefer_32bit=True)
    assert dma_map_phys(machine.device, 0x12345, 10, DMA_FROM_DEVICE) == 0xFFFFF345
    assert machine.log() == [("M", 0xFFFFF000, 0x12000, 4096, 6)]
    assert dma_map_phys(machine.device, 0x12345, 10, DMA_TO_DEVICE, DmaAttrs.MMIO) == 0xFFFFE345
    assert machine.log() == [("M", 0xFFFFE000, 0x12000, 4096, 17)]


def test_v24_without_the_preference_the_whole_mask_is_used() -> None:
    machine = behind_iommu(48)
    assert dma_map_phys(machine.device, 0x12345, 10, DMA_BIDIRECTIONAL) == 0xFFFFFFFFF345
    assert machine.log() == [("M", 0xFFFFFFFFF000, 0x12000, 4096, 7)]


def test_v25_a_failed_map_gives_the_iova_back() -> None:
    machine = behind_iommu(48)
    machine.domain.fail_map_at = 0
    assert dma_map_phys(machine.device, 0x12345, 10, DMA_BIDIRECTIONAL) == DMA_MAPPING_ERROR
    assert len(machine.iommu.tree) == 0
    assert dma_map_phys(machine.device, 0x12345, 10, DMA_BIDIRECTIONAL) == 0xFFFFFFFFF345


def test_v26_exhaustion_and_a_minimum_alignment_above_the_granule() -> None:
    machine = behind_iommu(24)
    assert dma_map_phys(machine.device, 0, 4097 * 4096, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    machine = behind_iommu(debug=DebugMode.LOG, min_align_mask=0x1FFF)
    assert dma_map_phys(machine.device, 0x5000, 4096, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert machine.host.debug.counts[DebugClass.MIN_ALIGN_UNSUPPORTED] == 1


def test_v27_unmap_of_what_was_never_mapped_frees_nothing() -> None:
    machine = behind_iommu(debug=DebugMode.LOG)
    dma_map_phys(machine.device, 0x5000, 4096, DMA_TO_DEVICE)
    before = machine.iommu.tree.state()
    dma_unmap_phys(machine.device, 0x1234000, 4096, DMA_TO_DEVICE)
    counts = machine.host.debug.counts
    assert (counts[DebugClass.FREE_NOT_ALLOCATED], counts[DebugClass.UNMAP_UNTRANSLATED]) == (1, 1)
    assert machine.iommu.tree.state() == before


def test_the_strict_report_names_device_call_site_and_rule_and_changes_nothing() -> None:
    machine = behind_iommu()
    dma = dma_map_phys(machine.device, 0x5000, 4096, DMA_TO_DEVICE)
    dma_mapping_error(machine.device, dma)
    with pytest.raises(DmaDebugError, match=r"dut: .*test_range_vectors\.py:\d+ in test_the_strict.*D3: unmap with the size"):
        dma_unmap_phys(machine.device, dma, 4095, DMA_TO_DEVICE)
    assert len(machine.device.mappings()) == 1
    assert machine.domain.mapped_bytes == 4096


def test_a_tiny_mask_is_accepted_and_shows_as_exhaustion() -> None:
    machine = behind_iommu()
    assert dma_set_mask(machine.device, DMA_BIT_MASK(1)) == 0
    assert dma_map_phys(machine.device, 0x5000, 4096, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
