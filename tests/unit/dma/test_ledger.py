"""The ledger and what hangs from it: overlaps, ownership in pieces, observers, managed memory."""

from __future__ import annotations

import pytest
from sluicegate.dma import (
    DMA_BIDIRECTIONAL,
    DMA_BIT_MASK,
    DMA_FROM_DEVICE,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    DebugMode,
    DmaAttrs,
    DmaRange,
    Host,
    Mapping,
    checked,
    device_write,
    dma_alloc_noncontiguous,
    dma_coerce_mask_and_coherent,
    dma_free_noncontiguous,
    dma_map_phys,
    dma_map_sgtable,
    dma_mapping_error,
    dma_sync_single_for_cpu,
    dma_sync_single_for_device,
    dma_unmap_phys,
    dma_unmap_sgtable,
    dma_vmap_noncontiguous,
    dmam_alloc_coherent,
    dmam_free_coherent,
    transfer_in_flight,
)
from sluicegate.dma.cpu_cache import CpuCache
from sluicegate.memory import SparseMemory
from sluicegate.p2pdma.map_type import P2pdmaMapType

from tests.unit.dma.machine import LOW_RAM, FixedProvider, behind_iommu, direct, reports, table


def test_syncs_of_what_the_range_map_does_not_hold() -> None:
    device = direct(64, range_map=[DmaRange(0x1000, 0x8000_0000, 0x7FFF_F000)])
    device.backend.sync_for_cpu(device, 0x5000, 64, DMA_BIDIRECTIONAL)
    device.backend.sync_for_device(device, 0x5000, 64, DMA_BIDIRECTIONAL)
    device.backend.unmap_phys(device, 0x5000, 64, DMA_BIDIRECTIONAL, 0)


def test_neighbouring_pages_share_a_translation() -> None:
    machine = behind_iommu()
    dma = machine.iommu.map_pages(machine.device, [(0x5000, 4096), (0x6000, 4096), (0x9000, 4096)], 12288, 0)
    assert machine.log() == [("M", dma, 0x5000, 8192, 7), ("M", dma + 8192, 0x9000, 4096, 7)]


def test_managed_memory_freed_with_the_right_arguments_is_not_reported() -> None:
    device = direct(64)
    block = dmam_alloc_coherent(device, 4096)
    assert block is not None
    dmam_free_coherent(device, 4096, *block)
    assert device.detach_driver() == 0
    assert device.host.debug.error_count == 0


def test_a_line_tracked_before_debugging_went_off_is_forgotten_with_its_mapping() -> None:
    host = Host(ram=LOW_RAM, dma_minalign=64, debug=DebugMode.LOG)
    device = direct(64, host=host)
    for phys in (0x5000, 0x6000):
        dma_map_phys(device, phys, 64, DMA_FROM_DEVICE)
    for phys in (0x5000, 0x6000):
        dma_unmap_phys(device, phys, 64, DMA_FROM_DEVICE)
    dma_map_phys(device, 0x5000, 64, DMA_FROM_DEVICE)
    assert "D21" not in reports(device)


def test_overlapping_direct_mappings_are_told_apart() -> None:
    device = direct(64)
    for phys, size in ((0x5000, 8192), (0x6000, 64), (0x6040, 64), (0x5000, 64)):
        dma_mapping_error(device, dma_map_phys(device, phys, size, DMA_BIDIRECTIONAL))
    assert [mapping.size for mapping in device.ledger.containing(0x6010, 16)] == [64, 8192]
    assert [mapping.size for mapping in device.ledger.at(0x5000)] == [8192, 64]
    assert device.ledger.containing(0x9000, 1) == []
    dma_unmap_phys(device, 0x5000, 64, DMA_BIDIRECTIONAL)
    dma_unmap_phys(device, 0x5000, 8192, DMA_BIDIRECTIONAL)
    assert [mapping.size for mapping in device.ledger.overlapping(0x5000, 0x2000)] == [64, 64]


