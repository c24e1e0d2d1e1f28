"""Host memory of the simulation behind the model's ``Memory`` protocol."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sluicegate.memory import MemoryAccessError, MemoryPoisonError

from tb.bridge.event_log import Actor
from tb.bridge.native import ActionKind, Native, NativeError


class NativeMemory:
    """Host memory as the CPU accesses it: reads see everything up to this cycle, each write enters the event log."""

    def __init__(self, native: Native) -> None:
        self._native = native
        self._regions = native.memory_regions()

    def read(self, address: int, length: int) -> bytes:
        data, status = self._native.read_memory(int(address), length)
        if status == 1:
            raise MemoryAccessError(int(address))
        if status == 2:
            raise MemoryPoisonError(int(address))
        return data

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        blob = data.tobytes() if isinstance(data, np.ndarray) else bytes(data)
        if not blob:
            return
        try:
            self._native.act(ActionKind.WRITE_MEMORY, int(address), Actor.CPU, blob=blob)
        except NativeError:
            raise MemoryAccessError(int(address), write=True) from None

    def view(self, address: int, length: int) -> NDArray[np.uint8]:
        address = int(address)
        for base, region in self._regions:
            if base <= address and address + length <= base + len(region):
                return region[address - base : address - base + length]
        snapshot = np.frombuffer(self.read(address, length), dtype=np.uint8)
        snapshot.flags.writeable = False
        return snapshot

    def read_u64(self, address: int) -> int:
        if int(address) & 7:
            raise ValueError(f"dword address {int(address):#x} is not 8-byte aligned")
        return int.from_bytes(self.read(address, 8), "little")

    def write_u64(self, address: int, value: int) -> None:
        if int(address) & 7:
            raise ValueError(f"dword address {int(address):#x} is not 8-byte aligned")
        self.write(address, value.to_bytes(8, "little"))

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        found = self.read_u64(address)
        if found == expected:
            self.write_u64(address, value)
        return found

    def gather_u64(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint64]:
        wanted = np.asarray(addresses, dtype=np.uint64)
        result = np.zeros(wanted.shape, dtype=np.uint64)
        missing = np.ones(wanted.shape, dtype=bool)
        for base, region in self._regions:
            inside = (wanted >= np.uint64(base)) & (wanted < np.uint64(base + len(region)))
            result[inside] = region.view("<u8")[(wanted[inside] - np.uint64(base)) >> np.uint64(3)]
            missing &= ~inside
        for index in np.flatnonzero(missing).tolist():
            result[index] = self.read_u64(int(wanted[index]))
        return result
