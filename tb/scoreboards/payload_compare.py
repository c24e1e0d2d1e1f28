"""Comparison of many payloads with as many others, byte by byte, in groups of equal length."""

from __future__ import annotations

import numpy as np

from tb.scoreboards.payload_store import U8
from tb.scoreboards.tlp_batch import I64, U32, Bool


def payloads_equal(left: U8, left_start: I64, right: U8, right_start: I64, length: U32) -> Bool:
    """For each row: are ``length`` bytes of ``left`` at ``left_start`` those of ``right`` at ``right_start``; shape ``[n]``."""
    equal = np.ones(length.size, np.bool_)
    order = np.argsort(length.astype(np.uint16), kind="stable")
    sizes, firsts = np.unique(length[order], return_index=True)
    bounds = [*firsts.tolist(), length.size]
    for size, begin, end in zip(sizes.tolist(), bounds, bounds[1:], strict=False):
        if size:
            rows = order[begin:end]
            found = _rows(left, left_start[rows], size) == _rows(right, right_start[rows], size)
            equal[rows] = found.all(axis=1)
    return equal


def _rows(buffer: U8, start: I64, size: int) -> U8:
    """``size`` bytes of ``buffer`` from each of ``start``, shape ``[n, size]`` (as 64-bit words where they divide evenly)."""
    windows = np.lib.stride_tricks.as_strided(buffer, (buffer.size - size + 1, size), (1, 1), writeable=False)
    rows = windows[start]
    wide: U8 = rows.view(np.uint64) if size & 7 == 0 else rows.view(np.uint32) if size & 3 == 0 else rows
    return wide
