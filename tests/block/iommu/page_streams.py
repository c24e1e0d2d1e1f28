"""Page streams of one and of several devices, and the page tables below them: what IOTLBs are measured and judged with.

Every device is under the same first stage, whose last-level entries are all valid, also those beside what is visited.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sluicegate.conformance.iommu_cases import MemoryImage
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.request import Request

CAPABILITIES = Capabilities(0x10 | 1 << 9 | 1 << 28 | 56 << 32)
V, LEAF = 0x01, 0xDF
DIRECTORY, FIRST = 0x8000_0000, 0x8001_0000
IOVA, DATA = 0x4000_0000, 0x1_0000_0000
LINE = 8
"""Pages whose entries share a line of memory."""
PAGES = 2048 * LINE
"""Pages that are mapped."""
VISIT = 4
"""Requests to a page that is streamed over, 1 KiB each."""
DEVICES = 8
RANDOM_VISITS = 2

Page = tuple[int, int]
"""Device and page number."""


def sequential(size: int, _: np.random.Generator) -> Iterator[Page]:
    """One device streams over adjacent pages."""
    for page in range(size):
        yield from ((1, page) for _ in range(VISIT))


def strided(size: int, _: np.random.Generator) -> Iterator[Page]:
    """One device visits every eighth page once: no two of them share a line."""
    yield from ((1, page * LINE) for page in range(size))


def random(size: int, generator: np.random.Generator) -> Iterator[Page]:
    """One device visits pages drawn at random."""
    yield from ((1, page) for page in generator.integers(0, size, RANDOM_VISITS * size).tolist())


def devices(size: int, _: np.random.Generator) -> Iterator[Page]:
    """Eight devices stream in turn over an eighth of the pages each."""
    share = size // DEVICES
    for page in range(share):
        for _visit in range(VISIT):
            yield from ((1 + device, device * share + page) for device in range(DEVICES))


def configuration() -> IommuConfiguration:
    """Of the IOMMU above these tables."""
    return IommuConfiguration(CAPABILITIES, 2, DIRECTORY >> 2 | 2)


def request(page: Page) -> Request:
    """A read of this page."""
    device, number = page
    return Request(device, IOVA + (number << 12))


def page_tables() -> MemoryImage:
    """Every device under the same first stage, whose last-level tables are full."""
    words = {FIRST + 8 * (IOVA >> 30): (FIRST + 0x1000) >> 2 | V}
    for device in range(1, DEVICES + 1):
        words[DIRECTORY + 32 * device] = V
        words[DIRECTORY + 32 * device + 16] = 7 << 12
        words[DIRECTORY + 32 * device + 24] = 8 << 60 | FIRST >> 12
    for table in range(PAGES // 512):
        words[FIRST + 0x1000 + 8 * table] = (FIRST + 0x2000 + (table << 12)) >> 2 | V
    for page in range(PAGES):
        words[FIRST + 0x2000 + 8 * page] = (DATA + (page << 12)) >> 2 | LEAF
    return MemoryImage(words)
