"""The capabilities that functions here have: PCI Express, MSI-X, ACS, ATS, PRI, PASID."""

from __future__ import annotations

from typing import Final

from sluicegate.pci.config_space import Capability, ConfigSpace, ExtendedCapability
from sluicegate.pci.topology import AcsControl, PciExpressType

PCI_EXPRESS_BYTES: Final = 60
DEVICE_CONTROL: Final = 0x08
LINK_CONTROL: Final = 0x10
DEVICE_CONTROL_2: Final = 0x28
MSI_X_CONTROL: Final = 0x02
ACS_CONTROL: Final = 0x06
ACS_EGRESS_VECTOR: Final = 0x08
ATS_CONTROL: Final = 0x06
_RESET_DEVICE_CONTROL: Final = 0x2810
"""Relaxed ordering and no-snoop on, 128-byte payloads, 512-byte read requests."""


def add_pci_express(
    space: ConfigSpace,
    offset: int,
    kind: PciExpressType,
    *,
    max_payload_code: int = 2,
    port: int = 0,
    read_completion_boundary_64: bool = False,
    function_level_reset: bool = False,
) -> int:
    """The PCI Express capability, version 2; ``max_payload_code`` 0 to 5 is what the function supports."""
    space.add_capability(Capability.PCI_EXPRESS, offset, PCI_EXPRESS_BYTES)
    space.define(offset + 2, 2, 2 | kind << 4)
    # Extended tags supported, role-based error reporting.
    space.define(offset + 4, 4, max_payload_code | 1 << 5 | 1 << 15 | function_level_reset << 28)
    space.define(offset + DEVICE_CONTROL, 2, _RESET_DEVICE_CONTROL, writable=0x7FFF)
    space.define(offset + 0x0A, 2, 0, clearable=0x000F)
    space.define(offset + 0x0C, 4, port << 24 | 4 << 4 | 4)
    boundary = 0 if kind is PciExpressType.ROOT_PORT and read_completion_boundary_64 else 1 << 3
    is_endpoint = kind is PciExpressType.ENDPOINT
    space.define(offset + LINK_CONTROL, 2, 0 if is_endpoint else boundary, writable=0x00CB if is_endpoint else 0x00C3)
    space.define(offset + 0x12, 2, 4 << 4 | 4)
    # Completion timeout ranges, atomic routing and completion, end-end prefixes.
    space.define(offset + 0x24, 4, 0xF | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 21)
    space.define(offset + DEVICE_CONTROL_2, 2, 0, writable=0x7FFF)
    return offset


def add_msi_x(
    space: ConfigSpace, offset: int, vectors: int, *, table_bar: int, table_offset: int, pba_bar: int, pba_offset: int
) -> int:
    """The MSI-X capability of 1 to 2048 vectors; table and pending bits lie in BARs, 8-byte aligned."""
    if not 1 <= vectors <= 2048 or (table_offset | pba_offset) & 7:
        raise ValueError(f"MSI-X of {vectors} vectors at {table_offset:#x} and {pba_offset:#x}: 1 to 2048, 8-byte aligned")
    space.add_capability(Capability.MSI_X, offset, 12)
    space.define(offset + MSI_X_CONTROL, 2, vectors - 1, writable=0xC000)
    space.define(offset + 4, 4, table_offset | table_bar)
    space.define(offset + 8, 4, pba_offset | pba_bar)
    return offset


def add_acs(space: ConfigSpace, offset: int, supported: AcsControl, egress_ports: int = 0) -> int:
    """The ACS capability; ``egress_ports`` is the size of the egress control vector in bits (0 to 32 here)."""
    if not 0 <= egress_ports <= 32:
        raise ValueError(f"egress control vector of {egress_ports} bits: 0 to 32 are supported")
    space.add_extended_capability(ExtendedCapability.ACS, offset, 12)
    space.define(offset + 4, 2, int(supported) | egress_ports << 8)
    space.define(offset + ACS_CONTROL, 2, 0, writable=int(supported))
    space.define(offset + ACS_EGRESS_VECTOR, 4, 0, writable=(1 << egress_ports) - 1)
    return offset


def add_ats(space: ConfigSpace, offset: int, *, queue_depth: int = 32, page_aligned: bool = True) -> int:
    """The ATS capability; ``queue_depth`` invalidations (1 to 32) are accepted at once."""
    if not 1 <= queue_depth <= 32:
        raise ValueError(f"invalidate queue depth {queue_depth}: 1 to 32")
    space.add_extended_capability(ExtendedCapability.ATS, offset, 8)
    space.define(offset + 4, 2, (queue_depth & 31) | page_aligned << 5)
    space.define(offset + ATS_CONTROL, 2, 0, writable=0x801F)
    return offset


def add_pri(space: ConfigSpace, offset: int, outstanding: int) -> int:
    """The page request capability of ``outstanding`` requests."""
    space.add_extended_capability(ExtendedCapability.PRI, offset, 16)
    space.define(offset + 4, 2, 0, writable=0x0003)
    space.define(offset + 6, 2, 1 << 8, clearable=0x0003)
    space.define(offset + 8, 4, outstanding)
    space.define(offset + 12, 4, 0, writable=0xFFFF_FFFF)
    return offset


def add_pasid(space: ConfigSpace, offset: int, width: int = 20) -> int:
    """The PASID capability of ``width`` bits, with execute and privileged modes."""
    space.add_extended_capability(ExtendedCapability.PASID, offset, 8)
    space.define(offset + 4, 2, 1 << 1 | 1 << 2 | width << 8)
    space.define(offset + 6, 2, 0, writable=0x0007)
    return offset


def acs_control(space: ConfigSpace) -> AcsControl | None:
    """The ACS control register, None without the capability."""
    offset = space.extended_capabilities.get(ExtendedCapability.ACS)
    return None if offset is None else AcsControl(space.read(offset + ACS_CONTROL, 2) & 0x7F)


def max_payload(space: ConfigSpace) -> int:
    """Max_Payload_Size in bytes, as software has set it."""
    return 128 << (space.read(space.capabilities[Capability.PCI_EXPRESS] + DEVICE_CONTROL, 2) >> 5 & 7)


def max_read_request(space: ConfigSpace) -> int:
    """Max_Read_Request_Size in bytes, as software has set it."""
    return 128 << (space.read(space.capabilities[Capability.PCI_EXPRESS] + DEVICE_CONTROL, 2) >> 12 & 7)
