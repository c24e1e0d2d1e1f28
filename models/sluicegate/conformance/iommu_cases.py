"""Recorded cases of the IOMMU vectors as typed data, and what an IOMMU must have to be judged by them.

Formats: ``tests/conformance/data/README.md``. Parsing (``iommu_parse``) stands apart from judging (``iommu_compare``) and from
the device under test (``iommu_dut``), so that the RTL is replayed with the same cases and the same rules as the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sluicegate.iommu.ats import PageRequestGroupResponse
from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.commands import command_features, decode_command
from sluicegate.iommu.pri import PageRequest, examine_page_request
from sluicegate.iommu.request import (
    FaultRecord,
    Feature,
    MemoryType,
    MemoryUpdate,
    Permissions,
    Request,
    Status,
)
from sluicegate.iommu.translate import translate
from sluicegate.memory import PAGE_SIZE, SparseMemory


@dataclass(frozen=True)
class MemoryImage:
    """Memory before a case: dwords by byte address, and the dwords that refuse access or return poison."""

    words: Mapping[int, int]
    access_fault: frozenset[int] = frozenset()
    poison: frozenset[int] = frozenset()

    def build(self) -> SparseMemory:
        """A fresh memory that holds the image."""
        memory = SparseMemory()
        for address, word in self.words.items():
            memory.write_u64(address, word)
        memory.access_fault |= self.access_fault
        memory.poison |= self.poison
        return memory

    def scratch_pages(self, count: int, configuration: IommuConfiguration, touched: Iterable[int] = ()) -> tuple[int, ...]:
        """Byte addresses of ``count`` free 4 KiB pages for queues, clear of the image and of the ``touched`` addresses."""
        used = {address >> 12 for address in (*self.words, *self.access_fault, *self.poison, *touched)}
        limit = 1 << configuration.capabilities.physical_address_bits - 12
        free: list[int] = []
        page = 0x10
        while len(free) < count:
            if page >= limit:
                raise ValueError(f"no {count} free pages below {limit << 12:#x}")
            if page not in used:
                free.append(page * PAGE_SIZE)
            page += 1
        return tuple(free)


@dataclass(frozen=True, slots=True)
class ExpectedResponse:
    """A recorded answer. ``spa`` None: not compared. ``mrif`` is (address, notice identity)."""

    status: Status
    spa: int | None = None
    memory_type: MemoryType = MemoryType.PMA
    msi: bool = False
    mrif: tuple[int, int] | None = None
    permissions: Permissions | None = None
    fault: FaultRecord | None = None


@dataclass(frozen=True, slots=True)
class TranslationTest:
    """One request from empty caches and the memory image of its case, its answer and its A/D updates in order."""

    request: Request
    expected: ExpectedResponse
    updates: tuple[MemoryUpdate, ...]
    reads: tuple[tuple[int, int], ...]
    """Cold walk of the recorder, (address, bytes): informative."""


@dataclass(frozen=True)
class TranslationCase:
    """``xlate_*``: independent tests on one configuration and memory image."""

    identifier: int
    configuration: IommuConfiguration
    image: MemoryImage
    tests: tuple[TranslationTest, ...]

    @property
    def touched(self) -> frozenset[int]:
        """Addresses that some recorded walk read."""
        return frozenset(address for test in self.tests for address, _ in test.reads)

    @cached_property
    def required_features(self) -> tuple[frozenset[Feature], ...]:
        """For each test, the features that the model's cold walk met."""
        result = []
        memory = self.image.build()
        for test in self.tests:
            trace = translate(test.request, self.configuration, memory).trace
            result.append(frozenset(trace.features))
            if trace.updates:
                memory = self.image.build()
        return tuple(result)


@dataclass(frozen=True, slots=True)
class RequestOperation:
    """A request; any of ``accepted`` is right."""

    request: Request
    accepted: tuple[ExpectedResponse, ...]