def test_ownership_comes_and_goes_in_pieces() -> None:
    device = direct(64)
    dma = dma_map_phys(device, 0x5000, 256, DMA_BIDIRECTIONAL)
    (mapping,) = device.mappings()
    for start, size in ((0, 64), (128, 64), (32, 16), (64, 64)):
        dma_sync_single_for_cpu(device, dma + start, size, DMA_BIDIRECTIONAL)
    assert list(mapping.cpu_owned) == [(0x5000, 0x50C0)]
    dma_sync_single_for_device(device, dma + 32, 32, DMA_BIDIRECTIONAL)
    assert list(mapping.cpu_owned) == [(0x5000, 0x5020), (0x5040, 0x50C0)]
    mapping.give_to_cpu(0x5000, 0x5000)
    dma_sync_single_for_device(device, dma, 256, DMA_BIDIRECTIONAL)
    assert list(mapping.cpu_owned) == []
    mapping.give_to_cpu(0x5000, 0x5000)
    assert list(mapping.cpu_owned) == []


def test_a_platform_device_may_get_its_mask_storage_twice() -> None:
    device = direct(64)
    assert dma_coerce_mask_and_coherent(device, DMA_BIT_MASK(40)) == 0
    assert (device.dma_mask, device.coherent_dma_mask) == (DMA_BIT_MASK(40), DMA_BIT_MASK(40))


def test_transfers_elsewhere_do_not_hinder_an_unmap() -> None:
    device = direct(64)
    dma = dma_map_phys(device, 0x5000, 64, DMA_TO_DEVICE)
    dma_mapping_error(device, dma)
    with transfer_in_flight(device, 0x9000, 64):
        dma_unmap_phys(device, dma, 64, DMA_TO_DEVICE)
    device.debug_mode = DebugMode.LOG
    dma_map_phys(device, 0x5000, 64, DMA_TO_DEVICE)
    with transfer_in_flight(device, dma, 64):
        dma_unmap_phys(device, dma, 64, DMA_TO_DEVICE)
    assert reports(device) == ["D8", "H8"]


def test_views_over_several_pieces() -> None:
    machine = behind_iommu(host=Host(ram=LOW_RAM, cpu_cache=True, dma_minalign=64), coherent=False)
    table = dma_alloc_noncontiguous(machine.device, 12288, DMA_FROM_DEVICE, attrs=DmaAttrs.ALLOC_SINGLE_PAGES)
    assert table is not None
    address = table.sgl[0].dma_address
    device_write(machine.device, address, b"\x5a" * 12288)
    dma_sync_single_for_cpu(machine.device, address, 12288, DMA_FROM_DEVICE)
    assert dma_vmap_noncontiguous(machine.device, 4096, table).read() == b"\x5a" * 4096
    assert dma_vmap_noncontiguous(machine.device, 12288, table).read(4000, 200) == b"\x5a" * 200
    dma_free_noncontiguous(machine.device, 12288, table, DMA_FROM_DEVICE)


