"""Exceptions of the DMA API model. Calls that fail in the kernel return its error value; these are for what no call returns."""

from __future__ import annotations

from sluicegate.address import DMA_MAPPING_ERROR, DmaAddress
from sluicegate.dma.errno import Errno


class KernelBug(Exception):
    """A condition on which the kernel stops (``BUG``): never caught by a driver."""


class DmaApiError(Exception):
    """A failed call, for callers that prefer exceptions: ``errno`` is the positive kernel error number."""

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(message)
        self.errno = Errno(errno)


def checked(result: int) -> int:
    """Return the result of a kernel-style call; raise :class:`DmaApiError` when it is a negative errno or the error address."""
    if isinstance(result, DmaAddress):
        if result == DMA_MAPPING_ERROR:
            raise DmaApiError(Errno.ENOMEM, "the mapping failed: free mappings that are no longer needed and try again")
    elif result < 0:
        raise DmaApiError(-result, f"the call failed with {Errno(-result).name}")
    return result
