"""The directed list on the model: its register-level device behind the interface of the scenarios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from sluicegate.iommu import IommuDevice, Request, Response
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr
from sluicegate.iommu.request import FaultRecord

from tests.unit.iommu.changed_contexts import CHANGED_CONTEXTS
from tests.unit.iommu.directed_list import DIRECTED, POISONED, REFUSED, Iommu
from tests.unit.iommu.scenario import Scenario

FAULTS, COMMANDS = 0x2000_0000, 0x2001_0000


class ModelIommu:
    """The model's device; commands run as their tail is written."""

    def __init__(self) -> None:
        self.checks = 0

    def begin(self, scenario: Scenario, fault_log2: int = 7, command_log2: int = 6) -> None:
        self.memory = scenario.memory
        configuration = scenario.configuration
        self.device = IommuDevice(configuration.capabilities, self.memory, send_invalidate=lambda _: None)
        self.write_register(Offset.FCTL, configuration.fctl, 4)
        self.write_register(Offset.FQB, FAULTS >> 2 | fault_log2 - 1, 8)
        self.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)
        self.write_register(Offset.CQB, COMMANDS >> 2 | command_log2 - 1, 8)
        self.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)
        self.write_register(Offset.DDTP, configuration.ddtp, 8)
        self._entries, self._tail = 1 << command_log2, 0

    def translate(self, request: Request) -> Response:
        before = self.read_register(Offset.FQT, 4)
        response = self.device.translate(request)
        if self.read_register(Offset.FQT, 4) == before:
            return replace(response, fault=None)
        data = self.memory.read(FAULTS + 32 * before, 32)
        words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, 32, 8)]
        return replace(response, fault=FaultRecord.unpack((words[0], words[1], words[2], words[3])))

    def during(self, requests: Sequence[Request], action: Callable[[], None], delay: int = 0) -> list[Response]:
        half = len(requests) // 2
        early = [self.device.translate(request) for request in requests[:half]]
        action()
        return early + [self.device.translate(request) for request in requests[half:]]

    def store(self, address: int, word: int) -> None:
        self.memory.write_u64(address, word)

    def load(self, address: int) -> int:
        return self.memory.read_u64(address)

    def fail(self, address: int, state: int) -> None:
        for kind, dwords in ((REFUSED, self.memory.access_fault), (POISONED, self.memory.poison)):
            (dwords.add if state == kind else dwords.discard)(address)

    def command(self, *commands: tuple[int, int]) -> None:
        for words in commands:
            for index, word in enumerate(words):
                self.memory.write_u64(COMMANDS + 16 * self._tail + 8 * index, word)
            self._tail = (self._tail + 1) % self._entries
        self.write_register(Offset.CQT, self._tail, 4)

    def read_register(self, offset: int, width: int) -> int:
        return self.device.read_register(offset, width)

    def write_register(self, offset: int, value: int, width: int) -> None:
        self.device.write_register(offset, value, width)

    def check(self, what: str, got: object, expected: object) -> None:
        assert got == expected, what
        self.checks += 1

    def complete_invalidation(self, device: int, tags: int) -> None:
        self.device.complete_invalidation(device, tags)


@pytest.mark.parametrize("scenario", [*DIRECTED, *CHANGED_CONTEXTS], ids=lambda scenario: scenario.__name__)
def test_item_on_the_model(scenario: Callable[[Iommu], None]) -> None:
    iommu = ModelIommu()
    scenario(iommu)
    assert iommu.checks > 0
