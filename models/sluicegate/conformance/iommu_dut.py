"""The IOMMU under test as the replayers see it, and the golden model behind that protocol.

An implementation gets whole cases, so that a simulation can run thousands of them in one go: programme the registers, load the
memory image, drive the requests, collect what came out. Nothing of the expected answer may be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sluicegate.conformance.iommu_cases import (
    CheckOperation,
    CommandCase,
    CommandOperation,
    CommandOutcome,
    MemoryOperation,
    MessageOutcome,
    PageRequestCase,
    PageRequestOutcome,
    RequestOperation,
    SequenceCase,
    TranslationCase,
    TranslationTest,
)
from sluicegate.iommu.ats import InvalidateRequest, PageRequestGroupResponse
from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.device import IommuDevice
from sluicegate.iommu.queues import pack_words, unpack_words
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr
from sluicegate.iommu.request import FaultRecord, Feature, MemoryUpdate, Response
from sluicegate.memory import SparseMemory

_FAULT_QUEUE_LOG2 = 7
_COMMAND_QUEUE_LOG2 = 8


@dataclass(frozen=True, slots=True)
class TranslationOutcome:
    """An answer (``response.fault`` is what the fault queue received) and the page-table entries that were updated, in order."""

    response: Response
    updates: tuple[MemoryUpdate, ...]


@dataclass(frozen=True, slots=True)
class OperationOutcome:
    """What came of one operation of a sequence: an answer, a command consumed or not, or the word at an address."""

    response: Response | None = None
    consumed: bool | None = None
    value: int | None = None


class IommuUnderTest(Protocol):
    """An IOMMU that replays recorded cases."""

    @property
    def features(self) -> frozenset[Feature]:
        """What it implements; cases that need more are listed as unsupported."""

    @property
    def reports_msi(self) -> bool:
        """True if its answers tell whether an MSI page table translated them."""

    def run_translations(self, case: TranslationCase, tests: Sequence[TranslationTest]) -> Sequence[TranslationOutcome]:
        """Run some tests of ``case``, each from empty caches and the memory image of the case."""

    def run_sequence(self, case: SequenceCase) -> Sequence[OperationOutcome]:
        """Run all operations of ``case`` on one IOMMU and memory; one outcome an operation."""

    def run_page_request(self, case: PageRequestCase) -> PageRequestOutcome:
        """Deliver one page request message."""

    def run_command(self, case: CommandCase) -> CommandOutcome:
        """Execute one command from a fresh queue."""


class ModelUnderTest:
    """The register-level model behind :class:`IommuUnderTest`: registers, queues in memory and all."""

    features = frozenset(Feature)
    reports_msi = True

    def run_translations(self, case: TranslationCase, tests: Sequence[TranslationTest]) -> list[TranslationOutcome]:
        (queue_page,) = case.image.scratch_pages(1, case.configuration, case.touched)
        outcomes = []
        for test in tests:
            device, memory = _configured_device(case.configuration, case.image.build(), queue_page)
            response = device.translate(test.request)
            recorded = _fault_in_queue(device, memory)
            if recorded != response.fault:
                raise AssertionError(f"the fault queue holds {recorded}, the response says {response.fault}")
            outcomes.append(TranslationOutcome(response, tuple(response.trace.updates)))
        return outcomes

    def run_sequence(self, case: SequenceCase) -> list[OperationOutcome]:
        fault_page, command_page = case.image.scratch_pages(2, case.configuration, case.touched)
        device, memory = _configured_device(case.configuration, case.image.build(), fault_page)
        _enable_command_queue(device, command_page)
        outcomes = []
        for operation in case.operations:
            match operation:
                case RequestOperation():
                    outcomes.append(OperationOutcome(response=device.translate(operation.request)))
                case MemoryOperation():
                    memory.write_u64(operation.address, operation.word)
                    outcomes.append(OperationOutcome())
                case CommandOperation():
                    outcomes.append(OperationOutcome(consumed=_push_command(device, memory, operation.words)))
                case CheckOperation():
                    value = int.from_bytes(memory.read(operation.address, 4), "little")
                    outcomes.append(OperationOutcome(value=value))
        return outcomes

    def run_page_request(self, case: PageRequestCase) -> PageRequestOutcome:
        image = case.image
        queue_bytes = 16 << case.queue_log2_entries
        (fault_page,) = image.scratch_pages(1, case.configuration, range(case.queue_base, case.queue_base + queue_bytes, 8))
        device, memory = _configured_device(case.configuration, image.build(), fault_page)
        device.write_register(Offset.PQB, case.queue_base >> 2 | (case.queue_log2_entries - 1), 8)
        device.write_register(Offset.PQCSR, RecordQueueCsr.QEN if case.queue_on else 0, 4)
        device.write_register(Offset.PQH, 1 if case.queue_full else 0, 4)
        response = device.receive_page_request(case.message)
        record = None
        if device.read_register(Offset.PQT, 4):
            words = unpack_words(memory.read(case.queue_base, 16), case.configuration.big_endian)
            record = words[0], words[1]
        csr = RecordQueueCsr(device.read_register(Offset.PQCSR, 4))
        return PageRequestOutcome(
            record,
            response,
            bool(csr & RecordQueueCsr.QMF),
            bool(csr & RecordQueueCsr.QOF),
            _fault_in_queue(device, memory),
        )

    def run_command(self, case: CommandCase) -> CommandOutcome:
        messages: list[MessageOutcome] = []

        def observe(message: InvalidateRequest | PageRequestGroupResponse) -> None:
            code = 1 if isinstance(message, InvalidateRequest) else 5
            messages.append(
                MessageOutcome(
                    code,
                    message.requester_id,
                    message.segment_valid,
                    message.segment,
                    message.pasid_valid,
                    message.process_id,
                    message.payload,
                )
            )

        memory = _LoggedMemory()
        configuration = case.configuration
        device = IommuDevice(
            configuration.capabilities,
            memory,
            send_invalidate=observe,
            send_page_response=observe,
            big_endian=configuration.big_endian,
            qosid_bits=configuration.qosid_bits,
        )
        _configure(device, configuration)
        queue_page = 0x10000
        _enable_command_queue(device, queue_page)
        memory.write(queue_page, pack_words(case.words, configuration.big_endian))
        memory.writes.clear()
        if case.fetch_fault:
            memory.access_fault.add(queue_page)
        device.write_register(Offset.CQT, 1, 4)
        csr = CommandQueueCsr(device.read_register(Offset.CQCSR, 4))
        return CommandOutcome(
            bool(csr & CommandQueueCsr.CMD_ILL),
            bool(csr & CommandQueueCsr.CQMF),
            bool(csr & CommandQueueCsr.FENCE_W_IP),
            device.read_register(Offset.CQH, 4),
            (memory.writes[0][0], int.from_bytes(memory.writes[0][1], "little")) if memory.writes else None,
            messages[0] if messages else None,
        )


class _LoggedMemory(SparseMemory):
    """Memory that keeps a list of (address, bytes) of its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[tuple[int, bytes]] = []

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        super().write(address, data)
        self.writes.append((address, bytes(data)))


