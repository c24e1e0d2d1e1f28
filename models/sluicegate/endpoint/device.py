"""Register-level endpoint: configuration space, BAR0 registers and BAR2 local memory over a :class:`Bus`, without time.

A doorbell runs all new descriptors at once. Register behaviour: ``hdl/regs/endpoint.rdl``.
"""

from __future__ import annotations

import contextlib
from typing import Final

from sluicegate.endpoint.descriptor import COMPLETION_BYTES, DESCRIPTOR_BYTES, Completion, Descriptor
from sluicegate.endpoint.engine import Bus, BusError, Engine, Outcome
from sluicegate.endpoint.msix import Msix
from sluicegate.pci.capabilities import add_msi_x, add_pci_express, max_payload, max_read_request
from sluicegate.pci.config_space import COMMAND, COMMAND_BUS_MASTER, BarDefinition, Capability, ConfigSpace
from sluicegate.pci.topology import PciExpressType
from sluicegate.platform import Bdf
from sluicegate.registers import endpoint as registers
from sluicegate.registers.completion import StatusCode
from sluicegate.registers.endpoint import StopReason

BAR0_BYTES: Final = 16384
LOCAL_MEMORY_BYTES: Final = 2 << 20
VECTORS: Final = registers.MSIX_TABLE_DATA_INSTANCES
LOCAL_MEMORY_BAR: Final = 2
MAGIC: Final = 0x4547_4C53
VENDOR_ID: Final = 0x1234
DEVICE_ID: Final = 0x5345
_INDEX_MASK: Final = 0xFFFF
_MSIX_CONTROL: Final = 2
_RING: Final = range(registers.RING_BASE_LOW, registers.RING_STATUS + 4, 4)


