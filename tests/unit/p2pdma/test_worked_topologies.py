"""Vector 69: the worked topologies T1 to T15 of the DMA API specification, section 5."""

import pytest
from sluicegate.dma import Host
from sluicegate.p2pdma.api import pci_p2pdma_distance, pci_p2pdma_distance_many
from sluicegate.p2pdma.distance import PeerPath
from sluicegate.pci.topology import AcsControl, PciDevice, PciExpressType

from tests.unit.p2pdma.trees import BUS_ADDR, NOT_SUPPORTED, REDIRECT, THRU, UNLISTED, Tree, one_switch


def two_functions(bridge_device: int = UNLISTED, acs: int | None = None) -> Tree:
    tree = Tree()
    port = tree.root_port("RP", tree.bridge(), bridge_device, acs)
    for function in (0, 1):
        tree.nodes[f"f{function}"] = port.add(PciDevice(f"f{function}", bus=1, devfn=function))
    return tree


def test_t1_a_device_and_itself() -> None:
    assert two_functions().path("f0", "f0") == PeerPath(BUS_ADDR, 0)


def test_t2_two_functions() -> None:
    assert two_functions().path("f0", "f1") == PeerPath(BUS_ADDR, 2)


def test_t3_acs_on_the_common_root_port() -> None:
    assert two_functions(acs=REDIRECT).path("f0", "f1") == PeerPath(NOT_SUPPORTED, 2)
    assert two_functions(0x2F01, REDIRECT).path("f0", "f1") == PeerPath(THRU, 2)


@pytest.mark.parametrize("root_acs", [None, REDIRECT])
def test_t4_below_one_switch(root_acs: int | None) -> None:
    tree = one_switch(root_acs=root_acs)
    assert tree.path("A", "B") == PeerPath(BUS_ADDR, 4)
    devices = tree.devices(Host())
    assert pci_p2pdma_distance_many(devices["A"], [devices["A"], devices["B"]]) == 4
    assert pci_p2pdma_distance_many(devices["A"], [devices["B"], devices["B"]]) == 8


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ({"D0": REDIRECT}, NOT_SUPPORTED),
        ({"D1": AcsControl.REQUEST_REDIRECT}, NOT_SUPPORTED),
        ({"D1": AcsControl.EGRESS_CONTROL}, NOT_SUPPORTED),
        ({"D0": AcsControl.SOURCE_VALIDATION}, BUS_ADDR),
        ({"D0": AcsControl.UPSTREAM_FORWARDING}, BUS_ADDR),
        ({"D0": AcsControl.DIRECT_TRANSLATED | AcsControl.TRANSLATION_BLOCKING}, BUS_ADDR),
    ],
)
def test_t5_acs_on_one_port_of_the_switch(ports: dict[str, AcsControl], expected: object) -> None:
    assert one_switch(**ports).path("A", "B") == PeerPath(expected, 4)  # type: ignore[arg-type]


def test_t6_a_listed_bridge_or_a_zen_cpu_carries_what_acs_redirects() -> None:
    assert one_switch(0x2030, D0=REDIRECT).path("A", "B") == PeerPath(THRU, 4)
    assert one_switch(D0=REDIRECT).path("A", "B", zen=True) == PeerPath(THRU, 4)


def two_ports(device: int, same_bridge: bool = True, other: int | None = None, vendor: int = 0x8086) -> Tree:
    tree = Tree()
    first = tree.bridge()
    second = first if same_bridge else tree.bridge()
    tree.add(tree.root_port("RP0", first, device, vendor=vendor), "A")
    tree.add(tree.root_port("RP1", second, device if other is None else other, vendor=vendor), "B")
    return tree


@pytest.mark.parametrize(("device", "expected"), [(UNLISTED, NOT_SUPPORTED), (0x2F01, THRU)])
def test_t7_t8_two_root_ports_of_one_bridge(device: int, expected: object) -> None:
    assert two_ports(device).path("A", "B") == PeerPath(expected, 4)  # type: ignore[arg-type]


