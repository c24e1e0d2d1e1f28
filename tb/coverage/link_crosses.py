"""What is crossed of the TLPs on a link: one entry a group, with the rules of the protocol and those of the sender."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb.coverage import tlp_axes as axes
from tb.coverage.group import Axis, Codes, Illegal, Mask
from tb.coverage.link_traffic import ADDRESSED, COMPLETIONS, CONFIGURATION, IO, Traffic
from tb.scoreboards.tlp_batch import TlpBatch
from tb.scoreboards.tlp_types import Kind

Values = Mapping[str, NDArray[np.str_]]

CREDIT_CLASS: Final = Axis("class", ("posted", "non-posted", "completion"))
CREDIT_LEFT: Final = Axis("credit for another", ("left", "no header", "no data", "neither"))
CONFIGURATION_TYPE: Final = Axis("type", ("type 0", "type 1"))
REGISTERS: Final = Axis(
    "registers",
    (
        "identification",
        "command and status",
        "class and header type",
        "BARs or bus numbers and windows",
        "pointers and interrupt line",
        "capabilities",
        "extended capabilities",
    ),
)
_REGISTER_CODES: Final = np.searchsorted([0x04, 0x08, 0x10, 0x30, 0x40, 0x100], np.arange(0, 4096, 4), "right").astype(np.uint8)
_LEAST_DW: Final = dict(zip(axes.LENGTH.values, (0, 1, 2, 3, 17, 33, 65, 129), strict=True))


@dataclass(frozen=True)
class LinkCross:
    """A group over all links that carry one of ``kinds``.

    ``rules``: what the protocol forbids anywhere; ``sent``: what the sender of a link can send of the rest. ``codes``: an array
    for each axis behind the link's, shape ``[n]``; ``rows``: which TLPs are sampled.
    """

    name: str
    kinds: frozenset[str]
    axes: tuple[Axis, ...]
    rules: tuple[Illegal, ...]
    sent: Callable[[Traffic, Values], Mask]
    codes: Callable[[TlpBatch], tuple[Codes, ...]]
    rows: Callable[[TlpBatch], Mask]


def _least(of: Values) -> NDArray[np.int64]:
    return np.array([_LEAST_DW[length] for length in of["length"].tolist()])


def _everything(of: Values) -> Mask:
    return np.ones(next(iter(of.values())).shape, np.bool_)


def _is_in(values: NDArray[np.str_], chosen: frozenset[str]) -> Mask:
    return np.isin(values, sorted(chosen))


def _attributes_sent(traffic: Traffic, of: Values) -> Mask:
    found: Mask = _is_in(of["kind"], traffic.kinds) & ((of["attributes"] == "none") | traffic.attributes)
    return found


def _lengths_sent(traffic: Traffic, of: Values) -> Mask:
    write = of["operation"] == "write"
    longest = np.where(write, traffic.longest_write, traffic.longest_read)
    empty = np.where(write, "write" in traffic.zero_length, "read" in traffic.zero_length)
    found: Mask = (_least(of) <= longest) & ((of["length"] != "0 bytes") | empty)
    return found


def _enables_sent(traffic: Traffic, of: Values) -> Mask:
    found: Mask = _lengths_sent(traffic, of) & ((of["byte enables"] != "gaps") | traffic.gaps)
    return found


def _spaces_sent(traffic: Traffic, of: Values) -> Mask:
    found: Mask = (of["PASID"] == "none") | traffic.prefixed
    found &= (of["address type"] == "untranslated") | traffic.translates
    return found


def _plain_memory(tlps: TlpBatch) -> Mask:
    return tlps.kind <= Kind.MEMORY_WRITE


def _translated_or_not(tlps: TlpBatch) -> Mask:
    found: Mask = _plain_memory(tlps) & (tlps.address_type != 3)
    return found


def _with_data(tlps: TlpBatch) -> Mask:
    return tlps.is_completion & tlps.has_data


def _configuration(tlps: TlpBatch) -> Mask:
    found: Mask = (tlps.kind == Kind.CONFIG_READ) | (tlps.kind == Kind.CONFIG_WRITE)
    return found


def _credit_codes(tlps: TlpBatch) -> tuple[Codes, ...]:
    return tlps.tlp_class, tlps.credit_left


def _classes_sent(traffic: Traffic, of: Values) -> Mask:
    kinds = traffic.kinds
    posted = bool(kinds & {"memory write", "message", "message with data"})
    with_data = bool(kinds & (CONFIGURATION | {"atomic", "deferrable write", "IO write"}))
    nonposted = with_data or "memory read" in kinds
    sent = (of["class"] == "posted") & posted | (of["class"] == "non-posted") & nonposted
    sent |= (of["class"] == "completion") & bool(kinds & COMPLETIONS)
    no_data = np.isin(of["credit for another"], ["no data", "neither"])
    found: Mask = sent & ~((of["class"] == "non-posted") & no_data & (not with_data))
    return found


_ONE_DW_ENABLES = Illegal(
    "the one DW of a request is both its first and its last: Last BE is 0",
    lambda of: (of["length"] == "1 DW") & np.isin(of["byte enables"], ["last DW partial", "both partial"]),
)
_NO_BYTES = Illegal(
    "no byte is enabled exactly in a request of no bytes",
    lambda of: (of["length"] == "0 bytes") != (of["byte enables"] == "none"),
)
_GAPS = Illegal(
    "byte enables with gaps belong to requests of one or two DW",
    lambda of: (of["byte enables"] == "gaps") & (_least(of) > 2),
)
_NO_ATTRIBUTES = Illegal(
    "IO and configuration requests have no attributes",
    lambda of: _is_in(of["kind"], IO | CONFIGURATION) & (of["attributes"] != "none"),
)
_NO_EXECUTE = Illegal(
    "execute is asked for by reads only",
    lambda of: (of["operation"] == "write") & np.isin(of["PASID"], ["PASID execute", "PASID privileged execute"]),
)
_NO_TRANSLATION_WRITE = Illegal(
    "a translation request is a read",
    lambda of: (of["operation"] == "write") & (of["address type"] == "translation request"),
)
_EMPTY_COMPLETION = Illegal("a completion with data has data", lambda of: of["length"] == "0 bytes")
_SHORT_SPLIT = Illegal(
    "a completion with more to come ends on a boundary of 64 bytes: from there it has 16 DW at least",
    lambda of: (of["split"] == "more to come") & (of["lower address"] == "64 B") & (_least(of) < 3),
)

CROSSES: Final = (
    LinkCross(
        "TLPs by kind and attributes",
        frozenset(axes.KIND.values),
        (axes.KIND, axes.ATTRIBUTES),
        (_NO_ATTRIBUTES,),
        _attributes_sent,
        lambda tlps: (axes.kind_codes(tlps), axes.attribute_codes(tlps)),
        lambda tlps: tlps.kind != Kind.ILLEGAL,
    ),
    LinkCross(
        "memory requests by length and address",
        frozenset({"memory read", "memory write"}),
        (axes.OPERATION, axes.LENGTH, axes.ALIGNMENT),
        (),
        _lengths_sent,
        lambda tlps: (axes.operation_codes(tlps), axes.length_codes(tlps), axes.alignment_codes(tlps)),
        _plain_memory,
    ),
    LinkCross(
        "memory requests by length and byte enables",
        frozenset({"memory read", "memory write"}),
        (axes.OPERATION, axes.LENGTH, axes.BYTE_ENABLES),
        (_ONE_DW_ENABLES, _NO_BYTES, _GAPS),
        _enables_sent,
        lambda tlps: (axes.operation_codes(tlps), axes.length_codes(tlps), axes.byte_enable_codes(tlps)),
        _plain_memory,
    ),
    LinkCross(
        "memory requests by address type and PASID",
        ADDRESSED,
        (axes.OPERATION, axes.HEADER, axes.ADDRESS_TYPE, axes.PASID),
        (_NO_EXECUTE, _NO_TRANSLATION_WRITE),
        _spaces_sent,
        lambda tlps: (axes.operation_codes(tlps), tlps.four_dw, np.minimum(tlps.address_type, 2), axes.pasid_codes(tlps)),
        _translated_or_not,
    ),
    LinkCross(
        "completions by status",
        COMPLETIONS,
        (axes.STATUS,),
        (),
        lambda traffic, of: _is_in(of["status"], traffic.statuses),
        lambda tlps: (axes.status_codes(tlps),),
        lambda tlps: tlps.is_completion,
    ),
    LinkCross(
        "completions with data by length and split",
        COMPLETIONS,
        (axes.LENGTH, axes.SPLIT, axes.LOWER_ADDRESS),
        (_EMPTY_COMPLETION, _SHORT_SPLIT),
        lambda traffic, of: _least(of) <= traffic.longest_completion,
        lambda tlps: (axes.length_codes(tlps), axes.split_codes(tlps), axes.lower_address_codes(tlps)),
        _with_data,
    ),
    LinkCross(
        "configuration accesses",
        CONFIGURATION,
        (axes.OPERATION, CONFIGURATION_TYPE, REGISTERS),
        (),
        lambda traffic, of: _everything(of),
        lambda tlps: (
            axes.operation_codes(tlps),
            tlps.fmt_type & np.uint32(1),
            _REGISTER_CODES[tlps.header[2] >> np.uint32(2) & np.uint32(0x3FF)],
        ),
        _configuration,
    ),
    LinkCross(
        "credits",
        frozenset(axes.KIND.values),
        (CREDIT_CLASS, CREDIT_LEFT),
        (),
        _classes_sent,
        _credit_codes,
        lambda tlps: tlps.kind != Kind.ILLEGAL,
    ),
)
