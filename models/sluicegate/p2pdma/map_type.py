"""How a device reaches peer memory (``enum pci_p2pdma_map_type``)."""

from __future__ import annotations

from enum import IntEnum


class P2pdmaMapType(IntEnum):
    """The kernel's values."""

    UNKNOWN = 0
    NONE = 1
    """No peer memory at all: ordinary RAM."""
    NOT_SUPPORTED = 2
    BUS_ADDR = 3
    """The switches below one common bridge route it: use the bus address, the IOMMU never sees it."""
    THRU_HOST_BRIDGE = 4
    """Through the root complex: map it like memory."""
