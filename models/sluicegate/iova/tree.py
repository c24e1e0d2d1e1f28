"""The exact IOVA allocator of the kernel (specification DMA_API, sections 3.1 to 3.3).

Units: page frame numbers (pfn) of one granule. Allocation runs top-down from a hint, aligned to the power of two of the
size; gaps above the hint are searched only in a second pass. The answers are exactly those of the kernel's red-black tree.

The blocks form a linked list (neighbours in one step) with a dictionary by first pfn. A search walks the list for a few
steps, as most end there; then it asks an index of the gaps, sorted by place in classes of size, so that a million blocks
with small gaps between them are not walked. Index entries are corrected only when a search needs the index.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sluicegate.arguments import unsigned
from sluicegate.iova.sorted_keys import SortedKeys

ANCHOR_PFN: Final = (1 << 64) - 1
"""Place of the anchor above every block; also the value of a hint that points at no block."""

_WALK_STEPS: Final = 12
"""Blocks walked before the gap index is asked."""


class IovaBlock:
    """A live block ``[lo, hi]`` of pfns (both inclusive), linked to its neighbours in address order."""

    __slots__ = ("hi", "lo", "next", "prev")

    def __init__(self, lo: int, hi: int) -> None:
        self.lo = lo
        self.hi = hi
        self.prev: IovaBlock | None = None
        self.next: IovaBlock | None = None


@dataclass(frozen=True, slots=True)
class IovaTreeState:
    """Everything that decides later answers: blocks ascending, the two hints (ANCHOR_PFN for none) and ``max32``."""

    blocks: tuple[tuple[int, int], ...]
    cached_node_lo: int
    cached32_node_lo: int
    max32_alloc_size: int


class IovaTree:
    """Allocator of one IOVA domain. ``granule`` is the page size in bytes, ``start_pfn`` the lowest pfn given."""

    def __init__(self, granule: int, start_pfn: int) -> None:
        if granule < 2 or granule & (granule - 1):
            raise ValueError(f"IOVA granule {granule} is not a power of two above 1")
        if start_pfn < 0:
            raise ValueError(f"start pfn {start_pfn} is negative")
        self.granule: Final = granule
        self.shift: Final = granule.bit_length() - 1
        self.start_pfn: Final = start_pfn
        self.dma_32bit_pfn: Final = 1 << (32 - self.shift) if self.shift <= 32 else 0
        self.max32_alloc_size = self.dma_32bit_pfn
        self._anchor: Final = IovaBlock(ANCHOR_PFN, ANCHOR_PFN)
        self._cached = self._cached32 = self._anchor
        self._first = self._anchor
        self._blocks: dict[int, IovaBlock] = {}
        # Index of blocks by first pfn and of gaps by the first pfn of the block above them, each with its pending corrections.
        self._ordered = SortedKeys()
        self._ordered_added: set[int] = set()
        self._ordered_removed: set[int] = set()
        self._gaps: dict[int, SortedKeys] = {}
        self._gap_class: dict[int, int] = {}
        self._gap_dirty: set[int] = {ANCHOR_PFN}

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The blocks as (first pfn, last pfn), ascending."""
        block: IovaBlock | None = self._first
        while block is not None and block is not self._anchor:
            yield block.lo, block.hi
            block = block.next

    @property
    def cached_node_lo(self) -> int:
        """First pfn of the block the 64-bit hint points at, ANCHOR_PFN for none."""
        return self._cached.lo

    @property
    def cached32_node_lo(self) -> int:
        """First pfn of the block the 32-bit hint points at, ANCHOR_PFN for none."""
        return self._cached32.lo

    def state(self) -> IovaTreeState:
        """A comparable copy of the whole state."""
        return IovaTreeState(tuple(self), self._cached.lo, self._cached32.lo, self.max32_alloc_size)

    def find(self, pfn: int) -> tuple[int, int] | None:
        """The block that contains ``pfn``, as (first, last)."""
        block = self._find(unsigned(pfn, "IOVA find: pfn"))
        return None if block is None else (block.lo, block.hi)

    def alloc(self, size: int, limit_pfn: int, aligned: bool = True) -> int | None:
        """Allocate ``size`` pfns, all at or below ``limit_pfn``; the first pfn of the block, or None when there is no room.

        ``aligned`` asks for natural alignment to ``size`` rounded up to a power of two; the block itself keeps its size.
        """
        if size.__class__ is not int or limit_pfn.__class__ is not int:
            size, limit_pfn = unsigned(size, "IOVA allocation: size"), unsigned(limit_pfn, "IOVA allocation: limit_pfn")
        if not 0 < size <= ANCHOR_PFN or not 0 <= limit_pfn <= ANCHOR_PFN:
            raise ValueError(f"IOVA allocation of {size} pages up to {limit_pfn:#x}: give 1 page or more and a 64-bit limit")
        limit = (limit_pfn + 1) & ANCHOR_PFN
        below_4g = limit <= self.dma_32bit_pfn
        if below_4g and size >= self.max32_alloc_size:
            return None
        align_mask = -(1 << (size - 1).bit_length()) if aligned else -1
        hint = self._cached32 if below_4g else self._cached
        found = self._search(hint, limit, self.start_pfn, size, align_mask)
        if found is None and hint.hi < limit:
            start = self._lowest_at_or_above(limit) if below_4g else self._anchor
            found = self._search(start, limit, hint.hi + 1, size, align_mask)
        if found is None:
            self.max32_alloc_size = size
            return None
        lo, above = found
        block = self._insert_below(above, lo, lo + size - 1)
        if block.hi < self.dma_32bit_pfn:
            self._cached32 = block
        else:
            self._cached = block
        return lo

    def free(self, pfn: int) -> bool:
        """Free the block that contains ``pfn`` (any pfn inside it); False when there is none."""
        block = self._blocks.get(pfn) or self._find(unsigned(pfn, "IOVA free: pfn"))
        if block is None:
            return False
        above = block.next
        assert above is not None
        if block is self._cached32 or (block.hi < self.dma_32bit_pfn and block.lo >= self._cached32.lo):
            self._cached32 = above
        if block.lo < self.dma_32bit_pfn:
            self.max32_alloc_size = self.dma_32bit_pfn
        if block.lo >= self._cached.lo:
            self._cached = above
        below = block.prev
        above.prev = below
        if below is None:
            self._first = above
        else:
            below.next = above
        block.prev = block.next = None
        self._forget(block.lo)
        self._gap_dirty.add(above.lo)
        return True

    def reserve(self, lo: int, hi: int) -> tuple[int, int] | None:
        """Keep ``[lo, hi]`` from being allocated; the block that covers its upper end afterwards, None if out of range.

        A block that overlaps the range from above grows down; what no block covers becomes a block of its own. The hints stay.
        """
        if unsigned(lo, "IOVA reserve: lo") > unsigned(hi, "IOVA reserve: hi"):
            raise ValueError(f"reserved range [{lo}, {hi}] is empty: give the first and the last page")
        if (lo | hi) > ANCHOR_PFN >> self.shift:
            return None
        block = self._lowest_ending_at_or_above(lo)
        while block is not self._anchor and block.lo <= hi:
            if lo < block.lo:
                self._grow_down(block, lo)
            if hi <= block.hi:
                return block.lo, block.hi
            lo = block.hi + 1
            assert block.next is not None
            block = block.next
        self._insert_below(block, lo, hi)
        return lo, hi

    def _search(self, node: IovaBlock, high: int, low: int, size: int, align_mask: int) -> tuple[int, IovaBlock] | None:
        """Descend from ``node``: (first pfn, block above it) of the highest place at or above ``low`` that fits."""
        for _ in range(_WALK_STEPS):
            if node.lo < high:
                high = node.lo
            candidate = (high - size) & align_mask
            if candidate < low:
                return None
            below = node.prev
            if below is None or candidate > below.hi:
                return candidate, node
            node = below
        return self._search_gaps(node, high, low, size, align_mask)

    def _search_gaps(self, node: IovaBlock, high: int, low: int, size: int, align_mask: int) -> tuple[int, IovaBlock] | None:
        """The same answer as :meth:`_search` through the index of gaps."""
        self._refresh_gaps()
        classes = [self._gaps[order] for order in sorted(self._gaps, reverse=True) if order >= size.bit_length() - 1]
        if node.lo > high:
            # Only the gap that contains ``high`` can use part of itself; every gap above it is out of reach.
            for keys in classes:
                key = keys.ceiling(high)
                if key is not None and key <= node.lo:
                    above = self._at(key)
                    candidate = (high - size) & align_mask
                    if candidate > _end_below(above):
                        return (candidate, above) if candidate >= low else None
        best: tuple[int, IovaBlock] | None = None
        top = min(high, node.lo)
        for keys in classes:
            key = keys.floor(top)
            while key is not None and (best is None or key > best[1].lo):
                above = self._at(key)
                candidate = (key - size) & align_mask
                if candidate < low:
                    break
                if candidate > _end_below(above):
                    best = candidate, above
                    break
                key = keys.floor(key - 1)
        return best

    def _at(self, lo: int) -> IovaBlock:
        return self._anchor if lo == ANCHOR_PFN else self._blocks[lo]

    def _insert_below(self, above: IovaBlock, lo: int, hi: int) -> IovaBlock:
        block = IovaBlock(lo, hi)
        below = above.prev
        block.next, block.prev = above, below
        above.prev = block
        if below is None:
            self._first = block
        else:
            below.next = block
        self._remember(block)
        self._gap_dirty.add(above.lo)
        return block

    def _grow_down(self, block: IovaBlock, lo: int) -> None:
        self._forget(block.lo)
        block.lo = lo
        self._remember(block)

    def _remember(self, block: IovaBlock) -> None:
        lo = block.lo
        self._blocks[lo] = block
        self._gap_dirty.add(lo)
        if lo in self._ordered_removed:
            self._ordered_removed.remove(lo)
        else:
            self._ordered_added.add(lo)

    def _forget(self, lo: int) -> None:
        del self._blocks[lo]
        self._gap_dirty.add(lo)
        if lo in self._ordered_added:
            self._ordered_added.remove(lo)
        else:
            self._ordered_removed.add(lo)

    def _refresh_gaps(self) -> None:
        """Bring the index of gaps up to date."""
        if len(self._gap_dirty) * 4 > len(self._gap_class) + 64:
            self._rebuild_gaps()
            return
        for key in self._gap_dirty:
            old = self._gap_class.pop(key, None)
            if old is not None:
                self._gaps[old].remove(key)
                if not self._gaps[old]:
                    del self._gaps[old]
            block = self._anchor if key == ANCHOR_PFN else self._blocks.get(key)
            if block is None:
                continue
            size = key - _end_below(block) - 1
            if size:
                order = size.bit_length() - 1
                self._gap_class[key] = order
                self._gaps.setdefault(order, SortedKeys()).add(key)
        self._gap_dirty.clear()

    def _rebuild_gaps(self) -> None:
        by_order: dict[int, list[int]] = {}
        self._gap_class = {}
        end = -1
        block: IovaBlock | None = self._first
        while block is not None:
            size = block.lo - end - 1
            if size:
                order = size.bit_length() - 1
                self._gap_class[block.lo] = order
                by_order.setdefault(order, []).append(block.lo)
            end = block.hi
            block = block.next
        self._gaps = {order: SortedKeys(keys) for order, keys in by_order.items()}
        self._gap_dirty.clear()

    def _refresh_ordered(self) -> None:
        """Bring the index of blocks up to date."""
        changes = len(self._ordered_added) + len(self._ordered_removed)
        if changes * 4 > len(self._blocks) + 64:
            self._ordered = SortedKeys(self._blocks)
        elif changes:
            for key in self._ordered_removed:
                self._ordered.remove(key)
            for key in self._ordered_added:
                self._ordered.add(key)
        self._ordered_added.clear()
        self._ordered_removed.clear()

    def _find(self, pfn: int) -> IovaBlock | None:
        block = self._blocks.get(pfn)
        if block is None:
            self._refresh_ordered()
            lo = self._ordered.floor(pfn)
            block = None if lo is None else self._blocks[lo]
            if block is not None and block.hi < pfn:
                block = None
        return block

    def _lowest_at_or_above(self, pfn: int) -> IovaBlock:
        self._refresh_ordered()
        lo = self._ordered.ceiling(pfn)
        return self._anchor if lo is None else self._blocks[lo]

    def _lowest_ending_at_or_above(self, pfn: int) -> IovaBlock:
        return self._find(pfn) or self._lowest_at_or_above(pfn)


def _end_below(block: IovaBlock) -> int:
    """Last pfn in use below ``block``, -1 when there is none."""
    return -1 if block.prev is None else block.prev.hi
