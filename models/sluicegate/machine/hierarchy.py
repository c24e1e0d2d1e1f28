"""The PCI hierarchy of the machine as configuration spaces: host bridge, root port, a switch, endpoints below it.

Requests are routed by what software programmed: bus numbers, windows, enables and ACS, with the routing rules of
:mod:`sluicegate.switch.routing`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sluicegate.endpoint.device import EndpointDevice
from sluicegate.pci.capabilities import ACS_CONTROL, ACS_EGRESS_VECTOR, add_acs, add_pci_express
from sluicegate.pci.config_space import ConfigSpace, ExtendedCapability
from sluicegate.pci.topology import AcsControl, PciExpressType
from sluicegate.platform import Bdf
from sluicegate.switch.routing import PortConfiguration, SwitchConfiguration, Window

VENDOR_ID: Final = 0x1234
HOST_BRIDGE_ID: Final = (0x8086, 0x09A2)
"""Vendor and device of the host bridge: one that Linux lists as passing peer-to-peer traffic between its ports."""
_BRIDGE_CLASS: Final = 0x060400
_HOST_BRIDGE_CLASS: Final = 0x060000
_EXPRESS_OFFSET: Final = 0x40
_ACS_OFFSET: Final = 0x100
_EVERY_CONTROL: Final = AcsControl(0x7F)


@dataclass
class Bridge:
    """A port with a type-1 header and the functions on its secondary bus, by device number."""

    config: ConfigSpace
    children: dict[int, Bridge | EndpointDevice] = field(default_factory=dict)


def _port(kind: PciExpressType, device: int, port: int = 0, acs: bool = False) -> Bridge:
    config = ConfigSpace(vendor=VENDOR_ID, device=device, class_code=_BRIDGE_CLASS, bridge=True)
    add_pci_express(config, _EXPRESS_OFFSET, kind, port=port, read_completion_boundary_64=kind is PciExpressType.ROOT_PORT)
    if acs:
        add_acs(config, _ACS_OFFSET, _EVERY_CONTROL, egress_ports=8)
    return Bridge(config)


class Hierarchy:
    """00:00.0 host bridge, 00:01.0 root port, one switch with a downstream port for each endpoint."""

    def __init__(self, endpoints: list[EndpointDevice]) -> None:
        self.endpoints: Final = endpoints
        vendor, device = HOST_BRIDGE_ID
        self._host_bridge: Final = ConfigSpace(vendor=vendor, device=device, class_code=_HOST_BRIDGE_CLASS)
        self.root_port: Final = _port(PciExpressType.ROOT_PORT, 0x5347)
        self.upstream: Final = _port(PciExpressType.UPSTREAM_PORT, 0x5355)
        self.downstream: Final = [
            _port(PciExpressType.DOWNSTREAM_PORT, 0x5344, port=index + 1, acs=True) for index in range(len(endpoints))
        ]
        self.root_port.children[0] = self.upstream
        for number, (port, endpoint) in enumerate(zip(self.downstream, endpoints, strict=True)):
            self.upstream.children[number] = port
            port.children[0] = endpoint

    def find(self, function: Bdf) -> ConfigSpace | EndpointDevice | None:
        """Whatever answers configuration requests for a function number, as the buses are numbered now."""
        if function.function:
            return None
        if function.bus == 0:
            return {0: self._host_bridge, 1: self.root_port.config}.get(function.device)
        bridge: Bridge | EndpointDevice | None = self.root_port
        while isinstance(bridge, Bridge):
            _, secondary, subordinate = bridge.config.bus_numbers
            if not secondary <= function.bus <= subordinate:
                return None
            if function.bus == secondary:
                found = bridge.children.get(function.device)
                return found.config if isinstance(found, Bridge) else found
            bridge = next((child for child in bridge.children.values() if _has_bus(child, function.bus)), None)
        return None

    def switch_configuration(self) -> SwitchConfiguration:
        """The switch as software configured it."""
        return SwitchConfiguration((_configured(self.upstream), *(_configured(port) for port in self.downstream)))


def _has_bus(node: Bridge | EndpointDevice, bus: int) -> bool:
    if not isinstance(node, Bridge):
        return False
    _, secondary, subordinate = node.config.bus_numbers
    return secondary <= bus <= subordinate


def _configured(port: Bridge) -> PortConfiguration:
    config = port.config
    _, secondary, subordinate = config.bus_numbers
    acs = config.extended_capabilities.get(ExtendedCapability.ACS)
    return PortConfiguration(
        secondary,
        subordinate,
        tuple(Window(first, last) for first, last in config.windows()),
        config.memory_enabled,
        config.bus_master,
        acs=AcsControl(0) if acs is None else AcsControl(config.read(acs + ACS_CONTROL, 2)),
        egress_vector=0 if acs is None else config.read(acs + ACS_EGRESS_VECTOR, 4),
    )
