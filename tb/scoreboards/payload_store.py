"""Payload bytes that TLPs refer to by position, with room for those that are kept from one batch of the log to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]


class PayloadStore:
    """``size`` bytes of ``contents`` (None: all) to begin with; more may follow behind them."""

    def __init__(self, contents: U8, size: int | None = None) -> None:
        self._contents = contents
        self._size = contents.size if size is None else size

    @classmethod
    def empty(cls) -> PayloadStore:
        """No bytes yet."""
        return cls(np.zeros(0, np.uint8))

    @property
    def bytes(self) -> U8:
        """All bytes; a later :meth:`append` may move them, but never to another position."""
        return self._contents[: self._size]

    def append(self, more: U8) -> int:
        """Add bytes; returns the position of the first."""
        position, end = self._size, self._size + more.size
        if position == end:
            return position
        if end > self._contents.size:
            larger = np.empty(2 * end, np.uint8)
            larger[:position] = self.bytes
            self._contents = larger
        self._contents[position:end] = more
        self._size = end
        return position