class EndpointDevice:
    """One endpoint function."""

    def __init__(self, bus: Bus, local_memory_bytes: int = LOCAL_MEMORY_BYTES) -> None:
        self.local_memory: Final = bytearray(local_memory_bytes)
        self.config: Final = ConfigSpace(
            vendor=VENDOR_ID,
            device=DEVICE_ID,
            class_code=0x088000,
            bars={0: BarDefinition(BAR0_BYTES), 2: BarDefinition(local_memory_bytes, wide=True, prefetchable=True)},
        )
        add_pci_express(self.config, 0x40, PciExpressType.ENDPOINT)
        add_msi_x(self.config, 0x80, VECTORS, table_bar=0, table_offset=0x2000, pba_bar=0, pba_offset=0x3000)
        self._bus = bus
        self._engine = Engine(bus, self.local_memory)
        self._msix = Msix(VECTORS)
        self._function = Bdf(0, 0)
        self._control = 0
        self._ring: dict[int, int] = dict.fromkeys(_RING, 0)
        self._head = self._completion_tail = 0
        self._waiting_for_interrupt = 0
        self._failed = StatusCode.SUCCESS

    @property
    def function(self) -> Bdf:
        """Bus, device and function number, as captured from configuration writes."""
        return self._function

    # Configuration space

    def config_read(self, offset: int, width: int) -> int:
        """Read 1, 2 or 4 bytes of configuration space."""
        return self.config.read(offset, width)

    def config_write(self, function: Bdf, offset: int, value: int, width: int) -> None:
        """Write configuration space; the function number used is captured."""
        self._function = function
        self.config.write(offset, value, width)
        self._engine.requester = function.requester_id
        self._engine.max_payload = max_payload(self.config)
        self._engine.max_read_request = max_read_request(self.config)
        self._engine.bus_master = bool(self.config.read(COMMAND, 2) & COMMAND_BUS_MASTER)
        control = self.config.read(self.config.capabilities[Capability.MSI_X] + _MSIX_CONTROL, 2)
        self._msix.enabled, self._msix.function_masked = bool(control >> 15), bool(control >> 14 & 1)
        self._send_interrupts()
        self._run()

    # Memory requests

    def memory_read(self, address: int, length: int) -> bytes:
        """A read of local memory, or of one register; length 0 is the flushing read. Raises BusError."""
        hit = self.config.bar_hit(address, max(length, 1))
        if hit is None:
            raise BusError(StatusCode.UNSUPPORTED_REQUEST)
        number, offset = hit
        if number == LOCAL_MEMORY_BAR:
            return bytes(self.local_memory[offset : offset + length])
        if length > 4:
            raise BusError(StatusCode.COMPLETER_ABORT)
        value = self.register_read(offset & ~3).to_bytes(4, "little")
        return value[offset & 3 : (offset & 3) + length]

    def memory_write(self, address: int, data: bytes) -> None:
        """A posted write to local memory, or of one whole register; what no BAR claims is dropped."""
        hit = self.config.bar_hit(address, len(data))
        if hit is None:
            return
        number, offset = hit
        if number == LOCAL_MEMORY_BAR:
            self.local_memory[offset : offset + len(data)] = data
        elif len(data) == 4 and not offset & 3:
            self.register_write(offset, int.from_bytes(data, "little"))

    # BAR0

    def register_read(self, offset: int) -> int:
        """Read a 32-bit register; unused offsets read 0."""
        if offset in self._ring:
            return self._ring_register(offset)
        if registers.MSIX_TABLE_ADDRESS_LOW <= offset < registers.MSIX_PBA:
            return self._msix.read(offset - registers.MSIX_TABLE_ADDRESS_LOW)
        fixed = {
            registers.IDENTIFICATION: MAGIC,
            registers.VERSION: registers.VERSION_MAJOR.put(1),
            registers.SIZES: registers.SIZES_RINGS.put(1)
            | registers.SIZES_VECTORS.put(VECTORS)
            | registers.SIZES_LOG2_LOCAL_BYTES.put(len(self.local_memory).bit_length() - 1),
            registers.CONTROL: self._control,
            registers.STATUS: registers.STATUS_BUS_MASTER.put(self._engine.bus_master)
            | registers.STATUS_STOP_REASON.put(self._stop_reason()),
            registers.MSIX_PBA: self._msix.pending,
        }
        return fixed.get(offset, 0)

    def register_write(self, offset: int, value: int) -> None:
        """Write a 32-bit register; read-only and unused offsets ignore it."""
        if registers.MSIX_TABLE_ADDRESS_LOW <= offset < registers.MSIX_PBA:
            self._msix.write(offset - registers.MSIX_TABLE_ADDRESS_LOW, value)
            self._send_interrupts()
        elif offset == registers.CONTROL:
            self._write_control(value)
        elif offset == registers.RING_CONTROL:
            if value & 1 and not self._ring[offset]:
                self._restart()
            self._ring[offset] = value & 1
        elif offset in (registers.RING_TAIL, registers.RING_COMPLETION_HEAD):
            self._ring[offset] = value & _INDEX_MASK
        elif offset in self._ring and offset not in (registers.RING_HEAD, registers.RING_COMPLETION_TAIL, registers.RING_STATUS):
            self._ring[offset] = value
        self._run()

    def _write_control(self, value: int) -> None:
        if registers.CONTROL_SOFT_RESET.get(value):
            self._control = 0
            self._ring = dict.fromkeys(_RING, 0)
            self._restart()
            return
        self._control = value & (registers.CONTROL_ENABLE.mask | registers.CONTROL_ABORT.mask)
        self._engine.abort = bool(registers.CONTROL_ABORT.get(value))

    def _restart(self) -> None:
        self._head = self._completion_tail = self._waiting_for_interrupt = 0
        self._ring[registers.RING_TAIL] = self._ring[registers.RING_COMPLETION_HEAD] = 0
        self._failed = StatusCode.SUCCESS

    def _ring_register(self, offset: int) -> int:
        if offset == registers.RING_HEAD:
            return self._head
        if offset == registers.RING_COMPLETION_TAIL:
            return self._completion_tail
        if offset != registers.RING_STATUS:
            return self._ring[offset]
        reason = self._stop_reason()
        return (
            registers.RING_STATUS_RUNNING.put(reason is StopReason.NONE)
            | registers.RING_STATUS_IDLE.put(self._head == self._ring[registers.RING_TAIL])
            | registers.RING_STATUS_PHASE.put(self._phase())
            | registers.RING_STATUS_STOP_REASON.put(reason)
            | registers.RING_STATUS_FETCH_CODE.put(self._failed)
        )

    # The ring

    @property
    def _entries(self) -> int:
        return 1 << (self._ring[registers.RING_SIZE] & 0xF)

    def _base(self, low: int, high: int) -> int:
        return self._ring[high] << 32 | self._ring[low]

    def _stop_reason(self) -> StopReason:
        if not self._control & 1 or not self._ring[registers.RING_CONTROL]:
            return StopReason.NOT_ENABLED
        bases = self._ring[registers.RING_BASE_LOW] | self._ring[registers.RING_COMPLETION_BASE_LOW]
        if bases & (DESCRIPTOR_BYTES - 1) or not 1 <= self._ring[registers.RING_SIZE] <= 14:
            return StopReason.BAD_RING
        if self._failed is not StatusCode.SUCCESS:
            return StopReason.FETCH_FAILED
        if self._engine.abort:
            return StopReason.ABORTED
        if not self._engine.bus_master:
            return StopReason.BUS_MASTER_DISABLED
        if (self._completion_tail - self._ring[registers.RING_COMPLETION_HEAD]) & _INDEX_MASK >= self._entries:
            return StopReason.COMPLETION_RING_FULL
        return StopReason.NONE

    def _phase(self) -> int:
        return 1 - self._completion_tail // self._entries % 2

    def _run(self) -> None:
        while self._stop_reason() is StopReason.NONE and self._head != self._ring[registers.RING_TAIL]:
            self._run_slot(self._head % self._entries)
            self._head = (self._head + 1) & _INDEX_MASK
        if self._waiting_for_interrupt and self._ring[registers.RING_INTERRUPT_TIMER]:
            self._interrupt()

    def _run_slot(self, slot: int) -> None:
        """Run the descriptor of a ring slot and those chained to it; they complete as one."""
        address = self._base(registers.RING_BASE_LOW, registers.RING_BASE_HIGH) + slot * DESCRIPTOR_BYTES
        cookie, moved, status, interrupt = 0, 0, StatusCode.SUCCESS, False
        first = True
        while address:
            try:
                raw = self._bus.dma_read(self._function.requester_id, address, DESCRIPTOR_BYTES)
            except BusError as error:
                self._failed = error.status
                interrupt = True
                status = StatusCode.INVALID_DESCRIPTOR if status is StatusCode.SUCCESS else status
                break
            dwords = [int.from_bytes(raw[8 * i : 8 * i + 8], "little") for i in range(DESCRIPTOR_BYTES // 8)]
            if first:
                cookie, first = dwords[4], False
            address = 0
            outcome = Outcome(StatusCode.INVALID_DESCRIPTOR, 0)
            with contextlib.suppress(ValueError):  # an encoding that means nothing
                descriptor = Descriptor.unpack(dwords)
                outcome = self._engine.run(descriptor)
                interrupt = interrupt or descriptor.interrupt
                address = descriptor.next
            if status is StatusCode.SUCCESS:  # bytes behind the first error do not count
                moved += outcome.bytes
                status = outcome.status
        self._complete(Completion(cookie, status, moved, slot, self._phase()), interrupt)

    def _complete(self, completion: Completion, interrupt: bool) -> None:
        base = self._base(registers.RING_COMPLETION_BASE_LOW, registers.RING_COMPLETION_BASE_HIGH)
        data = b"".join(dword.to_bytes(8, "little") for dword in completion.pack())
        slot = self._completion_tail % self._entries
        self._bus.dma_write(self._function.requester_id, base + slot * COMPLETION_BYTES, data)
        self._completion_tail = (self._completion_tail + 1) & _INDEX_MASK
        if interrupt:
            self._waiting_for_interrupt += 1
            if self._waiting_for_interrupt >= max(1, registers.RING_INTERRUPT_COUNT.get(self._ring[registers.RING_INTERRUPT])):
                self._interrupt()

    def _interrupt(self) -> None:
        self._waiting_for_interrupt = 0
        self._msix.raise_event(registers.RING_INTERRUPT_VECTOR.get(self._ring[registers.RING_INTERRUPT]))
        self._send_interrupts()

    def _send_interrupts(self) -> None:
        if self._engine.bus_master:
            for message in self._msix.take_messages():
                self._bus.dma_write(self._function.requester_id, message.address, message.data.to_bytes(4, "little"))
