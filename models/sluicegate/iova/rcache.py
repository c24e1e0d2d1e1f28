"""The per-CPU IOVA caches in front of the tree (specification DMA_API, section 3.4).

Freed blocks of 1 to 32 pages stay allocated in the tree and wait in *magazines* of 127 pfns: two per CPU and size class,
and a global last-in-first-out depot of full ones per class. Not modelled: the 100 ms timer of the depot; call
:meth:`IovaRcache.trim_depot` for one tick of it.
"""

from __future__ import annotations

from typing import Final

from sluicegate.arguments import unsigned
from sluicegate.iova.tree import IovaTree

MAGAZINE_SIZE: Final = 127
SIZE_CLASSES: Final = 6
MAX_CACHED_PAGES: Final = 1 << (SIZE_CLASSES - 1)
"""Largest block, in pages, that is cached."""


class _CpuCache:
    """The two magazines of one CPU and size class: lists of pfns, newest last."""

    __slots__ = ("loaded", "prev")

    def __init__(self) -> None:
        self.loaded: list[int] = []
        self.prev: list[int] = []


class IovaRcache:
    """``alloc_iova_fast`` and ``free_iova_fast`` over one :class:`IovaTree`.

    ``enabled=False`` switches the caches off; the rounding of small sizes stays, as in the kernel.
    """

    def __init__(self, tree: IovaTree, cpus: int = 1, enabled: bool = True) -> None:
        if cpus < 1:
            raise ValueError(f"{cpus} CPUs: at least one is needed")
        self.tree: Final = tree
        self.enabled: Final = enabled
        self._caches: Final = [[_CpuCache() for _ in range(SIZE_CLASSES)] for _ in range(cpus)]
        self._depots: Final[list[list[list[int]]]] = [[] for _ in range(SIZE_CLASSES)]

    @property
    def cached_pages(self) -> int:
        """Pages that are free for the DMA API but still allocated in the tree (by class size)."""
        total = 0
        for order, depot in enumerate(self._depots):
            magazines = [*depot, *(magazine for cpu in self._caches for magazine in (cpu[order].loaded, cpu[order].prev))]
            total += sum(map(len, magazines)) << order
        return total

    def alloc_iova_fast(self, size: int, limit_pfn: int, flush_rcache: bool, cpu: int = 0) -> int:
        """Allocate ``size`` pages at or below ``limit_pfn`` (inclusive): the first pfn, 0 when there is no room.

        ``flush_rcache`` empties all caches into the tree and tries once more before failing.
        """
        if size.__class__ is not int or limit_pfn.__class__ is not int or size >> 64 or limit_pfn >> 64:
            size, limit_pfn = unsigned(size, "alloc_iova_fast: size"), unsigned(limit_pfn, "alloc_iova_fast: limit_pfn")
        self._check_cpu(cpu)
        if 0 < size < MAX_CACHED_PAGES:
            size = 1 << (size - 1).bit_length()
        if self.enabled and 0 < size <= MAX_CACHED_PAGES:
            pfn = self._get((size - 1).bit_length(), limit_pfn + 1 - size, cpu)
            if pfn:
                return pfn
        found = self.tree.alloc(size, limit_pfn, True)
        if found is None and flush_rcache:
            self.flush()
            found = self.tree.alloc(size, limit_pfn, True)
        return found or 0

    def free_iova_fast(self, pfn: int, size: int, cpu: int = 0) -> None:
        """Free the block of ``size`` pages at ``pfn``: into the cache of the class of ``size`` if there is one."""
        if pfn.__class__ is not int or size.__class__ is not int or pfn >> 64 or size >> 64:
            pfn, size = unsigned(pfn, "free_iova_fast: pfn"), unsigned(size, "free_iova_fast: size")
        self._check_cpu(cpu)
        if self.enabled and 0 < size <= MAX_CACHED_PAGES:
            self._put((size - 1).bit_length(), pfn, cpu)
        else:
            self.tree.free(pfn)

    def flush(self) -> None:
        """Return every cached block to the tree."""
        for cpu in range(len(self._caches)):
            self.flush_cpu(cpu)
        for depot in self._depots:
            while depot:
                self._release(depot.pop())

    def flush_cpu(self, cpu: int) -> None:
        """Return the magazines of one CPU to the tree (what CPU offline does)."""
        self._check_cpu(cpu)
        for cache in self._caches[cpu]:
            self._release(cache.loaded)
            self._release(cache.prev)

    def trim_depot(self) -> None:
        """One tick of the depot timer: every class with more full magazines than CPUs gives one back to the tree."""
        for depot in self._depots:
            if len(depot) > len(self._caches):
                self._release(depot.pop())

    def _check_cpu(self, cpu: int) -> None:
        if cpu.__class__ is not int or not 0 <= cpu < len(self._caches):
            raise ValueError(f"CPU {cpu!r}: there are {len(self._caches)}, give 0 to {len(self._caches) - 1}")

    def _get(self, order: int, highest: int, cpu: int) -> int:
        cache = self._caches[cpu][order]
        if not cache.loaded:
            if cache.prev:
                cache.loaded, cache.prev = cache.prev, cache.loaded
            elif self._depots[order]:
                cache.loaded = self._depots[order].pop()
            else:
                return 0
        loaded = cache.loaded
        if loaded[-1] <= highest:
            return loaded.pop()
        for index in range(len(loaded) - 2, -1, -1):
            if loaded[index] <= highest:
                pfn = loaded[index]
                loaded[index] = loaded.pop()
                return pfn
        return 0

    def _put(self, order: int, pfn: int, cpu: int) -> None:
        cache = self._caches[cpu][order]
        if len(cache.loaded) >= MAGAZINE_SIZE:
            if len(cache.prev) < MAGAZINE_SIZE:
                cache.loaded, cache.prev = cache.prev, cache.loaded
            else:
                self._depots[order].append(cache.loaded)
                cache.loaded = []
        cache.loaded.append(pfn)

    def _release(self, magazine: list[int]) -> None:
        for pfn in magazine:
            self.tree.free(pfn)
        magazine.clear()
