"""Vectors 70 to 75, 91 to 93, and the rest of section 1.11 and 1.8."""

import pytest
from sluicegate.address import PeerAddress, PhysicalAddress
from sluicegate.dma import (
    DMA_BIT_MASK,
    DMA_PEER_MAPPING_ERROR,
    DMA_TO_DEVICE,
    DebugClass,
    DebugMode,
    Device,
    DmaDebugError,
    DmaIommu,
    FaultInjector,
    FaultPoint,
    Host,
    KernelBug,
    RecordingDomain,
    Scatterlist,
    SgEntry,
    dma_map_page,
    dma_map_peer_resource,
    dma_map_sg,
    dma_map_sgtable,
    dma_mapping_error,
    dma_peer_mapping_error,
    dma_set_mask_and_coherent,
    dma_unmap_peer_resource,
    dma_unmap_sg,
)
from sluicegate.dma.scatterlist import SgTable
from sluicegate.p2pdma.api import (
    PeerBuffer,
    pci_alloc_p2pmem,
    pci_dev_put,
    pci_free_p2pmem,
    pci_has_p2pmem,
    pci_p2pdma_add_resource,
    pci_p2pdma_bus_addr_map,
    pci_p2pdma_distance,
    pci_p2pdma_distance_many,
    pci_p2pdma_map_type,
    pci_p2pmem_alloc_sgl,
    pci_p2pmem_find,
    pci_p2pmem_find_many,
    pci_p2pmem_free_sgl,
    pci_p2pmem_publish,
    pci_p2pmem_virt_to_bus,
    pcim_p2pdma_init,
    pcim_p2pdma_provider,
)
from sluicegate.p2pdma.provider import P2pdmaProvider
from sluicegate.p2pdma.registry import P2pdma
from sluicegate.p2pdma.sysfs import P2pmemChoice, P2pmemGroup, pci_name, pci_p2pdma_enable_show, pci_p2pdma_enable_store
from sluicegate.pci.topology import AcsControl, Bar, PciDevice, PciExpressType

from tests.unit.p2pdma.trees import BUS_ADDR, NOT_SUPPORTED, THRU, Tree, one_switch

MIB = 1 << 20


class Machine:
    """A below a switch with a 1 MiB memory BAR 2 (CPU 0xA0000000, bus 0x20000000) and an I/O BAR 4; B its sibling."""

    def __init__(self, tree: Tree | None = None, debug: DebugMode = DebugMode.STRICT, **registry: bool) -> None:
        self.tree = one_switch() if tree is None else tree
        self.host = Host(debug=debug)
        self.registry = P2pdma(self.host, **registry)
        self.tree.nodes["A"].bars.update({2: Bar(0xA0000000, 0x20000000, MIB), 4: Bar(0x1000, 0x1000, 256, memory=False)})
        self.devices = self.tree.devices(self.host)
        for device in self.devices.values():
            dma_set_mask_and_coherent(device, DMA_BIT_MASK(64))
        self.provider = self.devices["A"]
        self.client = self.devices["B"]

    def with_memory(self, size: int = 65536) -> "Machine":
        assert pci_p2pdma_add_resource(self.provider, 2, size, 0) == 0
        return self


def page_of(provider: Device, buffer: PeerBuffer | None) -> int:
    assert buffer is not None
    assert provider.pci is not None
    return (int(buffer.phys) - provider.pci.bars[2].phys) // 4096


