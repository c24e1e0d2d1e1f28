"""Managed allocations with attributes, memory without a CPU mapping, views that end, pools with interrupts disabled."""

from __future__ import annotations

import pytest
from sluicegate.dma import (
    DMA_FROM_DEVICE,
    DebugClass,
    DmaAttrs,
    DmaDebugError,
    Gfp,
    Scatterlist,
    SgTable,
    device_read,
    device_write,
    dma_alloc_attrs,
    dma_alloc_coherent,
    dma_alloc_noncontiguous,
    dma_free_attrs,
    dma_free_coherent,
    dma_free_noncontiguous,
    dma_get_sgtable,
    dma_pool_create,
    dma_pool_destroy,
    dma_vmap_noncontiguous,
    dma_vunmap_noncontiguous,
    dmam_alloc_attrs,
    dmam_alloc_coherent,
    dmam_pool_create,
    dmam_pool_destroy,
)

from tests.unit.dma.machine import behind_iommu


def test_memory_without_a_cpu_mapping_is_a_cookie() -> None:
    device = behind_iommu().device
    attrs = int(DmaAttrs.NO_KERNEL_MAPPING)
    block = dma_alloc_attrs(device, 8192, attrs=attrs)
    assert block is not None
    cookie, dma = block
    for access in (cookie.read, lambda: cookie.write(b"x"), cookie.array, cookie[0:64].read):
        with pytest.raises(TypeError, match="no CPU mapping: give dma_alloc_attrs no NO_KERNEL_MAPPING"):
            access()
    device_write(device, dma, b"device")
    assert device_read(device, dma, 6) == b"device"
    with pytest.raises(DmaDebugError, match="attributes"):
        dma_free_attrs(device, 8192, cookie, dma, int(DmaAttrs.WRITE_COMBINE))
    dma_free_attrs(device, 8192, cookie, dma, attrs)
    device.assert_clean()


def test_managed_memory_goes_with_the_driver_whatever_its_attributes() -> None:
    device = behind_iommu().device
    assert dmam_alloc_attrs(device, 4096, attrs=int(DmaAttrs.WRITE_COMBINE)) is not None
    assert dmam_alloc_coherent(device, 4096, Gfp.NOWARN) is not None
    assert len(device.mappings()) == 2
    assert device.detach_driver() == 0
    device.assert_clean()


def test_a_view_ends_and_the_memory_stays() -> None:
    device = behind_iommu().device
    table = dma_alloc_noncontiguous(device, 8192, DMA_FROM_DEVICE)
    assert table is not None
    view = dma_vmap_noncontiguous(device, 8192, table)
    dma_vunmap_noncontiguous(device, view)
    with pytest.raises(ValueError, match="use dma_vmap_noncontiguous again"):
        view.read()
    dma_free_noncontiguous(device, 8192, table, DMA_FROM_DEVICE)
    device.assert_clean()


def test_a_table_of_coherent_memory() -> None:
    device = behind_iommu().device
    block = dma_alloc_coherent(device, 5000)
    assert block is not None
    cpu, dma = block
    table = SgTable(Scatterlist())
    assert dma_get_sgtable(device, table, cpu, dma, 5000) == 0
    assert [(entry.phys, entry.length) for entry in table.sgl] == [(int(cpu.phys), 8192)]
    dma_free_coherent(device, 5000, cpu, dma)


def test_pools_are_made_and_destroyed_where_the_driver_may_sleep() -> None:
    machine = behind_iommu()
    pool = dmam_pool_create("blocks", machine.device, 64, 64, 0)
    assert pool is not None
    machine.host.interrupts_disabled = True
    with pytest.raises(DmaDebugError) as caught:
        dma_pool_create("late", machine.device, 64, 64, 0)
    assert caught.value.error_class is DebugClass.POOL_IN_INTERRUPT
    with pytest.raises(DmaDebugError, match="dma_pool_destroy of blocks"):
        dma_pool_destroy(pool)
    assert not pool.destroyed
    machine.host.interrupts_disabled = False
    dmam_pool_destroy(pool)
    assert machine.device.detach_driver() == 0
