"""Replay of ``dmapool``: which block a pool gives, when it grows, and what its destruction frees.

A case is ``{id, size, align, boundary, created, ops, destroy}``: ``created`` is [size, allocation, boundary] or null, operations
are ``["alloc", inject_fail, dma|null]`` and ``["free", dma]``. The recorded coherent allocator hands out naturally aligned
blocks upward from 0x10000000.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluicegate.conformance.result import Case, FileResult, Mismatch, replay_cases
from sluicegate.dma.backends.base import MAPPING_ERROR
from sluicegate.dma.backends.direct import DirectBackend
from sluicegate.dma.coherent import page_align
from sluicegate.dma.debug import DebugMode, DmaDebug
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device
from sluicegate.dma.host import Host
from sluicegate.dma.pool import dma_pool_alloc, dma_pool_create, dma_pool_free


class _AscendingBackend(DirectBackend):
    """Coherent memory at naturally aligned device addresses from 0x10000000 upward; ``fail`` refuses the next one."""

    def __init__(self) -> None:
        self.next = 0x1000_0000
        self.fail = False
        self.freed = 0

    def map_pages(self, device: Device, pages: Sequence[tuple[int, int]], size: int, attrs: int) -> int:
        if self.fail:
            return MAPPING_ERROR
        block: int = 1 << (page_align(size) - 1).bit_length()
        address = -(-self.next // block) * block
        self.next = address + block
        return address

    def unmap_pages(self, device: Device, dma: int, size: int, attrs: int) -> None:
        self.freed += 1


def replay_case(case: Case) -> None:
    """Replay one case; raises Mismatch."""
    backend = _AscendingBackend()
    debug = DmaDebug(DebugMode.LOG)
    device = Device(Host(debug=debug), "dut", backend=backend)
    pool = dma_pool_create("recorded", device, case["size"], case["align"], case["boundary"])
    created = None if pool is None else [pool.size, pool.allocation, pool.boundary]
    if created != case["created"]:
        raise Mismatch("create", case["created"], created)
    if pool is None:
        return
    for index, operation in enumerate(case["ops"]):
        match operation:
            case ["alloc", fail, expected]:
                backend.fail = fail
                block = dma_pool_alloc(pool)
                got = None if block is None else int(block[1])
                if got != expected:
                    raise Mismatch(index, expected, got)
            case ["free", dma]:
                dma_pool_free(pool, None, dma)
            case _:
                raise ValueError(f"unknown operation {operation}")
    counters = {"nr_pages": pool.pages, "nr_blocks": pool.blocks, "nr_active": pool.active}
    pool.destroy()
    counters |= {"pages_freed": backend.freed, "busy_reported": debug.counts[DebugClass.POOL_BUSY] > 0}
    if counters != case["destroy"]:
        raise Mismatch("destroy", case["destroy"], counters)


def replay(path: Path) -> FileResult:
    """Replay a file of this format."""
    return replay_cases(path, ("size", "align", "boundary", "created", "ops"), replay_case)
