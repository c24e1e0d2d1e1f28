"""The capability list of a PCI function, walked through configuration reads."""

from __future__ import annotations

from typing import Final

from sluicegate.pci.config_space import CAPABILITIES_POINTER, FIRST_EXTENDED, Capability, ExtendedCapability
from sluicegate.platform import Bdf, Platform

_LONGEST_LIST: Final = 48
_LONGEST_EXTENDED_LIST: Final = 480


def find_capability(platform: Platform, function: Bdf, wanted: Capability) -> int | None:
    """Offset of a capability below 0x100, None when the function has none of that kind."""
    offset = platform.config_read(function, CAPABILITIES_POINTER, 1) & ~3
    for _ in range(_LONGEST_LIST):
        if not offset:
            return None
        header = platform.config_read(function, offset, 4)
        if header & 0xFF == wanted:
            return offset
        offset = header >> 8 & 0xFC
    return None


def find_extended_capability(platform: Platform, function: Bdf, wanted: ExtendedCapability) -> int | None:
    """Offset of an extended capability, None when the function has none of that kind."""
    offset = FIRST_EXTENDED
    for _ in range(_LONGEST_EXTENDED_LIST):
        header = platform.config_read(function, offset, 4)
        if header in (0, 0xFFFF_FFFF):
            return None
        if header & 0xFFFF == wanted:
            return offset
        offset = header >> 20 & ~3
        if not offset:
            return None
    return None