def test_v70_what_a_resource_may_be() -> None:
    machine = Machine()
    for bar, size, offset in ((2, 0, MIB), (2, MIB, 4096), (4, 256, 0), (0, 4096, 0), (2, 100, 0)):
        assert pci_p2pdma_add_resource(machine.provider, bar, size, offset) == -22
    assert pci_p2pdma_add_resource(machine.provider, 2, 0, MIB // 2) == 0
    assert P2pmemGroup(machine.provider).size == f"{MIB // 2}\n"
    assert pci_p2pdma_add_resource(machine.provider, 2, 0, MIB // 2) == -22, "it is there already"
    ruled = Machine(subsection_rule=True)
    assert pci_p2pdma_add_resource(ruled.provider, 2, 0, MIB // 2) == -22


def test_v71_first_fit_in_pages() -> None:
    machine = Machine().with_memory()
    first = pci_alloc_p2pmem(machine.provider, 1)
    assert page_of(machine.provider, first) == 0
    assert P2pmemGroup(machine.provider).available == f"{65536 - 4096}\n"
    assert page_of(machine.provider, pci_alloc_p2pmem(machine.provider, 8192)) == 1
    assert first is not None
    pci_free_p2pmem(machine.provider, first, 1)
    assert page_of(machine.provider, pci_alloc_p2pmem(machine.provider, 8192)) == 3
    assert page_of(machine.provider, pci_alloc_p2pmem(machine.provider, 4096)) == 0
    assert pci_alloc_p2pmem(machine.provider, 0) is None
    assert pci_alloc_p2pmem(machine.provider, 65537) is None


def test_v72_the_newest_resource_first() -> None:
    machine = Machine().with_memory(65536)
    assert pci_p2pdma_add_resource(machine.provider, 2, 65536, 65536) == 0
    assert page_of(machine.provider, pci_alloc_p2pmem(machine.provider, 4096)) == 16
    assert pci_alloc_p2pmem(machine.provider, 2 * 65536) is None, "no request spans two resources"


def test_v73_bus_addresses() -> None:
    machine = Machine().with_memory()
    buffer = pci_alloc_p2pmem(machine.provider, 8192)
    assert buffer is not None
    assert pci_p2pmem_virt_to_bus(machine.provider, buffer, 0x1000) == PeerAddress(0x20001000)
    assert pci_p2pdma_bus_addr_map(buffer.provider, 0xA0001000) == PeerAddress(0x20001000)
    assert pci_p2pmem_virt_to_bus(machine.provider, None) == PeerAddress(0)
    assert pci_p2pmem_virt_to_bus(machine.client, buffer) == PeerAddress(0)
    outside = PeerBuffer(buffer.provider, PhysicalAddress(0xB0000000), 1)
    assert pci_p2pmem_virt_to_bus(machine.provider, outside) == PeerAddress((1 << 64) - 1)


def test_v74_the_closest_published_provider() -> None:
    tree = one_switch(0x2030)
    tree.add(tree.root_port("RP1", tree.bridges[0], 0x2030), "C")
    for number, name in enumerate(("B", "C")):
        tree.nodes[name].bars[2] = Bar(0xB0000000 + number * MIB, 0xB0000000 + number * MIB, MIB)
    machine = Machine(tree).with_memory()
    a, b, c = (machine.devices[name] for name in "ABC")
    assert pci_p2pmem_find(a) is None, "nothing is published"
    for device in (b, c):
        assert pci_p2pdma_add_resource(device, 2, 0, 0) == 0
        pci_p2pmem_publish(device, True)
    assert [pci_p2pdma_distance(provider, a) for provider in (b, c)] == [4, 6]
    assert pci_p2pmem_find_many([a]) is b
    pci_dev_put(b)
    with pytest.raises(ValueError, match="no reference"):
        pci_dev_put(b)
    pci_p2pmem_publish(a, True)
    assert {pci_p2pmem_find(c) for _ in range(20)} == {c}
    assert {pci_p2pmem_find_many([c, c]) for _ in range(2)} == {c}
    pci_p2pmem_publish(c, False)
    assert not pci_has_p2pmem(c)
    assert {pci_p2pmem_find(c) for _ in range(40)} == {a, b}, "equally close ones are drawn from"
    assert pci_p2pmem_find(Device(machine.host, "platform")) is None
    assert pci_p2pmem_find_many([]) is None


def test_v75_mappings_remember_the_map_type_until_a_distance_is_asked() -> None:
    machine = Machine().with_memory()
    buffer = pci_alloc_p2pmem(machine.provider, 4096)
    assert buffer is not None
    sgt = SgTable(Scatterlist([SgEntry(buffer.page, 0, 4096)]))
    assert pci_p2pdma_map_type(buffer.provider, machine.client) is BUS_ADDR
    machine.tree.nodes["D0"].acs = AcsControl.REQUEST_REDIRECT
    assert dma_map_sgtable(machine.client, sgt, DMA_TO_DEVICE) == 0
    assert next(sgt.segments()) == (0x20000000, 4096)
    dma_unmap_sg(machine.client, sgt.sgl, 1, DMA_TO_DEVICE)
    assert pci_p2pdma_distance(machine.provider, machine.client) == -1
    assert dma_map_sgtable(machine.client, sgt, DMA_TO_DEVICE) == -121


def test_distance_needs_clients_with_a_pci_ancestor() -> None:
    machine = Machine()
    below = Device(machine.host, "mdev", parent=machine.client)
    assert pci_p2pdma_distance(machine.provider, below) == 4
    assert pci_p2pdma_distance_many(machine.provider, []) == -1
    assert pci_p2pdma_distance_many(machine.provider, [machine.client, Device(machine.host, "platform")]) == -1
    with pytest.raises(TypeError, match="no PCI device"):
        pci_p2pdma_distance(below, machine.client)
    machine.with_memory()
    buffer = pci_alloc_p2pmem(machine.provider, 4096)
    assert buffer is not None
    assert pci_p2pdma_map_type(buffer.provider, below) is NOT_SUPPORTED, "a mapping does not look at parents"


def test_providers_without_a_pool() -> None:
    machine = Machine(debug=DebugMode.LOG)
    assert pcim_p2pdma_provider(machine.provider, 2) is None
    assert pcim_p2pdma_init(machine.provider) == pcim_p2pdma_init(machine.provider) == 0
    provider = pcim_p2pdma_provider(machine.provider, 2)
    assert provider is not None
    assert provider.bus_address(0xA0000010) == 0x20000010
    assert pcim_p2pdma_provider(machine.provider, 4) is None
    assert pci_p2pdma_map_type(provider, machine.client) is BUS_ADDR
    assert pci_alloc_p2pmem(machine.provider, 4096) is None
    assert machine.host.debug.counts[DebugClass.PEER_MEMORY_UNMANAGED] == 1
    assert pci_alloc_p2pmem(machine.client, 4096) is None


def test_bad_frees_are_bugs() -> None:
    machine = Machine().with_memory()
    buffer = pci_alloc_p2pmem(machine.provider, 4096)
    assert buffer is not None
    with pytest.raises(KernelBug, match="not all of it"):
        pci_free_p2pmem(machine.provider, buffer, 8192)
    with pytest.raises(KernelBug, match="no resource"):
        pci_free_p2pmem(machine.provider, PeerBuffer(buffer.provider, PhysicalAddress(0x5000), 1), 1)
    pci_free_p2pmem(machine.provider, buffer, 4096)
    with pytest.raises(KernelBug, match="not all of it"):
        pci_free_p2pmem(machine.provider, buffer, 4096)
    with pytest.raises(ValueError, match="no peer memory"):
        pci_free_p2pmem(machine.client, buffer, 4096)


def test_scatterlists_of_peer_memory_and_injected_exhaustion() -> None:
    machine = Machine().with_memory()
    sgl = pci_p2pmem_alloc_sgl(machine.provider, 5000)
    assert sgl is not None
    assert [(entry.phys, entry.length) for entry in sgl] == [(0xA0000000, 5000)]
    assert dma_map_sg(machine.client, sgl, 1, DMA_TO_DEVICE) == 1
    dma_unmap_sg(machine.client, sgl, 1, DMA_TO_DEVICE)
    pci_p2pmem_free_sgl(machine.provider, sgl)
    assert len(sgl) == 0
    assert P2pmemGroup(machine.provider).available == "65536\n"
    machine.host.faults = FaultInjector()
    machine.host.faults.fail(FaultPoint.P2PMEM_ALLOC)
    assert pci_p2pmem_alloc_sgl(machine.provider, 5000) is None


def test_peer_pages_need_the_sg_api() -> None:
    machine = Machine().with_memory()
    buffer = pci_alloc_p2pmem(machine.provider, 4096)
    assert buffer is not None
    with pytest.raises(DmaDebugError) as caught:
        dma_map_page(machine.client, buffer.page, 0, 4096, DMA_TO_DEVICE)
    assert caught.value.error_class is DebugClass.MAP_PEER_PAGE


def test_sysfs() -> None:
    machine = Machine().with_memory()
    group = P2pmemGroup(machine.provider)
    assert (group.size, group.available, group.published) == ("65536\n", "65536\n", "0\n")
    assert group.mmap(4096, shared=False) == group.mmap(4096, offset=4096) == -22
    assert isinstance(group.mmap(4096), PeerBuffer)
    assert group.mmap(1 << 30) == -12
    assert P2pmemGroup(machine.client).mmap(4096) == -19
    assert P2pmemGroup(machine.client).size == "0\n"
    choice = P2pmemChoice()
    name = pci_name(machine.provider)
    assert name.startswith("0000:")
    assert pci_p2pdma_enable_store(machine.host, name, choice) == -19
    pci_p2pmem_publish(machine.provider, True)
    assert group.published == "1\n"
    assert pci_p2pdma_enable_store(machine.host, f"{name}\n", choice) == 0
    assert pci_p2pdma_enable_show(choice) == f"{name}\n"
    for text, shown in (("1", "1\n"), ("0", "0\n"), ("yes", "1\n"), ("on", "1\n"), ("off", "0\n"), ("n", "0\n")):
        assert pci_p2pdma_enable_store(machine.host, text, choice) == 0
        assert pci_p2pdma_enable_show(choice) == shown
    assert pci_p2pdma_enable_store(machine.host, "0000:ff:00.0", choice) == -19


def test_through_the_host_bridge_behind_an_iommu() -> None:
    tree = one_switch(0x2030, D0=AcsControl.REQUEST_REDIRECT)
    machine = Machine(tree).with_memory()
    domain = RecordingDomain()
    client = Device(machine.host, "behind", pci=tree.nodes["B"], backend=DmaIommu(machine.host, domain))
    dma_set_mask_and_coherent(client, DMA_BIT_MASK(32))
    buffer = pci_alloc_p2pmem(machine.provider, 4096)
    assert buffer is not None
    assert pci_p2pdma_map_type(buffer.provider, client) is THRU
    sgt = SgTable(Scatterlist([SgEntry(buffer.page, 0, 4096)]))
    assert dma_map_sgtable(client, sgt, DMA_TO_DEVICE) == 0
    assert domain.iova_to_phys(int(next(sgt.segments())[0])) == 0xA0000000


def test_v91_peers_below_one_host_bridge_only() -> None:
    machine = Machine()
    res = machine.tree.nodes["A"].bars[2]
    address = dma_map_peer_resource(machine.client, machine.provider, res, 0x1000, 4096, DMA_TO_DEVICE)
    assert address == PeerAddress(0x20001000)
    assert dma_peer_mapping_error(machine.client, address) == 0
    dma_unmap_peer_resource(machine.client, address, 4096, DMA_TO_DEVICE)
    machine.host.assert_clean()
    other = Tree()
    other.add(other.root_port("RP", other.bridge()), "C")
    stranger = Device(machine.host, "C", pci=other.nodes["C"])
    dma_set_mask_and_coherent(stranger, DMA_BIT_MASK(64))
    failed = dma_map_peer_resource(stranger, machine.provider, res, 0, 4096, DMA_TO_DEVICE)
    assert failed == DMA_PEER_MAPPING_ERROR
    assert dma_peer_mapping_error(stranger, failed) == -12


@pytest.mark.parametrize(("offset", "size"), [(0, MIB + 1), (MIB, 1), (MIB - 4096, 4097)])
def test_v92_outside_the_resource(offset: int, size: int) -> None:
    machine = Machine()
    res = machine.tree.nodes["A"].bars[2]
    assert dma_map_peer_resource(machine.client, machine.provider, res, offset, size, DMA_TO_DEVICE) == DMA_PEER_MAPPING_ERROR


def test_v93_unmap_with_other_arguments() -> None:
    machine = Machine()
    res = machine.tree.nodes["A"].bars[2]
    address = dma_map_peer_resource(machine.client, machine.provider, res, 0, 4096, DMA_TO_DEVICE)
    with pytest.raises(DmaDebugError) as caught:
        dma_unmap_peer_resource(machine.client, address, 2048, DMA_TO_DEVICE)
    assert caught.value.error_class is DebugClass.FREE_DIFFERENT_SIZE
    with pytest.raises(DmaDebugError) as caught:
        dma_unmap_peer_resource(machine.client, address, 4096, DMA_TO_DEVICE)
    assert caught.value.error_class is DebugClass.PEER_ERROR_NOT_CHECKED
    with pytest.raises(TypeError, match=r"PeerAddress .* used as DmaAddress"):
        dma_mapping_error(machine.client, address)


def test_peer_resources_need_the_platform_a_memory_bar_of_the_peer_and_reach() -> None:
    machine = Machine()
    bars = machine.tree.nodes["A"].bars
    foreign = Bar(0xA0000000, 0x20000000, MIB)
    for bar in (bars[4], foreign):
        assert dma_map_peer_resource(machine.client, machine.provider, bar, 0, 16, DMA_TO_DEVICE) == DMA_PEER_MAPPING_ERROR
    dma_set_mask_and_coherent(machine.client, DMA_BIT_MASK(24))
    assert dma_map_peer_resource(machine.client, machine.provider, bars[2], 0, 16, DMA_TO_DEVICE) == DMA_PEER_MAPPING_ERROR
    host = Host(has_dma_p2p=False)
    devices = one_switch().devices(host)
    for device in devices.values():
        dma_set_mask_and_coherent(device, DMA_BIT_MASK(64))
    assert dma_map_peer_resource(devices["B"], devices["A"], bars[2], 0, 16, DMA_TO_DEVICE) == DMA_PEER_MAPPING_ERROR


def test_a_peer_resource_behind_an_iommu_is_an_mmio_translation() -> None:
    machine = Machine()
    domain = RecordingDomain()
    client = Device(machine.host, "behind", pci=machine.tree.nodes["B"], backend=DmaIommu(machine.host, domain))
    dma_set_mask_and_coherent(client, DMA_BIT_MASK(32))
    address = dma_map_peer_resource(client, machine.provider, machine.tree.nodes["A"].bars[2], 0x1000, 4096, DMA_TO_DEVICE)
    assert domain.log[0] == ("M", int(address), 0xA0001000, 4096, 17)
    assert dma_peer_mapping_error(client, address) == 0
    dma_unmap_peer_resource(client, address, 4096, DMA_TO_DEVICE)
    assert domain.mapped_bytes == 0


def test_memory_of_a_device_that_goes_away_is_not_given_out() -> None:
    machine = Machine().with_memory()
    state = machine.registry.state(machine.provider)
    assert state is not None
    state.dying = True
    assert pci_alloc_p2pmem(machine.provider, 4096) is None
    assert P2pmemGroup(machine.provider).available == "65536\n"
    state.dying = False
    with pytest.raises(ValueError, match="size is -1: give an unsigned"):
        pci_alloc_p2pmem(machine.provider, -1)
    buffer = pci_alloc_p2pmem(machine.provider, 4096)
    assert repr(buffer) == "<PeerBuffer 0xa0000000+0x1000 of <P2pdmaProvider A BAR 2>>"


def test_a_provider_without_state_and_publishing_without_memory() -> None:
    machine = Machine()
    pci_p2pmem_publish(machine.client, True)
    assert not pci_has_p2pmem(machine.client)
    orphan = P2pdmaProvider(machine.registry, machine.client, 0, Bar(0xB0000000, 0xB0000000, MIB))
    assert orphan.map_type(machine.provider) is NOT_SUPPORTED
    host = Host()
    assert P2pdma.of(host) is P2pdma.of(host)


def test_peer_mappings_that_run_out_of_iova_or_are_asked_with_no_mask() -> None:
    machine = Machine(debug=DebugMode.LOG)
    res = machine.tree.nodes["A"].bars[2]
    client = Device(machine.host, "behind", pci=machine.tree.nodes["B"], backend=DmaIommu(machine.host, RecordingDomain()))
    dma_set_mask_and_coherent(client, DMA_BIT_MASK(12))
    assert dma_map_peer_resource(client, machine.provider, res, 0, 4096, DMA_TO_DEVICE) == DMA_PEER_MAPPING_ERROR
    assert dma_map_peer_resource(client, machine.provider, res, 0, 0, DMA_TO_DEVICE) == DMA_PEER_MAPPING_ERROR
    dma_unmap_peer_resource(client, 0x5000, 4096, DMA_TO_DEVICE)
    assert [report.error_class.identifier for report in machine.host.debug.reports] == ["M2", "D2"]
    # The failure bounds later sizes below 4 GiB until something there is freed, as in the kernel: look above.
    dma_set_mask_and_coherent(client, DMA_BIT_MASK(40))
    address = dma_map_peer_resource(client, machine.provider, res, 0, 4096, DMA_TO_DEVICE)
    for _ in range(2):
        assert dma_peer_mapping_error(client, address) == 0


def test_trees_are_walked_and_known_by_place() -> None:
    machine = Machine()
    bridge = machine.tree.bridges[0]
    assert [node.name for node in bridge.walk()] == ["RP", "U", "D0", "A", "D1", "B"]
    a = machine.tree.nodes["A"]
    assert str(a.bdf) == f"{a.bus:02x}:00.0"
    assert a.bar_of(0xA0000000, MIB) == a.bars[2]
    assert a.bar_of(0xA0000000, MIB + 1) is None
    assert repr(a) == "<PciDevice A ENDPOINT>"
    lonely = PciDevice("port", PciExpressType.ROOT_PORT)
    with pytest.raises(ValueError, match="in no tree yet"):
        lonely.add(PciDevice("below"))
