"""Receiver of TLPs at the pins of a link."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from cocotb.triggers import FallingEdge, ReadOnly

from tb.link.link_bus import TlpLinkBus
from tb.link.random_stream import RandomStream
from tb.link.tlp import CREDIT_MASK, CREDIT_SHIFT, PinTlp

CHANNEL_SINK = 0x200


class PinTlpSink:
    """Accepts TLPs with seeded stalls, grants credits and returns them when a TLP is complete.

    ``room``: credits per kind (PH, PD, NPH, NPD, CPLH, CPLD), 0 is infinite. Received TLPs are in :attr:`received`, in order;
    ``listener`` is called with each as it is complete.
    """

    def __init__(
        self,
        entity: Any,
        name: str,
        seed: int,
        link: int,
        room: tuple[int, ...] = (0,) * 6,
        stall_chance: int = 0,
        credit_delay: int = 0,
        listener: Callable[[PinTlp], None] | None = None,
    ) -> None:
        self._entity = entity
        self._bus = TlpLinkBus(entity, name)
        self._random = RandomStream(seed, CHANNEL_SINK + link)
        self._granted = list(room)
        self._infinite = sum(1 << kind for kind, credits in enumerate(room) if credits == 0)
        self._stall_chance = stall_chance
        self._credit_delay = credit_delay
        self._listener = listener
        self._returning: deque[tuple[int, PinTlp]] = deque()
        self._header: tuple[int, int, int, int] = (0, 0, 0, 0)
        self._prefix: int | None = None
        self._payload = bytearray()
        self.received: list[PinTlp] = []

    async def run(self) -> None:
        """Drive the pins for ever, from before the first clock edge on."""
        entity, bus = self._entity, self._bus
        bus.drive("ready", 0)
        cycle = 0
        while True:
            await ReadOnly()
            held = bool(int(entity.rst.value))
            moved = not held and bool(bus.value("valid")) and bool(bus.value("ready"))
            finished = self._take_beat() if moved else None
            await FallingEdge(entity.clk)
            cycle += 1
            while self._returning and self._returning[0][0] <= cycle:
                tlp = self._returning.popleft()[1]
                self._granted[tlp.tlp_class * 2] += 1
                self._granted[tlp.tlp_class * 2 + 1] += tlp.data_credits
            if finished is not None:
                self.received.append(finished)
                if self._listener is not None:
                    self._listener(finished)
                # Seen on this edge, so its credits return on the next one at the earliest.
                self._returning.append((cycle + max(self._credit_delay, 1), finished))
            bus.drive("ready", int(not held) & int(not self._random.chance(self._stall_chance)))
            limit = sum((self._granted[kind] & CREDIT_MASK[kind]) << CREDIT_SHIFT[kind] for kind in range(6))
            bus.drive("credit_limit", limit)
            bus.drive("credit_infinite", self._infinite)

    def _take_beat(self) -> PinTlp | None:
        bus = self._bus
        if bus.value("sop"):
            bits = bus.value("hdr")
            self._header = (bits >> 96, bits >> 64 & 0xFFFFFFFF, bits >> 32 & 0xFFFFFFFF, bits & 0xFFFFFFFF)
            self._prefix = bus.value("prefix") if bus.value("prefix_valid") else None
            self._payload.clear()
        if self._header[0] >> 30 & 1:
            left = 4 * (self._header[0] & 0x3FF or 1024) - len(self._payload)
            self._payload += bus.value("data").to_bytes(bus.data_bytes, "little")[:left]
        if not bus.value("eop"):
            return None
        return PinTlp(self._header, bytes(self._payload), self._prefix, bool(bus.value("err")))
