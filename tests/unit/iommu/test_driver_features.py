"""Second stages, process directories, ATS, hardware A/D, MSI pages, counters and the debug port through the driver."""

from __future__ import annotations

import pytest
from sluicegate.dma.backends.domain import IommuDomain, IommuProt
from sluicegate.driver.iommu import IommuDriver, IommuError
from sluicegate.driver.iommu_diagnostics import (
    DebugTranslation,
    EventFilter,
    read_counter,
    start_counter,
    translate_address,
)
from sluicegate.driver.iommu_domain import PageTableDomain
from sluicegate.driver.iommu_guest import GuestDomain, MsiPages
from sluicegate.driver.iommu_nested import NestedDomain
from sluicegate.driver.iommu_process_directory import ProcessDirectory
from sluicegate.iommu import AddressType, Cause, MemoryType, Request
from sluicegate.iommu.ats import decode_range
from sluicegate.iommu.context import ProcessDirectoryMode, SecondStageMode
from sluicegate.iommu.registers import HpmEvent

from tests.unit.iommu.model_platform import ModelPlatform, Pages
from tests.unit.iommu.scenario import CORE, FULL, MSI_FLAT, A, D

DEVICE = 0x300
RW = IommuProt.READ | IommuProt.WRITE
IOVA, PHYS = 0x12_3456_7000, 0x8123_4000


class Machine:
    def __init__(self, capabilities: int = FULL) -> None:
        self.platform = ModelPlatform(capabilities)
        self.pages = Pages()
        self.driver = IommuDriver(self.platform, self.pages)
        self.driver.enable()

    def access(self, iova: int, write: bool = False, process_id: int | None = None, priv: bool = False) -> int | None:
        request = Request(DEVICE, iova, write=write, process_id=process_id or 0, pasid_valid=process_id is not None, priv=priv)
        return self.platform.iommu.translate(request).spa


@pytest.mark.parametrize("mode", list(SecondStageMode)[1:])
def test_guest_domain_translates_guest_addresses(mode: SecondStageMode) -> None:
    machine = Machine()
    domain = GuestDomain(machine.driver, mode)
    protocol: IommuDomain = domain
    assert protocol.aperture_end == (1 << (14 + 9 * mode.levels)) - 1
    domain.attach(DEVICE)
    top = domain.aperture_end + 1 - 0x2000
    domain.map(top, PHYS, 0x2000, RW | IommuProt.PRIV)
    assert machine.access(top + 0x1FFF, write=True) == PHYS + 0x1FFF
    assert machine.access(top - 1) is None
    assert machine.driver.drain_faults().records[0].cause is Cause.READ_GUEST_PAGE_FAULT
    domain.unmap(top, 0x1000)
    domain.iotlb_sync(top, 0x1000)
    assert machine.access(top) is None
    domain.detach(DEVICE)
    domain.free()
    machine.driver.disable()
    assert machine.pages.live == {}


@pytest.mark.parametrize("hardware_ad", [False, True])
def test_first_stage_inside_a_guest(hardware_ad: bool) -> None:
    machine = Machine()
    guest = GuestDomain(machine.driver, hardware_ad=hardware_ad)
    guest_ram, host_ram, size = 0x4000_0000, 0x8200_0000, 0x40_0000
    guest.map(guest_ram, host_ram, size, RW)
    tables = Pages(guest_ram)
    domain = NestedDomain(machine.driver, guest, tables, hardware_ad=hardware_ad)
    domain.attach(DEVICE)
    domain.map(IOVA, guest_ram + 0x12_3000, 0x2000, RW)
    domain.map(IOVA + 0x10_0000, 0x7000_0000, 0x1000, RW)
    assert machine.access(IOVA + 0x1FFF, write=True) == host_ram + 0x12_4FFF
    assert machine.access(IOVA + 0x2000) is None
    assert machine.access(IOVA + 0x10_0000, write=True) is None
    causes = [record.cause for record in machine.driver.drain_faults().records]
    assert causes == [Cause.READ_PAGE_FAULT, Cause.WRITE_GUEST_PAGE_FAULT]
    assert all(guest_ram <= address < guest_ram + size for address in tables.live)
    domain.unmap(IOVA, 0x2000)
    domain.iotlb_sync(IOVA, 0x2000)
    assert machine.access(IOVA) is None
    domain.detach(DEVICE)
    domain.free()
    guest.free()
    assert tables.live == {}
    machine.driver.disable()
    assert machine.pages.live == {}


