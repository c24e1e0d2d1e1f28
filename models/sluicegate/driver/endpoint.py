"""Driver of the endpoint: rings in coherent memory, descriptors in batches, completions by interrupt.

It knows the device through :class:`~sluicegate.platform.Platform` and the DMA API only, so the same code drives the
register-level model and the RTL. An observer is told what the driver means to do (``sluicegate.driver.observer``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sluicegate.address import DmaAddress
from sluicegate.dma.coherent import dma_alloc_coherent, dma_free_coherent
from sluicegate.dma.cpu_buffer import CpuBuffer
from sluicegate.dma.device import Device
from sluicegate.driver.config_access import ConfigAccess
from sluicegate.driver.observer import RingLayout, SilentObserver, TransferObserver
from sluicegate.endpoint.descriptor import (
    COMPLETION_BYTES,
    COMPLETION_DWORDS,
    DESCRIPTOR_BYTES,
    DESCRIPTOR_DWORDS,
    U64,
    Completion,
)
from sluicegate.pci.config_space import Capability
from sluicegate.platform import Bdf, Platform, Region
from sluicegate.registers import completion as completion_layout
from sluicegate.registers import endpoint as registers
from sluicegate.registers.endpoint import StopReason

MAGIC: Final = 0x4547_4C53
RESET_TIMEOUT: Final = 100_000
"""Cycles a soft reset may take."""
_INDEX_MASK: Final = 0xFFFF
_MSIX_ENABLE: Final = 1 << 15
_MSIX_CONTROL: Final = 2
_MSIX_ENTRY_BYTES: Final = registers.MSIX_TABLE_DATA_STRIDE


class EndpointError(Exception):
    """The endpoint is absent, is set up wrongly, or broke a rule of its completion ring."""


@dataclass(frozen=True, slots=True)
class InterruptTarget:
    """Where interrupts go: the address that the device writes, the page behind it, and the identity that arrives."""

    dma: DmaAddress
    physical: int
    identity: int


class EndpointDriver:
    """One endpoint function.

    Args:
        platform: the machine.
        device: the device of the DMA API behind which the function lies; rings are allocated from it.
        function: bus, device and function number.
        bar0: registers; ``bar2``: local memory, both as programmed in the BARs.
        observer: is told of rings, submissions and completions.
    """

    def __init__(
        self,
        platform: Platform,
        device: Device,
        function: Bdf,
        bar0: Region,
        bar2: Region,
        observer: TransferObserver | None = None,
    ) -> None:
        self.platform: Final = platform
        self.device: Final = device
        self.function: Final = function
        self.bar0: Final = bar0
        self.local_memory: Final = bar2
        self._observer: TransferObserver = SilentObserver() if observer is None else observer
        self._entries = 0
        self._descriptors: tuple[CpuBuffer, DmaAddress] | None = None
        self._completions: tuple[CpuBuffer, DmaAddress] | None = None
        self._interrupt: InterruptTarget | None = None
        self._tail = 0
        self._reaped = 0

    @property
    def entries(self) -> int:
        """Slots of each ring."""
        return self._entries

    @property
    def outstanding(self) -> int:
        """Descriptors handed over whose completions the driver has not taken."""
        return (self._tail - self._reaped) & _INDEX_MASK

    @property
    def started(self) -> int:
        """Descriptors that the endpoint has begun with, counted modulo 2^16 since :meth:`start`."""
        return self._read(registers.RING_HEAD)

    @property
    def requester_id(self) -> int:
        """The function's requester ID."""
        return self.function.requester_id

    def probe(self) -> None:
        """Check that an endpoint answers. Raises EndpointError."""
        magic = self._read(registers.IDENTIFICATION)
        if magic != MAGIC:
            raise EndpointError(
                f"{self.function}: BAR0 at {self.bar0.base:#x} answers {magic:#x}, not {MAGIC:#x}: check BAR and memory enable"
            )
        self._observer.on_local_memory(self.requester_id, self.local_memory.base, self.local_memory.size)

    def start(self, log2_entries: int, interrupt: InterruptTarget, vector: int = 0) -> None:
        """Allocate rings of ``2**log2_entries`` slots (1 to 14), direct vector ``vector`` at ``interrupt`` and run.

        Raises EndpointError when memory runs out or the endpoint refuses to run.
        """
        if not 1 <= log2_entries <= 14:
            raise ValueError(f"rings of 2**{log2_entries} slots: 1 to 14 are possible")
        if self._descriptors is not None:
            raise EndpointError(f"{self.function} runs already: stop() it first")
        entries = 1 << log2_entries
        self._descriptors = self._allocate(entries * DESCRIPTOR_BYTES)
        self._completions = self._allocate(entries * COMPLETION_BYTES)
        self._entries = entries
        self._interrupt = interrupt
        self._tail = self._reaped = 0
        self._direct_interrupt(vector, interrupt)
        (descriptor_buffer, descriptor_dma), (completion_buffer, completion_dma) = self._descriptors, self._completions
        self._write(registers.RING_SIZE, log2_entries)
        self._write(registers.RING_BASE_LOW, int(descriptor_dma) & 0xFFFF_FFFF)
        self._write(registers.RING_BASE_HIGH, int(descriptor_dma) >> 32)
        self._write(registers.RING_COMPLETION_BASE_LOW, int(completion_dma) & 0xFFFF_FFFF)
        self._write(registers.RING_COMPLETION_BASE_HIGH, int(completion_dma) >> 32)
        self._write(registers.RING_INTERRUPT, registers.RING_INTERRUPT_VECTOR.put(vector))
        self._observer.on_interrupt_target(self.requester_id, int(interrupt.dma), interrupt.physical, interrupt.identity)
        self._observer.on_rings(
            self.requester_id,
            RingLayout(
                int(descriptor_buffer.phys),
                int(descriptor_dma),
                entries,
                int(completion_buffer.phys),
                int(completion_dma),
                entries,
            ),
        )
        self._write(registers.CONTROL, registers.CONTROL_ENABLE.put(1))
        self._write(registers.RING_CONTROL, registers.RING_CONTROL_ENABLE.put(1))
        status = self._read(registers.RING_STATUS)
        if not registers.RING_STATUS_RUNNING.get(status):
            reason = StopReason(registers.RING_STATUS_STOP_REASON.get(status))
            raise EndpointError(f"{self.function}: the ring does not run: {reason.name}")

    def set_completion_timeout(self, cycles: int) -> None:
        """Give up a read after ``cycles`` without its last completion; 0: never."""
        self._write(registers.COMPLETION_TIMEOUT, registers.COMPLETION_TIMEOUT_CYCLES.put(cycles))

    def _allocate(self, size: int) -> tuple[CpuBuffer, DmaAddress]:
        memory = dma_alloc_coherent(self.device, size)
        if memory is None:
            raise EndpointError(f"{self.function}: no coherent memory for a ring of {size} bytes")
        return memory

    def _direct_interrupt(self, vector: int, interrupt: InterruptTarget) -> None:
        entry = vector * _MSIX_ENTRY_BYTES
        self._write(registers.MSIX_TABLE_ADDRESS_LOW + entry, int(interrupt.dma) & 0xFFFF_FFFF)
        self._write(registers.MSIX_TABLE_ADDRESS_HIGH + entry, int(interrupt.dma) >> 32)
        self._write(registers.MSIX_TABLE_DATA + entry, interrupt.identity)
        self._write(registers.MSIX_TABLE_VECTOR_CONTROL + entry, 0)
        access = ConfigAccess(self.platform, self.function)
        offset = access.capabilities().get(Capability.MSI_X)
        if offset is None:
            raise EndpointError(f"{self.function} has no MSI-X capability")
        access.update(offset + _MSIX_CONTROL, 0, _MSIX_ENABLE, 2)

    def stop(self) -> None:
        """Reset the endpoint, wait until nothing of it is in flight, and free the rings. Raises EndpointError when it hangs."""
        if self._descriptors is None or self._completions is None:
            return
        self._write(registers.CONTROL, registers.CONTROL_SOFT_RESET.put(1))
        done = self.platform.wait_until(
            lambda: not registers.CONTROL_SOFT_RESET.get(self._read(registers.CONTROL)), RESET_TIMEOUT
        )
        if not done:
            raise EndpointError(f"{self.function}: soft reset not done within {RESET_TIMEOUT} cycles; its rings stay allocated")
        for (buffer, dma), size in ((self._descriptors, DESCRIPTOR_BYTES), (self._completions, COMPLETION_BYTES)):
            dma_free_coherent(self.device, self._entries * size, buffer, dma)
        self._descriptors = self._completions = None

    def submit(self, descriptors: U64) -> int:
        """Put descriptors, shape ``[n, 8]``, into the ring and ring the doorbell; returns the index of the first.

        Raises EndpointError when they do not fit beside those outstanding.
        """
        if self._descriptors is None:
            raise EndpointError(f"{self.function} does not run: start() it first")
        if descriptors.ndim != 2 or descriptors.shape[1] != DESCRIPTOR_DWORDS:
            raise ValueError(f"descriptors of shape {descriptors.shape}: [n, {DESCRIPTOR_DWORDS}] is needed")
        count = len(descriptors)
        if count == 0 or self.outstanding + count > self._entries:
            raise EndpointError(
                f"{self.function}: {count} descriptors do not fit, {self.outstanding} of {self._entries} slots are taken"
            )
        first = self._tail
        slot = first % self._entries
        data = np.ascontiguousarray(descriptors, dtype="<u8")
        before_wrap = min(count, self._entries - slot)
        ring = self._descriptors[0]
        ring.write(data[:before_wrap].tobytes(), slot * DESCRIPTOR_BYTES)
        if before_wrap < count:
            ring.write(data[before_wrap:].tobytes(), 0)
        self._observer.on_submit(self.requester_id, slot, data)
        self.platform.memory_barrier()
        self._tail = (first + count) & _INDEX_MASK
        self._write(registers.RING_TAIL, self._tail)
        return first

    def reap(self) -> list[Completion]:
        """Take all completions that have arrived, in order, and give their slots back.

        Raises EndpointError for a record that is not the one due.
        """
        taken = self._arrived()
        if not len(taken):
            return []
        completions = [Completion.unpack(row) for row in taken.tolist()]
        for completion in completions:
            if completion.slot != self._reaped % self._entries:
                raise EndpointError(
                    f"{self.function}: completion of slot {completion.slot} where slot {self._reaped % self._entries} is due"
                )
            self._reaped = (self._reaped + 1) & _INDEX_MASK
        self._observer.on_reap(self.requester_id, taken)
        self._write(registers.RING_COMPLETION_HEAD, self._reaped)
        return completions

    def _arrived(self) -> U64:
        """Records beyond those taken whose phase says that they are new, in order."""
        if self._completions is None:
            return np.zeros((0, COMPLETION_DWORDS), dtype=np.uint64)
        records = self._completions[0].array().view("<u8").reshape(-1, COMPLETION_DWORDS)
        waiting = self.outstanding
        index = self._reaped + np.arange(waiting)
        due = records[index % self._entries]
        phase = due[:, 1] >> np.uint64(completion_layout.RESULT_PHASE.lsb)
        expected = (1 - index // self._entries % 2).astype(np.uint64)
        new = phase == expected
        count = waiting if new.all() else int(np.argmin(new))
        taken: U64 = due[:count].copy()
        return taken

    def wait(self, timeout: int) -> list[Completion]:
        """Wait until everything outstanding is complete, by interrupt; returns the completions in order.

        The last descriptor of each batch must ask for an interrupt. Raises EndpointError after ``timeout`` cycles without one.
        """
        if self._interrupt is None:
            raise EndpointError(f"{self.function} does not run: start() it first")
        completions = self.reap()
        while self.outstanding:
            if not self.platform.wait_irq(self._interrupt.identity, timeout):
                raise EndpointError(
                    f"{self.function}: {self.outstanding} operations without completion after {timeout} cycles, {self.describe()}"
                )
            completions += self.reap()
        return completions

    def describe(self) -> str:
        """What the registers say about the ring, in words."""
        status = self._read(registers.RING_STATUS)
        reason = StopReason(registers.RING_STATUS_STOP_REASON.get(status))
        head, tail = self._read(registers.RING_HEAD), self._read(registers.RING_TAIL)
        return (
            f"head {head}, tail {tail}, completion tail {self._read(registers.RING_COMPLETION_TAIL)}, stop reason {reason.name}"
        )

    def _read(self, offset: int) -> int:
        return self.platform.mmio_read(self.bar0.base + offset, 4)

    def _write(self, offset: int, value: int) -> None:
        self.platform.mmio_write(self.bar0.base + offset, value, 4)
