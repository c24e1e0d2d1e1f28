"""Configuration space of one function, byte accurate: header, capabilities, and which bits software can write.

Type 0 (endpoints) and type 1 (bridges). Every register is data: a value, a mask of writable bits, a mask of bits that a write
of 1 clears. Reads and writes are 1, 2 or 4 bytes, naturally aligned, little-endian, over 4096 bytes; unimplemented bytes read 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from sluicegate.pci.topology import Bar

CONFIG_BYTES: Final = 4096
VENDOR_ID: Final = 0x00
COMMAND: Final = 0x04
STATUS: Final = 0x06
CLASS_REVISION: Final = 0x08
HEADER_TYPE: Final = 0x0E
BAR0: Final = 0x10
BUS_NUMBERS: Final = 0x18
MEMORY_BASE: Final = 0x20
PREFETCHABLE_BASE: Final = 0x24
PREFETCHABLE_BASE_UPPER: Final = 0x28
PREFETCHABLE_LIMIT_UPPER: Final = 0x2C
CAPABILITIES_POINTER: Final = 0x34
INTERRUPT_LINE: Final = 0x3C
BRIDGE_CONTROL: Final = 0x3E
FIRST_EXTENDED: Final = 0x100

COMMAND_MEMORY: Final = 1 << 1
COMMAND_BUS_MASTER: Final = 1 << 2
_COMMAND_WRITABLE: Final = 0x0547
_STATUS_CLEARABLE: Final = 0xF900
_STATUS_CAPABILITIES: Final = 0x0010


class Capability(IntEnum):
    """Capability identifiers below 0x100."""

    MSI = 0x05
    PCI_EXPRESS = 0x10
    MSI_X = 0x11


class ExtendedCapability(IntEnum):
    """Extended capability identifiers."""

    AER = 0x0001
    ACS = 0x000D
    ATS = 0x000F
    PRI = 0x0013
    PASID = 0x001B


@dataclass(frozen=True, slots=True)
class BarDefinition:
    """Size and kind of a base address register. A 64-bit one takes two register slots."""

    size: int
    wide: bool = False
    prefetchable: bool = False

    def __post_init__(self) -> None:
        if self.size < 16 or self.size & (self.size - 1):
            raise ValueError(f"BAR of {self.size} bytes: a power of two of at least 16 is needed")


class ConfigSpace:
    """Configuration space of one function.

    Capabilities are added in order by :mod:`sluicegate.pci.capabilities`. ``on_write`` is called after every write with its
    offset and width.
    """

    def __init__(
        self,
        *,
        vendor: int,
        device: int,
        class_code: int,
        revision: int = 0,
        bridge: bool = False,
        multifunction: bool = False,
        bars: dict[int, BarDefinition] | None = None,
        on_write: Callable[[int, int], None] | None = None,
    ) -> None:
        self._value: Final = bytearray(CONFIG_BYTES)
        self._writable: Final = bytearray(CONFIG_BYTES)
        self._clearable: Final = bytearray(CONFIG_BYTES)
        self._last_pointer = CAPABILITIES_POINTER
        self._last_extended: int | None = None
        self._claimed: Final[list[tuple[int, int]]] = []
        self.on_write = on_write
        self.bridge: Final = bridge
        self.bar_definitions: Final = dict(bars or {})
        self.capabilities: Final[dict[Capability, int]] = {}
        """Offset of each capability."""
        self.extended_capabilities: Final[dict[ExtendedCapability, int]] = {}
        self.define(VENDOR_ID, 4, device << 16 | vendor)
        self.define(COMMAND, 2, 0, writable=_COMMAND_WRITABLE)
        self.define(STATUS, 2, _STATUS_CAPABILITIES, clearable=_STATUS_CLEARABLE)
        self.define(CLASS_REVISION, 4, class_code << 8 | revision)
        self.define(0x0C, 1, 0, writable=0xFF)
        self.define(HEADER_TYPE, 1, multifunction << 7 | bridge)
        self.define(INTERRUPT_LINE, 1, 0, writable=0xFF)
        self._define_bars()
        if bridge:
            self._define_bridge()

    def _define_bars(self) -> None:
        slots = 2 if self.bridge else 6
        taken: set[int] = set()
        for number, bar in self.bar_definitions.items():
            used = {number, number + 1} if bar.wide else {number}
            if max(used) >= slots or min(used) < 0 or used & taken:
                raise ValueError(f"BAR {number} does not fit the {slots} register slots")
            taken |= used
            mask = -bar.size & 0xFFFF_FFFF_FFFF_FFFF
            offset = BAR0 + 4 * number
            self.define(offset, 4, bar.wide << 2 | bar.prefetchable << 3, writable=mask & 0xFFFF_FFF0)
            if bar.wide:
                self.define(offset + 4, 4, 0, writable=mask >> 32)

    def _define_bridge(self) -> None:
        self.define(BUS_NUMBERS, 4, 0, writable=0x00FF_FFFF)
        self.define(MEMORY_BASE, 4, 0, writable=0xFFF0_FFF0)
        self.define(PREFETCHABLE_BASE, 4, 0x0001_0001, writable=0xFFF0_FFF0)
        self.define(PREFETCHABLE_BASE_UPPER, 4, 0, writable=0xFFFF_FFFF)
        self.define(PREFETCHABLE_LIMIT_UPPER, 4, 0, writable=0xFFFF_FFFF)
        self.define(BRIDGE_CONTROL, 2, 0, writable=0x0043)

    def define(self, offset: int, width: int, value: int, *, writable: int = 0, clearable: int = 0) -> None:
        """Lay down a register of ``width`` bytes: reset value, writable bits, bits cleared by writing 1."""
        self._value[offset : offset + width] = value.to_bytes(width, "little")
        self._writable[offset : offset + width] = writable.to_bytes(width, "little")
        self._clearable[offset : offset + width] = clearable.to_bytes(width, "little")

    def add_capability(self, identifier: Capability, offset: int, size: int) -> int:
        """Link a capability of ``size`` bytes into the list; returns ``offset``. Define its registers afterwards."""
        self._claim(offset, size, 0x40, FIRST_EXTENDED)
        self.define(offset, 2, int(identifier))
        pointer = self._last_pointer if self._last_pointer == CAPABILITIES_POINTER else self._last_pointer + 1
        self._value[pointer] = offset
        self._last_pointer = offset
        self.capabilities[identifier] = offset
        return offset

    def add_extended_capability(self, identifier: ExtendedCapability, offset: int, size: int, version: int = 1) -> int:
        """The same in extended space; the first one must be at 0x100."""
        self._claim(offset, size, FIRST_EXTENDED, CONFIG_BYTES)
        if self._last_extended is None:
            if offset != FIRST_EXTENDED:
                raise ValueError(f"the first extended capability is at {FIRST_EXTENDED:#x}, not {offset:#x}")
        else:
            before = self._raw(self._last_extended, 4)
            self.define(self._last_extended, 4, before | offset << 20)
        self.define(offset, 4, version << 16 | int(identifier))
        self._last_extended = offset
        self.extended_capabilities[identifier] = offset
        return offset

    def _claim(self, offset: int, size: int, start: int, end: int) -> None:
        if offset & 3 or offset < start or offset + size > end:
            raise ValueError(f"capability of {size} bytes at {offset:#x}: word aligned, between {start:#x} and {end:#x}")
        if any(offset < other + length and other < offset + size for other, length in self._claimed):
            raise ValueError(f"capability at {offset:#x} overlaps another")
        self._claimed.append((offset, size))

    def _raw(self, offset: int, width: int) -> int:
        return int.from_bytes(self._value[offset : offset + width], "little")

    def read(self, offset: int, width: int) -> int:
        """Read 1, 2 or 4 bytes."""
        _check_access(offset, width)
        return self._raw(offset, width)

    def write(self, offset: int, value: int, width: int) -> None:
        """Write 1, 2 or 4 bytes, as software does: read-only bits keep their value."""
        _check_access(offset, width)
        if value < 0 or value >> 8 * width:
            raise ValueError(f"value {value:#x} is wider than {width} bytes")
        for index, byte in enumerate(value.to_bytes(width, "little")):
            at = offset + index
            kept = self._value[at] & ~self._writable[at] & ~(byte & self._clearable[at])
            self._value[at] = kept | byte & self._writable[at]
        if self.on_write is not None:
            self.on_write(offset, width)

    def set_status(self, offset: int, width: int, bits: int) -> None:
        """Set bits from the hardware side."""
        self._value[offset : offset + width] = (self._raw(offset, width) | bits).to_bytes(width, "little")

    @property
    def memory_enabled(self) -> bool:
        """Memory Space Enable."""
        return bool(self._raw(COMMAND, 2) & COMMAND_MEMORY)

    @property
    def bus_master(self) -> bool:
        """Bus Master Enable."""
        return bool(self._raw(COMMAND, 2) & COMMAND_BUS_MASTER)

    def bar(self, number: int) -> Bar:
        """A base address register as software has set it (CPU and bus address equal)."""
        definition = self.bar_definitions[number]
        offset = BAR0 + 4 * number
        base = self._raw(offset, 4) & 0xFFFF_FFF0
        if definition.wide:
            base |= self._raw(offset + 4, 4) << 32
        return Bar(base, base, definition.size, True, definition.prefetchable, definition.wide)

    def bar_hit(self, address: int, length: int = 1) -> tuple[int, int] | None:
        """(BAR number, offset) of a memory access; None when no BAR claims all of it or memory is disabled."""
        if self.memory_enabled:
            for number in self.bar_definitions:
                bar = self.bar(number)
                if bar.contains(address, length):
                    return number, address - bar.phys
        return None

    @property
    def bus_numbers(self) -> tuple[int, int, int]:
        """Primary, secondary and subordinate bus of a bridge."""
        value = self._raw(BUS_NUMBERS, 4)
        return value & 0xFF, value >> 8 & 0xFF, value >> 16 & 0xFF

    def windows(self) -> Sequence[tuple[int, int]]:
        """Open memory windows of a bridge as (first, last) addresses: non-prefetchable, prefetchable."""
        memory = self._raw(MEMORY_BASE, 4)
        prefetchable = self._raw(PREFETCHABLE_BASE, 4)
        ranges = (
            ((memory & 0xFFF0) << 16, (memory >> 16 & 0xFFF0) << 16 | 0xF_FFFF),
            (
                self._raw(PREFETCHABLE_BASE_UPPER, 4) << 32 | (prefetchable & 0xFFF0) << 16,
                self._raw(PREFETCHABLE_LIMIT_UPPER, 4) << 32 | (prefetchable >> 16 & 0xFFF0) << 16 | 0xF_FFFF,
            ),
        )
        return [window for window in ranges if window[0] <= window[1]] if self.memory_enabled else []

    def claims(self, address: int, length: int = 1) -> bool:
        """Whether a bridge's windows hold a memory range."""
        return any(first <= address and address + length - 1 <= last for first, last in self.windows())


def _check_access(offset: int, width: int) -> None:
    if width not in (1, 2, 4) or offset % width or not 0 <= offset <= CONFIG_BYTES - width:
        raise ValueError(f"configuration access of {width} bytes at {offset:#x}: 1, 2 or 4, aligned, below {CONFIG_BYTES:#x}")
