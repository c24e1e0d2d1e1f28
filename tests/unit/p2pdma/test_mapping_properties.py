"""Whatever the tree: peer memory is mapped as the topology says, or not at all."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from sluicegate.dma import (
    DMA_BIT_MASK,
    DMA_FROM_DEVICE,
    Device,
    DmaIommu,
    Errno,
    Host,
    RecordingDomain,
    Scatterlist,
    SgEntry,
    SgTable,
    dma_map_sgtable,
    dma_set_mask_and_coherent,
    dma_unmap_sgtable,
)
from sluicegate.p2pdma.api import pci_alloc_p2pmem, pci_p2pdma_add_resource, pci_p2pdma_distance
from sluicegate.p2pdma.distance import peer_path
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.p2pdma.registry import P2pdma
from sluicegate.pci.topology import AcsControl, Bar, HostBridge, PciDevice, PciExpressType

ACS = st.sampled_from([None, AcsControl.NONE, AcsControl.REQUEST_REDIRECT, AcsControl.COMPLETION_REDIRECT])
PORTS = st.lists(st.tuples(st.integers(0, 20), ACS), min_size=1, max_size=8)
BAR = Bar(0xA000_0000, 0x2000_0000, 1 << 16)


@given(
    bridges=st.lists(PORTS, min_size=1, max_size=2),
    places=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    listed=st.booleans(),
    zen=st.booleans(),
    with_iommu=st.booleans(),
)
@settings(max_examples=120)
def test_a_mapping_is_what_the_topology_allows(
    bridges: list[list[tuple[int, AcsControl | None]]], places: tuple[int, int], listed: bool, zen: bool, with_iommu: bool
) -> None:
    ports: list[PciDevice] = []
    for domain, shape in enumerate(bridges):
        bridge = HostBridge(domain)
        own: list[PciDevice] = []
        for number, (parent, acs) in enumerate(shape):
            kind = PciExpressType.DOWNSTREAM_PORT if own else PciExpressType.ROOT_PORT
            port = PciDevice(
                f"p{domain}.{number}", kind, bus=number, devfn=8, vendor=0x8086, device=0x2030 if listed else 1, acs=acs
            )
            own.append(own[parent % len(own)].add(port) if own else bridge.add(port))
        ports += own
    provider_function = ports[places[0] % len(ports)].add(PciDevice("ssd", bus=100, bars={2: BAR}))
    client_function = ports[places[1] % len(ports)].add(PciDevice("nic", bus=101))

    host = Host()
    P2pdma(host, cpu_is_zen=zen)
    domain_table = RecordingDomain()
    provider = Device(host, "ssd", pci=provider_function)
    back_end = DmaIommu(host, domain_table) if with_iommu else None
    client = Device(host, "nic", pci=client_function, backend=back_end)
    dma_set_mask_and_coherent(client, DMA_BIT_MASK(64))
    assert pci_p2pdma_add_resource(provider, 2, 0, 0) == 0
    memory = pci_alloc_p2pmem(provider, 8192)
    assert memory is not None

    expected = peer_path(provider_function, client_function, zen)
    ram = host.alloc_page()
    table = SgTable(Scatterlist([SgEntry(ram, 0, 4096), SgEntry(memory.page, 0, 8192)]))
    result = dma_map_sgtable(client, table, DMA_FROM_DEVICE)
    if expected.map_type is P2pdmaMapType.NOT_SUPPORTED:
        assert pci_p2pdma_distance(provider, client) == -1
        assert result == -Errno.EREMOTEIO
        assert client.mappings() == ()
        assert domain_table.mapped_bytes == 0
        return
    assert pci_p2pdma_distance(provider, client) == expected.distance
    assert result == 0
    pieces = [piece for mapping in client.mappings() for piece in mapping.all_pieces()]
    (peer,) = (piece for piece in pieces if piece.phys == BAR.phys)
    if expected.map_type is P2pdmaMapType.BUS_ADDR:
        assert peer.dma == BAR.bus
        assert domain_table.mapped_bytes == (4096 if with_iommu else 0)
    elif with_iommu:
        assert domain_table.iova_to_phys(peer.dma) == BAR.phys
        assert not BAR.bus <= peer.dma < BAR.bus + BAR.size
    else:
        assert peer.dma == BAR.phys
    dma_unmap_sgtable(client, table, DMA_FROM_DEVICE)
    assert domain_table.mapped_bytes == 0
    host.assert_clean()
