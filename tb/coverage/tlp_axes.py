"""What is told apart about a TLP: axes, and the tables that turn whole columns of a batch into their codes.

Lengths are those of the header, in DW; alignment is that of its DW-aligned address.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb.coverage.group import Axis
from tb.scoreboards.tlp_batch import Bool, TlpBatch
from tb.scoreboards.tlp_types import CompletionStatus, Kind

U8 = NDArray[np.uint8]

KIND: Final = Axis(
    "kind",
    (
        "memory read",
        "memory write",
        "atomic",
        "deferrable write",
        "IO read",
        "IO write",
        "configuration read",
        "configuration write",
        "message",
        "message with data",
        "completion",
        "completion with data",
    ),
)
_KIND_CODE: Final = {
    Kind.MEMORY_READ: 0,
    Kind.MEMORY_WRITE: 1,
    Kind.ATOMIC: 2,
    Kind.DEFERRABLE_WRITE: 3,
    Kind.IO_READ: 4,
    Kind.IO_WRITE: 5,
    Kind.CONFIG_READ: 6,
    Kind.CONFIG_WRITE: 7,
    Kind.MESSAGE: 8,
    Kind.COMPLETION: 10,
}
_KIND_CODES: Final = np.zeros(16, np.uint8)
for _kind, _code in _KIND_CODE.items():
    _KIND_CODES[_kind] = _code

OPERATION: Final = Axis("operation", ("read", "write"))
LENGTH: Final = Axis(
    "length", ("0 bytes", "1 DW", "2 DW", "3 to 16 DW", "17 to 32 DW", "33 to 64 DW", "65 to 128 DW", "129 to 1024 DW")
)
_LENGTH_CODES: Final = np.searchsorted([1, 2, 16, 32, 64, 128, 1024], np.arange(1025)).astype(np.uint8) + np.uint8(1)
ALIGNMENT: Final = Axis("address", ("page", "64 B", "16 B", "4 B"))
_IN_PAGE: Final = np.arange(0, 4096, 4)
_ALIGNMENT_CODES: Final = np.select([_IN_PAGE == 0, _IN_PAGE % 64 == 0, _IN_PAGE % 16 == 0], [0, 1, 2], 3).astype(np.uint8)
BYTE_ENABLES: Final = Axis("byte enables", ("all", "none", "first DW partial", "last DW partial", "both partial", "gaps"))
ATTRIBUTES: Final = Axis("attributes", ("none", "NS", "RO", "RO NS", "IDO", "IDO NS", "IDO RO", "IDO RO NS"))
HEADER: Final = Axis("header", ("3 DW", "4 DW"))
ADDRESS_TYPE: Final = Axis("address type", ("untranslated", "translation request", "translated"))
PASID: Final = Axis("PASID", ("none", "PASID", "PASID execute", "PASID privileged", "PASID privileged execute"))
STATUS: Final = Axis("status", ("SC", "SC with data", "UR", "CRS", "CA"))
_STATUS_CODES: Final = np.zeros(8, np.uint8)
_STATUS_CODES[[CompletionStatus.UR, CompletionStatus.CRS, CompletionStatus.CA]] = 2, 3, 4
SPLIT: Final = Axis("split", ("last", "more to come"))
LOWER_ADDRESS: Final = Axis("lower address", ("64 B", "DW", "byte"))


def _byte_enable_codes() -> U8:
    """Codes by {one DW, Last BE, First BE}, shape [512]."""
    gaps_first = {value for value in range(16) if "01" in f"{value:04b}".strip("0")}
    codes = np.zeros(512, np.uint8)
    for value in range(512):
        one, last, first = bool(value >> 8), value >> 4 & 15, value & 15
        if one:
            codes[value] = 1 if first == 0 else 5 if first in gaps_first else 0 if first == 15 else 2
        elif first not in (15, 14, 12, 8) or last not in (15, 7, 3, 1):
            codes[value] = 5
        else:
            codes[value] = 2 * (first != 15) + 3 * (last != 15) - (first != 15 and last != 15)
    return codes


_BYTE_ENABLE_CODES: Final = _byte_enable_codes()


def kind_codes(tlps: TlpBatch) -> U8:
    """Codes of ``KIND``; TLPs of no kind get 0."""
    codes = _KIND_CODES[tlps.kind]
    codes += tlps.has_data & (codes >= 8)
    return codes


def operation_codes(tlps: TlpBatch) -> Bool:
    """Codes of ``OPERATION`` for memory reads and writes."""
    return tlps.has_data


def zero_length(tlps: TlpBatch) -> Bool:
    """Memory requests of no bytes: one DW with no byte enabled."""
    found: Bool = (tlps.length_dw == 1) & (tlps.first_be == 0)
    return found


def length_codes(tlps: TlpBatch) -> U8:
    """Codes of ``LENGTH`` for memory reads and writes, and for TLPs with data."""
    codes = _LENGTH_CODES[tlps.length_dw]
    codes[zero_length(tlps) & ~tlps.is_completion] = 0
    return codes


def alignment_codes(tlps: TlpBatch) -> U8:
    """Codes of ``ALIGNMENT`` for memory requests."""
    low = np.where(tlps.four_dw, tlps.header[3], tlps.header[2]) >> np.uint32(2) & np.uint32(0x3FF)
    found: U8 = _ALIGNMENT_CODES[low]
    return found


def byte_enable_codes(tlps: TlpBatch) -> U8:
    """Codes of ``BYTE_ENABLES`` for memory reads and writes, configuration and IO requests."""
    one = (tlps.length_dw == 1).astype(np.uint32) << np.uint32(8)
    found: U8 = _BYTE_ENABLE_CODES[one | tlps.header[1] & np.uint32(0xFF)]
    return found


def attribute_codes(tlps: TlpBatch) -> NDArray[np.uint32]:
    """Codes of ``ATTRIBUTES``: {IDO, RO, NS}."""
    first = tlps.header[0]
    found: NDArray[np.uint32] = first >> np.uint32(16) & np.uint32(4) | first >> np.uint32(12) & np.uint32(3)
    return found


def pasid_codes(tlps: TlpBatch) -> NDArray[np.uint32]:
    """Codes of ``PASID``; prefix bit 21 is privileged, bit 20 execute."""
    asked = tlps.prefix >> np.uint32(20) & np.uint32(3)
    return np.where(tlps.has_prefix, asked + np.uint32(1), np.uint32(0))


def status_codes(tlps: TlpBatch) -> U8:
    """Codes of ``STATUS`` for completions."""
    codes = _STATUS_CODES[tlps.status]
    codes[(codes == 0) & tlps.has_data] = 1
    return codes


def split_codes(tlps: TlpBatch) -> Bool:
    """Codes of ``SPLIT`` for completions with data: whether bytes of the request remain behind this one."""
    carried = (tlps.length_dw << np.uint32(2)) - (tlps.lower_address & np.uint32(3))
    return tlps.byte_count > carried


def lower_address_codes(tlps: TlpBatch) -> U8:
    """Codes of ``LOWER_ADDRESS`` for completions with data."""
    low = tlps.lower_address
    return np.select([low & np.uint32(63) == 0, low & np.uint32(3) == 0], [0, 1], 2).astype(np.uint8)
