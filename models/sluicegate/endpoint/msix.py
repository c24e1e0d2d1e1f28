"""MSI-X table and pending bits of a function (PCI Local Bus, MSI-X)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ENTRY_BYTES: Final = 16
_WRITABLE: Final = (0xFFFF_FFFC, 0xFFFF_FFFF, 0xFFFF_FFFF, 0x0000_0001)


@dataclass(frozen=True, slots=True)
class Message:
    """An interrupt message: one DW written to an address."""

    address: int
    data: int


class Msix:
    """``vectors`` table entries, all masked after reset; an event of a masked vector waits in its pending bit."""

    def __init__(self, vectors: int) -> None:
        self.enabled = False
        self.function_masked = False
        self._table = [[0, 0, 0, 1] for _ in range(vectors)]
        self._pending = [False] * vectors

    def read(self, offset: int) -> int:
        """The table DW at a byte offset; 0 beyond the table."""
        vector, dword = divmod(offset // 4, 4)
        return self._table[vector][dword] if vector < len(self._table) else 0

    def write(self, offset: int, value: int) -> None:
        """Write the table DW at a byte offset."""
        vector, dword = divmod(offset // 4, 4)
        if vector < len(self._table):
            self._table[vector][dword] = value & _WRITABLE[dword]

    @property
    def pending(self) -> int:
        """Pending bits: vectors whose event waits for its mask to go."""
        return sum(1 << vector for vector, waits in enumerate(self._pending) if waits)

    def raise_event(self, vector: int) -> None:
        """An event of a vector; lost while MSI-X is disabled."""
        if self.enabled:
            self._pending[vector] = True

    def take_messages(self) -> list[Message]:
        """The messages to send now, by vector; their pending bits are cleared."""
        if not self.enabled or self.function_masked:
            return []
        messages = []
        for vector, (low, high, data, control) in enumerate(self._table):
            if self._pending[vector] and not control & 1:
                self._pending[vector] = False
                messages.append(Message(high << 32 | low, data))
        return messages
