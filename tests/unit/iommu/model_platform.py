"""A machine that consists of memory and the register-level IOMMU: enough to run its driver."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sluicegate.iommu import Capabilities
from sluicegate.iommu.ats import InvalidateRequest
from sluicegate.iommu.commands import COMMAND_BYTES
from sluicegate.iommu.device import IommuDevice
from sluicegate.memory import SparseMemory
from sluicegate.platform import ADDRESS_MAP, WIRED_INTERRUPT_BASE, AddressMap, Bdf

from tests.unit.iommu.scenario import FULL


class EventMemory(SparseMemory):
    """Memory that notes dword stores and commands (and register writes) in order, and takes the IMSIC page for interrupts."""

    def __init__(self, interrupts: Counter[int]) -> None:
        super().__init__()
        self._interrupts = interrupts
        self.stores: list[tuple[int, int]] = []

    def write_u64(self, address: int, value: int) -> None:
        self.stores.append((address, value))
        super().write_u64(address, value)

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        if ADDRESS_MAP.imsic.contains(address):
            self._interrupts[int.from_bytes(bytes(data), "little")] += 1
        else:
            if len(data) == COMMAND_BYTES:
                self.stores.append((address, 0))
            super().write(address, data)


class Pages:
    """Page allocator that remembers what is out, so that leaks and double frees show."""

    def __init__(self, base: int = ADDRESS_MAP.low_ram.base, limit: int | None = None) -> None:
        self._next = base
        self.limit = limit
        self.live: dict[int, int] = {}
        self.freed: list[int] = []

    def alloc(self, size: int) -> int:
        from sluicegate.dma.pages import OutOfMemory

        if self.limit is not None and len(self.live) >= self.limit:
            raise OutOfMemory("no pages")
        self._next = (self._next + size - 1) // size * size
        address = self._next
        self._next += size
        self.live[address] = size
        return address

    def free(self, phys: int) -> None:
        del self.live[phys]
        self.freed.append(phys)


class ModelPlatform:
    """Implements :class:`sluicegate.platform.Platform`; time passes only while somebody waits."""

    def __init__(self, capabilities: int = FULL, big_endian: bool = False) -> None:
        self.interrupts: Counter[int] = Counter()
        self.memory = EventMemory(self.interrupts)
        self.invalidates: list[InvalidateRequest] = []
        self.iommu = IommuDevice(
            Capabilities(capabilities),
            self.memory,
            set_wire=self._wire,
            send_invalidate=self._invalidate,
            big_endian=big_endian,
            vector_bits=2,
        )
        self.time = 0
        self.barriers = 0

    @property
    def address_map(self) -> AddressMap:
        return ADDRESS_MAP

    def _wire(self, line: int, level: bool) -> None:
        if level:
            self.interrupts[WIRED_INTERRUPT_BASE + line] += 1

    def _invalidate(self, message: InvalidateRequest) -> None:
        """Every device drops its translations at once."""
        self.invalidates.append(message)
        self.iommu.complete_invalidation(message.device_id, 1 << message.itag)

    def mmio_read(self, address: int, width: int) -> int:
        region = ADDRESS_MAP.iommu_registers
        if not region.contains(address):
            return (1 << 8 * width) - 1
        return self.iommu.read_register(address - region.base, width)

    def mmio_write(self, address: int, value: int, width: int) -> None:
        region = ADDRESS_MAP.iommu_registers
        if region.contains(address):
            self.memory.stores.append((address, value))
            self.iommu.write_register(address - region.base, value, width)

    def config_read(self, function: Bdf, offset: int, width: int) -> int:
        return (1 << 8 * width) - 1

    def config_write(self, function: Bdf, offset: int, value: int, width: int) -> None:
        """No function answers."""

    def wait_irq(self, identity: int, timeout: int) -> bool:
        if self.interrupts[identity]:
            self.interrupts[identity] -= 1
            return True
        self.time += timeout
        return False

    def wait_until(self, condition: Callable[[], bool], timeout: int) -> bool:
        end = self.time + timeout
        while not condition():
            if self.time >= end:
                return False
            self.time += max(64, timeout // 4)
        return True

    def memory_barrier(self) -> None:
        self.barriers += 1
        self.memory.stores.append((-1, 0))
