"""Where transfers are cut into TLPs: requests in the requester, completions in the completer (specification PCIE, 3 and 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sluicegate.pci.byte_enables import byte_count, byte_enables, enabled_span, first_lower_address
from sluicegate.pci.tlp import Pasid, Tlp
from sluicegate.pci.tlp_fields import AddressType, CompletionStatus, TlpKind

PAGE: Final = 4096
"""No request crosses a multiple of this."""


def size_of_code(code: int) -> int:
    """Bytes of a Max_Payload_Size or Max_Read_Request_Size code, 0 to 5 for 128 to 4096."""
    if not 0 <= code <= 5:
        raise ValueError(f"payload size code {code}: 0 to 5 are defined")
    return 128 << code


def split_request(address: int, size: int, limit: int, aligned: bool = True) -> Iterator[tuple[int, int]]:
    """Cut ``[address, address + size)`` into (address, bytes) pieces of at most ``limit`` bytes that cross no 4 KiB boundary.

    ``aligned`` cuts at multiples of ``limit`` (the project's requesters do), else pieces are as long as they may be.
    """
    if limit < 128 or limit > PAGE or limit & (limit - 1):
        raise ValueError(f"request limit {limit}: 128 to 4096 bytes, a power of two")
    end = address + size
    while address < end:
        step = limit - address % limit if aligned else limit
        step = min(step, PAGE - address % PAGE, end - address)
        yield address, step
        address += step


def memory_read(
    address: int,
    size: int,
    *,
    requester: int,
    tag: int,
    relaxed_ordering: bool = False,
    no_snoop: bool = False,
    id_ordering: bool = False,
    address_type: AddressType = AddressType.UNTRANSLATED,
    pasid: Pasid | None = None,
) -> Tlp:
    """The memory read of ``size`` bytes (0: the flushing zero-length read) at any byte address."""
    length, first, last = byte_enables(address, size)
    return Tlp(
        TlpKind.MEMORY_READ,
        requester,
        tag,
        length,
        address & ~3,
        first,
        last,
        relaxed_ordering=relaxed_ordering,
        no_snoop=no_snoop,
        id_ordering=id_ordering,
        address_type=address_type,
        pasid=pasid,
    )


def memory_write(
    address: int,
    data: bytes,
    *,
    requester: int,
    tag: int = 0,
    relaxed_ordering: bool = False,
    no_snoop: bool = False,
    id_ordering: bool = False,
    address_type: AddressType = AddressType.UNTRANSLATED,
    pasid: Pasid | None = None,
) -> Tlp:
    """The memory write of ``data`` at any byte address; bytes outside it are padded with zeros and disabled."""
    length, first, last = byte_enables(address, len(data))
    offset = address & 3
    payload = bytes(offset if data else 0) + data
    return Tlp(
        TlpKind.MEMORY_WRITE,
        requester,
        tag,
        length,
        address & ~3,
        first,
        last,
        payload + bytes(4 * length - len(payload)),
        relaxed_ordering=relaxed_ordering,
        no_snoop=no_snoop,
        id_ordering=id_ordering,
        address_type=address_type,
        pasid=pasid,
    )


def write_requests(address: int, data: bytes, max_payload: int, *, requester: int) -> Iterator[Tlp]:
    """The writes that carry ``data``, cut at multiples of Max_Payload_Size."""
    for start, size in split_request(address, len(data), max_payload):
        yield memory_write(start, data[start - address : start - address + size], requester=requester)


def split_completion(address: int, size: int, max_payload: int, boundary: int) -> Iterator[tuple[int, int]]:
    """(address, bytes) of the completions of a read of ``size`` bytes, in order, as long as they may be.

    Every one but the last ends on a multiple of ``boundary`` (the read completion boundary, 64 or 128).
    """
    if boundary not in (64, 128) or max_payload % 128 or max_payload <= 0:
        raise ValueError(f"read completion boundary {boundary} or payload limit {max_payload}: 64 or 128, and a multiple of 128")
    end = address + size
    while address < end:
        reach = (address & ~3) + max_payload
        stop = end if end <= reach else reach // boundary * boundary
        yield address, stop - address
        address = stop


def completions(request: Tlp, data: bytes, *, completer: int, max_payload: int, boundary: int) -> Iterator[Tlp]:
    """The completions with data of a memory read; ``data`` are its words, 4 * length bytes."""
    offset, span = enabled_span(request.first_be, request.last_be, request.length)
    first = request.address + offset
    remaining = span
    for start, size in split_completion(first, span, max_payload, boundary):
        low = (start & ~3) - request.address
        high = (start + size + 3 & ~3) - request.address
        yield Tlp(
            TlpKind.COMPLETION_DATA,
            request.requester,
            request.tag,
            data=data[low:high],
            traffic_class=request.traffic_class,
            relaxed_ordering=request.relaxed_ordering,
            no_snoop=request.no_snoop,
            completer=completer,
            byte_count=remaining,
            lower_address=start & 0x7F,
        )
        remaining -= size


def completion(request: Tlp, *, completer: int, status: CompletionStatus = CompletionStatus.SUCCESSFUL, data: bytes = b"") -> Tlp:
    """The single completion of a request that is not split: an error, a configuration access, an atomic."""
    failed = status is not CompletionStatus.SUCCESSFUL
    if failed and data:
        raise ValueError(f"a completion with status {status.name} carries no data")
    return Tlp(
        TlpKind.COMPLETION_DATA if data else TlpKind.COMPLETION,
        request.requester,
        request.tag,
        data=data,
        traffic_class=request.traffic_class,
        relaxed_ordering=request.relaxed_ordering,
        no_snoop=request.no_snoop,
        completer=completer,
        status=status,
        byte_count=byte_count(request),
        lower_address=first_lower_address(request),
    )
