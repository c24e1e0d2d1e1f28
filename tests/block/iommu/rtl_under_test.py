"""The IOMMU core behind the protocol of the conformance replay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sluicegate.conformance.iommu_cases import (
    CheckOperation,
    CommandCase,
    CommandOperation,
    CommandOutcome,
    MemoryImage,
    MemoryOperation,
    MessageOutcome,
    PageRequestCase,
    PageRequestOutcome,
    RequestOperation,
    SequenceCase,
    TranslationCase,
    TranslationTest,
)
from sluicegate.conformance.iommu_dut import OperationOutcome, TranslationOutcome
from sluicegate.iommu.ats import InvalidateRequest, PageRequestGroupResponse
from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr
from sluicegate.iommu.request import FaultRecord, Feature, Request, Response

from tests.block.iommu.bench import SETTLE_CYCLES, IommuBench, updates_in, with_fault

FAULT_QUEUE_LOG2 = 7
COMMAND_QUEUE_LOG2 = 8
COMMAND_PAGE = 0x10000
"""Queue of the single-command cases, whose memory is otherwise empty."""
COMMAND_POLLS = 64
PAGE_REQUEST_CYCLES = 2 * SETTLE_CYCLES
"""Longer than a page request takes from its message to its record or response."""


class RtlUnderTest:
    """Registers, queues in memory and all, as a driver uses them."""

    features = frozenset(Feature)
    reports_msi = False

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self._big_endian = False
        self._fault_page = 0
        self._fault_tail = 0
        self._command_page = 0
        self._command_tail = 0
        self.compared = 0
        """Translations, operations and commands whose outcome was handed to the judge."""

    def run_translations(self, case: TranslationCase, tests: Sequence[TranslationTest]) -> list[TranslationOutcome]:
        (fault_page,) = case.image.scratch_pages(1, case.configuration, case.touched)
        outcomes = []
        for test in tests:
            self._bench.load(case.image)
            self._configure(case.configuration, fault_page)
            self._bench.forget_writes()
            response = self._translate(test.request)
            updates = updates_in(self._bench.writes, range(fault_page, fault_page + 4096))
            outcomes.append(TranslationOutcome(response, updates))
        self.compared += len(outcomes)
        return outcomes

    def run_sequence(self, case: SequenceCase) -> list[OperationOutcome]:
        fault_page, command_page = case.image.scratch_pages(2, case.configuration, case.touched)
        self._bench.load(case.image)
        self._configure(case.configuration, fault_page)
        self._enable_command_queue(command_page)
        outcomes = []
        for operation in case.operations:
            match operation:
                case RequestOperation():
                    outcomes.append(OperationOutcome(response=self._translate(operation.request)))
                case MemoryOperation():
                    self._bench.store(operation.address, (operation.word,))
                    outcomes.append(OperationOutcome())
                case CommandOperation():
                    outcomes.append(OperationOutcome(consumed=self._push_command(operation.words)))
                case CheckOperation():
                    value = int.from_bytes(self._bench.memory.read(operation.address, 4), "little")
                    outcomes.append(OperationOutcome(value=value))
        self.compared += len(outcomes)
        return outcomes

    def run_page_request(self, case: PageRequestCase) -> PageRequestOutcome:
        bench, configuration = self._bench, case.configuration
        queue_bytes = 16 << case.queue_log2_entries
        queue = range(case.queue_base, case.queue_base + queue_bytes, 8)
        (fault_page,) = case.image.scratch_pages(1, configuration, queue)
        bench.load(case.image)
        self._configure(configuration, fault_page)
        bench.write_register(Offset.PQB, case.queue_base >> 2 | (case.queue_log2_entries - 1), 8)
        bench.write_register(Offset.PQCSR, RecordQueueCsr.QEN if case.queue_on else 0, 4)
        bench.write_register(Offset.PQH, 1 if case.queue_full else 0, 4)
        bench.read_register(Offset.PQCSR, 4)
        bench.forget_writes()
        bench.send_page_request(case.message)
        bench.deliver_messages()
        bench.cycles(PAGE_REQUEST_CYCLES)
        record = None
        if bench.read_register(Offset.PQT, 4):
            data = bench.memory.read(case.queue_base, 16)
            order = self._byte_order
            record = int.from_bytes(data[:8], order), int.from_bytes(data[8:], order)
        csr = RecordQueueCsr(bench.read_register(Offset.PQCSR, 4))
        responses = [message for message in bench.messages if isinstance(message, PageRequestGroupResponse)]
        if len(responses) != len(bench.messages) or len(responses) > 1:
            raise AssertionError(f"messages of one page request: {bench.messages}")
        self.compared += 1
        return PageRequestOutcome(
            record,
            responses[0] if responses else None,
            bool(csr & RecordQueueCsr.QMF),
            bool(csr & RecordQueueCsr.QOF),
            self._new_fault(),
        )

    def run_command(self, case: CommandCase) -> CommandOutcome:
        bench, configuration = self._bench, case.configuration
        bench.load(MemoryImage({}))
        bench.program(configuration)
        self._big_endian = configuration.big_endian
        self._enable_command_queue(COMMAND_PAGE)
        bench.store(COMMAND_PAGE, case.words, self._big_endian)
        if case.fetch_fault:
            bench.set_fault(COMMAND_PAGE)
        bench.forget_writes()
        bench.write_register(Offset.CQT, 1, 4)
        self._wait_for_commands(1)
        csr = CommandQueueCsr(bench.read_register(Offset.CQCSR, 4))
        writes = bench.writes
        if len(bench.messages) > 1:
            raise AssertionError(f"messages of one command: {bench.messages}")
        message = _message_outcome(bench.messages[0]) if bench.messages else None
        self.compared += 1
        return CommandOutcome(
            bool(csr & CommandQueueCsr.CMD_ILL),
            bool(csr & CommandQueueCsr.CQMF),
            bool(csr & CommandQueueCsr.FENCE_W_IP),
            bench.read_register(Offset.CQH, 4),
            (writes[0].address, int.from_bytes(writes[0].data, "little")) if writes else None,
            message,
        )

    def _configure(self, configuration: IommuConfiguration, fault_page: int) -> None:
        """Program the core, then turn its fault queue on."""
        bench = self._bench
        bench.program(configuration)
        bench.write_register(Offset.FQB, fault_page >> 2 | (FAULT_QUEUE_LOG2 - 1), 8)
        bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)
        if bench.read_register(Offset.FQT, 4):
            raise AssertionError("the fault queue is not empty after it was turned on")
        self._big_endian = configuration.big_endian
        self._fault_page = fault_page
        self._fault_tail = 0

    def _translate(self, request: Request) -> Response:
        """One request, its response and the record that the fault queue received."""
        (answer,) = self._bench.translate([request])
        self._bench.cycles(SETTLE_CYCLES)
        return with_fault(answer.response, self._new_fault())

    @property
    def _byte_order(self) -> Literal["little", "big"]:
        return "big" if self._big_endian else "little"

    def _new_fault(self) -> FaultRecord | None:
        """The record that the fault queue received since the last look, read from memory as a driver does."""
        tail = self._bench.read_register(Offset.FQT, 4)
        records = (tail - self._fault_tail) % (1 << FAULT_QUEUE_LOG2)
        if records > 1:
            raise AssertionError(f"{records} fault records for one request")
        fault = None
        if records:
            data = self._bench.memory.read(self._fault_page + 32 * self._fault_tail, 32)
            words = [int.from_bytes(data[at : at + 8], self._byte_order) for at in range(0, 32, 8)]
            fault = FaultRecord.unpack((words[0], words[1], words[2], words[3]))
            self._fault_tail = tail
            self._bench.write_register(Offset.FQH, tail, 4)
        return fault

    def _enable_command_queue(self, page: int) -> None:
        self._bench.write_register(Offset.CQB, page >> 2 | (COMMAND_QUEUE_LOG2 - 1), 8)
        self._bench.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)
        self._command_page = page
        self._command_tail = 0

    def _push_command(self, words: tuple[int, int]) -> bool:
        """Append a command to the queue; True when it was consumed."""
        self._bench.store(self._command_page + 16 * self._command_tail, words, self._big_endian)
        self._command_tail = (self._command_tail + 1) % (1 << COMMAND_QUEUE_LOG2)
        self._bench.write_register(Offset.CQT, self._command_tail, 4)
        return self._wait_for_commands(self._command_tail)

    def _wait_for_commands(self, tail: int) -> bool:
        """True when the head reached ``tail``, False when the queue stopped before."""
        stopped = CommandQueueCsr.CQMF | CommandQueueCsr.CMD_TO | CommandQueueCsr.CMD_ILL
        for _ in range(COMMAND_POLLS):
            if self._bench.read_register(Offset.CQH, 4) == tail:
                return True
            if self._bench.read_register(Offset.CQCSR, 4) & stopped:
                return False
            self._bench.cycles(8)
        raise AssertionError(f"the command queue neither reached {tail} nor stopped")


def _message_outcome(message: InvalidateRequest | PageRequestGroupResponse) -> MessageOutcome:
    code = 1 if isinstance(message, InvalidateRequest) else 5
    return MessageOutcome(
        code,
        message.requester_id,
        message.segment_valid,
        message.segment,
        message.pasid_valid,
        message.process_id,
        message.payload,
    )
