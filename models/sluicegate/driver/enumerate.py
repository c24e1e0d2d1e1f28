"""Enumeration: finds every function behind a :class:`Platform`, numbers the buses, places BARs and windows, and turns them on.

Buses are numbered depth first as a kernel does. BARs of 64-bit prefetchable memory go into ``AddressMap.mmio64`` through the
prefetchable windows, all others into ``AddressMap.mmio32``. The result is the tree of :mod:`sluicegate.pci.topology` plus what a
driver needs of each function, so the peer-to-peer distance that software computes is that of the machine itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sluicegate.driver.bridge_window import NOTHING, WINDOW_UNIT, Demand, place, window
from sluicegate.driver.config_access import ConfigAccess
from sluicegate.pci.capabilities import ACS_CONTROL, DEVICE_CONTROL, LINK_CONTROL
from sluicegate.pci.config_space import (
    BAR0,
    BUS_NUMBERS,
    COMMAND,
    COMMAND_BUS_MASTER,
    COMMAND_MEMORY,
    HEADER_TYPE,
    MEMORY_BASE,
    PREFETCHABLE_BASE,
    PREFETCHABLE_BASE_UPPER,
    PREFETCHABLE_LIMIT_UPPER,
    VENDOR_ID,
    Capability,
    ExtendedCapability,
)
from sluicegate.pci.topology import AcsControl, Bar, HostBridge, PciDevice, PciExpressType
from sluicegate.platform import Bdf, Platform, Region

_LAST_BUS: Final = 0xFF
_EXPRESS_FLAGS: Final = 0x02
_DEVICE_CAPABILITIES: Final = 0x04
_ACS_CAPABILITY: Final = 0x04
_BRIDGE_HEADER: Final = 1
_BARS_BY_HEADER: Final = {0: 6, _BRIDGE_HEADER: 2}
_MIN_PAYLOAD: Final = 128
_EXTENDED_TAG_SUPPORTED: Final = 1 << 5
_EXTENDED_TAG_ENABLE: Final = 1 << 8
_PAYLOAD_FIELD: Final = 0x7 << 5
_READ_REQUEST_FIELD: Final = 0x7 << 12
_READ_COMPLETION_BOUNDARY: Final = 1 << 3


@dataclass(frozen=True, slots=True)
class EnumerationSettings:
    """What software asks of the machine."""

    max_payload: int = 256
    """Max_Payload_Size in bytes, lowered to what every function supports."""
    max_read_request: int = 512
    """Max_Read_Request_Size in bytes."""
    acs: AcsControl = AcsControl.NONE
    """ACS control of every downstream port, as far as its capability offers."""
    bus_master: bool = True
    """Set Bus Master Enable of every function."""


@dataclass(slots=True)
class PciFunction:
    """A function as enumeration left it: its place in the tree and where its capabilities are."""

    device: PciDevice
    access: ConfigAccess
    is_bridge: bool
    capabilities: dict[int, int]
    extended_capabilities: dict[int, int]
    children: list[PciFunction] = field(default_factory=list)
    secondary_bus: int = 0
    subordinate_bus: int = 0
    windows: list[Region] = field(default_factory=list)
    """Open memory windows of a bridge."""

    @property
    def bdf(self) -> Bdf:
        return self.device.bdf


@dataclass(frozen=True, slots=True)
class PciTree:
    """Everything that was found."""

    host: HostBridge
    functions: tuple[PciFunction, ...]
    """Every function, parents before children."""

    def at(self, bdf: Bdf) -> PciFunction:
        """The function of that number."""
        for function in self.functions:
            if function.bdf == bdf:
                return function
        raise LookupError(f"no PCI function {bdf}; found are {', '.join(str(found.bdf) for found in self.functions)}")

    @property
    def endpoints(self) -> tuple[PciFunction, ...]:
        """The PCI Express endpoints, in the order of their numbers."""
        return tuple(found for found in self.functions if found.device.kind is PciExpressType.ENDPOINT)


class EnumerationError(Exception):
    """The machine cannot be set up."""


@dataclass(slots=True)
class _SizedBar:
    """A BAR that is implemented, before it has an address."""

    owner: PciFunction
    number: int
    size: int
    prefetchable: bool
    wide: bool

    @property
    def high(self) -> bool:
        return self.prefetchable and self.wide


def enumerate_pci(platform: Platform, settings: EnumerationSettings | None = None) -> PciTree:
    """Find, number, place and enable everything; can be called again, and then finds the same."""
    return _Enumeration(platform, settings or EnumerationSettings()).run()


def set_acs(function: PciFunction, control: AcsControl) -> AcsControl:
    """Program the ACS control of a port; returns what its capability lets take effect.

    Raises :class:`EnumerationError` for a function without the capability.
    """
    offset = function.extended_capabilities.get(ExtendedCapability.ACS)
    if offset is None:
        raise EnumerationError(f"{function.bdf} has no ACS capability: choose a switch downstream port")
    offered = AcsControl(function.access.read(offset + _ACS_CAPABILITY, 2) & 0x7F)
    function.access.write(offset + ACS_CONTROL, control & offered, 2)
    function.device.acs = AcsControl(function.access.read(offset + ACS_CONTROL, 2) & 0x7F)
    return function.device.acs


class _Enumeration:
    """One pass over a machine."""

    def __init__(self, platform: Platform, settings: EnumerationSettings) -> None:
        self._platform = platform
        self._settings = settings
        self._host = HostBridge()
        self._functions: list[PciFunction] = []
        self._bars: dict[int, list[_SizedBar]] = {}
        self._next_bus = 1

    def run(self) -> PciTree:
        roots = self._scan(0, None)
        self._give(roots, high=False, region=self._platform.address_map.mmio32)
        self._give(roots, high=True, region=self._platform.address_map.mmio64)
        payload = self._payload()
        for function in self._functions:
            self._enable(function, payload)
        return PciTree(self._host, tuple(self._functions))

    # Find and number.

    def _scan(self, bus: int, bridge: PciFunction | None) -> list[PciFunction]:
        """The functions of one bus, and recursively of the buses below."""
        found: list[PciFunction] = []
        # A link has one device; the bus inside a switch and the root bus have many.
        one_device = bridge is not None and bridge.device.kind in (PciExpressType.ROOT_PORT, PciExpressType.DOWNSTREAM_PORT)
        for device in range(1 if one_device else 32):
            for number in range(8):
                access = ConfigAccess(self._platform, Bdf(bus, device, number))
                if not access.present:
                    if number == 0:
                        break
                    continue
                found.append(self._function(access, bridge))
                if number == 0 and not access.read(HEADER_TYPE, 1) & 0x80:
                    break
        return found

    def _function(self, access: ConfigAccess, bridge: PciFunction | None) -> PciFunction:
        capabilities = access.capabilities()
        extended = access.extended_capabilities() if Capability.PCI_EXPRESS in capabilities else {}
        header = access.read(HEADER_TYPE, 1) & 0x7F
        if header not in _BARS_BY_HEADER:
            raise EnumerationError(f"{access.function} has header type {header}: only types 0 and 1 are known")
        bdf = access.function
        device = PciDevice(
            str(bdf),
            self._kind(access, capabilities, bridge),
            devfn=bdf.device << 3 | bdf.function,
            bus=bdf.bus,
            vendor=access.read(VENDOR_ID, 2),
            device=access.read(VENDOR_ID + 2, 2),
        )
        (self._host if bridge is None else bridge.device).add(device)
        function = PciFunction(device, access, header == _BRIDGE_HEADER, capabilities, extended)
        self._functions.append(function)
        access.update(COMMAND, COMMAND_MEMORY | COMMAND_BUS_MASTER, 0, 2)
        self._bars[id(function)] = self._size_bars(function, _BARS_BY_HEADER[header])
        if function.is_bridge:
            self._number(function)
        return function

    @staticmethod
    def _kind(access: ConfigAccess, capabilities: dict[int, int], bridge: PciFunction | None) -> PciExpressType:
        offset = capabilities.get(Capability.PCI_EXPRESS)
        if offset is not None:
            return PciExpressType(access.read(offset + _EXPRESS_FLAGS, 2) >> 4 & 0xF)
        return PciExpressType.ROOT_COMPLEX_INTEGRATED if bridge is None else PciExpressType.LEGACY_ENDPOINT

    def _number(self, function: PciFunction) -> None:
        """Give a bridge its buses; everything up to the last bus goes there until the ones below are counted."""
        if self._next_bus > _LAST_BUS:
            raise EnumerationError(f"{function.bdf} needs bus number {self._next_bus}: a machine has 256 buses")
        access = function.access
        function.secondary_bus = self._next_bus
        self._next_bus += 1
        access.write(BUS_NUMBERS, function.bdf.bus, 1)
        access.write(BUS_NUMBERS + 1, function.secondary_bus, 1)
        access.write(BUS_NUMBERS + 2, _LAST_BUS, 1)
        function.children = self._scan(function.secondary_bus, function)
        function.subordinate_bus = self._next_bus - 1
        access.write(BUS_NUMBERS + 2, function.subordinate_bus, 1)

    @staticmethod
    def _size_bars(function: PciFunction, count: int) -> list[_SizedBar]:
        """Write ones, see which stick; BARs of I/O space are left alone."""
        bars: list[_SizedBar] = []
        number = 0
        while number < count:
            offset = BAR0 + 4 * number
            access = function.access
            access.write(offset, 0xFFFF_FFFF, 4)
            low = access.read(offset, 4)
            access.write(offset, 0, 4)
            wide = low & 0x7 == 0x4
            mask = low & ~0xF | 0xFFFF_FFFF_0000_0000
            if wide:
                access.write(offset + 4, 0xFFFF_FFFF, 4)
                mask = low & ~0xF | access.read(offset + 4, 4) << 32
                access.write(offset + 4, 0, 4)
            if low not in (0, 0xFFFF_FFFF) and not low & 1:
                bars.append(_SizedBar(function, number, (1 << 64) - mask, bool(low & 0x8), wide))
            number += 2 if wide else 1
        return bars

    # Place.

    def _demands(self, functions: list[PciFunction], high: bool) -> tuple[list[_SizedBar | PciFunction], list[Demand]]:
        """Who needs space on one bus, and how much."""
        takers: list[_SizedBar | PciFunction] = []
        demands: list[Demand] = []
        for function in functions:
            for bar in self._bars[id(function)]:
                if bar.high == high:
                    takers.append(bar)
                    demands.append(Demand(bar.size, bar.size))
            if function.is_bridge:
                takers.append(function)
                demands.append(window(self._demands(function.children, high)[1]))
        return takers, demands

    def _give(self, functions: list[PciFunction], high: bool, region: Region) -> None:
        takers, demands = self._demands(functions, high)
        for index, address in place(demands, region.base).items():
            if address + demands[index].size > region.end:
                raise EnumerationError(
                    f"no room for {demands[index].size:#x} bytes in [{region.base:#x}, {region.end:#x}): "
                    f"enlarge the {'mmio64' if high else 'mmio32'} region of the address map or shrink BARs"
                )
            taker = takers[index]
            if isinstance(taker, PciFunction):
                self._open_window(taker, high, Region(address, demands[index].size))
                self._give(taker.children, high, Region(address, demands[index].size))
            else:
                self._set_bar(taker, address)
        for taker, demand in zip(takers, demands, strict=True):
            if demand == NOTHING and isinstance(taker, PciFunction):
                self._open_window(taker, high, None)

    @staticmethod
    def _open_window(bridge: PciFunction, high: bool, region: Region | None) -> None:
        """Program a bridge window; None closes it (limit below base)."""
        base, last = (WINDOW_UNIT, 0) if region is None else (region.base, region.end - 1)
        if region is not None:
            bridge.windows.append(region)
        access = bridge.access
        if high:
            access.write(PREFETCHABLE_BASE_UPPER, base >> 32, 4)
            access.write(PREFETCHABLE_LIMIT_UPPER, last >> 32, 4)
        register = PREFETCHABLE_BASE if high else MEMORY_BASE
        access.write(register, base >> 16 & 0xFFF0, 2)
        access.write(register + 2, last >> 16 & 0xFFF0, 2)

    @staticmethod
    def _set_bar(bar: _SizedBar, address: int) -> None:
        access = bar.owner.access
        offset = BAR0 + 4 * bar.number
        access.write(offset, address & 0xFFFF_FFFF, 4)
        if bar.wide:
            access.write(offset + 4, address >> 32, 4)
        bar.owner.device.bars[bar.number] = Bar(
            phys=address, bus=address, size=bar.size, prefetchable=bar.prefetchable, wide=bar.wide
        )

    # Turn on.

    def _payload(self) -> int:
        """The largest payload that everyone on the way can take, at most what was asked for."""
        supported = [self._settings.max_payload]
        for function in self._functions:
            offset = function.capabilities.get(Capability.PCI_EXPRESS)
            if offset is not None:
                supported.append(_MIN_PAYLOAD << (function.access.read(offset + _DEVICE_CAPABILITIES, 4) & 0x7))
        return min(supported)

    def _enable(self, function: PciFunction, payload: int) -> None:
        access = function.access
        express = function.capabilities.get(Capability.PCI_EXPRESS)
        if express is not None:
            tags = access.read(express + _DEVICE_CAPABILITIES, 4) & _EXTENDED_TAG_SUPPORTED
            access.update(
                express + DEVICE_CONTROL,
                _PAYLOAD_FIELD | _READ_REQUEST_FIELD,
                _size_code(payload, "Max_Payload_Size") << 5
                | _size_code(self._settings.max_read_request, "Max_Read_Request_Size") << 12
                | (_EXTENDED_TAG_ENABLE if tags else 0),
                2,
            )
            if function.device.kind is PciExpressType.ENDPOINT:
                self._copy_completion_boundary(function, express)
        if ExtendedCapability.ACS in function.extended_capabilities:
            set_acs(function, self._settings.acs)
        access.update(COMMAND, 0, COMMAND_MEMORY | (COMMAND_BUS_MASTER if self._settings.bus_master else 0), 2)

    def _copy_completion_boundary(self, function: PciFunction, express: int) -> None:
        """An endpoint is told the Read Completion Boundary of the root port above it."""
        root = function.device.chain()[-1]
        above = next(found for found in self._functions if found.device is root)
        offset = above.capabilities.get(Capability.PCI_EXPRESS)
        if offset is None:
            return
        boundary = above.access.read(offset + LINK_CONTROL, 2) & _READ_COMPLETION_BOUNDARY
        function.access.update(express + LINK_CONTROL, _READ_COMPLETION_BOUNDARY, boundary, 2)


def _size_code(size: int, name: str) -> int:
    """The 3-bit code of a size: 0..5 for 128..4096 bytes."""
    code = (size // _MIN_PAYLOAD).bit_length() - 1
    if not 0 <= code <= 5 or _MIN_PAYLOAD << code != size:
        raise EnumerationError(f"{name} {size} is not one of 128, 256, 512, 1024, 2048, 4096 bytes")
    return code
