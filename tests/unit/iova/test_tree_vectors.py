"""Vectors 1 to 17 and 21 of the DMA API specification: answers of the kernel's IOVA tree."""

from sluicegate.iova.tree import ANCHOR_PFN, IovaTree

LIMIT_32 = 0xFFFFF


def tree(granule: int = 4096) -> IovaTree:
    return IovaTree(granule, 1)


def test_v01_to_v06_top_down_aligned_below_the_hint_and_hint_up_on_free() -> None:
    domain = tree()
    assert [domain.alloc(size, LIMIT_32) for size in (1, 2, 3, 5, 1)] == [1048575, 1048572, 1048568, 1048560, 1048559]
    assert domain.find(1048570) == (1048568, 1048570), "the block keeps its size of 3"
    assert domain.free(1048575)
    assert domain.alloc(1, LIMIT_32) == 1048575


def test_v07_the_hint_above_4_gib_is_separate() -> None:
    domain = tree()
    domain.alloc(1, LIMIT_32)
    assert domain.alloc(1, (1 << 28) - 1) == 268435455


def test_v08_to_v10_and_v12_small_limits_and_reservations_inside_a_block() -> None:
    domain = tree()
    assert domain.alloc(1, 4095) == 4095
    assert domain.alloc(4095, 4095) is None
    assert domain.alloc(4094, 4095, aligned=False) == 1
    for lo, hi in ((100, 200), (150, 300), (50, 120)):
        assert domain.reserve(lo, hi) == (1, 4094)


def test_v11_just_above_32_bits() -> None:
    assert tree().alloc(1, 1048576) == 1048576


def test_v13_a_full_space_and_a_free_by_an_inner_page() -> None:
    domain = tree()
    assert domain.alloc(8, 8) is None
    assert domain.alloc(7, 8, aligned=False) == 2
    assert domain.alloc(1, 8) == 1
    assert domain.alloc(1, 8) is None
    assert domain.free(8)
    assert domain.find(5) is None
    assert domain.alloc(1, 8) == 8


def test_v14_the_32_bit_hint_after_frees() -> None:
    domain = tree()
    assert [domain.alloc(16, LIMIT_32) for _ in range(2)] == [1048560, 1048544]
    domain.free(1048544)
    assert [domain.alloc(size, LIMIT_32) for size in (8, 8, 16)] == [1048552, 1048544, 1048528]
    assert (domain.cached32_node_lo, domain.max32_alloc_size) == (1048528, domain.dma_32bit_pfn)


def test_v15_a_failure_bounds_later_sizes_until_a_free() -> None:
    domain = tree()
    assert domain.alloc(1048574, LIMIT_32, aligned=False) == 2
    assert domain.alloc(1, LIMIT_32) == 1
    assert domain.alloc(1, LIMIT_32) is None
    assert domain.max32_alloc_size == 1
    assert domain.alloc(1, LIMIT_32) is None
    domain.free(1)
    assert domain.max32_alloc_size == domain.dma_32bit_pfn
    assert domain.alloc(2, LIMIT_32) is None
    assert domain.max32_alloc_size == 2


def test_v16_below_a_reservation() -> None:
    domain = tree()
    domain.reserve(1044480, 1048575)
    assert domain.alloc(1, LIMIT_32) == 1044479
    assert domain.alloc(256, LIMIT_32) == 1043968
    assert domain.alloc(1, (1 << 36) - 1) == 68719476735
    domain.free(1044479)
    assert domain.alloc(1, LIMIT_32) == 1044479


def test_v17_64_kib_granule() -> None:
    domain = tree(65536)
    assert domain.alloc(1, 65535) == 65535
    assert domain.alloc(17, 65535) == 65504


def test_v21_page_0_is_never_given() -> None:
    domain = tree()
    given = [domain.alloc(1, 7) for _ in range(8)]
    assert given == [7, 6, 5, 4, 3, 2, 1, None]


def test_a_reservation_out_of_range_is_refused() -> None:
    assert tree().reserve(1, 1 << 52) is None


def test_an_unknown_page_frees_nothing() -> None:
    domain = tree()
    domain.alloc(4, LIMIT_32)
    before = domain.state()
    assert not domain.free(3)
    assert not domain.free(ANCHOR_PFN)
    assert domain.state() == before
