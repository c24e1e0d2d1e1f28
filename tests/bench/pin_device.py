"""A device on a cocotbext-pcie port whose functions are the RTL behind pin-level models of the TLP link."""

from __future__ import annotations

import struct
from typing import Any

import cocotb
from cocotb.queue import Queue
from cocotbext.pcie.core.device import Device
from cocotbext.pcie.core.tlp import Tlp

from tb.link.tlp import PinTlp
from tb.link.tlp_sink import PinTlpSink
from tb.link.tlp_source import PinTlpSource

FOUR_DW = 1 << 29
"""Format bit of DW0: the header has four DWs."""


def to_pins(tlp: Any) -> PinTlp:
    """A cocotbext TLP as the link carries it."""
    header = bytes(tlp.pack_header()).ljust(16, b"\0")
    return PinTlp(struct.unpack(">4I", header), bytes(tlp.data))


def from_pins(tlp: PinTlp) -> Any:
    """A TLP of the link as cocotbext-pcie has it."""
    dwords = tlp.header if tlp.header[0] & FOUR_DW else tlp.header[:3]
    return Tlp.unpack(bytearray(b"".join(dword.to_bytes(4, "big") for dword in dwords) + tlp.payload))


class PinDevice(Device):
    """Hands TLPs over between its upstream port and the pins ``up_*`` (out of the RTL) and ``down_*`` (into it) of ``entity``."""

    def __init__(self, entity: Any, seed: int, up: int, down: int) -> None:
        super().__init__()
        self._outgoing: Queue[PinTlp] = Queue()
        self._source = PinTlpSource(entity, "down", seed, down)
        self._sink = PinTlpSink(entity, "up", seed, up, listener=self._outgoing.put_nowait)

    def start(self) -> None:
        """Drive the pins from now on; before the first clock edge."""
        for routine in (self._source.run(), self._sink.run(), self._forward()):
            cocotb.start_soon(routine)

    async def upstream_recv(self, tlp: Any) -> None:
        """From the host. All of it goes to the RTL, whatever it is."""
        self._source.push(to_pins(tlp))
        tlp.release_fc()

    async def _forward(self) -> None:
        while True:
            await self.upstream_send(from_pins(await self._outgoing.get()))
