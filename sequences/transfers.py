"""Steps that sequences share: guarded buffers, mapped windows on them, and batches of descriptors run to completion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sluicegate.address import DmaAddress
from sluicegate.dma.cpu_buffer import CpuBuffer
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.pages import Page
from sluicegate.dma.streaming import dma_map_single, dma_mapping_error, dma_unmap_single
from sluicegate.endpoint.descriptor import Completion, Descriptor, pack_descriptors
from sluicegate.iommu.request import Cause
from sluicegate.memory import PAGE_SIZE
from sluicegate.registers.completion import StatusCode
from sluicegate.registers.descriptor import Opcode, Space

from sequences.machine import Endpoint, Machine

TIMEOUT: Final = 400_000
"""Cycles that a batch may take before the driver gives up."""
RECORD_TIMEOUT: Final = 20_000
"""Cycles that a fault record may take after the access."""
RECORD_CYCLES: Final = 1000
"""Cycles in which a fault record of the past reaches the queue."""
GUARD: Final = 64
"""Bytes on either side of a buffer that nobody may change."""


class SequenceError(Exception):
    """The machine did not do what the sequence asked of it."""


def discard_faults(machine: Machine) -> None:
    """Empty the fault queue for good: records are written beside the traffic, so the last may come after the last completion."""
    quiet = False
    while not quiet:
        machine.platform.wait_until(lambda: False, RECORD_CYCLES)
        quiet = not machine.iommu.drain_faults().records


def expect_faults(machine: Machine, endpoint: Endpoint, addresses: list[int], cause: Cause) -> None:
    """Every one of these addresses leaves a fault record of this device, and nothing else does.

    A dropped write is reported beside the traffic, so its record may come after the completion.
    """
    missing = {address // PAGE_SIZE for address in addresses}

    def all_reported() -> bool:
        for record in machine.iommu.drain_faults().records:
            if record.device_id != endpoint.bdf.requester_id or record.cause != cause:
                raise SequenceError(f"unexpected fault record {record}")
            missing.discard(record.iotval // PAGE_SIZE)
        return not missing

    if not machine.platform.wait_until(all_reported, RECORD_TIMEOUT):
        pages = ", ".join(f"{page * PAGE_SIZE:#x}" for page in sorted(missing))
        raise SequenceError(f"{endpoint.bdf}: accesses to the pages {pages} left no {cause.name} record")


@dataclass
class GuardedBuffer:
    """Bytes at any offset of a block of pages, with guards around them. ``contents`` is what the CPU put there."""

    page: Page
    buffer: CpuBuffer
    contents: NDArray[np.uint8]


@contextmanager
def guarded_buffer(machine: Machine, random: np.random.Generator, size: int, offset: int) -> Iterator[GuardedBuffer]:
    """``size`` random bytes at ``offset`` (0 to 4095) of a page, announced to the observer with their guards."""
    page = machine.host.alloc_page(PAGE_SIZE + -(-(offset + size + GUARD) // PAGE_SIZE) * PAGE_SIZE)
    start = PAGE_SIZE + offset
    contents = random.integers(0, 256, size + 2 * GUARD, dtype=np.uint8)
    machine.host.buffer(page, start - GUARD, size + 2 * GUARD).write(contents)
    buffer = machine.host.buffer(page, start, size)
    data = contents[GUARD : GUARD + size]
    machine.observer.on_buffer(int(buffer.phys), data, GUARD)
    try:
        yield GuardedBuffer(page, buffer, data)
    finally:
        machine.observer.on_release(int(buffer.phys))
        machine.host.free_page(page)


def map_buffer(endpoint: Endpoint, buffer: CpuBuffer, direction: DmaDirection) -> DmaAddress:
    """Map a whole buffer. Raises SequenceError when the API refuses."""
    address = dma_map_single(endpoint.device, buffer, buffer.size, direction)
    if dma_mapping_error(endpoint.device, address):
        raise SequenceError(f"{endpoint.bdf}: no mapping for {buffer!r}")
    return address


def unmap_buffer(endpoint: Endpoint, address: DmaAddress, buffer: CpuBuffer, direction: DmaDirection) -> None:
    """Undo :func:`map_buffer`; accesses in flight may see either."""
    endpoint.observer.on_revoke(endpoint.bdf.requester_id, int(address))
    dma_unmap_single(endpoint.device, address, buffer.size, direction)


def to_local(source: DmaAddress | int, local: int, length: int, space: Space = Space.HOST) -> Descriptor:
    """Read ``length`` bytes from the link into local memory."""
    return Descriptor(Opcode.COPY, space, int(source), Space.LOCAL, local, length)


def from_local(local: int, destination: DmaAddress | int, length: int, space: Space = Space.HOST) -> Descriptor:
    """Write ``length`` bytes of local memory to the link."""
    return Descriptor(Opcode.COPY, Space.LOCAL, local, space, int(destination), length)


def run_batch(
    endpoint: Endpoint, descriptors: Sequence[Descriptor], expected: StatusCode | Sequence[StatusCode] = StatusCode.SUCCESS
) -> list[Completion]:
    """Run descriptors in the order given, ring by ring, and check the status and cookie of each.

    The last of each ring asks for an interrupt. Raises SequenceError for another status than ``expected``.
    """
    driver = endpoint.driver
    wanted = [expected] * len(descriptors) if isinstance(expected, StatusCode) else list(expected)
    completions: list[Completion] = []
    for start in range(0, len(descriptors), driver.entries):
        part = [
            replace(descriptor, cookie=start + index)
            for index, descriptor in enumerate(descriptors[start : start + driver.entries])
        ]
        part[-1] = replace(part[-1], interrupt=True)
        driver.submit(pack_descriptors(part))
        completions += driver.wait(TIMEOUT)
    for index, (descriptor, completion, status) in enumerate(zip(descriptors, completions, wanted, strict=True)):
        if completion.cookie != index:
            raise SequenceError(f"{endpoint.bdf}: completion {index} carries cookie {completion.cookie}")
        if completion.status is not status:
            raise SequenceError(f"{endpoint.bdf}: {descriptor} ended with {completion.status.name}, expected {status.name}")
    return completions


def expect_bytes(buffer: CpuBuffer, contents: NDArray[np.uint8], what: str) -> None:
    """The CPU's own look at a buffer after a transfer. Raises SequenceError at the first difference."""
    found = buffer.array()
    if not np.array_equal(found, contents):
        at = int(np.flatnonzero(found != contents)[0])
        raise SequenceError(f"{what}: byte {at} of {buffer!r} is {int(found[at]):#x}, expected {int(contents[at]):#x}")


def round_trip(
    endpoint: Endpoint,
    sources: Sequence[tuple[DmaAddress, int]],
    targets: Sequence[tuple[DmaAddress, int]],
    alignment: int,
    offsets: Sequence[int],
) -> None:
    """Move each source into local memory, then from there to the target of the same number; lengths agree pairwise.

    ``offsets``: position of each piece in local memory relative to a multiple of ``alignment``.
    """
    endpoint.local.release()
    places = [endpoint.local.allocate(length, alignment, offset) for (_, length), offset in zip(sources, offsets, strict=True)]
    run_batch(endpoint, [to_local(address, place, length) for (address, length), place in zip(sources, places, strict=True)])
    run_batch(endpoint, [from_local(place, address, length) for (address, length), place in zip(targets, places, strict=True)])
