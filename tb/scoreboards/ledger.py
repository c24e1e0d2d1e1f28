"""A driver's ledger as a list: what it told its observer, to compare two machines that did the same work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sluicegate.driver.observer import RingLayout, TransferObserver

Entry = tuple[object, ...]


@dataclass
class Ledger:
    """A :class:`TransferObserver` that keeps everything it is told.

    ``entries``: mappings, buffers, rings, submissions, in order; ``completions``: words taken by each device, in order. They are
    apart because it is the hardware's affair which of two devices is done first.
    """

    entries: list[Entry] = field(default_factory=list)
    completions: dict[int, list[tuple[int, ...]]] = field(default_factory=dict)

    def on_map(self, device: int, dma_address: int, segments: Sequence[tuple[int, int]], direction: int) -> None:
        pieces = tuple((int(physical), length) for physical, length in segments)
        self.entries.append(("map", device, int(dma_address), pieces, int(direction)))

    def on_revoke(self, device: int, dma_address: int) -> None:
        self.entries.append(("revoke", device, int(dma_address)))

    def on_unmap(self, device: int, dma_address: int) -> None:
        self.entries.append(("unmap", device, int(dma_address)))

    def on_buffer(self, physical: int, contents: NDArray[np.uint8], guard: int) -> None:
        self.entries.append(("buffer", int(physical), contents.tobytes(), guard))

    def on_release(self, physical: int) -> None:
        self.entries.append(("release", int(physical)))

    def on_broken(self, physical: int, size: int, status: int) -> None:
        self.entries.append(("broken", int(physical), size, int(status)))

    def on_local_memory(self, device: int, bus_address: int, size: int) -> None:
        self.entries.append(("local memory", device, int(bus_address), size))

    def on_rings(self, device: int, layout: RingLayout) -> None:
        self.entries.append(("rings", device, layout))

    def on_interrupt_target(self, device: int, dma_address: int, physical: int, identity: int) -> None:
        self.entries.append(("interrupt target", device, int(dma_address), int(physical), identity))

    def on_submit(self, device: int, first_slot: int, descriptors: NDArray[np.uint64]) -> None:
        self.entries.append(("submit", device, first_slot, descriptors.tobytes()))

    def on_reap(self, device: int, completions: NDArray[np.uint64]) -> None:
        self.completions.setdefault(device, []).extend(tuple(row) for row in completions.tolist())


class Observers:
    """Tells several observers the same."""

    def __init__(self, *observers: TransferObserver) -> None:
        self._observers = observers

    def on_map(self, device: int, dma_address: int, segments: Sequence[tuple[int, int]], direction: int) -> None:
        for observer in self._observers:
            observer.on_map(device, dma_address, segments, direction)

    def on_revoke(self, device: int, dma_address: int) -> None:
        for observer in self._observers:
            observer.on_revoke(device, dma_address)

    def on_unmap(self, device: int, dma_address: int) -> None:
        for observer in self._observers:
            observer.on_unmap(device, dma_address)

    def on_buffer(self, physical: int, contents: NDArray[np.uint8], guard: int) -> None:
        for observer in self._observers:
            observer.on_buffer(physical, contents, guard)

    def on_release(self, physical: int) -> None:
        for observer in self._observers:
            observer.on_release(physical)

    def on_broken(self, physical: int, size: int, status: int) -> None:
        for observer in self._observers:
            observer.on_broken(physical, size, status)

    def on_local_memory(self, device: int, bus_address: int, size: int) -> None:
        for observer in self._observers:
            observer.on_local_memory(device, bus_address, size)

    def on_rings(self, device: int, layout: RingLayout) -> None:
        for observer in self._observers:
            observer.on_rings(device, layout)

    def on_interrupt_target(self, device: int, dma_address: int, physical: int, identity: int) -> None:
        for observer in self._observers:
            observer.on_interrupt_target(device, dma_address, physical, identity)

    def on_submit(self, device: int, first_slot: int, descriptors: NDArray[np.uint64]) -> None:
        for observer in self._observers:
            observer.on_submit(device, first_slot, descriptors)

    def on_reap(self, device: int, completions: NDArray[np.uint64]) -> None:
        for observer in self._observers:
            observer.on_reap(device, completions)
