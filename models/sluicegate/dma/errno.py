"""Kernel error numbers. A kernel-style call returns the negative: ``-Errno.EINVAL``."""

from __future__ import annotations

from enum import IntEnum


class Errno(IntEnum):
    """Linux error numbers the DMA API returns (fixed here: the host's own numbers may differ)."""

    EPERM = 1
    EIO = 5
    ENXIO = 6
    EAGAIN = 11
    ENOMEM = 12
    EFAULT = 14
    EBUSY = 16
    EEXIST = 17
    ENODEV = 19
    EINVAL = 22
    EOPNOTSUPP = 95
    EADDRINUSE = 98
    EREMOTEIO = 121
