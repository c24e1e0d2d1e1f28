"""Enumeration of a modelled machine: numbers, BARs, windows, enables and ACS as software must leave them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from sluicegate.driver.enumerate import EnumerationError, EnumerationSettings, PciTree, enumerate_pci, set_acs
from sluicegate.p2pdma.distance import peer_path
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.pci.capabilities import add_acs, add_pci_express
from sluicegate.pci.config_space import BarDefinition, Capability, ConfigSpace
from sluicegate.pci.topology import AcsControl, PciExpressType
from sluicegate.platform import ADDRESS_MAP, AddressMap, Bdf, Platform, Region

ALL_ACS = AcsControl(0x7F)
KIB, MIB = 1 << 10, 1 << 20


@dataclass
class Function:
    """A function of the modelled machine and what is on the bus below it, by device number."""

    space: ConfigSpace
    below: dict[int, Function] = field(default_factory=dict)


@dataclass
class Machine:
    """Configuration space of a tree, routed by the bus numbers that software programs; the rest of a platform is absent."""

    root: dict[int, Function]
    address_map: AddressMap = ADDRESS_MAP

    def find(self, bdf: Bdf) -> ConfigSpace | None:
        bus, devices = 0, self.root
        while bus != bdf.bus:
            for function in devices.values():
                if function.space.bridge:
                    _, secondary, subordinate = function.space.bus_numbers
                    if 0 < secondary <= bdf.bus <= subordinate:
                        bus, devices = secondary, function.below
                        break
            else:
                return None
        found = devices.get(bdf.device)
        return found.space if found is not None and bdf.function == 0 else None

    def config_read(self, function: Bdf, offset: int, width: int) -> int:
        space = self.find(function)
        return (1 << 8 * width) - 1 if space is None else space.read(offset, width)

    def config_write(self, function: Bdf, offset: int, value: int, width: int) -> None:
        space = self.find(function)
        if space is not None:
            space.write(offset, value, width)


def bridge(kind: PciExpressType, below: dict[int, Function], acs: bool = False) -> Function:
    space = ConfigSpace(vendor=0x1234, device=0x5347, class_code=0x060400, bridge=True)
    add_pci_express(space, 0x40, kind)
    if acs:
        add_acs(space, 0x100, ALL_ACS, 3)
    return Function(space, below)


def endpoint(memory: int = 16 * MIB, max_payload_code: int = 2) -> Function:
    bars = {0: BarDefinition(16 * KIB), 2: BarDefinition(memory, wide=True, prefetchable=True)}
    space = ConfigSpace(vendor=0x1234, device=0x5345, class_code=0x088000, bars=bars)
    add_pci_express(space, 0x40, PciExpressType.ENDPOINT, max_payload_code=max_payload_code)
    return Function(space)


def machine(*endpoints: Function, address_map: AddressMap = ADDRESS_MAP) -> Machine:
    """Host bridge, root port, switch with one downstream port per endpoint."""
    ports = {number: bridge(PciExpressType.DOWNSTREAM_PORT, {0: function}, acs=True) for number, function in enumerate(endpoints)}
    switch = bridge(PciExpressType.UPSTREAM_PORT, ports)
    host = Function(ConfigSpace(vendor=0x8086, device=0x09A2, class_code=0x060000))
    return Machine({0: host, 1: bridge(PciExpressType.ROOT_PORT, {0: switch})}, address_map)


def enumerated(found: Machine, settings: EnumerationSettings | None = None) -> PciTree:
    platform: Platform = found  # type: ignore[assignment]
    return enumerate_pci(platform, settings)


def test_buses_are_numbered_depth_first() -> None:
    tree = enumerated(machine(endpoint(), endpoint()))
    assert [str(function.bdf) for function in tree.functions] == [
        "00:00.0", "00:01.0", "01:00.0", "02:00.0", "03:00.0", "02:01.0", "04:00.0",
    ]  # fmt: skip
    numbers = {str(function.bdf): (function.secondary_bus, function.subordinate_bus) for function in tree.functions}
    assert numbers["00:01.0"] == (1, 4)
    assert numbers["01:00.0"] == (2, 4)
    assert numbers["02:00.0"] == (3, 3)
    assert numbers["02:01.0"] == (4, 4)
    assert [str(function.bdf) for function in tree.endpoints] == ["03:00.0", "04:00.0"]
    assert tree.at(Bdf(3, 0)).device.parent is tree.at(Bdf(2, 0)).device


def test_bars_lie_in_their_windows_and_nowhere_else() -> None:
    found = machine(endpoint(16 * MIB), endpoint(64 * MIB))
    tree = enumerated(found)
    for function in tree.endpoints:
        bars = function.device.bars
        assert set(bars) == {0, 2}
        assert ADDRESS_MAP.mmio32.contains(bars[0].phys, bars[0].size)
        assert ADDRESS_MAP.mmio64.contains(bars[2].phys, bars[2].size)
        space = found.find(function.bdf)
        assert space is not None
        for number, bar in bars.items():
            assert bar.phys % bar.size == 0
            assert space.bar(number).phys == bar.phys
            for other in tree.functions:
                config = found.find(other.bdf)
                if other.is_bridge and config is not None:
                    above = other.device in function.device.chain()
                    assert config.claims(bar.phys, bar.size) == above, f"{other.bdf} and BAR {number} of {function.bdf}"


def test_a_bus_without_memory_gets_closed_windows() -> None:
    empty = bridge(PciExpressType.DOWNSTREAM_PORT, {}, acs=True)
    found = machine(endpoint())
    found.root[1].below[0].below[1] = empty
    enumerated(found)
    assert empty.space.windows() == []
    assert empty.space.bus_numbers == (2, 4, 4)


def test_enables_payload_and_read_request() -> None:
    found = machine(endpoint(max_payload_code=1), endpoint())
    tree = enumerated(found, EnumerationSettings(max_payload=512, max_read_request=1024))
    for function in tree.functions:
        space = found.find(function.bdf)
        assert space is not None
        assert space.memory_enabled
        assert space.bus_master
        if Capability.PCI_EXPRESS in function.capabilities:
            control = space.read(function.capabilities[Capability.PCI_EXPRESS] + 8, 2)
            assert control >> 5 & 7 == 1, "the endpoint with 256 bytes limits everyone"
            assert control >> 12 & 7 == 3
            assert control & 1 << 8, "extended tags"


def test_bus_master_can_stay_off() -> None:
    found = machine(endpoint())
    tree = enumerated(found, EnumerationSettings(bus_master=False))
    space = found.find(tree.endpoints[0].bdf)
    assert space is not None
    assert space.memory_enabled
    assert not space.bus_master


def test_enumerating_twice_finds_the_same() -> None:
    found = machine(endpoint(), endpoint())
    first, second = enumerated(found), enumerated(found)
    assert [function.bdf for function in first.functions] == [function.bdf for function in second.functions]
    assert [function.device.bars for function in first.functions] == [function.device.bars for function in second.functions]


def test_peer_distance_follows_acs() -> None:
    isolated = AcsControl.SOURCE_VALIDATION | AcsControl.REQUEST_REDIRECT | AcsControl.COMPLETION_REDIRECT
    found = machine(endpoint(), endpoint())
    tree = enumerated(found)
    provider, client = (function.device for function in tree.endpoints)
    assert peer_path(provider, client).map_type is P2pdmaMapType.BUS_ADDR
    redirected_tree = enumerated(found, EnumerationSettings(acs=isolated))
    provider, client = (function.device for function in redirected_tree.endpoints)
    assert peer_path(provider, client).map_type is P2pdmaMapType.THRU_HOST_BRIDGE
    port = redirected_tree.at(Bdf(2, 0))
    assert port.device.acs == isolated
    assert set_acs(port, AcsControl.NONE) == AcsControl.NONE


def test_what_cannot_be_set_up_is_said() -> None:
    small = AddressMap(mmio64=Region(0x40_0000_0000, 8 * MIB))
    with pytest.raises(EnumerationError, match="enlarge the mmio64 region"):
        enumerated(machine(endpoint(), address_map=small))
    with pytest.raises(EnumerationError, match="Max_Payload_Size 300"):
        enumerated(machine(endpoint()), EnumerationSettings(max_payload=300))
    tree = enumerated(machine(endpoint()))
    with pytest.raises(EnumerationError, match="no ACS capability"):
        set_acs(tree.endpoints[0], AcsControl.NONE)
    with pytest.raises(LookupError, match=r"no PCI function 09:00\.0"):
        tree.at(Bdf(9, 0))
