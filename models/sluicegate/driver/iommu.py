"""Driver of the RISC-V IOMMU: probe, queues, device directory, commands, faults and interrupts.

It uses the hardware through :class:`~sluicegate.platform.Platform` only, so the same driver runs on the register-level model
and on the RTL. Waiting is done on host memory: each fence stores a sequence number that the driver polls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from sluicegate.driver.iommu_tables import DeviceDirectory, TablePages, TableWriter
from sluicegate.iommu.capabilities import (
    SPECIFICATION_VERSION,
    Capabilities,
    DirectoryMode,
    InterruptGeneration,
    IommuConfiguration,
)
from sluicegate.iommu.commands import COMMAND_BYTES, Command, Fence, InvalidateDevice
from sluicegate.iommu.context import DeviceContext
from sluicegate.iommu.device import FAULT_RECORD_BYTES
from sluicegate.iommu.pri import PAGE_REQUEST_BYTES, PageRequest
from sluicegate.iommu.queues import pack_words, unpack_words
from sluicegate.iommu.registers import CommandQueueCsr, Fctl, Ipsr, Offset, RecordQueueCsr, msi_offset
from sluicegate.iommu.request import FaultRecord
from sluicegate.memory import PAGE_SIZE
from sluicegate.platform import WIRED_INTERRUPT_BASE, Bdf, Platform, WordIs

ENABLE_TIMEOUT: Final = 10_000
"""Cycles a queue may take to turn on or off, and the directory mode to settle."""
COMMAND_TIMEOUT: Final = 1_000_000
"""Cycles a fence may take."""
_QUEUE_BYTES: Final = PAGE_SIZE
_COMMAND_ERRORS: Final = CommandQueueCsr.CQMF | CommandQueueCsr.CMD_TO | CommandQueueCsr.CMD_ILL


class IommuError(Exception):
    """The IOMMU is absent, lacks what the driver needs, or does not do what it was told."""


class InterruptDelivery(Enum):
    """How the driver asks the IOMMU to interrupt."""

    WIRED = "wired"
    MSI = "msi"


class InterruptCause(Enum):
    """The four causes of the IOMMU; the value is the field index in ``icvec``."""

    COMMAND_QUEUE = 0
    FAULT_QUEUE = 1
    PERFORMANCE = 2
    PAGE_REQUEST_QUEUE = 3


@dataclass(frozen=True, slots=True)
class FaultDrain:
    """Records taken from the fault queue; ``lost`` tells that the IOMMU had to drop some."""

    records: tuple[FaultRecord, ...]
    lost: bool


class IommuDriver:
    """One IOMMU instance.

    Args:
        platform: the machine.
        pages: allocator for queues and tables.
        directory: depth of the device directory; real bus numbers need at least TWO_LEVEL.
        delivery: kind of interrupts; None takes wires where the hardware has them.
        msi_identity: first of four interrupt identities when interrupts are messages.
        register_base: physical address of the register page, by default that of the address map.
    """

    def __init__(
        self,
        platform: Platform,
        pages: TablePages,
        *,
        directory: DirectoryMode = DirectoryMode.TWO_LEVEL,
        delivery: InterruptDelivery | None = None,
        msi_identity: int = 0x40,
        register_base: int | None = None,
    ) -> None:
        self.platform: Final = platform
        self._pages = pages
        self._base = platform.address_map.iommu_registers.base if register_base is None else register_base
        self._directory_mode = directory
        self._delivery = delivery
        self._msi_identity = msi_identity
        self._capabilities: Capabilities | None = None
        self._directory: DeviceDirectory | None = None
        self._configuration: IommuConfiguration | None = None
        self._command_queue = self._fault_queue = self._page_request_queue = 0
        self._command_tail = self._fault_head = self._page_request_head = 0
        self._fence_word = 0
        self._fence_sequence = 0
        self._next_pscid = 1
        self._next_gscid = 1
        self._attached: set[int] = set()
        self._vectors = [0] * len(InterruptCause)
        self.fault_observers: Final[list[Callable[[FaultDrain], None]]] = []
        """Told of everything that :meth:`drain_faults` takes, whoever calls it."""

    # Probe and shutdown

    @property
    def capabilities(self) -> Capabilities:
        """What the hardware has. Valid after :meth:`probe`."""
        if self._capabilities is None:
            raise IommuError("the IOMMU was not probed: call probe() first")
        return self._capabilities

    @property
    def configuration(self) -> IommuConfiguration:
        """Capabilities, ``fctl`` and ``ddtp`` as programmed. Valid after :meth:`enable`."""
        if self._configuration is None:
            raise IommuError("the IOMMU is not enabled: call enable() first")
        return self._configuration

    @property
    def directory(self) -> DeviceDirectory:
        """The device directory. Valid after :meth:`enable`."""
        if self._directory is None:
            raise IommuError("the IOMMU is not enabled: call enable() first")
        return self._directory

    def probe(self) -> Capabilities:
        """Read and check the capabilities. Raises IommuError when no usable IOMMU answers."""
        word = self.read_register(Offset.CAPABILITIES, 8)
        if word == (1 << 64) - 1:
            raise IommuError(f"nothing answers at {self._base:#x}: check the address of the register page")
        capabilities = Capabilities(word)
        if capabilities.version != SPECIFICATION_VERSION:
            raise IommuError(f"IOMMU version {capabilities.version:#x} is unknown: this driver knows {SPECIFICATION_VERSION:#x}")
        self._capabilities = capabilities
        return capabilities

    def enable(self) -> None:
        """Bring the IOMMU from reset to translating with an empty directory: every device faults until it is attached.

        Raises IommuError when the hardware does not take a setting.
        """
        capabilities = self.probe()
        self._set_directory(int(DirectoryMode.OFF))
        for csr in (Offset.CQCSR, Offset.FQCSR, Offset.PQCSR):
            self._set_queue(csr, on=False)
        fctl = self._choose_fctl(capabilities)
        big_endian = bool(fctl & Fctl.BE)
        self._configuration = IommuConfiguration(capabilities, fctl)
        self._programme_interrupts(wired=bool(fctl & Fctl.WSI))
        self._fence_word = int(self._pages.alloc(PAGE_SIZE))
        self.platform.memory.write_u64(self._fence_word, 0)
        self._command_queue = self._new_queue(Offset.CQB, Offset.CQCSR, COMMAND_BYTES)
        self._fault_queue = self._new_queue(Offset.FQB, Offset.FQCSR, FAULT_RECORD_BYTES)
        if capabilities.ats:
            self._page_request_queue = self._new_queue(Offset.PQB, Offset.PQCSR, PAGE_REQUEST_BYTES)
        writer = self.table_writer(big_endian)
        self._directory = DeviceDirectory(writer, capabilities, self._directory_mode)
        self._set_directory(self._directory.ddtp)
        self._configuration = replace(self._configuration, ddtp=self._directory.ddtp)
        self.submit([InvalidateDevice()])
        self.fence()

    def disable(self) -> None:
        """Turn translation and all queues off (every request then faults), and free queues and directory."""
        self._set_directory(int(DirectoryMode.OFF))
        for csr in (Offset.CQCSR, Offset.FQCSR, Offset.PQCSR):
            self._set_queue(csr, on=False)
        for page in (self._command_queue, self._fault_queue, self._page_request_queue, self._fence_word):
            if page:
                self._pages.free(page)
        self._command_queue = self._fault_queue = self._page_request_queue = self._fence_word = 0
        self._command_tail = self._fault_head = self._page_request_head = 0
        if self._directory is not None:
            self._directory.free()
            self._directory = None
        self._attached.clear()
        self._configuration = None

    def table_writer(self, big_endian: bool | None = None) -> TableWriter:
        """A writer of tables for this IOMMU in its byte order."""
        if big_endian is None:
            big_endian = self.configuration.big_endian
        return TableWriter(self.platform.memory, self._pages, self.platform.memory_barrier, big_endian)

    def _choose_fctl(self, capabilities: Capabilities) -> int:
        delivery = self._delivery
        if delivery is None:
            delivery = InterruptDelivery.MSI if capabilities.igs is InterruptGeneration.MSI else InterruptDelivery.WIRED
        wanted = Fctl.WSI if delivery is InterruptDelivery.WIRED else Fctl(0)
        self.write_register(Offset.FCTL, int(wanted), 4)
        fctl = Fctl(self.read_register(Offset.FCTL, 4) & 7)
        if fctl & Fctl.WSI != wanted:
            raise IommuError(f"the IOMMU cannot deliver {delivery.value} interrupts (IGS {capabilities.igs.name})")
        return int(fctl)

    def _programme_interrupts(self, wired: bool) -> None:
        self.write_register(Offset.ICVEC, 0x3210, 8)
        icvec = self.read_register(Offset.ICVEC, 8)
        self._vectors = [icvec >> 4 * cause.value & 0xF for cause in InterruptCause]
        if wired:
            return
        for vector in sorted(set(self._vectors)):
            self.write_register(msi_offset(vector), self.platform.address_map.imsic.base, 8)
            self.write_register(msi_offset(vector) + 8, self._msi_identity + vector, 4)
            self.write_register(msi_offset(vector) + 12, 0, 4)

    def _new_queue(self, base_register: Offset, csr: Offset, entry_bytes: int) -> int:
        page = int(self._pages.alloc(_QUEUE_BYTES))
        log2_entries = (_QUEUE_BYTES // entry_bytes).bit_length() - 1
        self.write_register(base_register, page >> 2 | (log2_entries - 1), 8)
        self._set_queue(csr, on=True)
        return page

    def _set_queue(self, csr: Offset, on: bool) -> None:
        """Write the enable bits and wait until the queue follows. All three CSRs share the bits used here."""
        enable = int(RecordQueueCsr.QEN | RecordQueueCsr.IE)
        self.write_register(csr, enable if on else 0, 4)

        def settled() -> bool:
            value = self.read_register(csr, 4)
            return not value & RecordQueueCsr.BUSY and bool(value & RecordQueueCsr.QON) == on

        if csr is Offset.PQCSR and not self.capabilities.ats:
            return
        if not self.platform.wait_until(settled, ENABLE_TIMEOUT):
            raise IommuError(f"queue of {csr.name} did not turn {'on' if on else 'off'} within {ENABLE_TIMEOUT} cycles")

    def _set_directory(self, ddtp: int) -> None:
        self.write_register(Offset.DDTP, ddtp, 8)
        if not self.platform.wait_until(lambda: not self.read_register(Offset.DDTP, 8) >> 4 & 1, ENABLE_TIMEOUT):
            raise IommuError(f"ddtp stays busy for more than {ENABLE_TIMEOUT} cycles")
        mode = self.read_register(Offset.DDTP, 8) & 0xF
        if mode != ddtp & 0xF:
            raise IommuError(f"the IOMMU does not support directory mode {DirectoryMode(ddtp & 0xF).name}: choose another depth")

    # Devices

    def attach(self, device: Bdf | int, context: DeviceContext) -> None:
        """Let the requests of a device (its function, or a 24-bit device ID) be translated under ``context``.

        A device that is attached already is detached first, so that no mixture of both contexts is ever seen.
        """
        device_id = device.requester_id if isinstance(device, Bdf) else device
        if device_id in self._attached:
            self.detach(device_id)
        self._attached.add(device_id)
        self.directory.set_context(device_id, context)
        self.submit([InvalidateDevice(device_id)])
        self.fence()

    def detach(self, device: Bdf | int) -> None:
        """Make all requests of a device fault. Returns when none of its accesses is under way any more."""
        device_id = device.requester_id if isinstance(device, Bdf) else device
        self._attached.discard(device_id)
        self.directory.clear_context(device_id)
        self.submit([InvalidateDevice(device_id)])
        self.fence()

    def new_pscid(self) -> int:
        """A process soft-context ID (20 bits) that no domain of this IOMMU has had yet."""
        pscid = self._next_pscid
        if pscid >> 20:
            raise IommuError("all 2**20 - 1 PSCIDs are used up")
        self._next_pscid += 1
        return pscid

    def new_gscid(self) -> int:
        """A guest soft-context ID (16 bits) that no guest of this IOMMU has had yet."""
        gscid = self._next_gscid
        if gscid >> 16:
            raise IommuError("all 2**16 - 1 GSCIDs are used up")
        self._next_gscid += 1
        return gscid

    # Commands

    def submit(self, commands: Sequence[Command]) -> None:
        """Put commands into the queue and make them visible, waiting for room where the queue is full."""
        entries = _QUEUE_BYTES // COMMAND_BYTES
        memory, big_endian = self.platform.memory, self.configuration.big_endian
        position = 0
        while position < len(commands):
            room = (self.read_register(Offset.CQH, 4) - self._command_tail - 1) % entries
            if not room:
                self._wait_for_room()
                continue
            for command in commands[position : position + room]:
                memory.write(self._command_queue + COMMAND_BYTES * self._command_tail, pack_words(command.pack(), big_endian))
                self._command_tail = (self._command_tail + 1) % entries
            position += room
            self.platform.memory_barrier()
            self.write_register(Offset.CQT, self._command_tail, 4)

    def _wait_for_room(self) -> None:
        full_at = self.read_register(Offset.CQH, 4)
        if not self.platform.wait_until(lambda: self.read_register(Offset.CQH, 4) != full_at, COMMAND_TIMEOUT):
            raise self._command_failure()

    def fence(self) -> None:
        """Wait until all earlier commands are complete and no access that they concern is under way.

        Raises IommuError when the command queue stops with an error or does not answer.
        """
        self._fence_sequence = self._fence_sequence % 0xFFFF_FFFF + 1
        expected = self._fence_sequence.to_bytes(4, "big" if self.configuration.big_endian else "little")
        self.submit([Fence(self._fence_word, self._fence_sequence, previous_reads=True, previous_writes=True)])
        if not self.platform.wait_until(WordIs(self.platform.memory, self._fence_word, expected), COMMAND_TIMEOUT):
            raise self._command_failure()

    def _command_failure(self) -> IommuError:
        csr = CommandQueueCsr(self.read_register(Offset.CQCSR, 4))
        head = self.read_register(Offset.CQH, 4)
        reasons = [flag.name for flag in _COMMAND_ERRORS if flag & csr]
        words = unpack_words(
            self.platform.memory.read(self._command_queue + COMMAND_BYTES * head, COMMAND_BYTES),
            self.configuration.big_endian,
        )
        why = " and ".join(name for name in reasons if name) or f"no answer within {COMMAND_TIMEOUT} cycles"
        return IommuError(f"command {head} ({words[0]:#x}, {words[1]:#x}) did not complete: {why}")

    def recover_command_queue(self) -> None:
        """Drop all commands that did not execute, clear the error bits and start with an empty queue."""
        self._set_queue(Offset.CQCSR, on=False)
        self._command_tail = 0
        self.write_register(Offset.CQB, self._command_queue >> 2 | ((_QUEUE_BYTES // COMMAND_BYTES).bit_length() - 2), 8)
        self._set_queue(Offset.CQCSR, on=True)

    # Faults, page requests, interrupts

    def drain_faults(self) -> FaultDrain:
        """Take all records out of the fault queue, and let it go on when it had overflowed or met a memory error."""
        big_endian = self.configuration.big_endian
        records = []
        for data in self._drain(Offset.FQT, Offset.FQH, self._fault_queue, FAULT_RECORD_BYTES, self._fault_head):
            words = unpack_words(data, big_endian)
            records.append(FaultRecord.unpack((words[0], words[1], words[2], words[3])))
        self._fault_head = (self._fault_head + len(records)) % (_QUEUE_BYTES // FAULT_RECORD_BYTES)
        drain = FaultDrain(tuple(records), self._clear_errors(Offset.FQCSR))
        for observer in self.fault_observers:
            observer(drain)
        return drain

    def drain_page_requests(self) -> tuple[PageRequest, ...]:
        """Take all records out of the page-request queue."""
        big_endian = self.configuration.big_endian
        requests = []
        for data in self._drain(Offset.PQT, Offset.PQH, self._page_request_queue, PAGE_REQUEST_BYTES, self._page_request_head):
            first, payload = unpack_words(data, big_endian)
            device_id = first >> 40
            requests.append(
                PageRequest(
                    device_id & 0xFFFF,
                    payload,
                    segment_valid=device_id >> 16 != 0,
                    segment=device_id >> 16,
                    pasid_valid=bool(first >> 32 & 1),
                    process_id=first >> 12 & 0xFFFFF,
                    priv=bool(first >> 33 & 1),
                    exec=bool(first >> 34 & 1),
                )
            )
        self._page_request_head = (self._page_request_head + len(requests)) % (_QUEUE_BYTES // PAGE_REQUEST_BYTES)
        self._clear_errors(Offset.PQCSR)
        return tuple(requests)

    def _drain(self, tail_register: Offset, head_register: Offset, queue: int, entry_bytes: int, head: int) -> list[bytes]:
        entries = _QUEUE_BYTES // entry_bytes
        tail = self.read_register(tail_register, 4)
        taken = []
        while head != tail:
            taken.append(self.platform.memory.read(queue + head * entry_bytes, entry_bytes))
            head = (head + 1) % entries
        if taken:
            self.write_register(head_register, head, 4)
        return taken

    def _clear_errors(self, csr: Offset) -> bool:
        """Clear overflow and memory-fault bits of a record queue; True when records were lost."""
        errors = self.read_register(csr, 4) & (RecordQueueCsr.QOF | RecordQueueCsr.QMF)
        if errors:
            self.write_register(csr, errors | RecordQueueCsr.QEN | RecordQueueCsr.IE, 4)
        return bool(errors)

    def interrupt_identity(self, cause: InterruptCause) -> int:
        """Interrupt identity that :meth:`Platform.wait_irq` gets for ``cause``."""
        vector = self._vectors[cause.value]
        return (WIRED_INTERRUPT_BASE if self.configuration.wired_interrupts else self._msi_identity) + vector

    def wait_interrupt(self, cause: InterruptCause, timeout: int) -> bool:
        """Wait for an interrupt of ``cause``; False after ``timeout`` cycles. Handle its condition, then acknowledge it."""
        return self.platform.wait_irq(self.interrupt_identity(cause), timeout)

    def pending_interrupts(self) -> Ipsr:
        """The pending bits, as ``ipsr`` reads."""
        return Ipsr(self.read_register(Offset.IPSR, 4) & 0xF)

    def acknowledge_interrupts(self, causes: Ipsr) -> None:
        """Clear pending bits; one whose condition persists is set again at once."""
        self.write_register(Offset.IPSR, int(causes), 4)

    def read_register(self, offset: int, width: int) -> int:
        """Read ``width`` (4 or 8) bytes of the register page."""
        return self.platform.mmio_read(self._base + offset, width)

    def write_register(self, offset: int, value: int, width: int) -> None:
        """Write ``width`` (4 or 8) bytes of the register page (posted)."""
        self.platform.mmio_write(self._base + offset, value, width)
