"""The IOMMU driver, its tables and its domain, on the register-level model."""

from __future__ import annotations

import numpy as np
import pytest
from sluicegate.dma.backends.domain import DomainMapError, IommuDomain, IommuProt
from sluicegate.dma.errno import Errno
from sluicegate.driver.iommu import InterruptCause, InterruptDelivery, IommuDriver, IommuError
from sluicegate.driver.iommu_domain import PageTableDomain
from sluicegate.driver.iommu_tables import PageTable, PageTableConflict, TableWriter
from sluicegate.iommu import Cause, DirectoryMode, Request, Status
from sluicegate.iommu.commands import InvalidateDevice, InvalidateTranslations, decode_command
from sluicegate.iommu.context import FirstStageMode
from sluicegate.iommu.pri import PageRequest
from sluicegate.iommu.queues import unpack_words
from sluicegate.iommu.registers import Ipsr, Offset
from sluicegate.platform import Bdf, Platform

from tests.unit.iommu.model_platform import ModelPlatform, Pages
from tests.unit.iommu.scenario import CORE, END, FULL, IGS_BOTH, MSI_FLAT, S

ENDPOINT = Bdf(3, 0)
RW = IommuProt.READ | IommuProt.WRITE
IOVA, PHYS = 0x3F_1234_5000, 0x8123_4000


class Machine:
    def __init__(self, capabilities: int = FULL, big_endian: bool = False, **options: object) -> None:
        self.platform = ModelPlatform(capabilities, big_endian)
        self.pages = Pages()
        self.driver = IommuDriver(self.platform, self.pages, **options)  # type: ignore[arg-type]
        self.driver.enable()

    def domain(self, **options: object) -> PageTableDomain:
        domain = PageTableDomain(self.driver, **options)  # type: ignore[arg-type]
        domain.attach(ENDPOINT)
        return domain

    def access(self, iova: int, write: bool = False) -> int | None:
        return self.platform.iommu.translate(Request(ENDPOINT.requester_id, iova, write=write)).spa


def test_the_fake_machine_and_the_domain_follow_their_protocols() -> None:
    machine = Machine()
    platform: Platform = machine.platform
    domain: IommuDomain = machine.domain()
    assert platform.address_map is not None
    assert domain.granule == 4096
    assert domain.aperture_end == (1 << 38) - 1


def test_unattached_device_faults_and_the_record_is_drained() -> None:
    machine = Machine()
    assert machine.access(IOVA, write=True) is None
    assert machine.driver.wait_interrupt(InterruptCause.FAULT_QUEUE, 100)
    machine.driver.acknowledge_interrupts(Ipsr.FIP)
    drain = machine.driver.drain_faults()
    assert [(record.cause, record.device_id, record.iotval) for record in drain.records] == [
        (Cause.DDT_NOT_VALID, ENDPOINT.requester_id, IOVA)
    ]
    assert not drain.lost
    assert machine.driver.drain_faults().records == ()
    assert machine.driver.pending_interrupts() == Ipsr(0)


@pytest.mark.parametrize("mode", [FirstStageMode.SV39, FirstStageMode.SV48, FirstStageMode.SV57])
@pytest.mark.parametrize("capabilities", [FULL, FULL | MSI_FLAT])
def test_map_and_unmap_of_each_mode(mode: FirstStageMode, capabilities: int) -> None:
    machine = Machine(capabilities)
    domain = machine.domain(mode=mode)
    domain.map(IOVA, PHYS, 0x3000, RW)
    domain.sync_map(IOVA, 0x3000)
    assert machine.access(IOVA + 0x2FFF, write=True) == PHYS + 0x2FFF
    assert machine.access(IOVA + 0x3000) is None
    assert domain.iova_to_phys(IOVA + 0x1010) == PHYS + 0x1010
    assert domain.unmap(IOVA + 0x1000, 0x1000) == 0x1000
    domain.iotlb_sync(IOVA + 0x1000, 0x1000)
    assert machine.access(IOVA + 0x1000) is None
    assert domain.iova_to_phys(IOVA + 0x1000) is None
    assert machine.access(IOVA + 0x2000) == PHYS + 0x2000
    assert machine.driver.drain_faults().records[-1].cause is Cause.READ_PAGE_FAULT


