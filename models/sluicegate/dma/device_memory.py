"""Per-device coherent memory (``dma_declare_coherent_memory``): when declared, the only source of coherent allocations."""

from __future__ import annotations

from typing import Final

from sluicegate.address import DmaAddress, PhysicalAddress
from sluicegate.arguments import validated
from sluicegate.dma.device import Device
from sluicegate.dma.errno import Errno
from sluicegate.memory import PAGE_SHIFT, PAGE_SIZE

LARGEST: Final = 64 << 30
"""Bytes of the largest memory (model policy: the allocator keeps a byte a page)."""


class DeviceCoherentMemory:
    """``pages`` pages at CPU physical ``phys``, at ``dma`` for the device; aligned first fit of power-of-two blocks."""

    def __init__(self, phys: int, dma: int, pages: int) -> None:
        self.phys: Final = phys
        self.dma: Final = dma
        self._used: Final = bytearray(pages)
        self._blocks: Final[dict[int, int]] = {}

    def contains(self, phys: int) -> bool:
        """Whether ``phys`` lies in the memory."""
        return 0 <= phys - self.phys < len(self._used) * PAGE_SIZE

    def alloc(self, size: int) -> tuple[int, int] | None:
        """(physical, device) address of a block of the order of ``size``; None when nothing fits."""
        pages = 1 << ((size - 1) >> PAGE_SHIFT).bit_length()
        for first in range(0, len(self._used) - pages + 1, pages):
            if not any(self._used[first : first + pages]):
                self._used[first : first + pages] = b"\x01" * pages
                offset = first << PAGE_SHIFT
                self._blocks[self.phys + offset] = pages
                return self.phys + offset, self.dma + offset
        return None

    def free(self, phys: int) -> None:
        """Give a block back."""
        pages = self._blocks.pop(phys)
        first = (phys - self.phys) >> PAGE_SHIFT
        self._used[first : first + pages] = bytes(pages)


@validated
def dma_declare_coherent_memory(dev: Device, phys: PhysicalAddress | int, dma: DmaAddress | int, size: int) -> int:
    """Give a device its own coherent memory: 0, -EINVAL for no whole page or over 64 GiB, -EBUSY when it has one."""
    dev.check_present()
    if size > LARGEST or size < PAGE_SIZE or (int(phys) | int(dma)) & (PAGE_SIZE - 1):
        return -Errno.EINVAL
    if dev.coherent_memory is not None:
        return -Errno.EBUSY
    dev.coherent_memory = DeviceCoherentMemory(int(phys), int(dma), size >> PAGE_SHIFT)
    return 0
