"""The tree against an independent, slow statement of the same rules (specification, sections 3.1 to 3.3)."""

import random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sluicegate.iova import tree as tree_module
from sluicegate.iova.sorted_keys import SortedKeys
from sluicegate.iova.tree import ANCHOR_PFN, IovaTree


class SortedListAllocator:
    """The specification's words over a sorted list: no links, no index."""

    def __init__(self, start: int, d32: int) -> None:
        self.start, self.d32, self.max32 = start, d32, d32
        self.blocks: list[list[int]] = [[ANCHOR_PFN, ANCHOR_PFN]]
        self.c32 = self.c64 = self.blocks[0]

    def alloc(self, size: int, limit: int, aligned: bool) -> int | None:
        top = (limit + 1) % (1 << 64)
        align = 1 << (size - 1).bit_length() if aligned else 1
        if top <= self.d32 and size >= self.max32:
            return None
        node = self.c32 if top <= self.d32 else self.c64
        retry_hi = node[1]
        low = self.start
        while True:
            place = self.blocks.index(node)
            high = top
            while True:
                high = min(high, self.blocks[place][0])
                candidate = ((high - size) % (1 << 64)) // align * align
                place -= 1
                if place < 0 or candidate > self.blocks[place][1] or candidate < low:
                    break
            if high >= size and candidate >= low:
                break
            if low == self.start and retry_hi < top:
                low = retry_hi + 1
                node = self.blocks[-1] if top > self.d32 else next(block for block in self.blocks if block[0] >= top)
                continue
            self.max32 = size
            return None
        block = [candidate, candidate + size - 1]
        self.blocks.append(block)
        self.blocks.sort()
        if block[1] < self.d32:
            self.c32 = block
        else:
            self.c64 = block
        return candidate

    def free(self, pfn: int) -> None:
        for place, block in enumerate(self.blocks[:-1]):
            if block[0] <= pfn <= block[1]:
                if block is self.c32 or (block[1] < self.d32 and block[0] >= self.c32[0]):
                    self.c32 = self.blocks[place + 1]
                if block[0] < self.d32:
                    self.max32 = self.d32
                if block[0] >= self.c64[0]:
                    self.c64 = self.blocks[place + 1]
                del self.blocks[place]
                return

    def reserve(self, lo: int, hi: int) -> tuple[int, int]:
        overlapped = False
        for block in self.blocks:
            if block[0] <= hi and lo <= block[1]:
                overlapped = True
                block[0] = min(block[0], lo)
                if hi <= block[1]:
                    return block[0], block[1]
                lo = block[1] + 1
            elif overlapped:
                break
        self.blocks.append([lo, hi])
        self.blocks.sort()
        return lo, hi


OPERATION = st.one_of(
    st.tuples(
        st.just("alloc"), st.integers(1, 70), st.sampled_from([63, 200, 65535, 65536, 80000, (1 << 48) - 1]), st.booleans()
    ),
    st.tuples(st.just("free"), st.integers(0, 300), st.just(0), st.just(False)),
    st.tuples(st.just("free live"), st.integers(0, 1000), st.integers(0, 40), st.just(False)),
    st.tuples(st.just("reserve"), st.integers(1, 250), st.integers(0, 60), st.just(False)),
)


@pytest.mark.parametrize("walk_steps", [0, 1, 12])
@given(operations=st.lists(OPERATION, max_size=60))
@settings(max_examples=60)
def test_every_answer_and_state_equals_the_sorted_list(walk_steps: int, operations: list[tuple[str, int, int, bool]]) -> None:
    with patch.object(tree_module, "_WALK_STEPS", walk_steps):
        real = IovaTree(65536, 1)
        model = SortedListAllocator(1, real.dma_32bit_pfn)
        live: list[int] = []
        for name, first, second, aligned in operations:
            if name == "alloc":
                got = real.alloc(first, second, aligned)
                assert got == model.alloc(first, second, aligned)
                if got is not None:
                    live.append(got)
            elif name == "reserve":
                assert real.reserve(first, first + second) == model.reserve(first, first + second)
            else:
                pfn = live[first % len(live)] + second if name == "free live" and live else first
                real.free(pfn)
                model.free(pfn)
            assert list(real) == [tuple(block) for block in model.blocks[:-1]]
            assert (real.cached_node_lo, real.cached32_node_lo, real.max32_alloc_size) == (
                model.c64[0],
                model.c32[0],
                model.max32,
            )


@given(sizes=st.lists(st.integers(1, 64), min_size=1, max_size=30), seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_freeing_everything_leaves_an_empty_tree_that_answers_as_a_new_one(sizes: list[int], seed: int) -> None:
    used = IovaTree(4096, 1)
    blocks = [used.alloc(size, 0xFFFFF) for size in sizes]
    random.Random(seed).shuffle(blocks)
    for block in blocks:
        assert block is not None
        assert used.free(block)
    assert len(used) == 0
    new = IovaTree(4096, 1)
    assert used.state() == new.state()
    assert [used.alloc(size, 0xFFFFF) for size in sizes] == [new.alloc(size, 0xFFFFF) for size in sizes]


def test_a_hundred_thousand_small_gaps_are_not_walked() -> None:
    domain = IovaTree(4096, 1)
    limit = (1 << 36) - 1
    blocks = [domain.alloc(1, limit) for _ in range(100_000)]
    for block in blocks[1::2]:
        assert block is not None
        domain.free(block)
    lowest = blocks[-2]
    assert lowest is not None
    domain.free(blocks[0] or 0)
    assert domain.alloc(64, limit) == (lowest - 64) // 64 * 64


@given(keys=st.lists(st.integers(0, 5000), max_size=400, unique=True), queries=st.lists(st.integers(-1, 5001), max_size=30))
@settings(max_examples=60)
def test_sorted_keys_neighbours(keys: list[int], queries: list[int]) -> None:
    with patch("sluicegate.iova.sorted_keys._CHUNK", 4):
        collection = SortedKeys()
        for key in keys:
            collection.add(key)
        for key in keys[::3]:
            collection.remove(key)
        left = sorted(set(keys) - set(keys[::3]))
        assert len(collection) == len(left)
        for query in queries:
            assert collection.floor(query) == max((key for key in left if key <= query), default=None)
            assert collection.ceiling(query) == min((key for key in left if key >= query), default=None)


@pytest.mark.parametrize(("granule", "start"), [(0, 1), (3000, 1), (4096, -1)])
def test_a_bad_domain_is_refused(granule: int, start: int) -> None:
    with pytest.raises(ValueError, match=r"IOVA granule|start pfn"):
        IovaTree(granule, start)


def test_bad_requests_leave_the_state_as_it_was() -> None:
    domain = IovaTree(4096, 1)
    domain.alloc(3, 0xFFFFF)
    before = domain.state()
    with pytest.raises(ValueError, match="1 page or more"):
        domain.alloc(0, 0xFFFFF)
    with pytest.raises(ValueError, match="is empty"):
        domain.reserve(5, 4)
    assert domain.state() == before
