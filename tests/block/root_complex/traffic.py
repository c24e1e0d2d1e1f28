"""Random TLPs from below the root port: requests to mapped, foreign and unmapped IOVAs, messages, completions of peers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tb.agents.tlp_link.item import StimulusTlp

PASID_PREFIX = 0x91 << 24
MEMORY_READ, MEMORY_WRITE, ATOMIC, MESSAGE, COMPLETION, OTHER = range(6)
_SHARE = (0.42, 0.40, 0.05, 0.05, 0.06, 0.02)
_TRANSLATED, _TRANSLATION_REQUEST = 2 << 10, 1 << 10
_FETCH_ADD, _SWAP, _COMPARE_AND_SWAP = 0x0C, 0x0D, 0x0E
_PAGE = 4096


@dataclass(frozen=True)
class UpstreamTraffic:
    """Draws TLPs as a switch would pass them up.

    ``pages``: IOVAs to use, page aligned, mapped or not; ``requesters``: IDs of the devices, known to the IOMMU or not.
    """

    random: np.random.Generator
    pages: Sequence[int]
    requesters: Sequence[int]

    def _integer(self, limit: int) -> int:
        return int(self.random.integers(0, limit))

    def _chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def tlps(self, count: int) -> list[StimulusTlp]:
        """``count`` TLPs; tags run through all 256 values."""
        kinds = self.random.choice(len(_SHARE), size=count, p=_SHARE).tolist()
        return [self._tlp(kind, index & 0xFF) for index, kind in enumerate(kinds)]

    def _tlp(self, kind: int, tag: int) -> StimulusTlp:
        requester = int(self.random.choice(list(self.requesters)))
        if kind == MESSAGE:
            return self._message(requester)
        if kind == COMPLETION:
            return self._completion(requester, tag)
        if kind == OTHER:
            # Configuration and I/O requests have no business here.
            code = 0x04 if self._chance(0.5) else 0x02
            return StimulusTlp((code << 24 | 1, requester << 16 | tag << 8 | 0x0F, self._integer(1 << 14) << 2, 0))
        return self._memory(kind, requester, tag)

    def _memory(self, kind: int, requester: int, tag: int) -> StimulusTlp:
        page = int(self.random.choice(list(self.pages)))
        write = kind != MEMORY_READ
        if kind == ATOMIC:
            code = int(self.random.choice([_FETCH_ADD, _SWAP, _COMPARE_AND_SWAP]))
            dwords = int(self.random.choice([2, 4, 8] if code == _COMPARE_AND_SWAP else [1, 2]))
            address = page + self._integer(_PAGE // 32) * 32
            enables = 0
        else:
            code = 0
            dwords = int(self.random.choice([1, 1, 2, 3, 8, 15, 16, 17, 32, 64]))
            address = page + self._integer((_PAGE - 4 * dwords) // 4 + 1) * 4
            enables = self._integer(16) if dwords == 1 else 0xF8 if self._chance(0.3) else 0xFF
        attributes = (self._integer(2) << 13) | (self._integer(2) << 18) if self._chance(0.2) else 0
        prefix = None
        if kind == MEMORY_READ and self._chance(0.02):
            attributes |= _TRANSLATION_REQUEST
            dwords, enables, address = 2, 0xFF, page
        elif kind != ATOMIC and self._chance(0.02):
            attributes |= _TRANSLATED
        elif self._chance(0.05):
            prefix = PASID_PREFIX | self._integer(1 << 20)
        four = address >> 32 != 0
        header = (
            (write << 6 | four << 5 | code) << 24 | attributes | dwords & 0x3FF,
            requester << 16 | tag << 8 | enables,
            address >> 32 if four else address,
            address & 0xFFFF_FFFF if four else 0,
        )
        return StimulusTlp(header, self.random.bytes(4 * dwords) if write else b"", prefix)

    def _message(self, requester: int) -> StimulusTlp:
        """To the root complex, local, or by ID to a bus below or none."""
        routing = int(self.random.choice([0, 0, 2, 4]))
        target = int(self.random.choice([*self.requesters, 0x0900])) << 16 if routing == 2 else 0
        return StimulusTlp((0x30 << 24 | routing << 24, requester << 16 | 0x7E, target | 0x1AF4, 0))

    def _completion(self, completer: int, tag: int) -> StimulusTlp:
        """An answer of one device to another that ACS sent this way, or to a bus that does not exist."""
        dwords = int(self.random.choice([1, 4, 16]))
        target = int(self.random.choice([*self.requesters, 0x0900]))
        relaxed = (1 << 13) * self._chance(0.3)
        header = (0x4A << 24 | relaxed | dwords, completer << 16 | 4 * dwords, target << 16 | tag << 8, 0)
        return StimulusTlp(header, self.random.bytes(4 * dwords))
