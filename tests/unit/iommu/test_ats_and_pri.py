"""ATS invalidations, fences that wait for them, page requests and their responses."""

from __future__ import annotations

import pytest
from sluicegate.iommu import AddressType, Request
from sluicegate.iommu.ats import (
    InvalidateRequest,
    PageRequestGroupResponse,
    completion_entry,
    decode_range,
    encode_range,
)
from sluicegate.iommu.commands import Fence, SendInvalidate, SendPageResponse
from sluicegate.iommu.context import DeviceContext
from sluicegate.iommu.device import IommuDevice
from sluicegate.iommu.pri import PageRequest, ResponseCode
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr

from tests.unit.iommu.scenario import PAGE, Scenario, entry

FLAG = 0x20_0000
IOVA = 0x4000_0000


class AtsMachine:
    """A device with all queues on, and the messages it sent."""

    def __init__(self, itags: int = 32) -> None:
        self.scenario = Scenario()
        self.memory = self.scenario.memory
        self.invalidates: list[InvalidateRequest] = []
        self.responses: list[PageRequestGroupResponse] = []
        self.device = IommuDevice(
            self.scenario.configuration.capabilities,
            self.memory,
            send_invalidate=self.invalidates.append,
            send_page_response=self.responses.append,
            itags=itags,
        )
        self.device.write_register(Offset.DDTP, self.scenario.configuration.ddtp, 8)
        self.queues = {}
        for base, csr in ((Offset.CQB, Offset.CQCSR), (Offset.FQB, Offset.FQCSR), (Offset.PQB, Offset.PQCSR)):
            page = self.queues[base] = self.scenario.page()
            self.device.write_register(base, page >> 2 | 3, 8)
            self.device.write_register(csr, RecordQueueCsr.QEN, 4)
        self._tail = 0

    def push(self, words: tuple[int, int]) -> None:
        for half, word in enumerate(words):
            self.memory.write_u64(self.queues[Offset.CQB] + 16 * self._tail + 8 * half, word)
        self._tail = (self._tail + 1) % 16
        self.device.write_register(Offset.CQT, self._tail, 4)

    def head(self) -> int:
        return self.device.read_register(Offset.CQH, 4)


def invalidate(requester_id: int = 0x300) -> tuple[int, int]:
    return SendInvalidate(InvalidateRequest(requester_id, False, 0, False, 0, IOVA)).pack()


def test_fence_waits_for_invalidate_completions() -> None:
    machine = AtsMachine()
    machine.push(invalidate())
    machine.push(invalidate(0x400))
    machine.push(Fence(FLAG, 1).pack())
    assert [(message.requester_id, message.itag) for message in machine.invalidates] == [(0x300, 0), (0x400, 1)]
    assert machine.head() == 2
    machine.device.complete_invalidation(0x300, 0b11)
    assert machine.head() == 2, "tag 1 belongs to another device"
    machine.device.complete_invalidation(0x400, 0b10, 2)
    assert machine.memory.read_u64(FLAG) == 0
    machine.device.complete_invalidation(0x400, 0b10, 2)
    assert machine.head() == 3
    assert machine.memory.read_u64(FLAG) == 1


def test_eight_completions_are_encoded_as_zero() -> None:
    machine = AtsMachine()
    machine.push(invalidate())
    machine.push(Fence(FLAG, 1).pack())
    for _ in range(7):
        machine.device.complete_invalidation(0x300, 1, 0)
    assert machine.head() == 1
    machine.device.complete_invalidation(0x300, 1, 0)
    assert machine.head() == 2


def test_timed_out_invalidation_stops_at_the_fence() -> None:
    machine = AtsMachine()
    machine.push(invalidate())
    machine.push(Fence(FLAG, 1).pack())
    machine.device.time_out_invalidations()
    assert machine.head() == 1
    assert machine.device.read_register(Offset.CQCSR, 4) & CommandQueueCsr.CMD_TO
    assert machine.memory.read_u64(FLAG) == 0
    machine.device.write_register(Offset.CQCSR, CommandQueueCsr.CQEN | CommandQueueCsr.CMD_TO, 4)
    assert machine.head() == 2
    assert machine.memory.read_u64(FLAG) == 1


