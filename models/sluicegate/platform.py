"""The :class:`Platform` protocol: the machine as driver code sees it, and its physical address map.

A driver or a sequence written against it runs unchanged on the register-level model (no simulator) and on the RTL. Calls block
the driver, never the machine: model time and clocks go on whenever anything is in flight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, Self, runtime_checkable

from sluicegate.memory import Memory
from sluicegate.registers.completion import StatusCode


@dataclass(frozen=True, slots=True, order=True)
class Bdf:
    """Bus, device and function number of a PCI function; its 16-bit encoding is the requester ID."""

    bus: int
    device: int
    function: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.bus < 256 and 0 <= self.device < 32 and 0 <= self.function < 8):
            raise ValueError(f"no such PCI function: bus {self.bus}, device {self.device}, function {self.function}")

    @property
    def requester_id(self) -> int:
        return self.bus << 8 | self.device << 3 | self.function

    @classmethod
    def from_requester_id(cls, requester_id: int) -> Self:
        return cls(requester_id >> 8, requester_id >> 3 & 31, requester_id & 7)

    def __str__(self) -> str:
        return f"{self.bus:02x}:{self.device:02x}.{self.function}"


@dataclass(frozen=True, slots=True)
class Region:
    """A half-open range ``[base, base + size)`` of physical addresses, in bytes."""

    base: int
    size: int

    @property
    def end(self) -> int:
        return self.base + self.size

    def contains(self, address: int, length: int = 1) -> bool:
        return self.base <= address and address + length <= self.end


@dataclass(frozen=True, slots=True)
class AddressMap:
    """Where things are in the simulated machine; CPU physical and PCI bus addresses are equal (no bus offset)."""

    iommu_registers: Region = Region(0x1001_0000, 0x1000)
    imsic: Region = Region(0x2800_0000, 0x1000)
    mmio32: Region = Region(0x4000_0000, 0x2000_0000)
    """Non-prefetchable bridge windows: BAR0 of the endpoints."""
    low_ram: Region = Region(0x8000_0000, 0x0400_0000)
    """64 MiB below 4 GiB: reached with 3 DW headers."""
    high_ram: Region = Region(0x10_0000_0000, 0x0400_0000)
    """64 MiB above 4 GiB: reached with 4 DW headers."""
    mmio64: Region = Region(0x40_0000_0000, 0x40_0000_0000)
    """Prefetchable bridge windows: BAR2 (local memory) of the endpoints."""

    @property
    def ram(self) -> tuple[Region, ...]:
        return self.low_ram, self.high_ram


ADDRESS_MAP: Final = AddressMap()

WIRED_INTERRUPT_BASE: Final = 0x700
"""Interrupt identity of the IOMMU's wired line 0: a wire is delivered as identity ``WIRED_INTERRUPT_BASE + line``."""


class PlatformTimeout(Exception):
    """A register or configuration access that no completion answered."""


@runtime_checkable
class ReadFailures(Protocol):
    """A platform whose host memory can be told to fail."""

    def fail_reads(self, region: Region, status: StatusCode) -> None:
        """From now on reads of devices that begin in ``region`` (host memory) are refused, poisoned, or never answered.

        ``status``: what the requester must report: UNSUPPORTED_REQUEST, COMPLETER_ABORT, POISONED or COMPLETION_TIMEOUT.
        """


@dataclass(frozen=True)
class WordIs:
    """The condition that a 32-bit word of memory, naturally aligned, has the value ``expected`` (4 bytes).

    A platform may watch the word of such a condition instead of asking it again and again.
    """

    memory: Memory
    address: int
    expected: bytes

    def __call__(self) -> bool:
        return self.memory.read(self.address, 4) == self.expected


class Platform(Protocol):
    """A machine: host memory, MMIO, PCI configuration, interrupts and time (in clock cycles)."""

    @property
    def memory(self) -> Memory:
        """Host memory, addressed by CPU physical address."""

    @property
    def address_map(self) -> AddressMap:
        """The physical address map."""

    @property
    def time(self) -> int:
        """Clock cycles since reset; it only grows."""

    def mmio_read(self, address: int, width: int) -> int:
        """Read ``width`` (4 or 8) bytes, naturally aligned; all ones when nothing answers (as a real CPU sees it)."""

    def mmio_write(self, address: int, value: int, width: int) -> None:
        """Posted write of ``width`` (4 or 8) bytes: returns before it arrives; a later read of the same device flushes it."""

    def config_read(self, function: Bdf, offset: int, width: int) -> int:
        """Read 1, 2 or 4 bytes of configuration space; all ones when no function answers."""

    def config_write(self, function: Bdf, offset: int, value: int, width: int) -> None:
        """Write 1, 2 or 4 bytes of configuration space and wait for its completion."""

    def wait_irq(self, identity: int, timeout: int) -> bool:
        """Wait until interrupt ``identity`` is pending, consume one occurrence, return True; False after ``timeout`` cycles.

        An occurrence that came before the call counts: none is lost.
        """

    def wait_until(self, condition: Callable[[], bool], timeout: int) -> bool:
        """Let time pass until ``condition()`` holds (checked at least every 64 cycles); False after ``timeout`` cycles.

        For a word of memory there is :class:`WordIs`.
        """

    def memory_barrier(self) -> None:
        """Order all earlier CPU stores to memory before all later stores and MMIO writes (``dma_wmb`` and stronger)."""
