"""Faults of the device directory: a device without a context, and one whose context is misconfigured.

Every request of the device is refused, the first already when it fetches a descriptor; the ring stops and says why. After the
context is repaired and the endpoint restarted, transfers work again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from sluicegate.iommu.request import Cause
from sluicegate.registers import endpoint as registers
from sluicegate.registers.endpoint import StopReason

from sequences.machine import Endpoint, Machine, restart
from sequences.single_transfers import single_transfers_of
from sequences.transfers import SequenceError

STOP_TIMEOUT: Final = 50_000
"""Cycles until the endpoint must have noticed that it cannot fetch."""
RECORD_TIMEOUT: Final = 20_000


def directory_faults(machine: Machine, random: np.random.Generator, rounds: int = 2) -> None:
    """Take each device's context away or spoil it, ring its doorbell, look at the fault, repair, and prove that it runs."""
    for _ in range(rounds):
        for endpoint in machine.endpoints:
            machine.iommu.drain_faults()
            machine.iommu.detach(endpoint.bdf)
            _refused(machine, endpoint, Cause.DDT_NOT_VALID)
            endpoint.domain.attach(endpoint.bdf)
            restart(machine, endpoint)
            single_transfers_of(machine, endpoint, random, pairs=4)

            machine.iommu.detach(endpoint.bdf)
            # ATS is not offered by this machine: a context that enables it is misconfigured.
            machine.iommu.attach(endpoint.bdf, replace(endpoint.domain.context(), enable_ats=True))
            _refused(machine, endpoint, Cause.DDT_MISCONFIGURED)
            machine.iommu.detach(endpoint.bdf)
            endpoint.domain.attach(endpoint.bdf)
            restart(machine, endpoint)
            single_transfers_of(machine, endpoint, random, pairs=4)


def _refused(machine: Machine, endpoint: Endpoint, cause: Cause) -> None:
    """A doorbell without a transfer behind it: the fetch must be refused, recorded, and stop the ring."""
    platform, base = machine.platform, endpoint.driver.bar0.base
    tail = platform.mmio_read(base + registers.RING_TAIL, 4)
    platform.mmio_write(base + registers.RING_TAIL, (tail + 1) & 0xFFFF, 4)

    def stopped() -> bool:
        status = platform.mmio_read(base + registers.RING_STATUS, 4)
        return registers.RING_STATUS_STOP_REASON.get(status) == StopReason.FETCH_FAILED

    if not platform.wait_until(stopped, STOP_TIMEOUT):
        raise SequenceError(f"{endpoint.bdf}: refused fetches did not stop the ring: {endpoint.driver.describe()}")
    seen = False

    def recorded() -> bool:
        nonlocal seen
        for record in machine.iommu.drain_faults().records:
            if record.cause != cause or record.device_id != endpoint.bdf.requester_id:
                raise SequenceError(f"{endpoint.bdf}: fault record {record}, expected {cause.name}")
            seen = True
        return seen

    if not platform.wait_until(recorded, RECORD_TIMEOUT):
        raise SequenceError(f"{endpoint.bdf}: the refused fetch left no {cause.name} record")
