"""The register page: fields, access widths and side effects of the register-level model."""

from __future__ import annotations

import pytest
from sluicegate.iommu import Capabilities, Cause, FaultRecord, Request, TransactionType
from sluicegate.iommu.commands import Fence, InvalidateDevice, InvalidateTranslations
from sluicegate.iommu.context import DeviceContext, FirstStageMode, ProcessContext, ProcessDirectoryMode, SecondStageMode
from sluicegate.iommu.device import IommuDevice
from sluicegate.iommu.pri import PageRequest
from sluicegate.iommu.queues import unpack_words
from sluicegate.iommu.registers import (
    CommandQueueCsr,
    Ipsr,
    Offset,
    RecordQueueCsr,
    counter_offset,
    event_offset,
    msi_offset,
)
from sluicegate.memory import SparseMemory

from tests.unit.iommu.scenario import CORE, DBG, FULL, HPM, IGS_BOTH, IGS_WSI, PAGE, PD8, QOSID, Scenario, entry

QUEUE = 0x10_0000
IOVA = 0x4000_1000


def machine(capabilities: int = FULL, **options: int) -> tuple[IommuDevice, SparseMemory]:
    memory = SparseMemory()
    return IommuDevice(Capabilities(capabilities), memory, **options), memory  # type: ignore[arg-type]


def command_queue(device: IommuDevice, interrupts: bool = False, log2_entries: int = 8) -> None:
    device.write_register(Offset.CQB, QUEUE >> 2 | (log2_entries - 1), 8)
    device.write_register(Offset.CQCSR, CommandQueueCsr.CQEN | (CommandQueueCsr.CIE if interrupts else 0), 4)


def fault_queue(device: IommuDevice, log2_entries: int = 7, interrupts: bool = True) -> None:
    device.write_register(Offset.FQB, QUEUE >> 2 | (log2_entries - 1), 8)
    device.write_register(Offset.FQCSR, RecordQueueCsr.QEN | (RecordQueueCsr.IE if interrupts else 0), 4)


def put(memory: SparseMemory, index: int, words: tuple[int, int]) -> None:
    for half, word in enumerate(words):
        memory.write_u64(QUEUE + 16 * index + 8 * half, word)


def test_reset_values() -> None:
    device, _ = machine()
    assert device.read_register(Offset.CAPABILITIES, 8) == FULL
    for offset in (Offset.DDTP, Offset.CQCSR, Offset.FQCSR, Offset.PQCSR, Offset.IPSR, Offset.TR_REQ_CTL):
        assert device.read_register(offset, 4) == 0


@pytest.mark.parametrize(("offset", "width"), [(2, 4), (4, 8), (0x1000, 4), (-4, 4), (0, 2)])
def test_unnatural_access_is_refused(offset: int, width: int) -> None:
    device, _ = machine()
    with pytest.raises(ValueError, match="naturally aligned"):
        device.read_register(offset, width)


def test_reserved_offsets_read_zero_and_ignore_writes() -> None:
    device, _ = machine(CORE)
    for offset in (*range(0x2B0, 0x2F8, 8), Offset.PQB, Offset.IOHPMCYCLES, Offset.TR_REQ_IOVA, Offset.IOMMU_QOSID):
        device.write_register(offset, (1 << 64) - 1, 8)
        assert device.read_register(offset, 8) == 0, hex(offset)


def test_fctl_takes_only_implemented_bits_and_only_while_off() -> None:
    device, _ = machine(CORE)
    device.write_register(Offset.FCTL, 7, 4)
    assert device.read_register(Offset.FCTL, 4) == 2
    device.write_register(Offset.DDTP, 1, 8)
    device.write_register(Offset.FCTL, 0, 4)
    assert device.read_register(Offset.FCTL, 4) == 2
    wired, _ = machine(CORE - IGS_BOTH + IGS_WSI)
    wired.write_register(Offset.FCTL, 0, 4)
    assert wired.read_register(Offset.FCTL, 4) == 2
    messages, _ = machine(CORE - IGS_BOTH)
    messages.write_register(Offset.FCTL, 2, 4)
    assert messages.read_register(Offset.FCTL, 4) == 0