def test_tables_of_a_guest_must_lie_in_its_memory() -> None:
    machine = Machine()
    guest = GuestDomain(machine.driver)
    tables = Pages(0x4000_0000)
    with pytest.raises(IommuError, match="not mapped in the guest"):
        NestedDomain(machine.driver, guest, tables)
    assert tables.live == {}


def test_guest_interrupt_files() -> None:
    machine = Machine(FULL | MSI_FLAT)
    domain = GuestDomain(machine.driver, msi=MsiPages(0x28000, 0x0103, {0: 0x9000_0000, 6: 0x9000_6000}))
    domain.attach(DEVICE)
    assert machine.access(0x2800_0004, write=True) == 0x9000_0004
    assert machine.access(0x2810_2000, write=True) == 0x9000_6000
    assert machine.access(0x2800_1000, write=True) is None
    assert machine.driver.drain_faults().records[0].cause is Cause.MSI_PTE_NOT_VALID
    domain.detach(DEVICE)
    domain.free()
    with pytest.raises(ValueError, match="does not exist"):
        GuestDomain(machine.driver, msi=MsiPages(0, 1, {2: 0}))


def test_features_that_the_hardware_lacks_are_named() -> None:
    machine = Machine(CORE)
    pages = dict(machine.pages.live)
    with pytest.raises(IommuError, match="no second stage"):
        GuestDomain(machine.driver, SecondStageMode.SV57X4)
    with pytest.raises(IommuError, match="MSI"):
        GuestDomain(machine.driver, msi=MsiPages(0, 1, {}))
    with pytest.raises(IommuError, match="A and D"):
        PageTableDomain(machine.driver, hardware_ad=True)
    with pytest.raises(IommuError, match="process directory"):
        ProcessDirectory(machine.driver, DEVICE)
    with pytest.raises(IommuError, match="debug"):
        translate_address(machine.driver, Request(DEVICE, 0))
    with pytest.raises(IommuError, match="counter"):
        start_counter(machine.driver, 1, HpmEvent.TLB_MISS)
    assert machine.pages.live == pages
    domain = PageTableDomain(machine.driver)
    with pytest.raises(IommuError, match="ATS"):
        domain.attach(DEVICE, ats=True)


@pytest.mark.parametrize("mode", list(ProcessDirectoryMode)[1:])
def test_each_process_has_its_own_addresses(mode: ProcessDirectoryMode) -> None:
    machine = Machine()
    directory = ProcessDirectory(machine.driver, DEVICE, mode, default_process=True)
    processes = [0, 5, (1 << mode.process_id_bits) - 1]
    domains = {}
    for number, process_id in enumerate(processes):
        domain = domains[process_id] = PageTableDomain(machine.driver)
        domain.map(IOVA, PHYS + number * 4096, 0x1000, RW)
        directory.bind(process_id, domain)
    for number, process_id in enumerate(processes):
        assert machine.access(IOVA, process_id=process_id) == PHYS + number * 4096
    assert machine.access(IOVA) == PHYS, "requests without PASID belong to process 0"
    assert machine.access(IOVA, process_id=6) is None
    directory.unbind(5, domains[5])
    assert machine.access(IOVA, process_id=5) is None
    causes = [record.cause for record in machine.driver.drain_faults().records]
    assert causes == [Cause.PDT_NOT_VALID, Cause.PDT_NOT_VALID]
    with pytest.raises(ValueError, match="does not fit"):
        directory.bind(1 << mode.process_id_bits, domains[0])
    directory.free()
    for domain in domains.values():
        domain.free()
    machine.driver.disable()
    assert machine.pages.live == {}


