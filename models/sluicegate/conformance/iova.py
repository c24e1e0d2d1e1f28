"""Replay of ``iova``: allocations, frees and reservations of the kernel's IOVA tree without its caches.

A case is ``{id, kind, granule, start_pfn, ops, final}``; operations are ``["alloc", size, limit, aligned, pfn|null]``,
``["free", pfn, ...]`` and ``["reserve", lo, hi, [lo, hi]|null]``; ``final`` holds the hints and ``max32``.
"""

from __future__ import annotations

from pathlib import Path

from sluicegate.conformance.result import Case, FileResult, Mismatch, replay_cases
from sluicegate.iova.tree import IovaTree


def replay_case(case: Case) -> None:
    """Replay one case; raises Mismatch."""
    tree = IovaTree(case["granule"], case["start_pfn"])
    for index, operation in enumerate(case["ops"]):
        match operation:
            case ["alloc", size, limit, aligned, expected]:
                got: object = tree.alloc(size, limit, aligned)
            case ["free", pfn, *_]:
                tree.free(pfn)
                continue
            case ["reserve", lo, hi, expected]:
                block = tree.reserve(lo, hi)
                got = None if block is None else list(block)
            case _:
                raise ValueError(f"unknown operation {operation}")
        if got != expected:
            raise Mismatch(index, expected, got)
    final = {
        "cached_node_lo": tree.cached_node_lo,
        "cached32_node_lo": tree.cached32_node_lo,
        "max32_alloc_size": tree.max32_alloc_size,
    }
    if final != case["final"]:
        raise Mismatch("final", case["final"], final)


def replay(path: Path) -> FileResult:
    """Replay a file of this format."""
    return replay_cases(path, ("granule", "start_pfn", "ops", "final"), replay_case)
