"""Vectors 28 to 40: scatterlists through dma-iommu and direct."""

import pytest
from sluicegate.dma import (
    DMA_FROM_DEVICE,
    DMA_TO_DEVICE,
    DebugClass,
    DmaDebugError,
    SgTable,
    dma_map_sg,
    dma_map_sgtable,
    dma_unmap_sg,
    dma_unmap_sgtable,
)
from sluicegate.p2pdma.map_type import P2pdmaMapType

from tests.unit.dma.machine import FixedProvider, Machine, behind_iommu, direct, segments, table

ERR = (1 << 64) - 1
PAGES = (0x1000, 4096), (0x2000, 4096), (0x100000, 4096)


def joining(**limits: int) -> Machine:
    return behind_iommu(**({"max_seg_size": 65536, "seg_boundary_mask": 0xFFFFFFFF} | limits))  # type: ignore[arg-type]


def mapped(machine: Machine, sgt: SgTable) -> list[tuple[int, int]]:
    assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == 0
    return segments(sgt)


def test_v28_three_pages_become_one_segment_of_two_runs() -> None:
    machine = joining()
    assert mapped(machine, table(*PAGES)) == [(0xFFFFC000, 12288)]
    assert machine.log() == [("M", 0xFFFFC000, 0x1000, 8192, 5), ("M", 0xFFFFE000, 0x100000, 4096, 5)]


def test_v29_a_first_offset_is_kept() -> None:
    assert mapped(joining(), table((0x1200, 3584), (0x10000, 4096))) == [(0xFFFFE200, 7680)]


def test_v30_nothing_joins_after_a_gap() -> None:
    assert mapped(joining(), table((0x1000, 1000), (0x10000, 4096))) == [(0xFFFFE000, 1000), (0xFFFFF000, 4096)]


def test_v31_the_segment_limit_splits() -> None:
    machine = joining(max_seg_size=8192)
    got = mapped(machine, table((0x1000, 4096), (0x20000, 4096), (0x100000, 4096)))
    assert [length for _, length in got] == [8192, 4096]


def test_v32_padding_up_to_the_boundary() -> None:
    machine = joining(seg_boundary_mask=0xFFFF)
    sgt = table((0x100000, 40960), (0x200000, 40960), (0x300000, 4096))
    assert mapped(machine, sgt) == [(0xFFFE0000, 40960), (0xFFFF0000, 45056)]
    assert machine.log()[0] == ("M", 0xFFFE0000, 0x100000, 65536, 5)
    dma_unmap_sgtable(machine.device, sgt, DMA_TO_DEVICE)
    assert machine.log() == [("U", 0xFFFE0000, 110592, 110592)]


def test_v33_a_bus_address_between_ram_is_not_in_the_block() -> None:
    machine = joining()
    peer = FixedProvider(P2pdmaMapType.BUS_ADDR, 1 << 36)
    sgt = table((0x1000, 4096), (1 << 42, 4096, peer), (0x5000, 4096))
    assert mapped(machine, sgt) == [(0xFFFFE000, 4096), ((1 << 42) + (1 << 36), 4096), (0xFFFFF000, 4096)]
    assert [entry.is_bus_address for entry in sgt.sgl] == [False, True, False]
    assert machine.domain.mapped_bytes == 8192
    machine.log()
    dma_unmap_sgtable(machine.device, sgt, DMA_TO_DEVICE)
    assert machine.log() == [("U", 0xFFFFE000, 8192, 8192)]


def test_v34_an_unreachable_peer_fails_the_whole_list() -> None:
    machine = joining()
    peer = FixedProvider(P2pdmaMapType.NOT_SUPPORTED)
    sgt = table((0x1234, 100), (1 << 42, 4096, peer))
    assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == -121
    assert dma_map_sg(machine.device, sgt.sgl, 2, DMA_TO_DEVICE) == 0
    assert [(entry.dma_address, entry.dma_length) for entry in sgt.sgl] == [(ERR, 0)] * 2
    assert (sgt.sgl[0].offset, sgt.sgl[0].length) == (0x234, 100)
    machine.device.assert_clean()


