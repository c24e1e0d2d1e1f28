"""A device that uses the bus addresses of a peer, which were never mapped for it, under ACS redirection.

The switch must not let it through: the request goes up, where the address is an IOVA that no table maps. It faults, and no byte
of the peer's memory is read or changed.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import numpy as np
from sluicegate.dma.direction import DmaDirection
from sluicegate.iommu.request import Cause
from sluicegate.registers.completion import StatusCode

from sequences.machine import Endpoint, Machine
from sequences.single_transfers import awkward_offset
from sequences.transfers import (
    discard_faults,
    expect_bytes,
    expect_faults,
    from_local,
    guarded_buffer,
    map_buffer,
    run_batch,
    to_local,
    unmap_buffer,
)

ACCESSES: Final = 6
WINDOW: Final = 1 << 16
"""Bytes of the peer's local memory that are used."""


def window_access(machine: Machine, random: np.random.Generator, rounds: int = 2) -> None:
    """Each endpoint reads and writes in the window of each other one; the downstream ports must redirect requests."""
    for _ in range(rounds):
        for intruder in machine.endpoints:
            for target in machine.endpoints:
                if intruder is not target:
                    _one_round(machine, intruder, target, random)


def _one_round(machine: Machine, intruder: Endpoint, target: Endpoint, random: np.random.Generator) -> None:
    with ExitStack() as buffers:
        filled, found = (buffers.enter_context(guarded_buffer(machine, random, WINDOW, awkward_offset(random))) for _ in range(2))
        out = map_buffer(target, filled.buffer, DmaDirection.TO_DEVICE)
        back = map_buffer(target, found.buffer, DmaDirection.FROM_DEVICE)
        run_batch(target, [to_local(out, 0, WINDOW)])
        discard_faults(machine)

        base = target.driver.local_memory.base
        lengths = [int(random.integers(1, 600)) for _ in range(ACCESSES)]
        addresses = [base + int(random.integers(0, WINDOW - length)) for length in lengths]
        intruder.local.release()
        places = [intruder.local.allocate(length, 64) for length in lengths]
        reads = [to_local(a, p, n) for a, p, n in zip(addresses, places, lengths, strict=True)]
        run_batch(intruder, reads, StatusCode.UNSUPPORTED_REQUEST)
        expect_faults(machine, intruder, addresses, Cause.READ_PAGE_FAULT)
        discard_faults(machine)
        # A posted write that faults is dropped: the requester sees success.
        run_batch(intruder, [from_local(p, a, n) for a, p, n in zip(addresses, places, lengths, strict=True)])
        expect_faults(machine, intruder, addresses, Cause.WRITE_PAGE_FAULT)
        discard_faults(machine)

        run_batch(target, [from_local(0, back, WINDOW)])
        unmap_buffer(target, out, filled.buffer, DmaDirection.TO_DEVICE)
        unmap_buffer(target, back, found.buffer, DmaDirection.FROM_DEVICE)
        expect_bytes(found.buffer, filled.contents, f"memory of {target.bdf} in the window that {intruder.bdf} tried")
