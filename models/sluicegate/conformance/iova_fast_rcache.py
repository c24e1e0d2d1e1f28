"""Replay of ``iova_fast_rcache``: the allocator as the DMA API calls it, caches on, one CPU, no depot timer.

Operations are ``["alloc_fast", size, limit, flush, pfn|null]`` and ``["free_fast", pfn, size]``.
"""

from __future__ import annotations

from pathlib import Path

from sluicegate.conformance.result import Case, FileResult, Mismatch, replay_cases
from sluicegate.iova.rcache import IovaRcache
from sluicegate.iova.tree import IovaTree


def replay_case(case: Case) -> None:
    """Replay one case; raises Mismatch."""
    rcache = IovaRcache(IovaTree(case["granule"], case["start_pfn"]), case["cpus"])
    for index, operation in enumerate(case["ops"]):
        match operation:
            case ["alloc_fast", size, limit, flush, expected]:
                got = rcache.alloc_iova_fast(size, limit, flush) or None
                if got != expected:
                    raise Mismatch(index, expected, got)
            case ["free_fast", pfn, size]:
                rcache.free_iova_fast(pfn, size)
            case _:
                raise ValueError(f"unknown operation {operation}")


def replay(path: Path) -> FileResult:
    """Replay a file of this format."""
    return replay_cases(path, ("granule", "start_pfn", "cpus", "ops"), replay_case)
