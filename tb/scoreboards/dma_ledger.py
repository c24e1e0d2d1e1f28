"""The driver's ledger as a scoreboard keeps it: which DMA addresses a device may use, and what is behind them.

It is rebuilt from the driver's marks alone; no page table and no model of the IOMMU has a part in it.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field

PAGE_SHIFT = 12
TO_DEVICE = 1


@dataclass(slots=True)
class Mapping:
    """One mapping: ``segments`` are (physical address, length) in order. ``users``: transfers in flight that refer to it.

    ``revoked``: the driver has begun to unmap it; ``gone``: it has finished.
    """

    dma_address: int
    length: int
    segments: tuple[tuple[int, int], ...]
    direction: int
    users: int = 0
    revoked: bool = False
    gone: bool = False

    @property
    def writable(self) -> bool:
        return self.direction != TO_DEVICE

    def pieces(self, dma_address: int, length: int) -> list[tuple[int, int]]:
        """The physical (address, length) pieces behind a part of the mapping."""
        skip, found = dma_address - self.dma_address, []
        for physical, size in self.segments:
            if length == 0:
                break
            if skip >= size:
                skip -= size
                continue
            count = min(size - skip, length)
            found.append((physical + skip, count))
            length -= count
            skip = 0
        return found


@dataclass
class DeviceLedger:
    """Mappings of one device, and the physical bytes that it may write at this moment."""

    _starts: list[int] = field(default_factory=list)
    _mappings: dict[int, Mapping] = field(default_factory=dict)
    _writable: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def map(self, dma_address: int, segments: tuple[tuple[int, int], ...], direction: int) -> None:
        """Add a mapping. Raises ValueError when it overlaps a live one: then the allocator of the driver is wrong."""
        length = sum(size for _, size in segments)
        before = bisect_right(self._starts, dma_address)
        nearest = [self._mappings[start] for start in self._starts[max(before - 1, 0) : before + 1]]
        for other in nearest:
            if other.dma_address < dma_address + length and dma_address < other.dma_address + other.length:
                raise ValueError(f"mapping at {dma_address:#x} overlaps the one at {other.dma_address:#x}")
        mapping = Mapping(dma_address, length, segments, direction)
        self._mappings[dma_address] = mapping
        insort(self._starts, dma_address)
        if mapping.writable:
            for interval in segments:
                self.allow(*interval)

    def revoke(self, dma_address: int) -> None:
        """The driver begins to unmap: accesses may succeed or fail from here on. Raises KeyError."""
        self._mappings[dma_address].revoked = True

    def unmap(self, dma_address: int) -> Mapping:
        """Remove a mapping; what transfers in flight may still write goes with the last of them. Raises KeyError."""
        mapping = self._mappings.pop(dma_address)
        self._starts.remove(dma_address)
        mapping.revoked = mapping.gone = True
        if not mapping.users:
            self._forbid_all(mapping)
        return mapping

    def release(self, mapping: Mapping) -> None:
        """A transfer that referred to ``mapping`` has ended."""
        mapping.users -= 1
        if mapping.gone and not mapping.users:
            self._forbid_all(mapping)

    def _forbid_all(self, mapping: Mapping) -> None:
        if mapping.writable:
            for physical, length in mapping.segments:
                self.forbid(physical, length)

    def allow(self, physical: int, length: int) -> None:
        """The device may write these bytes."""
        for page in range(physical >> PAGE_SHIFT, (physical + length - 1 >> PAGE_SHIFT) + 1):
            self._writable.setdefault(page, []).append((physical, physical + length))

    def forbid(self, physical: int, length: int) -> None:
        """Take back one :meth:`allow`."""
        for page in range(physical >> PAGE_SHIFT, (physical + length - 1 >> PAGE_SHIFT) + 1):
            self._writable[page].remove((physical, physical + length))

    def may_write(self, physical: int, length: int) -> bool:
        """Are all these bytes (inside one page) in one range that the device may write?"""
        end = physical + length
        for start, stop in self._writable.get(physical >> PAGE_SHIFT, ()):  # noqa: SIM110 - once for each device write: keep it fast
            if start <= physical and end <= stop:
                return True
        return False

    def find(self, dma_address: int, length: int) -> Mapping | None:
        """The live mapping that covers the whole range, None when no single one does."""
        position = bisect_right(self._starts, dma_address) - 1
        if position < 0:
            return None
        mapping = self._mappings[self._starts[position]]
        return mapping if dma_address + length <= mapping.dma_address + mapping.length else None

    def page_is_mapped(self, dma_page: int) -> bool:
        """Does any live mapping touch the 4 KiB page with this number?"""
        first, end = dma_page << PAGE_SHIFT, (dma_page + 1) << PAGE_SHIFT
        position = bisect_right(self._starts, end - 1) - 1
        if position < 0:
            return False
        mapping = self._mappings[self._starts[position]]
        return mapping.dma_address + mapping.length > first
