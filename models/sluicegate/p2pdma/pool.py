"""The memory of one provider, given out in pages: first fit from the lowest page, newest resource first."""

from __future__ import annotations

from dataclasses import dataclass

from sluicegate.dma.errors import KernelBug
from sluicegate.memory import PAGE_SHIFT, PAGE_SIZE


@dataclass
class _Chunk:
    base: int
    used: bytearray

    @property
    def end(self) -> int:
        return self.base + (len(self.used) << PAGE_SHIFT)


class P2pmemPool:
    """Pages of peer memory by CPU physical address."""

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []

    @property
    def size(self) -> int:
        """Bytes in the pool."""
        return sum(len(chunk.used) for chunk in self._chunks) << PAGE_SHIFT

    @property
    def available(self) -> int:
        """Bytes that are free."""
        return sum(chunk.used.count(0) for chunk in self._chunks) << PAGE_SHIFT

    def add(self, base: int, size: int) -> None:
        """Add a resource."""
        self._chunks.insert(0, _Chunk(base, bytearray(size >> PAGE_SHIFT)))

    def alloc(self, size: int) -> int | None:
        """CPU physical address of ``size`` bytes, rounded up to pages, all in one resource; None when nothing fits."""
        pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT
        for chunk in self._chunks:
            first = chunk.used.find(bytes(pages)) if pages <= len(chunk.used) else -1
            if first >= 0:
                chunk.used[first : first + pages] = b"\x01" * pages
                return chunk.base + (first << PAGE_SHIFT)
        return None

    def free(self, address: int, size: int) -> None:
        """Give pages back. Raises :class:`KernelBug` for memory that is not of the pool or not allocated."""
        pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT
        for chunk in self._chunks:
            if chunk.base <= address < chunk.end:
                first = (address - chunk.base) >> PAGE_SHIFT
                if address + size > chunk.end or chunk.used[first : first + pages].count(0):
                    raise KernelBug(f"free of peer memory {address:#x}+{size:#x}: not all of it is allocated")
                chunk.used[first : first + pages] = bytes(pages)
                return
        raise KernelBug(f"free of peer memory {address:#x}: in no resource of this provider")
