"""Register-level model of the IOMMU: the register page, the three queues, interrupts, counters and the debug port.

A driver sees what it would see of hardware that answers at once: a command is executed by the write of ``cqt`` that makes it
visible, and caches hold nothing (every translation walks memory, which is one of the behaviours the specification allows).
Source: RISC-V IOMMU specification, *Memory-mapped register interface*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from sluicegate.iommu.ats import InvalidateRequest, PageRequestGroupResponse, encode_range
from sluicegate.iommu.capabilities import Capabilities, DirectoryMode, InterruptGeneration, IommuConfiguration
from sluicegate.iommu.command_processor import CommandProcessor
from sluicegate.iommu.interrupts import InterruptController
from sluicegate.iommu.msi import store_to_mrif
from sluicegate.iommu.performance import EventSource, PerformanceMonitor
from sluicegate.iommu.pri import PAGE_REQUEST_BYTES, PageRequest, ResponseCode, automatic_response, examine_page_request
from sluicegate.iommu.queues import MemoryQueue, QueueFull
from sluicegate.iommu.registers import (
    LOG2SZ_FIELD,
    PPN_FIELD,
    REGISTER_PAGE_BYTES,
    Fctl,
    HpmEvent,
    Ipsr,
    Offset,
    RecordQueueCsr,
    TranslationRequestControl,
    msi_offset,
)
from sluicegate.iommu.request import (
    AddressType,
    Cause,
    FaultRecord,
    Request,
    Response,
    Status,
    TransactionType,
    TranslationFault,
)
from sluicegate.iommu.translate import Translation, fault_record
from sluicegate.memory import Memory, MemoryAccessError

FAULT_RECORD_BYTES: Final = 32
_U32: Final = 0xFFFF_FFFF
_U64: Final = (1 << 64) - 1


def _no_wire(line: int, level: bool) -> None:
    """Wires that nobody listens to."""


@dataclass(slots=True)
class RecordQueue:
    """A queue that the IOMMU fills (faults, page requests) with its control bits."""

    queue: MemoryQueue
    csr: RecordQueueCsr = field(default_factory=lambda: RecordQueueCsr(0))
    """QEN, IE, QMF and QOF; QON is the queue's own state."""

    @property
    def value(self) -> int:
        """The CSR as read."""
        return int(self.csr) | (RecordQueueCsr.QON if self.queue.on else 0)

    @property
    def blocked(self) -> bool:
        """True while an error bit makes the IOMMU discard records."""
        return bool(self.csr & (RecordQueueCsr.QMF | RecordQueueCsr.QOF))

    def write_csr(self, value: int) -> None:
        """A register write: enable bits are stored, error bits are cleared by ones."""
        written = RecordQueueCsr(value & (RecordQueueCsr.QEN | RecordQueueCsr.IE))
        errors = self.csr & (RecordQueueCsr.QMF | RecordQueueCsr.QOF) & ~RecordQueueCsr(value & 0x300)
        if written & RecordQueueCsr.QEN and not self.queue.on:
            self.queue.tail = 0
            errors = RecordQueueCsr(0)
        self.queue.on = bool(written & RecordQueueCsr.QEN)
        self.csr = written | errors


