"""Scatterlists as the Linux kernel was seen to map them: recorded input and answers, relaid over the RAM of this machine.

The recordings name physical addresses of the recorded machine. What carries over are the shape of each list (offsets, lengths,
which pieces are physical neighbours), the limits of the device, and the answer: how many segments, their lengths, and the
distances of their device addresses. Source: the ``map_sg`` recordings (tests/conformance/data, formats in its README).
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

GRANULE: Final = 4096
_RAM: Final = 1


@dataclass(frozen=True)
class RecordedPiece:
    """``offset`` in its page, ``length`` in bytes; ``follows``: it begins where the piece before it ends in physical memory."""

    offset: int
    length: int
    follows: bool


@dataclass(frozen=True)
class RecordedList:
    """A list, the device's limits (bytes; boundary as a mask), and the segments that the kernel made.

    ``segments``: (distance of the device address from that of the first segment, length in bytes).
    """

    name: str
    max_seg_size: int
    seg_boundary_mask: int
    pieces: tuple[RecordedPiece, ...]
    segments: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Bytes in the list."""
        return sum(piece.length for piece in self.pieces)


def load_recorded_lists(path: Path, longest: int) -> list[RecordedList]:
    """Lists of plain RAM, mapped with success, of at most ``longest`` bytes, recorded with pages of 4 KiB.

    Lists that break the device's own limits are left out: they record a driver's mistake. Raises ValueError when none is left.
    """
    lists: list[RecordedList] = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            case = json.loads(line)
            if case["granule"] == GRANULE:
                lists += [found for op in case["ops"] if (found := _recorded(case, op)) is not None and found.size <= longest]
    if not lists:
        raise ValueError(f"{path} holds no list of plain RAM of at most {longest} bytes")
    return lists


def _recorded(case: dict[str, Any], op: dict[str, Any]) -> RecordedList | None:
    if op["op"] != "map_sg" or op["ret"] <= 0 or any(row[0] != _RAM for row in op["sg"]):
        return None
    pieces: list[RecordedPiece] = []
    end = -1
    for _, page, offset, length, _ in op["sg"]:
        start = page + offset
        pieces.append(RecordedPiece(start % GRANULE, length, start == end))
        end = start + length
    limit, boundary = case["max_seg_size"], case["seg_boundary_mask"]
    if any(piece.length > limit for piece in pieces):
        return None
    made = [(row[0], row[1]) for row in op["out"][: op["ret"]]]
    if any((dma ^ dma + length - 1) & ~boundary for dma, length in made):
        return None
    segments = tuple((dma - made[0][0], length) for dma, length in made)
    return RecordedList(f"{case['id']}.{op['slot']}", limit, boundary, tuple(pieces), segments)
