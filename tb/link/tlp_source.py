"""Sender of TLPs at the pins of a link."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from cocotb.triggers import FallingEdge, ReadOnly

from tb.link.link_bus import TlpLinkBus
from tb.link.random_stream import RandomStream
from tb.link.tlp import CREDIT_MASK, CREDIT_SHIFT, PinTlp, TlpClass

PREFERENCE = (TlpClass.POSTED, TlpClass.COMPLETION, TlpClass.NON_POSTED)
CHANNEL_SOURCE = 0x100


@dataclass
class _Entry:
    tlp: PinTlp
    posted_before: int


class PinTlpSource:
    """Presents queued TLPs, one beat per cycle, with credit, in order, with seeded idle cycles.

    Pins change at the falling edge, so they are stable around each rising edge at which the design samples them.
    ``stall_chance`` is of 65536 per beat. Non-posted TLPs and completions wait for posted ones that were queued before them.
    """

    def __init__(self, entity: Any, name: str, seed: int, link: int, stall_chance: int = 0) -> None:
        self._entity = entity
        self._bus = TlpLinkBus(entity, name)
        self._random = RandomStream(seed, CHANNEL_SOURCE + link)
        self._stall_chance = stall_chance
        self._queues: dict[TlpClass, deque[_Entry]] = {tlp_class: deque() for tlp_class in TlpClass}
        self._consumed = [0] * 6
        self._posted_queued = 0
        self._posted_sent = 0
        self._current: PinTlp | None = None
        self._sent = 0

    def push(self, tlp: PinTlp) -> None:
        """Queue a TLP."""
        self._queues[tlp.tlp_class].append(_Entry(tlp, self._posted_queued))
        self._posted_queued += tlp.tlp_class is TlpClass.POSTED

    async def run(self) -> None:
        """Drive the pins for ever, from before the first clock edge on."""
        entity, bus = self._entity, self._bus
        bus.drive("valid", 0)
        valid = False
        while True:
            await ReadOnly()
            held = bool(int(entity.rst.value)) or not int(entity.link_up.value)
            ready = bool(bus.value("ready"))
            limit, infinite = bus.value("credit_limit"), bus.value("credit_infinite")
            await FallingEdge(entity.clk)
            if held:
                valid = False
                bus.drive("valid", 0)
            elif not valid or ready:
                valid = self._next_beat(limit, infinite)

    def _allows(self, tlp: PinTlp, limit: int, infinite: int) -> bool:
        for kind, need in ((tlp.tlp_class * 2, 1), (tlp.tlp_class * 2 + 1, tlp.data_credits)):
            if infinite >> kind & 1 or need == 0:
                continue
            mask = CREDIT_MASK[kind]
            if ((limit >> CREDIT_SHIFT[kind]) - (self._consumed[kind] + need)) & mask > (mask + 1) // 2:
                return False
        return True

    def _choose(self, limit: int, infinite: int) -> PinTlp | None:
        for tlp_class in PREFERENCE:
            queue = self._queues[tlp_class]
            if not queue or (tlp_class is not TlpClass.POSTED and self._posted_sent < queue[0].posted_before):
                continue
            tlp = queue[0].tlp
            if self._allows(tlp, limit, infinite):
                queue.popleft()
                self._consumed[tlp_class * 2] += 1
                self._consumed[tlp_class * 2 + 1] += tlp.data_credits
                return tlp
        return None

    def _next_beat(self, limit: int, infinite: int) -> bool:
        bus, starts = self._bus, self._current is None
        waiting = any(self._queues.values())
        if (starts and not waiting) or self._random.chance(self._stall_chance):
            bus.drive("valid", 0)
            return False
        if starts:
            self._current = self._choose(limit, infinite)
            self._sent = 0
        tlp = self._current
        if tlp is None:
            bus.drive("valid", 0)
            return False
        beat = tlp.payload[self._sent : self._sent + bus.data_bytes]
        self._sent += len(beat)
        ends = self._sent == len(tlp.payload)
        bus.drive("valid", 1)
        bus.drive("sop", int(starts))
        bus.drive("eop", int(ends))
        bus.drive("data", int.from_bytes(beat, "little"))
        bus.drive("empty", (bus.data_bytes - len(beat)) // 4 if ends and beat else 0)
        bus.drive("hdr", tlp.header_bits if starts else 0)
        bus.drive("prefix", (tlp.prefix or 0) if starts else 0)
        bus.drive("prefix_valid", int(starts and tlp.prefix is not None))
        bus.drive("err", int(ends and tlp.nullified))
        if ends:
            self._posted_sent += tlp.tlp_class is TlpClass.POSTED
            self._current = None
        return True