def test_ddtp_keeps_its_value_on_an_illegal_mode_and_between_directories() -> None:
    device, _ = machine()
    device.write_register(Offset.DDTP, 0x1234 << 10 | 3, 8)
    for illegal in (5, 15, 0x7777 << 10 | 2):
        device.write_register(Offset.DDTP, illegal, 8)
        assert device.read_register(Offset.DDTP, 8) == 0x1234 << 10 | 3
    device.write_register(Offset.DDTP, 0, 8)
    assert device.read_register(Offset.DDTP, 4) == 0


def test_split_write_of_ddtp_acts_on_the_low_half() -> None:
    device, _ = machine()
    value = 0xAB_CDEF_0000_0000 | 4
    device.write_register(Offset.DDTP + 4, value >> 32, 4)
    assert device.configuration.ddtp == 0, "the low half is still to come"
    assert device.read_register(Offset.DDTP, 8) == (value >> 32 & 0x3F_FFFF) << 32
    device.write_register(Offset.DDTP, value & 0xFFFF_FFFF, 4)
    assert device.read_register(Offset.DDTP, 8) == (value >> 10 & (1 << 44) - 1) << 10 | 4
    assert device.read_register(Offset.DDTP + 4, 4) == value >> 32 & 0x3F_FFFF


def test_either_half_of_a_base_is_kept() -> None:
    device, _ = machine()
    for offset in (Offset.CQB, Offset.FQB, Offset.PQB):
        device.write_register(offset, 0x1234_5C07, 4)
        device.write_register(offset + 4, 0xAB_CDEF, 4)
        assert device.read_register(offset, 8) == 0x2B_CDEF_1234_5C07


def test_vector_of_an_absent_cause_is_zero() -> None:
    device, _ = machine(CORE)
    device.write_register(Offset.ICVEC, 0xFFFF, 8)
    assert device.read_register(Offset.ICVEC, 8) == 0xFF


def test_base_write_clears_the_index_of_its_owner_and_is_ignored_while_on() -> None:
    device, _ = machine()
    device.write_register(Offset.CQB, QUEUE >> 2 | 3, 8)
    device.write_register(Offset.CQT, 9, 4)
    assert device.read_register(Offset.CQT, 4) == 9
    device.write_register(Offset.CQT, 0x19, 4)
    assert device.read_register(Offset.CQT, 4) == 9, "only LOG2SZ bits are writable"
    device.write_register(Offset.CQB, QUEUE >> 2 | 4, 8)
    assert device.read_register(Offset.CQT, 4) == 0
    fault_queue(device)
    device.write_register(Offset.FQB, 0, 8)
    assert device.read_register(Offset.FQB, 8) == QUEUE >> 2 | 6


def test_enabling_a_queue_resets_its_index_and_errors() -> None:
    device, memory = machine()
    command_queue(device)
    put(memory, 0, (0x7F, 0))
    device.write_register(Offset.CQT, 1, 4)
    assert device.read_register(Offset.CQCSR, 4) == CommandQueueCsr.CQEN | CommandQueueCsr.CMD_ILL | CommandQueueCsr.CQON
    device.write_register(Offset.CQCSR, 0, 4)
    assert not device.read_register(Offset.CQCSR, 4) & CommandQueueCsr.CQON
    device.write_register(Offset.CQT, 0, 4)
    device.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)
    assert device.read_register(Offset.CQCSR, 4) == CommandQueueCsr.CQEN | CommandQueueCsr.CQON
    assert device.read_register(Offset.CQH, 4) == 0


