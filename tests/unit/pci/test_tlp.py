"""TLP headers against bit patterns worked out by hand from the specification's tables, and back."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sluicegate.pci.tlp import MalformedTlp, Pasid, Tlp, decode
from sluicegate.pci.tlp_fields import AddressType, CompletionStatus, MessageCode, MessageRouting, TlpClass, TlpKind
from sluicegate.pci.tlp_rules import violation

FIRST_BYTES = [
    (Tlp(TlpKind.MEMORY_READ, length=1), 0x00),
    (Tlp(TlpKind.MEMORY_READ, length=1, address=1 << 32), 0x20),
    (Tlp(TlpKind.MEMORY_WRITE, data=bytes(4)), 0x40),
    (Tlp(TlpKind.MEMORY_WRITE, data=bytes(4), address=1 << 63), 0x60),
    (Tlp(TlpKind.IO_READ, length=1), 0x02),
    (Tlp(TlpKind.IO_WRITE, data=bytes(4)), 0x42),
    (Tlp(TlpKind.CONFIG_READ_0, length=1), 0x04),
    (Tlp(TlpKind.CONFIG_WRITE_0, data=bytes(4)), 0x44),
    (Tlp(TlpKind.CONFIG_READ_1, length=1), 0x05),
    (Tlp(TlpKind.CONFIG_WRITE_1, data=bytes(4)), 0x45),
    (Tlp(TlpKind.MESSAGE, routing=MessageRouting.LOCAL), 0x34),
    (Tlp(TlpKind.MESSAGE_DATA, routing=MessageRouting.BY_ID, data=bytes(8)), 0x72),
    (Tlp(TlpKind.COMPLETION), 0x0A),
    (Tlp(TlpKind.COMPLETION_DATA, data=bytes(4)), 0x4A),
    (Tlp(TlpKind.FETCH_ADD, data=bytes(4)), 0x4C),
    (Tlp(TlpKind.SWAP, data=bytes(4), address=1 << 40), 0x6D),
    (Tlp(TlpKind.COMPARE_AND_SWAP, data=bytes(8)), 0x4E),
    (Tlp(TlpKind.DEFERRABLE_WRITE, data=bytes(4)), 0x5B),
]


@pytest.mark.parametrize(("tlp", "first"), FIRST_BYTES, ids=lambda value: value.kind.name if isinstance(value, Tlp) else None)
def test_format_and_type(tlp: Tlp, first: int) -> None:
    assert tlp.header() >> 120 == first


def test_a_memory_write_bit_by_bit() -> None:
    tlp = Tlp(
        TlpKind.MEMORY_WRITE,
        requester=0x0318,
        tag=0x2A5,
        address=0x12_3456_7890,
        first_be=0xC,
        last_be=0x3,
        data=bytes(12),
        traffic_class=5,
        relaxed_ordering=True,
        id_ordering=True,
        poisoned=True,
        address_type=AddressType.TRANSLATED,
    )
    assert tlp.header_words() == (0x60D4_6803, 0x0318_A53C, 0x12, 0x3456_7890)
    dw0 = tlp.header_words()[0]
    assert dw0 >> 24 == 0x60
    assert (dw0 >> 23 & 1, dw0 >> 20 & 7, dw0 >> 19 & 1) == (1, 5, 0), "T9, traffic class, T8"
    assert (dw0 >> 18 & 1, dw0 >> 14 & 1, dw0 >> 13 & 1, dw0 >> 12 & 1) == (1, 1, 1, 0), "IDO, EP, RO, NS"
    assert (dw0 >> 10 & 3, dw0 & 0x3FF) == (2, 3), "AT, length"


def test_a_completion_bit_by_bit() -> None:
    tlp = Tlp(
        TlpKind.COMPLETION,
        requester=0x0400,
        tag=7,
        completer=0x0008,
        status=CompletionStatus.COMPLETER_ABORT,
        byte_count=4096,
        lower_address=0x44,
    )
    assert tlp.header_words() == (0x0A00_0000, 0x0008_8000, 0x0400_0744)
    assert tlp.header() & 0xFFFF_FFFF == 0


def test_configuration_and_message_bit_by_bit() -> None:
    config = Tlp(TlpKind.CONFIG_READ_1, requester=0, tag=1, length=1, first_be=0xF, target=0x0208, register=0x43)
    assert config.header_words() == (0x0500_0001, 0x0000_010F, 0x0208_010C)
    message = Tlp(
        TlpKind.MESSAGE,
        requester=0x0300,
        routing=MessageRouting.TO_ROOT_COMPLEX,
        code=MessageCode.PAGE_REQUEST,
        message_dw2=0x12,
        message_dw3=0x3456_700F,
        pasid=Pasid(0xABCDE, privileged=True),
    )
    assert message.header_words() == (0x3000_0000, 0x0300_0004, 0x12, 0x3456_700F)
    assert message.prefix == 0x912A_BCDE


def test_length_1024_is_encoded_as_0() -> None:
    tlp = Tlp(TlpKind.MEMORY_READ, length=1024, first_be=15, last_be=15)
    assert tlp.header_words()[0] & 0x3FF == 0
    assert decode(tlp.header()).length == 1024


MEMORY_KINDS = st.sampled_from([kind for kind in TlpKind if kind.is_memory])


@st.composite
def tlps(draw: st.DrawFn) -> Tlp:
    kind = draw(st.sampled_from(list(TlpKind)))
    words = draw(st.integers(1, 8))
    common: dict[str, Any] = {
        "requester": draw(st.integers(0, 0xFFFF)),
        "tag": draw(st.integers(0, 1023)),
        "traffic_class": draw(st.integers(0, 7)),
        "relaxed_ordering": draw(st.booleans()),
        "no_snoop": draw(st.booleans()),
        "id_ordering": draw(st.booleans()),
        "poisoned": draw(st.booleans()),
        "digest": draw(st.booleans()),
        "data": draw(st.binary(min_size=4 * words, max_size=4 * words)) if kind.has_data else b"",
        "length": 0 if (kind.is_message or kind.is_completion) and not kind.has_data else words,
    }
    pasid = Pasid(draw(st.integers(0, 0xFFFFF)), draw(st.booleans()), draw(st.booleans()))
    if kind.is_completion:
        common |= {
            "completer": draw(st.integers(0, 0xFFFF)),
            "status": draw(st.sampled_from(list(CompletionStatus))),
            "byte_count": draw(st.integers(1, 4096)),
            "byte_count_modified": draw(st.booleans()),
            "lower_address": draw(st.integers(0, 127)),
        }
    elif kind.is_message:
        common |= {
            "routing": draw(st.sampled_from(list(MessageRouting))),
            "code": draw(st.integers(0, 255)),
            "message_dw2": draw(st.integers(0, 0xFFFFFFFF)),
            "message_dw3": draw(st.integers(0, 0xFFFFFFFF)),
            "pasid": draw(st.sampled_from([None, pasid])),
        }
    else:
        common |= {"first_be": draw(st.integers(0, 15)), "last_be": draw(st.integers(0, 15))}
        if kind.is_config:
            common |= {"target": draw(st.integers(0, 0xFFFF)), "register": draw(st.integers(0, 1023))}
        else:
            width = 64 if kind.is_memory else 32
            common["address"] = draw(st.integers(0, (1 << width) - 1)) & ~3
        if kind.is_memory:
            common |= {
                "address_type": draw(st.sampled_from(list(AddressType))),
                "processing_hint": draw(st.integers(0, 3)),
                "pasid": draw(st.sampled_from([None, pasid])),
            }
    return Tlp(kind, **common)


@given(tlp=tlps())
@settings(max_examples=300)
def test_decode_is_the_inverse_of_encode(tlp: Tlp) -> None:
    assert decode(tlp.header(), tlp.data, tlp.prefix) == tlp


@pytest.mark.parametrize(
    ("first_word", "rest", "data", "prefix", "sentence"),
    [
        (0x0300_0001, 0, b"", None, "undefined"),
        (0x8000_0001, 0, b"", None, "undefined"),
        (0x2400_0001, 0, b"", None, "undefined"),
        (0x3600_0000, 0, b"", None, "routing 6"),
        (0x4000_0002, 0, bytes(4), None, "header says 2 words"),
        (0x2000_0001, 0x1000, b"", None, "below 4 GiB"),
        (0x0000_0001, 0, b"", 0x9000_0000, "no PASID prefix"),
    ],
)
def test_malformed(first_word: int, rest: int, data: bytes, prefix: int | None, sentence: str) -> None:
    with pytest.raises(MalformedTlp, match=sentence):
        decode(first_word << 96 | rest, data, prefix)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"data": bytes(3), "kind": TlpKind.MEMORY_WRITE}, "whole words"),
        ({"data": bytes(4)}, "carries no data"),
        ({"data": bytes(4), "kind": TlpKind.MEMORY_WRITE, "length": 2}, "payload of 1 words"),
        ({"tag": 1024}, "wider than 10 bits"),
        ({"length": 1025}, "above 1024"),
    ],
)
def test_values_that_fit_no_header(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Tlp(**({"kind": TlpKind.MEMORY_READ} | fields))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="20 bits"):
        Pasid(1 << 20)


def test_classes() -> None:
    assert Tlp(TlpKind.MESSAGE).tlp_class is TlpClass.POSTED
    assert Tlp(TlpKind.CONFIG_READ_0, requester=1, tag=2).transaction_id == 1 << 10 | 2
    assert CompletionStatus.of_field(3) is CompletionStatus.UNSUPPORTED_REQUEST


READ = {"kind": TlpKind.MEMORY_READ, "first_be": 0xF}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (READ | {"length": 1}, None),
        (READ | {"length": 2, "last_be": 0xF, "address": 0xFFC}, "4 KiB"),
        (READ | {"length": 2, "last_be": 0}, "byte enables"),
        (READ | {"length": 1, "last_be": 1}, "byte enables"),
        (READ | {"length": 2, "last_be": 0x5, "first_be": 0x5}, None),
        (READ | {"length": 2, "last_be": 0x5, "first_be": 0x5, "address": 4}, "byte enables"),
        (READ | {"length": 3, "last_be": 0x3, "first_be": 0x8}, None),
        (READ | {"length": 3, "last_be": 0x3, "first_be": 0x9}, "byte enables"),
        (READ | {"length": 1, "first_be": 0}, None),
        (READ | {"length": 64, "last_be": 0xF}, "maximum of 128"),
        (READ | {"length": 1, "address_type": AddressType.RESERVED}, "reserved"),
        (READ | {"length": 2, "last_be": 0xF, "address_type": AddressType.TRANSLATION_REQUEST}, None),
        (READ | {"length": 1, "address_type": AddressType.TRANSLATION_REQUEST}, "even number"),
        ({"kind": TlpKind.MEMORY_WRITE, "data": bytes(512), "first_be": 0xF, "last_be": 0xF}, "maximum of 256"),
        ({"kind": TlpKind.CONFIG_READ_0, "length": 1, "address_type": AddressType.TRANSLATED}, "no address type"),
        ({"kind": TlpKind.CONFIG_READ_0, "length": 2}, "one word"),
        ({"kind": TlpKind.IO_WRITE, "data": bytes(4), "first_be": 0xF}, None),
        ({"kind": TlpKind.COMPLETION, "byte_count": 4, "pasid": Pasid(1)}, "no PASID"),
        ({"kind": TlpKind.COMPLETION}, "byte count of 0"),
        ({"kind": TlpKind.COMPLETION, "byte_count": 4}, None),
        ({"kind": TlpKind.MESSAGE}, None),
        ({"kind": TlpKind.FETCH_ADD, "data": bytes(8), "address": 8}, None),
        ({"kind": TlpKind.FETCH_ADD, "data": bytes(8), "address": 4}, "not aligned"),
        ({"kind": TlpKind.SWAP, "data": bytes(12)}, "3 words"),
        ({"kind": TlpKind.COMPARE_AND_SWAP, "data": bytes(32), "address": 16}, None),
        ({"kind": TlpKind.COMPARE_AND_SWAP, "data": bytes(16), "address": 4}, "not aligned"),
    ],
)
def test_rules_of_receivers(fields: dict[str, object], sentence: str | None) -> None:
    broken = violation(Tlp(**fields), max_payload=256, max_read_request=128)  # type: ignore[arg-type]
    assert (broken is None) if sentence is None else (broken is not None and sentence in broken)
