"""Ranges of peer memory mapped for an importer."""

import pytest
from sluicegate.address import PhysicalAddress
from sluicegate.dma import DMA_BIT_MASK, DMA_TO_DEVICE, Device, DmaIommu, RecordingDomain, dma_set_mask_and_coherent
from sluicegate.p2pdma.api import pcim_p2pdma_init, pcim_p2pdma_provider
from sluicegate.p2pdma.dma_buf import LONGEST_ENTRY, DmaBufTable, PhysRange, dma_buf_free_sgt, dma_buf_phys_vec_to_sgt
from sluicegate.p2pdma.provider import P2pdmaProvider
from sluicegate.pci.topology import AcsControl

from tests.unit.p2pdma.test_p2pdma_vectors import Machine
from tests.unit.p2pdma.trees import one_switch

RANGES = [PhysRange(0xA0000000, 8192), PhysRange(0xA0010000, 4096)]


def provider_of(machine: Machine) -> P2pdmaProvider:
    pcim_p2pdma_init(machine.provider)
    provider = pcim_p2pdma_provider(machine.provider, 2)
    assert provider is not None
    return provider


def segments(table: DmaBufTable) -> list[tuple[int, int]]:
    return [(int(address), length) for address, length in table.segments()]


def through_the_bridge() -> Machine:
    return Machine(one_switch(0x2030, D0=AcsControl.REQUEST_REDIRECT))


def test_bus_addresses_need_no_mapping() -> None:
    machine = Machine()
    table = dma_buf_phys_vec_to_sgt(machine.client, provider_of(machine), RANGES, DMA_TO_DEVICE)
    assert isinstance(table, DmaBufTable)
    assert segments(table) == [(0x20000000, 8192), (0x20010000, 4096)]
    assert (table.orig_nents, table.nents) == (0, 2)
    machine.host.assert_clean()
    dma_buf_free_sgt(machine.client, table)
    assert table.nents == 0


def test_behind_an_iommu_all_ranges_share_one_block() -> None:
    machine = through_the_bridge()
    domain = RecordingDomain()
    client = Device(machine.host, "behind", pci=machine.tree.nodes["B"], backend=DmaIommu(machine.host, domain))
    dma_set_mask_and_coherent(client, DMA_BIT_MASK(32))
    provider = provider_of(machine)
    table = dma_buf_phys_vec_to_sgt(client, provider, RANGES, DMA_TO_DEVICE)
    assert isinstance(table, DmaBufTable)
    ((address, length),) = segments(table)
    assert length == 12288
    assert [domain.iova_to_phys(address + at) for at in (0, 4096, 8192)] == [0xA0000000, 0xA0001000, 0xA0010000]
    dma_buf_free_sgt(client, table)
    assert domain.mapped_bytes == 0
    machine.host.assert_clean()
    for failing in (0, 1):
        domain.fail_map_at = failing
        assert dma_buf_phys_vec_to_sgt(client, provider, RANGES, DMA_TO_DEVICE) == -12
        assert domain.mapped_bytes == 0
        machine.host.assert_clean()


def test_a_failed_sync_unlinks_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = through_the_bridge()
    domain = RecordingDomain()
    client = Device(machine.host, "behind", pci=machine.tree.nodes["B"], backend=DmaIommu(machine.host, domain))
    dma_set_mask_and_coherent(client, DMA_BIT_MASK(32))
    monkeypatch.setattr("sluicegate.p2pdma.dma_buf.dma_iova_sync", lambda *_: -12)
    assert dma_buf_phys_vec_to_sgt(client, provider_of(machine), RANGES, DMA_TO_DEVICE) == -12
    assert domain.mapped_bytes == 0
    machine.host.assert_clean()


def test_without_an_iommu_each_range_is_a_mapping() -> None:
    machine = through_the_bridge()
    provider = provider_of(machine)
    table = dma_buf_phys_vec_to_sgt(machine.client, provider, RANGES, DMA_TO_DEVICE)
    assert isinstance(table, DmaBufTable)
    assert segments(table) == [(0xA0000000, 8192), (0xA0010000, 4096)]
    dma_buf_free_sgt(machine.client, table)
    machine.host.assert_clean()
    out_of_reach = [*RANGES, PhysRange(1 << 33, 4096)]
    dma_set_mask_and_coherent(machine.client, DMA_BIT_MASK(32))
    assert dma_buf_phys_vec_to_sgt(machine.client, provider, out_of_reach, DMA_TO_DEVICE) == -5
    machine.host.assert_clean()


def test_long_ranges_are_split() -> None:
    machine = Machine()
    table = dma_buf_phys_vec_to_sgt(machine.client, provider_of(machine), [PhysRange(0xA0000000, 1 << 33)], DMA_TO_DEVICE)
    assert isinstance(table, DmaBufTable)
    assert [length for _, length in segments(table)] == [LONGEST_ENTRY, LONGEST_ENTRY, 2]
    assert sum(length for _, length in segments(table)) == 1 << 33


@pytest.mark.parametrize("ranges", [[], [PhysRange(0xA0000000, 0)]])
def test_refusals(ranges: list[PhysRange]) -> None:
    machine = Machine()
    assert dma_buf_phys_vec_to_sgt(machine.client, provider_of(machine), ranges, DMA_TO_DEVICE) == -22
    redirected = Machine(one_switch(D0=AcsControl.REQUEST_REDIRECT))
    provider = provider_of(redirected)
    assert dma_buf_phys_vec_to_sgt(redirected.client, provider, RANGES, DMA_TO_DEVICE) == -22
    assert provider.bus_address(int(PhysicalAddress(0xA0000000))) == 0x20000000