def test_illegal_command_stops_until_software_clears_the_bit() -> None:
    device, memory = machine()
    command_queue(device)
    put(memory, 0, InvalidateTranslations().pack())
    put(memory, 1, (0x7F, 0))
    put(memory, 2, InvalidateDevice().pack())
    device.write_register(Offset.CQT, 3, 4)
    assert device.read_register(Offset.CQH, 4) == 1
    put(memory, 1, InvalidateDevice(5).pack())
    device.write_register(Offset.CQT, 3, 4)
    assert device.read_register(Offset.CQH, 4) == 1
    device.write_register(Offset.CQCSR, CommandQueueCsr.CQEN | CommandQueueCsr.CMD_ILL, 4)
    assert device.read_register(Offset.CQH, 4) == 3


def test_command_queue_wraps() -> None:
    device, memory = machine()
    command_queue(device, log2_entries=2)
    flag = 0x20_0000
    tail = 0
    for number in range(1, 11):
        put(memory, tail, Fence(flag, number).pack())
        tail = (tail + 1) % 4
        device.write_register(Offset.CQT, tail, 4)
        assert memory.read_u64(flag) == number
        assert device.read_register(Offset.CQH, 4) == tail


def test_fetch_error_of_a_command_sets_cqmf() -> None:
    for spoil in ("access_fault", "poison"):
        device, memory = machine()
        command_queue(device)
        put(memory, 0, InvalidateTranslations().pack())
        getattr(memory, spoil).add(QUEUE + 8)
        device.write_register(Offset.CQT, 1, 4)
        assert device.read_register(Offset.CQCSR, 4) & CommandQueueCsr.CQMF
        assert device.read_register(Offset.CQH, 4) == 0


def test_fault_queue_overflow_drops_records_until_cleared() -> None:
    device, memory = machine()
    fault_queue(device, log2_entries=2)
    for number in range(6):
        device.translate(Request(number, IOVA))
    assert device.read_register(Offset.FQT, 4) == 3
    assert device.read_register(Offset.FQCSR, 4) & RecordQueueCsr.QOF
    device.write_register(Offset.FQH, 3, 4)
    device.translate(Request(7, IOVA))
    assert device.read_register(Offset.FQT, 4) == 3, "dropped while fqof is set"
    device.write_register(Offset.FQCSR, RecordQueueCsr.QEN | RecordQueueCsr.IE | RecordQueueCsr.QOF, 4)
    device.translate(Request(8, IOVA))
    assert device.read_register(Offset.FQT, 4) == 0
    words = unpack_words(memory.read(QUEUE + 3 * 32, 32), False)
    record = FaultRecord.unpack((words[0], words[1], words[2], words[3]))
    assert record == FaultRecord(Cause.ALL_INBOUND_DISALLOWED, TransactionType.UNTRANSLATED_READ, device_id=8, iotval=IOVA)


def test_fault_queue_write_error_sets_fqmf() -> None:
    device, memory = machine()
    fault_queue(device)
    memory.access_fault.add(QUEUE + 24)
    device.translate(Request(1, IOVA))
    assert device.read_register(Offset.FQCSR, 4) & RecordQueueCsr.QMF
    assert device.read_register(Offset.FQT, 4) == 0
    assert device.read_register(Offset.IPSR, 4) == Ipsr.FIP


def test_interrupt_is_set_again_while_its_condition_persists() -> None:
    device, _ = machine()
    fault_queue(device, log2_entries=1)
    device.translate(Request(1, IOVA))
    assert device.read_register(Offset.IPSR, 4) == Ipsr.FIP
    device.write_register(Offset.IPSR, Ipsr.FIP, 4)
    assert device.read_register(Offset.IPSR, 4) == 0, "a written record is an event"
    device.translate(Request(1, IOVA))
    device.write_register(Offset.IPSR, Ipsr.FIP, 4)
    assert device.read_register(Offset.IPSR, 4) == Ipsr.FIP, "fqof is a level"
    device.write_register(Offset.FQCSR, RecordQueueCsr.QEN | RecordQueueCsr.IE | RecordQueueCsr.QOF, 4)
    device.write_register(Offset.IPSR, Ipsr.FIP, 4)
    assert device.read_register(Offset.IPSR, 4) == 0


