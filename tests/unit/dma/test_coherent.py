"""Consistent, non-coherent and non-contiguous allocations (specification, section 1.2)."""

import pytest
from sluicegate.dma import (
    DMA_BIDIRECTIONAL,
    DMA_BIT_MASK,
    DMA_FROM_DEVICE,
    DMA_TO_DEVICE,
    AtomicPools,
    DebugClass,
    DebugMode,
    Device,
    DmaAttrs,
    DmaDebugError,
    DmaRange,
    DummyBackend,
    FaultInjector,
    FaultPoint,
    Gfp,
    Host,
    Scatterlist,
    SgTable,
    VirtualMemoryArea,
    dma_alloc_attrs,
    dma_alloc_coherent,
    dma_alloc_noncoherent,
    dma_alloc_noncontiguous,
    dma_alloc_pages,
    dma_alloc_wc,
    dma_can_mmap,
    dma_declare_coherent_memory,
    dma_free_attrs,
    dma_free_coherent,
    dma_free_noncoherent,
    dma_free_noncontiguous,
    dma_free_pages,
    dma_free_wc,
    dma_get_sgtable_attrs,
    dma_mmap_coherent,
    dma_mmap_noncontiguous,
    dma_mmap_pages,
    dma_set_mask_and_coherent,
    dma_vmap_noncontiguous,
    dmam_alloc_coherent,
    dmam_free_coherent,
)
from sluicegate.platform import Region

from tests.unit.dma.machine import LOW_RAM, behind_iommu, direct

BOTH = pytest.mark.parametrize(
    "make", [lambda **kw: direct(64, **kw), lambda **kw: behind_iommu(64, **kw).device], ids=["direct", "iommu"]
)