def test_commands_stall_without_a_free_tag() -> None:
    machine = AtsMachine(itags=2)
    for _ in range(3):
        machine.push(invalidate())
    assert len(machine.invalidates) == 2
    assert machine.head() == 2
    machine.device.complete_invalidation(0x300, 0b01)
    assert [message.itag for message in machine.invalidates] == [0, 1, 0]
    assert machine.head() == 3


def test_page_group_response_command_sends_its_message() -> None:
    machine = AtsMachine()
    message = PageRequestGroupResponse(0x300, True, 5, True, 0x12345, 0x300 << 48 | 7 << 32)
    machine.push(SendPageResponse(message).pack())
    assert machine.responses == [message]


def request(group: int = 7, flags: int = 0b111) -> PageRequest:
    return PageRequest(1, IOVA | group << 3 | flags, pasid_valid=True, process_id=9)


def test_page_request_is_queued_for_a_device_that_may_ask() -> None:
    machine = AtsMachine()
    machine.scenario.set_context(1, DeviceContext(enable_ats=True, enable_pri=True))
    assert machine.device.receive_page_request(request()) is None
    page = machine.queues[Offset.PQB]
    assert machine.memory.read_u64(page) == 1 << 40 | 1 << 32 | 9 << 12
    assert machine.memory.read_u64(page + 8) == IOVA | 7 << 3 | 0b111
    assert machine.device.read_register(Offset.PQT, 4) == 1


@pytest.mark.parametrize("pasid_required", [False, True])
def test_full_page_request_queue_answers_success(pasid_required: bool) -> None:
    machine = AtsMachine()
    context = DeviceContext(enable_ats=True, enable_pri=True, prg_response_pasid_required=pasid_required)
    machine.scenario.set_context(1, context)
    for _ in range(15):
        assert machine.device.receive_page_request(request()) is None
    response = machine.device.receive_page_request(request())
    assert response is not None
    assert response.payload >> 44 & 0xF == ResponseCode.SUCCESS
    assert response.payload >> 32 & 0x1FF == 7
    assert response.pasid_valid is pasid_required
    assert machine.responses == [response]
    assert machine.device.read_register(Offset.PQCSR, 4) & RecordQueueCsr.QOF


def test_refused_requests_that_get_no_response() -> None:
    machine = AtsMachine()
    machine.scenario.set_context(1, DeviceContext(enable_ats=True))
    stop_marker, not_last = request(flags=0b100), request(flags=0b011)
    assert machine.device.receive_page_request(stop_marker) is None
    assert machine.device.receive_page_request(not_last) is None
    assert machine.device.read_register(Offset.FQT, 4) == 2
    refused = machine.device.receive_page_request(request())
    assert refused is not None
    assert refused.payload >> 44 & 0xF == ResponseCode.INVALID_REQUEST


@pytest.mark.parametrize(("address", "shift"), [(0x1000, 12), (0x4000, 13), (0x4000, 14), (0x20_0000, 21), (1 << 40, 30)])
def test_ranges_of_ats_round_trip(address: int, shift: int) -> None:
    word = encode_range(address, shift)
    assert decode_range(word) == (address, shift)
    assert (word >> 11 & 1) == (shift > 12)


def test_range_of_the_whole_space() -> None:
    assert decode_range((1 << 63) - (1 << 12) | 1 << 11) == (0, 64)


def test_translation_completion_entry_of_a_superpage() -> None:
    scenario = Scenario()
    root = scenario.first_stage(enable_ats=True)
    scenario.map(root, IOVA, entry(0x8020_0000, PAGE), level=1)
    response = scenario.translate(Request(1, IOVA + 0x5000, address_type=AddressType.TRANSLATION_REQUEST))
    word = completion_entry(response)
    assert word & 0b11 == 0b11
    assert decode_range(word) == (0x8020_0000, 21)
