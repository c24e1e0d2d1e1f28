"""What a driver keeps for the unmap (``DEFINE_DMA_UNMAP_ADDR`` and ``_LEN``; specification DMA_API, section 1.6)."""

from __future__ import annotations

from dataclasses import dataclass

from sluicegate.address import DmaAddress


@dataclass
class UnmapState:
    """Address and length of one mapping. Where the platform needs no state (``keep_state`` False), sets vanish and gets are 0."""

    keep_state: bool = True
    _addr: int = 0
    _len: int = 0

    @property
    def addr(self) -> DmaAddress:
        """``dma_unmap_addr``."""
        return DmaAddress(self._addr)

    @addr.setter
    def addr(self, value: DmaAddress | int) -> None:
        if self.keep_state:
            self._addr = int(DmaAddress(value))

    @property
    def len(self) -> int:
        """``dma_unmap_len``: 32 bits, larger values lose their upper bits."""
        return self._len

    @len.setter
    def len(self, value: int) -> None:
        if self.keep_state:
            self._len = value & 0xFFFFFFFF