def test_wires_follow_pending_causes_through_icvec() -> None:
    wires: dict[int, bool] = {}
    memory = SparseMemory()
    device = IommuDevice(Capabilities(FULL), memory, set_wire=wires.__setitem__, vector_bits=2)
    device.write_register(Offset.FCTL, 2, 4)
    device.write_register(Offset.ICVEC, 0xFFFF, 8)
    assert device.read_register(Offset.ICVEC, 8) == 0x3333
    device.write_register(Offset.ICVEC, 0x0021, 8)
    fault_queue(device)
    device.translate(Request(1, IOVA))
    assert wires == {2: True}
    device.write_register(Offset.ICVEC, 0x0011, 8)
    assert wires == {2: False, 1: True}
    device.write_register(Offset.IPSR, Ipsr.FIP, 4)
    assert wires == {2: False, 1: False}


def test_fence_raises_a_wire_only_when_wires_are_in_use() -> None:
    device, memory = machine()
    device.write_register(Offset.FCTL, 2, 4)
    command_queue(device, interrupts=True)
    put(memory, 0, Fence(wired_interrupt=True).pack())
    device.write_register(Offset.CQT, 1, 4)
    assert device.read_register(Offset.CQCSR, 4) & CommandQueueCsr.FENCE_W_IP
    assert device.read_register(Offset.IPSR, 4) == Ipsr.CIP
    messages, memory = machine()
    command_queue(messages)
    put(memory, 0, Fence(wired_interrupt=True).pack())
    messages.write_register(Offset.CQT, 1, 4)
    assert messages.read_register(Offset.CQCSR, 4) & CommandQueueCsr.CMD_ILL


def test_msi_is_sent_on_the_edge_and_waits_for_its_mask() -> None:
    device, memory = machine()
    imsic = 0x2800_0000
    device.write_register(Offset.ICVEC, 0x0010, 8)
    device.write_register(msi_offset(1), imsic | 3, 8)
    assert device.read_register(msi_offset(1), 8) == imsic, "bits 1:0 are zero"
    device.write_register(msi_offset(1) + 8, 0x55, 4)
    device.write_register(msi_offset(1) + 12, 1, 4)
    fault_queue(device)
    device.translate(Request(1, IOVA))
    device.write_register(msi_offset(1) + 12, 1, 4)
    assert memory.read(imsic, 4) == bytes(4)
    device.write_register(msi_offset(1) + 12, 0, 4)
    assert memory.read(imsic, 4) == b"\x55\0\0\0"
    memory.write(imsic, bytes(4))
    device.translate(Request(1, IOVA))
    assert memory.read(imsic, 4) == bytes(4), "fip was still pending: no new edge"
    device.write_register(Offset.IPSR, Ipsr.FIP, 4)
    device.translate(Request(1, IOVA))
    assert memory.read(imsic, 4) == b"\x55\0\0\0"


def test_msi_write_error_is_a_fault_record_without_requester() -> None:
    device, memory = machine()
    imsic = 0x2800_0000
    memory.access_fault.add(imsic)
    device.write_register(msi_offset(0), imsic, 8)
    fault_queue(device)
    device.translate(Request(1, IOVA))
    assert device.read_register(Offset.FQT, 4) == 2
    words = unpack_words(memory.read(QUEUE + 32, 32), False)
    record = FaultRecord.unpack((words[0], words[1], words[2], words[3]))
    assert record == FaultRecord(Cause.MSI_WRITE_ACCESS_FAULT, TransactionType.NONE, iotval=imsic)


def debug_machine() -> tuple[IommuDevice, Scenario, int]:
    scenario = Scenario(CORE | DBG)
    root = scenario.first_stage()
    device = IommuDevice(scenario.configuration.capabilities, scenario.memory)
    device.write_register(Offset.DDTP, scenario.configuration.ddtp, 8)
    return device, scenario, root


