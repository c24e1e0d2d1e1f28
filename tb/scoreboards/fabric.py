"""What the prediction of routes needs to know about the fabric: links, bus numbers, windows and ACS settings.

A test fills it from its enumeration; all values are those that software programmed. Addresses are bus addresses in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sluicegate.pci.topology import AcsControl
from sluicegate.platform import ADDRESS_MAP, AddressMap, Region

NO_ACS: Final = AcsControl(0)


@dataclass(frozen=True)
class FabricLinks:
    """Source ids of the links in the log; ``up`` is towards the root complex. Index i of the tuples is downstream port i."""

    endpoint_up: tuple[int, ...] = (0, 2)
    endpoint_down: tuple[int, ...] = (1, 3)
    switch_up: int = 4
    switch_down: int = 5
    memory_request: int = 6
    memory_completion: int = 7
    cpu_request: int = 8
    cpu_completion: int = 9

    @property
    def names(self) -> Mapping[int, str]:
        """Name of each link by source id."""
        names = {link: f"endpoint{port}_up" for port, link in enumerate(self.endpoint_up)}
        names |= {link: f"endpoint{port}_down" for port, link in enumerate(self.endpoint_down)}
        for name in ("switch_up", "switch_down", "memory_request", "memory_completion", "cpu_request", "cpu_completion"):
            names[getattr(self, name)] = name
        return names


@dataclass(frozen=True)
class BridgePort:
    """A type-1 header as programmed: bus numbers and the windows that it claims downstream."""

    secondary: int
    subordinate: int
    windows: tuple[Region, ...] = ()
    memory_space: bool = True
    bus_master: bool = True


@dataclass(frozen=True)
class DownstreamPort(BridgePort):
    """A switch downstream port: ``acs`` its ACS Control, ``egress_vector`` its Egress Control Vector (bit j: port j)."""

    acs: AcsControl = NO_ACS
    egress_vector: int = 0


@dataclass(frozen=True)
class FabricConfiguration:
    """The whole fabric; ``ports`` are the downstream ports of the switch, ``upstream`` its upstream port."""

    root_port: BridgePort
    upstream: BridgePort
    ports: tuple[DownstreamPort, ...]
    links: FabricLinks = field(default_factory=FabricLinks)
    address_map: AddressMap = ADDRESS_MAP
    cpu_requester: int = 0
    root_port_requester: int = 0x0008
    """Requester ID of the messages of the IOMMU."""
