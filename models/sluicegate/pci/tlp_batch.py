"""Many TLPs at once, in numpy: the same rules as :mod:`splitting` and :mod:`byte_enables` for arrays.

Addresses are uint64 ``[n]``, sizes int64 ``[n]`` in bytes, headers uint32 ``[n, 4]`` (word 0 first, the fourth 0 in three-word
headers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

_FOUR_GIB: Final = np.uint64(1 << 32)


def _runs(counts: I64) -> tuple[I64, I64]:
    """For each of ``counts`` items of each row: (row, place in the row)."""
    rows = np.repeat(np.arange(counts.size, dtype=np.int64), counts)
    starts = np.cumsum(counts) - counts
    return rows, np.arange(rows.size, dtype=np.int64) - starts[rows]


def split_requests(address: U64, size: I64, limit: int) -> tuple[I64, U64, I64]:
    """Cut each range at multiples of ``limit`` (at most 4096): (row, address, bytes) of each piece, in order.

    Rows of size 0 give no piece.
    """
    if limit < 128 or limit > 4096 or limit & (limit - 1):
        raise ValueError(f"request limit {limit}: 128 to 4096 bytes, a power of two")
    offset = (address & np.uint64(limit - 1)).astype(np.int64)
    rows, place = _runs(np.where(size > 0, (offset + size + limit - 1) // limit, 0))
    begin = np.maximum(place * limit, offset[rows])
    end = np.minimum((place + 1) * limit, offset[rows] + size[rows])
    return rows, address[rows] + (begin - offset[rows]).astype(np.uint64), end - begin


def split_completions(address: U64, size: I64, max_payload: int, boundary: int) -> tuple[I64, U64, I64, I64]:
    """(row, address, bytes, byte count) of the completions of reads of ``size`` bytes, as long as they may be, in order."""
    if boundary not in (64, 128) or max_payload % 128 or max_payload <= 0:
        raise ValueError(f"read completion boundary {boundary} or payload limit {max_payload}: 64 or 128, and a multiple of 128")
    low = (address & np.uint64(boundary - 1)).astype(np.int64)
    end = low + size
    first = (((low & ~np.int64(3)) + max_payload) // boundary) * boundary
    first = np.where(end <= (low & ~np.int64(3)) + max_payload, end, first)
    rows, place = _runs(np.where(size > 0, 1 + -(-(end - first) // max_payload), 0))
    begin = np.where(place == 0, low[rows], first[rows] + (place - 1) * max_payload)
    stop = np.where(place == 0, first[rows], np.minimum(first[rows] + place * max_payload, end[rows]))
    return rows, address[rows] + (begin - low[rows]).astype(np.uint64), stop - begin, end[rows] - begin


def byte_enables(address: U64, size: I64) -> tuple[I64, U32, U32]:
    """(length in words, first byte enables, last byte enables) of contiguous requests; size 0 is the zero-length request."""
    offset = (address & np.uint64(3)).astype(np.int64)
    words = np.maximum((offset + size + 3) // 4, 1)
    first = (0xF << offset) & 0xF
    last = 0xF >> (-(offset + size) & 3)
    one = words == 1
    first = np.where(size == 0, 0, np.where(one, first & last, first))
    return words, first.astype(np.uint32), np.where(one, 0, last).astype(np.uint32)


def memory_headers(address: U64, size: I64, *, requester: ArrayLike, tag: ArrayLike, write: ArrayLike) -> U32:
    """Headers of memory reads and writes (where ``write``) of contiguous bytes; each must be within 4 KiB."""
    count = address.shape[0]
    requester = np.broadcast_to(np.asarray(requester, dtype=np.uint32), count)
    tag = np.broadcast_to(np.asarray(tag, dtype=np.uint32), count)
    write = np.broadcast_to(np.asarray(write, dtype=np.uint32), count)
    words, first, last = byte_enables(address, size)
    four = address >= _FOUR_GIB
    headers = np.zeros((count, 4), dtype=np.uint32)
    headers[:, 0] = (
        write << np.uint32(30)
        | four.astype(np.uint32) << np.uint32(29)
        | (tag >> np.uint32(9) & np.uint32(1)) << np.uint32(23)
        | (tag >> np.uint32(8) & np.uint32(1)) << np.uint32(19)
        | (words.astype(np.uint32) & np.uint32(0x3FF))
    )
    headers[:, 1] = requester << np.uint32(16) | (tag & np.uint32(0xFF)) << np.uint32(8) | last << np.uint32(4) | first
    low = (address & np.uint64(0xFFFF_FFFC)).astype(np.uint32)
    headers[:, 2] = np.where(four, (address >> np.uint64(32)).astype(np.uint32), low)
    headers[:, 3] = np.where(four, low, np.uint32(0))
    return headers


@dataclass(frozen=True)
class DecodedHeaders:
    """Fields of many headers, each array ``[n]``. A field that a TLP does not have is 0.

    ``format_type`` is bits 31:24 of word 0; ``length`` counts words (0 for completions and messages without data);
    ``address`` is that of memory and IO requests; ``first_be`` and ``last_be`` those of requests other than messages.
    """

    format_type: U32
    is_completion: Flags
    is_message: Flags
    has_data: Flags
    length: U32
    traffic_class: U32
    relaxed_ordering: Flags
    no_snoop: Flags
    id_ordering: Flags
    poisoned: Flags
    address_type: U32
    requester: U32
    tag: U32
    first_be: U32
    last_be: U32
    address: U64
    completer: U32
    status: U32
    byte_count: U32
    lower_address: U32


def decode_headers(headers: U32) -> DecodedHeaders:
    """Take headers apart. What is illegal is not judged: decode one with :func:`sluicegate.pci.tlp.decode` for that."""
    words = np.ascontiguousarray(headers, dtype=np.uint32)
    dw0, dw1, dw2, dw3 = (words[:, index] for index in range(4))

    def field(word: U32, shift: int, width: int) -> U32:
        return word >> np.uint32(shift) & np.uint32((1 << width) - 1)

    type_field = field(dw0, 24, 5)
    four = field(dw0, 29, 1) == 1
    has_data = field(dw0, 30, 1) == 1
    is_completion = (type_field & np.uint32(0b11110)) == 0b01010
    is_message = (type_field >> np.uint32(3)) == 0b10
    is_config = (type_field & np.uint32(0b11110)) == 0b00100
    is_request = ~is_completion & ~is_message
    length = field(dw0, 0, 10)
    length = np.where(length == 0, np.uint32(1024), length)
    length = np.where(~has_data & (is_completion | is_message), np.uint32(0), length)
    zero = np.uint32(0)
    count = field(dw1, 0, 12)
    low = np.where(four, dw3, dw2) & np.uint32(0xFFFF_FFFC)
    address = np.where(four, dw2, zero).astype(np.uint64) << np.uint64(32) | low.astype(np.uint64)
    return DecodedHeaders(
        format_type=field(dw0, 24, 8),
        is_completion=is_completion,
        is_message=is_message,
        has_data=has_data,
        length=length,
        traffic_class=field(dw0, 20, 3),
        relaxed_ordering=field(dw0, 13, 1) == 1,
        no_snoop=field(dw0, 12, 1) == 1,
        id_ordering=field(dw0, 18, 1) == 1,
        poisoned=field(dw0, 14, 1) == 1,
        address_type=field(dw0, 10, 2),
        requester=np.where(is_completion, field(dw2, 16, 16), field(dw1, 16, 16)),
        tag=field(dw0, 23, 1) << np.uint32(9)
        | field(dw0, 19, 1) << np.uint32(8)
        | np.where(is_completion, field(dw2, 8, 8), field(dw1, 8, 8)),
        first_be=np.where(is_request, field(dw1, 0, 4), zero),
        last_be=np.where(is_request, field(dw1, 4, 4), zero),
        address=np.where(is_request & ~is_config, address, np.uint64(0)),
        completer=np.where(is_completion, field(dw1, 16, 16), zero),
        status=np.where(is_completion, field(dw1, 13, 3), zero),
        byte_count=np.where(is_completion, np.where(count == 0, np.uint32(4096), count), zero),
        lower_address=np.where(is_completion, field(dw2, 0, 7), zero),
    )
