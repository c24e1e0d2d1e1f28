"""A sorted set of integers in chunks: neighbours of any value among a million keys in about a microsecond."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final

_CHUNK: Final = 512
"""Target length of a chunk; a chunk is cut in two at twice this."""


class SortedKeys:
    """A set of distinct integers with ordered neighbours; ``add`` and ``remove`` cost about the square root of the size."""

    __slots__ = ("_chunks", "_last")

    def __init__(self, keys: Iterable[int] = ()) -> None:
        ordered = sorted(keys)
        self._chunks = [ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK)]
        self._last = [chunk[-1] for chunk in self._chunks]

    def __len__(self) -> int:
        return sum(map(len, self._chunks))

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def add(self, key: int) -> None:
        """Insert ``key``, which is not a member."""
        if not self._chunks:
            self._chunks.append([key])
            self._last.append(key)
            return
        at = min(bisect_left(self._last, key), len(self._chunks) - 1)
        chunk = self._chunks[at]
        chunk.insert(bisect_left(chunk, key), key)
        if len(chunk) > 2 * _CHUNK:
            self._chunks[at : at + 1] = [chunk[:_CHUNK], chunk[_CHUNK:]]
            self._last[at : at + 1] = [chunk[_CHUNK - 1], chunk[-1]]
        else:
            self._last[at] = chunk[-1]

    def remove(self, key: int) -> None:
        """Delete ``key``, which is a member."""
        at = bisect_left(self._last, key)
        chunk = self._chunks[at]
        del chunk[bisect_left(chunk, key)]
        if chunk:
            self._last[at] = chunk[-1]
        else:
            del self._chunks[at], self._last[at]

    def floor(self, value: int) -> int | None:
        """The greatest member not above ``value``, or None."""
        at = bisect_left(self._last, value)
        if at < len(self._chunks):
            chunk = self._chunks[at]
            index = bisect_right(chunk, value)
            if index:
                return chunk[index - 1]
        return self._last[at - 1] if at else None

    def ceiling(self, value: int) -> int | None:
        """The least member not below ``value``, or None."""
        at = bisect_left(self._last, value)
        if at == len(self._chunks):
            return None
        chunk = self._chunks[at]
        return chunk[bisect_left(chunk, value)]
