"""A TLP at the pins, and what flow control needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class TlpClass(IntEnum):
    """Flow control and ordering class."""

    POSTED = 0
    NON_POSTED = 1
    COMPLETION = 2


@dataclass(frozen=True)
class PinTlp:
    """Header DWs (four, the last 0 for 3 DW headers), payload bytes, and an optional PASID prefix."""

    header: tuple[int, int, int, int]
    payload: bytes = b""
    prefix: int | None = None
    nullified: bool = False

    @property
    def tlp_class(self) -> TlpClass:
        kind = self.header[0] >> 24
        if kind & 0x1E == 0x0A:
            return TlpClass.COMPLETION
        if kind & 0x18 == 0x10 or (kind & 0x40 and kind & 0x1F == 0):
            return TlpClass.POSTED
        return TlpClass.NON_POSTED

    @property
    def data_credits(self) -> int:
        """Credits of 16 bytes, rounded up."""
        return (len(self.payload) + 15) // 16

    @property
    def header_bits(self) -> int:
        """The header as 128 bits, DW0 at the top."""
        return self.header[0] << 96 | self.header[1] << 64 | self.header[2] << 32 | self.header[3]


CREDIT_SHIFT = (0, 8, 20, 28, 40, 48)
CREDIT_MASK = (0xFF, 0xFFF, 0xFF, 0xFFF, 0xFF, 0xFFF)
"""Position and width of PH, PD, NPH, NPD, CPLH and CPLD in ``credit_limit``."""