def test_debug_port_translates_and_reports_the_size() -> None:
    device, scenario, root = debug_machine()
    scenario.map(root, 0x4000_0000, entry(0x8020_0000, PAGE), level=1)
    device.write_register(Offset.TR_REQ_IOVA, 0x4001_2345, 8)
    assert device.read_register(Offset.TR_REQ_IOVA, 8) == 0x4001_2000
    device.write_register(Offset.TR_REQ_CTL, 1 << 40 | 1 << 3 | 1, 8)
    assert device.read_register(Offset.TR_REQ_CTL, 4) & 1 == 0
    response = device.read_register(Offset.TR_RESPONSE, 8)
    assert response & 1 == 0
    assert response >> 9 & 1 == 1
    assert response >> 10 == 0x80200 | 0xFF, "2 MiB: ones up to bit 19 of the address"


def test_debug_port_fault_is_flagged_and_recorded() -> None:
    device, scenario, root = debug_machine()
    fault_queue(device)
    device.write_register(Offset.TR_REQ_IOVA, IOVA, 8)
    device.write_register(Offset.TR_REQ_CTL + 4, 1 << 8, 4)
    device.write_register(Offset.TR_REQ_CTL, 1, 4)
    assert device.read_register(Offset.TR_REQ_CTL, 8) == 1 << 40, "Go is done, the device ID stays"
    assert device.read_register(Offset.TR_RESPONSE, 8) == 1
    assert device.read_register(Offset.FQT, 4) == 1
    record = unpack_words(scenario.memory.read(QUEUE, 32), False)
    assert record[0] & 0xFFF == Cause.WRITE_PAGE_FAULT
    scenario.map(root, IOVA, entry(0x8000_0000, PAGE))
    device.write_register(Offset.TR_REQ_CTL, 1 << 40 | 1, 8)
    assert device.read_register(Offset.TR_RESPONSE, 8) == 0x80000 << 10


def test_event_counters_count_filter_and_overflow() -> None:
    scenario = Scenario(CORE | HPM)
    root = scenario.first_stage()
    scenario.map(root, IOVA, entry(0x8000_0000, PAGE))
    device = IommuDevice(scenario.configuration.capabilities, scenario.memory, counters=4)
    device.write_register(Offset.DDTP, scenario.configuration.ddtp, 8)
    device.write_register(event_offset(1), 1, 8)
    device.write_register(event_offset(2), 7, 8)
    device.write_register(event_offset(3), 1 | 1 << 61 | 5 << 36, 8)
    device.write_register(event_offset(4), 0x123, 8)
    assert device.read_register(event_offset(4), 8) == 0, "an unknown event is no event"
    device.write_register(counter_offset(2), (1 << 64) - 4, 8)
    for device_id in (1, 1, 5):
        device.translate(Request(device_id, IOVA))
    assert device.read_register(counter_offset(1), 8) == 3
    assert device.read_register(counter_offset(2), 8) == 2
    assert device.read_register(counter_offset(3), 8) == 1
    assert device.read_register(Offset.IOCOUNTOVF, 4) == 1 << 2
    assert device.read_register(event_offset(2), 8) >> 63 == 1
    assert device.read_register(Offset.IPSR, 4) == Ipsr.PMIP
    device.write_register(Offset.IPSR, Ipsr.PMIP, 4)
    device.write_register(counter_offset(2), (1 << 64) - 1, 8)
    device.translate(Request(1, IOVA))
    assert device.read_register(Offset.IPSR, 4) == 0, "OF was set already"


def test_device_mask_and_guest_filter_of_events() -> None:
    scenario = Scenario(CORE | HPM)
    for device_id in (0x10, 0x17, 0x18):
        scenario.second_stage(device_id)
    device = IommuDevice(scenario.configuration.capabilities, scenario.memory, counters=3)
    device.write_register(Offset.DDTP, scenario.configuration.ddtp, 8)
    device.write_register(event_offset(1), 1 | 1 << 15 | 1 << 61 | 0x13 << 36, 8)
    device.write_register(event_offset(2), 8 | 1 << 62 | 1 << 61 | 9 << 36, 8)
    device.write_register(event_offset(3), 1 | 1 << 62, 8)
    for device_id in (0x10, 0x17, 0x18):
        device.translate(Request(device_id, IOVA))
    assert device.read_register(counter_offset(1), 8) == 2, "0x13 with DMASK ignores bits 2:0"
    assert device.read_register(counter_offset(2), 8) == 3, "GSCID 9, one second-stage access each"
    assert device.read_register(counter_offset(3), 8) == 0, "IDT does not apply to requests"


