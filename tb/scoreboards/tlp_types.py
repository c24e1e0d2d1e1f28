"""Kinds and classes of TLPs, and tables over the 256 values of DW0[31:24] (Fmt and Type) that decode whole arrays at once.

Source: PCI Express Base, transaction layer; ``hdl/pkg/tlp_pkg.v`` has the same constants.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray


class FmtType(IntEnum):
    """DW0[31:24]: Fmt and Type of a TLP."""

    MRD32 = 0x00
    MRD64 = 0x20
    MRDLK32 = 0x01
    MRDLK64 = 0x21
    MWR32 = 0x40
    MWR64 = 0x60
    IORD = 0x02
    IOWR = 0x42
    CFGRD0 = 0x04
    CFGWR0 = 0x44
    CFGRD1 = 0x05
    CFGWR1 = 0x45
    CPL = 0x0A
    CPLD = 0x4A
    CPLLK = 0x0B
    CPLDLK = 0x4B


class TlpClass(IntEnum):
    """Class of flow control and ordering."""

    POSTED = 0
    NONPOSTED = 1
    COMPLETION = 2


class Kind(IntEnum):
    """What a TLP is, regardless of its header length."""

    MEMORY_READ = 0
    MEMORY_WRITE = 1
    IO_READ = 2
    IO_WRITE = 3
    CONFIG_READ = 4
    CONFIG_WRITE = 5
    MESSAGE = 6
    COMPLETION = 7
    ATOMIC = 8
    DEFERRABLE_WRITE = 9
    ILLEGAL = 15


class CompletionStatus(IntEnum):
    """DW1[15:13] of a completion."""

    SC = 0
    UR = 1
    CRS = 2
    CA = 4


class AddressType(IntEnum):
    """DW0[11:10]."""

    UNTRANSLATED = 0
    TRANSLATION_REQUEST = 1
    TRANSLATED = 2


def _kind(fmt_type: int) -> Kind:
    fmt, low = fmt_type >> 5, fmt_type & 0x1F
    data, four_dw = bool(fmt & 2), bool(fmt & 1)
    if fmt > 3:
        return Kind.ILLEGAL
    if low == 0:
        return Kind.MEMORY_WRITE if data else Kind.MEMORY_READ
    if low == 1 and not data:
        return Kind.MEMORY_READ
    if low >> 3 == 2 and four_dw:
        return Kind.MESSAGE
    if low in (0x0C, 0x0D, 0x0E) and data:
        return Kind.ATOMIC
    if low == 0x1B and data:
        return Kind.DEFERRABLE_WRITE
    if four_dw:
        return Kind.ILLEGAL
    if low == 2:
        return Kind.IO_WRITE if data else Kind.IO_READ
    if low in (4, 5):
        return Kind.CONFIG_WRITE if data else Kind.CONFIG_READ
    return Kind.COMPLETION if low in (0x0A, 0x0B) else Kind.ILLEGAL


def _class(kind: Kind) -> TlpClass:
    if kind is Kind.COMPLETION:
        return TlpClass.COMPLETION
    return TlpClass.POSTED if kind in (Kind.MEMORY_WRITE, Kind.MESSAGE) else TlpClass.NONPOSTED


_KINDS: Final = [_kind(value) for value in range(256)]

KIND_OF: Final[NDArray[np.uint8]] = np.array(_KINDS, dtype=np.uint8)
"""Kind by fmt_type, shape [256]."""

CLASS_OF: Final[NDArray[np.uint8]] = np.array([_class(kind) for kind in _KINDS], dtype=np.uint8)
"""TlpClass by fmt_type, shape [256]."""

ADDRESSED: Final[NDArray[np.bool_]] = np.isin(KIND_OF, (Kind.MEMORY_READ, Kind.MEMORY_WRITE, Kind.ATOMIC, Kind.DEFERRABLE_WRITE))
"""By fmt_type: routed by address and subject to translation, shape [256]."""

LEADING_DISABLED: Final[NDArray[np.uint32]] = np.array(
    [0] + [(be & -be).bit_length() - 1 for be in range(1, 16)], dtype=np.uint32
)
"""Disabled bytes below the first enabled one, by First BE, shape [16]."""

TRAILING_DISABLED: Final[NDArray[np.uint32]] = np.array([0] + [4 - be.bit_length() for be in range(1, 16)], dtype=np.uint32)
"""Disabled bytes above the last enabled one, by Last BE, shape [16]."""

ONE_DW_SPAN: Final[NDArray[np.uint32]] = np.array(
    [1] + [be.bit_length() - (be & -be).bit_length() + 1 for be in range(1, 16)], dtype=np.uint32
)
"""Bytes from first to last enabled byte of a request of one DW, by First BE, shape [16]; 1 for a zero-length request."""
