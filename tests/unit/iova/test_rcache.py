"""Vectors 18 and 19, magazines, depot and flush of the IOVA caches (specification, section 3.4)."""

import pytest
from sluicegate.iova.rcache import MAGAZINE_SIZE, IovaRcache
from sluicegate.iova.tree import IovaTree

LIMIT = 0xFFFFF


def caches(cpus: int = 1, enabled: bool = True) -> IovaRcache:
    return IovaRcache(IovaTree(4096, 1), cpus, enabled)


def test_v18_rounding_class_hits_and_uncached_sizes() -> None:
    rcache = caches()
    assert rcache.alloc_iova_fast(3, LIMIT, True) == 1048572
    assert rcache.alloc_iova_fast(1, LIMIT, True) == 1048571
    rcache.free_iova_fast(1048572, 3)
    assert rcache.alloc_iova_fast(4, LIMIT, True) == 1048572
    assert rcache.alloc_iova_fast(33, LIMIT, True) == 1048512


def test_v19_newest_first_and_the_newest_fills_the_hole() -> None:
    rcache = caches()
    pages = [rcache.alloc_iova_fast(1, LIMIT, True) for _ in range(3)][::-1]
    assert pages == sorted(pages)
    for page in pages:
        rcache.free_iova_fast(page, 1)
    low, middle, high = pages
    assert rcache.alloc_iova_fast(1, LIMIT, True) == high
    rcache.free_iova_fast(high, 1)
    assert rcache.alloc_iova_fast(1, low, True) == low, "the newest that fits"
    assert rcache.alloc_iova_fast(1, LIMIT, True) == middle, "the hole was filled by the newest, so middle is newest now"
    assert rcache.alloc_iova_fast(1, LIMIT, True) == high


def test_a_cached_block_stays_in_the_tree() -> None:
    rcache = caches()
    page = rcache.alloc_iova_fast(1, LIMIT, True)
    rcache.free_iova_fast(page, 1)
    assert rcache.tree.find(page) == (page, page)
    assert rcache.cached_pages == 1
    rcache.flush()
    assert rcache.tree.find(page) is None
    assert rcache.cached_pages == 0


def test_full_magazines_go_to_the_depot_and_come_back_last_in_first_out() -> None:
    rcache = caches()
    count = 3 * MAGAZINE_SIZE + 1
    pages = [rcache.alloc_iova_fast(1, LIMIT, True) for _ in range(count)]
    for page in pages:
        rcache.free_iova_fast(page, 1)
    assert rcache.cached_pages == count
    again = [rcache.alloc_iova_fast(1, LIMIT, True) for _ in range(count)]
    first, second, third = (pages[start : start + MAGAZINE_SIZE] for start in range(0, 3 * MAGAZINE_SIZE, MAGAZINE_SIZE))
    # The first magazine became prev; the second, then the third went to the depot; the last page was in a new one.
    assert again == [pages[-1], *reversed(first), *reversed(third), *reversed(second)]
    assert rcache.cached_pages == 0


def test_the_depot_timer_trims_above_the_number_of_cpus() -> None:
    rcache = caches()
    pages = [rcache.alloc_iova_fast(1, LIMIT, True) for _ in range(4 * MAGAZINE_SIZE + 1)]
    for page in pages:
        rcache.free_iova_fast(page, 1)
    rcache.trim_depot()
    assert rcache.cached_pages == len(rcache.tree) == 3 * MAGAZINE_SIZE + 1
    rcache.trim_depot()
    rcache.trim_depot()
    assert rcache.cached_pages == len(rcache.tree) == 2 * MAGAZINE_SIZE + 1, "one full magazine a CPU stays in the depot"


def test_caches_are_per_cpu_and_a_failing_allocation_flushes_all() -> None:
    rcache = IovaRcache(IovaTree(4096, 1), cpus=2)
    pages = [rcache.alloc_iova_fast(1, 4, True, cpu=0) for _ in range(4)]
    assert sorted(pages) == [1, 2, 3, 4]
    for page in pages:
        rcache.free_iova_fast(page, 1, cpu=0)
    assert rcache.alloc_iova_fast(1, 4, False, cpu=1) == 0, "the pages wait in the cache of CPU 0"
    assert rcache.alloc_iova_fast(1, 4, True, cpu=1) == 4
    assert rcache.cached_pages == 0


def test_without_caches_small_sizes_are_still_rounded() -> None:
    rcache = caches(enabled=False)
    page = rcache.alloc_iova_fast(3, LIMIT, True)
    assert rcache.tree.find(page) == (page, page + 3)
    rcache.free_iova_fast(page, 3)
    assert len(rcache.tree) == 0


def test_at_least_one_cpu() -> None:
    with pytest.raises(ValueError, match="at least one"):
        IovaRcache(IovaTree(4096, 1), 0)


def test_a_cached_block_above_the_limit_is_not_given() -> None:
    rcache = caches()
    page = rcache.alloc_iova_fast(1, LIMIT, True)
    rcache.free_iova_fast(page, 1)
    assert rcache.alloc_iova_fast(1, 1000, True) == 1000
    assert rcache.cached_pages == 1


def test_a_flush_empties_the_depot_too() -> None:
    rcache = caches()
    pages = [rcache.alloc_iova_fast(1, LIMIT, True) for _ in range(3 * MAGAZINE_SIZE + 1)]
    for page in pages:
        rcache.free_iova_fast(page, 1)
    rcache.flush()
    assert rcache.cached_pages == len(rcache.tree) == 0