@dataclass(frozen=True, slots=True)
class MemoryOperation:
    """Software writes the dword ``word`` at ``address``."""

    address: int
    word: int


@dataclass(frozen=True, slots=True)
class CommandOperation:
    """Software pushes a command and waits until it is consumed; ``done`` tells whether it will be."""

    words: tuple[int, int]
    done: bool


@dataclass(frozen=True, slots=True)
class CheckOperation:
    """The 4 bytes at ``address`` are ``value`` (read little-endian)."""

    address: int
    value: int


Operation = RequestOperation | MemoryOperation | CommandOperation | CheckOperation


@dataclass(frozen=True)
class SequenceCase:
    """``seq_*``: operations on one persistent IOMMU and memory."""

    identifier: int
    configuration: IommuConfiguration
    image: MemoryImage
    operations: tuple[Operation, ...]

    @cached_property
    def _cold_run(self) -> tuple[frozenset[Feature], frozenset[int]]:
        features: set[Feature] = set()
        touched: set[int] = set()
        memory = self.image.build()
        for operation in self.operations:
            match operation:
                case RequestOperation():
                    trace = translate(operation.request, self.configuration, memory).trace
                    features |= trace.features
                    touched.update(read.address for read in trace.reads)
                case MemoryOperation():
                    memory.write_u64(operation.address, operation.word)
                    touched.add(operation.address)
                case CommandOperation():
                    features |= _features_of(operation.words, self.configuration)
                case CheckOperation():
                    touched.add(operation.address)
        return frozenset(features), frozenset(touched)

    @property
    def required_features(self) -> frozenset[Feature]:
        """Features that any operation needs."""
        return self._cold_run[0]

    @property
    def touched(self) -> frozenset[int]:
        """Addresses that a walk reads, software writes or a check looks at."""
        return self._cold_run[1]


@dataclass(frozen=True)
class PageRequestCase:
    """``pri``: one page request message against a page-request queue."""

    identifier: int
    configuration: IommuConfiguration
    image: MemoryImage
    message: PageRequest
    queue_on: bool
    queue_full: bool
    """Head 1, tail 0 before the message."""
    queue_base: int
    """Byte address of entry 0."""
    queue_log2_entries: int
    expected: PageRequestOutcome

    @cached_property
    def required_features(self) -> frozenset[Feature]:
        features = examine_page_request(self.message, self.configuration, self.image.build()).trace.features
        return frozenset(features | {Feature.PAGE_REQUEST})


@dataclass(frozen=True, slots=True)
class PageRequestOutcome:
    """What came of a page request. ``record`` is the two words stored in the queue, or None."""

    record: tuple[int, int] | None
    response: PageRequestGroupResponse | None
    memory_fault: bool
    overflow: bool
    fault: FaultRecord | None


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """An ATS message that a command sent: message code 1 (invalidate) or 5 (page-request-group response)."""

    code: int
    requester_id: int
    segment_valid: bool
    segment: int
    pasid_valid: bool
    process_id: int
    payload: int


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What came of one command. ``store`` is (byte address, the 4 bytes read little-endian)."""

    illegal: bool
    memory_fault: bool
    fence_interrupt: bool
    head: int
    store: tuple[int, int] | None = None
    message: MessageOutcome | None = None


@dataclass(frozen=True)
class CommandCase:
    """``cmd``: one command in an empty queue; ``fetch_fault``: reading it is refused."""

    identifier: int
    configuration: IommuConfiguration
    words: tuple[int, int]
    fetch_fault: bool
    expected: CommandOutcome

    @cached_property
    def required_features(self) -> frozenset[Feature]:
        return _features_of(self.words, self.configuration)


def _features_of(words: tuple[int, int], configuration: IommuConfiguration) -> frozenset[Feature]:
    command = decode_command(words, configuration)
    if command is None:
        return frozenset({Feature.BIG_ENDIAN}) if configuration.big_endian else frozenset()
    return command_features(command, configuration)
