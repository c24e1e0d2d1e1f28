"""Who owns which bytes, as a table for people: a row for each piece of each live mapping."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sluicegate.dma.ledger import Mapping, Piece

_HEADINGS: Final = ("device", "kind", "device address", "physical address", "bytes", "direction", "owner", "mapped at")


def owner_of(mapping: Mapping, piece: Piece) -> str:
    """``device``, ``CPU``, ``CPU in part`` or, where both may access at any time, ``both``."""
    if not mapping.kind.streaming:
        return "both"
    start, end = piece.dma, piece.dma + piece.length
    if not mapping.cpu_owns(start, end):
        return "device"
    return "CPU in part" if mapping.device_owns(start, end) else "CPU"


def ownership_table(mappings: Iterable[Mapping]) -> str:
    """Rows in the order given, columns aligned; one sentence when nothing is mapped."""
    rows = [
        (
            mapping.device.name,
            mapping.kind.label,
            f"{piece.dma:#x}",
            f"{piece.phys:#x}",
            str(piece.length),
            mapping.direction.name,
            owner_of(mapping, piece),
            mapping.site,
        )
        for mapping in mappings
        for piece in mapping.all_pieces()
    ]
    if not rows:
        return "nothing is mapped"
    widths = [max(len(row[column]) for row in (_HEADINGS, *rows)) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in (_HEADINGS, *rows)
    )