def test_t9_two_host_bridges() -> None:
    assert two_ports(0x2F01, False).path("A", "B") == PeerPath(NOT_SUPPORTED, 4)
    assert two_ports(0x2030, False).path("A", "B") == PeerPath(THRU, 4)
    assert two_ports(0x2030, False, UNLISTED).path("A", "B") == PeerPath(NOT_SUPPORTED, 4)
    assert two_ports(0x2F01, False).path("A", "B", zen=True) == PeerPath(THRU, 4)
    assert two_ports(1, False, 2, vendor=0x1AE0).path("A", "B") == PeerPath(THRU, 4)


def test_t10_a_switch_below_a_switch() -> None:
    tree = one_switch()
    tree.switch(tree.add(tree.nodes["U"], "D2", PciExpressType.DOWNSTREAM_PORT), "C", tag="'")
    assert tree.path("A", "C") == PeerPath(BUS_ADDR, 6)
    assert tree.path("A", "A") == PeerPath(BUS_ADDR, 0)
    devices = tree.devices(Host())
    assert pci_p2pdma_distance_many(devices["A"], [devices["A"], devices["C"]]) == 6


def test_t11_the_root_port_as_an_end_of_the_path() -> None:
    tree = two_functions()
    assert tree.path("RP", "f0") == tree.path("f0", "RP") == PeerPath(BUS_ADDR, 1)
    assert two_functions(acs=REDIRECT).path("RP", "f0").map_type is NOT_SUPPORTED


def test_t12_an_integrated_device() -> None:
    tree = two_ports(UNLISTED)
    tree.nodes["R"] = tree.bridges[0].add(PciDevice("R", PciExpressType.ROOT_COMPLEX_INTEGRATED, devfn=0xF8))
    assert tree.path("R", "A") == PeerPath(NOT_SUPPORTED, 3)
    assert tree.path("R", "A", zen=True) == PeerPath(THRU, 3)


def test_t13_the_first_device_of_the_bridge_must_be_00_0_or_a_root_port() -> None:
    tree = Tree()
    bridge = tree.bridge()
    bridge.add(PciDevice("first", PciExpressType.ROOT_COMPLEX_INTEGRATED, devfn=1, vendor=0x8086, device=0x2030))
    tree.add(tree.root_port("RP0", bridge, 0x2030), "A")
    tree.add(tree.root_port("RP1", bridge, 0x2030), "B")
    assert tree.path("A", "B") == PeerPath(NOT_SUPPORTED, 4)


def test_t14_acs_in_the_endpoint_itself() -> None:
    tree = two_functions()
    tree.nodes["f0"].acs = AcsControl.REQUEST_REDIRECT
    assert tree.path("f0", "f0") == PeerPath(NOT_SUPPORTED, 0)
    assert tree.path("f0", "f1") == PeerPath(NOT_SUPPORTED, 2)
    devices = tree.devices(Host())
    assert pci_p2pdma_distance(devices["f0"], devices["f0"]) == -1


def test_t15_across_root_ports() -> None:
    tree = one_switch(0x2030)
    tree.add(tree.root_port("RP1", tree.bridges[0], 0x2030), "C")
    assert tree.path("A", "C") == PeerPath(THRU, 6)
    devices = tree.devices(Host())
    assert pci_p2pdma_distance_many(devices["A"], [devices["B"], devices["C"]]) == 10
    assert pci_p2pdma_distance_many(devices["C"], [devices["A"], devices["B"]]) == 12


def test_a_virtual_function_uses_the_bus_of_its_physical_function() -> None:
    tree = two_functions()
    virtual = PciDevice("vf", bus=1, devfn=0x10, physical_function=tree.nodes["f0"])
    tree.nodes["vf"] = tree.nodes["RP"].add(virtual)
    assert tree.path("vf", "f1") == PeerPath(BUS_ADDR, 2)


def test_building_a_tree_wrongly_is_refused() -> None:
    tree = two_functions()
    with pytest.raises(ValueError, match="no bridge"):
        tree.nodes["f0"].add(PciDevice("below"))
    with pytest.raises(ValueError, match="already in a tree"):
        tree.nodes["RP"].add(tree.nodes["f0"])
    with pytest.raises(ValueError, match="in no tree"):
        _ = PciDevice("lonely").host
    with pytest.raises(ValueError, match="8 bits"):
        PciDevice("wide", devfn=256)
