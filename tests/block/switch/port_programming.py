"""Configuration requests that program the ports of a switch, from the configuration the routing model is asked with.

Register numbers and fields: PCI type-1 header, PCI Express capability at 0x40, ACS extended capability at 0x100.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluicegate.switch.routing import UPSTREAM_PORT, PortConfiguration, SwitchConfiguration, Window

from tb.agents.tlp_link.item import StimulusTlp

COMMAND, BUS_NUMBERS, MEMORY, PREFETCHABLE, BASE_UPPER, LIMIT_UPPER = 0x04, 0x18, 0x20, 0x24, 0x28, 0x2C
DEVICE_CONTROL, DEVICE_CONTROL_2 = 0x48, 0x68
ACS_CONTROL, ACS_VECTOR = 0x104, 0x108
CFGRD0, CFGRD1, CFGWR0, CFGWR1 = 0x04, 0x05, 0x44, 0x45
CPU_REQUESTER = 0x0000


@dataclass(frozen=True)
class PortAccess:
    """A 32-bit access to the configuration space of a port (of the switch): byte address of the register, bytes enabled."""

    port: int
    register: int
    value: int | None = None
    enables: int = 0xF


def port_id(configuration: SwitchConfiguration, port: int) -> int:
    """Bus, device and function number at which software reaches a port of the switch."""
    if port == UPSTREAM_PORT:
        return configuration.upstream_id
    return configuration.ports[UPSTREAM_PORT].secondary << 8 | (port - 1) << 3


def access_tlp(configuration: SwitchConfiguration, access: PortAccess, tag: int) -> StimulusTlp:
    """The request as it enters the upstream port: type 0 to the upstream port itself, type 1 to the downstream ports."""
    write = access.value is not None
    type1 = access.port != UPSTREAM_PORT
    fmt_type = (CFGWR1 if type1 else CFGWR0) if write else (CFGRD1 if type1 else CFGRD0)
    header = (
        fmt_type << 24 | 1,
        CPU_REQUESTER << 16 | (tag & 0xFF) << 8 | access.enables,
        port_id(configuration, access.port) << 16 | access.register,
        0,
    )
    return StimulusTlp(header, b"" if access.value is None else access.value.to_bytes(4, "little"))


def _memory_register(window: Window | None) -> int:
    """Base in [15:4], limit in [31:20], both address bits 31:20; an empty window has its base above its limit."""
    if window is None:
        return 0x0000_FFF0
    return (window.first >> 20 & 0xFFF) << 4 | (window.last >> 20 & 0xFFF) << 20


def port_accesses(port: int, configuration: PortConfiguration) -> Iterator[PortAccess]:
    """Writes that bring a port to its configuration; windows below 4 GiB use the memory window, others the prefetchable one."""
    low = next((window for window in configuration.windows if window.last < 1 << 32), None)
    high = next((window for window in configuration.windows if window.last >= 1 << 32), None)
    yield PortAccess(port, BUS_NUMBERS, configuration.subordinate << 16 | configuration.secondary << 8, 0x6)
    yield PortAccess(port, MEMORY, _memory_register(low))
    yield PortAccess(port, PREFETCHABLE, _memory_register(high))
    yield PortAccess(port, BASE_UPPER, high.first >> 32 if high else 0)
    yield PortAccess(port, LIMIT_UPPER, high.last >> 32 if high else 0)
    yield PortAccess(port, COMMAND, configuration.memory_space << 1 | configuration.bus_master << 2, 0x3)
    yield PortAccess(port, DEVICE_CONTROL_2, configuration.atomic_egress_blocking << 7)
    if port != UPSTREAM_PORT:
        yield from acs_accesses(port, configuration)


def acs_accesses(port: int, configuration: PortConfiguration) -> Iterator[PortAccess]:
    """Writes of ACS Control and Egress Control Vector."""
    yield PortAccess(port, ACS_CONTROL, int(configuration.acs) << 16, 0xC)
    yield PortAccess(port, ACS_VECTOR, configuration.egress_vector)
