"""What goes into a translation and what comes out of it: requests, responses, fault records and the trace of the walk.

Source: RISC-V IOMMU specification, *Process to translate an IOVA* and *Fault/Event-Queue*. Addresses are byte addresses;
``device_id`` has 24 bits, ``process_id`` (PASID) 20 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum


class AddressType(IntEnum):
    """AT field of a PCIe memory request."""

    UNTRANSLATED = 0
    TRANSLATION_REQUEST = 1
    TRANSLATED = 2


class Status(IntEnum):
    """How a request is answered; the values other than OK are those of the PCIe completion status."""

    OK = 0
    UNSUPPORTED_REQUEST = 1
    COMPLETER_ABORT = 4


class TransactionType(IntEnum):
    """TTYP field of a fault record."""

    NONE = 0
    UNTRANSLATED_EXECUTE = 1
    UNTRANSLATED_READ = 2
    UNTRANSLATED_WRITE = 3
    TRANSLATED_EXECUTE = 5
    TRANSLATED_READ = 6
    TRANSLATED_WRITE = 7
    ATS_REQUEST = 8
    PCIE_MESSAGE = 9


class Cause(IntEnum):
    """CAUSE field of a fault record."""

    INSTRUCTION_ACCESS_FAULT = 1
    READ_MISALIGNED = 4
    READ_ACCESS_FAULT = 5
    WRITE_MISALIGNED = 6
    WRITE_ACCESS_FAULT = 7
    INSTRUCTION_PAGE_FAULT = 12
    READ_PAGE_FAULT = 13
    WRITE_PAGE_FAULT = 15
    INSTRUCTION_GUEST_PAGE_FAULT = 20
    READ_GUEST_PAGE_FAULT = 21
    WRITE_GUEST_PAGE_FAULT = 23
    ALL_INBOUND_DISALLOWED = 256
    DDT_ACCESS_FAULT = 257
    DDT_NOT_VALID = 258
    DDT_MISCONFIGURED = 259
    TRANSACTION_TYPE_DISALLOWED = 260
    MSI_PTE_ACCESS_FAULT = 261
    MSI_PTE_NOT_VALID = 262
    MSI_PTE_MISCONFIGURED = 263
    MRIF_ACCESS_FAULT = 264
    PDT_ACCESS_FAULT = 265
    PDT_NOT_VALID = 266
    PDT_MISCONFIGURED = 267
    DDT_DATA_CORRUPTION = 268
    PDT_DATA_CORRUPTION = 269
    MSI_PT_DATA_CORRUPTION = 270
    MRIF_DATA_CORRUPTION = 271
    INTERNAL_DATA_PATH_ERROR = 272
    MSI_WRITE_ACCESS_FAULT = 273
    PT_DATA_CORRUPTION = 274

    @property
    def reported_when_faults_disabled(self) -> bool:
        """True for causes that are recorded although ``DC.tc.DTF`` is 1."""
        return self in _REPORTED_WITH_DTF


_REPORTED_WITH_DTF = frozenset(
    {
        Cause.ALL_INBOUND_DISALLOWED,
        Cause.DDT_ACCESS_FAULT,
        Cause.DDT_NOT_VALID,
        Cause.DDT_MISCONFIGURED,
        Cause.DDT_DATA_CORRUPTION,
        Cause.INTERNAL_DATA_PATH_ERROR,
        Cause.MSI_WRITE_ACCESS_FAULT,
    }
)


class MemoryType(IntEnum):
    """PBMT: memory type that a page asks for."""

    PMA = 0
    NC = 1
    IO = 2


class Feature(Enum):
    """What an IOMMU must have to answer a request rightly.

    A feature is noted when a walk meets an encoding that is legal because of a capability; an implementation without that
    feature would take it for reserved. The value is the name used in lists of unsupported features.
    """

    ONE_LEVEL_DIRECTORY = "one_level_directory"
    TWO_LEVEL_DIRECTORY = "two_level_directory"
    THREE_LEVEL_DIRECTORY = "three_level_directory"
    EXTENDED_CONTEXT = "extended_context"
    PROCESS_DIRECTORY = "process_directory"
    FIRST_STAGE = "first_stage"
    SV48 = "sv48"
    SV57 = "sv57"
    SECOND_STAGE = "second_stage"
    SV48X4 = "sv48x4"
    SV57X4 = "sv57x4"
    SUPERPAGE = "superpage"
    NAPOT = "napot"
    PBMT = "pbmt"
    SVRSW60T59B = "svrsw60t59b"
    HARDWARE_AD = "hardware_ad"
    MSI_FLAT = "msi_flat"
    MSI_MRIF = "msi_mrif"
    ATS = "ats"
    ATS_INVALIDATION = "ats_invalidation"
    T2GPA = "t2gpa"
    PAGE_REQUEST = "page_request"
    BIG_ENDIAN = "big_endian"
    QOSID = "qosid"
    NON_LEAF_INVALIDATION = "non_leaf_invalidation"
    RANGE_INVALIDATION = "range_invalidation"
    WIRED_INTERRUPT = "wired_interrupt"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a device makes it.

    ``priv`` counts only with ``pasid_valid``; ``exec`` asks for a read for execute; ``no_write`` (ATS translation requests
    only) says that read access suffices; ``cxl`` marks a CXL device.
    """

    device_id: int
    iova: int
    write: bool = False
    address_type: AddressType = AddressType.UNTRANSLATED
    process_id: int = 0
    pasid_valid: bool = False
    priv: bool = False
    exec: bool = False
    no_write: bool = False
    cxl: bool = False

    @property
    def transaction_type(self) -> TransactionType:
        """TTYP of a fault record for this request."""
        if self.address_type is AddressType.TRANSLATION_REQUEST:
            return TransactionType.ATS_REQUEST
        if self.address_type is AddressType.TRANSLATED:
            if self.write:
                return TransactionType.TRANSLATED_WRITE
            return TransactionType.TRANSLATED_EXECUTE if self.exec and self.pasid_valid else TransactionType.TRANSLATED_READ
        if self.write:
            return TransactionType.UNTRANSLATED_WRITE
        return TransactionType.UNTRANSLATED_EXECUTE if self.exec else TransactionType.UNTRANSLATED_READ


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One record of the fault queue. ``iotval`` and ``iotval2`` are 64-bit words as written."""

    cause: int
    transaction_type: TransactionType
    device_id: int = 0
    process_id: int = 0
    pasid_valid: bool = False
    priv: bool = False
    iotval: int = 0
    iotval2: int = 0

    def pack(self) -> tuple[int, int, int, int]:
        """The four 64-bit words of the record (specification, *Fault-queue record*)."""
        first = (
            self.cause
            | self.process_id << 12
            | self.pasid_valid << 32
            | self.priv << 33
            | int(self.transaction_type) << 34
            | self.device_id << 40
        )
        return first, 0, self.iotval, self.iotval2

    @classmethod
    def unpack(cls, words: tuple[int, int, int, int]) -> FaultRecord:
        """The record in four 64-bit words. A cause outside :class:`Cause` (custom) is kept as plain integer."""
        first, _, iotval, iotval2 = words
        cause = first & 0xFFF
        return cls(
            Cause(cause) if cause in Cause._value2member_map_ else cause,
            TransactionType(first >> 34 & 0x3F),
            first >> 40,
            first >> 12 & 0xFFFFF,
            bool(first >> 32 & 1),
            bool(first >> 33 & 1),
            iotval,
            iotval2,
        )


@dataclass(frozen=True, slots=True)
class MrifTarget:
    """A memory-resident interrupt file: its byte address, and the notice MSI (identity and byte address).

    ``faults_reported`` is False when the device context suppresses records of faults on the file.
    """

    address: int
    notice_identity: int
    notice_address: int
    faults_reported: bool = True


@dataclass(frozen=True, slots=True)
class Permissions:
    """Attributes of a successful ATS translation (fields of the translation completion)."""

    read: bool = False
    write: bool = False
    exec: bool = False
    global_: bool = False
    priv: bool = False
    untranslated_only: bool = False
    cxl_io: bool = False


@dataclass(frozen=True, slots=True)
class QosIds:
    """Resource control and monitoring identifiers that accompany an access (extension QOSID)."""

    rcid: int = 0
    mcid: int = 0

    @classmethod
    def of_register(cls, iommu_qosid: int) -> QosIds:
        """The identifiers in the ``iommu_qosid`` register."""
        return cls(iommu_qosid & 0xFFF, iommu_qosid >> 16 & 0xFFF)


NO_QOS = QosIds()


@dataclass(frozen=True, slots=True)
class MemoryRead:
    """One implicit read of a walk: byte address and length, and the QoS identifiers that accompany it."""

    address: int
    length: int
    qos: QosIds = field(default=NO_QOS, compare=False)


@dataclass(frozen=True, slots=True)
class MemoryUpdate:
    """One atomic update of a page-table entry: byte address and the new 64-bit memory word (little-endian by address)."""

    address: int
    word: int


@dataclass(slots=True)
class Trace:
    """What a cold walk did, in order. ``reads`` includes a read that memory refused or answered with poison."""

    reads: list[MemoryRead] = field(default_factory=list)
    updates: list[MemoryUpdate] = field(default_factory=list)
    features: set[Feature] = field(default_factory=set)
    directory_reads: int = 0
    process_directory_reads: int = 0
    first_stage_reads: int = 0
    second_stage_reads: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request.

    ``spa`` is the translated byte address, or None where there is none; ``page_shift`` the log2 of the naturally aligned range
    around it for which the answer holds; ``permissions`` is set for ATS translation requests only. ``fault`` is the record to
    be written, None when nothing faulted or when the fault is not to be recorded. The trace takes no part in comparisons.
    """

    status: Status
    spa: int | None = None
    page_shift: int = 12
    memory_type: MemoryType = MemoryType.PMA
    msi: bool = False
    mrif: MrifTarget | None = None
    permissions: Permissions | None = None
    fault: FaultRecord | None = None
    cause: Cause | None = None
    qos: QosIds = NO_QOS
    """Identifiers of the device access itself; zero when it may not take place."""
    trace: Trace = field(default_factory=Trace, compare=False, repr=False)


class TranslationFault(Exception):
    """Ends a translation: the cause, and ``iotval2`` of the record."""

    def __init__(self, cause: Cause, iotval2: int = 0) -> None:
        super().__init__(cause, iotval2)
        self.cause = cause
        self.iotval2 = iotval2

    def __str__(self) -> str:
        return f"{self.cause.name} (iotval2 {self.iotval2:#x})"
