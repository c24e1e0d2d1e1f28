"""Random TLPs for links that only forward: every format, payload length, prefix and ordering attribute."""

from __future__ import annotations

import numpy as np

from tb.agents.tlp_link.item import StimulusTlp

LOW_RAM = 0x8000_0000
PASID_PREFIX = 0x91 << 24
MEMORY_WRITE, MEMORY_READ, MESSAGE, COMPLETION, FETCH_ADD = range(5)


def random_tlps(random: np.random.Generator, count: int, kinds: tuple[int, ...]) -> list[StimulusTlp]:
    """``count`` TLPs of the given kinds to host RAM, lengths up to 4 KiB with short ones preferred."""
    return [_tlp(random, int(random.choice(kinds)), index) for index in range(count)]


def _tlp(random: np.random.Generator, kind: int, index: int) -> StimulusTlp:
    dwords = int(random.choice([1, 2, 3, 4, 5, 8, 9, 16, 32, 64])) if random.random() < 0.95 else int(random.integers(1, 1025))
    room = 4096 - 4 * dwords
    page = LOW_RAM + 4096 * int(random.integers(0, 64))
    address = page + (int(random.integers(0, room // 4 + 1)) * 4)
    enables = 0xFF if dwords > 1 else 0x0F
    attributes = (int(random.integers(0, 2)) << 13 | int(random.integers(0, 2)) << 18) if random.random() < 0.3 else 0
    identity = int(random.integers(1, 4)) << 24 | (index & 0xFF) << 8
    prefix = PASID_PREFIX | int(random.integers(0, 1 << 20)) if random.random() < 0.2 else None
    length = dwords & 0x3FF
    if kind == MEMORY_WRITE:
        return StimulusTlp((0x40 << 24 | attributes | length, identity | enables, address, 0), random.bytes(4 * dwords), prefix)
    if kind == MEMORY_READ:
        return StimulusTlp((0x00 << 24 | attributes | length, identity | enables, address, 0), b"", prefix)
    if kind == MESSAGE:
        return StimulusTlp((0x30 << 24, identity | 0x18, 0, 0))
    if kind == FETCH_ADD:
        return StimulusTlp((0x4C << 24 | 1, identity, address & ~7, 0), random.bytes(4), prefix)
    byte_count = min(4 * dwords, 4096)
    return StimulusTlp((0x4A << 24 | length, byte_count & 0xFFF, identity, 0), random.bytes(4 * dwords))
