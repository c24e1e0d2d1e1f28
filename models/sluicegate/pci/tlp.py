"""Transaction layer packets: one typed value, its header words and back (specification PCIE, sections 1, 2, 9 and 10).

A header is three or four 32-bit words, bit 31 of a word being the first bit on the wire. On the project's links it is one
128-bit value with word 0 in bits 127:96; a three-word header leaves bits 31:0 zero. Payload bytes are in address order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluicegate.pci.tlp_fields import (
    KIND_BY_FIELDS,
    PASID_PREFIX,
    AddressType,
    CompletionStatus,
    MessageRouting,
    TlpClass,
    TlpKind,
)

_4_GIB: Final = 1 << 32


class MalformedTlp(Exception):
    """Header words that are no legal TLP; says which rule they break."""


@dataclass(frozen=True, slots=True)
class Pasid:
    """Process address space of a request, as its prefix carries it."""

    value: int
    privileged: bool = False
    execute: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.value < 1 << 20:
            raise ValueError(f"PASID {self.value:#x} is wider than 20 bits")

    @property
    def prefix(self) -> int:
        """The prefix word."""
        return PASID_PREFIX << 24 | self.privileged << 21 | self.execute << 20 | self.value

    @classmethod
    def from_prefix(cls, word: int) -> Pasid:
        """The inverse of :attr:`prefix`. Raises :class:`MalformedTlp` for another prefix."""
        if word >> 24 != PASID_PREFIX:
            raise MalformedTlp(f"prefix {word:#010x} is no PASID prefix")
        return cls(word & 0xFFFFF, bool(word >> 21 & 1), bool(word >> 20 & 1))


@dataclass(frozen=True, slots=True)
class Tlp:
    """One TLP.

    ``length`` counts 32-bit words: of the payload, or asked by a read; it may stay 0 for a TLP with ``data`` (then it follows
    from it) and is 0 for completions and messages without data. ``requester`` and ``completer`` are requester IDs (16 bits),
    ``tag`` has 10 bits. ``address`` is the byte address of the first word (bits 1:0 zero). For configuration requests ``target``
    is the ID of the function and ``register`` the word number (10 bits); for messages ``routing``, ``code`` and the two raw words
    ``message_dw2`` and ``message_dw3``; for completions ``byte_count`` 1 to 4096 (0 only in a header that is malformed).
    """

    kind: TlpKind
    requester: int = 0
    tag: int = 0
    length: int = 0
    address: int = 0
    first_be: int = 0
    last_be: int = 0
    data: bytes = b""
    traffic_class: int = 0
    relaxed_ordering: bool = False
    no_snoop: bool = False
    id_ordering: bool = False
    poisoned: bool = False
    digest: bool = False
    hints: bool = False
    processing_hint: int = 0
    address_type: AddressType = AddressType.UNTRANSLATED
    pasid: Pasid | None = None
    completer: int = 0
    status: CompletionStatus = CompletionStatus.SUCCESSFUL
    byte_count: int = 0
    byte_count_modified: bool = False
    lower_address: int = 0
    target: int = 0
    register: int = 0
    routing: MessageRouting = MessageRouting.TO_ROOT_COMPLEX
    code: int = 0
    message_dw2: int = 0
    message_dw3: int = 0

    def __post_init__(self) -> None:
        if len(self.data) & 3:
            raise ValueError(f"a payload of {len(self.data)} bytes: whole words are needed, byte enables cut the ends")
        if self.data and not self.kind.has_data:
            raise ValueError(f"{self.kind.name} carries no data")
        if not self.length and self.data:
            object.__setattr__(self, "length", len(self.data) // 4)
        if self.data and self.length != len(self.data) // 4:
            raise ValueError(f"length {self.length} with a payload of {len(self.data) // 4} words")
        for name, bits in _WIDTHS:
            if getattr(self, name) >> bits:
                raise ValueError(f"{name} {getattr(self, name):#x} is wider than {bits} bits")
        if self.length > 1024 or self.byte_count > 4096:
            raise ValueError(f"length {self.length} or byte count {self.byte_count} is above 1024 words or 4096 bytes")

    @property
    def tlp_class(self) -> TlpClass:
        """Flow control class."""
        return self.kind.tlp_class

    @property
    def four_words(self) -> bool:
        """Whether the header has four words: messages, and addresses of 4 GiB and above."""
        return self.kind.is_message or (self.kind.is_memory and self.address >= _4_GIB)

    @property
    def transaction_id(self) -> int:
        """Requester ID and tag in one integer."""
        return self.requester << 10 | self.tag

    @property
    def prefix(self) -> int | None:
        """The PASID prefix word, None without PASID."""
        return None if self.pasid is None else self.pasid.prefix

    def header_words(self) -> tuple[int, ...]:
        """The three or four header words."""
        dw1 = self.requester << 16 | (self.tag & 0xFF) << 8
        kind = self.kind
        if kind.is_completion:
            return (
                self._dw0(),
                self.completer << 16 | self.status << 13 | self.byte_count_modified << 12 | (self.byte_count & 0xFFF),
                self.requester << 16 | (self.tag & 0xFF) << 8 | self.lower_address,
            )
        if kind.is_message:
            return self._dw0(), dw1 | self.code, self.message_dw2, self.message_dw3
        dw1 |= self.last_be << 4 | self.first_be
        if kind.is_config:
            return self._dw0(), dw1, self.target << 16 | self.register << 2
        low = (self.address & 0xFFFF_FFFC) | self.processing_hint
        if self.four_words:
            return self._dw0(), dw1, self.address >> 32, low
        return self._dw0(), dw1, low

    def _dw0(self) -> int:
        kind = self.kind
        type_field = kind.type_field | (self.routing if kind.is_message else 0)
        return (
            kind.has_data << 30
            | self.four_words << 29
            | type_field << 24
            | (self.tag >> 9 & 1) << 23
            | self.traffic_class << 20
            | (self.tag >> 8 & 1) << 19
            | self.id_ordering << 18
            | self.hints << 16
            | self.digest << 15
            | self.poisoned << 14
            | self.relaxed_ordering << 13
            | self.no_snoop << 12
            | self.address_type << 10
            | (self.length & 0x3FF)
        )

    def header(self) -> int:
        """The header as one 128-bit value, word 0 in bits 127:96."""
        words = self.header_words()
        value = 0
        for word in (*words, *(0,) * (4 - len(words))):
            value = value << 32 | word
        return value


_WIDTHS: Final = (
    ("requester", 16),
    ("tag", 10),
    ("address", 64),
    ("first_be", 4),
    ("last_be", 4),
    ("traffic_class", 3),
    ("processing_hint", 2),
    ("completer", 16),
    ("lower_address", 7),
    ("target", 16),
    ("register", 10),
    ("code", 8),
    ("message_dw2", 32),
    ("message_dw3", 32),
)


def decode(header: int, data: bytes = b"", prefix: int | None = None) -> Tlp:
    """The TLP of a 128-bit header, payload and PASID prefix. Raises :class:`MalformedTlp`.

    Checked is what the header alone decides: format and type, and the payload's length. The rules of requests are in
    :mod:`sluicegate.pci.tlp_rules`.
    """
    dw0, dw1, dw2, dw3 = (header >> shift & 0xFFFF_FFFF for shift in (96, 64, 32, 0))
    type_field = dw0 >> 24 & 0x1F
    four, has_data = bool(dw0 >> 29 & 1), bool(dw0 >> 30 & 1)
    is_message = type_field >> 3 == 0b10
    kind = None if dw0 >> 31 else KIND_BY_FIELDS.get((0b10000 if is_message else type_field, has_data))
    if kind is None or (four and not (kind.is_memory or is_message)) or (is_message and not four):
        raise MalformedTlp(f"format and type {dw0 >> 24:#04x} are undefined")
    if is_message and type_field & 7 > MessageRouting.GATHERED:
        raise MalformedTlp(f"message routing {type_field & 7} is reserved")
    length = dw0 & 0x3FF or 1024
    if not has_data and (is_message or kind.is_completion):
        length = 0
    if has_data and len(data) != 4 * length:
        raise MalformedTlp(f"{len(data)} payload bytes, the header says {length} words")
    common = {
        "kind": kind,
        "tag": (dw0 >> 23 & 1) << 9 | (dw0 >> 19 & 1) << 8 | (dw2 if kind.is_completion else dw1) >> 8 & 0xFF,
        "length": length,
        "data": data,
        "traffic_class": dw0 >> 20 & 7,
        "id_ordering": bool(dw0 >> 18 & 1),
        "hints": bool(dw0 >> 16 & 1),
        "digest": bool(dw0 >> 15 & 1),
        "poisoned": bool(dw0 >> 14 & 1),
        "relaxed_ordering": bool(dw0 >> 13 & 1),
        "no_snoop": bool(dw0 >> 12 & 1),
        "address_type": AddressType(dw0 >> 10 & 3),
        "pasid": None if prefix is None else Pasid.from_prefix(prefix),
    }
    if kind.is_completion:
        fields = {
            "completer": dw1 >> 16,
            "status": CompletionStatus.of_field(dw1 >> 13 & 7),
            "byte_count_modified": bool(dw1 >> 12 & 1),
            "byte_count": dw1 & 0xFFF or 4096,
            "requester": dw2 >> 16,
            "lower_address": dw2 & 0x7F,
        }
    elif is_message:
        routing = MessageRouting(type_field & 7)
        fields = {
            "requester": dw1 >> 16,
            "routing": routing,
            "code": dw1 & 0xFF,
            "message_dw2": dw2,
            "message_dw3": dw3,
        }
    else:
        fields = {"requester": dw1 >> 16, "last_be": dw1 >> 4 & 0xF, "first_be": dw1 & 0xF}
        if kind.is_config:
            fields |= {"target": dw2 >> 16, "register": dw2 >> 2 & 0x3FF}
        else:
            low = dw3 if four else dw2
            address = (dw2 << 32 if four else 0) | (low & 0xFFFF_FFFC)
            if four and not dw2:
                raise MalformedTlp(f"four-word header for address {address:#x} below 4 GiB")
            fields |= {"address": address, "processing_hint": low & 3 if kind.is_memory else 0}
    return Tlp(**common, **fields)  # type: ignore[arg-type]
