"""Corners of the API: bad arguments, exhausted resources, wrong states; each ends in a precise answer and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sluicegate.dma import (
    DMA_BIDIRECTIONAL,
    DMA_BIT_MASK,
    DMA_FROM_DEVICE,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    AtomicPools,
    DebugMode,
    Device,
    DeviceFault,
    DeviceRemovedError,
    DmaAttrs,
    DmaDebug,
    DmaDebugError,
    DmaIommu,
    DmaIovaState,
    DmaRange,
    DomainMapError,
    DummyBackend,
    FaultInjector,
    FaultPoint,
    Gfp,
    Host,
    IommuProt,
    Mapping,
    OutOfMemory,
    Page,
    PhysicalAddress,
    RecordingDomain,
    Scatterlist,
    SgEntry,
    Swiotlb,
    UnmapState,
    checked,
    device_read,
    device_write,
    dma_addressing_limited,
    dma_alloc_coherent,
    dma_alloc_noncoherent,
    dma_alloc_noncontiguous,
    dma_alloc_pages,
    dma_coerce_mask_and_coherent,
    dma_declare_coherent_memory,
    dma_free_coherent,
    dma_free_noncontiguous,
    dma_free_pages,
    dma_iova_destroy,
    dma_iova_free,
    dma_iova_link,
    dma_iova_sync,
    dma_iova_try_alloc,
    dma_iova_unlink,
    dma_map_page,
    dma_map_phys,
    dma_map_resource,
    dma_map_sg,
    dma_map_sgtable,
    dma_map_single,
    dma_mapping_error,
    dma_pool_create,
    dma_pool_destroy,
    dma_set_mask,
    dma_set_mask_and_coherent,
    dma_set_min_align_mask,
    dma_set_seg_boundary,
    dma_sync_sg_for_cpu,
    dma_sync_sg_for_device,
    dma_sync_single_for_cpu,
    dma_sync_single_for_device,
    dma_unmap_page,
    dma_unmap_phys,
    dma_unmap_resource,
    dma_unmap_sg,
    dma_unmap_sgtable,
    dma_unmap_single,
    dma_vmap_noncontiguous,
    dmam_alloc_coherent,
    dmam_free_coherent,
    dmam_pool_create,
    sg_dma_is_bus_address,
    transfer_in_flight,
)
from sluicegate.dma.cpu_cache import CpuCache
from sluicegate.dma.device_access import check_peer_route
from sluicegate.memory import Memory, SparseMemory
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.platform import Region

from tests.unit.dma.machine import LOW_RAM, FixedProvider, behind_iommu, direct, table

MAP_ERROR = int(DMA_MAPPING_ERROR)


def reports(device: Device) -> list[str]:
    return [report.error_class.identifier for report in device.host.debug.reports]


class TestDirect:
    def test_a_range_map_both_ways(self) -> None:
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

    def test_forced_bouncing(self) -> None:
        device = direct(64, force_bounce=True, debug=DebugMode.LOG)
        assert dma_map_phys(device, 0x5000, 64, DMA_TO_DEVICE, DmaAttrs.MMIO) == DMA_MAPPING_ERROR
        assert dma_map_phys(device, 0x5000, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        assert reports(device) == ["M6"], "there is no swiotlb"

    def test_a_bounce_buffer_that_is_out_of_reach_itself(self) -> None:
        host = Host(ram=LOW_RAM)
        pool = Swiotlb(host)
        device = direct(24, host=host)
        assert dma_map_phys(device, 0x5000_0000, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        assert pool.used_slots == 0
        assert reports(device) == ["M6"]

    def test_peers_and_resources_above_the_mask(self) -> None:
        device = direct(32)
        sgt = table((1 << 40, 4096, FixedProvider(P2pdmaMapType.THRU_HOST_BRIDGE)))
        assert dma_map_sgtable(device, sgt, DMA_TO_DEVICE) == -5
        assert dma_map_resource(device, 1 << 40, 4096, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        assert reports(device) == ["M6", "M6"]

    def test_sync_and_unmap_of_an_address_outside_the_range_map(self) -> None:
        device = direct(64, range_map=[DmaRange(0x1000, 0x8000_0000, 0x7FFF_F000)], debug=DebugMode.LOG)
        dma = dma_map_resource(device, 0xF000_0000_0000, 64, DMA_BIDIRECTIONAL)
        dma_sync_single_for_cpu(device, dma, 64, DMA_BIDIRECTIONAL)
        dma_sync_single_for_device(device, dma, 64, DMA_BIDIRECTIONAL)
        dma_unmap_phys(device, 0xF000_0000_1000, 64, DMA_TO_DEVICE)
        assert reports(device) == ["M4", "D2"]

    def test_a_sync_past_a_bounce_slot_is_cut(self) -> None:
        host = Host(ram=LOW_RAM, debug=DebugMode.LOG)
        pool = Swiotlb(host)
        device = direct(64, host=host, force_bounce=True)
        dma = dma_map_phys(device, 0x5000, 64, DMA_BIDIRECTIONAL)
        pool.sync_for_cpu(device, int(dma) + 60, 64)
        assert reports(device) == ["M16"]
        with pytest.raises(KeyError, match="no live bounce buffer"):
            pool.sync_for_cpu(device, int(dma) + 64, 1)

    def test_bounce_slots_keep_alignment_and_boundaries(self) -> None:
        host = Host(ram=LOW_RAM)
        Swiotlb(host, 1 << 19)
        device = direct(64, host=host, force_bounce=True, seg_boundary_mask=0xFFFF, min_align_mask=0x3FFF)
        for phys in (0x5000, 0x7456, 0x1_3000):
            dma = dma_map_phys(device, phys, 20000, DMA_TO_DEVICE)
            assert dma != DMA_MAPPING_ERROR
            assert int(dma) & 0x3FFF & ~0xFFF == phys & 0x3FFF & ~0xFFF
            assert int(dma) // 65536 == (int(dma) + 19999) // 65536


class TestIommu:
    def test_reserved_windows_bus_limits_and_the_aperture(self) -> None:
        host = Host(ram=LOW_RAM)
        back_end = DmaIommu(
            host,
            RecordingDomain(4096, (1 << 39) - 1),
            reserved=[Region(0xFFFF_0000, 0x1_0000)],
            rcache=False,
            aperture_start=0x10_0000,
        )
        device = Device(host, "dut", backend=back_end, bus_dma_limit=0)
        dma_set_mask_and_coherent(device, DMA_BIT_MASK(64))
        assert dma_map_phys(device, 0x5000, 64, DMA_TO_DEVICE) == (1 << 39) - 4096
        limited = Device(host, "limited", backend=back_end, bus_dma_limit=0xFFFF_FFFF)
        dma_set_mask_and_coherent(limited, DMA_BIT_MASK(64))
        assert dma_map_phys(limited, 0x5000, 64, DMA_TO_DEVICE) == 0xFFFE_F000
        assert dma_addressing_limited(direct(24))
        assert not dma_addressing_limited(limited)

    def test_an_untrusted_device_without_bounce_buffers(self) -> None:
        machine = behind_iommu(untrusted=True)
        assert dma_map_phys(machine.device, 0x5010, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        assert dma_map_phys(machine.device, 0x5010, 64, DMA_TO_DEVICE, DmaAttrs.MMIO) == DMA_MAPPING_ERROR
        assert dma_map_phys(machine.device, 0x5000, 4096, DMA_TO_DEVICE) != DMA_MAPPING_ERROR
        assert reports(machine.device) == ["M15"]

    def test_a_bounced_map_that_fails_gives_its_slot_back(self) -> None:
        machine = behind_iommu(untrusted=True)
        pool = Swiotlb(machine.host)
        machine.domain.fail_map_at = 0
        assert dma_map_phys(machine.device, 0x5010, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        assert pool.used_slots == 0

    def test_syncs_of_bounced_ranges_and_of_untranslated_ones(self) -> None:
        machine = behind_iommu(untrusted=True)
        Swiotlb(machine.host)
        buffer = machine.host.kmalloc(100)
        dma = dma_map_single(machine.device, buffer, 100, DMA_BIDIRECTIONAL)
        phys = machine.domain.iova_to_phys(int(dma))
        assert phys is not None
        machine.host.memory.write(phys, b"N" * 100)
        dma_sync_single_for_cpu(machine.device, dma, 100, DMA_BIDIRECTIONAL)
        assert buffer.read() == b"N" * 100
        buffer.write(b"M" * 100)
        dma_sync_single_for_device(machine.device, dma, 100, DMA_BIDIRECTIONAL)
        assert machine.host.memory.read(phys, 100) == b"M" * 100
        machine.iommu.sync_for_cpu(machine.device, 0x5000, 1, DMA_BIDIRECTIONAL)
        machine.iommu.sync_for_device(machine.device, 0x5000, 1, DMA_BIDIRECTIONAL)

    def test_a_short_unmap_is_reported(self) -> None:
        machine = behind_iommu(debug=DebugMode.LOG)
        dma = dma_map_phys(machine.device, 0x5000, 8192, DMA_TO_DEVICE)
        dma_mapping_error(machine.device, dma)
        machine.domain.unmap(int(dma) + 4096, 4096)
        dma_unmap_phys(machine.device, dma, 8192, DMA_TO_DEVICE)
        assert reports(machine.device) == ["M10"]
        state = DmaIovaState()
        dma_iova_try_alloc(machine.device, state, 0, 8192)
        dma_iova_link(machine.device, state, 0x5000, 0, 8192, DMA_TO_DEVICE)
        machine.domain.unmap(state.addr, 4096)
        dma_iova_destroy(machine.device, state, 8192, DMA_TO_DEVICE)
        assert reports(machine.device) == ["M10", "M10"]

    def test_lists_of_an_untrusted_device_go_entry_by_entry(self) -> None:
        machine = behind_iommu(untrusted=True, debug=DebugMode.LOG)
        Swiotlb(machine.host)
        bus = FixedProvider(P2pdmaMapType.BUS_ADDR)
        sgt = table((0x5010, 64), (1 << 40, 4096, bus), (0x6000, 4096))
        assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == 0
        assert sgt.nents == 3
        assert sg_dma_is_bus_address(sgt.sgl[1])
        dma_unmap_sgtable(machine.device, sgt, DMA_TO_DEVICE)
        for kind, code in ((P2pdmaMapType.THRU_HOST_BRIDGE, -5), (P2pdmaMapType.NOT_SUPPORTED, -121)):
            sgt = table((0x5010, 64), (1 << 41, 4096, bus), (1 << 40, 4096, FixedProvider(kind)))
            assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == code
        assert (machine.domain.mapped_bytes, len(machine.iommu.tree)) == (0, 0)
        machine.host.assert_clean()

    def test_an_exhausted_list(self) -> None:
        machine = behind_iommu(24, max_seg_size=1 << 30)
        sgt = table((0x100_0000, 1 << 24))
        assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == -12

    def test_the_recording_domain_refuses_what_an_iommu_does(self) -> None:
        domain = RecordingDomain(4096, 0xFFFF)
        for iova, phys, size in ((0x800, 0, 4096), (0, 0, 0), (0xF000, 0, 8192)):
            with pytest.raises(DomainMapError) as caught:
                domain.map(iova, phys, size, IommuProt.READ)
            assert caught.value.errno == 22
        domain.map(0x1000, 0x5000, 4096, IommuProt.READ)
        assert (domain.prot(0x1FFF), domain.prot(0x2000)) == (IommuProt.READ, IommuProt.NONE)
        with pytest.raises(ValueError, match="power of two"):
            RecordingDomain(3000)


class TestDummy:
    def test_everything_fails_and_unmaps_are_reported(self) -> None:
        device = Device(Host(ram=LOW_RAM, debug=DebugMode.LOG), "dummy", backend=DummyBackend())
        device.host.debug.require_mask = False
        sgt = table((0x5000, 64))
        assert dma_map_sgtable(device, sgt, DMA_TO_DEVICE) == -22
        assert dma_alloc_coherent(device, 4096) is None
        assert device.host.pages.allocated_bytes == 0
        dma_unmap_phys(device, 0x5000, 64, DMA_TO_DEVICE)
        dma_unmap_resource(device, 0x5000, 64, DMA_TO_DEVICE)
        back_end = device.backend
        back_end.unmap_sg(device, sgt.sgl.entries, DMA_TO_DEVICE, 0)
        back_end.unmap_pages(device, 0x5000, 64, 0)
        assert reports(device) == ["D2", "M11"] * 2 + ["M11"] * 2
        back_end.sync_for_cpu(device, 0, 1, DMA_TO_DEVICE)
        back_end.sync_for_device(device, 0, 1, DMA_TO_DEVICE)
        assert (back_end.addressing_limited(device), back_end.merge_boundary(device)) == (False, 0)
        assert (back_end.can_skip_sync(device), back_end.need_sync(device, 0)) == (False, True)
        assert back_end.max_mapping_size(device) == back_end.opt_mapping_size(device) == (1 << 64) - 1
        assert back_end.translate(device, 0) is None


class TestStreaming:
    def test_pages(self) -> None:
        device = direct(64)
        page = device.host.alloc_page()
        assert dma_map_page(device, page, 0, 64, DMA_TO_DEVICE, DmaAttrs.MMIO) == DMA_MAPPING_ERROR
        with pytest.raises(ValueError, match="negative"):
            dma_map_page(device, page, -1, 64, DMA_TO_DEVICE)
        peer = Page(PhysicalAddress(1 << 40), provider=FixedProvider(P2pdmaMapType.BUS_ADDR))
        device.debug_mode = DebugMode.OFF
        assert dma_map_page(device, peer, 0, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        dma_unmap_page(device, 0x5000, 64, DMA_TO_DEVICE, DmaAttrs.MMIO)
        device.assert_clean()

    def test_attributes_that_cannot_be_met(self) -> None:
        assert dma_map_phys(direct(64, coherent=False), 0x5000, 64, DMA_TO_DEVICE, DmaAttrs.REQUIRE_COHERENT) == DMA_MAPPING_ERROR
        machine = behind_iommu(coherent=False)
        assert dma_map_phys(machine.device, 0x5000, 64, DMA_TO_DEVICE, DmaAttrs.CC_SHARED) == DMA_MAPPING_ERROR
        assert dma_map_sgtable(machine.device, table((0x5000, 64)), DMA_TO_DEVICE, DmaAttrs.REQUIRE_COHERENT) == -95

    def test_without_checks_nothing_is_asked_and_the_error_value_frees_nothing(self) -> None:
        machine = behind_iommu(debug=DebugMode.OFF)
        dma = dma_map_phys(machine.device, 0x5000, 64, DMA_TO_DEVICE)
        assert "an unknown place" in repr(machine.device.mappings()[0])
        dma_unmap_phys(machine.device, MAP_ERROR, 64, DMA_TO_DEVICE)
        dma_unmap_resource(machine.device, MAP_ERROR, 64, DMA_TO_DEVICE)
        dma_unmap_phys(machine.device, dma, 64, DMA_FROM_DEVICE)
        machine.host.assert_clean()

    def test_a_mask_is_required_only_on_request(self) -> None:
        host = Host(ram=LOW_RAM, debug=DmaDebug(require_mask=False))
        assert dma_map_phys(Device(host, "dut"), 0x5000, 64, DMA_TO_DEVICE) == 0x5000

    def test_a_zero_size_in_log_mode_is_an_error_value(self) -> None:
        machine = behind_iommu(debug=DebugMode.LOG)
        assert dma_map_phys(machine.device, 0x5000, 0, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        assert dma_map_resource(machine.device, 0xF000_0000, 0, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        dma_sync_single_for_cpu(machine.device, 0x5000, 0, DMA_TO_DEVICE)
        assert reports(machine.device) == ["M2"] * 3
        bare = Device(machine.host, "bare", dma_mask=None)
        assert dma_map_phys(bare, 0x5000, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        assert dma_map_sgtable(bare, table((0x5000, 64)), DMA_TO_DEVICE) == -5

    def test_resources_fail_like_everything_else(self) -> None:
        machine = behind_iommu(24)
        assert dma_map_resource(machine.device, 0xF000_0000, 1 << 25, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        machine = behind_iommu(debug=DebugMode.LOG)
        dma_unmap_resource(machine.device, 0x5000, 64, DMA_TO_DEVICE)
        assert reports(machine.device) == ["D2", "M10"]


class TestScatterlists:
    def test_entries_and_counts(self) -> None:
        device = direct(64)
        with pytest.raises(ValueError, match="at least one byte"):
            SgEntry(Page(PhysicalAddress(0)), 0, 0)
        sgl = table((0x5000, 64)).sgl
        for call in (dma_map_sg, dma_unmap_sg, dma_sync_sg_for_cpu, dma_sync_sg_for_device):
            with pytest.raises(ValueError, match="2 entries of a scatterlist of 1"):
                call(device, sgl, 2, DMA_TO_DEVICE)

    def test_pages_that_follow_each_other_share_an_entry(self) -> None:
        pages = [Page(PhysicalAddress(at)) for at in (0x5000, 0x6000, 0x9000, 0xA000)]
        sgl = Scatterlist.from_pages(pages, 0x800, 0x3000)
        assert [(entry.phys, entry.length) for entry in sgl] == [(0x5800, 0x1800), (0x9000, 0x1800)]
        short = Scatterlist.from_pages(pages, 0, 0x2000, max_segment=4096)
        assert [entry.length for entry in short] == [4096, 4096]
        with pytest.raises(ValueError, match="end 4096 bytes before"):
            Scatterlist.from_pages(pages, 0, 0x5000)
        assert "0x5800+0x1800" in repr(sgl[0])

    def test_a_back_end_with_a_foreign_error_code(self) -> None:
        class Odd(DummyBackend):
            def map_sg(self, *_: object) -> int:
                return -17

        device = Device(Host(ram=LOW_RAM, debug=DebugMode.LOG), "odd", backend=Odd())
        device.host.debug.require_mask = False
        assert dma_map_sgtable(device, table((0x5000, 64)), DMA_TO_DEVICE) == -5
        assert reports(device) == ["M17"]

    def test_unmap_and_sync_of_a_list_that_is_not_mapped(self) -> None:
        device = direct(64, debug=DebugMode.LOG)
        sgt = table((0x5000, 64), (0x7000, 64))
        dma_unmap_sgtable(device, sgt, DMA_TO_DEVICE)
        dma_sync_sg_for_cpu(device, sgt.sgl, 2, DMA_TO_DEVICE)
        assert reports(device) == ["D1"]
        assert dma_map_sgtable(device, sgt, DMA_TO_DEVICE) == 0
        device.remove_mapping(device.mappings()[1])
        dma_unmap_sgtable(device, sgt, DMA_TO_DEVICE)
        assert reports(device) == ["D1", "D2"]

    def test_cache_lines_of_lists_are_tracked(self) -> None:
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

    def test_a_peer_address_on_the_wrong_path_is_reported(self) -> None:
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


class TestIovaState:
    def test_calls_on_states_that_hold_nothing(self) -> None:
        machine = behind_iommu(debug=DebugMode.LOG)
        empty = DmaIovaState()
        assert dma_iova_link(machine.device, empty, 0, 0, 4096, DMA_TO_DEVICE) == -22
        dma_iova_unlink(machine.device, empty, 0, 4096, DMA_TO_DEVICE)
        dma_iova_destroy(machine.device, empty, 0, DMA_TO_DEVICE)
        dma_iova_free(machine.device, empty)
        assert dma_iova_sync(machine.device, empty, 0, 4096) == -95
        assert reports(machine.device) == ["I7"] * 5

    def test_log_mode_goes_on(self) -> None:
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

    def test_injected_failures(self) -> None:
        machine = behind_iommu()
        machine.host.faults = FaultInjector()
        machine.host.faults.fail(FaultPoint.MAP)
        assert not dma_iova_try_alloc(machine.device, DmaIovaState(), 0, 4096)

    def test_coherent_memory_after_a_bounce_and_no_bounce_buffer(self) -> None:
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

    def test_a_noncoherent_link_is_synced_granule_by_granule(self) -> None:
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


class TestAllocations:
    def test_bad_flags_and_exhaustion(self) -> None:
        machine = behind_iommu(debug=DebugMode.LOG, host=Host(ram=LOW_RAM, debug=DebugMode.LOG, cpu_cache=True))
        device = machine.device
        assert dma_alloc_pages(device, 64, DMA_TO_DEVICE, Gfp.DMA) is None
        assert dma_alloc_pages(device, 64, DMA_TO_DEVICE, Gfp.COMP) is None
        assert dma_alloc_noncoherent(device, 64, DMA_TO_DEVICE, Gfp.COMP) is None
        assert dma_alloc_noncontiguous(device, 64, DMA_TO_DEVICE, attrs=DmaAttrs.MMIO) is None
        assert dma_alloc_noncontiguous(device, 64, DMA_TO_DEVICE, Gfp.COMP) is None
        assert reports(device) == ["M13"] * 5
        machine.domain.fail_map_at = 0
        assert dma_alloc_pages(device, 64, DMA_TO_DEVICE) is None
        machine.domain.fail_map_at = 0
        assert dma_alloc_noncontiguous(device, 64, DMA_TO_DEVICE) is None
        assert dma_alloc_coherent(device, 1 << 40) is None
        assert machine.host.pages.allocated_bytes == 0
        dma_set_mask(Device(machine.host, "late"), DMA_BIT_MASK(32))

    def test_wrong_frees_free_nothing(self) -> None:
        device = direct(64, debug=DebugMode.LOG)
        block = dma_alloc_pages(device, 4096, DMA_TO_DEVICE)
        scattered = dma_alloc_noncontiguous(device, 8192, DMA_TO_DEVICE)
        assert block is not None
        assert scattered is not None
        dma_free_pages(device, 4096, block[0], 0x5000, DMA_TO_DEVICE)
        dma_free_coherent(device, 4096, device.host.buffer(block[0]), 0x5000)
        with pytest.raises(ValueError, match="bytes of a table"):
            dma_vmap_noncontiguous(device, 16384, scattered)
        view = dma_vmap_noncontiguous(device, 4096, scattered)
        with pytest.raises(ValueError, match="outside a buffer of 4096"):
            view.read(1, 4096)
        dma_free_noncontiguous(device, 8192, scattered, DMA_TO_DEVICE)
        dma_free_noncontiguous(device, 8192, scattered, DMA_TO_DEVICE)
        assert reports(device) == ["D2"] * 3
        assert len(device.mappings()) == 1

    def test_after_a_failed_mask_nothing_is_allocated_silently(self) -> None:
        device = Device(Host(ram=(Region(0, 1 << 32),)), "dut")
        assert dma_set_mask(device, DMA_BIT_MASK(8)) == -5
        with pytest.raises(DmaDebugError, match="although dma_set_mask failed"):
            dma_alloc_coherent(device, 64)

    def test_managed_memory_that_could_not_be_had(self) -> None:
        device = direct(64)
        assert dmam_alloc_coherent(device, 1 << 40) is None
        assert dmam_pool_create("bad", device, 0, 0, 0) is None
        dma_pool_destroy(None)

    def test_declared_memory_and_plain_frees_side_by_side(self) -> None:
        device = direct(64)
        before = dma_alloc_coherent(device, 4096)
        assert before is not None
        assert dma_declare_coherent_memory(device, 0xF000_0000, 0xF000_0000, 4096) == 0
        inside = dma_alloc_coherent(device, 100)
        assert inside is not None
        dma_free_coherent(device, 100, *inside)
        dma_free_coherent(device, 4096, *before)
        assert device.host.pages.allocated_bytes == 0

    def test_pools_where_a_zone_has_no_ram(self) -> None:
        pools = AtomicPools(Host(ram=(Region(1 << 36, 1 << 24),)), 4096)
        assert (pools.dma32, pools.dma) == (None, None)
        assert AtomicPools(Host(ram=LOW_RAM, zone_dma_bits=None), 4096).dma is None


class TestHostAndDevice:
    def test_removed_devices_are_refused(self) -> None:
        machine = behind_iommu()
        pool = dma_pool_create("pool", machine.device, 64, 64, 0)
        assert pool is not None
        machine.device.remove()
        calls: list[Callable[[], object]] = [
            lambda: dma_map_phys(machine.device, 0x5000, 64, DMA_TO_DEVICE),
            lambda: dma_unmap_single(machine.device, 0x5000, 64, DMA_TO_DEVICE),
            lambda: dma_alloc_coherent(machine.device, 64),
            lambda: dma_set_mask(machine.device, 1),
            lambda: pool.alloc(),
            lambda: machine.device.remove(),
        ]
        for call in calls:
            with pytest.raises(DeviceRemovedError, match="dut was removed"):
                call()
        assert machine.host.devices == []

    def test_names_are_unique_and_limits_need_a_parameter_block(self) -> None:
        device = direct(64, has_parameters=False, debug=DebugMode.LOG)
        with pytest.raises(ValueError, match="already has a device 'dut'"):
            Device(device.host, "dut")
        dma_set_seg_boundary(device, 1)
        dma_set_min_align_mask(device, 1)
        assert (device.seg_boundary_mask, device.min_align_mask) == (0, 0)
        assert repr(device) == "<Device dut (direct)>"

    def test_tables(self) -> None:
        machine = behind_iommu()
        assert machine.host.mappings_table() == "nothing is mapped"
        buffers = [machine.host.kmalloc(4096) for _ in range(2)]
        sgt = dma_map_sgtable(machine.device, table(*((int(buffer.phys), 4096) for buffer in buffers)), DMA_FROM_DEVICE)
        assert sgt == 0
        rows = machine.device.mapping_table()
        assert rows.length.tolist() == [4096, 4096]
        assert rows.phys.tolist() == [int(buffer.phys) for buffer in buffers]
        assert (rows.direction == 2).all()
        assert rows.dma.tolist() == [0xFFFFE000, 0xFFFFF000]
        assert "sg mapping of dut: 0xffffe000+0x2000" in machine.host.mappings_table()
        assert len(machine.device.ledger.overlapping(0xFFFFEFFF, 2)) == 1

    def test_host_memory(self) -> None:
        host = Host(ram=LOW_RAM, faults=FaultInjector())
        buffer = host.kmalloc(100)
        large = host.kmalloc(10000)
        assert host.pages.allocated_bytes == 128 + 12288
        host.kfree(buffer)
        host.kfree(large)
        assert host.pages.allocated_bytes == 0
        assert host.kmalloc(100).phys == buffer.phys
        for bad in (int(buffer.phys) + 128, 0x5000):
            with pytest.raises(ValueError, match="no page block"):
                host.pages.kfree(bad)
        for call in (host.pages.alloc, host.pages.kmalloc):
            with pytest.raises(ValueError, match="at least one"):
                call(0)
        assert host.faults is not None
        host.faults.fail(FaultPoint.PAGE_ALLOC)
        with pytest.raises(OutOfMemory, match="injected"):
            host.alloc_page()
        host.pages.reserve(Region(0x7000_0000, 0x0FFF_F000))
        assert host.alloc_page().phys < 0x7000_0000
        with pytest.raises(OutOfMemory, match="at or below 0xfff"):
            host.pages.alloc(4096, 0xFFF)
        for ram in ((), (Region(0x100, 4096),), (Region(0, 8192), Region(4096, 4096))):
            with pytest.raises(ValueError, match=r"RAM"):
                Host(ram=ram)
        assert Host().clock_ms() <= Host().clock_ms()

    def test_buffers_bound_their_accesses(self) -> None:
        buffer = Host(ram=LOW_RAM).kmalloc(64)
        assert len(buffer) == 64
        assert repr(buffer[8:16]) == f"<CpuBuffer {int(buffer.phys) + 8:#x}+0x8>"
        buffer.write(np.arange(4, dtype=np.uint8), 60)
        assert buffer.read(60) == bytes(range(4))
        for call in (lambda: buffer.read(60, 5), lambda: buffer.write(b"12345", 60), lambda: buffer[8:8], lambda: buffer[::2]):
            with pytest.raises(ValueError, match=r"buffer"):
                call()

    def test_the_unmap_state_record(self) -> None:
        state, nothing = UnmapState(), UnmapState(keep_state=False)
        for record in (state, nothing):
            record.addr = DMA_MAPPING_ERROR
            record.len = (1 << 32) + 5
        assert (state.addr, state.len) == (DMA_MAPPING_ERROR, 5)
        assert (int(nothing.addr), nothing.len) == (0, 0)

    def test_printing_without_a_limit(self) -> None:
        printed: list[str] = []
        device = direct(64, host=Host(ram=LOW_RAM, debug=DmaDebug(DebugMode.LOG, print_report=printed.append, print_limit=None)))
        for _ in range(3):
            dma_unmap_phys(device, 0x5000, 64, DMA_TO_DEVICE)
        assert len(printed) == 3


def test_the_cpu_cache_is_a_memory() -> None:
    memory = SparseMemory()
    cache = CpuCache(memory)
    assert isinstance(cache, Memory)
    cache.write_u64(0x1000, 0x1122334455667788)
    assert (cache.read_u64(0x1000), memory.read_u64(0x1000)) == (0x1122334455667788, 0)
    assert cache.compare_exchange_u64(0x1000, 0, 5) == 0x1122334455667788
    assert cache.compare_exchange_u64(0x1000, 0x1122334455667788, 5) == 0x1122334455667788
    assert cache.gather_u64(np.array([[0x1000], [0x2000]], dtype=np.uint64)).tolist() == [[5], [0]]
    cache.invalidate(0x1000, 64)
    assert cache.read_u64(0x1000) == 0
    with pytest.raises(ValueError, match="aligned"):
        cache.read_u64(1)
    with pytest.raises(ValueError, match="cache line"):
        CpuCache(memory, 48)


class TestRareTurns:
    def test_syncs_of_what_the_range_map_does_not_hold(self) -> None:
        device = direct(64, range_map=[DmaRange(0x1000, 0x8000_0000, 0x7FFF_F000)])
        device.backend.sync_for_cpu(device, 0x5000, 64, DMA_BIDIRECTIONAL)
        device.backend.sync_for_device(device, 0x5000, 64, DMA_BIDIRECTIONAL)
        device.backend.unmap_phys(device, 0x5000, 64, DMA_BIDIRECTIONAL, 0)

    def test_neighbouring_pages_share_a_translation(self) -> None:
        machine = behind_iommu()
        dma = machine.iommu.map_pages(machine.device, [(0x5000, 4096), (0x6000, 4096), (0x9000, 4096)], 12288, 0)
        assert machine.log() == [("M", dma, 0x5000, 8192, 7), ("M", dma + 8192, 0x9000, 4096, 7)]

    def test_managed_memory_freed_with_the_right_arguments_is_not_reported(self) -> None:
        device = direct(64)
        block = dmam_alloc_coherent(device, 4096)
        assert block is not None
        dmam_free_coherent(device, 4096, *block)
        assert device.detach_driver() == 0
        assert device.host.debug.error_count == 0

    def test_a_line_tracked_before_debugging_went_off_is_forgotten_with_its_mapping(self) -> None:
        host = Host(ram=LOW_RAM, dma_minalign=64, debug=DebugMode.LOG)
        device = direct(64, host=host)
        for phys in (0x5000, 0x6000):
            dma_map_phys(device, phys, 64, DMA_FROM_DEVICE)
        for phys in (0x5000, 0x6000):
            dma_unmap_phys(device, phys, 64, DMA_FROM_DEVICE)
        dma_map_phys(device, 0x5000, 64, DMA_FROM_DEVICE)
        assert "D21" not in reports(device)

    def test_overlapping_direct_mappings_are_told_apart(self) -> None:
        device = direct(64)
        for phys, size in ((0x5000, 8192), (0x6000, 64), (0x6040, 64), (0x5000, 64)):
            dma_mapping_error(device, dma_map_phys(device, phys, size, DMA_BIDIRECTIONAL))
        assert [mapping.size for mapping in device.ledger.containing(0x6010, 16)] == [64, 8192]
        assert [mapping.size for mapping in device.ledger.at(0x5000)] == [8192, 64]
        assert device.ledger.containing(0x9000, 1) == []
        dma_unmap_phys(device, 0x5000, 64, DMA_BIDIRECTIONAL)
        dma_unmap_phys(device, 0x5000, 8192, DMA_BIDIRECTIONAL)
        assert [mapping.size for mapping in device.ledger.overlapping(0x5000, 0x2000)] == [64, 64]

    def test_ownership_comes_and_goes_in_pieces(self) -> None:
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

    def test_a_platform_device_may_get_its_mask_storage_twice(self) -> None:
        device = direct(64)
        assert dma_coerce_mask_and_coherent(device, DMA_BIT_MASK(40)) == 0
        assert (device.dma_mask, device.coherent_dma_mask) == (DMA_BIT_MASK(40), DMA_BIT_MASK(40))

    def test_transfers_elsewhere_do_not_hinder_an_unmap(self) -> None:
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

    def test_views_over_several_pieces(self) -> None:
        machine = behind_iommu(host=Host(ram=LOW_RAM, cpu_cache=True, dma_minalign=64), coherent=False)
        table = dma_alloc_noncontiguous(machine.device, 12288, DMA_FROM_DEVICE, attrs=DmaAttrs.ALLOC_SINGLE_PAGES)
        assert table is not None
        address = table.sgl[0].dma_address
        device_write(machine.device, address, b"\x5a" * 12288)
        dma_sync_single_for_cpu(machine.device, address, 12288, DMA_FROM_DEVICE)
        assert dma_vmap_noncontiguous(machine.device, 4096, table).read() == b"\x5a" * 4096
        assert dma_vmap_noncontiguous(machine.device, 12288, table).read(4000, 200) == b"\x5a" * 200
        dma_free_noncontiguous(machine.device, 12288, table, DMA_FROM_DEVICE)

    def test_huge_sizes(self) -> None:
        machine = behind_iommu()
        for size in (1 << 64, -1):
            with pytest.raises(ValueError, match="unsigned 64-bit"):
                dma_map_phys(machine.device, 0x5000, size, DMA_TO_DEVICE)
        assert dma_map_phys(machine.device, 0x5000, (1 << 64) - 1, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
        assert len(machine.iommu.tree) == 0
        machine.host.assert_clean()

    def test_observers_follow_the_ledger(self) -> None:
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

    def test_an_empty_cached_range(self) -> None:
        cache = CpuCache(SparseMemory())
        assert cache.read(0x1000, 0) == b""
        cache.write(0x1000, b"x")
        cache.sync_for_cpu(0x1000, 64, DMA_TO_DEVICE)
        assert cache.read(0x1000, 1) == b"x"
        assert bytes(cache.view(0x1000, 2)) == b"x\0"
        cache.snoop_read(0x1000, 64)
        assert cache.memory.read(0x1000, 1) == b"x"

    def test_a_checked_address_passes(self) -> None:
        device = direct(64)
        assert checked(dma_map_phys(device, 0x5000, 64, DMA_TO_DEVICE)) == 0x5000

    def test_one_peer_address_twice_in_a_list(self) -> None:
        machine = behind_iommu()
        peer = FixedProvider(P2pdmaMapType.BUS_ADDR)
        sgt = table(*[(1 << 40, 4096, peer)] * 3)
        assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == 0
        assert len(machine.device.mappings()) == 3
        dma_unmap_sgtable(machine.device, sgt, DMA_TO_DEVICE)
        machine.host.assert_clean()

    def test_a_sync_finds_the_mapping_that_is_long_enough(self) -> None:
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
