"""CPU stores that become visible to devices late and out of order, until a write barrier (specification DMA_API, section 6).

Consistent memory does not order the CPU's stores: a driver needs a barrier between the body of a descriptor and its valid bit,
and before the doorbell. With a store buffer a missing barrier shows as a valid bit without its descriptor.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sluicegate.memory import Memory

if TYPE_CHECKING:
    from sluicegate.dma.host import Host


class StoreBuffer:
    """Up to ``depth`` pending CPU stores in front of ``memory``; implements :class:`~sluicegate.memory.Memory` for the CPU.

    The CPU reads its own stores at once. Each store beyond the depth lets one pending store through, drawn from ``seed`` among
    those that no older store overlaps.
    """

    def __init__(self, memory: Memory, seed: int = 0, depth: int = 8) -> None:
        if depth < 1:
            raise ValueError(f"a store buffer of depth {depth}: at least one store is needed")
        self.memory: Final = memory
        self.depth: Final = depth
        self._random: Final = random.Random(seed)
        self._pending: list[tuple[int, bytes]] = []

    def __len__(self) -> int:
        return len(self._pending)

    def drain(self) -> None:
        """Make every pending store visible, in program order: a write barrier."""
        for address, data in self._pending:
            self.memory.write(address, data)
        self._pending.clear()

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        """A CPU store: visible to devices some time later."""
        self._pending.append((int(address), np.frombuffer(data, dtype=np.uint8).tobytes()))
        if len(self._pending) > self.depth:
            free = [place for place in range(len(self._pending)) if not self._overlaps_older(place)]
            chosen, store = self._pending.pop(self._random.choice(free))
            self.memory.write(chosen, store)

    def _overlaps_older(self, place: int) -> bool:
        address, data = self._pending[place]
        return any(start < address + len(data) and address < start + len(older) for start, older in self._pending[:place])

    def read(self, address: int, length: int) -> bytes:
        """What the CPU sees: memory under its own pending stores."""
        address = int(address)
        result = bytearray(self.memory.read(address, length))
        for start, data in self._pending:
            first, last = max(address, start), min(address + length, start + len(data))
            if first < last:
                result[first - address : last - address] = data[first - start : last - start]
        return bytes(result)

    def view(self, address: int, length: int) -> NDArray[np.uint8]:
        """A read-only snapshot of what the CPU sees."""
        return np.frombuffer(self.read(address, length), dtype=np.uint8)

    def read_u64(self, address: int) -> int:
        """The aligned dword the CPU sees."""
        _require_aligned(address)
        return int.from_bytes(self.read(address, 8), "little")

    def write_u64(self, address: int, value: int) -> None:
        """Store an aligned dword."""
        _require_aligned(address)
        self.write(address, value.to_bytes(8, "little"))

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        """An atomic is a full barrier."""
        self.drain()
        return self.memory.compare_exchange_u64(address, expected, value)

    def gather_u64(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The aligned dwords at many addresses."""
        wanted = np.asarray(addresses, dtype=np.uint64)
        return np.array([self.read_u64(address) for address in wanted.ravel().tolist()], dtype=np.uint64).reshape(wanted.shape)


def _require_aligned(address: int) -> None:
    if int(address) & 7:
        raise ValueError(f"dword address {int(address):#x} is not 8-byte aligned")


def dma_wmb(host: Host) -> None:
    """Order all earlier CPU stores before all later ones, as devices see them (also ``wmb``; a register write implies it)."""
    host.write_barrier()
