"""Providers of peer memory: a BAR of a device that others may reach (``struct p2pdma_provider``, ``struct pci_p2pdma``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.p2pdma.pool import P2pmemPool
from sluicegate.pci.topology import Bar

if TYPE_CHECKING:
    from sluicegate.dma.device import Device
    from sluicegate.p2pdma.registry import P2pdma

_ADDRESS_MASK: Final = (1 << 64) - 1


class P2pdmaProvider:
    """One memory BAR. ``bus_offset`` is what turns its CPU physical addresses into bus addresses (modulo 2^64)."""

    def __init__(self, registry: P2pdma, owner: Device, number: int, bar: Bar) -> None:
        self.registry: Final = registry
        self.owner: Final = owner
        self.number: Final = number
        self.bar: Final = bar
        self.bus_offset: Final = (bar.bus - bar.phys) & _ADDRESS_MASK

    def map_type(self, device: object) -> P2pdmaMapType:
        """How ``device`` reaches this BAR: the answer of its first use, or of the last distance query, is remembered."""
        return self.registry.map_type(self, device)

    def bus_address(self, phys: int) -> int:
        """Bus address of a CPU physical address of the BAR."""
        return (phys + self.bus_offset) & _ADDRESS_MASK

    def __repr__(self) -> str:
        return f"<P2pdmaProvider {self.owner.name} BAR {self.number}>"


class P2pdmaState:
    """What the kernel keeps for a device that provides peer memory."""

    def __init__(self) -> None:
        self.providers: Final[dict[int, P2pdmaProvider]] = {}
        self.resources: Final[list[tuple[int, int, P2pdmaProvider]]] = []
        """(CPU physical base, bytes, provider), newest first."""
        self.pool: P2pmemPool | None = None
        self.published = False
        self.map_types: Final[dict[int, P2pdmaMapType]] = {}
        """Map type of each client, by its path identifier."""
        self.references = 0
        self.dying = False

    def provider_of(self, address: int) -> P2pdmaProvider | None:
        """The provider whose added resource holds a CPU physical address."""
        for base, size, provider in self.resources:
            if base <= address < base + size:
                return provider
        return None
