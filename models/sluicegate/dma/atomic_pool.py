"""Atomic pools: coherent memory for callers that may not sleep, set aside at boot, one pool a zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sluicegate.dma.attrs import Gfp
from sluicegate.dma.pages import OutOfMemory
from sluicegate.iova.tree import IovaTree
from sluicegate.memory import PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from sluicegate.dma.host import Host

_GIB: Final = 1 << 30
_MINIMUM: Final = 128 << 10


def default_pool_size(ram_bytes: int) -> int:
    """128 KiB per GiB of RAM, at least 128 KiB."""
    return max(_MINIMUM, (ram_bytes // _GIB) * _MINIMUM)


class AtomicPool:
    """One block of pages, given out in whole pages."""

    def __init__(self, phys: int, size: int) -> None:
        self.phys: Final = phys
        self.size: Final = size
        self._tree: Final = IovaTree(PAGE_SIZE, 1)

    def contains(self, phys: int) -> bool:
        """Whether ``phys`` lies in the pool."""
        return self.phys <= phys < self.phys + self.size

    def alloc(self, size: int) -> int | None:
        """Physical address of ``size`` bytes (whole pages), None when nothing fits."""
        # Page 0 of the tree is never given out, so the pool's page n is the tree's page n + 1.
        pfn = self._tree.alloc(size >> PAGE_SHIFT, self.size >> PAGE_SHIFT, False)
        return None if pfn is None else self.phys + ((pfn - 1) << PAGE_SHIFT)

    def free(self, phys: int) -> None:
        """Give pages back."""
        self._tree.free(((phys - self.phys) >> PAGE_SHIFT) + 1)


class AtomicPools:
    """The pools of a host: any memory, below 4 GiB, and ZONE_DMA where RAM reaches into it."""

    def __init__(self, host: Host, size: int | None = None) -> None:
        size = default_pool_size(sum(region.size for region in host.pages.ram)) if size is None else size
        self.kernel: Final = _pool(host, size, None)
        self.dma32: Final = _pool(host, size, (1 << 32) - 1)
        self.dma: Final = None if host.zone_dma_bits is None else _pool(host, size, (1 << host.zone_dma_bits) - 1)
        host.atomic_pools = self

    def search_order(self, gfp: Gfp) -> list[AtomicPool]:
        """The pools to try for an allocation, in order."""
        if gfp & Gfp.DMA:
            order = (self.dma, self.dma32, self.kernel)
        elif gfp & Gfp.DMA32:
            order = (self.dma32, self.dma, self.kernel)
        else:
            order = (self.kernel, self.dma32, self.dma)
        return [pool for pool in order if pool is not None]

    def owner(self, phys: int) -> AtomicPool | None:
        """The pool that ``phys`` belongs to."""
        return next((pool for pool in self.search_order(Gfp.KERNEL) if pool.contains(phys)), None)


def _pool(host: Host, size: int, limit: int | None) -> AtomicPool | None:
    try:
        return AtomicPool(int(host.pages.alloc(size, limit)), size)
    except OutOfMemory:
        return None
