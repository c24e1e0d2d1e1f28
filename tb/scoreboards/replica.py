"""The replica: host memory rebuilt from the MEMORY_WRITE records of the log, as it was at one position of the log.

It is a :class:`sluicegate.memory.Memory`: flat arrays for the two regions of RAM, sparse pages elsewhere (the IMSIC page, peer
windows), so that the golden model translates on it. Nothing but :meth:`Replica.apply` changes it in a scoreboard.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sluicegate.memory import Memory, SparseMemory
from sluicegate.platform import ADDRESS_MAP, AddressMap, Region

from tb.bridge.event_log import EventArray, EventFlag, EventKind, LogBatch

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]

MANY = 12
"""Writes that cost less together than one by one."""


class _Flat:
    """A region of RAM as one array, with the views that make copies and gathers cheap."""

    def __init__(self, region: Region) -> None:
        self.base = region.base
        self.end = region.end
        self.bytes: NDArray[np.uint8] = np.zeros(region.size, dtype=np.uint8)
        self.words: NDArray[np.uint64] = self.bytes.view("<u8")
        self.store = self.bytes.data


class Replica(Memory):
    """Host memory at one position of the log; everything is zero at its beginning."""

    def __init__(self, address_map: AddressMap = ADDRESS_MAP) -> None:
        self._low = _Flat(address_map.low_ram)
        self._high = _Flat(address_map.high_ram)
        self._sparse = SparseMemory()

    def apply(self, batch: LogBatch, start: int = 0, stop: int | None = None) -> None:
        """Apply the memory writes among the records ``start:stop`` of ``batch``."""
        self.apply_writes(batch, memory_writes(batch.records[start:stop]))

    def apply_writes(self, batch: LogBatch, writes: EventArray) -> None:
        """Apply MEMORY_WRITE records of ``batch``, already chosen with :func:`memory_writes`."""
        starts = (writes["payload"] - np.uint64(batch.payload_base)).astype(np.intp)
        if writes.size >= MANY and self._store_apart(writes["address"], writes["length"], batch.payload, starts):
            return
        source = batch.payload.data
        for address, start, length in zip(writes["address"].tolist(), starts.tolist(), writes["length"].tolist(), strict=True):
            self.store(address, source[start : start + length])

    def _store_apart(self, address: U64, length: U32, source: U8, starts: NDArray[np.intp]) -> bool:
        """Store many writes at once, which their order must not matter for: False, and nothing stored, when some overlap or not
        all lie in one region of RAM."""
        order = np.argsort(address)
        first = address[order]
        end = first + length[order]
        if (end[:-1] > first[1:]).any():
            return False
        flat = self._region(int(first[0]), int(end[-1] - first[0]))
        if flat is None:
            return False
        offsets = (address - np.uint64(flat.base)).astype(np.intp)
        for size in np.unique(length).tolist():
            rows = np.flatnonzero(length == size)
            if size:
                windows(flat.bytes, size)[offsets[rows]] = windows(source, size)[starts[rows]]
        return True

    def store(self, address: int, data: memoryview) -> None:
        """:meth:`write` for the bytes of one record, without its checks."""
        end = address + len(data)
        high, low = self._high, self._low
        if high.base <= address and end <= high.end:
            high.store[address - high.base : end - high.base] = data
        elif low.base <= address and end <= low.end:
            low.store[address - low.base : end - low.base] = data
        else:
            self._sparse.write(address, data)

    def _region(self, address: int, length: int) -> _Flat | None:
        for flat in (self._high, self._low):
            if flat.base <= address and address + length <= flat.end:
                return flat
        return None

    def read(self, address: int, length: int) -> bytes:
        return self.view(address, length).tobytes()

    def view(self, address: int, length: int) -> NDArray[np.uint8]:
        address = int(address)
        flat = self._region(address, length)
        if flat is None:
            return self._sparse.view(address, length)
        view = flat.bytes[address - flat.base :][:length]
        view.flags.writeable = False
        return view

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        address = int(address)
        source = np.frombuffer(data, dtype=np.uint8)
        flat = self._region(address, source.size)
        if flat is None:
            self._sparse.write(address, source)
        else:
            flat.bytes[address - flat.base :][: source.size] = source

    def read_u64(self, address: int) -> int:
        address = int(address)
        flat = self._region(address, 8)
        if flat is None or address & 7:
            return self._sparse.read_u64(address)
        return int(flat.words[(address - flat.base) >> 3])

    def write_u64(self, address: int, value: int) -> None:
        if int(address) & 7:
            raise ValueError(f"dword address {address:#x} is not 8-byte aligned")
        self.write(address, value.to_bytes(8, "little"))

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        found = self.read_u64(address)
        if found == expected:
            self.write_u64(address, value)
        return found

    def gather_u64(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint64]:
        wanted = np.asarray(addresses, dtype=np.uint64)
        if wanted.size and int((wanted & np.uint64(7)).max()):
            raise ValueError("gather_u64 needs 8-byte aligned addresses")
        result = np.zeros(wanted.shape, dtype=np.uint64)
        elsewhere = np.ones(wanted.shape, dtype=np.bool_)
        for flat in (self._high, self._low):
            offset = wanted - np.uint64(flat.base)
            inside = offset < np.uint64(flat.end - flat.base)
            if inside.all():
                return flat.words[(offset >> np.uint64(3)).astype(np.intp)]
            result[inside] = flat.words[(offset[inside] >> np.uint64(3)).astype(np.intp)]
            elsewhere &= ~inside
        if elsewhere.any():
            result[elsewhere] = self._sparse.gather_u64(wanted[elsewhere])
        return result


def windows(buffer: U8, size: int) -> U8:
    """All runs of ``size`` bytes of ``buffer`` as rows of one view, shape ``[n, size]``, by their position."""
    return np.lib.stride_tricks.as_strided(buffer, (buffer.size - size + 1, size), (1, 1))


def memory_writes(records: EventArray) -> EventArray:
    """The MEMORY_WRITE records that changed memory, in order."""
    chosen: EventArray = records[(records["kind"] == EventKind.MEMORY_WRITE) & ((records["flags"] & EventFlag.FAILED) == 0)]
    return chosen
