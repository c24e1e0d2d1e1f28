"""Corners of DMA memory: bad flags, exhaustion, wrong frees, declared memory, zones."""

from __future__ import annotations

import pytest
from sluicegate.dma import (
    DMA_BIT_MASK,
    DMA_TO_DEVICE,
    AtomicPools,
    DebugMode,
    Device,
    DmaAttrs,
    DmaDebugError,
    Gfp,
    Host,
    dma_alloc_coherent,
    dma_alloc_noncoherent,
    dma_alloc_noncontiguous,
    dma_alloc_pages,
    dma_declare_coherent_memory,
    dma_free_coherent,
    dma_free_noncontiguous,
    dma_free_pages,
    dma_pool_destroy,
    dma_set_mask,
    dma_vmap_noncontiguous,
    dmam_alloc_coherent,
    dmam_pool_create,
)
from sluicegate.platform import Region

from tests.unit.dma.machine import LOW_RAM, behind_iommu, direct, reports


def test_bad_flags_and_exhaustion() -> None:
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


def test_wrong_frees_free_nothing() -> None:
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


def test_after_a_failed_mask_nothing_is_allocated_silently() -> None:
    device = Device(Host(ram=(Region(0, 1 << 32),)), "dut")
    assert dma_set_mask(device, DMA_BIT_MASK(8)) == -5
    with pytest.raises(DmaDebugError, match="although dma_set_mask failed"):
        dma_alloc_coherent(device, 64)


def test_managed_memory_that_could_not_be_had() -> None:
    device = direct(64)
    assert dmam_alloc_coherent(device, 1 << 40) is None
    assert dmam_pool_create("bad", device, 0, 0, 0) is None
    dma_pool_destroy(None)


def test_declared_memory_and_plain_frees_side_by_side() -> None:
    device = direct(64)
    before = dma_alloc_coherent(device, 4096)
    assert before is not None
    assert dma_declare_coherent_memory(device, 0xF000_0000, 0xF000_0000, 4096) == 0
    inside = dma_alloc_coherent(device, 100)
    assert inside is not None
    dma_free_coherent(device, 100, *inside)
    dma_free_coherent(device, 4096, *before)
    assert device.host.pages.allocated_bytes == 0


def test_pools_where_a_zone_has_no_ram() -> None:
    pools = AtomicPools(Host(ram=(Region(1 << 36, 1 << 24),)), 4096)
    assert (pools.dma32, pools.dma) == (None, None)
    assert AtomicPools(Host(ram=LOW_RAM, zone_dma_bits=None), 4096).dma is None