@BOTH
@pytest.mark.parametrize("size", [1, 4096, 4097, 3 * 4096, 65536])
def test_memory_is_zeroed_aligned_to_its_order_and_given_back(make, size: int) -> None:  # type: ignore[no-untyped-def]
    device = make()
    device.host.memory.write(0x7F00_0000, b"\xff" * 0x100000)
    block = dma_alloc_coherent(device, size)
    assert block is not None
    cpu, dma = block
    order = 1 << (-(-size // 4096) - 1).bit_length()
    assert int(cpu.phys) % (4096 * order) == int(dma) % (4096 * order) == 0
    assert cpu.read() == bytes(size)
    dma_free_coherent(device, size, cpu, dma)
    device.host.assert_clean()
    assert device.host.pages.allocated_bytes == 0


def test_the_last_byte_is_within_the_coherent_mask() -> None:
    host = Host(ram=(Region(0x1000, 0xFFFF000), Region(1 << 36, 1 << 24)))
    device = direct(32, host=host)
    block = dma_alloc_coherent(device, 8192)
    assert block is not None
    assert int(block[1]) + 8191 <= DMA_BIT_MASK(32)
    narrow = Device(Host(ram=(Region(1 << 36, 1 << 24),)), "dut")
    dma_set_mask_and_coherent(narrow, DMA_BIT_MASK(32))
    assert dma_alloc_coherent(narrow, 4096) is None
    machine = behind_iommu(24)
    block = dma_alloc_coherent(machine.device, 4096)
    assert block is not None
    assert int(block[1]) <= DMA_BIT_MASK(24)


def test_a_range_map_bounds_where_pages_may_come_from() -> None:
    host = Host(ram=(Region(0x8000_0000, 1 << 24), Region(1 << 36, 1 << 24)))
    device = Device(host, "dut", range_map=[DmaRange(0x8000_0000, 0, 1 << 24)])
    dma_set_mask_and_coherent(device, DMA_BIT_MASK(32))
    block = dma_alloc_coherent(device, 4096)
    assert block is not None
    assert int(block[1]) == int(block[0].phys) - 0x8000_0000


def test_refusals() -> None:
    device = direct(64, debug=DebugMode.LOG)
    assert dma_alloc_coherent(device, 4096, Gfp.COMP) is None
    device.coherent_dma_mask = 0
    assert dma_alloc_coherent(device, 4096) is None
    assert [report.error_class for report in device.host.debug.reports] == [
        DebugClass.BAD_ALLOCATION_FLAGS,
        DebugClass.COHERENT_MASK_ZERO,
    ]
    with pytest.raises(ValueError, match="0 bytes"):
        dma_alloc_coherent(device, 0)


def test_each_step_that_fails_releases_the_earlier_ones() -> None:
    for point in (FaultPoint.PAGE_ALLOC, FaultPoint.IOVA_ALLOC, FaultPoint.IOMMU_MAP):
        machine = behind_iommu()
        machine.host.faults = FaultInjector()
        machine.host.faults.fail(point)
        assert dma_alloc_coherent(machine.device, 8192) is None
        assert (machine.host.pages.allocated_bytes, len(machine.iommu.tree), machine.domain.mapped_bytes) == (0, 0, 0)


def test_free_rules() -> None:
    device = direct(64, debug=DebugMode.LOG)
    block = dma_alloc_coherent(device, 4096)
    assert block is not None
    dma_free_coherent(device, 4096, None, block[1])
    assert len(device.mappings()) == 1, "no CPU address: nothing happens"
    device.host.interrupts_disabled = True
    dma_free_coherent(device, 4096, *block)
    assert [report.error_class for report in device.host.debug.reports] == [DebugClass.FREE_IN_INTERRUPT]


def test_attributes() -> None:
    device = direct(64)
    block = dma_alloc_wc(device, 4096)
    assert block is not None
    dma_free_wc(device, 4096, *block)
    block = dma_alloc_attrs(device, 4096, Gfp.KERNEL, DmaAttrs.FORCE_CONTIGUOUS)
    assert block is not None
    with pytest.raises(DmaDebugError) as caught:
        dma_free_attrs(device, 4096, *block, DmaAttrs.WRITE_COMBINE)
    assert caught.value.error_class is DebugClass.ATTRS_MISMATCH
    dma_free_attrs(device, 4096, *block, DmaAttrs.FORCE_CONTIGUOUS)


def test_managed_memory() -> None:
    device = direct(64, debug=DebugMode.LOG)
    kept, early = dmam_alloc_coherent(device, 4096), dmam_alloc_coherent(device, 8192)
    assert kept is not None
    assert early is not None
    dmam_free_coherent(device, 4096, *early)
    assert device.host.debug.counts[DebugClass.MANAGED_MISMATCH] == 1
    dmam_free_coherent(device, 8192, *early)
    assert device.host.debug.counts[DebugClass.MANAGED_MISMATCH] == 2, "not known any more"
    assert device.detach_driver() == 0
    assert device.host.pages.allocated_bytes == 0


def test_declared_memory_is_the_only_source() -> None:
    device = direct(64)
    assert dma_declare_coherent_memory(device, 0xF000_0000, 0x1000_0000, 100) == -22
    assert dma_declare_coherent_memory(device, 0xF000_0000, 0x1000_0000, 4 * 4096) == 0
    assert dma_declare_coherent_memory(device, 0xF000_0000, 0x1000_0000, 4 * 4096) == -16
    first, second = dma_alloc_coherent(device, 4096), dma_alloc_coherent(device, 2 * 4096)
    assert first is not None
    assert second is not None
    assert (int(first[1]), int(second[1]), int(second[0].phys)) == (0x1000_0000, 0x1000_2000, 0xF000_2000)
    assert dma_alloc_coherent(device, 2 * 4096) is None, "exhausted, no fallback"
    dma_free_coherent(device, 4096, *first)
    assert dma_alloc_coherent(device, 4096) is not None


def test_atomic_pools_by_zone() -> None:
    host = Host(ram=(Region(0x1000, 0x3FFF000), Region(1 << 36, 1 << 26)), debug=DebugMode.STRICT)
    pools = AtomicPools(host, 16384)
    assert pools.kernel is not None
    assert pools.dma32 is not None
    assert pools.dma is not None
    wide = direct(64, host=host, coherent=False, name="wide")
    block = dma_alloc_coherent(wide, 4096, Gfp.ATOMIC)
    assert block is not None
    assert pools.kernel.contains(int(block[0].phys))
    narrow = direct(32, host=host, coherent=False, name="narrow")
    given = dma_alloc_coherent(narrow, 4096, Gfp.ATOMIC)
    assert given is not None
    assert pools.dma32.contains(int(given[0].phys)), "what the mask does not reach is given back"
    for gfp, pool in ((Gfp.DMA, pools.dma), (Gfp.DMA32, pools.dma32)):
        other = dma_alloc_coherent(wide, 4096, Gfp.ATOMIC | gfp)
        assert other is not None
        assert pool.contains(int(other[0].phys))
    dma_free_coherent(wide, 4096, *block)
    again = dma_alloc_coherent(wide, 4096, Gfp.ATOMIC)
    assert again is not None
    assert again[0].phys == block[0].phys
    assert dma_alloc_coherent(narrow, 1 << 20, Gfp.ATOMIC) is None


def test_the_default_pool_is_128_kib_a_gib() -> None:
    host = Host(ram=(Region(0x1000, (3 << 30) - 0x1000),))
    pools = AtomicPools(host)
    assert pools.kernel is not None
    assert pools.kernel.size == 2 * (128 << 10)


@BOTH
def test_pages_and_noncoherent_memory(make) -> None:  # type: ignore[no-untyped-def]
    device = make()
    block = dma_alloc_pages(device, 5000, DMA_TO_DEVICE)
    assert block is not None
    page, dma = block
    assert page.size == 8192
    with pytest.raises(DmaDebugError) as caught:
        dma_free_pages(device, 5000, page, dma, DMA_FROM_DEVICE)
    assert caught.value.error_class is DebugClass.FREE_DIFFERENT_DIRECTION
    dma_free_pages(device, 5000, page, dma, DMA_TO_DEVICE)
    memory = dma_alloc_noncoherent(device, 5000, DMA_BIDIRECTIONAL)
    assert memory is not None
    dma_free_noncoherent(device, 5000, *memory, DMA_BIDIRECTIONAL)
    with pytest.raises(DmaDebugError):
        dma_alloc_pages(device, 4096, DMA_TO_DEVICE, Gfp.DMA32)
    device.host.assert_clean()
    assert device.host.pages.allocated_bytes == 0


@BOTH
def test_noncontiguous_memory_is_one_segment(make) -> None:  # type: ignore[no-untyped-def]
    device = make()
    table = dma_alloc_noncontiguous(device, 10000, DMA_BIDIRECTIONAL, attrs=DmaAttrs.ALLOC_SINGLE_PAGES)
    assert table is not None
    assert (table.nents, table.sgl[0].dma_length) == (1, 12288)
    assert len(table.sgl) == (1 if device.backend.name == "direct" else 3)
    (mapping,) = device.mappings()
    assert sum(piece.length for piece in mapping.all_pieces()) == 12288
    device.debug_mode = DebugMode.OFF
    device.host.debug.mode = DebugMode.OFF
    view = dma_vmap_noncontiguous(device, 10000, table)
    view.write(bytes(range(256)) * 40, 1000)
    assert view.read(1000, 10240) == bytes(range(256)) * 40
    device.debug_mode = None
    device.host.debug.mode = DebugMode.STRICT
    with pytest.raises(DmaDebugError):
        dma_alloc_noncontiguous(device, 4096, DMA_TO_DEVICE, attrs=DmaAttrs.WRITE_COMBINE)
    area = VirtualMemoryArea(2, 1)
    assert dma_mmap_noncontiguous(device, area, 10000, table) == 0
    assert [int(phys) for phys in area.mapped] == [
        piece.phys + at for piece in mapping.all_pieces() for at in range(0, piece.length, 4096)
    ][1:3]
    dma_free_noncontiguous(device, 10000, table, DMA_BIDIRECTIONAL)
    device.host.assert_clean()
    assert device.host.pages.allocated_bytes == 0


def test_noncontiguous_memory_falls_back_to_smaller_pieces() -> None:
    machine = behind_iommu(host=Host(ram=(Region(0x1000, 24 * 4096),)))
    held = [machine.host.alloc_page() for _ in range(24)]
    for page in held[::2]:
        machine.host.free_page(page)
    assert dma_alloc_pages(machine.device, 8192, DMA_TO_DEVICE) is None
    table = dma_alloc_noncontiguous(machine.device, 5 * 4096, DMA_TO_DEVICE)
    assert table is not None
    assert len(table.sgl) == 5
    assert dma_alloc_noncontiguous(machine.device, 20 * 4096, DMA_TO_DEVICE) is None
    dma_free_noncontiguous(machine.device, 5 * 4096, table, DMA_TO_DEVICE)
    assert machine.host.pages.allocated_bytes == 12 * 4096


def test_user_mappings() -> None:
    device = direct(64)
    block = dma_alloc_coherent(device, 8192)
    assert block is not None
    assert dma_can_mmap(device)
    area = VirtualMemoryArea(1, 1)
    assert dma_mmap_coherent(device, area, *block, 8192) == 0
    assert area.mapped == [block[0].phys + 4096]
    for pages, offset in ((2, 1), (1, 2), (3, 0)):
        assert dma_mmap_coherent(device, VirtualMemoryArea(pages, offset), *block, 8192) == -6
    pages_block = dma_alloc_pages(device, 4096, DMA_TO_DEVICE)
    assert pages_block is not None
    assert dma_mmap_pages(device, VirtualMemoryArea(1), 4096, pages_block[0]) == 0
    table = SgTable(Scatterlist())
    assert dma_get_sgtable_attrs(device, table, *block, 5000) == 0
    assert [(entry.phys, entry.length) for entry in table.sgl] == [(int(block[0].phys), 8192)]
    dummy = Device(Host(ram=LOW_RAM), "dummy", backend=DummyBackend())
    assert not dma_can_mmap(dummy)
    assert dma_mmap_coherent(dummy, VirtualMemoryArea(1), *block, 8192) == -6
    assert dma_get_sgtable_attrs(dummy, table, *block, 5000) == -6
    assert not dma_can_mmap(direct(64, coherent=False))