def test_v35_only_bus_addresses_never_touch_the_iommu() -> None:
    machine = joining()
    peer = FixedProvider(P2pdmaMapType.BUS_ADDR)
    sgt = table((1 << 42, 4096, peer), ((1 << 42) + 4096, 4096, peer))
    assert dma_map_sg(machine.device, sgt.sgl, 2, DMA_TO_DEVICE) == 2
    dma_unmap_sg(machine.device, sgt.sgl, 2, DMA_TO_DEVICE)
    assert machine.log() == []


def test_v36_an_iommu_failure_is_enomem_and_restores_the_list() -> None:
    machine = joining()
    machine.domain.fail_map_at = 1
    sgt = table(*PAGES)
    assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == -12
    assert [(entry.dma_address, entry.dma_length) for entry in sgt.sgl] == [(ERR, 0)] * 3
    assert len(machine.iommu.tree) == 0
    assert machine.domain.mapped_bytes == 0


def test_v37_a_peer_through_the_host_bridge_is_mapped_like_memory() -> None:
    machine = joining()
    sgt = table((1 << 40, 4096, FixedProvider(P2pdmaMapType.THRU_HOST_BRIDGE, 1 << 36)))
    assert dma_map_sgtable(machine.device, sgt, DMA_FROM_DEVICE) == 0
    assert segments(sgt) == [(0xFFFFF000, 4096)]
    assert machine.log() == [("M", 0xFFFFF000, 1 << 40, 4096, 6)]


def test_v38_direct_never_joins() -> None:
    device = direct()
    sgt = table((0x1000, 4096), (0x2000, 4096), (0x3000, 4096))
    assert dma_map_sg(device, sgt.sgl, 3, DMA_TO_DEVICE) == 3
    assert [entry.dma_address for entry in sgt.sgl] == [0x1000, 0x2000, 0x3000]


def test_v39_direct_undoes_the_first_entry_when_the_second_is_out_of_reach() -> None:
    device = direct()
    device.debug_mode = None
    device.host.debug.mode = type(device.host.debug.mode).LOG
    sgt = table((0x1000, 4096), (1 << 33, 4096))
    assert dma_map_sg(device, sgt.sgl, 2, DMA_TO_DEVICE) == 0
    assert dma_map_sgtable(device, sgt, DMA_TO_DEVICE) == -5
    assert sgt.sgl[0].dma_address == ERR
    device.assert_clean()


def test_v40_unmap_takes_the_count_of_entries_not_of_segments() -> None:
    machine = joining()
    sgt = table(*PAGES)
    count = dma_map_sg(machine.device, sgt.sgl, 3, DMA_TO_DEVICE)
    assert count == 1
    with pytest.raises(DmaDebugError) as caught:
        dma_unmap_sg(machine.device, sgt.sgl, count, DMA_TO_DEVICE)
    assert caught.value.error_class is DebugClass.SG_FREE_DIFFERENT_COUNT
    dma_unmap_sg(machine.device, sgt.sgl, 3, DMA_TO_DEVICE)
    machine.host.assert_clean()


def test_direct_peers_by_bus_address_and_through_the_host_bridge() -> None:
    device = direct(64)
    bus = FixedProvider(P2pdmaMapType.BUS_ADDR, 0x1000_0000)
    through = FixedProvider(P2pdmaMapType.THRU_HOST_BRIDGE, 0x1000_0000)
    sgt = table((1 << 40, 4096, bus), (1 << 41, 8192, through))
    assert dma_map_sgtable(device, sgt, DMA_TO_DEVICE) == 0
    assert segments(sgt) == [((1 << 40) + 0x1000_0000, 4096), (1 << 41, 8192)]
    dma_unmap_sgtable(device, sgt, DMA_TO_DEVICE)
    refused = table((0x1000, 4096), (1 << 40, 4096, FixedProvider(P2pdmaMapType.NOT_SUPPORTED)))
    assert dma_map_sgtable(device, refused, DMA_TO_DEVICE) == -121
    device.assert_clean()
