"""Byte enables, byte counts and lower addresses (specification PCIE, sections 3 and 4)."""

from __future__ import annotations

from typing import Final

from sluicegate.pci.tlp import Tlp

_LEADING: Final = tuple((4 if be == 0 else (be & -be).bit_length() - 1) for be in range(16))
_TRAILING: Final = tuple(4 - be.bit_length() for be in range(16))
_CONTIGUOUS_FIRST: Final = frozenset({0xF, 0xE, 0xC, 0x8})
_CONTIGUOUS_LAST: Final = frozenset({0xF, 0x7, 0x3, 0x1})


def byte_enables(address: int, size: int) -> tuple[int, int, int]:
    """(length in words, first byte enables, last byte enables) of ``size`` contiguous bytes at ``address``.

    ``size`` 0 is the zero-length request: one word with no byte enabled.
    """
    if size < 0:
        raise ValueError(f"a request of {size} bytes")
    offset = address & 3
    if size == 0:
        return 1, 0, 0
    words = (offset + size + 3) // 4
    first = 0xF << offset & 0xF
    last = 0xF >> (-(offset + size) & 3)
    return (1, first & last, 0) if words == 1 else (words, first, last)


def enabled_span(first_be: int, last_be: int, length: int) -> tuple[int, int]:
    """(offset of the first enabled byte in the first word, bytes up to the last enabled one) of a request.

    The span is what the first completion's byte count reports: 1 for a zero-length read, with offset 0.
    """
    if length == 1:
        return (_LEADING[first_be], 4 - _LEADING[first_be] - _TRAILING[first_be]) if first_be else (0, 1)
    return _LEADING[first_be], 4 * length - _LEADING[first_be] - _TRAILING[last_be]


def byte_count(request: Tlp) -> int:
    """Byte count of the first completion: the enabled span of a read, the operand of an atomic, else 4."""
    if request.kind.is_atomic:
        return operand_bytes(request)
    if not request.kind.is_memory or request.kind.has_data:
        return 4
    return enabled_span(request.first_be, request.last_be, request.length)[1]


def operand_bytes(request: Tlp) -> int:
    """Bytes of an atomic's operand: half the payload of a compare-and-swap, which carries compare and swap values."""
    return 2 * request.length if request.kind.type_field == 0b01110 else 4 * request.length


def first_lower_address(request: Tlp) -> int:
    """Lower address of the first completion of a memory read; 0 for every other request."""
    if request.kind.has_data or not request.kind.is_memory:
        return 0
    return (request.address + enabled_span(request.first_be, request.last_be, request.length)[0]) & 0x7F


def byte_enables_legal(address: int, length: int, first_be: int, last_be: int) -> bool:
    """Whether the byte enables of a memory request keep the rules for sparse patterns."""
    if length == 1:
        return last_be == 0
    if not first_be or not last_be:
        return False
    if length == 2 and not address & 7:
        return True
    return first_be in _CONTIGUOUS_FIRST and last_be in _CONTIGUOUS_LAST


def enabled_mask(tlp: Tlp) -> bytes:
    """One byte (0 or 1) for each payload byte of a memory request: which are enabled."""
    mask = bytearray(b"\x01" * (4 * tlp.length))
    if tlp.kind.is_atomic:
        return bytes(mask)
    mask[:4] = bytes(tlp.first_be >> lane & 1 for lane in range(4))
    if tlp.length > 1:
        mask[-4:] = bytes(tlp.last_be >> lane & 1 for lane in range(4))
    return bytes(mask)