def test_protection_of_reads_and_writes() -> None:
    machine = Machine()
    domain = machine.domain()
    domain.map(0x10000, PHYS, 0x1000, IommuProt.READ)
    domain.map(0x20000, PHYS, 0x1000, IommuProt.WRITE)
    domain.map(0x30000, PHYS, 0x1000, IommuProt.READ | IommuProt.PRIV)
    assert (machine.access(0x10000), machine.access(0x10000, write=True)) == (PHYS, None)
    assert (machine.access(0x20000), machine.access(0x20000, write=True)) == (PHYS, PHYS), "write-only pages do not exist"
    assert machine.access(0x30000) is None
    request = Request(ENDPOINT.requester_id, 0x10000, exec=True)
    assert machine.platform.iommu.translate(request).cause is Cause.INSTRUCTION_PAGE_FAULT


def test_superpages_are_used_and_split() -> None:
    machine = Machine()
    domain = machine.domain()
    iova, phys, size = 0x4000_0000, 0x80_4000_0000, 0x4060_1000
    domain.map(iova, phys, size, RW)
    response = machine.platform.iommu.translate(Request(ENDPOINT.requester_id, iova + 0x1234_5678))
    assert (response.spa, response.page_shift) == (phys + 0x1234_5678, 30)
    response = machine.platform.iommu.translate(Request(ENDPOINT.requester_id, iova + 0x4020_0000))
    assert (response.spa, response.page_shift) == (phys + 0x4020_0000, 21)
    hole = iova + 0x2040_3000
    assert domain.unmap(hole, 0x1000) == 0x1000
    domain.iotlb_sync(hole, 0x1000)
    for offset, mapped in ((-1, True), (0, False), (0xFFF, False), (0x1000, True), (0x20_0000, True)):
        expected = phys + hole - iova + offset if mapped else None
        assert machine.access(hole + offset) == expected
    assert domain.unmap(iova, size) == size - 0x1000


def test_failed_map_leaves_nothing() -> None:
    machine = Machine()
    domain = machine.domain()
    domain.map(0x20_1000, PHYS, 0x1000, RW)
    with pytest.raises(DomainMapError) as conflict:
        domain.map(0x1F_F000, PHYS, 0x4000, RW)
    assert conflict.value.errno is Errno.EADDRINUSE
    with pytest.raises(DomainMapError) as unaligned:
        domain.map(0x5000, PHYS + 1, 0x1000, RW)
    assert unaligned.value.errno is Errno.EINVAL
    with pytest.raises(DomainMapError) as beyond:
        domain.map(domain.aperture_end + 1, PHYS, 0x1000, RW)
    assert beyond.value.errno is Errno.EINVAL
    with pytest.raises(DomainMapError) as nothing:
        domain.map(0x5000, PHYS, 0x1000, IommuProt.NONE)
    assert nothing.value.errno is Errno.EINVAL
    live = dict(machine.pages.live)
    machine.pages.limit = len(live)
    with pytest.raises(DomainMapError) as memory:
        domain.map(0x3F_F000, PHYS, 0x2000, RW)
    assert memory.value.errno is Errno.ENOMEM
    assert domain.iova_to_phys(0x3F_F000) is None
    assert machine.access(0x3F_F000) is None
    assert machine.access(0x20_1000) == PHYS


def test_tables_are_filled_before_they_are_linked() -> None:
    machine = Machine()
    domain = machine.domain()
    stores = machine.platform.memory.stores
    stores.clear()
    domain.map(IOVA, PHYS, 0x2000, RW)
    levels = [address for address, _ in stores if address != -1]
    root = domain.page_table.root
    assert levels[-1] == root + 8 * (IOVA >> 30)
    assert stores[-2][0] == levels[-1]
    linked = [index for index, (address, _) in enumerate(stores) if address in (levels[-1], levels[-2])]
    assert all(stores[index - 1][0] == -1 for index in linked), "a barrier comes before each link"
    assert stores[-1][0] == -1


def commands_since(machine: Machine, head: int) -> list[object]:
    page = machine.platform.iommu.read_register(Offset.CQB, 8) >> 10 << 12
    tail = machine.platform.iommu.read_register(Offset.CQT, 4)
    found: list[object] = []
    while head != tail:
        words = unpack_words(machine.platform.memory.read(page + 16 * head, 16), False)
        found.append(decode_command((words[0], words[1]), machine.driver.configuration))
        head = (head + 1) % 256
    return found


@pytest.mark.parametrize(("capabilities", "count"), [(FULL & ~S, 3), (FULL, 2)])
def test_small_ranges_are_invalidated_by_address(capabilities: int, count: int) -> None:
    machine = Machine(capabilities)
    domain = machine.domain()
    head = machine.platform.iommu.read_register(Offset.CQT, 4)
    domain.iotlb_sync(0x2000, 0x3000)
    commands = commands_since(machine, head)
    assert len(commands) == count + 1
    covered: set[int] = set()
    for command in commands[:-1]:
        assert isinstance(command, InvalidateTranslations)
        assert command.pscid == domain.pscid
        assert command.address is not None
        covered |= set(range(command.address, command.address + (1 << command.page_shift), 4096))
    assert covered == {0x2000, 0x3000, 0x4000}


