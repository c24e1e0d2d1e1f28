"""Transfers of which every request is refused: the engine issues them all the same, and each leaves a fault record of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from sluicegate.dma.direction import DmaDirection
from sluicegate.endpoint.descriptor import Descriptor
from sluicegate.iommu.request import Cause
from sluicegate.memory import PAGE_SIZE
from sluicegate.pci.capabilities import DEVICE_CONTROL
from sluicegate.pci.config_space import Capability
from sluicegate.pci.splitting import size_of_code, split_request
from sluicegate.registers.completion import StatusCode

from sequences.machine import Endpoint, Machine
from sequences.single_transfers import awkward_offset
from sequences.transfers import (
    RECORD_CYCLES,
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

Faults = Counter[tuple[int, int]]
"""How often each cause was recorded at each address, of a dword as a TLP has it."""
PAYLOAD_SHIFT, READ_REQUEST_SHIFT = 5, 12
"""Fields of Device Control (PCI Express Base specification)."""
LEAST, MOST = 2 * PAGE_SIZE, 3 * PAGE_SIZE


def refused_requests(machine: Machine, random: np.random.Generator, rounds: int = 1) -> None:
    """On each endpoint: a buffer of several pages is read once, unmapped, and then read, written, and written with flush."""
    for _ in range(rounds):
        for endpoint in machine.endpoints:
            _one_buffer(machine, endpoint, random)


def _one_buffer(machine: Machine, endpoint: Endpoint, random: np.random.Generator) -> None:
    length = int(random.integers(LEAST, MOST))
    with guarded_buffer(machine, random, length, awkward_offset(random)) as guarded:
        address = map_buffer(endpoint, guarded.buffer, DmaDirection.BIDIRECTIONAL)
        endpoint.local.release()
        place = endpoint.local.allocate(length, 64)
        read, write = to_local(address, place, length), from_local(place, address, length)
        run_batch(endpoint, [read])
        unmap_buffer(endpoint, address, guarded.buffer, DmaDirection.BIDIRECTIONAL)
        discard_faults(machine)

        control = _device_control(endpoint)
        reads = _pieces(int(address), length, size_of_code(control >> READ_REQUEST_SHIFT & 7), Cause.READ_PAGE_FAULT)
        writes = _pieces(int(address), length, size_of_code(control >> PAYLOAD_SHIFT & 7), Cause.WRITE_PAGE_FAULT)
        pages = _pieces(int(address), length, PAGE_SIZE, Cause.READ_PAGE_FAULT)
        refused = StatusCode.UNSUPPORTED_REQUEST
        _run(machine, endpoint, read, refused, reads)
        # A posted write that is refused vanishes; what flushes it learns of that.
        _run(machine, endpoint, write, StatusCode.SUCCESS, writes)
        _run(machine, endpoint, replace(write, flush=True), refused, writes + pages)
        expect_bytes(guarded.buffer, guarded.contents, "buffer of which every access was refused")


def _device_control(endpoint: Endpoint) -> int:
    function = endpoint.function
    return function.access.read(function.capabilities[Capability.PCI_EXPRESS] + DEVICE_CONTROL, 2)


def _pieces(address: int, length: int, limit: int, cause: Cause) -> Faults:
    """A fault for each request of at most ``limit`` bytes."""
    return Counter((int(cause), at & ~3) for at, _ in split_request(address, length, limit))


def _run(machine: Machine, endpoint: Endpoint, descriptor: Descriptor, status: StatusCode, expected: Faults) -> None:
    """The transfer ends with ``status`` and leaves these records and no other. Raises SequenceError."""
    run_batch(endpoint, [descriptor], status)
    found: Faults = Counter()
    quiet = False
    while not quiet:
        machine.platform.wait_until(lambda: False, RECORD_CYCLES)
        records = machine.iommu.drain_faults().records
        found.update((record.cause, record.iotval & ~3) for record in records if record.device_id == endpoint.bdf.requester_id)
        quiet = not records
    for cause, at in (expected - found) + (found - expected):
        raise SequenceError(
            f"{endpoint.bdf}: {descriptor} left {found[cause, at]} records of {Cause(cause).name} at {at:#x}, "
            f"expected {expected[cause, at]}"
        )
