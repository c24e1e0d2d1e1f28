"""How a requester cuts transfers into memory requests: at every multiple of Max_Payload_Size or Max_Read_Request_Size.

Both are powers of two up to 4096, so that no request crosses a 4 KiB boundary. Source: PCI Express Base, request rules; aligned
cuts are this project's choice (a first short request aligns all that follow).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAGE_SIZE = 4096


@dataclass(frozen=True)
class MemoryRequests:
    """Memory requests of several transfers, all of shape ``[n]``, transfer by transfer in address order.

    ``transfer``: index of the transfer; ``offset``: bytes of it before this request; ``address``: of the first byte; ``length``:
    bytes, 0 for a zero-length (flushing) read.
    """

    transfer: NDArray[np.intp]
    offset: NDArray[np.uint64]
    address: NDArray[np.uint64]
    length: NDArray[np.uint64]


def split_transfers(address: NDArray[np.uint64], length: NDArray[np.uint64], boundary: int) -> MemoryRequests:
    """Cut transfers (shape ``[m]``) at multiples of ``boundary``; a transfer of length 0 gives no request."""
    if boundary < 128 or boundary > PAGE_SIZE or boundary & (boundary - 1):
        raise ValueError(f"requests cannot be cut at {boundary} bytes: give a power of two from 128 to 4096")
    size = np.uint64(boundary)
    first = address // size
    end = address + length
    count = np.where(length > 0, (end + (size - np.uint64(1))) // size - first, np.uint64(0)).astype(np.intp)
    transfer = np.repeat(np.arange(address.size), count)
    index = (np.arange(transfer.size) - np.repeat(np.cumsum(count) - count, count)).astype(np.uint64)
    start = np.maximum((first[transfer] + index) * size, address[transfer])
    stop = np.minimum((first[transfer] + index + np.uint64(1)) * size, end[transfer])
    return MemoryRequests(transfer, start - address[transfer], start, stop - start)


def flushing_reads(address: NDArray[np.uint64], length: NDArray[np.uint64]) -> MemoryRequests:
    """The zero-length reads that push posted writes: one for each 4 KiB page of each range; length 0 counts as one byte."""
    pages = split_transfers(address, np.maximum(length, np.uint64(1)), PAGE_SIZE)
    return MemoryRequests(pages.transfer, pages.offset, pages.address, np.zeros_like(pages.length))
