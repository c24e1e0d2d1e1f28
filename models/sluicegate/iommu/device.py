"""Register-level model of the IOMMU: the register page, the three queues, interrupts, counters and the debug port.

A driver sees what it would see of hardware that answers at once: a command is executed by the write of ``cqt`` that makes it
visible, and caches hold nothing (every translation walks memory, which is one of the behaviours the specification allows).
Source: RISC-V IOMMU specification, *Memory-mapped register interface*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sluicegate.iommu.ats import InvalidateRequest, PageRequestGroupResponse
from sluicegate.iommu.capabilities import Capabilities, DirectoryMode, InterruptGeneration, IommuConfiguration
from sluicegate.iommu.command_processor import CommandProcessor
from sluicegate.iommu.interrupts import InterruptController
from sluicegate.iommu.msi import store_to_mrif
from sluicegate.iommu.performance import EventSource, PerformanceMonitor
from sluicegate.iommu.pri import PAGE_REQUEST_BYTES, PageRequest, ResponseCode, automatic_response, examine_page_request
from sluicegate.iommu.queues import MemoryQueue
from sluicegate.iommu.record_queue import RecordQueue
from sluicegate.iommu.register_page import RegisterPage
from sluicegate.iommu.registers import (
    LOG2SZ_FIELD,
    PPN_FIELD,
    Fctl,
    HpmEvent,
    Ipsr,
    RecordQueueCsr,
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
        causes = Ipsr.CIP | Ipsr.FIP
        if capabilities.hpm:
            causes |= Ipsr.PMIP
        if capabilities.ats:
            causes |= Ipsr.PIP
        self.interrupts = InterruptController(
            vector_bits, lambda: self._configuration.wired_interrupts, set_wire, self._write_msi, causes
        )
        self.performance = PerformanceMonitor(counters if capabilities.hpm else 0)
        self.commands = CommandProcessor(memory, self._address_limit, itags, send_invalidate, send_page_response)
        self.faults = RecordQueue(MemoryQueue(FAULT_RECORD_BYTES))
        self.page_requests = RecordQueue(MemoryQueue(PAGE_REQUEST_BYTES))
        self._registers = RegisterPage(self)

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
        return self._registers.read(offset, width)

    def write_register(self, offset: int, value: int, width: int) -> None:
        """Write ``width`` (4 or 8) bytes at a naturally aligned ``offset``; see :class:`RegisterPage`."""
        self._registers.write(offset, value, width)

    def set_fctl(self, value: int) -> None:
        """Software writes ``fctl``; ignored while the device is active."""
        if self.active:
            return
        capabilities = self._configuration.capabilities
        writable = (Fctl.BE if capabilities.end else 0) | (Fctl.WSI if capabilities.igs is InterruptGeneration.BOTH else 0)
        fctl = self._configuration.fctl & ~writable | value & writable
        self._configuration = replace(self._configuration, fctl=fctl)
        self.interrupts.drive_wires()

    def set_ddtp(self, value: int) -> None:
        """Software writes ``ddtp``; an illegal mode, and a change from one directory to another, keep the old value."""
        mode = value & 0xF
        if mode > DirectoryMode.THREE_LEVEL:
            return
        if self._configuration.mode.levels and mode > DirectoryMode.BARE:
            return
        ppn = value & PPN_FIELD & (self._address_limit - 1) >> 2
        self._configuration = replace(self._configuration, ddtp=ppn | mode)

    def set_qosid(self, value: int) -> None:
        """Software writes ``iommu_qosid``: only the implemented bits of RCID and MCID are kept."""
        width = (1 << self._configuration.qosid_bits) - 1
        self._configuration = replace(self._configuration, iommu_qosid=value & (width | width << 16))

    def set_queue_base(self, queue: MemoryQueue, value: int, high_half_only: bool = False) -> None:
        """Software writes the base register of a queue; its low half resets software's index. Ignored while the queue is on."""
        if queue.on:
            return
        queue.base = value & (LOG2SZ_FIELD | PPN_FIELD & (self._address_limit - 1) >> 2)
        if high_half_only:
            return
        if queue is self.commands.queue:
            queue.tail = 0
        else:
            queue.head = 0

    # Translation, faults, page requests

    def translate(self, request: Request) -> Response:
        """Translate a device request, and put its fault into the fault queue."""
        return self._translate(request)[0]

    def _translate(self, request: Request) -> tuple[Response, Translation]:
        translation = Translation(request, self._configuration, self._memory)
        response = translation.run()
        self._count(request, translation, response)
        if response.fault is not None:
            self.report_fault(response.fault)
        return response, translation

    def translate_for_debug(self, request: Request) -> Response | None:
        """Translate for the debug port; None after a fault, which an MRIF target is too."""
        response, translation = self._translate(request)
        if response.mrif is not None:
            if translation.reports(Cause.TRANSACTION_TYPE_DISALLOWED):
                self.report_fault(fault_record(request, TranslationFault(Cause.TRANSACTION_TYPE_DISALLOWED)))
            return None
        return response if response.spa is not None else None

    def write_through_mrif(self, request: Request, response: Response, data: bytes) -> Status:
        """Carry out a device write that translated to a memory-resident interrupt file, with its notice MSI."""
        if response.mrif is None:
            raise ValueError("the response names no memory-resident interrupt file: write to its SPA instead")
        big_endian = self._configuration.big_endian
        try:
            notice = store_to_mrif(self._memory, response.mrif, request.iova & 0xFFF, data, big_endian)
        except TranslationFault as fault:
            if response.mrif.faults_reported:
                self.report_fault(fault_record(request, fault))
            return Status.UNSUPPORTED_REQUEST
        if notice is not None:
            self._write_msi(notice.address, notice.data)
        return Status.OK

    def report_fault(self, record: FaultRecord) -> None:
        """Append a record to the fault queue; an overflow or a write error drops it and sets the bit that says so."""
        self._append(self.faults, record.pack(), Ipsr.FIP)
        self.update_interrupts()

    def receive_page_request(self, message: PageRequest) -> PageRequestGroupResponse | None:
        """Handle a page request message: queue it, or answer it (the response is also sent) where the rules demand."""
        verdict = examine_page_request(message, self._configuration, self._memory)
        source = EventSource(message.device_id, message.process_id if message.pasid_valid else None)
        if self.performance.count(HpmEvent.DIRECTORY_WALK, source, verdict.trace.directory_reads):
            self.interrupts.raise_causes(Ipsr.PMIP)
        if verdict.fault is not None:
            self.report_fault(verdict.fault)
        code = verdict.code
        if code is None:
            code = self._queue_page_request(message)
        self.update_interrupts()
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
        if target.append(words, self._configuration.big_endian, self._memory, self._address_limit):
            self.interrupts.raise_causes(cause)

    # Commands, interrupts, counters

    def complete_invalidation(self, device_id: int, itag_vector: int, completion_count: int = 1) -> None:
        """An ATS invalidate completion message arrived from a device (``completion_count`` 0 means 8).

        ``device_id`` is the segment, where the message names none 0, and the requester ID.
        """
        self.commands.complete_invalidation(device_id, itag_vector, completion_count or 8)
        self.process_commands()
        self.update_interrupts()

    def time_out_invalidations(self) -> None:
        """The ATS invalidation timer expires for every outstanding invalidate request."""
        self.commands.time_out_invalidations()
        self.process_commands()
        self.update_interrupts()

    def advance_cycles(self, cycles: int) -> None:
        """Let clock cycles pass for the cycle counter."""
        if self.performance.advance_cycles(cycles):
            self.interrupts.raise_causes(Ipsr.PMIP)

    def process_commands(self) -> None:
        """Execute what can be executed of the command queue."""
        self.commands.run(self._configuration)

    def update_interrupts(self) -> None:
        """Make those causes pending whose condition is a level."""
        causes = Ipsr(0)
        if self.commands.interrupting:
            causes |= Ipsr.CIP
        if self.faults.interrupting:
            causes |= Ipsr.FIP
        if self.page_requests.interrupting:
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
        # The process address space is not known while its directory is walked: those accesses have no PSCID.
        unlocated = replace(source, pscid=None)
        locating = translation.second_stage_reads_to_locate
        occurrences = (
            (_REQUEST_EVENT[request.address_type], source, 1),
            (HpmEvent.TLB_MISS, source, int(walked > 0)),
            (HpmEvent.DIRECTORY_WALK, source, trace.directory_reads),
            (HpmEvent.PROCESS_DIRECTORY_WALK, source, trace.process_directory_reads),
            (HpmEvent.FIRST_STAGE_WALK, source, trace.first_stage_reads),
            (HpmEvent.SECOND_STAGE_WALK, unlocated, locating),
            (HpmEvent.SECOND_STAGE_WALK, source, trace.second_stage_reads - locating),
        )
        overflows = [self.performance.count(event, whose, number) for event, whose, number in occurrences]
        if any(overflows):
            self.interrupts.raise_causes(Ipsr.PMIP)


_REQUEST_EVENT: Final = {
    AddressType.UNTRANSLATED: HpmEvent.UNTRANSLATED_REQUEST,
    AddressType.TRANSLATION_REQUEST: HpmEvent.ATS_REQUEST,
    AddressType.TRANSLATED: HpmEvent.TRANSLATED_REQUEST,
}
