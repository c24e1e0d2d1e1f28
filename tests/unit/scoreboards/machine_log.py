"""Synthetic logs of the whole machine: each method writes the records that a correct design leaves on every link."""

from __future__ import annotations

from dataclasses import dataclass, field

from sluicegate.pci.topology import AcsControl
from sluicegate.platform import ADDRESS_MAP, Region

from tb.bridge.event_log import Actor, EventKind, RequestBit
from tb.scoreboards.fabric import BridgePort, DownstreamPort, FabricConfiguration, FabricLinks
from tests.unit.scoreboards.log_builder import Header, LogBuilder, completion, memory_request

LINKS = FabricLinks()
LOW, HIGH = ADDRESS_MAP.low_ram.base, ADDRESS_MAP.high_ram.base
PEER = (Region(0x40_0000_0000, 1 << 20), Region(0x40_0010_0000, 1 << 20))
REQUESTER = (0x300, 0x400)
IOVA = 0x20_0000_0000


def configuration(acs: int = 0) -> FabricConfiguration:
    """Two endpoints at buses 3 and 4, with ``acs`` at both downstream ports."""
    ports = tuple(DownstreamPort(3 + port, 3 + port, (PEER[port],), acs=AcsControl(acs)) for port in (0, 1))
    bridge = BridgePort(1, 4, (Region(PEER[0].base, 2 << 20),))
    return FabricConfiguration(bridge, BridgePort(2, 4, bridge.windows), ports)


def rewritten(header: Header, spa: int) -> Header:
    """A memory request header as it leaves the IOMMU."""
    four = spa >= 1 << 32
    dw0 = (header[0] & ~(1 << 29 | 3 << 10)) | four << 29
    return (dw0, header[1], spa >> 32, spa & 0xFFFF_FFFC) if four else (dw0, header[1], spa & ~3, 0)


@dataclass
class MachineLog(LogBuilder):
    """``pages`` maps IOVA pages to physical pages; ``memory`` is host memory as the log has left it."""

    pages: dict[int, int] = field(default_factory=dict)
    memory: dict[int, int] = field(default_factory=dict)
    identifier: int = 0

    def cpu_write(self, address: int, data: bytes) -> None:
        self.memory |= {address + i: byte for i, byte in enumerate(data)}
        self.memory_write(address, data)

    def host(self, address: int, length: int) -> bytes:
        return bytes(self.memory.get(address + i, 0) for i in range(length))

    def translate(self, endpoint: int, iova: int, write: bool, status: int | None = None) -> int | None:
        """Request and response at the IOMMU port; returns the SPA or None."""
        self.identifier = (self.identifier + 1) & 0xFF
        page = self.pages.get(iova >> 12)
        bits = RequestBit.WRITE if write else 0
        self.add(EventKind.TRANSLATION_REQUEST, header=(self.identifier, REQUESTER[endpoint], 0, bits), address=iova & ~3)
        status = (1 if page is None else 0) if status is None else status
        spa = 0 if page is None or status else page << 12 | (iova & 0xFFC)
        self.add(EventKind.TRANSLATION_RESPONSE, header=(self.identifier, status | 12 << 16, 0, 0), address=spa)
        return None if status else spa

    def up(self, endpoint: int, header: Header, payload: bytes = b"") -> None:
        self.tlp(LINKS.endpoint_up[endpoint], header, payload)
        self.tlp(LINKS.switch_up, header, payload)

    def down(self, endpoint: int, header: Header, payload: bytes = b"") -> None:
        self.tlp(LINKS.switch_down, header, payload)
        self.tlp(LINKS.endpoint_down[endpoint], header, payload)

    def host_write(self, endpoint: int, iova: int, data: bytes, attributes: int = 0) -> None:
        """One posted write TLP to an IOVA."""
        header = memory_request(True, iova, len(data), REQUESTER[endpoint], attributes=attributes)
        payload = bytes(iova & 3) + data
        self.up(endpoint, header, payload)
        spa = self.translate(endpoint, iova, True)
        if spa is None:
            return
        self.tlp(LINKS.memory_request, rewritten(header, spa), payload)
        address = spa | (iova & 3)
        self.memory |= {address + i: byte for i, byte in enumerate(data)}
        self.memory_write(address, data, Actor.LINK, REQUESTER[endpoint])

    def host_read(self, endpoint: int, iova: int, length: int, tag: int) -> None:
        """One read TLP to an IOVA, answered in one completion, or with UR."""
        header = memory_request(False, iova, length, REQUESTER[endpoint], tag)
        self.up(endpoint, header)
        spa = self.translate(endpoint, iova, False)
        count, lower = max(length, 1), iova & 0x7F
        if spa is None:
            self.down(endpoint, completion(REQUESTER[endpoint], tag, count, status=1))
            return
        self.tlp(LINKS.memory_request, rewritten(header, spa))
        address = spa | (iova & 3)
        self.add(EventKind.MEMORY_READ, Actor.LINK, address=address, length=length, argument=REQUESTER[endpoint])
        answer = completion(REQUESTER[endpoint], tag, count, lower, count)
        payload = bytes(lower & 3) + self.host(address, count)
        self.tlp(LINKS.memory_completion, answer, payload)
        self.down(endpoint, answer, payload + bytes(-len(payload) % 4))
