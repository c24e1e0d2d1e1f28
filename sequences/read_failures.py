"""Every way a read can fail, from host memory to the completion ring: each ends with its own status code, and harms no other.

Unsupported request (an IOVA without a mapping), completer abort, poisoned data, and no answer at all; good reads among them.
Source: the status codes of the completion (docs/interfaces.md section 7).
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import numpy as np
from sluicegate.dma.cpu_buffer import CpuBuffer
from sluicegate.dma.direction import DmaDirection
from sluicegate.memory import PAGE_SIZE
from sluicegate.platform import ReadFailures, Region
from sluicegate.registers.completion import StatusCode

from sequences.machine import Endpoint, Machine
from sequences.transfers import (
    GUARD,
    SequenceError,
    discard_faults,
    guarded_buffer,
    map_buffer,
    run_batch,
    to_local,
    unmap_buffer,
)

COMPLETION_TIMEOUT: Final = 3000
"""Cycles after which a read counts as lost here: longer than any answer takes."""
FAILURES: Final = (StatusCode.COMPLETER_ABORT, StatusCode.POISONED, StatusCode.COMPLETION_TIMEOUT)
READS: Final = 4
"""Reads of each kind in a batch."""


def read_failures(machine: Machine, random: np.random.Generator, rounds: int = 2) -> None:
    """``rounds`` batches on each endpoint. The pages that fail stay allocated: they are broken for good."""
    platform = machine.platform
    if not isinstance(platform, ReadFailures):
        raise SequenceError(f"{type(platform).__name__} has no memory that can be told to fail: give it fail_reads()")
    for endpoint in machine.endpoints:
        endpoint.driver.set_completion_timeout(COMPLETION_TIMEOUT)
        broken = {status: _broken_page(machine, platform, random, status) for status in FAILURES}
        addresses = {status: map_buffer(endpoint, buffer, DmaDirection.TO_DEVICE) for status, buffer in broken.items()}
        for _ in range(rounds):
            _one_batch(machine, endpoint, random, {status: int(address) for status, address in addresses.items()})
        for status, buffer in broken.items():
            unmap_buffer(endpoint, addresses[status], buffer, DmaDirection.TO_DEVICE)
        discard_faults(machine)


def _broken_page(machine: Machine, platform: ReadFailures, random: np.random.Generator, status: StatusCode) -> CpuBuffer:
    """A page of host memory whose reads end with ``status`` from now on; it is never freed."""
    page = machine.host.alloc_page(PAGE_SIZE)
    buffer = machine.host.buffer(page, 0, PAGE_SIZE)
    contents = random.integers(0, 256, PAGE_SIZE, dtype=np.uint8)
    buffer.write(contents)
    machine.observer.on_buffer(int(buffer.phys), contents, 0)
    platform.fail_reads(Region(int(buffer.phys), PAGE_SIZE), status)
    machine.observer.on_broken(int(buffer.phys), PAGE_SIZE, status)
    return buffer


def _one_batch(machine: Machine, endpoint: Endpoint, random: np.random.Generator, broken: dict[StatusCode, int]) -> None:
    with ExitStack() as buffers:
        good = buffers.enter_context(guarded_buffer(machine, random, PAGE_SIZE - 2 * GUARD, GUARD))
        gone = buffers.enter_context(guarded_buffer(machine, random, PAGE_SIZE - 2 * GUARD, GUARD))
        mapped = map_buffer(endpoint, good.buffer, DmaDirection.TO_DEVICE)
        unmapped = map_buffer(endpoint, gone.buffer, DmaDirection.TO_DEVICE)
        unmap_buffer(endpoint, unmapped, gone.buffer, DmaDirection.TO_DEVICE)
        sources = {StatusCode.SUCCESS: int(mapped), StatusCode.UNSUPPORTED_REQUEST: int(unmapped), **broken}
        statuses = [status for status in sources for _ in range(READS)]
        statuses = [statuses[place] for place in random.permutation(len(statuses))]
        endpoint.local.release()
        reads = []
        for status in statuses:
            offset, length = int(random.integers(0, 1000)), int(random.integers(1, 2500))
            reads.append(to_local(sources[status] + offset, endpoint.local.allocate(length, 64), length))
        run_batch(endpoint, reads, statuses)
        unmap_buffer(endpoint, mapped, good.buffer, DmaDirection.TO_DEVICE)
