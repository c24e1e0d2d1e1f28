"""Random TLPs at the ports of a switch: every kind, every target that its configuration knows, and unknown targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sluicegate.switch.routing import Header, PortConfiguration, SwitchConfiguration, Window

from tb.agents.tlp_link.item import StimulusTlp

PAGE = 4096
PASID_PREFIX = 0x91 << 24
RELAXED, ID_ORDERED, POISONED, TRANSLATED, TRANSLATION_REQUEST = 1 << 13, 1 << 18, 1 << 14, 2 << 10, 1 << 10
OUTSIDE = Window(0x1_0000_0000, 0x1_FFFF_FFFF)
"""Addresses that no port claims: host memory."""


class SwitchTraffic:
    """Draws TLPs for ``configuration``, which may be replaced. ``payload_dwords``: largest payload."""

    def __init__(self, random: np.random.Generator, configuration: SwitchConfiguration, payload_dwords: int = 64) -> None:
        self.configuration = configuration
        self._random = random
        self._payload_dwords = payload_dwords
        self._tag = 0

    def draw(self, ingress: int, count: int) -> list[StimulusTlp]:
        """``count`` TLPs that enter port ``ingress``; some are nullified."""
        return [self._tlp(ingress) for _ in range(count)]

    def _integer(self, bound: int) -> int:
        return int(self._random.integers(0, bound))

    def _choose(self, values: Sequence[int]) -> int:
        return int(values[self._integer(len(values))])

    def _chance(self, probability: float) -> bool:
        return bool(self._random.random() < probability)

    def _tlp(self, ingress: int) -> StimulusTlp:
        self._tag = (self._tag + 1) & 0xFF
        kind = self._integer(16)
        if kind < 9:
            tlp = self.memory(ingress, self._address(), kind)
        elif kind < 12:
            tlp = self.completion(ingress)
        elif kind < 14:
            tlp = self.message(ingress)
        elif kind < 15:
            tlp = self._configuration_request(ingress)
        else:
            tlp = self._io(ingress)
        return StimulusTlp(tlp.header, tlp.payload, tlp.prefix, nullified=self._chance(0.02))

    def _requester(self, ingress: int) -> int:
        """An ID below the port, or now and then any other."""
        port = self.configuration.ports[ingress]
        if ingress == 0:
            return 0
        bus = self._bus() if self._chance(0.1) else port.secondary + self._integer(port.subordinate - port.secondary + 1)
        return bus << 8 | self._integer(2)

    def _bus(self) -> int:
        """A bus that some port claims, the internal bus, one that only the upstream port claims, or one above the switch."""
        upstream = self.configuration.ports[0]
        ports = self.configuration.ports[1:]
        claimed = [bus for port in ports for bus in (port.secondary, port.subordinate)]
        return self._choose([*claimed, *claimed, upstream.secondary, upstream.subordinate, 0, 0xFF])

    def _address(self) -> int:
        windows = [window for port in self.configuration.ports for window in port.windows] + [OUTSIDE, OUTSIDE]
        window = windows[self._integer(len(windows))]
        edge = self._integer(4)
        size = window.last + 1 - window.first
        offset = {0: 0, 1: size - PAGE}.get(edge, self._integer(size // PAGE) * PAGE)
        return window.first + offset

    def memory(self, ingress: int, page: int, kind: int) -> StimulusTlp:
        """A read (0..3), write (4..6) or atomic (7, 8) inside a page."""
        dwords = self._choose([1, 1, 2, 4, 5, 8, 9, 16, 17, 32, self._payload_dwords])
        atomic = kind > 6
        if atomic:
            dwords = self._choose([1, 2]) if kind == 7 else self._choose([2, 4, 8])
        address = page + self._integer((PAGE - 4 * dwords) // 64 + 1) * 64
        four = address >> 32 != 0
        code = 0 if not atomic else 0x0C + self._integer(2) if kind == 7 else 0x0E
        data = kind > 3
        attributes = RELAXED * self._chance(0.2) | ID_ORDERED * self._chance(0.2)
        if ingress != 0:
            attributes |= self._choose([0, 0, 0, TRANSLATED, TRANSLATED, 0 if data else TRANSLATION_REQUEST])
        attributes |= POISONED * (data and self._chance(0.05))
        if attributes & TRANSLATION_REQUEST:
            dwords = 2
        code |= not data and not attributes & TRANSLATION_REQUEST and self._chance(0.05)  # locked read
        enables = 0 if atomic else self._enables(dwords, bool(attributes & TRANSLATION_REQUEST))
        prefix = PASID_PREFIX | self._integer(1 << 20) if not attributes & TRANSLATED and self._chance(0.2) else None
        header: Header = (
            (data << 6 | four << 5 | code) << 24 | attributes | dwords & 0x3FF,
            self._requester(ingress) << 16 | self._tag << 8 | enables,
            address >> 32 if four else address,
            address & 0xFFFF_FFFF if four else 0,
        )
        return StimulusTlp(header, self._random.bytes(4 * dwords) if data else b"", prefix)

    def _enables(self, dwords: int, full: bool) -> int:
        """Last and first byte enables: any for one DW, contiguous otherwise."""
        if full:
            return 0xFF
        if dwords == 1:
            return self._integer(16)
        return self._choose([0xF, 0x7, 0x3, 0x1]) << 4 | self._choose([0xF, 0xE, 0xC, 0x8])

    def completion(self, ingress: int) -> StimulusTlp:
        """A completion to any requester."""
        dwords = self._choose([0, 1, 4, 8, 16, 32])
        attributes = RELAXED * self._chance(0.4) | ID_ORDERED * self._chance(0.2)
        target = self._bus() << 8
        code = 0x4A if dwords else 0x0A
        status = 0 if dwords else self._choose([0, 1, 4]) << 13
        header: Header = (
            code << 24 | attributes | dwords,
            self._requester(ingress) << 16 | status | (4 * dwords or 4),
            target << 16 | self._tag << 8,
            0,
        )
        return StimulusTlp(header, self._random.bytes(4 * dwords))

    def message(self, ingress: int) -> StimulusTlp:
        """A message of any routing, with or without payload; broadcasts are of one beat or too long to be duplicated."""
        routing = self._choose([0, 0, 1, 2, 2, 2, 3, 3, 4, 5])
        dwords = self._choose([0, 0, 2, 4, 16])
        target = self._bus() << 8 if routing == 2 else 0
        header: Header = (
            (0x70 if dwords else 0x30 | 0) << 24 | routing << 24 | dwords,
            self._requester(ingress) << 16 | self._tag << 8 | 0x7E,
            target << 16 | 0x1AF4,
            self._integer(1 << 32),
        )
        return StimulusTlp(header, self._random.bytes(4 * dwords))

    def _configuration_request(self, ingress: int) -> StimulusTlp:
        """Reads of anything; writes only beyond the switch, so that its configuration stays."""
        type1 = self._chance(0.8)
        bus = self._bus()
        device = self._choose([0, 0, 0, 1, 2])
        function = self._choose([0, 0, 0, 1])
        internal = bus == self.configuration.ports[0].secondary
        write = type1 and not internal and self._chance(0.5)
        header: Header = (
            (0x40 * write | 0x04 | type1) << 24 | 1,
            self._requester(ingress) << 16 | self._tag << 8 | 0x0F,
            (bus << 8 | device << 3 | function) << 16 | self._integer(1024) * 4,
            0,
        )
        return StimulusTlp(header, self._random.bytes(4) if write else b"")

    def _io(self, ingress: int) -> StimulusTlp:
        write = self._chance(0.5)
        header: Header = (
            (0x42 if write else 0x02) << 24 | 1,
            self._requester(ingress) << 16 | self._tag << 8 | 0x0F,
            self._integer(1 << 14) * 4,
            0,
        )
        return StimulusTlp(header, self._random.bytes(4) if write else b"")


def random_configuration(random: np.random.Generator, beat_dwords: int) -> SwitchConfiguration:
    """Bus numbers, a memory and a 64-bit window for each downstream port, gaps between, everything enabled, no ACS."""
    first = int(random.integers(1, 64))
    widths = [int(random.integers(1, 4)) for _ in range(2)]
    one, two = first + 2, first + 2 + widths[0]
    upstream_subordinate = two + widths[1]  # one bus that no downstream port claims
    low = 0x8000_0000 + (int(random.integers(0, 256)) << 20)
    high = 0x40_0000_0000 + (int(random.integers(0, 1 << 12)) << 20)
    size = 1 << 20

    def windows(place: int) -> tuple[Window, ...]:
        return (
            Window(low + 4 * place * size, low + (4 * place + 2) * size - 1),
            Window(high + 8 * place * size, high + (8 * place + 4) * size - 1),
        )

    ports = (
        PortConfiguration(
            first + 1,
            upstream_subordinate,
            (Window(low, low + 8 * size - 1), Window(high, high + 16 * size - 1)),
            memory_space=True,
            bus_master=True,
        ),
        PortConfiguration(one, two - 1, windows(0), memory_space=True, bus_master=True),
        PortConfiguration(two, two + widths[1] - 1, windows(1), memory_space=True, bus_master=True),
    )
    return SwitchConfiguration(ports, upstream_id=first << 8, broadcast_dwords=beat_dwords)
