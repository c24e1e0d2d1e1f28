"""Field values of transaction layer packets (specification PCIE, sections 1 and 2)."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final


class TlpClass(Enum):
    """Flow control and ordering class."""

    POSTED = "posted"
    NON_POSTED = "non-posted"
    COMPLETION = "completion"


class TlpKind(Enum):
    """What a TLP is. The value is (Type field, carries data, class); Fmt follows from data and the width of the address."""

    MEMORY_READ = (0b00000, False, TlpClass.NON_POSTED)
    MEMORY_READ_LOCKED = (0b00001, False, TlpClass.NON_POSTED)
    MEMORY_WRITE = (0b00000, True, TlpClass.POSTED)
    IO_READ = (0b00010, False, TlpClass.NON_POSTED)
    IO_WRITE = (0b00010, True, TlpClass.NON_POSTED)
    CONFIG_READ_0 = (0b00100, False, TlpClass.NON_POSTED)
    CONFIG_WRITE_0 = (0b00100, True, TlpClass.NON_POSTED)
    CONFIG_READ_1 = (0b00101, False, TlpClass.NON_POSTED)
    CONFIG_WRITE_1 = (0b00101, True, TlpClass.NON_POSTED)
    MESSAGE = (0b10000, False, TlpClass.POSTED)
    MESSAGE_DATA = (0b10000, True, TlpClass.POSTED)
    COMPLETION = (0b01010, False, TlpClass.COMPLETION)
    COMPLETION_DATA = (0b01010, True, TlpClass.COMPLETION)
    COMPLETION_LOCKED = (0b01011, False, TlpClass.COMPLETION)
    COMPLETION_DATA_LOCKED = (0b01011, True, TlpClass.COMPLETION)
    FETCH_ADD = (0b01100, True, TlpClass.NON_POSTED)
    SWAP = (0b01101, True, TlpClass.NON_POSTED)
    COMPARE_AND_SWAP = (0b01110, True, TlpClass.NON_POSTED)
    DEFERRABLE_WRITE = (0b11011, True, TlpClass.NON_POSTED)

    @property
    def type_field(self) -> int:
        """Type[4:0]; for messages with routing 0."""
        return self.value[0]

    @property
    def has_data(self) -> bool:
        """Whether a payload follows the header."""
        return self.value[1]

    @property
    def tlp_class(self) -> TlpClass:
        """Flow control class."""
        return self.value[2]

    @property
    def is_atomic(self) -> bool:
        return self in (TlpKind.FETCH_ADD, TlpKind.SWAP, TlpKind.COMPARE_AND_SWAP)

    @property
    def is_memory(self) -> bool:
        """Whether it is routed by a memory address and may carry an address type."""
        return self.type_field in _MEMORY_TYPES

    @property
    def is_config(self) -> bool:
        return self.type_field in (0b00100, 0b00101)

    @property
    def is_io(self) -> bool:
        return self.type_field == 0b00010

    @property
    def is_message(self) -> bool:
        return self.type_field == 0b10000

    @property
    def is_completion(self) -> bool:
        return self.tlp_class is TlpClass.COMPLETION


_MEMORY_TYPES: Final = {0b00000, 0b00001, 0b01100, 0b01101, 0b01110, 0b11011}

KIND_BY_FIELDS: Final = {(kind.type_field, kind.has_data): kind for kind in TlpKind}
"""Kind by (Type, carries data); messages under Type with routing 0."""


class AddressType(IntEnum):
    """AT field of memory and atomic requests."""

    UNTRANSLATED = 0
    TRANSLATION_REQUEST = 1
    TRANSLATED = 2
    RESERVED = 3


class CompletionStatus(IntEnum):
    """Completion status; a receiver takes every other code as UNSUPPORTED_REQUEST."""

    SUCCESSFUL = 0
    UNSUPPORTED_REQUEST = 1
    CONFIGURATION_RETRY = 2
    COMPLETER_ABORT = 4

    @classmethod
    def of_field(cls, field: int) -> CompletionStatus:
        """The status a receiver acts on."""
        return _STATUS.get(field, cls.UNSUPPORTED_REQUEST)


_STATUS: Final = {int(status): status for status in CompletionStatus}


class MessageRouting(IntEnum):
    """Low three bits of a message's Type."""

    TO_ROOT_COMPLEX = 0
    BY_ADDRESS = 1
    BY_ID = 2
    BROADCAST_FROM_ROOT = 3
    LOCAL = 4
    GATHERED = 5


class MessageCode(IntEnum):
    """Message codes in use here."""

    INVALIDATE_REQUEST = 0x01
    INVALIDATE_COMPLETION = 0x02
    PAGE_REQUEST = 0x04
    PAGE_REQUEST_GROUP_RESPONSE = 0x05
    LATENCY_TOLERANCE = 0x10
    PM_PME = 0x18
    PME_TURN_OFF = 0x19
    PME_TO_ACK = 0x1B
    ASSERT_INTA = 0x20
    DEASSERT_INTA = 0x24
    ERR_COR = 0x30
    ERR_NONFATAL = 0x31
    ERR_FATAL = 0x33
    SET_SLOT_POWER_LIMIT = 0x50
    VENDOR_TYPE_0 = 0x7E
    VENDOR_TYPE_1 = 0x7F


PASID_PREFIX: Final = 0x91
"""First byte of the end-end prefix that carries a PASID."""
