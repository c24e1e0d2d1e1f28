"""What the DMA engine does with one descriptor: checks, memory requests, bytes, status.

Requests are cut as the engine cuts them (Max_Read_Request_Size, Max_Payload_Size, 4 KiB), because a refused request ends nothing
(docs/interfaces.md, section 7): the bytes of the others are moved. Timing and tags are the hardware's; the result here is what
must be true once the completion is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sluicegate.endpoint.descriptor import Descriptor
from sluicegate.memory import PAGE_SIZE
from sluicegate.pci.splitting import split_request
from sluicegate.registers.completion import StatusCode
from sluicegate.registers.descriptor import Opcode, Space


class BusError(Exception):
    """A non-posted request that was not answered with data; ``status`` is what the engine reports."""

    def __init__(self, status: StatusCode) -> None:
        super().__init__(f"request failed: {status.name}")
        self.status = status


class Bus(Protocol):
    """The link as an endpoint uses it, without time: every request is answered at once."""

    def dma_read(self, requester: int, address: int, length: int) -> bytes:
        """A memory read of ``length`` bytes (0: flushing read) that crosses no 4 KiB boundary. Raises BusError."""

    def dma_write(self, requester: int, address: int, data: bytes) -> None:
        """A posted memory write that crosses no 4 KiB boundary; what becomes of it the requester never learns."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Status code of an operation, and bytes before its first error (all of them on success)."""

    status: StatusCode
    bytes: int


class Engine:
    """The copy engine of one function.

    ``max_read_request``, ``max_payload``: in bytes, as programmed. ``local``: local memory, changed in place.
    """

    def __init__(self, bus: Bus, local: bytearray) -> None:
        self._bus = bus
        self._local = local
        self.requester = 0
        self.max_read_request = 512
        self.max_payload = 128
        self.bus_master = False
        self.abort = False

    def run(self, descriptor: Descriptor) -> Outcome:
        """Carry out one operation."""
        invalid = _invalid(descriptor)
        if invalid:
            return Outcome(StatusCode.INVALID_DESCRIPTOR, 0)
        if descriptor.opcode is Opcode.NOP:
            return Outcome(StatusCode.SUCCESS, 0)
        local = descriptor.destination if descriptor.destination_space is Space.LOCAL else descriptor.source
        if descriptor.opcode is Opcode.COPY and local + descriptor.length > len(self._local):
            return Outcome(StatusCode.LOCAL_RANGE, 0)
        if self.abort:
            return Outcome(StatusCode.ABORTED, 0)
        if not self.bus_master:
            return Outcome(StatusCode.BUS_MASTER_DISABLED, 0)
        if descriptor.opcode is Opcode.FLUSH:
            return self._flush(descriptor.source, 0, 0)
        if descriptor.destination_space is Space.LOCAL:
            return self._read(descriptor)
        return self._write(descriptor)

    def _read(self, descriptor: Descriptor) -> Outcome:
        first = Outcome(StatusCode.SUCCESS, descriptor.length)
        for address, size in split_request(descriptor.source, descriptor.length, self.max_read_request):
            offset = address - descriptor.source
            try:
                data = self._bus.dma_read(self.requester, address, size)
            except BusError as error:
                if first.status is StatusCode.SUCCESS:
                    first = Outcome(error.status, offset)
                continue
            start = descriptor.destination + offset
            self._local[start : start + size] = data
        return first

    def _write(self, descriptor: Descriptor) -> Outcome:
        for address, size in split_request(descriptor.destination, descriptor.length, self.max_payload):
            start = descriptor.source + address - descriptor.destination
            self._bus.dma_write(self.requester, address, bytes(self._local[start : start + size]))
        if descriptor.flush or descriptor.destination_space is Space.PEER:
            return self._flush(descriptor.destination, descriptor.length, descriptor.length)
        return Outcome(StatusCode.SUCCESS, descriptor.length)

    def _flush(self, address: int, length: int, moved: int) -> Outcome:
        """A zero-length read of every page touched, whatever became of the others; the first that fails decides the status."""
        first = Outcome(StatusCode.SUCCESS, moved)
        for page in range(address // PAGE_SIZE, (address + max(length, 1) - 1) // PAGE_SIZE + 1):
            target = max(address, page * PAGE_SIZE)
            try:
                self._bus.dma_read(self.requester, target, 0)
            except BusError as error:
                if first.status is StatusCode.SUCCESS:
                    first = Outcome(error.status, target - address)
        return first


def _invalid(descriptor: Descriptor) -> bool:
    if descriptor.opcode is Opcode.NOP:
        return False
    if descriptor.pasid is not None:
        return True  # this model's function has PASID disabled
    if descriptor.opcode is Opcode.FLUSH:
        return descriptor.source_space is Space.LOCAL
    local_source = descriptor.source_space is Space.LOCAL
    local_destination = descriptor.destination_space is Space.LOCAL
    return descriptor.length == 0 or local_source == local_destination
