"""Pages of host RAM and the page allocator (``alloc_pages``, ``kmalloc``) that drivers get their buffers from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from sluicegate.address import PhysicalAddress
from sluicegate.arguments import unsigned
from sluicegate.iova.tree import IovaTree
from sluicegate.memory import PAGE_SHIFT, PAGE_SIZE
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.platform import Region

_SLAB_CLASSES: Final = tuple(1 << order for order in range(3, PAGE_SHIFT))


class PeerMemoryProvider(Protocol):
    """What the DMA API asks the provider of peer memory (``struct p2pdma_provider``)."""

    def map_type(self, device: object) -> P2pdmaMapType:
        """How ``device`` reaches this memory."""

    def bus_address(self, phys: int) -> int:
        """The bus address of a CPU physical address of this provider."""


@dataclass(frozen=True, slots=True)
class Page:
    """Physically contiguous memory from a page boundary on: ``size`` bytes (a compound page when more than one page).

    ``provider`` is set for pages of peer memory (a BAR), None for RAM.
    """

    phys: PhysicalAddress
    size: int = PAGE_SIZE
    provider: PeerMemoryProvider | None = None


class OutOfMemory(Exception):
    """No pages are left that fit."""


class PageAllocator:
    """Allocates page-granular, naturally aligned RAM, and small objects cut from pages.

    A block of n pages starts on a multiple of n rounded up to a power of two. Deterministic: the same calls give the same
    addresses. Contents are not cleared.
    """

    def __init__(self, ram: Iterable[Region], kmalloc_minalign: int = 8) -> None:
        self.ram: Final = tuple(sorted(ram, key=lambda region: region.base))
        if not self.ram:
            raise ValueError("a host needs at least one region of RAM")
        self._ranges: Final = tuple((region.base, region.end) for region in self.ram)
        self.kmalloc_minalign: Final = max(8, kmalloc_minalign)
        self._tree: Final = IovaTree(PAGE_SIZE, 1)
        end = 0
        for region in self.ram:
            if (region.base | region.size) & (PAGE_SIZE - 1) or region.size <= 0 or region.base < end:
                raise ValueError(f"RAM region {region} is empty, overlaps another or is not page aligned")
            if region.base > end:
                self._tree.reserve(end >> PAGE_SHIFT, (region.base >> PAGE_SHIFT) - 1)
            end = region.end
        self._last_pfn: Final = (end >> PAGE_SHIFT) - 1
        self._blocks: dict[int, int] = {}
        self._small: dict[int, int] = {}
        self._slab_free: dict[int, list[int]] = {size: [] for size in _SLAB_CLASSES}
        self._slab_pages: dict[int, int] = {}

    @property
    def allocated_bytes(self) -> int:
        """Bytes that callers hold (slab pages count by their live objects)."""
        return sum(self._blocks.values()) - len(self._slab_pages) * PAGE_SIZE + sum(self._small.values())

    @property
    def last_page(self) -> int:
        """Physical address of the last page of RAM."""
        return self._last_pfn << PAGE_SHIFT

    def is_ram(self, phys: int) -> bool:
        """Whether RAM answers at ``phys``."""
        for base, end in self._ranges:  # noqa: SIM110 (on the mapping path a generator would cost more than the test)
            if base <= phys < end:
                return True
        return False

    def reserve(self, region: Region) -> None:
        """Keep a part of RAM from being allocated (boot code, an image). Call before the first allocation there."""
        self._tree.reserve(region.base >> PAGE_SHIFT, (region.end - 1) >> PAGE_SHIFT)

    def alloc(self, size: int, limit: int | None = None) -> PhysicalAddress:
        """Allocate ``size`` bytes in whole pages, every byte at or below ``limit``. Raises :class:`OutOfMemory`."""
        size = unsigned(size, "allocation: size")
        if not size:
            raise ValueError("an allocation of 0 bytes: give at least one")
        pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT
        last = self._last_pfn if limit is None else min(self._last_pfn, ((limit + 1) >> PAGE_SHIFT) - 1)
        pfn = self._tree.alloc(pages, last, True) if last > 0 else None
        if pfn is None:
            bound = "" if limit is None else f" at or below {limit:#x}"
            raise OutOfMemory(f"no {pages} contiguous free pages{bound}")
        phys = PhysicalAddress(pfn << PAGE_SHIFT)
        self._blocks[int(phys)] = pages << PAGE_SHIFT
        return phys

    def free(self, phys: int) -> None:
        """Give a block of :meth:`alloc` back. Raises ValueError for any other address."""
        if int(phys) not in self._blocks or int(phys) in self._slab_pages:
            raise ValueError(f"no page block starts at {int(phys):#x}: freed twice, or never allocated")
        del self._blocks[int(phys)]
        self._tree.free(int(phys) >> PAGE_SHIFT)

    def alloc_page(self, size: int = PAGE_SIZE, limit: int | None = None) -> Page:
        """Allocate a (compound) page."""
        phys = self.alloc(size, limit)
        return Page(phys, self._blocks[int(phys)])

    def kmalloc(self, size: int) -> PhysicalAddress:
        """Allocate ``size`` bytes; a power-of-two size is naturally aligned. Large sizes get whole pages."""
        size = unsigned(size, "allocation: size")
        if not size:
            raise ValueError("an allocation of 0 bytes: give at least one")
        bucket = max(self.kmalloc_minalign, 1 << (size - 1).bit_length())
        if bucket >= PAGE_SIZE:
            return self.alloc(size)
        free = self._slab_free[bucket]
        if not free:
            page = int(self.alloc(PAGE_SIZE))
            self._slab_pages[page] = bucket
            free.extend(range(page + PAGE_SIZE - bucket, page - 1, -bucket))
        phys = free.pop()
        self._small[phys] = bucket
        return PhysicalAddress(phys)

    def kfree(self, phys: int) -> None:
        """Free memory of :meth:`kmalloc`. Raises ValueError for any other address."""
        phys = int(phys)
        bucket = self._small.pop(phys, None)
        if bucket is None:
            self.free(phys)
        else:
            self._slab_free[bucket].append(phys)
