"""The PCI tree as software sees it: host bridges, root ports, switch ports, endpoints, their BARs and ACS settings.

Build it by hand (``HostBridge``, then :meth:`PciDevice.add`), or from an enumeration. Nothing here decides a route; the switch
does that from the same settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from sluicegate.platform import Bdf


class PciExpressType(IntEnum):
    """Device/port type of the PCI Express capability (the register's values)."""

    ENDPOINT = 0
    LEGACY_ENDPOINT = 1
    ROOT_PORT = 4
    UPSTREAM_PORT = 5
    DOWNSTREAM_PORT = 6
    PCIE_TO_PCI_BRIDGE = 7
    ROOT_COMPLEX_INTEGRATED = 9
    ROOT_COMPLEX_EVENT_COLLECTOR = 10

    @property
    def is_bridge(self) -> bool:
        """Whether devices can be below it."""
        return self in _BRIDGES


_BRIDGES: Final = {
    PciExpressType.ROOT_PORT,
    PciExpressType.UPSTREAM_PORT,
    PciExpressType.DOWNSTREAM_PORT,
    PciExpressType.PCIE_TO_PCI_BRIDGE,
}


class AcsControl(IntFlag):
    """Bits of the ACS control (and capability) register."""

    NONE = 0
    SOURCE_VALIDATION = 0x01
    TRANSLATION_BLOCKING = 0x02
    REQUEST_REDIRECT = 0x04
    COMPLETION_REDIRECT = 0x08
    UPSTREAM_FORWARDING = 0x10
    EGRESS_CONTROL = 0x20
    DIRECT_TRANSLATED = 0x40


@dataclass(frozen=True, slots=True)
class Bar:
    """One base address register: ``size`` bytes at CPU physical ``phys``, at ``bus`` on the PCI bus."""

    phys: int
    bus: int
    size: int
    memory: bool = True
    prefetchable: bool = False
    wide: bool = False
    """64-bit BAR."""

    def contains(self, phys: int, length: int = 1) -> bool:
        """Whether the CPU physical range lies in the BAR."""
        return self.phys <= phys and phys + length <= self.phys + self.size


class HostBridge:
    """A host bridge and the devices on its root bus, in the order they were found."""

    def __init__(self, domain: int = 0, root_bus: int = 0) -> None:
        self.domain: Final = domain
        self.root_bus: Final = root_bus
        self.devices: Final[list[PciDevice]] = []

    def add(self, device: PciDevice) -> PciDevice:
        """Put a device on the root bus."""
        device.attach(None, self)
        self.devices.append(device)
        return device

    @property
    def first_device(self) -> PciDevice | None:
        """The device added first (enumeration goes by ascending number): what represents the bridge in the kernel's list."""
        return self.devices[0] if self.devices else None

    def walk(self) -> Iterator[PciDevice]:
        """Every device below, each before its children."""
        for device in self.devices:
            yield from device.walk()


class PciDevice:
    """A PCI function or port.

    ``acs`` is the ACS control register, None without the capability. ``bus`` is known after enumeration. A virtual function
    has ``physical_function``: its path starts at that function's bus.
    """

    def __init__(
        self,
        name: str,
        kind: PciExpressType = PciExpressType.ENDPOINT,
        *,
        devfn: int = 0,
        bus: int = 0,
        vendor: int = 0,
        device: int = 0,
        acs: AcsControl | int | None = None,
        bars: dict[int, Bar] | None = None,
        physical_function: PciDevice | None = None,
    ) -> None:
        if not 0 <= devfn < 256 or not 0 <= bus < 256:
            raise ValueError(f"{name}: device and function number {devfn}, bus {bus}: both are 8 bits wide")
        self.name: Final = name
        self.kind: Final = kind
        self.devfn: Final = devfn
        self.bus = bus
        self.vendor: Final = vendor
        self.device: Final = device
        self.acs: AcsControl | None = None if acs is None else AcsControl(acs)
        self.bars: Final[dict[int, Bar]] = dict(bars or {})
        self.physical_function: Final = physical_function
        self.children: Final[list[PciDevice]] = []
        self.removed = False
        self._parent: PciDevice | None = None
        self._host: HostBridge | None = None

    def attach(self, parent: PciDevice | None, host: HostBridge) -> None:
        """Place the device; done by :meth:`add` of its parent or host bridge."""
        if self._host is not None:
            raise ValueError(f"{self.name} is already in a tree")
        self._parent = parent
        self._host = host

    def add(self, device: PciDevice) -> PciDevice:
        """Put a device on the bus below this port."""
        if not self.kind.is_bridge:
            raise ValueError(f"{self.name} is no bridge: nothing can be below it")
        if self._host is None:
            raise ValueError(f"{self.name} is in no tree yet: add it to its parent first")
        device.attach(self, self._host)
        self.children.append(device)
        return device

    @property
    def parent(self) -> PciDevice | None:
        """The bridge whose secondary bus the device is on, None on a root bus."""
        return self._parent

    @property
    def host(self) -> HostBridge:
        """The host bridge above it all."""
        if self._host is None:
            raise ValueError(f"{self.name} is in no tree: add it to a bridge or host bridge first")
        return self._host

    @property
    def bdf(self) -> Bdf:
        """Bus, device and function number."""
        return Bdf(self.bus, self.devfn >> 3, self.devfn & 7)

    @property
    def path_identifier(self) -> int:
        """Domain, bus, device and function in one integer: what the map type cache is keyed by."""
        return self.host.domain << 16 | self.bus << 8 | self.devfn

    def chain(self) -> list[PciDevice]:
        """The device, the bridge above it, and so on up to the device on the root bus."""
        result: list[PciDevice] = [self]
        start = self if self.physical_function is None else self.physical_function
        node = start.parent
        while node is not None:
            result.append(node)
            node = node.parent
        return result

    def walk(self) -> Iterator[PciDevice]:
        """The device and everything below, each before its children."""
        yield self
        for child in self.children:
            yield from child.walk()

    def redirects(self) -> bool:
        """Whether ACS keeps peer traffic from being turned around here: RR, CR or egress control is on."""
        return self.acs is not None and bool(self.acs & _REDIRECT)

    def bar_of(self, phys: int, length: int = 1) -> Bar | None:
        """The memory BAR that holds a CPU physical range."""
        return next((bar for bar in self.bars.values() if bar.memory and bar.contains(phys, length)), None)

    def __repr__(self) -> str:
        return f"<PciDevice {self.name} {self.kind.name}>"


_REDIRECT: Final = AcsControl.REQUEST_REDIRECT | AcsControl.COMPLETION_REDIRECT | AcsControl.EGRESS_CONTROL
