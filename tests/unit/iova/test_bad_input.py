"""Nonsense given to the IOVA allocator, its caches and its flush queue: one sentence, and the state is as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sluicegate.address import DmaAddress
from sluicegate.iova.flush_queue import FlushQueue
from sluicegate.iova.rcache import IovaRcache
from sluicegate.iova.tree import IovaTree

WRONG = ["7", None, 1.5, True, DmaAddress(7)]
OUTSIDE = [-1, 1 << 64]

CALLS: dict[str, Callable[[IovaTree, IovaRcache, FlushQueue, Any], object]] = {
    "alloc size": lambda tree, cache, queue, bad: tree.alloc(bad, 0xFFFFF),
    "alloc limit": lambda tree, cache, queue, bad: tree.alloc(1, bad),
    "free": lambda tree, cache, queue, bad: tree.free(bad),
    "find": lambda tree, cache, queue, bad: tree.find(bad),
    "reserve lo": lambda tree, cache, queue, bad: tree.reserve(bad, 9),
    "reserve hi": lambda tree, cache, queue, bad: tree.reserve(9, bad),
    "alloc_iova_fast size": lambda tree, cache, queue, bad: cache.alloc_iova_fast(bad, 0xFFFFF, True),
    "alloc_iova_fast limit": lambda tree, cache, queue, bad: cache.alloc_iova_fast(1, bad, True),
    "free_iova_fast pfn": lambda tree, cache, queue, bad: cache.free_iova_fast(bad, 1),
    "free_iova_fast size": lambda tree, cache, queue, bad: cache.free_iova_fast(7, bad),
    "queue pfn": lambda tree, cache, queue, bad: queue.queue(bad, 1),
    "queue pages": lambda tree, cache, queue, bad: queue.queue(1, bad),
}
WITH_CPU: dict[str, Callable[[IovaRcache, FlushQueue, Any], object]] = {
    "alloc_iova_fast": lambda cache, queue, cpu: cache.alloc_iova_fast(1, 0xFFFFF, True, cpu),
    "free_iova_fast": lambda cache, queue, cpu: cache.free_iova_fast(7, 1, cpu),
    "flush_cpu": lambda cache, queue, cpu: cache.flush_cpu(cpu),
    "queue": lambda cache, queue, cpu: queue.queue(7, 1, cpu),
}


def machine() -> tuple[IovaTree, IovaRcache, FlushQueue]:
    tree = IovaTree(4096, 1)
    cache = IovaRcache(tree, cpus=2)
    cache.free_iova_fast(cache.alloc_iova_fast(4, 0xFFFFF, True), 4)
    tree.alloc(3, 0xFFFFF)
    queue = FlushQueue(lambda: None, lambda pfn, pages, cpu: None, lambda: 0.0, cpus=2)
    queue.queue(50, 1)
    return tree, cache, queue


@pytest.mark.parametrize("call", CALLS)
def test_pages_are_unsigned_numbers(call: str) -> None:
    tree, cache, queue = machine()
    before = tree.state(), cache.cached_pages, len(queue)
    for bad in WRONG:
        with pytest.raises(TypeError, match="give a plain whole number"):
            CALLS[call](tree, cache, queue, bad)
    for bad in OUTSIDE:
        with pytest.raises(ValueError, match="give"):
            CALLS[call](tree, cache, queue, bad)
    assert (tree.state(), cache.cached_pages, len(queue)) == before


@pytest.mark.parametrize("call", WITH_CPU)
def test_cpus_are_those_there_are(call: str) -> None:
    tree, cache, queue = machine()
    before = tree.state(), cache.cached_pages, len(queue)
    for bad in (2, -1, None, "0"):
        with pytest.raises(ValueError, match="give 0 to 1"):
            WITH_CPU[call](cache, queue, bad)
    assert (tree.state(), cache.cached_pages, len(queue)) == before


def test_a_request_beyond_the_space_fails_in_order() -> None:
    tree, cache, _ = machine()
    blocks = tree.state().blocks
    assert tree.alloc(1 << 60, 0xFFFFF) is None
    assert cache.alloc_iova_fast(1 << 60, (1 << 52) - 1, False) == 0
    assert tree.state().blocks == blocks