def test_commands_are_in_memory_before_the_tail_moves() -> None:
    machine = Machine()
    stores = machine.platform.memory.stores
    stores.clear()
    machine.driver.submit([InvalidateDevice(), InvalidateDevice()])
    tail = machine.platform.address_map.iommu_registers.base + Offset.CQT
    addresses = [address for address, _ in stores]
    assert addresses[-2:] == [-1, tail]
    assert len(addresses) == 4
    assert addresses[1] == addresses[0] + 16


def test_large_ranges_are_invalidated_as_a_whole() -> None:
    machine = Machine()
    domain = machine.domain()
    head = machine.platform.iommu.read_register(Offset.CQT, 4)
    domain.iotlb_sync(0, 1 << 21)
    assert commands_since(machine, head)[0] == InvalidateTranslations(pscid=domain.pscid)


def test_table_replaced_by_a_superpage_is_freed_only_after_the_fence() -> None:
    machine = Machine()
    domain = machine.domain()
    domain.map(0x20_0000, PHYS, 0x1000, RW)
    domain.unmap(0x20_0000, 0x1000)
    domain.iotlb_sync(0x20_0000, 0x1000)
    domain.map(0x20_0000, 0x9000_0000, 1 << 21, RW)
    assert domain.page_table.has_unlinked_tables
    assert machine.pages.freed == []
    domain.sync_map(0x20_0000, 1 << 21)
    assert len(machine.pages.freed) == 1
    assert machine.access(0x20_1234) == 0x9000_1234


def test_reclaim_and_free_return_every_page() -> None:
    machine = Machine()
    domain = machine.domain()
    before = len(machine.pages.live)
    for iova in range(0, 1 << 33, 1 << 29):
        domain.map(iova, PHYS, 0x1000, RW)
    domain.unmap(0, 1 << 33)
    assert len(machine.pages.live) > before
    domain.reclaim_tables()
    assert len(machine.pages.live) == before
    with pytest.raises(IommuError, match="in use"):
        domain.free()
    domain.detach(ENDPOINT)
    assert machine.access(0) is None
    domain.free()
    machine.driver.disable()
    assert machine.pages.live == {}
    assert machine.access(0) is None


@pytest.mark.parametrize("delivery", list(InterruptDelivery))
def test_interrupts_reach_the_driver(delivery: InterruptDelivery) -> None:
    machine = Machine(delivery=delivery)
    assert not machine.driver.wait_interrupt(InterruptCause.FAULT_QUEUE, 10)
    machine.access(IOVA)
    assert machine.driver.wait_interrupt(InterruptCause.FAULT_QUEUE, 10)
    assert not machine.driver.wait_interrupt(InterruptCause.COMMAND_QUEUE, 10)


def test_wires_are_refused_where_there_are_none() -> None:
    platform = ModelPlatform(CORE - IGS_BOTH)
    driver = IommuDriver(platform, Pages(), delivery=InterruptDelivery.WIRED)
    with pytest.raises(IommuError, match="wired"):
        driver.enable()


def test_fault_queue_overflow_is_reported_and_recovers() -> None:
    machine = Machine()
    for device in range(200):
        machine.platform.iommu.translate(Request(device, IOVA))
    drain = machine.driver.drain_faults()
    assert (len(drain.records), drain.lost) == (127, True)
    machine.access(IOVA)
    drain = machine.driver.drain_faults()
    assert (len(drain.records), drain.lost) == (1, False)


def test_command_queue_wraps_and_fills() -> None:
    machine = Machine()
    machine.driver.submit([InvalidateDevice(device) for device in range(1000)])
    machine.driver.fence()
    machine.driver.fence()


def test_stopped_command_queue_is_explained_and_recovered() -> None:
    machine = Machine()
    page = machine.platform.iommu.read_register(Offset.CQB, 8) >> 10 << 12
    machine.platform.memory.access_fault.update(range(page, page + 4096, 8))
    tail = machine.platform.iommu.read_register(Offset.CQT, 4)
    machine.platform.memory.access_fault.discard(page + 16 * tail)
    machine.platform.memory.access_fault.discard(page + 16 * tail + 8)
    machine.platform.memory.write(page + 16 * tail, bytes(16))
    machine.platform.mmio_write(machine.platform.address_map.iommu_registers.base + Offset.CQT, tail + 1, 4)
    machine.platform.memory.access_fault.clear()
    machine.driver._command_tail = tail + 1
    with pytest.raises(IommuError, match="CMD_ILL"):
        machine.driver.fence()
    machine.driver.recover_command_queue()
    machine.driver.fence()


