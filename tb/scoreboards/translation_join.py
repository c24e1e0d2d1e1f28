"""Joins the memory requests on the link from the switch with the translations that the IOMMU adapter made for them.

A request and its translation meet by device ID, PASID, address, address type and access; of equal ones the first request has the
first translation. Either may stand first in the log: a translation may begin before the payload has ended.
"""

from __future__ import annotations

import numpy as np

from tb.bridge.event_log import RequestBit
from tb.scoreboards.flow_matcher import first_in_first_out
from tb.scoreboards.tlp_batch import U32, U64, TlpBatch
from tb.scoreboards.tlp_types import AddressType, Kind
from tb.scoreboards.translation_pairs import TranslationPairs

_PASID_MASK = np.uint32(0xFFFFF)
_PRIV, _EXEC = np.uint32(1 << 21), np.uint32(1 << 20)


class TranslationJoin:
    """Holds requests that have no translation yet, and translations whose request has not come."""

    def __init__(self) -> None:
        self._requests = TlpBatch.none()
        self._pairs = TranslationPairs(np.zeros((16, 0), np.uint32), np.zeros((16, 0), np.uint32))

    @property
    def waiting(self) -> TlpBatch:
        """Requests without a translation."""
        return self._requests

    @property
    def unused(self) -> TranslationPairs:
        """Translations without a request."""
        return self._pairs

    def join(self, requests: TlpBatch, pairs: TranslationPairs, outstanding: U32) -> tuple[TlpBatch, TranslationPairs]:
        """Rows that belong together, in the order of the requests.

        ``outstanding`` are the records (words, ``[16, n]``) of translations that were asked and not yet answered: the order of
        answers is free, so equal translations are taken in the order in which they were asked.
        """
        requests = requests.after(self._requests)
        answered = np.arange(len(self._pairs) + len(pairs) + outstanding.shape[1]) < len(self._pairs) + len(pairs)
        pairs = TranslationPairs(
            np.concatenate((self._pairs.request, pairs.request, outstanding), axis=1),
            np.concatenate((self._pairs.response, pairs.response, outstanding), axis=1),
        )
        order = np.argsort(pairs.requested_at, kind="stable")
        pairs, answered = pairs.take(order), answered[order]
        found, taken = first_in_first_out(_pair_key(pairs), _request_key(requests))
        ready = found >= 0
        ready[ready] = answered[found[ready]]
        rows = np.flatnonzero(ready)
        joined = requests.take(rows), pairs.take(found[rows])
        self._requests = requests.carry(~ready)
        self._pairs = pairs.take(answered & ~taken)
        return joined


def _key(address: U64, device_id: U32, process_id: U32, bits: U32) -> U64:
    wide = np.uint64
    identity = device_id.astype(wide) | process_id.astype(wide) << wide(24) | bits.astype(wide) << wide(44)
    key: U64 = (address >> wide(2)) * wide(0x9E37_79B9_7F4A_7C15)
    key ^= key >> wide(31)
    key += identity
    key *= wide(0xBF58_476D_1CE4_E5B9)
    return key


def _pair_key(pairs: TranslationPairs) -> U64:
    mask = np.uint32(RequestBit.PV | RequestBit.PRIV | RequestBit.EXEC | RequestBit.WRITE)
    bits = (pairs.bits & mask) | pairs.address_type << np.uint32(8)
    process = np.where(pairs.has(RequestBit.PV), pairs.process_id, np.uint32(0))
    return _key(pairs.iova, pairs.device_id, process, bits)


def _request_key(tlps: TlpBatch) -> U64:
    prefix = tlps.prefix
    kind = tlps.kind
    write = (kind == Kind.MEMORY_WRITE) | (kind == Kind.ATOMIC) | (kind == Kind.DEFERRABLE_WRITE)
    bits = (
        tlps.has_prefix * np.uint32(RequestBit.PV)
        | ((prefix & _PRIV) != 0) * np.uint32(RequestBit.PRIV)
        | ((prefix & _EXEC) != 0) * np.uint32(RequestBit.EXEC)
        | write * np.uint32(RequestBit.WRITE)
        | tlps.address_type << np.uint32(8)
    )
    address = tlps.address
    translation = tlps.address_type == AddressType.TRANSLATION_REQUEST
    address = np.where(translation, address & ~np.uint64(0xFFF), address)
    process = prefix & _PASID_MASK
    return _key(address, tlps.requester, process, bits)
