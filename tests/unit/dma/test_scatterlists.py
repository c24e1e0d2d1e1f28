"""Scatterlists: entries and counts, unknown lists, shared lines, peer paths."""

from __future__ import annotations

import pytest
from sluicegate.dma import (
    DMA_FROM_DEVICE,
    DMA_TO_DEVICE,
    DebugMode,
    Device,
    DummyBackend,
    Host,
    Page,
    PhysicalAddress,
    Scatterlist,
    SgEntry,
    dma_map_phys,
    dma_map_sg,
    dma_map_sgtable,
    dma_sync_sg_for_cpu,
    dma_sync_sg_for_device,
    dma_unmap_sg,
    dma_unmap_sgtable,
)
from sluicegate.dma.device_access import check_peer_route
from sluicegate.p2pdma.map_type import P2pdmaMapType

from tests.unit.dma.machine import LOW_RAM, FixedProvider, behind_iommu, direct, reports, table


def test_entries_and_counts() -> None:
    device = direct(64)
    with pytest.raises(ValueError, match="at least one byte"):
        SgEntry(Page(PhysicalAddress(0)), 0, 0)
    sgl = table((0x5000, 64)).sgl
    for call in (dma_map_sg, dma_unmap_sg, dma_sync_sg_for_cpu, dma_sync_sg_for_device):
        with pytest.raises(ValueError, match="2 entries of a scatterlist of 1"):
            call(device, sgl, 2, DMA_TO_DEVICE)


def test_pages_that_follow_each_other_share_an_entry() -> None:
    pages = [Page(PhysicalAddress(at)) for at in (0x5000, 0x6000, 0x9000, 0xA000)]
    sgl = Scatterlist.from_pages(pages, 0x800, 0x3000)
    assert [(entry.phys, entry.length) for entry in sgl] == [(0x5800, 0x1800), (0x9000, 0x1800)]
    short = Scatterlist.from_pages(pages, 0, 0x2000, max_segment=4096)
    assert [entry.length for entry in short] == [4096, 4096]
    with pytest.raises(ValueError, match="end 4096 bytes before"):
        Scatterlist.from_pages(pages, 0, 0x5000)
    assert "0x5800+0x1800" in repr(sgl[0])


def test_a_back_end_with_a_foreign_error_code() -> None:
    class Odd(DummyBackend):
        def map_sg(self, *_: object) -> int:
            return -17

    device = Device(Host(ram=LOW_RAM, debug=DebugMode.LOG), "odd", backend=Odd())
    device.host.debug.require_mask = False
    assert dma_map_sgtable(device, table((0x5000, 64)), DMA_TO_DEVICE) == -5
    assert reports(device) == ["M17"]


def test_unmap_and_sync_of_a_list_that_is_not_mapped() -> None:
    device = direct(64, debug=DebugMode.LOG)
    sgt = table((0x5000, 64), (0x7000, 64))
    dma_unmap_sgtable(device, sgt, DMA_TO_DEVICE)
    dma_sync_sg_for_cpu(device, sgt.sgl, 2, DMA_TO_DEVICE)
    assert reports(device) == ["D1"]
    assert dma_map_sgtable(device, sgt, DMA_TO_DEVICE) == 0
    device.remove_mapping(device.mappings()[1])
    dma_unmap_sgtable(device, sgt, DMA_TO_DEVICE)
    assert reports(device) == ["D1", "D2"]


def test_cache_lines_of_lists_are_tracked() -> None:
    host = Host(ram=LOW_RAM, dma_minalign=64, debug=DebugMode.LOG)
    device = direct(64, host=host)
    sgt = table((0x5000, 64))
    for _ in range(2):
        assert dma_map_sgtable(device, sgt, DMA_FROM_DEVICE) == 0
    assert reports(device) == ["D21"]
    dma_unmap_sgtable(device, sgt, DMA_FROM_DEVICE)
    dma_unmap_sgtable(device, sgt, DMA_FROM_DEVICE)
    assert dma_map_sgtable(device, sgt, DMA_FROM_DEVICE) == 0
    assert reports(device) == ["D21"]


def test_a_peer_address_on_the_wrong_path_is_reported() -> None:
    machine = behind_iommu(debug=DebugMode.LOG)
    sgt = table((1 << 40, 4096, FixedProvider(P2pdmaMapType.BUS_ADDR)), (0x5000, 4096))
    assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == 0
    bus, iova = (int(address) for address, _ in sgt.segments())
    check_peer_route(machine.device, bus, 64, routed_directly=True)
    check_peer_route(machine.device, iova, 64, routed_directly=False)
    assert reports(machine.device) == []
    check_peer_route(machine.device, bus, 64, routed_directly=False)
    check_peer_route(machine.device, iova, 64, routed_directly=True)
    assert reports(machine.device) == ["H6", "H6"]
    dma = dma_map_phys(machine.device, 0x9000, 64, DMA_TO_DEVICE)
    check_peer_route(machine.device, int(dma), 64, routed_directly=True)
    assert reports(machine.device) == ["H6", "H6"]
