"""The IOMMU block testbench as blocking calls: registers, memory image, requests, and what the log says came of them.

For code that runs in a thread of ``cocotb.task.bridge``. Time passes only in register reads, translations and waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from cocotb.task import resume
from numpy.typing import NDArray
from sluicegate.conformance.iommu_cases import MemoryImage
from sluicegate.iommu.ats import InvalidateRequest, PageRequestGroupResponse
from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.pri import PageRequest
from sluicegate.iommu.registers import Offset
from sluicegate.iommu.request import (
    NO_QOS,
    AddressType,
    FaultRecord,
    MemoryType,
    MemoryUpdate,
    MrifTarget,
    Permissions,
    QosIds,
    Request,
    Response,
    Status,
)
from sluicegate.platform import ADDRESS_MAP

from tb.agents.translation_port.agent import TranslationBatch, TranslationPortAgent
from tb.bridge.event_log import (
    EVENT_DTYPE,
    MEMORY_PORT_READ,
    MESSAGE_COUNT_SHIFT,
    MESSAGE_ITAG_SHIFT,
    REQUEST_AT_SHIFT,
    Actor,
    EventKind,
    LogBatch,
    MessageBit,
    RequestBit,
)
from tb.bridge.memory import NativeMemory
from tb.bridge.native import TRANSLATION_DTYPE, ActionKind, CpuOperation, WakeKind
from tb.bridge.simulation import Simulation
from tb.scoreboards.marks import MarkKind
from tb.scoreboards.translation_pairs import TranslationPairer, TranslationPairs

IDENTIFIERS = 64
"""Requests in flight at most."""
SETTLE_CYCLES = 96
"""Longer than a fault record takes from its response to memory at any latency that the tests set."""
FIXED_BIG_ENDIAN = 1 << 56
"""Custom capability bit of the RTL: the value of ``fctl.BE`` when it is not writable."""
_END = 1 << 27
_STATUS = {0: Status.OK, 1: Status.UNSUPPORTED_REQUEST, 2: Status.COMPLETER_ABORT}
_AT = {AddressType.UNTRANSLATED: 0, AddressType.TRANSLATION_REQUEST: 1, AddressType.TRANSLATED: 2}


@dataclass(frozen=True, slots=True)
class LoggedWrite:
    """A write by the IOMMU: byte address and bytes, and its place in the log."""

    address: int
    data: bytes
    qos: QosIds = field(default=NO_QOS, compare=False)
    sequence: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class LoggedRead:
    """A read by the IOMMU: byte address, length; ``update``: it is that of a compare-and-set operation."""

    address: int
    length: int
    update: bool
    qos: QosIds


@dataclass(frozen=True, slots=True)
class LoggedResponse:
    """A response with the cycles of its request and response handshakes."""

    response: Response
    requested: int
    answered: int

    @property
    def latency(self) -> int:
        """Cycles from request to response."""
        return self.answered - self.requested


def offered_capabilities(configuration: IommuConfiguration) -> int:
    """The static input that makes the RTL the IOMMU of ``configuration``."""
    word = configuration.capabilities.word
    fixed = configuration.big_endian and not word & _END
    return word | (FIXED_BIG_ENDIAN if fixed else 0)


def request_bits(request: Request) -> int:
    """Bits of a request as ``TRANSLATION_DTYPE`` has them."""
    bits = RequestBit(0)
    for bit, given in (
        (RequestBit.PV, request.pasid_valid),
        (RequestBit.PRIV, request.priv),
        (RequestBit.EXEC, request.exec),
        (RequestBit.WRITE, request.write),
        (RequestBit.NO_WRITE, request.no_write),
    ):
        if given:
            bits |= bit
    return int(bits) | _AT[request.address_type] << REQUEST_AT_SHIFT


class IommuBench:
    """One core under test; create it before the first clock edge, use it from a bridge thread."""

    def __init__(self, simulation: Simulation, port: TranslationPortAgent) -> None:
        self._simulation = simulation
        self._port = port
        self._native = simulation.native
        self._native.act(ActionKind.SET_SPARSE_MEMORY, 1)
        registers = ADDRESS_MAP.iommu_registers
        self._native.act(ActionKind.SET_REGISTER_PAGE, registers.base, registers.size)
        port.set_identifiers(IDENTIFIERS)
        self._registers = registers.base
        self.memory = NativeMemory(self._native)
        self._expect = resume(simulation.expect)
        self._cycles = resume(simulation.cycles)
        self._restart = resume(self._restart_core)
        self._written: set[int] = set()
        self._faulted: set[int] = set()
        self._pairer = TranslationPairer("translation_port")
        self._pairs: list[TranslationPairs] = []
        self._sent: list[Request] = []
        self._answers: list[LoggedResponse] = []
        self._requests = 0
        self.writes: list[LoggedWrite] = []
        """Writes by the IOMMU since :meth:`forget_writes`."""
        self._read_records: list[NDArray[np.void]] = []
        self.commands: list[int] = []
        """Where in the log each command has completed."""
        self.interrupts: list[int] = []
        """Interrupt identities raised since :meth:`forget_writes`: messages, and wires from 0x700 on."""
        self.messages: list[InvalidateRequest | PageRequestGroupResponse] = []
        """Messages that the IOMMU sent to devices since :meth:`forget_writes`."""
        self.delivered_messages = 0
        """Messages of devices that the log showed the core take."""
        self.queued_messages = 0
        """Messages of devices that were queued."""
        self.observed = 0
        """Responses seen in the log."""
        simulation.add_consumer(self._ingest)

    @property
    def requests(self) -> int:
        """Requests that were sent."""
        return self._requests

    async def _restart_core(self, capabilities: int) -> None:
        dut = self._simulation.dut
        dut.capabilities.value = capabilities
        dut.restart.value = 1
        await self._simulation.cycles(4)
        dut.restart.value = 0
        await self._simulation.cycles(2)

    def set_identifiers(self, count: int) -> None:
        """At most ``count`` requests in flight, from the next one on."""
        self._port.set_identifiers(count)

    def restart(self, capabilities: int) -> None:
        """Reset the core; caches and registers are as after power-up."""
        self._restart(capabilities)
        self._native.act(ActionKind.MARK, MarkKind.IOMMU_RESTART, capabilities & ~FIXED_BIG_ENDIAN)

    def statistic(self, name: str) -> int:
        """A counter of the testbench top; it counts on through resets of the core."""
        return int(getattr(self._simulation.dut, name).value)

    def cycles(self, count: int) -> None:
        """Let ``count`` cycles pass."""
        self._cycles(count)

    def write_register(self, offset: int, value: int, width: int) -> None:
        """Posted write; a later :meth:`read_register` waits for it."""
        self._native.act(ActionKind.SUBMIT_CPU_ACCESS, CpuOperation.MMIO_WRITE | width << 8, self._registers + offset, value)

    def read_register(self, offset: int, width: int) -> int:
        """Read 4 or 8 bytes."""
        ticket = self._native.act(ActionKind.SUBMIT_CPU_ACCESS, CpuOperation.MMIO_READ | width << 8, self._registers + offset)
        self._expect(f"answer of register {offset:#x}", WakeKind.CPU_ACCESS, ticket)
        _, _, value = self._native.cpu_result(ticket)
        self._native.act(ActionKind.FORGET_CPU_ACCESS, ticket)
        return value

    def load(self, image: MemoryImage) -> None:
        """Make memory hold exactly ``image``, with its access errors and poison."""
        for address in self._faulted:
            self._native.act(ActionKind.SET_MEMORY_FAULT, address, 0)
        for address in sorted(self._written - image.words.keys()):
            self.memory.write_u64(address, 0)
        for address, word in image.words.items():
            self.memory.write_u64(address, word)
        for addresses, status in ((image.access_fault, 1), (image.poison, 2)):
            for address in addresses:
                self._native.act(ActionKind.SET_MEMORY_FAULT, address, status)
        self._written = set(image.words)
        self._faulted = set(image.access_fault | image.poison)

    def store(self, address: int, words: Sequence[int], big_endian: bool = False) -> None:
        """Write dwords as the CPU; :meth:`load` clears them again."""
        for index, word in enumerate(words):
            self.memory.write(address + 8 * index, word.to_bytes(8, "big" if big_endian else "little"))
            self._written.add(address + 8 * index)

    def mark(self, address: int, state: int) -> None:
        """Let the dword at ``address`` be healthy (0), refuse access (1) or answer with poison (2)."""
        self._native.act(ActionKind.SET_MEMORY_FAULT, address, state)

    def set_fault(self, address: int) -> None:
        """Let the dword at ``address`` refuse access until :meth:`clear_faults` or the next :meth:`load`."""
        self.mark(address, 1)
        self._faulted.add(address)

    def forget_reads(self) -> None:
        """Start a new list of reads."""
        self._read_records = []

    @property
    def read_records(self) -> NDArray[np.void]:
        """Log records of the reads by the IOMMU since :meth:`forget_writes`, those of compare-and-set operations included."""
        return np.concatenate(self._read_records) if self._read_records else np.zeros(0, EVENT_DTYPE)

    @property
    def reads(self) -> list[LoggedRead]:
        """The same, one by one."""
        return [
            LoggedRead(int(record["address"]), int(record["length"]), int(record["header"][1]) != MEMORY_PORT_READ, _qos(record))
            for record in self.read_records
        ]

    def clear_faults(self) -> None:
        """Heal what :meth:`set_fault` has broken."""
        for address in self._faulted:
            self.mark(address, 0)
        self._faulted.clear()

    @property
    def position(self) -> int:
        """Sequence number of the next record of the log."""
        return self._native.log_position

    def forget_writes(self) -> None:
        """Start new lists of writes, reads, interrupts and messages."""
        self.writes = []
        self._read_records = []
        self.interrupts = []
        self.messages = []

    def translate(self, requests: Sequence[Request]) -> list[LoggedResponse]:
        """Send requests back to back and wait for all answers; they are returned in the order of the requests."""
        self.send(requests)
        return self.collect(len(requests))

    def send(self, requests: Sequence[Request]) -> None:
        """Queue requests; they go out back to back from the next cycle on."""
        records = np.zeros(len(requests), dtype=TRANSLATION_DTYPE)
        for record, request in zip(records, requests, strict=True):
            record["iova"] = request.iova
            record["device_id"] = request.device_id
            record["process_id"] = request.process_id
            record["bits"] = request_bits(request)
        self._sent.extend(requests)
        self.send_records(records)

    def send_records(self, records: NDArray[np.void]) -> None:
        """Queue requests, an array of ``TRANSLATION_DTYPE``; their answers come from :meth:`collect_pairs`."""
        self._requests += len(records)
        self._port.driver.queue(TranslationBatch("requests", records))

    def collect(self, count: int) -> list[LoggedResponse]:
        """Wait for every request of :meth:`send`; the answers to the last ``count`` of them, in their order."""
        sent, self._sent = self._sent, []
        if sent:
            pairs = self.collect_pairs()
            self._answers += [
                LoggedResponse(_decode_response(request, pairs, row), int(pairs.requested_in[row]), int(pairs.cycle[row]))
                for row, request in enumerate(sent)
            ]
        found = self._answers[len(self._answers) - count :]
        del self._answers[len(self._answers) - count :]
        return found

    def collect_pairs(self) -> TranslationPairs:
        """Wait for every request sent; requests and answers since the last call, in the order of the requests."""
        self._expect("translation responses", WakeKind.TRANSLATIONS, self._requests)
        parts, self._pairs = self._pairs, []
        pairs = TranslationPairs(
            np.concatenate([part.request for part in parts], axis=1), np.concatenate([part.response for part in parts], axis=1)
        )
        # The port takes requests in the order in which they were queued.
        return pairs.take(np.argsort(pairs.requested_at, kind="stable"))

    def send_page_request(self, message: PageRequest) -> None:
        """Queue a page request message of a device."""
        bits = MessageBit(0)
        for bit, given in (
            (MessageBit.PV, message.pasid_valid),
            (MessageBit.PRIV, message.priv),
            (MessageBit.EXEC, message.exec),
            (MessageBit.SEGMENT_VALID, message.segment_valid),
        ):
            if given:
                bits |= bit
        self._send_message(message.payload, message.device_id, message.process_id, bits)

    def complete_invalidation(self, requester_id: int, itag_vector: int, completion_count: int = 1) -> None:
        """Queue an invalidate completion message of a device (``completion_count`` 0 announces 8)."""
        self._send_message(itag_vector, requester_id, 0, MessageBit.COMPLETION | completion_count << MESSAGE_COUNT_SHIFT)

    def _send_message(self, payload: int, device: int, process: int, bits: int) -> None:
        self._native.act(ActionKind.SEND_MESSAGE, payload, device | process << 32, bits)
        self.queued_messages += 1

    def deliver_messages(self) -> None:
        """Wait until every queued message has reached the core. Raises AssertionError when one stays."""
        for _ in range(64):
            self._cycles(16)
            self._simulation.drain()
            if self.delivered_messages == self.queued_messages:
                return
        raise AssertionError(f"{self.queued_messages - self.delivered_messages} messages of devices were not taken")

    def program(self, configuration: IommuConfiguration) -> None:
        """Reset, then ``fctl`` and ``ddtp`` of ``configuration``; both must read back."""
        self.restart(offered_capabilities(configuration))
        self.write_register(Offset.FCTL, configuration.fctl, 4)
        self.write_register(Offset.DDTP, configuration.ddtp, 8)
        fctl, ddtp = self.read_register(Offset.FCTL, 4), self.read_register(Offset.DDTP, 8)
        if (fctl, ddtp) != (configuration.fctl, configuration.ddtp):
            raise AssertionError(f"fctl {fctl:#x} and ddtp {ddtp:#x} read back; {configuration} was written")

    def _ingest(self, batch: LogBatch) -> None:
        pairs = self._pairer.ingest(batch)
        if len(pairs):
            self._pairs.append(pairs)
            self.observed += len(pairs)
        kinds = batch.records["kind"]
        self.commands += batch.records["sequence"][kinds == EventKind.IOMMU_COMMAND].tolist()
        self.delivered_messages += int(np.count_nonzero(kinds == EventKind.DEVICE_MESSAGE))
        own = batch.records["source"] == Actor.IOMMU
        reads = batch.records[(kinds == EventKind.MEMORY_READ) & own]
        if len(reads):
            self._read_records.append(reads)
        others = (kinds == EventKind.INTERRUPT) | (kinds == EventKind.IOMMU_MESSAGE) | ((kinds == EventKind.MEMORY_WRITE) & own)
        for record in batch.records[others]:
            kind = int(record["kind"])
            if kind == EventKind.INTERRUPT:
                self.interrupts.append(int(record["argument"]))
            elif kind == EventKind.IOMMU_MESSAGE:
                self.messages.append(_decode_message(record))
            else:
                data = batch.payload_of(record).tobytes()
                write = LoggedWrite(int(record["address"]), data, _qos(record), int(record["sequence"]))
                self.writes.append(write)
                self._written.update(range(write.address & ~7, write.address + len(write.data), 8))


def _decode_message(record: np.void) -> InvalidateRequest | PageRequestGroupResponse:
    """The message to a device in a log record."""
    device, process, bits = (int(record["header"][index]) for index in range(3))
    segment_valid, pasid_valid = bool(bits & MessageBit.SEGMENT_VALID), bool(bits & MessageBit.PV)
    fields = (device & 0xFFFF, segment_valid, device >> 16, pasid_valid, process, int(record["address"]))
    if bits & MessageBit.INVALIDATE:
        return InvalidateRequest(*fields, itag=bits >> MESSAGE_ITAG_SHIFT)
    return PageRequestGroupResponse(*fields)


def _qos(record: np.void) -> QosIds:
    """The identifiers in the log record of an access on the memory port."""
    word = int(record["header"][0])
    return QosIds(word & 0xFFF, word >> 12 & 0xFFF)


def _decode_response(request: Request, pairs: TranslationPairs, row: int) -> Response:
    """The response in one row of ``pairs``, without its fault."""
    status = _STATUS[int(pairs.status[row])]
    if status is not Status.OK:
        return Response(status)
    spa = int(pairs.spa[row])
    mrif = None
    if pairs.mrif[row]:
        notice = int(pairs.notice_page[row]) << 12
        mrif = MrifTarget(spa, int(pairs.notice_identity[row]), notice)
        spa = notice | request.iova & 0xFFF
    permissions = None
    if request.address_type is AddressType.TRANSLATION_REQUEST:
        granted = int(pairs.permissions[row])
        permissions = Permissions(
            read=bool(granted & 1),
            write=bool(granted & 2),
            exec=bool(granted & 4),
            priv=bool(granted & 8),
            global_=bool(granted & 16),
            untranslated_only=bool(granted & 32),
            # The port does not tell CXL devices from others: the adapter uses this bit for CXL devices only.
            cxl_io=bool(granted & 64) and request.cxl,
        )
    memory_type = MemoryType(int(pairs.memory_type[row]))
    return Response(status, spa, int(pairs.size[row]), memory_type, mrif=mrif, permissions=permissions)


def with_fault(response: Response, fault: FaultRecord | None) -> Response:
    """``response`` with the record that the fault queue received."""
    return Response(
        response.status,
        response.spa,
        response.page_shift,
        response.memory_type,
        mrif=response.mrif,
        permissions=response.permissions,
        fault=fault,
    )


def updates_in(writes: Sequence[LoggedWrite], excluded: range) -> tuple[MemoryUpdate, ...]:
    """The page-table updates among the IOMMU's writes: those outside the fault queue."""
    return tuple(
        MemoryUpdate(write.address, int.from_bytes(write.data, "little")) for write in writes if write.address not in excluded
    )
