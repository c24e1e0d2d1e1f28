"""Cutting requests and completions, byte enables, byte counts and lower addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluicegate.pci.byte_enables import byte_count, byte_enables, enabled_mask, enabled_span
from sluicegate.pci.splitting import (
    completion,
    completions,
    memory_read,
    memory_write,
    size_of_code,
    split_completion,
    split_request,
    write_requests,
)
from sluicegate.pci.tlp import Tlp
from sluicegate.pci.tlp_fields import CompletionStatus, TlpKind
from sluicegate.pci.tlp_rules import violation

ADDRESSES = st.integers(0, 20000) | st.integers((1 << 32) - 5000, (1 << 32) + 5000)
LIMITS = st.sampled_from([128, 256, 512, 1024, 2048, 4096])


@given(address=ADDRESSES, size=st.integers(0, 10000), limit=LIMITS, aligned=st.booleans())
def test_requests_cover_every_byte_once_and_cross_nothing(address: int, size: int, limit: int, aligned: bool) -> None:
    at = address
    for start, length in split_request(address, size, limit, aligned):
        assert start == at
        assert 0 < length <= limit
        assert start // 4096 == (start + length - 1) // 4096
        assert not aligned or start // limit == (start + length - 1) // limit
        at += length
    assert at == address + size


@given(address=ADDRESSES, data=st.binary(min_size=1, max_size=600), limit=st.sampled_from([128, 256]))
def test_writes_are_legal_and_carry_the_bytes(address: int, data: bytes, limit: int) -> None:
    memory = {}
    for tlp in write_requests(address, data, limit, requester=0x300):
        assert violation(tlp, max_payload=limit) is None
        for offset, enabled in enumerate(enabled_mask(tlp)):
            if enabled:
                assert tlp.address + offset not in memory
                memory[tlp.address + offset] = tlp.data[offset]
    assert memory == {address + offset: byte for offset, byte in enumerate(data)}


@given(
    address=ADDRESSES, size=st.integers(0, 4096), payload=st.sampled_from([128, 256, 512]), boundary=st.sampled_from([64, 128])
)
def test_completions_follow_the_rules_of_splitting(address: int, size: int, payload: int, boundary: int) -> None:
    size = min(size, 4096 - address % 4096)
    request = memory_read(address, size, requester=0x300, tag=5)
    assert violation(request) is None
    words = bytes((request.address + offset) & 0xFF for offset in range(4 * request.length))
    received = b""
    remaining = max(size, 1)
    parts = list(completions(request, words, completer=0, max_payload=payload, boundary=boundary))
    for number, tlp in enumerate(parts):
        start = request.address + (address & 3 if size else 0) + len(received)
        assert tlp.byte_count == remaining
        assert tlp.lower_address == start & 0x7F
        assert len(tlp.data) <= payload
        here = min(tlp.byte_count, 4 * tlp.length - (tlp.lower_address & 3))
        received += tlp.data[tlp.lower_address & 3 :][:here]
        remaining -= here
        assert (number == len(parts) - 1) == (remaining == 0)
        assert number == len(parts) - 1 or (start + here) % boundary == 0
    if size:
        assert received == bytes((address + offset) & 0xFF for offset in range(size))
    if address // boundary == (address + max(size, 1) - 1) // boundary:
        assert len(parts) == 1


@pytest.mark.parametrize(
    ("first_be", "count"),
    [(0b1001, 4), (0b1111, 4), (0b0101, 3), (0b0111, 3), (0b1010, 3), (0b1110, 3), (0b0011, 2), (0b0110, 2), (0b1100, 2)]
    + [(1 << bit, 1) for bit in range(4)]
    + [(0, 1)],
)
def test_byte_count_of_one_word(first_be: int, count: int) -> None:
    assert byte_count(Tlp(TlpKind.MEMORY_READ, length=1, first_be=first_be)) == count


@pytest.mark.parametrize(
    ("length", "first_be", "last_be", "span"),
    [(2, 0xF, 0xF, (0, 8)), (2, 0x8, 0x1, (3, 2)), (4, 0xC, 0x7, (2, 13)), (1024, 0xF, 0xF, (0, 4096)), (1, 0, 0, (0, 1))],
)
def test_span(length: int, first_be: int, last_be: int, span: tuple[int, int]) -> None:
    assert enabled_span(first_be, last_be, length) == span


@pytest.mark.parametrize(
    ("address", "size", "expected"),
    [
        (0, 4, (1, 0xF, 0)),
        (1, 2, (1, 0b0110, 0)),
        (3, 2, (2, 0b1000, 0b0001)),
        (2, 8, (3, 0b1100, 0b0011)),
        (5, 0, (1, 0, 0)),
    ],
)
def test_byte_enables(address: int, size: int, expected: tuple[int, int, int]) -> None:
    assert byte_enables(address, size) == expected


def test_completions_of_other_requests() -> None:
    config = Tlp(TlpKind.CONFIG_READ_0, requester=1, tag=2, length=1, first_be=0xF)
    done = completion(config, completer=0x300, data=bytes(4))
    assert (done.kind, done.byte_count, done.lower_address) == (TlpKind.COMPLETION_DATA, 4, 0)
    add = Tlp(TlpKind.FETCH_ADD, requester=1, tag=2, address=0x48, data=bytes(8))
    assert (
        completion(add, completer=0, data=bytes(8)).byte_count,
        completion(add, completer=0, data=bytes(8)).lower_address,
    ) == (8, 0)
    cas = Tlp(TlpKind.COMPARE_AND_SWAP, address=0x48, data=bytes(16))
    assert byte_count(cas) == 8
    failed = completion(memory_read(0x41, 100, requester=1, tag=2), completer=0, status=CompletionStatus.UNSUPPORTED_REQUEST)
    assert (failed.kind, failed.byte_count, failed.lower_address) == (TlpKind.COMPLETION, 100, 0x41)
    with pytest.raises(ValueError, match="carries no data"):
        completion(config, completer=0, status=CompletionStatus.COMPLETER_ABORT, data=bytes(4))


def test_a_completion_no_longer_than_the_payload_is_not_cut() -> None:
    assert list(split_completion(0x10, 112, 128, 64)) == [(0x10, 112)]
    assert list(split_completion(0x10, 128, 128, 64)) == [(0x10, 128)]
    assert list(split_completion(0x12, 128, 128, 64)) == [(0x12, 0x6E), (0x80, 18)]


def test_bad_limits() -> None:
    assert [size_of_code(code) for code in range(6)] == [128, 256, 512, 1024, 2048, 4096]
    for call in (
        lambda: size_of_code(6),
        lambda: list(split_request(0, 1, 100)),
        lambda: list(split_completion(0, 1, 128, 32)),
        lambda: byte_enables(0, -1),
    ):
        with pytest.raises(ValueError, match=r"\d"):
            call()


def test_an_empty_write_has_no_enabled_byte() -> None:
    tlp = memory_write(0x1003, b"", requester=1)
    assert (tlp.length, tlp.first_be, tlp.last_be, tlp.data) == (1, 0, 0, bytes(4))


def test_every_byte_of_an_atomic_counts() -> None:
    assert enabled_mask(Tlp(TlpKind.FETCH_ADD, data=bytes(8))) == b"\x01" * 8
    assert enabled_mask(Tlp(TlpKind.MEMORY_WRITE, data=bytes(8), first_be=0x8, last_be=0x1)) == bytes((0, 0, 0, 1, 1, 0, 0, 0))