def test_absent_or_unknown_hardware_is_named() -> None:
    platform = ModelPlatform()
    with pytest.raises(IommuError, match="nothing answers"):
        IommuDriver(platform, Pages(), register_base=0x5000_0000).probe()
    with pytest.raises(IommuError, match="version"):
        IommuDriver(ModelPlatform(FULL + 1), Pages()).probe()
    with pytest.raises(IommuError, match="not enabled"):
        IommuDriver(platform, Pages()).fence()


@pytest.mark.parametrize("directory", [DirectoryMode.ONE_LEVEL, DirectoryMode.TWO_LEVEL, DirectoryMode.THREE_LEVEL])
def test_directories_of_each_depth(directory: DirectoryMode) -> None:
    machine = Machine(directory=directory)
    device = 0x42 if directory is DirectoryMode.ONE_LEVEL else 0x4242
    domain = PageTableDomain(machine.driver)
    domain.attach(device)
    domain.map(0x1000, PHYS, 0x1000, RW)
    response = machine.platform.iommu.translate(Request(device, 0x1234))
    assert (response.status, response.spa) == (Status.OK, PHYS + 0x234)
    if directory is DirectoryMode.ONE_LEVEL:
        with pytest.raises(ValueError, match="more levels"):
            domain.attach(0x4242)


def test_big_endian_tables_and_queues() -> None:
    machine = Machine(CORE & ~END, big_endian=True)
    domain = machine.domain()
    domain.map(IOVA, PHYS, 0x1000, RW)
    assert machine.access(IOVA) == PHYS
    assert machine.access(IOVA + 0x1000) is None
    assert machine.driver.drain_faults().records[0].iotval == IOVA + 0x1000


def test_domains_do_not_see_each_other() -> None:
    machine = Machine()
    one, other = PageTableDomain(machine.driver), PageTableDomain(machine.driver)
    assert one.pscid != other.pscid
    one.attach(0x300)
    other.attach(0x400)
    one.map(0x1000, PHYS, 0x1000, RW)
    assert machine.platform.iommu.translate(Request(0x300, 0x1000)).spa == PHYS
    assert machine.platform.iommu.translate(Request(0x400, 0x1000)).spa is None


def test_page_requests_reach_the_driver() -> None:
    machine = Machine()
    domain = PageTableDomain(machine.driver)
    context = domain.context()
    machine.driver.attach(ENDPOINT, context.__class__(enable_ats=True, enable_pri=True, first_stage=context.first_stage))
    message = PageRequest(ENDPOINT.requester_id, 0x1000 | 5 << 3 | 0b101, pasid_valid=True, process_id=3, exec=True)
    assert machine.platform.iommu.receive_page_request(message) is None
    assert machine.driver.drain_page_requests() == (message,)


def test_random_mappings_match_a_dictionary() -> None:
    random = np.random.default_rng(3)
    pages = Pages()
    platform = ModelPlatform()
    table = PageTable(TableWriter(platform.memory, pages, platform.memory_barrier), 3)
    mapped: dict[int, int] = {}
    for _ in range(300):
        first = int(random.integers(0, 2048)) if random.random() < 0.5 else int(random.integers(0, 4)) * 512
        count = int(random.choice([1, 2, 7, 512, 600]))
        size = count * 4096
        iova = first * 4096
        if random.random() < 0.6:
            phys = int(random.integers(0, 64)) * (1 << 21) + (iova & 0x1F_FFFF if random.random() < 0.5 else 0)
            span = range(iova, iova + size, 4096)
            if any(page in mapped for page in span):
                with pytest.raises(PageTableConflict):
                    table.map(iova, phys, size, 0xD6)
            else:
                table.map(iova, phys, size, 0xD6)
                mapped.update((page, phys + page - iova) for page in span)
        else:
            removed = sum(mapped.pop(page, None) is not None for page in range(iova, iova + size, 4096))
            assert table.unmap(iova, size) == removed * 4096
        page = int(random.integers(0, 2700)) * 4096
        found = table.look_up(page + 0x10)
        assert (None if found is None else found[0] - 0x10) == mapped.get(page)
    table.unmap(0, 1 << 30)
    table.prune()
    table.free()
    assert pages.live == {}
