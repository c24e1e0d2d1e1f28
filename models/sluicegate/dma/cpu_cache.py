"""A write-back CPU cache in front of host memory: the second copy that non-coherent devices do not see.

The CPU reads and writes through it, a non-coherent device reads and writes memory itself. A missing sync therefore shows as
stale bytes, and a device write to a line that the CPU has dirty is lost when the line is written back later: the neighbour
corruption of buffers that share a line.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sluicegate.dma.direction import DmaDirection
from sluicegate.memory import Memory


class CpuCache:
    """An unbounded cache of whole lines over ``memory``; implements :class:`~sluicegate.memory.Memory` for the CPU."""

    def __init__(self, memory: Memory, line_bytes: int = 64) -> None:
        if line_bytes < 8 or line_bytes & (line_bytes - 1):
            raise ValueError(f"cache line of {line_bytes} bytes: a power of two of at least 8 is needed")
        self.memory: Final = memory
        self.line_bytes: Final = line_bytes
        self._lines: dict[int, bytearray] = {}
        self._dirty: set[int] = set()

    def _line(self, base: int) -> bytearray:
        line = self._lines.get(base)
        if line is None:
            line = self._lines[base] = bytearray(self.memory.read(base, self.line_bytes))
        return line

    def _bases(self, address: int, length: int) -> range:
        return range(address & -self.line_bytes, address + length, self.line_bytes)

    def read(self, address: int, length: int) -> bytes:
        """What the CPU sees: cached lines win, others are fetched."""
        address = int(address)
        joined = b"".join(self._line(base) for base in self._bases(address, length))
        start = address & (self.line_bytes - 1)
        return joined[start : start + length]

    def view(self, address: int, length: int) -> NDArray[np.uint8]:
        """A read-only snapshot of what the CPU sees."""
        return np.frombuffer(self.read(address, length), dtype=np.uint8)

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        """A CPU store: the line becomes dirty, memory keeps the old bytes."""
        address = int(address)
        source = np.frombuffer(data, dtype=np.uint8).tobytes()
        for base in self._bases(address, len(source)):
            first, last = max(address, base), min(address + len(source), base + self.line_bytes)
            self._line(base)[first - base : last - base] = source[first - address : last - address]
            self._dirty.add(base)

    def write_back(self, address: int, length: int) -> None:
        """Clean the lines of the range: dirty ones reach memory and stay cached (before the device reads)."""
        for base in self._bases(address, length):
            if base in self._dirty:
                self._dirty.remove(base)
                self.memory.write(base, self._lines[base])

    def invalidate(self, address: int, length: int) -> None:
        """Drop the lines of the range; a dirty line that the range covers only in part is written back first."""
        for base in self._bases(address, length):
            if base in self._dirty:
                if base < address or base + self.line_bytes > address + length:
                    self.memory.write(base, self._lines[base])
                self._dirty.remove(base)
            self._lines.pop(base, None)

    def sync_for_device(self, address: int, length: int, direction: DmaDirection) -> None:
        """Hand the range to a non-coherent device: memory gets the CPU's bytes, what it may write leaves the cache."""
        self.write_back(address, length)
        if direction is not DmaDirection.TO_DEVICE:
            self.invalidate(address, length)

    def sync_for_cpu(self, address: int, length: int, direction: DmaDirection) -> None:
        """Take the range back from a non-coherent device that may have written it."""
        if direction is not DmaDirection.TO_DEVICE:
            self.invalidate(address, length)

    def snoop_read(self, address: int, length: int) -> None:
        """A coherent device reads the range: dirty lines reach memory."""
        self.write_back(address, length)

    def snoop_write(self, address: int, length: int) -> None:
        """A coherent device is about to write the range: no copy stays."""
        self.write_back(address, length)
        for base in self._bases(address, length):
            self._lines.pop(base, None)

    def read_u64(self, address: int) -> int:
        """The aligned dword the CPU sees."""
        _require_aligned(address)
        return int.from_bytes(self.read(address, 8), "little")

    def write_u64(self, address: int, value: int) -> None:
        """Store an aligned dword."""
        _require_aligned(address)
        self.write(address, value.to_bytes(8, "little"))

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        """Store ``value`` if the dword equals ``expected``; return the value found."""
        found = self.read_u64(address)
        if found == expected:
            self.write_u64(address, value)
        return found

    def gather_u64(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The aligned dwords at many addresses."""
        wanted = np.asarray(addresses, dtype=np.uint64)
        return np.array([self.read_u64(address) for address in wanted.ravel().tolist()], dtype=np.uint64).reshape(wanted.shape)


def _require_aligned(address: int) -> None:
    if int(address) & 7:
        raise ValueError(f"dword address {int(address):#x} is not 8-byte aligned")
