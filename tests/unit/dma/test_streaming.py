"""Corners of streaming mappings: pages, attributes, sizes, wrong states."""

from __future__ import annotations

import pytest
from sluicegate.dma import (
    DMA_FROM_DEVICE,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    DebugMode,
    Device,
    DmaAttrs,
    DmaDebug,
    Host,
    Page,
    PhysicalAddress,
    dma_map_page,
    dma_map_phys,
    dma_map_resource,
    dma_map_sgtable,
    dma_sync_single_for_cpu,
    dma_unmap_page,
    dma_unmap_phys,
    dma_unmap_resource,
)
from sluicegate.p2pdma.map_type import P2pdmaMapType

from tests.unit.dma.machine import LOW_RAM, FixedProvider, behind_iommu, direct, reports, table


def test_pages() -> None:
    device = direct(64)
    page = device.host.alloc_page()
    assert dma_map_page(device, page, 0, 64, DMA_TO_DEVICE, DmaAttrs.MMIO) == DMA_MAPPING_ERROR
    with pytest.raises(ValueError, match="offset is -1"):
        dma_map_page(device, page, -1, 64, DMA_TO_DEVICE)
    peer = Page(PhysicalAddress(1 << 40), provider=FixedProvider(P2pdmaMapType.BUS_ADDR))
    device.debug_mode = DebugMode.OFF
    assert dma_map_page(device, peer, 0, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    dma_unmap_page(device, 0x5000, 64, DMA_TO_DEVICE, DmaAttrs.MMIO)
    device.assert_clean()


def test_attributes_that_cannot_be_met() -> None:
    assert dma_map_phys(direct(64, coherent=False), 0x5000, 64, DMA_TO_DEVICE, DmaAttrs.REQUIRE_COHERENT) == DMA_MAPPING_ERROR
    machine = behind_iommu(coherent=False)
    assert dma_map_phys(machine.device, 0x5000, 64, DMA_TO_DEVICE, DmaAttrs.CC_SHARED) == DMA_MAPPING_ERROR
    assert dma_map_sgtable(machine.device, table((0x5000, 64)), DMA_TO_DEVICE, DmaAttrs.REQUIRE_COHERENT) == -95


def test_without_checks_nothing_is_asked_and_the_error_value_frees_nothing() -> None:
    machine = behind_iommu(debug=DebugMode.OFF)
    dma = dma_map_phys(machine.device, 0x5000, 64, DMA_TO_DEVICE)
    assert "an unknown place" in repr(machine.device.mappings()[0])
    dma_unmap_phys(machine.device, int(DMA_MAPPING_ERROR), 64, DMA_TO_DEVICE)
    dma_unmap_resource(machine.device, int(DMA_MAPPING_ERROR), 64, DMA_TO_DEVICE)
    dma_unmap_phys(machine.device, dma, 64, DMA_FROM_DEVICE)
    machine.host.assert_clean()


def test_a_mask_is_required_only_on_request() -> None:
    host = Host(ram=LOW_RAM, debug=DmaDebug(require_mask=False))
    assert dma_map_phys(Device(host, "dut"), 0x5000, 64, DMA_TO_DEVICE) == 0x5000


def test_a_zero_size_in_log_mode_is_an_error_value() -> None:
    machine = behind_iommu(debug=DebugMode.LOG)
    assert dma_map_phys(machine.device, 0x5000, 0, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert dma_map_resource(machine.device, 0xF000_0000, 0, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    dma_sync_single_for_cpu(machine.device, 0x5000, 0, DMA_TO_DEVICE)
    assert reports(machine.device) == ["M2"] * 3
    bare = Device(machine.host, "bare", dma_mask=None)
    assert dma_map_phys(bare, 0x5000, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert dma_map_sgtable(bare, table((0x5000, 64)), DMA_TO_DEVICE) == -5


def test_resources_fail_like_everything_else() -> None:
    machine = behind_iommu(24)
    assert dma_map_resource(machine.device, 0xF000_0000, 1 << 25, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    machine = behind_iommu(debug=DebugMode.LOG)
    dma_unmap_resource(machine.device, 0x5000, 64, DMA_TO_DEVICE)
    assert reports(machine.device) == ["D2", "M10"]
