"""DMA directions (``enum dma_data_direction``)."""

from __future__ import annotations

from enum import IntEnum

from sluicegate.dma.errors import KernelBug


class DmaDirection(IntEnum):
    """Who writes the buffer, seen from the device. Only the first three are valid for map, unmap and sync."""

    BIDIRECTIONAL = 0
    TO_DEVICE = 1
    FROM_DEVICE = 2
    NONE = 3

    @property
    def device_reads(self) -> bool:
        return self in (DmaDirection.BIDIRECTIONAL, DmaDirection.TO_DEVICE)

    @property
    def device_writes(self) -> bool:
        return self in (DmaDirection.BIDIRECTIONAL, DmaDirection.FROM_DEVICE)


DMA_BIDIRECTIONAL = DmaDirection.BIDIRECTIONAL
DMA_TO_DEVICE = DmaDirection.TO_DEVICE
DMA_FROM_DEVICE = DmaDirection.FROM_DEVICE
DMA_NONE = DmaDirection.NONE

_ADVICE = "use DMA_TO_DEVICE, DMA_FROM_DEVICE or DMA_BIDIRECTIONAL"
_VALID = {0: DMA_BIDIRECTIONAL, 1: DMA_TO_DEVICE, 2: DMA_FROM_DEVICE}


def valid_direction(direction: int) -> DmaDirection:
    """``direction`` as an enum member; raises :class:`KernelBug` for anything a transfer cannot have (kernel: BUG)."""
    if direction.__class__ is not DmaDirection and direction.__class__ is not int:
        raise TypeError(f"direction {direction!r} is a {type(direction).__name__}: {_ADVICE}")
    try:
        return _VALID[direction]
    except KeyError:
        raise KernelBug(f"direction {direction!r} is not valid for a mapping: {_ADVICE}") from None
