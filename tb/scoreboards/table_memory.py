"""Memory as the walks of a judged translation see it: the replica, with dwords that may be read as one of several values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sluicegate.memory import Memory, MemoryAccessError, MemoryPoisonError
from sluicegate.platform import AddressMap

from tb.scoreboards.replica import Replica

Choices = Callable[[int], tuple[int, ...] | None]
"""Values that a walk may find in the dword at an address; None: what memory has."""


def no_choices(_: int) -> None:
    """Every dword has one value."""


class TableMemory(Memory):
    """``choices`` gives the values that a walk may find in a dword; ``chosen`` says which one this walk finds.

    A dword with choices that is read before it was chosen takes its first value and enters ``chosen``. Atomic updates succeed and
    change nothing but ``updates``. Addresses outside of RAM refuse access, as do those in ``access_faults``; both sets hold
    aligned dword addresses.
    """

    def __init__(self, replica: Replica, address_map: AddressMap, access_faults: set[int], poison: set[int]) -> None:
        self._replica = replica
        self._regions = address_map.ram
        self._access_faults = access_faults
        self._poison = poison
        self.choices: Choices = no_choices
        self.chosen: dict[int, int] = {}
        self.updates: list[int] = []

    def _check(self, address: int, length: int, write: bool = False) -> None:
        if not any(region.contains(address, length) for region in self._regions):
            raise MemoryAccessError(address, write)
        if self._access_faults or self._poison:
            dwords = range(address & ~7, address + length, 8)
            for dword in dwords:
                if dword in self._access_faults:
                    raise MemoryAccessError(dword, write)
            for dword in dwords:
                if dword in self._poison:
                    raise MemoryPoisonError(dword)

    def read_u64(self, address: int) -> int:
        address = int(address)
        self._check(address, 8)
        values = self.choices(address)
        return self._replica.read_u64(address) if values is None else self.chosen.setdefault(address, values[0])

    def read(self, address: int, length: int) -> bytes:
        self._check(address, length)
        return b"".join(self.read_u64(dword).to_bytes(8, "little") for dword in range(address, address + length, 8))

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        self._check(address, 8, write=True)
        self.updates.append(address)
        return expected

    def gather_u64(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint64]:
        inside = np.zeros(addresses.shape, np.bool_)
        for region in self._regions:
            inside |= (addresses - np.uint64(region.base)) < np.uint64(region.size)
        if not inside.all():
            raise MemoryAccessError(int(addresses[~inside][0]))
        if self._access_faults or self._poison:
            for address in addresses.reshape(-1).tolist():
                self._check(address, 8)
        return self._replica.gather_u64(addresses)

    def view(self, address: int, length: int) -> NDArray[np.uint8]:
        self._check(int(address), length)
        return self._replica.view(address, length)

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        raise TypeError("a walk changes its tables by atomic updates only")

    def write_u64(self, address: int, value: int) -> None:
        raise TypeError("a walk changes its tables by atomic updates only")
