"""Placing BARs and bridge windows in the address map.

What a bus needs is computed bottom-up (:class:`Demand`), then given top-down (:func:`place`). Largest alignment first, so
demands of a power of two leave no holes between them. Bridge windows come in units of 1 MiB (PCI-to-PCI bridge header).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WINDOW_UNIT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Demand:
    """``size`` bytes at a multiple of ``alignment`` (a power of two)."""

    size: int
    alignment: int


NOTHING: Final = Demand(0, 1)


def align_up(value: int, alignment: int) -> int:
    """The next multiple of a power of two."""
    return value + alignment - 1 & ~(alignment - 1)


def order(demands: Sequence[Demand]) -> list[int]:
    """Indices of the non-empty demands in the order in which they are placed."""
    wanted = [index for index, demand in enumerate(demands) if demand.size]
    return sorted(wanted, key=lambda index: (-demands[index].alignment, -demands[index].size, index))


def place(demands: Sequence[Demand], base: int) -> dict[int, int]:
    """Address of each non-empty demand by index, from ``base`` upwards."""
    result: dict[int, int] = {}
    cursor = base
    for index in order(demands):
        cursor = align_up(cursor, demands[index].alignment)
        result[index] = cursor
        cursor += demands[index].size
    return result


def window(demands: Sequence[Demand]) -> Demand:
    """The bridge window that holds all demands of the bus below, whatever aligned address it gets."""
    if not any(demand.size for demand in demands):
        return NOTHING
    alignment = max(WINDOW_UNIT, *(demand.alignment for demand in demands if demand.size))
    placed = place(demands, 0)
    end = max(address + demands[index].size for index, address in placed.items())
    return Demand(align_up(end, WINDOW_UNIT), alignment)
