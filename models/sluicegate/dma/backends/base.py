"""What every back end of the DMA API offers. Addresses are plain integers; the API around it adds the types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from sluicegate.arguments import unsigned
from sluicegate.dma.direction import DmaDirection

if TYPE_CHECKING:
    from sluicegate.dma.device import Device
    from sluicegate.dma.scatterlist import SgEntry

MAPPING_ERROR: Final = (1 << 64) - 1
SIZE_MAX: Final = (1 << 64) - 1


def dma_bit_mask(bits: int) -> int:
    """``DMA_BIT_MASK(bits)``: the lowest ``bits`` bits set, 1 to 64."""
    if bits.__class__ is not int:
        bits = unsigned(bits, "DMA_BIT_MASK: bits")
    if not 1 <= bits <= 64:
        raise ValueError(f"DMA_BIT_MASK({bits}): 1 to 64 bits are valid")
    return (1 << bits) - 1


def min_not_zero(first: int, second: int) -> int:
    """The smaller of two limits, where 0 means no limit."""
    return min(first, second) if first and second else first or second


class DmaBackend(Protocol):
    """How one kind of device gets its mappings.

    ``phys``, ``dma`` and ``size`` are bytes. A map returns the DMA address or ``MAPPING_ERROR``; ``map_sg`` the number of
    segments or a negative errno, and fills the ``dma_*`` fields of the entries.
    """

    @property
    def name(self) -> str:
        """Its name in reports."""

    def map_phys(self, device: Device, phys: int, size: int, direction: DmaDirection, attrs: int) -> int: ...

    def unmap_phys(self, device: Device, dma: int, size: int, direction: DmaDirection, attrs: int) -> None: ...

    def map_sg(self, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> int: ...

    def unmap_sg(self, device: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> None: ...

    def map_resource(self, device: Device, phys: int, size: int, direction: DmaDirection, attrs: int) -> int: ...

    def unmap_resource(self, device: Device, dma: int, size: int, direction: DmaDirection, attrs: int) -> None: ...

    def alloc_limit(self, device: Device) -> int | None:
        """Highest CPU physical address that pages for a coherent allocation may have; None for any."""

    def map_pages(self, device: Device, pages: Sequence[tuple[int, int]], size: int, attrs: int) -> int:
        """Map (phys, bytes) blocks as one coherent range."""

    def unmap_pages(self, device: Device, dma: int, size: int, attrs: int) -> None: ...

    @property
    def scatters_pages(self) -> bool:
        """Whether blocks of :meth:`map_pages` may be physically apart."""

    def sync_for_cpu(self, device: Device, dma: int, size: int, direction: DmaDirection) -> None: ...

    def sync_for_device(self, device: Device, dma: int, size: int, direction: DmaDirection) -> None: ...

    def dma_supported(self, device: Device, mask: int) -> bool: ...

    def required_mask(self, device: Device) -> int: ...

    def addressing_limited(self, device: Device) -> bool: ...

    def max_mapping_size(self, device: Device) -> int: ...

    def opt_mapping_size(self, device: Device) -> int: ...

    def merge_boundary(self, device: Device) -> int: ...

    def can_skip_sync(self, device: Device) -> bool:
        """Whether a coherent device under this back end needs no sync at all."""

    def need_sync(self, device: Device, dma: int) -> bool: ...

    def translate(self, device: Device, dma: int) -> int | None:
        """The CPU physical byte address that a device access to ``dma`` reaches, None when it faults (for device models)."""
