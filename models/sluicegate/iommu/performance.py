"""Performance monitor: cycle counter, event counters and their filters.

Source: RISC-V IOMMU specification, *iohpmcycles* .. *iohpmevt*. Events 5 to 8 count one per memory read of the walk, event 4 one
per request that was answered by a walk of page tables. What reads a process directory has a GSCID, but no PSCID yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluicegate.iommu.registers import HpmEvent

_U64: Final = (1 << 64) - 1
_CYCLES_MASK: Final = (1 << 63) - 1
_OVERFLOW: Final = 1 << 63
_GUEST_FILTER_EVENTS: Final = frozenset({HpmEvent.TLB_MISS, HpmEvent.FIRST_STAGE_WALK, HpmEvent.SECOND_STAGE_WALK})


@dataclass(frozen=True, slots=True)
class EventSource:
    """Identifiers of the request that caused an event; those that do not apply are None."""

    device_id: int
    process_id: int | None = None
    gscid: int | None = None
    pscid: int | None = None


def _matches_masked(value: int, wanted: int, masked: bool) -> bool:
    """Compare identifiers; with ``masked``, ignore the low bits of ``wanted`` up to and including its first 0."""
    ignored = wanted ^ (wanted + 1) if masked else 0
    return value & ~ignored == wanted & ~ignored


class PerformanceMonitor:
    """``counters`` event counters of 64 bits (0 to 31) beside the 63-bit cycle counter."""

    def __init__(self, counters: int) -> None:
        if not 0 <= counters <= 31:
            raise ValueError(f"{counters} event counters: choose 0 to 31")
        self.cycles = 0
        """``iohpmcycles``: count in [62:0], OF in bit 63."""
        self.inhibited = 0
        self.counters = [0] * counters
        self.events = [0] * counters

    @property
    def overflow(self) -> int:
        """``iocountovf``: bit 0 of the cycle counter, bit n of event counter n."""
        word = self.cycles >> 63
        for index, event in enumerate(self.events, 1):
            word |= (event >> 63) << index
        return word

    @property
    def inhibit_mask(self) -> int:
        """Writable bits of ``iocountinh``."""
        return (1 << (len(self.counters) + 1)) - 1

    def advance_cycles(self, cycles: int) -> bool:
        """Let clock cycles pass; True when the overflow bit went from 0 to 1."""
        if self.inhibited & 1:
            return False
        count = (self.cycles & _CYCLES_MASK) + cycles
        overflowed = count > _CYCLES_MASK
        newly = overflowed and not self.cycles & _OVERFLOW
        self.cycles = count & _CYCLES_MASK | (self.cycles & _OVERFLOW) | (_OVERFLOW if overflowed else 0)
        return newly

    def count(self, event: HpmEvent, source: EventSource, occurrences: int = 1) -> bool:
        """Count an event in every counter that selects it; True when an overflow bit went from 0 to 1."""
        newly = False
        for index, selector in enumerate(self.events):
            if not occurrences or self.inhibited >> (index + 1) & 1 or selector & 0x7FFF != event:
                continue
            if not self._selected(selector, event, source):
                continue
            total = self.counters[index] + occurrences
            self.counters[index] = total & _U64
            if total > _U64 and not selector & _OVERFLOW:
                self.events[index] |= _OVERFLOW
                newly = True
        return newly

    @staticmethod
    def _selected(selector: int, event: HpmEvent, source: EventSource) -> bool:
        by_guest = bool(selector >> 62 & 1)
        if by_guest and event not in _GUEST_FILTER_EVENTS:
            return False
        outer, inner = (source.gscid, source.pscid) if by_guest else (source.device_id, source.process_id)
        if selector >> 60 & 1 and inner != selector >> 16 & 0xFFFFF:
            return False
        if selector >> 61 & 1:
            return outer is not None and _matches_masked(outer, selector >> 36 & 0xFFFFFF, bool(selector >> 15 & 1))
        return True
