"""Corners of the dma-iommu back end: windows, limits, untrusted devices, short unmaps."""

from __future__ import annotations

import pytest
from sluicegate.dma import (
    DMA_BIDIRECTIONAL,
    DMA_BIT_MASK,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    DebugMode,
    Device,
    DmaAttrs,
    DmaIommu,
    DmaIovaState,
    DomainMapError,
    Host,
    IommuProt,
    RecordingDomain,
    Swiotlb,
    dma_addressing_limited,
    dma_iova_destroy,
    dma_iova_link,
    dma_iova_try_alloc,
    dma_map_phys,
    dma_map_sgtable,
    dma_map_single,
    dma_mapping_error,
    dma_set_mask_and_coherent,
    dma_sync_single_for_cpu,
    dma_sync_single_for_device,
    dma_unmap_phys,
    dma_unmap_sgtable,
    sg_dma_is_bus_address,
)
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.platform import Region

from tests.unit.dma.machine import LOW_RAM, FixedProvider, behind_iommu, direct, reports, table


def test_reserved_windows_bus_limits_and_the_aperture() -> None:
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


def test_an_untrusted_device_without_bounce_buffers() -> None:
    machine = behind_iommu(untrusted=True)
    assert dma_map_phys(machine.device, 0x5010, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert dma_map_phys(machine.device, 0x5010, 64, DMA_TO_DEVICE, DmaAttrs.MMIO) == DMA_MAPPING_ERROR
    assert dma_map_phys(machine.device, 0x5000, 4096, DMA_TO_DEVICE) != DMA_MAPPING_ERROR
    assert reports(machine.device) == ["M15"]


def test_a_bounced_map_that_fails_gives_its_slot_back() -> None:
    machine = behind_iommu(untrusted=True)
    pool = Swiotlb(machine.host)
    machine.domain.fail_map_at = 0
    assert dma_map_phys(machine.device, 0x5010, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert pool.used_slots == 0


def test_syncs_of_bounced_ranges_and_of_untranslated_ones() -> None:
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


def test_a_short_unmap_is_reported() -> None:
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


def test_lists_of_an_untrusted_device_go_entry_by_entry() -> None:
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


def test_an_exhausted_list() -> None:
    machine = behind_iommu(24, max_seg_size=1 << 30)
    sgt = table((0x100_0000, 1 << 24))
    assert dma_map_sgtable(machine.device, sgt, DMA_TO_DEVICE) == -12


def test_the_recording_domain_refuses_what_an_iommu_does() -> None:
    domain = RecordingDomain(4096, 0xFFFF)
    for iova, phys, size in ((0x800, 0, 4096), (0, 0, 0), (0xF000, 0, 8192)):
        with pytest.raises(DomainMapError) as caught:
            domain.map(iova, phys, size, IommuProt.READ)
        assert caught.value.errno == 22
    domain.map(0x1000, 0x5000, 4096, IommuProt.READ)
    assert (domain.prot(0x1FFF), domain.prot(0x2000)) == (IommuProt.READ, IommuProt.NONE)
    with pytest.raises(ValueError, match="power of two"):
        RecordingDomain(3000)
