"""TLP records of a log batch as decoded numpy columns.

One row a TLP, in log order; every column has shape ``[n]``. Columns are computed on first use and kept. Header bit positions:
PCI Express Base, transaction layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tb.bridge.event_log import EventFlag, EventKind, LogBatch
from tb.scoreboards.payload_store import U8, PayloadStore
from tb.scoreboards.tlp_types import (
    ADDRESSED,
    CLASS_OF,
    KIND_OF,
    LEADING_DISABLED,
    ONE_DW_SPAN,
    TRAILING_DISABLED,
    Kind,
    TlpClass,
)

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
Rows = NDArray[np.intp]

# Positions of fields among the sixteen 32-bit words of an event record.
_META, _LENGTH, _H0, _H1, _H2, _H3, _PREFIX, _PAYLOAD, _SEQUENCE = 2, 3, 4, 5, 6, 7, 8, 12, 14


@dataclass(frozen=True)
class TlpBatch:
    """``n`` TLP records: ``words`` is the records as 32-bit words, shape ``[16, n]``; ``payload`` as in :class:`LogBatch`, with
    that of other TLPs behind it."""

    words: U32
    payload: PayloadStore
    payload_base: int

    @classmethod
    def of(cls, batch: LogBatch) -> TlpBatch:
        """The TLP records of ``batch``, nullified ones left out: the receiver discards those."""
        return batch.tlps if isinstance(batch, JudgedBatch) else _decode(batch, None)

    def __len__(self) -> int:
        return int(self.words.shape[1])

    def take(self, rows: Rows | Bool) -> TlpBatch:
        """The chosen rows, as an array of positions or a mask."""
        return TlpBatch(self.words[:, rows], self.payload, self.payload_base)

    def _word(self, position: int) -> U32:
        word: U32 = self.words[position]
        return word

    def _pair(self, low: int) -> U64:
        return self._word(low).astype(np.uint64) | self._word(low + 1).astype(np.uint64) << np.uint64(32)

    @cached_property
    def cycle(self) -> U64:
        return self._pair(0)

    @cached_property
    def sequence(self) -> U64:
        return self._pair(_SEQUENCE)

    @cached_property
    def link(self) -> U32:
        """Source id of the link."""
        return self._word(_META) >> np.uint32(8) & np.uint32(0xFF)

    @property
    def length_bytes(self) -> U32:
        """Bytes of payload in the log."""
        return self._word(_LENGTH)

    @cached_property
    def payload_start(self) -> I64:
        """Position of the first payload byte in ``payload``."""
        return self._pair(_PAYLOAD).astype(np.int64) - self.payload_base

    @property
    def header(self) -> U32:
        """DW0..DW3, shape ``[4, n]``."""
        return self.words[_H0 : _H3 + 1]

    @cached_property
    def has_prefix(self) -> Bool:
        mask: Bool = (self._word(_META) & np.uint32(int(EventFlag.PREFIX_VALID) << 16)) != 0
        return mask

    @cached_property
    def prefix(self) -> U32:
        """The end-end prefix, 0 where there is none."""
        return np.where(self.has_prefix, self._word(_PREFIX), np.uint32(0))

    @property
    def credit_left(self) -> U32:
        """What another TLP like it lacked at its sop: bit 0 a header credit, bit 1 data credits."""
        return self._word(_META) >> np.uint32(20) & np.uint32(3)

    @cached_property
    def fmt_type(self) -> U32:
        return self._word(_H0) >> np.uint32(24)

    @cached_property
    def kind(self) -> U8:
        """:class:`Kind` values."""
        return KIND_OF[self.fmt_type]

    @cached_property
    def tlp_class(self) -> U8:
        """:class:`TlpClass` values."""
        return CLASS_OF[self.fmt_type]

    @cached_property
    def is_memory(self) -> Bool:
        """Memory read, write, atomic or deferrable write: routed by address, subject to translation."""
        return ADDRESSED[self.fmt_type]

    @cached_property
    def is_completion(self) -> Bool:
        mask: Bool = self.tlp_class == TlpClass.COMPLETION
        return mask

    def _h0_bit(self, position: int) -> Bool:
        mask: Bool = (self._word(_H0) & np.uint32(1 << position)) != 0
        return mask

    @cached_property
    def four_dw(self) -> Bool:
        return self._h0_bit(29)

    @cached_property
    def has_data(self) -> Bool:
        return self._h0_bit(30)

    @cached_property
    def id_ordering(self) -> Bool:
        return self._h0_bit(18)

    @cached_property
    def relaxed_ordering(self) -> Bool:
        return self._h0_bit(13)

    @cached_property
    def traffic_class(self) -> U32:
        return self._word(_H0) >> np.uint32(20) & np.uint32(7)

    @cached_property
    def address_type(self) -> U32:
        return self._word(_H0) >> np.uint32(10) & np.uint32(3)

    @cached_property
    def length_dw(self) -> U32:
        """The Length field, 0 decoded as 1024."""
        return ((self._word(_H0) - np.uint32(1)) & np.uint32(0x3FF)) + np.uint32(1)

    @cached_property
    def _identity_word(self) -> U32:
        return np.where(self.is_completion, self._word(_H2), self._word(_H1))

    @cached_property
    def requester(self) -> U32:
        """Requester ID: of the request itself, or the one a completion returns to."""
        return self._identity_word >> np.uint32(16)

    @cached_property
    def tag(self) -> U32:
        """10-bit tag {T9, T8, Tag[7:0]}."""
        h0 = self._word(_H0)
        high = (h0 >> np.uint32(11) & np.uint32(0x100)) | (h0 >> np.uint32(14) & np.uint32(0x200))
        return (self._identity_word >> np.uint32(8) & np.uint32(0xFF)) | high

    @cached_property
    def transaction(self) -> U64:
        """Transaction ID: requester ID << 10 | tag."""
        return (self.requester << np.uint32(10) | self.tag).astype(np.uint64)

    @cached_property
    def first_be(self) -> U32:
        return self._word(_H1) & np.uint32(0xF)

    @cached_property
    def last_be(self) -> U32:
        return self._word(_H1) >> np.uint32(4) & np.uint32(0xF)

    @cached_property
    def address(self) -> U64:
        """DW-aligned address in the header of a memory request (3 DW: 32 bits); meaningless for other TLPs."""
        low = np.where(self.four_dw, self._word(_H3), self._word(_H2)) & np.uint32(0xFFFF_FFFC)
        high = np.where(self.four_dw, self._word(_H2), np.uint32(0))
        return low.astype(np.uint64) | high.astype(np.uint64) << np.uint64(32)

    @cached_property
    def byte_span(self) -> U32:
        """Bytes from the first to the last enabled byte of a memory request (1 for a zero-length one)."""
        several = np.uint32(4) * self.length_dw - LEADING_DISABLED[self.first_be] - TRAILING_DISABLED[self.last_be]
        return np.where(self.length_dw == 1, ONE_DW_SPAN[self.first_be], several)

    @cached_property
    def first_byte(self) -> U64:
        """Address of the first enabled byte of a memory request."""
        return self.address + LEADING_DISABLED[self.first_be]

    @cached_property
    def target(self) -> U32:
        """DW2[31:16]: destination ID of configuration requests, of messages routed by ID, and of completions."""
        return self._word(_H2) >> np.uint32(16)

    @cached_property
    def status(self) -> U32:
        """Completion status."""
        return self._word(_H1) >> np.uint32(13) & np.uint32(7)

    @cached_property
    def byte_count(self) -> U32:
        """Byte Count of a completion, 0 decoded as 4096."""
        return ((self._word(_H1) - np.uint32(1)) & np.uint32(0xFFF)) + np.uint32(1)

    @cached_property
    def lower_address(self) -> U32:
        return self._word(_H2) & np.uint32(0x7F)

    def carry(self, rows: Rows | Bool) -> TlpBatch:
        """The chosen rows with a copy of their payload only, to keep beyond the life of this batch."""
        kept = self.take(rows)
        parts = [kept.payload_of(row) for row in np.flatnonzero(kept.length_bytes).tolist()]
        payload = PayloadStore(np.concatenate(parts)) if parts else PayloadStore.empty()
        ends = np.cumsum(kept.length_bytes, dtype=np.int64)
        return TlpBatch(kept._words_at(ends - kept.length_bytes), payload, 0)

    def _words_at(self, start: I64) -> U32:
        """The record words with the payload at ``start``, shape ``[n]``."""
        words = self.words.copy()
        words[_PAYLOAD] = start.astype(np.uint32)
        words[_PAYLOAD + 1] = (start >> 32).astype(np.uint32)
        return words

    def after(self, earlier: TlpBatch) -> TlpBatch:
        """``earlier`` followed by this, in one batch."""
        if len(earlier) == 0:
            return self
        if earlier.payload is self.payload and earlier.payload_base == self.payload_base:
            return TlpBatch(np.concatenate((earlier.words, self.words), axis=1), self.payload, self.payload_base)
        # What was kept is little beside a batch.
        moved = earlier._words_at(earlier.payload_start + self.payload.append(earlier.payload.bytes) + self.payload_base)
        return TlpBatch(np.concatenate((moved, self.words), axis=1), self.payload, self.payload_base)

    @classmethod
    def none(cls) -> TlpBatch:
        """No TLPs."""
        return cls(np.zeros((16, 0), np.uint32), PayloadStore.empty(), 0)

    def payload_of(self, row: int) -> U8:
        """The payload bytes of one TLP."""
        start = int(self.payload_start[row])
        return self.payload.bytes[start : start + int(self.length_bytes[row])]

    def describe(self, row: int) -> str:
        """One TLP in words, for messages."""
        words = " ".join(f"{int(word):08x}" for word in self.header[:, row])
        text = f"{Kind(int(self.kind[row])).name.lower().replace('_', ' ')} [{words}]"
        return text + (f" prefix {int(self.prefix[row]):08x}" if self.has_prefix[row] else "")


@dataclass(frozen=True)
class JudgedBatch(LogBatch):
    """A log batch that is taken apart once for all scoreboards. ``room``: a buffer that begins with ``payload`` and is larger."""

    room: U8 | None = None

    @cached_property
    def shared(self) -> dict[object, object]:
        """What one scoreboard has made of the batch and others can use, by what it was made with beside the batch."""
        return {}

    @cached_property
    def tlps(self) -> TlpBatch:
        """The TLPs, nullified ones left out."""
        return _decode(self, self.room)


def _decode(batch: LogBatch, room: U8 | None) -> TlpBatch:
    words = np.ascontiguousarray(batch.records).view("<u4").reshape(-1, 16)
    wanted = words[:, _META] & np.uint32(0xFF | int(EventFlag.NULLIFIED) << 16) == np.uint32(EventKind.TLP)
    payload = PayloadStore(batch.payload) if room is None else PayloadStore(room, batch.payload.size)
    return TlpBatch(np.ascontiguousarray(words[wanted].T), payload, batch.payload_base)