class IommuDevice:
    """One IOMMU behind its register page.

    ``set_wire(line, level)`` is called when an interrupt wire changes; MSIs are 4-byte writes to ``memory``.
    ``send_invalidate(message)`` and ``send_page_response(message)`` carry PCIe messages to devices. ``big_endian`` fixes
    ``fctl.BE`` where it is not writable; ``vector_bits`` is the width of each ``icvec`` field; ``counters`` the number of
    event counters; ``itags`` the number of invalidate requests that may be outstanding (1 to 32).
    """

    def __init__(
        self,
        capabilities: Capabilities,
        memory: Memory,
        *,
        set_wire: Callable[[int, bool], None] = _no_wire,
        send_invalidate: Callable[[InvalidateRequest], None] | None = None,
        send_page_response: Callable[[PageRequestGroupResponse], None] | None = None,
        big_endian: bool = False,
        vector_bits: int = 4,
        counters: int = 8,
        itags: int = 32,
        qosid_bits: int = 12,
    ) -> None:
        fctl = Fctl.BE if big_endian else Fctl(0)
        if capabilities.igs is InterruptGeneration.WSI:
            fctl |= Fctl.WSI
        self._configuration = IommuConfiguration(capabilities, int(fctl), 0, qosid_bits)
        self._memory = memory
        self._address_limit = 1 << capabilities.physical_address_bits
        self._send_page_response = send_page_response
        self.interrupts = InterruptController(
            vector_bits, lambda: self._configuration.wired_interrupts, set_wire, self._write_msi
        )
        self.performance = PerformanceMonitor(counters if capabilities.hpm else 0)
        self.commands = CommandProcessor(memory, self._address_limit, itags, send_invalidate, send_page_response)
        self.faults = RecordQueue(MemoryQueue(FAULT_RECORD_BYTES))
        self.page_requests = RecordQueue(MemoryQueue(PAGE_REQUEST_BYTES))
        self._tr_req_iova = 0
        self._tr_req_ctl = 0
        self._tr_response = 0
        self._qosid = 0
        self._high_half: dict[int, int] = {}

    @property
    def configuration(self) -> IommuConfiguration:
        """Capabilities, ``fctl`` and ``ddtp`` as they are now."""
        return self._configuration

    @property
    def active(self) -> bool:
        """True while the directory mode is not Off or any queue is on."""
        return (
            self._configuration.mode is not DirectoryMode.OFF
            or self.commands.queue.on
            or self.faults.queue.on
            or self.page_requests.queue.on
        )

    # Registers

    def read_register(self, offset: int, width: int) -> int:
        """Read ``width`` (4 or 8) bytes at a naturally aligned ``offset``. What no register answers reads 0."""
        self._require_access(offset, width)
        word = self._read_word(offset & ~7)
        return word if width == 8 else word >> 8 * (offset & 4) & _U32

    def write_register(self, offset: int, value: int, width: int) -> None:
        """Write ``width`` (4 or 8) bytes. Of an 8-byte register the low half carries the side effects.

        A write of only its high half is kept until the low half follows, as the two halves of a split 8-byte access do.
        """
        self._require_access(offset, width)
        value &= (1 << 8 * width) - 1
        base = offset & ~7
        if base in _DWORD_REGISTERS or _is_dword_array(base):
            if width == 8:
                self._write_dword(base, value)
            elif offset & 4:
                self._write_high_half(base, value)
            else:
                high = self._high_half.pop(base, self._read_word(base) >> 32)
                self._write_dword(base, high << 32 | value)
        else:
            if width == 8:
                self._write_word(base, value & _U32)
                self._write_word(base + 4, value >> 32)
            else:
                self._write_word(offset, value)
        self._update_interrupts()

    @staticmethod
    def _require_access(offset: int, width: int) -> None:
        if width not in (4, 8) or offset % width or not 0 <= offset <= REGISTER_PAGE_BYTES - width:
            raise ValueError(f"register access of {width} bytes at {offset:#x}: use 4 or 8 bytes, naturally aligned, in the page")

    def _write_high_half(self, base: int, value: int) -> None:
        if base in _SIDE_EFFECT_REGISTERS:
            self._high_half[base] = value
        else:
            self._write_dword(base, value << 32 | self._read_word(base) & _U32)

    def _read_word(self, base: int) -> int:
        """The aligned 8 bytes at ``base``: one dword register or two word registers."""
        capabilities = self._configuration.capabilities
        commands, faults, pages = self.commands, self.faults, self.page_requests
        match base:
            case Offset.CAPABILITIES:
                return capabilities.word
            case Offset.FCTL:
                return self._configuration.fctl
            case Offset.DDTP:
                return self._configuration.ddtp
            case Offset.CQB:
                return commands.queue.base
            case Offset.CQH:
                return commands.queue.head | commands.queue.tail << 32
            case Offset.FQB:
                return faults.queue.base
            case Offset.FQH:
                return faults.queue.head | faults.queue.tail << 32
            case Offset.PQB:
                return pages.queue.base
            case Offset.PQH:
                return pages.queue.head | pages.queue.tail << 32
            case Offset.CQCSR:
                return commands.csr_value | faults.value << 32
            case Offset.PQCSR:
                return pages.value | int(self.interrupts.pending) << 32
            case Offset.IOCOUNTOVF:
                return self.performance.overflow | self.performance.inhibited << 32
            case Offset.IOHPMCYCLES:
                return self.performance.cycles
            case Offset.TR_REQ_IOVA:
                return self._tr_req_iova
            case Offset.TR_REQ_CTL:
                return self._tr_req_ctl
            case Offset.TR_RESPONSE:
                return self._tr_response
            case Offset.IOMMU_QOSID:
                return self._qosid
            case Offset.ICVEC:
                return self.interrupts.icvec
        counters = len(self.performance.counters)
        if Offset.IOHPMCTR <= base < Offset.IOHPMCTR + 8 * counters:
            return self.performance.counters[(base - Offset.IOHPMCTR) // 8]
        if Offset.IOHPMEVT <= base < Offset.IOHPMEVT + 8 * counters:
            return self.performance.events[(base - Offset.IOHPMEVT) // 8]
        if self._has_msi_table and Offset.MSI_CFG_TBL <= base < msi_offset(len(self.interrupts.vectors)):
            vector = self.interrupts.vectors[(base - Offset.MSI_CFG_TBL) // 16]
            return vector.data | vector.masked << 32 if base & 8 else vector.address
        return 0

    @property
    def _has_msi_table(self) -> bool:
        return self._configuration.capabilities.igs is not InterruptGeneration.WSI

    def _write_dword(self, base: int, value: int) -> None:
        capabilities = self._configuration.capabilities
        match base:
            case Offset.DDTP:
                self._write_ddtp(value)
            case Offset.CQB:
                self._write_queue_base(self.commands.queue, value, clear_tail=True)
            case Offset.FQB:
                self._write_queue_base(self.faults.queue, value, clear_tail=False)
            case Offset.PQB if capabilities.ats:
                self._write_queue_base(self.page_requests.queue, value, clear_tail=False)
            case Offset.IOHPMCYCLES if capabilities.hpm:
                self.performance.cycles = value
            case Offset.TR_REQ_IOVA if capabilities.dbg:
                self._tr_req_iova = value & ~0xFFF
            case Offset.TR_REQ_CTL if capabilities.dbg:
                self._write_debug_control(value)
            case Offset.ICVEC:
                self.interrupts.icvec = value
            case _:
                self._write_array_dword(base, value)

    def _write_array_dword(self, base: int, value: int) -> None:
        counters = len(self.performance.counters)
        if Offset.IOHPMCTR <= base < Offset.IOHPMCTR + 8 * counters:
            self.performance.counters[(base - Offset.IOHPMCTR) // 8] = value
        elif Offset.IOHPMEVT <= base < Offset.IOHPMEVT + 8 * counters:
            self.performance.events[(base - Offset.IOHPMEVT) // 8] = _legal_event(value)
        elif self._has_msi_table and base < msi_offset(len(self.interrupts.vectors)) and not base & 8:
            vector = (base - Offset.MSI_CFG_TBL) // 16
            if vector >= 0:
                self.interrupts.vectors[vector].address = value & ((1 << 56) - 4)

    def _write_word(self, offset: int, value: int) -> None:
        capabilities = self._configuration.capabilities
        match offset:
            case Offset.FCTL:
                self._write_fctl(value)
            case Offset.CQT:
                self.commands.queue.tail = value & self.commands.queue.index_mask
                self._process_commands()
            case Offset.FQH:
                self.faults.queue.head = value & self.faults.queue.index_mask
            case Offset.PQH if capabilities.ats:
                self.page_requests.queue.head = value & self.page_requests.queue.index_mask
            case Offset.CQCSR:
                self.commands.write_csr(value, self._configuration)
                self._process_commands()
            case Offset.FQCSR:
                self.faults.write_csr(value)
            case Offset.PQCSR if capabilities.ats:
                self.page_requests.write_csr(value)
            case Offset.IPSR:
                self.interrupts.clear(Ipsr(value & 0xF))
            case Offset.IOCOUNTINH if capabilities.hpm:
                self.performance.inhibited = value & self.performance.inhibit_mask
            case Offset.IOMMU_QOSID if capabilities.qosid:
                width = (1 << self._configuration.qosid_bits) - 1
                self._qosid = value & (width | width << 16)
            case _ if self._has_msi_table and msi_offset(0) <= offset < msi_offset(len(self.interrupts.vectors)):
                vector = (offset - Offset.MSI_CFG_TBL) // 16
                if offset & 4:
                    self.interrupts.set_mask(vector, bool(value & 1))
                else:
                    self.interrupts.vectors[vector].data = value

    def _write_fctl(self, value: int) -> None:
        if self.active:
            return
        capabilities = self._configuration.capabilities
        writable = (Fctl.BE if capabilities.end else 0) | (Fctl.WSI if capabilities.igs is InterruptGeneration.BOTH else 0)
        fctl = self._configuration.fctl & ~writable | value & writable
        self._configuration = replace(self._configuration, fctl=fctl)
        self.interrupts.drive_wires()

    def _write_ddtp(self, value: int) -> None:
        mode = value & 0xF
        if mode > DirectoryMode.THREE_LEVEL:
            return
        if self._configuration.mode.levels and mode > DirectoryMode.BARE:
            return
        ppn = value & PPN_FIELD & (self._address_limit - 1) >> 2
        self._configuration = replace(self._configuration, ddtp=ppn | mode)

    def _write_queue_base(self, queue: MemoryQueue, value: int, clear_tail: bool) -> None:
        if queue.on:
            return
        queue.base = value & (LOG2SZ_FIELD | PPN_FIELD & (self._address_limit - 1) >> 2)
        if clear_tail:
            queue.tail = 0
        else:
            queue.head = 0

    def _write_debug_control(self, value: int) -> None:
        flags = TranslationRequestControl
        self._tr_req_ctl = value & ~(0xFF << 4 | 0x7F << 33) & ~flags.GO
        if not value & flags.GO:
            return
        request = Request(
            value >> 40,
            self._tr_req_iova,
            write=not value & flags.NW,
            process_id=value >> 12 & 0xFFFFF,
            pasid_valid=bool(value & flags.PV),
            priv=bool(value & flags.PRIV),
            exec=bool(value & flags.EXE),
        )
        response = self.translate(request)
        if response.mrif is not None:
            self.report_fault(fault_record(request, TranslationFault(Cause.TRANSACTION_TYPE_DISALLOWED)))
        if response.spa is None or response.mrif is not None:
            self._tr_response = 1
            return
        word = encode_range(response.spa, response.page_shift)
        self._tr_response = int(response.memory_type) << 7 | (word >> 11 & 1) << 9 | (word >> 12 << 10) & PPN_FIELD

    # Translation, faults, page requests

    def translate(self, request: Request) -> Response:
        """Translate a device request, and put its fault into the fault queue."""
        translation = Translation(request, self._configuration, self._memory)
        response = translation.run()
        self._count(request, translation, response)
        if response.fault is not None:
            self.report_fault(response.fault)
        return response

    def write_through_mrif(self, request: Request, response: Response, data: bytes) -> Status:
        """Carry out a device write that translated to a memory-resident interrupt file, with its notice MSI."""
        if response.mrif is None:
            raise ValueError("the response names no memory-resident interrupt file: write to its SPA instead")
        big_endian = self._configuration.big_endian
        try:
            notice = store_to_mrif(self._memory, response.mrif, request.iova & 0xFFF, data, big_endian)
        except TranslationFault as fault:
            self.report_fault(fault_record(request, fault))
            return Status.UNSUPPORTED_REQUEST
        if notice is not None:
            self._write_msi(notice.address, notice.data)
        return Status.OK

    def report_fault(self, record: FaultRecord) -> None:
        """Append a record to the fault queue; an overflow or a write error drops it and sets the bit that says so."""
        self._append(self.faults, record.pack(), Ipsr.FIP)
        self._update_interrupts()

    def receive_page_request(self, message: PageRequest) -> PageRequestGroupResponse | None:
        """Handle a page request message: queue it, or answer it (the response is also sent) where the rules demand."""
        verdict = examine_page_request(message, self._configuration, self._memory)
        if verdict.fault is not None:
            self.report_fault(verdict.fault)
        code = verdict.code
        if code is None:
            code = self._queue_page_request(message)
        self._update_interrupts()
        if code is None:
            return None
        response = automatic_response(message, code, verdict.response_pasid_required)
        if response is not None and self._send_page_response is not None:
            self._send_page_response(response)
        return response

    def _queue_page_request(self, message: PageRequest) -> ResponseCode | None:
        pages = self.page_requests
        if not pages.queue.on or pages.csr & RecordQueueCsr.QMF:
            return ResponseCode.RESPONSE_FAILURE
        self._append(pages, message.pack(), Ipsr.PIP)
        if pages.csr & RecordQueueCsr.QMF:
            return ResponseCode.RESPONSE_FAILURE
        return ResponseCode.SUCCESS if pages.csr & RecordQueueCsr.QOF else None

    def _append(self, target: RecordQueue, words: tuple[int, ...], cause: Ipsr) -> None:
        if not target.queue.on or target.blocked:
            return
        try:
            target.queue.append(words, self._configuration.big_endian, self._memory, self._address_limit)
        except QueueFull:
            target.csr |= RecordQueueCsr.QOF
        except MemoryAccessError:
            target.csr |= RecordQueueCsr.QMF
        else:
            if target.csr & RecordQueueCsr.IE:
                self.interrupts.raise_causes(cause)

    # Commands, interrupts, counters

    def complete_invalidation(self, requester_id: int, itag_vector: int, completion_count: int = 1) -> None:
        """An ATS invalidate completion message arrived from a device (``completion_count`` 0 means 8)."""
        self.commands.complete_invalidation(requester_id, itag_vector, completion_count or 8)
        self._process_commands()
        self._update_interrupts()

    def time_out_invalidations(self) -> None:
        """The ATS invalidation timer expires for every outstanding invalidate request."""
        self.commands.time_out_invalidations()
        self._process_commands()
        self._update_interrupts()

    def advance_cycles(self, cycles: int) -> None:
        """Let clock cycles pass for the cycle counter."""
        if self.performance.advance_cycles(cycles):
            self.interrupts.raise_causes(Ipsr.PMIP)

    def _process_commands(self) -> None:
        self.commands.run(self._configuration)

    def _update_interrupts(self) -> None:
        """Make the causes pending whose condition is a level."""
        causes = Ipsr(0)
        if self.commands.interrupting:
            causes |= Ipsr.CIP
        if self.faults.blocked and self.faults.csr & RecordQueueCsr.IE:
            causes |= Ipsr.FIP
        if self.page_requests.blocked and self.page_requests.csr & RecordQueueCsr.IE:
            causes |= Ipsr.PIP
        self.interrupts.raise_causes(causes)

    def _write_msi(self, address: int, data: int) -> None:
        order = "big" if self._configuration.big_endian else "little"
        try:
            if address + 4 > self._address_limit:
                raise MemoryAccessError(address, write=True)
            self._memory.write(address, data.to_bytes(4, order))  # type: ignore[arg-type]
        except MemoryAccessError:
            self.report_fault(FaultRecord(Cause.MSI_WRITE_ACCESS_FAULT, TransactionType.NONE, iotval=address))

    def _count(self, request: Request, translation: Translation, response: Response) -> None:
        if not self.performance.counters:
            return
        device = translation.device
        process = translation.process
        source = EventSource(
            request.device_id,
            request.process_id if request.pasid_valid else None,
            device.gscid if device is not None and device.second_stage else None,
            process.pscid if process is not None and translation.pscid_valid else None,
        )
        trace = response.trace
        walked = trace.first_stage_reads + trace.second_stage_reads
        occurrences = (
            (_REQUEST_EVENT[request.address_type], 1),
            (HpmEvent.TLB_MISS, int(walked > 0)),
            (HpmEvent.DIRECTORY_WALK, trace.directory_reads),
            (HpmEvent.PROCESS_DIRECTORY_WALK, trace.process_directory_reads),
            (HpmEvent.FIRST_STAGE_WALK, trace.first_stage_reads),
            (HpmEvent.SECOND_STAGE_WALK, trace.second_stage_reads),
        )
        overflows = [self.performance.count(event, source, number) for event, number in occurrences]
        if any(overflows):
            self.interrupts.raise_causes(Ipsr.PMIP)


_REQUEST_EVENT: Final = {
    AddressType.UNTRANSLATED: HpmEvent.UNTRANSLATED_REQUEST,
    AddressType.TRANSLATION_REQUEST: HpmEvent.ATS_REQUEST,
    AddressType.TRANSLATED: HpmEvent.TRANSLATED_REQUEST,
}
_SIDE_EFFECT_REGISTERS: Final = frozenset({Offset.DDTP, Offset.CQB, Offset.FQB, Offset.PQB, Offset.TR_REQ_CTL})
_DWORD_REGISTERS: Final = _SIDE_EFFECT_REGISTERS | {
    Offset.CAPABILITIES,
    Offset.IOHPMCYCLES,
    Offset.TR_REQ_IOVA,
    Offset.TR_RESPONSE,
    Offset.ICVEC,
}


def _is_dword_array(base: int) -> bool:
    if Offset.IOHPMCTR <= base < Offset.TR_REQ_IOVA:
        return True
    return base >= Offset.MSI_CFG_TBL and not base & 8


def _legal_event(value: int) -> int:
    """WARL value of ``iohpmevt``: an unknown event reads back as no event."""
    event = value & 0x7FFF
    return value if event in HpmEvent._value2member_map_ else value & ~0x7FFF & _U64
