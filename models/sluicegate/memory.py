"""Memory as everything in the project sees it: the :class:`Memory` protocol, and sparse pages of numpy for the model.

Addresses are CPU physical byte addresses (plain ``int`` or ``PhysicalAddress``), data is little-endian by address. A read of
memory that nobody wrote gives zeros. Writes go through methods only, never through a view: an implementation may have to
record each write (the testbench logs them), and a view that could write would escape it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

PAGE_SHIFT: Final = 12
PAGE_SIZE: Final = 1 << PAGE_SHIFT
_PAGE_MASK: Final = PAGE_SIZE - 1
_RUN_LENGTH_WORTHWHILE: Final = 16
"""Mean number of gathered dwords in a row from one page from which on pages are served one by one."""


class MemoryAccessError(Exception):
    """An access that the memory system refuses (no memory there, or an injected access fault)."""

    def __init__(self, address: int, write: bool = False) -> None:
        super().__init__(f"{'write to' if write else 'read of'} {address:#x}: no memory answers there")
        self.address = address
        self.write = write


class MemoryPoisonError(Exception):
    """A read that returned poisoned data."""

    def __init__(self, address: int) -> None:
        super().__init__(f"read of {address:#x} returned poison")
        self.address = address


@runtime_checkable
class Memory(Protocol):
    """Byte-addressed memory. Implementations: :class:`SparseMemory` here, the native host memory in the testbench."""

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes from ``address``. Raises MemoryAccessError or MemoryPoisonError."""

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        """Store ``data`` at ``address``, all of it or (on MemoryAccessError) none of it."""

    def view(self, address: int, length: int) -> NDArray[np.uint8]:
        """A read-only array of ``length`` bytes: zero-copy and live where the storage is contiguous, else a snapshot."""

    def read_u64(self, address: int) -> int:
        """The naturally aligned little-endian dword at ``address`` (8-byte aligned), single-copy atomic."""

    def write_u64(self, address: int, value: int) -> None:
        """Store a naturally aligned little-endian dword, single-copy atomic."""

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        """Atomically store ``value`` if the dword equals ``expected``; return the value found."""

    def gather_u64(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The aligned dwords at many addresses, shape ``[n]`` to ``[n]``. Raises as :meth:`read` for the first bad one."""


class SparseMemory:
    """Memory over a whole 64-bit space in 4 KiB pages that exist once written.

    ``access_fault`` and ``poison`` hold 8-byte aligned addresses of dwords that refuse access or return poison; an access
    fault is reported before poison, and a write heals poison.
    """

    def __init__(self) -> None:
        self._pages: dict[int, NDArray[np.uint8]] = {}
        self._dwords: dict[int, NDArray[np.uint64]] = {}
        self.access_fault: set[int] = set()
        self.poison: set[int] = set()

    @property
    def pages(self) -> tuple[int, ...]:
        """Base addresses of all pages that were ever written, ascending."""
        return tuple(sorted(number << PAGE_SHIFT for number in self._pages))

    def _check(self, address: int, length: int, write: bool) -> None:
        if address < 0 or length < 0 or address + length > 1 << 64:
            raise MemoryAccessError(address, write)
        if self.access_fault or self.poison:
            first, last = address & ~7, address + length
            for dword in range(first, last, 8):
                if dword in self.access_fault:
                    raise MemoryAccessError(dword, write)
            for dword in range(first, last, 8):
                if dword in self.poison:
                    if not write:
                        raise MemoryPoisonError(dword)
                    self.poison.discard(dword)

    def _page(self, number: int) -> NDArray[np.uint8]:
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = np.zeros(PAGE_SIZE, dtype=np.uint8)
            self._dwords[number] = page.view("<u8")
        return page

    def read(self, address: int, length: int) -> bytes:
        return self.view(address, length).tobytes()

    def view(self, address: int, length: int) -> NDArray[np.uint8]:
        address = int(address)
        self._check(address, length, write=False)
        offset = address & _PAGE_MASK
        if offset + length <= PAGE_SIZE:
            page = self._pages.get(address >> PAGE_SHIFT)
            result = np.zeros(length, dtype=np.uint8) if page is None else page[offset : offset + length]
        else:
            result = np.zeros(length, dtype=np.uint8)
            done = 0
            while done < length:
                offset = (address + done) & _PAGE_MASK
                count = min(PAGE_SIZE - offset, length - done)
                page = self._pages.get((address + done) >> PAGE_SHIFT)
                if page is not None:
                    result[done : done + count] = page[offset : offset + count]
                done += count
        result = result.view()
        result.flags.writeable = False
        return result

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        address = int(address)
        source = np.frombuffer(data, dtype=np.uint8)
        self._check(address, source.size, write=True)
        done = 0
        while done < source.size:
            offset = (address + done) & _PAGE_MASK
            count = min(PAGE_SIZE - offset, source.size - done)
            self._page((address + done) >> PAGE_SHIFT)[offset : offset + count] = source[done : done + count]
            done += count

    def read_u64(self, address: int) -> int:
        address = int(address)
        _require_aligned(address)
        if self.access_fault or self.poison:
            self._check(address, 8, write=False)
        dwords = self._dwords.get(address >> PAGE_SHIFT)
        return 0 if dwords is None else dwords.item((address & _PAGE_MASK) >> 3)

    def write_u64(self, address: int, value: int) -> None:
        _require_aligned(int(address))
        self.write(address, value.to_bytes(8, "little"))

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        found = self.read_u64(address)
        if found == expected:
            self.write_u64(address, value)
        return found

    def gather_u64(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint64]:
        wanted = np.asarray(addresses, dtype=np.uint64)
        result = np.zeros(wanted.shape, dtype=np.uint64)
        if wanted.size == 0:
            return result
        if int((wanted & np.uint64(7)).max()):
            raise ValueError("gather_u64 needs 8-byte aligned addresses")
        if self.access_fault or self.poison:
            for address in wanted.tolist():
                self._check(address, 8, write=False)
        numbers = wanted >> np.uint64(PAGE_SHIFT)
        offsets = (wanted & np.uint64(_PAGE_MASK)) >> np.uint64(3)
        starts = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
        if starts.size * _RUN_LENGTH_WORTHWHILE < wanted.size:
            bounds = [0, *starts.tolist(), wanted.size]
            for start, end in pairwise(bounds):
                dwords = self._dwords.get(int(numbers[start]))
                if dwords is not None:
                    result[start:end] = dwords[offsets[start:end]]
            return result
        distinct, inverse = np.unique(numbers, return_inverse=True)
        words = np.zeros((distinct.size, PAGE_SIZE // 8), dtype=np.uint64)
        for row, number in enumerate(distinct.tolist()):
            dwords = self._dwords.get(number)
            if dwords is not None:
                words[row] = dwords
        result[...] = words[inverse, offsets]
        return result


def _require_aligned(address: int) -> None:
    if address & 7:
        raise ValueError(f"dword address {address:#x} is not 8-byte aligned")