def test_huge_sizes() -> None:
    machine = behind_iommu()
    for size in (1 << 64, -1):
        with pytest.raises(ValueError, match="unsigned 64-bit"):
            dma_map_phys(machine.device, 0x5000, size, DMA_TO_DEVICE)
    assert dma_map_phys(machine.device, 0x5000, (1 << 64) - 1, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert len(machine.iommu.tree) == 0
    machine.host.assert_clean()


def test_observers_follow_the_ledger() -> None:
    class Follower:
        def __init__(self) -> None:
            self.seen: list[tuple[str, int]] = []

        def on_mapped(self, mapping: Mapping) -> None:
            self.seen.append(("mapped", mapping.dma))

        def on_unmapped(self, mapping: Mapping) -> None:
            self.seen.append(("unmapped", mapping.dma))

    device = direct(64)
    follower = Follower()
    device.ledger.observers.append(follower)
    dma_mapping_error(device, dma_map_phys(device, 0x5000, 64, DMA_TO_DEVICE))
    dma_unmap_phys(device, 0x5000, 64, DMA_TO_DEVICE)
    assert follower.seen == [("mapped", 0x5000), ("unmapped", 0x5000)]


def test_an_empty_cached_range() -> None:
    cache = CpuCache(SparseMemory())
    assert cache.read(0x1000, 0) == b""
    cache.write(0x1000, b"x")
    cache.sync_for_cpu(0x1000, 64, DMA_TO_DEVICE)
    assert cache.read(0x1000, 1) == b"x"
    assert bytes(cache.view(0x1000, 2)) == b"x\0"
    cache.snoop_read(0x1000, 64)
    assert cache.memory.read(0x1000, 1) == b"x"


def test_a_checked_address_passes() -> None:
    device = direct(64)
    assert checked(dma_map_phys(device, 0x5000, 64, DMA_TO_DEVICE)) == 0x5000


def test_one_peer_address_twice_in_a_list() -> None:
    machine = behind_iommu()
    peer = FixedProvider(P2pdmaMapType.BUS_ADDR)
    sgt = table(*[(1 << 40, 4096, peer)] * 3)
    assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == 0
    assert len(machine.device.mappings()) == 3
    dma_unmap_sgtable(machine.device, sgt, DMA_TO_DEVICE)
    machine.host.assert_clean()


def test_a_sync_finds_the_mapping_that_is_long_enough() -> None:
    device = direct(64)
    for size in (8192, 64):
        dma_map_phys(device, 0x5000, size, DMA_BIDIRECTIONAL)
    dma_map_phys(device, 0x6000, 64, DMA_BIDIRECTIONAL)
    dma_sync_single_for_cpu(device, 0x6000, 4096, DMA_BIDIRECTIONAL)
    assert [mapping.size for mapping in device.mappings() if mapping.cpu_owned] == [8192]
    for phys, size in ((0x6000, 64), (0x5000, 64)):
        dma_mapping_error(device, phys)
        dma_mapping_error(device, phys)
        dma_unmap_phys(device, phys, size, DMA_BIDIRECTIONAL)
    dma_sync_single_for_cpu(device, 0x6000, 16, DMA_BIDIRECTIONAL)
    assert device.ledger.containing(0x6000, 16)[0].size == 8192


def test_many_mappings_between_two_questions() -> None:
    device = direct(64)
    dma_mapping_error(device, dma_map_phys(device, 0x100_0000, 1 << 20, DMA_TO_DEVICE))
    assert device.ledger.containing(0x108_0000, 16)[0].size == 1 << 20
    for number in range(200):
        dma_mapping_error(device, dma_map_phys(device, 0x5000 + 64 * number, 64, DMA_TO_DEVICE))
    assert [mapping.dma for mapping in device.ledger.overlapping(0x503F, 2)] == [0x5040, 0x5000]
    assert device.ledger.containing(0x108_0000, 16)[0].size == 1 << 20


def test_a_part_of_a_joined_segment_is_found_in_its_piece() -> None:
    machine = behind_iommu(max_seg_size=65536)
    sgt = table((0x5000, 4096), (0x9000, 4096), (0x7000, 4096))
    assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == 0
    (mapping,) = machine.device.mappings()
    assert [(piece.phys, piece.length) for piece in mapping.locate(mapping.dma + 4000, 200)] == [(0x5FA0, 96), (0x9000, 104)]


def test_a_reader_of_a_written_cache_line_leaves_alone() -> None:
    host = Host(ram=LOW_RAM, dma_minalign=64, debug=DebugMode.LOG)
    device = direct(64, host=host)
    for direction in (DMA_FROM_DEVICE, DMA_TO_DEVICE):
        dma_mapping_error(device, dma_map_phys(device, 0x5000, 64, direction))
    dma_unmap_phys(device, 0x5000, 64, DMA_TO_DEVICE)
    dma_map_phys(device, 0x5000, 64, DMA_FROM_DEVICE)
    assert [identifier for identifier in reports(device) if identifier == "D21"] == ["D21"], "the writer is still there"


def test_of_two_mappings_a_sync_means_the_one_with_its_direction() -> None:
    device = direct(64)
    for direction in (DMA_FROM_DEVICE, DMA_TO_DEVICE):
        dma_map_phys(device, 0x5000, 64, direction)
    dma_sync_single_for_cpu(device, 0x5000, 64, DMA_FROM_DEVICE)
    assert [bool(mapping.cpu_owned) for mapping in device.mappings()] == [True, False]
