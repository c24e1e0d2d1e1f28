"""Map and unmap while the device is busy: invalidation races with translations in flight.

A read of a buffer that is unmapped under it may still succeed or may fault, a write may land or vanish; after the unmap has
returned only a fault is right, not a byte may land any more, and a new mapping at the same address must show the new memory.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sluicegate.dma.direction import DmaDirection
from sluicegate.endpoint.descriptor import Descriptor, pack_descriptors
from sluicegate.registers.completion import StatusCode

from sequences.machine import Endpoint, Machine
from sequences.single_transfers import awkward_offset
from sequences.transfers import (
    TIMEOUT,
    GuardedBuffer,
    SequenceError,
    discard_faults,
    expect_bytes,
    from_local,
    guarded_buffer,
    map_buffer,
    run_batch,
    to_local,
    unmap_buffer,
)

BUFFERS: Final = 12
TARGETS: Final = 8
"""Buffers that the device writes; half of them are unmapped under it, too."""
# Short reads over all buffers, again and again: whichever buffer is unmapped, some request for it falls between
# the change of the page table and the end of the invalidation.
SHORT: Final = 512
PASSES: Final = 6
_ALLOWED: Final = {StatusCode.SUCCESS, StatusCode.UNSUPPORTED_REQUEST}


def churn(machine: Machine, random: np.random.Generator, rounds: int = 6) -> None:
    """Start reads, unmap half of their buffers under them, reap, map others in their place and read again."""
    for _ in range(rounds):
        for endpoint in machine.endpoints:
            with ExitStack() as buffers:
                _one_round(machine, endpoint, random, buffers)
            discard_faults(machine)


def _one_round(machine: Machine, endpoint: Endpoint, random: np.random.Generator, buffers: ExitStack) -> None:
    direction = DmaDirection.TO_DEVICE
    lengths = [int(random.integers(2000, 6000)) for _ in range(BUFFERS)]
    chosen = [buffers.enter_context(guarded_buffer(machine, random, n, awkward_offset(random))) for n in lengths]
    addresses = [map_buffer(endpoint, guarded.buffer, direction) for guarded in chosen]
    endpoint.local.release()
    places = [endpoint.local.allocate(n, 64) for n in lengths]
    reads = [to_local(a, p, n) for a, p, n in zip(addresses, places, lengths, strict=True)]
    targets = [buffers.enter_context(guarded_buffer(machine, random, SHORT, awkward_offset(random))) for _ in range(TARGETS)]
    writable = [map_buffer(endpoint, guarded.buffer, DmaDirection.FROM_DEVICE) for guarded in targets]
    pattern = buffers.enter_context(guarded_buffer(machine, random, SHORT, awkward_offset(random)))
    outgoing = endpoint.local.allocate(SHORT, 64)
    source = map_buffer(endpoint, pattern.buffer, direction)
    run_batch(endpoint, [to_local(source, outgoing, SHORT)])
    unmap_buffer(endpoint, source, pattern.buffer, direction)
    found: list[tuple[GuardedBuffer, NDArray[np.uint8]]] = []
    # Translations of every other buffer are cached beforehand: those can be seen stale, the others walk into the change.
    run_batch(endpoint, reads[::2])
    begun = endpoint.driver.started
    one_pass = [to_local(a, p, SHORT) for a, p in zip(addresses, places, strict=True)]
    one_pass += [from_local(outgoing, a, SHORT) for a in writable]
    _start(endpoint, one_pass * PASSES)
    machine.platform.wait_until(lambda: endpoint.driver.started != begun, TIMEOUT)
    gone = [bool(draw) for draw in random.random(BUFFERS) < 0.5]
    lost = [bool(draw) for draw in random.random(TARGETS) < 0.5]
    for address, guarded, is_gone in zip(addresses, chosen, gone, strict=True):
        if is_gone:
            unmap_buffer(endpoint, address, guarded.buffer, direction)
    for address, guarded, is_lost in zip(writable, targets, lost, strict=True):
        if is_lost:
            unmap_buffer(endpoint, address, guarded.buffer, DmaDirection.FROM_DEVICE)
            found.append((guarded, guarded.buffer.array().copy()))
    completions = endpoint.driver.wait(TIMEOUT)
    for guarded, contents in found:
        expect_bytes(guarded.buffer, contents, "buffer after its unmap has returned")
    for completion, is_gone in zip(completions, [*gone, *[False] * TARGETS] * PASSES, strict=True):
        allowed = _ALLOWED if is_gone else {StatusCode.SUCCESS}
        if completion.status not in allowed:
            raise SequenceError(f"{endpoint.bdf}: read {completion.cookie} ended with {completion.status.name}")

    # The freed IOVAs are handed out again, the newest first: new memory behind old addresses.
    again = [index for index, is_gone in enumerate(gone) if is_gone]
    fresh = [buffers.enter_context(guarded_buffer(machine, random, lengths[i], awkward_offset(random))) for i in again]
    renewed = [map_buffer(endpoint, guarded.buffer, direction) for guarded in fresh]
    if renewed:
        run_batch(endpoint, [to_local(a, places[i], lengths[i]) for a, i in zip(renewed, again, strict=True)])
    for address, guarded in zip(renewed, fresh, strict=True):
        unmap_buffer(endpoint, address, guarded.buffer, direction)
    for address, guarded, is_gone in zip(addresses, chosen, gone, strict=True):
        if not is_gone:
            unmap_buffer(endpoint, address, guarded.buffer, direction)
    for address, guarded, is_lost in zip(writable, targets, lost, strict=True):
        if not is_lost:
            unmap_buffer(endpoint, address, guarded.buffer, DmaDirection.FROM_DEVICE)
            expect_bytes(guarded.buffer, pattern.contents, "buffer that stayed mapped")


def _start(endpoint: Endpoint, descriptors: list[Descriptor]) -> None:
    """Hand over a batch and go on without waiting."""
    numbered = [replace(descriptor, cookie=index) for index, descriptor in enumerate(descriptors)]
    numbered[-1] = replace(numbered[-1], interrupt=True)
    endpoint.driver.submit(pack_descriptors(numbered))
