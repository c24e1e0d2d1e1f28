"""Single mappings over every offset in a page, every offset in local memory, and awkward lengths."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import numpy as np
from sluicegate.dma.direction import DmaDirection

from sequences.machine import Endpoint, Machine
from sequences.transfers import expect_bytes, guarded_buffer, map_buffer, round_trip, unmap_buffer

PAIRS_PER_BATCH: Final = 32
_LINE: Final = 64
_EDGES: Final = np.array(
    [1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097]
)


def awkward_length(random: np.random.Generator, longest: int = 8192) -> int:
    """A length in bytes: around a power of two, small, or anything up to ``longest``."""
    kind = random.random()
    if kind < 0.4:
        return int(min(random.choice(_EDGES), longest))
    if kind < 0.9:
        return int(random.integers(1, min(600, longest) + 1))
    return int(random.integers(1, longest + 1))


def awkward_offset(random: np.random.Generator) -> int:
    """An offset in a page: anywhere, or close to its end."""
    return int(random.integers(0, 4096)) if random.random() < 0.8 else 4095 - int(random.integers(0, 80))


def single_transfers(machine: Machine, random: np.random.Generator, batches: int = 4) -> None:
    """``batches`` batches on each endpoint: buffers to local memory and back to other buffers, all mapped one by one."""
    for _ in range(batches):
        for endpoint in machine.endpoints:
            single_transfers_of(machine, endpoint, random, PAIRS_PER_BATCH)


def single_transfers_of(machine: Machine, endpoint: Endpoint, random: np.random.Generator, pairs: int) -> None:
    """One batch of ``pairs`` buffers on one endpoint."""
    with ExitStack() as buffers:
        lengths = [awkward_length(random) for _ in range(pairs)]
        sources = [buffers.enter_context(guarded_buffer(machine, random, n, awkward_offset(random))) for n in lengths]
        targets = [buffers.enter_context(guarded_buffer(machine, random, n, awkward_offset(random))) for n in lengths]
        out = [map_buffer(endpoint, source.buffer, DmaDirection.TO_DEVICE) for source in sources]
        back = [map_buffer(endpoint, target.buffer, DmaDirection.FROM_DEVICE) for target in targets]
        offsets = [int(random.integers(0, _LINE)) for _ in lengths]
        round_trip(endpoint, list(zip(out, lengths, strict=True)), list(zip(back, lengths, strict=True)), _LINE, offsets)
        for address, source in zip(out, sources, strict=True):
            unmap_buffer(endpoint, address, source.buffer, DmaDirection.TO_DEVICE)
        for address, target in zip(back, targets, strict=True):
            unmap_buffer(endpoint, address, target.buffer, DmaDirection.FROM_DEVICE)
        for source, target in zip(sources, targets, strict=True):
            expect_bytes(target.buffer, source.contents, "single transfer")
