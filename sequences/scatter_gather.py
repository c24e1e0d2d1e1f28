"""Scatter-gather over lists that the kernel was seen to map: real shapes, real merging, real segment limits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sluicegate.address import DmaAddress
from sluicegate.dma.cpu_buffer import CpuBuffer
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.masks import dma_set_max_seg_size, dma_set_seg_boundary
from sluicegate.dma.scatterlist import Scatterlist
from sluicegate.dma.sg_mapping import dma_map_sg, dma_unmap_sg

from sequences.machine import Endpoint, Machine
from sequences.recorded_lists import RecordedList
from sequences.transfers import SequenceError, expect_bytes, from_local, guarded_buffer, run_batch, to_local


@dataclass
class LaidList:
    """A recorded list over RAM of this machine: its pieces in order, and what the CPU put there."""

    pieces: list[CpuBuffer]
    contents: NDArray[np.uint8]


def lay(machine: Machine, random: np.random.Generator, recorded: RecordedList, buffers: ExitStack) -> LaidList:
    """Allocate memory of the recorded shape: physical neighbours stay neighbours, everything else is apart."""
    pieces: list[CpuBuffer] = []
    contents: list[NDArray[np.uint8]] = []
    index = 0
    while index < len(recorded.pieces):
        run = [recorded.pieces[index]]
        while index + len(run) < len(recorded.pieces) and recorded.pieces[index + len(run)].follows:
            run.append(recorded.pieces[index + len(run)])
        size = sum(piece.length for piece in run)
        guarded = buffers.enter_context(guarded_buffer(machine, random, size, run[0].offset))
        contents.append(guarded.contents)
        start = 0
        for piece in run:
            pieces.append(guarded.buffer[start : start + piece.length])
            start += piece.length
        index += len(run)
    return LaidList(pieces, np.concatenate(contents))


def map_recorded(
    endpoint: Endpoint, recorded: RecordedList, laid: LaidList, direction: DmaDirection
) -> tuple[Scatterlist, list[tuple[DmaAddress, int]]]:
    """Map a laid list and hold the segments against the recording. Raises SequenceError when the API does otherwise."""
    dma_set_max_seg_size(endpoint.device, recorded.max_seg_size)
    dma_set_seg_boundary(endpoint.device, recorded.seg_boundary_mask)
    sgl = Scatterlist.from_buffers(laid.pieces)
    count = dma_map_sg(endpoint.device, sgl, len(sgl), direction)
    if count == 0:
        raise SequenceError(f"{endpoint.bdf}: list {recorded.name} was not mapped")
    segments = list(sgl.segments(count))
    made = tuple((int(address) - int(segments[0][0]), length) for address, length in segments)
    if made != recorded.segments:
        raise SequenceError(f"{endpoint.bdf}: list {recorded.name} became {made}, the kernel made {recorded.segments}")
    return sgl, segments


def scatter_gather(machine: Machine, random: np.random.Generator, lists: Sequence[RecordedList], count: int = 6) -> None:
    """``count`` lists on each endpoint: gather into local memory, scatter into another memory of the same shape."""
    for _ in range(count):
        for endpoint in machine.endpoints:
            recorded = lists[int(random.integers(0, len(lists)))]
            with ExitStack() as buffers:
                source, target = lay(machine, random, recorded, buffers), lay(machine, random, recorded, buffers)
                out, gather = map_recorded(endpoint, recorded, source, DmaDirection.TO_DEVICE)
                back, scatter = map_recorded(endpoint, recorded, target, DmaDirection.FROM_DEVICE)
                endpoint.local.release()
                base = endpoint.local.allocate(recorded.size, 4096, int(random.integers(0, 64)))
                places = base + np.concatenate(([0], np.cumsum([length for _, length in gather])))
                run_batch(endpoint, [to_local(a, int(p), n) for (a, n), p in zip(gather, places, strict=False)])
                run_batch(endpoint, [from_local(int(p), a, n) for (a, n), p in zip(scatter, places, strict=False)])
                dma_unmap_sg(endpoint.device, out, len(out), DmaDirection.TO_DEVICE)
                dma_unmap_sg(endpoint.device, back, len(back), DmaDirection.FROM_DEVICE)
                start = 0
                for piece in target.pieces:
                    expect_bytes(piece, source.contents[start : start + piece.size], f"list {recorded.name}")
                    start += piece.size
