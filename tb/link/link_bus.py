"""The signals of one direction of a TLP link as a typed cocotb-bus ``Bus``."""

from __future__ import annotations

from typing import Any

from cocotb_bus.bus import Bus

SENDER_SIGNALS = ["valid", "sop", "eop", "data", "empty", "hdr", "prefix", "prefix_valid", "err"]
RECEIVER_SIGNALS = ["ready", "credit_limit", "credit_infinite"]


class TlpLinkBus:
    """Handles of the pins ``<name>_<signal>`` of ``entity``; widths are those of docs/interfaces.md section 1."""

    def __init__(self, entity: Any, name: str) -> None:
        self._bus: Any = Bus(entity, name, SENDER_SIGNALS + RECEIVER_SIGNALS)
        self.data_bytes: int = len(self._bus.data) // 8

    def value(self, signal: str) -> int:
        """The value of a pin now, unsigned."""
        return int(getattr(self._bus, signal).value)

    def drive(self, signal: str, value: int) -> None:
        """Set a pin; it takes effect at the end of this time step."""
        getattr(self._bus, signal).value = value
