"""Marks: how the driver's account of its transfers enters the event log and comes out again.

A MARK record holds its kind in ``argument``, an address, two 64-bit operands in ``header`` and bytes in its payload.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sluicegate.driver.observer import RingLayout


class MarkKind(IntEnum):
    """``argument`` of a MARK record; each kind is one method of ``TransferObserver``.

    The first operand is the device, where none is named.
    """

    MAP = 1
    """address = DMA address; second operand = direction; payload = pairs of u64 (physical address, length)"""
    UNMAP = 2
    """address = DMA address"""
    BUFFER = 3
    """address = physical; second operand = guard bytes; payload = contents"""
    LOCAL_MEMORY = 4
    """address = bus address; second operand = size"""
    RINGS = 5
    """payload = six u64, the fields of ``RingLayout``"""
    INTERRUPT_TARGET = 6
    """address = DMA address; second operand = identity; payload = physical address, u64"""
    SUBMIT = 7
    """second operand = first slot; payload = descriptors"""
    REAP = 8
    """payload = completions"""
    RELEASE = 9
    """address = physical"""
    REVOKE = 10
    """address = DMA address"""
    BROKEN = 11
    """address = physical; first operand = status code; second operand = bytes"""
    IOMMU_RESTART = 12
    """The IOMMU of a block testbench was reset; address = capabilities that it offers"""


class MarkWriter(Protocol):
    """Writes a MARK record: kind, address, two operands, payload."""

    def __call__(self, kind: int, address: int, first: int, second: int, payload: bytes) -> None: ...


class MarkingObserver:
    """A :class:`sluicegate.driver.observer.TransferObserver` that writes everything into the log."""

    def __init__(self, write: MarkWriter) -> None:
        self._write = write

    def on_map(self, device: int, dma_address: int, segments: Sequence[tuple[int, int]], direction: int) -> None:
        pieces = np.array([(int(physical), length) for physical, length in segments], dtype="<u8")
        self._write(MarkKind.MAP, int(dma_address), device, int(direction), pieces.tobytes())

    def on_revoke(self, device: int, dma_address: int) -> None:
        self._write(MarkKind.REVOKE, int(dma_address), device, 0, b"")

    def on_unmap(self, device: int, dma_address: int) -> None:
        self._write(MarkKind.UNMAP, int(dma_address), device, 0, b"")

    def on_buffer(self, physical: int, contents: NDArray[np.uint8], guard: int) -> None:
        self._write(MarkKind.BUFFER, int(physical), 0, guard, contents.tobytes())

    def on_release(self, physical: int) -> None:
        self._write(MarkKind.RELEASE, int(physical), 0, 0, b"")

    def on_broken(self, physical: int, size: int, status: int) -> None:
        self._write(MarkKind.BROKEN, int(physical), int(status), size, b"")

    def on_local_memory(self, device: int, bus_address: int, size: int) -> None:
        self._write(MarkKind.LOCAL_MEMORY, int(bus_address), device, size, b"")

    def on_rings(self, device: int, layout: RingLayout) -> None:
        fields = (
            layout.descriptor_physical,
            layout.descriptor_dma,
            layout.descriptor_entries,
            layout.completion_physical,
            layout.completion_dma,
            layout.completion_entries,
        )
        self._write(MarkKind.RINGS, 0, device, 0, np.array([int(field) for field in fields], dtype="<u8").tobytes())

    def on_interrupt_target(self, device: int, dma_address: int, physical: int, identity: int) -> None:
        self._write(MarkKind.INTERRUPT_TARGET, int(dma_address), device, identity, int(physical).to_bytes(8, "little"))

    def on_submit(self, device: int, first_slot: int, descriptors: NDArray[np.uint64]) -> None:
        self._write(MarkKind.SUBMIT, 0, device, first_slot, descriptors.astype("<u8").tobytes())

    def on_reap(self, device: int, completions: NDArray[np.uint64]) -> None:
        self._write(MarkKind.REAP, 0, device, 0, completions.astype("<u8").tobytes())


def ring_layout(payload: NDArray[np.uint8]) -> RingLayout:
    """The layout in the payload of a RINGS mark."""
    return RingLayout(*payload.view("<u8").tolist())
