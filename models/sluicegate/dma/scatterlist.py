"""Scatterlists: lists of memory pieces to map in one call (``struct scatterlist``, ``struct sg_table``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sluicegate.address import DmaAddress
from sluicegate.arguments import instance, unsigned
from sluicegate.dma.backends.base import MAPPING_ERROR
from sluicegate.dma.cpu_buffer import CpuBuffer
from sluicegate.dma.pages import Page
from sluicegate.memory import PAGE_SIZE
from sluicegate.p2pdma.map_type import P2pdmaMapType


class SgEntry:
    """One piece of memory and, after a successful map, one *segment* for the device.

    The CPU side is ``page``, ``offset`` and ``length`` (bytes); the device side ``dma_address`` and ``dma_length``. The two
    sides of one entry need not describe the same bytes: segments are counted on their own.
    """

    __slots__ = ("dma_address", "dma_length", "is_bus_address", "length", "offset", "page")

    def __init__(self, page: Page, offset: int, length: int) -> None:
        self.page: Page = instance(page, (Page,), "SgEntry: page")
        self.offset = unsigned(offset, "SgEntry: offset")
        self.length = unsigned(length, "SgEntry: length")
        if not length:
            raise ValueError("SgEntry: length is 0: give a scatterlist entry at least one byte")
        self.dma_address = MAPPING_ERROR
        self.dma_length = 0
        self.is_bus_address = False

    @property
    def phys(self) -> int:
        """CPU physical address of the first byte (``sg_phys``)."""
        return int(self.page.phys) + self.offset

    def peer_map_type(self, device: object) -> P2pdmaMapType:
        """How ``device`` reaches the page; NONE for RAM."""
        provider = self.page.provider
        return P2pdmaMapType.NONE if provider is None else provider.map_type(device)

    def set_bus_address(self) -> None:
        """Make the entry a segment of its own on the peer's bus address, never seen by an IOMMU."""
        assert self.page.provider is not None
        self.dma_address = self.page.provider.bus_address(self.phys)
        self.dma_length = self.length
        self.is_bus_address = True

    def clear_dma(self) -> None:
        """No segment here."""
        self.dma_address = MAPPING_ERROR
        self.dma_length = 0
        self.is_bus_address = False

    def __repr__(self) -> str:
        return f"<SgEntry {self.phys:#x}+{self.length:#x} dma {self.dma_address:#x}+{self.dma_length:#x}>"


class Scatterlist:
    """An ordered list of entries, over which the CPU side and the device side are walked independently."""

    def __init__(self, entries: Iterable[SgEntry] = ()) -> None:
        self.entries: Final[list[SgEntry]] = list(entries)

    @classmethod
    def from_buffers(cls, buffers: Iterable[CpuBuffer]) -> Scatterlist:
        """One entry a buffer (``sg_set_buf``)."""
        return cls(SgEntry(buffer.page, buffer.page_offset, buffer.size) for buffer in buffers)

    @classmethod
    def from_pages(cls, pages: Iterable[Page], offset: int, size: int, max_segment: int = (1 << 32) - PAGE_SIZE) -> Scatterlist:
        """``size`` bytes from ``offset`` of the first page on; neighbouring pages share an entry of at most ``max_segment``."""
        result = cls()
        for page in pages:
            length = min(page.size - offset, size)
            if length <= 0:
                break
            last = result.entries[-1] if result.entries else None
            if (
                last is not None
                and last.phys + last.length == int(page.phys) + offset
                and last.page.provider is page.provider
                and last.length + length <= max_segment
            ):
                last.length += length
            else:
                result.entries.append(SgEntry(page, offset, length))
            size -= length
            offset = 0
        if size > 0:
            raise ValueError(f"the pages end {size} bytes before the scatterlist does")
        return result

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[SgEntry]:
        return iter(self.entries)

    def __getitem__(self, index: int) -> SgEntry:
        return self.entries[index]

    def segments(self, count: int) -> Iterator[tuple[DmaAddress, int]]:
        """The first ``count`` device segments as (address, bytes), ``count`` being what dma_map_sg returned."""
        for entry in self.entries[:count]:
            yield sg_dma_address(entry), sg_dma_len(entry)


class SgTable:
    """A scatterlist with its two counts: ``orig_nents`` entries of memory, ``nents`` segments for the device."""

    def __init__(self, sgl: Scatterlist, orig_nents: int | None = None) -> None:
        self.sgl: Final = sgl
        self.orig_nents = len(sgl) if orig_nents is None else orig_nents
        self.nents = 0

    def segments(self) -> Iterator[tuple[DmaAddress, int]]:
        """The device segments as (address, bytes)."""
        return self.sgl.segments(self.nents)


def sg_dma_address(entry: SgEntry) -> DmaAddress:
    """Device address of a segment."""
    return DmaAddress(entry.dma_address)


def sg_dma_len(entry: SgEntry) -> int:
    """Bytes of a segment; 0 for entries beyond the count."""
    return entry.dma_length


def sg_dma_is_bus_address(entry: SgEntry) -> bool:
    """Whether the segment is a peer's bus address."""
    return entry.is_bus_address
