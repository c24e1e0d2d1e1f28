"""Attributes of mappings and allocations (``DMA_ATTR_*``), and allocation flags (``gfp_t``)."""

from __future__ import annotations

from enum import IntFlag


class DmaAttrs(IntFlag):
    """Values of the kernel's ``DMA_ATTR_*`` bits."""

    NONE = 0
    WEAK_ORDERING = 1 << 1
    WRITE_COMBINE = 1 << 2
    NO_KERNEL_MAPPING = 1 << 4
    SKIP_CPU_SYNC = 1 << 5
    FORCE_CONTIGUOUS = 1 << 6
    ALLOC_SINGLE_PAGES = 1 << 7
    NO_WARN = 1 << 8
    PRIVILEGED = 1 << 9
    MMIO = 1 << 10
    DEBUGGING_IGNORE_CACHELINES = 1 << 11
    REQUIRE_COHERENT = 1 << 12
    CC_SHARED = 1 << 13


ATTR_BITS = int(max(DmaAttrs)).bit_length()
"""Bits that the attributes take; a value with more of them needs a closer look."""
# Plain integers: combining members of an IntFlag costs a microsecond on the mapping path.
SKIP_CPU_SYNC = int(DmaAttrs.SKIP_CPU_SYNC)
MMIO = int(DmaAttrs.MMIO)
REQUIRE_COHERENT = int(DmaAttrs.REQUIRE_COHERENT)
CC_SHARED = int(DmaAttrs.CC_SHARED)
NO_KERNEL_MAPPING = int(DmaAttrs.NO_KERNEL_MAPPING)
NO_WARN = int(DmaAttrs.NO_WARN)
PRIVILEGED = int(DmaAttrs.PRIVILEGED)
IGNORE_CACHELINES = int(DmaAttrs.DEBUGGING_IGNORE_CACHELINES)


class Gfp(IntFlag):
    """Allocation flags. The kernel's bit values differ by release; only the names matter here."""

    KERNEL = 0
    ATOMIC = 1 << 0
    """May not sleep."""
    DMA = 1 << 1
    """From ZONE_DMA (below 16 MiB by default)."""
    DMA32 = 1 << 2
    """From below 4 GiB."""
    HIGHMEM = 1 << 3
    COMP = 1 << 4
    """A compound page: not allowed for DMA allocations."""
    ZERO = 1 << 5
    NOWARN = 1 << 6


GFP_KERNEL = Gfp.KERNEL
GFP_ATOMIC = Gfp.ATOMIC
