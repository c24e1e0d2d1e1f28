"""What driver code tells a judge: its own account of mappings, buffers, rings, descriptors and completions.

A driver calls its observer at the moments named below; the testbench turns the calls into records of the event log, so that a
scoreboard knows the order of the driver's intentions and the hardware's deeds. Without a judge, use :class:`SilentObserver`.
``device`` is the 16-bit requester ID; all addresses and lengths are in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RingLayout:
    """Where the rings of an endpoint are: physical and DMA addresses, entries of 64 bytes (descriptors) and 16 (completions)."""

    descriptor_physical: int
    descriptor_dma: int
    descriptor_entries: int
    completion_physical: int
    completion_dma: int
    completion_entries: int


class TransferObserver(Protocol):
    """A judge of transfers."""

    def on_map(self, device: int, dma_address: int, segments: Sequence[tuple[int, int]], direction: int) -> None:
        """The device may use ``dma_address`` on: call it when the mapping is complete, before anything uses it.

        ``segments`` are the (physical address, length) pieces behind it, in order; ``direction`` has the kernel's values (0
        both, 1 to the device, 2 from the device).
        """

    def on_revoke(self, device: int, dma_address: int) -> None:
        """The driver is about to unmap what begins at ``dma_address``: until :meth:`on_unmap` an access may succeed or fail."""

    def on_unmap(self, device: int, dma_address: int) -> None:
        """The mapping that begins at ``dma_address`` is gone: call it when its invalidation has completed."""

    def on_buffer(self, physical: int, contents: NDArray[np.uint8], guard: int) -> None:
        """A buffer has been filled with ``contents``; nobody may change the ``guard`` bytes before and behind it."""

    def on_release(self, physical: int) -> None:
        """The buffer announced at ``physical`` is about to be freed; its guards are nobody's any more."""

    def on_broken(self, physical: int, size: int, status: int) -> None:
        """From now on a read of host memory that begins in these bytes fails with status code ``status``."""

    def on_local_memory(self, device: int, bus_address: int, size: int) -> None:
        """The local memory of ``device`` answers at ``bus_address``."""

    def on_rings(self, device: int, layout: RingLayout) -> None:
        """The rings of ``device`` are set up, empty; the first completion will be written to entry 0 with phase 1."""

    def on_interrupt_target(self, device: int, dma_address: int, physical: int, identity: int) -> None:
        """The device will write interrupt ``identity`` to ``dma_address``, which is the interrupt page at ``physical``."""

    def on_submit(self, device: int, first_slot: int, descriptors: NDArray[np.uint64]) -> None:
        """Descriptors, shape ``[n, 8]``, are about to be handed over, the first in ring slot ``first_slot``.

        The entries of a chain follow their head; they take no slot. Call it before the doorbell.
        """

    def on_reap(self, device: int, completions: NDArray[np.uint64]) -> None:
        """The driver has taken these completions, shape ``[n, 2]``, in order, and found them good or bad."""


class SilentObserver:
    """An observer that looks away."""

    def on_map(self, device: int, dma_address: int, segments: Sequence[tuple[int, int]], direction: int) -> None: ...

    def on_revoke(self, device: int, dma_address: int) -> None: ...

    def on_unmap(self, device: int, dma_address: int) -> None: ...

    def on_buffer(self, physical: int, contents: NDArray[np.uint8], guard: int) -> None: ...

    def on_release(self, physical: int) -> None: ...

    def on_broken(self, physical: int, size: int, status: int) -> None: ...

    def on_local_memory(self, device: int, bus_address: int, size: int) -> None: ...

    def on_rings(self, device: int, layout: RingLayout) -> None: ...

    def on_interrupt_target(self, device: int, dma_address: int, physical: int, identity: int) -> None: ...

    def on_submit(self, device: int, first_slot: int, descriptors: NDArray[np.uint64]) -> None: ...

    def on_reap(self, device: int, completions: NDArray[np.uint64]) -> None: ...
