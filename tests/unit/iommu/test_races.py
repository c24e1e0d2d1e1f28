"""Changes of tables and registers while a translation is under way."""

from __future__ import annotations

from collections.abc import Callable

from sluicegate.iommu import Cause, Status
from sluicegate.iommu.commands import Fence, InvalidateTranslations
from sluicegate.iommu.device import IommuDevice
from sluicegate.iommu.registers import CommandQueueCsr, Offset
from sluicegate.iommu.request import Request
from sluicegate.memory import SparseMemory

from tests.unit.iommu.scenario import PAGE, A, D, R, Scenario, U, V, W, entry

IOVA = 0x4000_1000
OLD, NEW = 0x8000_0000, 0x9000_0000


class InterferingMemory(SparseMemory):
    """Memory in which something happens right after the dword at ``trigger`` was read, or before it is exchanged; once."""

    def __init__(self) -> None:
        super().__init__()
        self.trigger = -1
        self.action: Callable[[], None] = lambda: None

    def _fire(self, address: int) -> None:
        if address == self.trigger:
            self.trigger = -1
            self.action()

    def read_u64(self, address: int) -> int:
        value = super().read_u64(address)
        self._fire(address)
        return value


class RacingMemory(SparseMemory):
    """Memory in which software stores ``value`` at ``trigger`` just before the hardware's compare-and-set; once."""

    def __init__(self) -> None:
        super().__init__()
        self.trigger = -1
        self.value = 0
        self.attempts = 0

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        self.attempts += 1
        if address == self.trigger:
            self.trigger = -1
            self.write_u64(address, self.value)
        return super().compare_exchange_u64(address, expected, value)


def test_compare_and_set_of_accessed_bit_retries_when_software_was_faster() -> None:
    scenario = Scenario()
    memory = scenario.memory = RacingMemory()
    root = scenario.first_stage(update_first_stage_ad=True)
    position = scenario.map(root, IOVA, entry(OLD, V | R | W | U))
    memory.trigger, memory.value = position, entry(NEW, V | R | W | U)
    response = scenario.write(IOVA)
    assert response.spa == NEW
    assert memory.read_u64(position) == entry(NEW, V | R | W | U | A | D)
    assert memory.attempts == 2
    assert [update.word for update in response.trace.updates] == [entry(NEW, V | R | W | U | A | D)]


def test_compare_and_set_never_revives_an_entry_that_software_cleared() -> None:
    scenario = Scenario()
    memory = scenario.memory = RacingMemory()
    root = scenario.first_stage(update_first_stage_ad=True)
    position = scenario.map(root, IOVA, entry(OLD, V | R | W | U))
    memory.trigger, memory.value = position, 0
    assert scenario.write(IOVA).cause is Cause.WRITE_PAGE_FAULT
    assert memory.read_u64(position) == 0


def test_invalidation_during_a_walk_is_followed_by_new_translations() -> None:
    scenario = Scenario()
    memory = scenario.memory = InterferingMemory()
    root = scenario.first_stage()
    position = scenario.map(root, IOVA, entry(OLD, PAGE))
    device = IommuDevice(scenario.configuration.capabilities, memory)
    queue, flag = scenario.page(), scenario.page()
    device.write_register(Offset.DDTP, scenario.configuration.ddtp, 8)
    device.write_register(Offset.CQB, queue >> 2 | 3, 8)
    device.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)

    def unmap_and_invalidate() -> None:
        memory.write_u64(position, entry(NEW, PAGE))
        for index, words in enumerate((InvalidateTranslations(address=IOVA).pack(), Fence(flag, 0xCAFE).pack())):
            for half, word in enumerate(words):
                memory.write_u64(queue + 16 * index + 8 * half, word)
        device.write_register(Offset.CQT, 2, 4)

    memory.trigger, memory.action = position, unmap_and_invalidate
    assert device.translate(Request(1, IOVA)).spa == OLD
    assert memory.read_u64(flag) == 0xCAFE
    assert device.translate(Request(1, IOVA)).spa == NEW


def test_translation_under_way_ends_under_the_directory_it_began_with() -> None:
    scenario = Scenario()
    memory = scenario.memory = InterferingMemory()
    root = scenario.first_stage()
    position = scenario.map(root, IOVA, entry(OLD, PAGE))
    device = IommuDevice(scenario.configuration.capabilities, memory)
    device.write_register(Offset.DDTP, scenario.configuration.ddtp, 8)
    memory.trigger, memory.action = position, lambda: device.write_register(Offset.DDTP, 0, 8)
    assert device.translate(Request(1, IOVA)).spa == OLD
    response = device.translate(Request(1, IOVA))
    assert (response.status, response.cause) == (Status.UNSUPPORTED_REQUEST, Cause.ALL_INBOUND_DISALLOWED)
