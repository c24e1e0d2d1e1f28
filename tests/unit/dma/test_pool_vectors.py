"""Vectors 63 to 68 and the debugging of dma_pool."""

import pytest
from sluicegate.dma import (
    DebugClass,
    DebugMode,
    Device,
    DmaDebugError,
    DmaPool,
    FaultInjector,
    FaultPoint,
    dma_alloc_coherent,
    dma_pool_alloc,
    dma_pool_create,
    dma_pool_destroy,
    dma_pool_free,
    dma_pool_zalloc,
    dmam_pool_create,
)

from tests.unit.dma.machine import behind_iommu


def pool(size: int, align: int, boundary: int, debug: DebugMode = DebugMode.LOG, check: bool = False) -> DmaPool:
    made = dma_pool_create("test", behind_iommu(debug=debug).device, size, align, boundary, check)
    assert made is not None
    return made


def offsets(made: DmaPool, count: int) -> list[int]:
    blocks = [dma_pool_alloc(made) for _ in range(count)]
    assert all(block is not None for block in blocks)
    addresses = [int(block[1]) for block in blocks if block is not None]
    return [address - addresses[0] for address in addresses]


def test_v63_blocks_move_to_the_boundary_and_frees_come_back_first() -> None:
    made = pool(1000, 8, 1024)
    blocks = [dma_pool_alloc(made) for _ in range(5)]
    addresses = [int(block[1]) for block in blocks if block]
    base = addresses[0]
    assert made.size == 1000
    assert addresses[:4] == [base, base + 1024, base + 2048, base + 3072]
    assert addresses[4] & 4095 == 0, "a new page"
    for number in (0, 2):
        dma_pool_free(made, None, addresses[number])
    again = [dma_pool_alloc(made) for _ in range(2)]
    assert [int(block[1]) for block in again if block] == [addresses[2], addresses[0]]
    live = len(made.device.mappings())
    assert made.active == 5
    dma_pool_destroy(made)
    assert made.device.host.debug.counts[DebugClass.POOL_BUSY] == 1
    assert len(made.device.mappings()) == live == 2


def test_v64_to_v67_sizes() -> None:
    assert offsets(pool(100, 64, 0), 2) == [0, 128]
    assert pool(1, 0, 0).size == 16
    made = pool(5000, 16, 8192)
    assert (made.size, made.allocation, made.boundary) == (5008, 5008, 5008)
    made = pool(3000, 1, 4096)
    offsets(made, 3)
    assert (made.pages, made.blocks) == (3, 3)


@pytest.mark.parametrize(("size", "align", "boundary"), [(64, 3, 0), (1000, 8, 512), (0, 8, 0), (64, 8, 100)])
def test_v68_refused(size: int, align: int, boundary: int) -> None:
    assert dma_pool_create("bad", behind_iommu().device, size, align, boundary) is None
    assert dma_pool_create("bad", None, 64, 8, 0) is None


def test_bad_frees_are_reported_and_ignored() -> None:
    made = pool(64, 64, 0)
    block = dma_pool_alloc(made)
    assert block is not None
    dma_pool_free(made, None, block[1] + 1)
    dma_pool_free(made, block[0][1:], block[1])
    dma_pool_free(made, *block)
    dma_pool_free(made, *block)
    counts = made.device.host.debug.counts
    assert (counts[DebugClass.POOL_BAD_ADDRESS], counts[DebugClass.POOL_ALREADY_FREE]) == (2, 1)
    assert made.active == 0
    dma_pool_destroy(made)
    made.device.host.assert_clean()
    assert made.device.host.pages.allocated_bytes == 0


def test_fill_patterns_and_corruption() -> None:
    made = pool(64, 64, 0, DebugMode.STRICT, check=True)
    first = dma_pool_alloc(made)
    assert first is not None
    assert first[0].read() == b"\xa9" * 64
    dma_pool_free(made, *first)
    assert first[0].read() == b"\xa7" * 64
    first[0].write(b"x", 3)
    assert dma_pool_alloc(made) is not None, "the first 16 bytes belong to the allocator"
    dma_pool_free(made, *first)
    first[0].write(b"x", 16)
    with pytest.raises(DmaDebugError) as caught:
        dma_pool_alloc(made)
    assert caught.value.error_class is DebugClass.POOL_CORRUPTED


def test_zalloc_clears_and_alloc_does_not() -> None:
    made = pool(64, 64, 0)
    block = dma_pool_alloc(made)
    assert block is not None
    block[0].write(b"\xff" * 64)
    dma_pool_free(made, *block)
    again = dma_pool_alloc(made)
    assert again is not None
    assert again[0].read() == b"\xff" * 64
    dma_pool_free(made, *again)
    cleared = dma_pool_zalloc(made)
    assert cleared is not None
    assert cleared[0].read() == bytes(64)


def test_a_failed_growth_changes_nothing() -> None:
    made = pool(64, 64, 0)
    made.device.host.faults = FaultInjector()
    made.device.host.faults.fail(FaultPoint.PAGE_ALLOC)
    assert dma_pool_alloc(made) is None
    assert (made.pages, made.blocks, made.device.mappings()) == (0, 0, ())
    made.device.host.faults.fail(FaultPoint.POOL_ALLOC)
    assert dma_pool_alloc(made) is None
    assert dma_pool_alloc(made) is not None


def test_managed_pools_and_memory_go_with_the_driver() -> None:
    device: Device = behind_iommu().device
    made = dmam_pool_create("managed", device, 64, 64, 0)
    assert made is not None
    block = dma_pool_alloc(made)
    assert block is not None
    dma_pool_free(made, *block)
    assert device.detach_driver() == 0
    assert made.destroyed
    with pytest.raises(ValueError, match="destroyed"):
        dma_pool_alloc(made)


def test_pool_memory_is_coherent_memory_of_the_device() -> None:
    made = pool(64, 64, 0)
    assert dma_alloc_coherent(made.device, 4096) is not None
    dma_pool_alloc(made)
    assert {mapping.kind.label for mapping in made.device.mappings()} == {"coherent"}
