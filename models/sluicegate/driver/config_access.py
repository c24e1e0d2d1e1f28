"""Configuration space of one function through :class:`Platform`: reads, writes, read-modify-write, capability lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sluicegate.pci.config_space import CAPABILITIES_POINTER, FIRST_EXTENDED, VENDOR_ID
from sluicegate.platform import Bdf, Platform

NO_FUNCTION: Final = 0xFFFF
"""Vendor ID that a configuration read returns where no function answers."""

_LIST_LIMIT: Final = 64


@dataclass(frozen=True, slots=True)
class ConfigAccess:
    """Configuration space of one function."""

    platform: Platform
    function: Bdf

    def read(self, offset: int, width: int) -> int:
        """Read 1, 2 or 4 bytes, naturally aligned."""
        return self.platform.config_read(self.function, offset, width)

    def write(self, offset: int, value: int, width: int) -> None:
        """Write 1, 2 or 4 bytes, naturally aligned."""
        self.platform.config_write(self.function, offset, value, width)

    def update(self, offset: int, clear: int, set_bits: int, width: int) -> None:
        """Clear and set bits of a register, leave the others."""
        self.write(offset, self.read(offset, width) & ~clear | set_bits, width)

    @property
    def present(self) -> bool:
        """Whether a function answers at this address."""
        return self.read(VENDOR_ID, 2) != NO_FUNCTION

    def capabilities(self) -> dict[int, int]:
        """Offset of each capability by its ID; the first of an ID counts."""
        return dict(reversed(list(self._capabilities())))

    def extended_capabilities(self) -> dict[int, int]:
        """Offset of each extended capability by its ID; the first of an ID counts."""
        return dict(reversed(list(self._extended_capabilities())))

    def _capabilities(self) -> Iterator[tuple[int, int]]:
        offset = self.read(CAPABILITIES_POINTER, 1) & 0xFC
        for _ in range(_LIST_LIMIT):
            if offset == 0:
                return
            header = self.read(offset, 2)
            yield header & 0xFF, offset
            offset = header >> 8 & 0xFC
        raise ValueError(f"{self.function}: the capability list has no end; its next pointers form a loop")

    def _extended_capabilities(self) -> Iterator[tuple[int, int]]:
        offset = FIRST_EXTENDED
        for _ in range(_LIST_LIMIT):
            header = self.read(offset, 4)
            if header in (0, 0xFFFF_FFFF):
                return
            yield header & 0xFFFF, offset
            offset = header >> 20 & 0xFFC
            if offset == 0:
                return
        raise ValueError(f"{self.function}: the extended capability list has no end; its next pointers form a loop")
