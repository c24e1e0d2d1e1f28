"""A bit field of a register: the type behind the generated constants."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """Bits ``[lsb + width - 1 : lsb]`` of a register."""

    lsb: int
    width: int

    @property
    def mask(self) -> int:
        """The field's bits in the register."""
        return ((1 << self.width) - 1) << self.lsb

    def get(self, register: int) -> int:
        """The field's value in a register value."""
        return register >> self.lsb & ((1 << self.width) - 1)

    def put(self, value: int) -> int:
        """A register value with this field set and all other bits 0. Raises ValueError when ``value`` does not fit."""
        if not 0 <= value < 1 << self.width:
            raise ValueError(f"{value:#x} does not fit in a field of {self.width} bits")
        return value << self.lsb

    def replace(self, register: int, value: int) -> int:
        """``register`` with this field changed to ``value``."""
        return register & ~self.mask | self.put(value)
