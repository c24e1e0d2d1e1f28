"""Rules that one TLP can break by itself, checked on whole batches: what may stand in a header, and its payload.

Source: PCI Express Base (non-FLIT), transaction layer: headers, request rules, byte enables, completion rules. Each rule gives a
mask over the batch; the names are those that a failure shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tb.scoreboards.tlp_batch import U32, Bool, TlpBatch
from tb.scoreboards.tlp_types import AddressType, CompletionStatus, Kind

SOURCES = 256


@dataclass(frozen=True)
class LinkRules:
    """What is allowed on one link (one direction of a connection).

    ``source``: its id in the log; ``block``: who sends on it; ``completions_on``: the link that brings the completions of its
    requests back, None when nobody looks at them. ``max_payload``, ``max_read_request`` in bytes; ``completion_boundary``: RCB of
    the completions on *this* link. ``completes_elsewhere``: a completion may take another way (peer completions that a switch
    passes directly, injected losses), so that a request may stay open and its tag return.
    """

    source: int
    name: str
    block: str
    completions_on: int | None = None
    max_payload: int = 4096
    max_read_request: int = 4096
    completion_boundary: int = 128
    address_types: frozenset[AddressType] = frozenset({AddressType.UNTRANSLATED})
    prefix_allowed: bool = True
    relaxed_ordering_allowed: bool = True
    id_ordering_allowed: bool = True
    no_snoop_allowed: bool = True
    completes_elsewhere: bool = False


@dataclass
class RuleTables:
    """Limits of all links as arrays by source id, so that one expression checks every link."""

    max_payload: U32 = field(default_factory=lambda: np.zeros(SOURCES, np.uint32))
    max_read_request: U32 = field(default_factory=lambda: np.zeros(SOURCES, np.uint32))
    address_types: U32 = field(default_factory=lambda: np.zeros(SOURCES, np.uint32))
    forbidden_attributes: U32 = field(default_factory=lambda: np.zeros(SOURCES, np.uint32))
    prefix_allowed: Bool = field(default_factory=lambda: np.zeros(SOURCES, np.bool_))

    @classmethod
    def of(cls, links: tuple[LinkRules, ...]) -> RuleTables:
        tables = cls()
        for link in links:
            tables.max_payload[link.source] = link.max_payload
            tables.max_read_request[link.source] = link.max_read_request
            tables.address_types[link.source] = sum(1 << int(kind) for kind in link.address_types)
            tables.forbidden_attributes[link.source] = (
                (not link.relaxed_ordering_allowed) << 13
                | (not link.id_ordering_allowed) << 18
                | (not link.no_snoop_allowed) << 12
            )
            tables.prefix_allowed[link.source] = link.prefix_allowed
        return tables


_SPARSE_FIRST = np.ones(16, np.bool_)
_SPARSE_FIRST[[0xF, 0xE, 0xC, 0x8]] = False
_SPARSE_LAST = np.ones(16, np.bool_)
_SPARSE_LAST[[0xF, 0x7, 0x3, 0x1]] = False
_BAD_STATUS = np.ones(8, np.bool_)
_BAD_STATUS[[int(status) for status in CompletionStatus]] = False
_OPERAND_LENGTHS = np.zeros((32, 16), np.bool_)
for _type, _lengths in ((0x0C, (1, 2)), (0x0D, (1, 2)), (0x0E, (2, 4, 8))):
    _OPERAND_LENGTHS[_type, _lengths] = True
_RESERVED_DW0 = np.uint32(1 << 17 | 1 << 16 | 1 << 15)
_ATTRIBUTES = np.uint32(1 << 18 | 3 << 12)


def broken_rules(tlps: TlpBatch, tables: RuleTables) -> Iterator[tuple[str, Bool]]:
    """Each rule and the TLPs that break it, mask of shape ``[n]``."""
    h0, h1 = tlps.header[0], tlps.header[1]
    kind, link = tlps.kind, tlps.link
    yield "Fmt and Type name no TLP", kind == Kind.ILLEGAL
    yield "TD, TH and LN must be 0", (h0 & _RESERVED_DW0) != 0
    length = tlps.length_dw
    payload = np.where(tlps.has_data, length << np.uint32(2), np.uint32(0))
    yield "payload must have the length that the header gives", payload != tlps.length_bytes
    yield "payload exceeds Max_Payload_Size", payload > tables.max_payload[link]
    memory = tlps.is_memory
    yield from _memory_rules(tlps, tables, memory)
    yield "AT must be 0 outside memory requests", ~memory & (tlps.address_type != 0)
    register = (kind >= Kind.IO_READ) & (kind <= Kind.CONFIG_WRITE)
    if register.any():
        wrong = (length != 1) | (tlps.last_be != 0) | (tlps.traffic_class != 0) | ((h0 & _ATTRIBUTES) != 0)
        yield "IO and configuration requests have Length 1, Last BE 0, TC 0 and no attributes", register & wrong
    completion = tlps.is_completion
    forbidden = ~completion & ((h0 & tables.forbidden_attributes[link]) != 0)
    yield "attribute (RO, IDO, NS) is not enabled for this requester", forbidden
    if completion.any():
        yield from _completion_rules(tlps, completion, h1)
    prefix = tlps.has_prefix
    if prefix.any():
        bare = completion | register | ~tables.prefix_allowed[link]
        yield "TLP prefix is not a PASID prefix", prefix & ((tlps.prefix & np.uint32(0xFFC0_0000)) != np.uint32(0x9100_0000))
        yield "TLP must not have a PASID prefix", prefix & bare


def _memory_rules(tlps: TlpBatch, tables: RuleTables, memory: Bool) -> Iterator[tuple[str, Bool]]:
    kind, link, length, h2 = tlps.kind, tlps.link, tlps.length_dw, tlps.header[2]
    translation = tlps.address_type == AddressType.TRANSLATION_REQUEST
    read = kind == Kind.MEMORY_READ
    size = length << np.uint32(2)
    yield "read exceeds Max_Read_Request_Size", read & ~translation & (size > tables.max_read_request[link])
    low = np.where(tlps.four_dw, tlps.header[3], h2) & np.uint32(0xFFC)
    yield "request crosses a 4 KiB boundary", memory & (low + size > 4096)
    first, last = tlps.first_be, tlps.last_be
    plain = read | (kind == Kind.MEMORY_WRITE)
    one = length == 1
    yield "Last BE of a one-DW request must be 0", plain & one & (last != 0)
    long = plain & ~one
    yield "First BE and Last BE of a longer request must not be 0", long & ((first == 0) | (last == 0))
    adjacent = (length == 2) & ((low & np.uint32(4)) == 0)
    yield "sparse byte enables in a longer request", long & ~adjacent & (_SPARSE_FIRST[first] | _SPARSE_LAST[last])
    yield "address below 4 GiB needs a 3 DW header", memory & tlps.four_dw & (h2 == 0)
    permitted = tables.address_types[link] >> tlps.address_type & np.uint32(1)
    yield "AT is not permitted on this link", memory & (permitted == 0)
    atomic = kind == Kind.ATOMIC
    if atomic.any():
        operation = tlps.fmt_type & np.uint32(0x1F)
        wrong = ~_OPERAND_LENGTHS[operation, np.minimum(length, 15)]
        operand = np.where(operation == 0x0E, size >> np.uint32(1), size)
        wrong |= (low & (operand - np.uint32(1))) != 0
        yield "atomic has a wrong length, alignment or byte enables", atomic & (wrong | (first != 0) | (last != 0))


def _completion_rules(tlps: TlpBatch, completion: Bool, h1: U32) -> Iterator[tuple[str, Bool]]:
    yield "completion status is reserved", completion & _BAD_STATUS[tlps.status]
    yield "unsuccessful completion must not carry data", completion & (tlps.status != 0) & tlps.has_data
    yield "BCM must be 0", completion & ((h1 & np.uint32(1 << 12)) != 0)
    # The last completion is no longer than its remaining bytes need.
    spare = (tlps.length_dw << np.uint32(2)) - (tlps.lower_address & np.uint32(3))
    yield "completion is longer than its Byte Count needs", completion & tlps.has_data & (spare >= tlps.byte_count + np.uint32(4))
