"""What a driver's pointer is in the model: a range of host memory that the CPU reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sluicegate.address import PhysicalAddress
from sluicegate.dma.pages import Page
from sluicegate.memory import PAGE_SIZE, Memory

if TYPE_CHECKING:
    from sluicegate.dma.host import Host


class CpuBuffer:
    """``size`` bytes at ``phys`` in the linear map of ``host``. Slicing gives a buffer inside it.

    Every access passes the ownership check of dma-debug, and the CPU cache where the host has one and the mapping of the
    buffer is not ``uncached`` (coherent memory of a non-coherent device).
    """

    __slots__ = ("host", "phys", "size", "uncached")

    def __init__(self, host: Host, phys: PhysicalAddress, size: int, uncached: bool = False) -> None:
        self.host = host
        self.phys = phys
        self.size = size
        self.uncached = uncached

    @property
    def _memory(self) -> Memory:
        return self.host.uncached_memory if self.uncached else self.host.cpu_memory

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> CpuBuffer:
        start, stop, step = part.indices(self.size)
        if step != 1 or stop <= start:
            raise ValueError(f"a part of a buffer is a non-empty forward slice, not {part}")
        return type(self)(self.host, self.phys + start, stop - start, self.uncached)

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ValueError(f"bytes {offset} to {offset + length} are outside a buffer of {self.size} bytes")

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes as the CPU sees them."""
        length = self.size - offset if length is None else length
        self._check(offset, length)
        self.host.check_cpu_access(int(self.phys) + offset, length, write=False)
        return self._memory.read(int(self.phys) + offset, length)

    def write(self, data: bytes | bytearray | memoryview | NDArray[np.uint8], offset: int = 0) -> None:
        """Store ``data`` at ``offset``."""
        length = np.frombuffer(data, dtype=np.uint8).size
        self._check(offset, length)
        self.host.check_cpu_access(int(self.phys) + offset, length, write=True)
        self._memory.write(int(self.phys) + offset, data)

    def array(self) -> NDArray[np.uint8]:
        """A read-only array of the bytes as the CPU sees them."""
        self.host.check_cpu_access(int(self.phys), self.size, write=False)
        return self._memory.view(int(self.phys), self.size)

    @property
    def page(self) -> Page:
        """The page that holds the first byte (``virt_to_page``)."""
        return Page(PhysicalAddress(int(self.phys) & -PAGE_SIZE))

    @property
    def page_offset(self) -> int:
        """Offset of the first byte in :attr:`page` (``offset_in_page``)."""
        return int(self.phys) & (PAGE_SIZE - 1)

    def __repr__(self) -> str:
        return f"<CpuBuffer {int(self.phys):#x}+{self.size:#x}>"


class CookieBuffer(CpuBuffer):
    """Memory that the CPU has not mapped (``DMA_ATTR_NO_KERNEL_MAPPING``): only a cookie for the free."""

    __slots__ = ()

    @property
    def _memory(self) -> Memory:
        raise TypeError(f"{self!r} has no CPU mapping: give dma_alloc_attrs no NO_KERNEL_MAPPING to access it")


class VmallocBuffer:
    """Virtually contiguous memory of scattered pages (``vmalloc``): map it page by page, never as a whole."""

    __slots__ = ("host", "pages", "size")

    def __init__(self, host: Host, pages: Sequence[Page], size: int) -> None:
        self.host = host
        self.pages = tuple(pages)
        self.size = size
