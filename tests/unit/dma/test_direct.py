"""Corners of the direct back end: range maps, forced bouncing, reach."""

from __future__ import annotations

import pytest
from sluicegate.dma import (
    DMA_BIDIRECTIONAL,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    DebugMode,
    DeviceFault,
    DmaAttrs,
    DmaRange,
    Host,
    Page,
    PhysicalAddress,
    Swiotlb,
    device_read,
    dma_addressing_limited,
    dma_map_phys,
    dma_map_resource,
    dma_map_sgtable,
    dma_map_single,
    dma_sync_single_for_cpu,
    dma_sync_single_for_device,
    dma_unmap_phys,
)
from sluicegate.p2pdma.map_type import P2pdmaMapType

from tests.unit.dma.machine import LOW_RAM, FixedProvider, direct, reports, table


def test_a_range_map_both_ways() -> None:
    device = direct(64, range_map=[DmaRange(0x1000_0000, 0, 0x1000_0000)])
    buffer = device.host.buffer(Page(PhysicalAddress(0x1000_2000)), 0, 64)
    buffer.write(b"r" * 64)
    dma = dma_map_single(device, buffer, 64, DMA_BIDIRECTIONAL)
    assert dma == 0x2000
    assert device_read(device, dma, 64) == b"r" * 64
    device.debug_mode = DebugMode.OFF
    with pytest.raises(DeviceFault, match="no translation"):
        device_read(device, 0x5000_0000, 4)
    assert dma_addressing_limited(device), "RAM outside the map"


def test_forced_bouncing() -> None:
    device = direct(64, force_bounce=True, debug=DebugMode.LOG)
    assert dma_map_phys(device, 0x5000, 64, DMA_TO_DEVICE, DmaAttrs.MMIO) == DMA_MAPPING_ERROR
    assert dma_map_phys(device, 0x5000, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert reports(device) == ["M6"], "there is no swiotlb"


def test_a_bounce_buffer_that_is_out_of_reach_itself() -> None:
    host = Host(ram=LOW_RAM)
    pool = Swiotlb(host)
    device = direct(24, host=host)
    assert dma_map_phys(device, 0x5000_0000, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert pool.used_slots == 0
    assert reports(device) == ["M6"]


def test_peers_and_resources_above_the_mask() -> None:
    device = direct(32)
    sgt = table((1 << 40, 4096, FixedProvider(P2pdmaMapType.THRU_HOST_BRIDGE)))
    assert dma_map_sgtable(device, sgt, DMA_TO_DEVICE) == -5
    assert dma_map_resource(device, 1 << 40, 4096, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert reports(device) == ["M6", "M6"]


def test_sync_and_unmap_of_an_address_outside_the_range_map() -> None:
    device = direct(64, range_map=[DmaRange(0x1000, 0x8000_0000, 0x7FFF_F000)], debug=DebugMode.LOG)
    dma = dma_map_resource(device, 0xF000_0000_0000, 64, DMA_BIDIRECTIONAL)
    dma_sync_single_for_cpu(device, dma, 64, DMA_BIDIRECTIONAL)
    dma_sync_single_for_device(device, dma, 64, DMA_BIDIRECTIONAL)
    dma_unmap_phys(device, 0xF000_0000_1000, 64, DMA_TO_DEVICE)
    assert reports(device) == ["M4", "D2"]


def test_a_sync_past_a_bounce_slot_is_cut() -> None:
    host = Host(ram=LOW_RAM, debug=DebugMode.LOG)
    pool = Swiotlb(host)
    device = direct(64, host=host, force_bounce=True)
    dma = dma_map_phys(device, 0x5000, 64, DMA_BIDIRECTIONAL)
    pool.sync_for_cpu(device, int(dma) + 60, 64)
    assert reports(device) == ["M16"]
    with pytest.raises(KeyError, match="no live bounce buffer"):
        pool.sync_for_cpu(device, int(dma) + 64, 1)


def test_bounce_slots_keep_alignment_and_boundaries() -> None:
    host = Host(ram=LOW_RAM)
    Swiotlb(host, 1 << 19)
    device = direct(64, host=host, force_bounce=True, seg_boundary_mask=0xFFFF, min_align_mask=0x3FFF)
    for phys in (0x5000, 0x7456, 0x1_3000):
        dma = dma_map_phys(device, phys, 20000, DMA_TO_DEVICE)
        assert dma != DMA_MAPPING_ERROR
        assert int(dma) & 0x3FFF & ~0xFFF == phys & 0x3FFF & ~0xFFF
        assert int(dma) // 65536 == (int(dma) + 19999) // 65536