def _configure(device: IommuDevice, configuration: IommuConfiguration) -> None:
    device.write_register(Offset.FCTL, configuration.fctl, 4)
    device.write_register(Offset.DDTP, configuration.ddtp, 8)
    if device.configuration != configuration:
        raise AssertionError(f"the registers hold {device.configuration}, the case asks for {configuration}")


def _configured_device(
    configuration: IommuConfiguration, memory: SparseMemory, fault_page: int
) -> tuple[IommuDevice, SparseMemory]:
    """A device with its fault queue on, then programmed with ``fctl`` and ``ddtp``."""
    device = IommuDevice(
        configuration.capabilities,
        memory,
        big_endian=configuration.big_endian,
        qosid_bits=configuration.qosid_bits,
    )
    _configure(device, configuration)
    device.write_register(Offset.FQB, fault_page >> 2 | (_FAULT_QUEUE_LOG2 - 1), 8)
    device.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)
    return device, memory


def _fault_in_queue(device: IommuDevice, memory: SparseMemory) -> FaultRecord | None:
    """The only record of the fault queue, read from memory as a driver does."""
    tail = device.read_register(Offset.FQT, 4)
    if tail == 0:
        return None
    if tail > 1:
        raise AssertionError(f"{tail} fault records for one request")
    base = device.read_register(Offset.FQB, 8) >> 10 << 12
    words = unpack_words(memory.read(base, 32), device.configuration.big_endian)
    return FaultRecord.unpack((words[0], words[1], words[2], words[3]))


def _enable_command_queue(device: IommuDevice, page: int) -> None:
    device.write_register(Offset.CQB, page >> 2 | (_COMMAND_QUEUE_LOG2 - 1), 8)
    device.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)


def _push_command(device: IommuDevice, memory: SparseMemory, words: tuple[int, int]) -> bool:
    """Append a command to the queue; True when it was consumed."""
    tail = device.read_register(Offset.CQT, 4)
    base = device.read_register(Offset.CQB, 8) >> 10 << 12
    memory.write(base + 16 * tail, pack_words(words, device.configuration.big_endian))
    tail = (tail + 1) % (1 << _COMMAND_QUEUE_LOG2)
    device.write_register(Offset.CQT, tail, 4)
    return device.read_register(Offset.CQH, 4) == tail
