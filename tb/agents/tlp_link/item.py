"""The sequence item of the TLP link agent."""

from __future__ import annotations

from dataclasses import dataclass

from pyuvm import uvm_sequence_item

PREFIX_VALID = 1 << 32
NULLIFIED = 1 << 33


@dataclass(frozen=True)
class StimulusTlp:
    """One TLP to send: header DWs (the last 0 for 3 DW headers), whole DWs of payload, PASID prefix, nullified at its end."""

    header: tuple[int, int, int, int]
    payload: bytes = b""
    prefix: int | None = None
    nullified: bool = False
    not_before: int = 0
    """First cycle at which it may start."""

    @property
    def blob(self) -> bytes:
        """Header and payload as the native source takes them."""
        return b"".join(dword.to_bytes(4, "little") for dword in self.header) + self.payload

    @property
    def flags(self) -> int:
        """Prefix and flags as the native source takes them."""
        return ((self.prefix or 0) | (PREFIX_VALID if self.prefix is not None else 0)) | (NULLIFIED if self.nullified else 0)


class TlpBatch(uvm_sequence_item):
    """TLPs for one link, sent in this order within each class."""

    def __init__(self, name: str, tlps: list[StimulusTlp]) -> None:
        super().__init__(name)
        self.tlps = tlps