def test_directory_walk_of_a_page_request_counts() -> None:
    scenario = Scenario(FULL)
    scenario.set_context(1, DeviceContext(enable_ats=True, enable_pri=True))
    device = IommuDevice(scenario.configuration.capabilities, scenario.memory, counters=1)
    device.write_register(Offset.DDTP, scenario.configuration.ddtp, 8)
    device.write_register(event_offset(1), 5 | 1 << 61 | 1 << 36, 8)
    for requester in (1, 2, 1):
        device.receive_page_request(PageRequest(requester, IOVA | 5))
    assert device.read_register(counter_offset(1), 8) == 2


def test_walk_to_the_process_context_has_no_pscid() -> None:
    scenario = Scenario(CORE | PD8 | HPM)
    guest, table = scenario.page(4), scenario.page()
    context = DeviceContext(
        second_stage=SecondStageMode.SV39X4,
        second_stage_root=guest,
        gscid=9,
        process_directory=ProcessDirectoryMode.PD8,
        process_directory_root=table,
    )
    scenario.set_context(1, context)
    root = scenario.page()
    scenario.set_process(table, 4, ProcessContext(FirstStageMode.SV39, root, 7))
    for page in (table, root):
        scenario.map(guest, page, entry(page, PAGE), guest=True)
    device = IommuDevice(scenario.configuration.capabilities, scenario.memory, counters=2)
    device.write_register(Offset.DDTP, scenario.configuration.ddtp, 8)
    device.write_register(event_offset(1), 8 | 1 << 62 | 1 << 61 | 9 << 36, 8)
    device.write_register(event_offset(2), 8 | 1 << 62 | 1 << 60 | 7 << 16, 8)
    device.translate(Request(1, IOVA, process_id=4, pasid_valid=True))
    assert device.read_register(counter_offset(1), 8) == 6, "three reads each for process context and root table"
    assert device.read_register(counter_offset(2), 8) == 3, "those for the root table"


def test_inhibited_counters_stand_still() -> None:
    device, _ = machine(CORE | HPM, counters=2)
    device.write_register(event_offset(1), 1, 8)
    device.write_register(Offset.IOCOUNTINH, 0xFFFF_FFFF, 4)
    assert device.read_register(Offset.IOCOUNTINH, 4) == 0b111
    device.translate(Request(1, IOVA))
    device.advance_cycles(10)
    assert device.read_register(counter_offset(1), 8) == 0
    assert device.read_register(Offset.IOHPMCYCLES, 8) == 0
    device.write_register(Offset.IOCOUNTINH, 0, 4)
    device.advance_cycles(10)
    assert device.read_register(Offset.IOHPMCYCLES, 8) == 10
    device.write_register(Offset.IOHPMCYCLES, (1 << 63) - 1, 8)
    device.advance_cycles(1)
    assert device.read_register(Offset.IOHPMCYCLES, 8) == 1 << 63
    assert device.read_register(Offset.IPSR, 4) == Ipsr.PMIP


def test_qosid_register_has_the_implemented_width() -> None:
    device, _ = machine(CORE | QOSID, qosid_bits=4)
    device.write_register(Offset.IOMMU_QOSID, 0xFFFF_FFFF, 4)
    assert device.read_register(Offset.IOMMU_QOSID, 4) == 0x000F_000F


def test_capabilities_outside_the_profile_are_refused() -> None:
    with pytest.raises(ValueError, match="Sv32"):
        Capabilities(CORE | 1 << 8)
    with pytest.raises(ValueError, match="reserved"):
        Capabilities(CORE | 1 << 60)