def test_supervisor_requests_of_a_process() -> None:
    machine = Machine()
    directory = ProcessDirectory(machine.driver, DEVICE)
    for process_id, (supervisor, sum_) in enumerate([(False, False), (True, False), (True, True)], 1):
        domain = PageTableDomain(machine.driver)
        domain.map(IOVA, PHYS, 0x1000, RW)
        directory.bind(process_id, domain, supervisor=supervisor, sum=sum_)
    assert [machine.access(IOVA, process_id=process_id, priv=True) for process_id in (1, 2, 3)] == [None, None, PHYS]


def test_devices_with_ats_are_invalidated_after_the_iotlb() -> None:
    machine = Machine()
    domain = PageTableDomain(machine.driver)
    domain.attach(DEVICE, ats=True)
    domain.attach(0x400)
    domain.map(IOVA, PHYS, 0x3000, RW)
    request = Request(DEVICE, IOVA, address_type=AddressType.TRANSLATION_REQUEST)
    permissions = machine.platform.iommu.translate(request).permissions
    assert permissions is not None
    assert permissions.write
    machine.platform.invalidates.clear()
    domain.unmap(IOVA, 0x3000)
    domain.iotlb_sync(IOVA, 0x3000)
    messages = machine.platform.invalidates
    assert {message.requester_id for message in messages} == {DEVICE}
    covered: set[int] = set()
    for message in messages:
        base, shift = decode_range(message.payload)
        covered |= set(range(base, base + (1 << shift), 4096))
    assert covered == {IOVA, IOVA + 0x1000, IOVA + 0x2000}
    domain.flush_iotlb_all()
    assert decode_range(messages[-1].payload) == (0, 64)
    permissions = machine.platform.iommu.translate(request).permissions
    assert permissions is not None
    assert not permissions.read
    count = len(messages)
    domain.detach(DEVICE)
    assert len(messages) == count


def test_hardware_sets_accessed_and_dirty_where_it_may() -> None:
    machine = Machine()
    domain = PageTableDomain(machine.driver, hardware_ad=True)
    domain.attach(DEVICE)
    stores = machine.platform.memory.stores
    stores.clear()
    domain.map(IOVA, PHYS, 0x1000, RW)
    position = next(address for address, value in stores if value >> 10 == PHYS >> 12)
    assert machine.platform.memory.read_u64(position) & (A | D) == 0
    assert machine.access(IOVA) == PHYS
    assert machine.platform.memory.read_u64(position) & (A | D) == A
    assert machine.access(IOVA, write=True) == PHYS
    assert machine.platform.memory.read_u64(position) & (A | D) == A | D


def test_debug_port_answers_as_the_device_would_be_answered() -> None:
    machine = Machine()
    domain = PageTableDomain(machine.driver)
    domain.attach(DEVICE)
    domain.map(0x4020_0000, 0x8020_0000, 0x20_0000, RW | IommuProt.MMIO)
    found = translate_address(machine.driver, Request(DEVICE, 0x4021_2345, write=True))
    assert found == DebugTranslation(0x8021_2000 | 0x345, 21, MemoryType.IO)
    assert translate_address(machine.driver, Request(DEVICE, 0x5000_0000)) is None
    assert machine.driver.drain_faults().records[0].cause is Cause.READ_PAGE_FAULT


def test_counters_count_what_they_were_told() -> None:
    machine = Machine()
    domain = PageTableDomain(machine.driver)
    domain.attach(DEVICE)
    domain.attach(0x400)
    domain.map(IOVA, PHYS, 0x1000, RW)
    start_counter(machine.driver, 1, HpmEvent.UNTRANSLATED_REQUEST)
    start_counter(machine.driver, 2, HpmEvent.UNTRANSLATED_REQUEST, EventFilter(outer=0x400))
    start_counter(machine.driver, 3, HpmEvent.FIRST_STAGE_WALK, EventFilter(inner=domain.pscid, guest=True))
    for device in (DEVICE, DEVICE, 0x400):
        machine.platform.iommu.translate(Request(device, IOVA))
    assert [read_counter(machine.driver, index) for index in (1, 2, 3)] == [3, 1, 9]
