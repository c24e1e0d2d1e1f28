"""Both endpoints at once, rings full of transfers of one to several pages: the traffic of a busy machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

import numpy as np
from sluicegate.address import DmaAddress
from sluicegate.dma.direction import DmaDirection
from sluicegate.endpoint.descriptor import Descriptor, pack_descriptors
from sluicegate.registers.completion import StatusCode

from sequences.machine import Endpoint, Machine
from sequences.transfers import (
    TIMEOUT,
    GuardedBuffer,
    SequenceError,
    expect_bytes,
    from_local,
    guarded_buffer,
    map_buffer,
    to_local,
    unmap_buffer,
)

SLICE: Final = 4096
"""Bytes of a buffer that one descriptor moves."""


def bulk_transfers(machine: Machine, random: np.random.Generator, rounds: int = 3, pages: int = 96) -> None:
    """``rounds`` times: a buffer of ``pages`` pages per endpoint into local memory and back into another buffer."""
    for _ in range(rounds):
        with ExitStack() as buffers:
            size = pages * SLICE
            work: list[tuple[Endpoint, GuardedBuffer, GuardedBuffer, DmaAddress, DmaAddress]] = []
            for endpoint in machine.endpoints:
                source = buffers.enter_context(guarded_buffer(machine, random, size, int(random.integers(0, 4096))))
                target = buffers.enter_context(guarded_buffer(machine, random, size, int(random.integers(0, 4096))))
                out = map_buffer(endpoint, source.buffer, DmaDirection.TO_DEVICE)
                back = map_buffer(endpoint, target.buffer, DmaDirection.FROM_DEVICE)
                work.append((endpoint, source, target, out, back))
            offset = int(random.integers(0, 64))
            run_together(
                [(endpoint, [to_local(out + at, offset + at, SLICE) for at in _slices(size)]) for endpoint, _, _, out, _ in work]
            )
            run_together(
                [
                    (endpoint, [from_local(offset + at, back + at, SLICE) for at in _slices(size)])
                    for endpoint, _, _, _, back in work
                ]
            )
            for endpoint, source, target, out, back in work:
                unmap_buffer(endpoint, out, source.buffer, DmaDirection.TO_DEVICE)
                unmap_buffer(endpoint, back, target.buffer, DmaDirection.FROM_DEVICE)
                expect_bytes(target.buffer, source.contents, f"bulk transfer of {endpoint.bdf}")


def _slices(size: int) -> range:
    return range(0, size, SLICE)


def run_together(work: Sequence[tuple[Endpoint, Sequence[Descriptor]]]) -> None:
    """Run a batch on each endpoint at the same time, ring by ring. Raises SequenceError for any status but success."""
    longest = max(len(descriptors) for _, descriptors in work)
    entries = min(endpoint.driver.entries for endpoint, _ in work)
    for start in range(0, longest, entries):
        running: list[Endpoint] = []
        for endpoint, descriptors in work:
            part = [
                replace(descriptor, cookie=start + index) for index, descriptor in enumerate(descriptors[start : start + entries])
            ]
            if part:
                part[-1] = replace(part[-1], interrupt=True)
                endpoint.driver.submit(pack_descriptors(part))
                running.append(endpoint)
        for endpoint in running:
            for completion in endpoint.driver.wait(TIMEOUT):
                if completion.status is not StatusCode.SUCCESS:
                    raise SequenceError(f"{endpoint.bdf}: transfer {completion.cookie} ended with {completion.status.name}")
