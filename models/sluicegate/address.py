"""Typed addresses that refuse to mix.

Three address spaces meet in a machine with an IOMMU, and the classic driver bug is to use an address of one in another:

* :class:`PhysicalAddress`: what the CPU and the memory controller use (``phys_addr_t``),
* :class:`DmaAddress`: what a device puts on its link: an IOVA, or a bus address (``dma_addr_t``),
* :class:`PeerAddress`: a bus address of another device, of full bus width (``dma_peer_addr_t``).

Each is an ``int``, so it formats, hashes and indexes like one. Adding a plain ``int`` keeps the type; the difference of two
addresses of one type is a plain ``int``; arithmetic or ordering across types raises ``TypeError``; equality across types is
False. All values are unsigned 64-bit byte addresses.
"""

from __future__ import annotations

from operator import index
from typing import Self, SupportsIndex

ADDRESS_BITS = 64
_LIMIT = 1 << ADDRESS_BITS


class _Address(int):
    """An unsigned 64-bit byte address of one address space."""

    __slots__ = ()

    def __new__(cls, value: SupportsIndex) -> Self:
        if isinstance(value, _Address) and type(value) is not cls:
            raise TypeError(
                f"{type(value).__name__} {int(value):#x} used as {cls.__name__}: the address spaces differ, "
                f"translate it first (int() forces the conversion)"
            )
        if not isinstance(value, int):
            value = cls._whole_number(value)
        if not 0 <= value < _LIMIT:
            raise ValueError(f"{cls.__name__} {value:#x} is outside 64 bits: give a byte address from 0 to 2^64 - 1")
        return super().__new__(cls, value)

    @classmethod
    def _whole_number(cls, value: object) -> int:
        """An integer of another library (numpy); text, floats and None are refused."""
        if not hasattr(value, "__index__"):
            raise TypeError(f"{type(value).__name__} {value!r} is no {cls.__name__}: give a byte address as a whole number")
        return index(value)

    def _offset(self, other: object) -> int:
        if isinstance(other, _Address):
            raise TypeError(f"cannot add {type(other).__name__} to {type(self).__name__}: add a byte offset (plain int)")
        if not isinstance(other, int):
            raise TypeError(f"cannot add {type(other).__name__} to {type(self).__name__}: add a byte offset (plain int)")
        return int(other)

    def _same(self, other: object, operation: str) -> int:
        if isinstance(other, _Address) and type(other) is not type(self):
            raise TypeError(f"cannot {operation} {type(self).__name__} and {type(other).__name__}: the address spaces differ")
        if not isinstance(other, int):
            raise TypeError(f"cannot {operation} {type(self).__name__} and {type(other).__name__}")
        return int(other)

    def __add__(self, other: int) -> Self:
        return type(self)(int(self) + self._offset(other))

    __radd__ = __add__

    def __sub__(self, other: int) -> Self | int:
        if type(other) is type(self):
            return int(self) - int(other)
        return type(self)(int(self) - self._same(other, "subtract"))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Address) and type(other) is not type(self):
            return False
        return int.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__

    def __lt__(self, other: int) -> bool:
        return int(self) < self._same(other, "order")

    def __le__(self, other: int) -> bool:
        return int(self) <= self._same(other, "order")

    def __gt__(self, other: int) -> bool:
        return int(self) > self._same(other, "order")

    def __ge__(self, other: int) -> bool:
        return int(self) >= self._same(other, "order")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self):#x})"


class PhysicalAddress(_Address):
    """A CPU physical address (``phys_addr_t``): RAM or MMIO as the CPU sees it."""

    __slots__ = ()


class DmaAddress(_Address):
    """An address as a device emits it (``dma_addr_t``): an IOVA behind an IOMMU, a bus address without one."""

    __slots__ = ()


class PeerAddress(_Address):
    """A bus address of a peer device's resource (``dma_peer_addr_t``), always of full bus width."""

    __slots__ = ()


DMA_MAPPING_ERROR = DmaAddress(_LIMIT - 1)
"""The value every failed mapping returns (``DMA_MAPPING_ERROR``)."""
