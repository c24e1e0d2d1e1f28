"""Directed translations: what a random generator is likely to miss (specification brief, directed list)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sluicegate.iommu import (
    AddressType,
    Capabilities,
    Cause,
    DirectoryMode,
    IommuConfiguration,
    MemoryType,
    QosIds,
    Request,
    Status,
    TransactionType,
    translate,
)
from sluicegate.iommu.context import DeviceContext, FirstStageMode, ProcessContext, ProcessDirectoryMode, SecondStageMode

from tests.unit.iommu.scenario import (
    AMO_HWAD,
    CORE,
    DBG,
    FULL,
    FULL_MSI,
    MSI_FLAT,
    PAGE,
    QOSID,
    SVPBMT,
    A,
    D,
    G,
    N,
    R,
    Scenario,
    U,
    V,
    W,
    X,
    entry,
)

IOVA = 0x12_3456_7000
TARGET = 0x8765_4000


@pytest.mark.parametrize(
    ("capabilities", "mode", "device_id"),
    [
        (CORE, DirectoryMode.ONE_LEVEL, 0x8000),
        (CORE | MSI_FLAT, DirectoryMode.ONE_LEVEL, 0x4000),
        (CORE | MSI_FLAT, DirectoryMode.TWO_LEVEL, 1 << 23),
        (CORE, DirectoryMode.TWO_LEVEL, 1 << 16),
    ],
)
def test_device_id_wider_than_the_directory_is_disallowed_without_any_read(
    capabilities: int, mode: DirectoryMode, device_id: int
) -> None:
    scenario = Scenario(capabilities, mode)
    scenario.set_context(0, DeviceContext())
    response = scenario.read(IOVA, device_id)
    assert response.cause is Cause.TRANSACTION_TYPE_DISALLOWED
    assert response.status is Status.UNSUPPORTED_REQUEST
    assert response.trace.reads == []


@pytest.mark.parametrize(("capabilities", "bit"), [(CORE, 15), (CORE | MSI_FLAT, 14), (CORE | MSI_FLAT, 23), (CORE, 16)])
def test_directory_index_of_nine_bits_does_not_alias_another_device(capabilities: int, bit: int) -> None:
    scenario = Scenario(capabilities, DirectoryMode.THREE_LEVEL)
    scenario.set_context(0, DeviceContext())
    assert scenario.read(IOVA, 0).status is Status.OK
    assert scenario.read(IOVA, 1 << bit).cause is Cause.DDT_NOT_VALID


def test_base_format_context_ignores_what_follows_it() -> None:
    scenario = Scenario(CORE)
    scenario.set_context(2, DeviceContext())
    address = scenario.context_address(2)
    for offset in range(32, 64, 8):
        scenario.memory.write_u64(address + offset, (1 << 64) - 1)
    response = scenario.read(IOVA, 2)
    assert (response.status, response.spa) == (Status.OK, IOVA)
    assert [(read.address, read.length) for read in response.trace.reads] == [(address, 32)]


def test_addresses_of_56_bits_survive_every_pointer() -> None:
    scenario = Scenario(FULL)
    high = 0xFE_DCBA_0000_0000
    root, middle, last, page = high, high + 0x1000, high + 0x2000, 0xFC_1234_5678_9000
    scenario.set_context(1, DeviceContext(first_stage=ProcessContext(FirstStageMode.SV39, root, 0)))
    scenario.memory.write_u64(root + 8 * (IOVA >> 30 & 511), entry(middle, V))
    scenario.memory.write_u64(middle + 8 * (IOVA >> 21 & 511), entry(last, V))
    scenario.memory.write_u64(last + 8 * (IOVA >> 12 & 511), entry(page, PAGE))
    assert scenario.read(IOVA | 0x123).spa == page | 0x123


def test_address_beyond_physical_width_is_an_access_fault_that_reads_nothing() -> None:
    scenario = Scenario(CORE - (56 << 32) + (40 << 32))
    root = scenario.first_stage()
    scenario.memory.write_u64(root + 8 * (IOVA >> 30 & 511), entry(1 << 40, V))
    response = scenario.read(IOVA)
    assert response.cause is Cause.READ_ACCESS_FAULT
    assert all(read.address < 1 << 40 for read in response.trace.reads)


def _msi_device(scenario: Scenario, pattern: int = 0x300, mask: int = 0x3) -> tuple[int, int]:
    msi_root = scenario.page()
    root = scenario.second_stage(msi_enabled=True, msi_root=msi_root, msi_address_mask=mask, msi_address_pattern=pattern)
    return root, msi_root


def test_mrif_address_uses_all_56_bits() -> None:
    scenario = Scenario(FULL_MSI)
    _, msi_root = _msi_device(scenario)
    file, notice = 0xFF_FFFF_FFFF_FE00, 0xFF_EDCB_A987_6000
    scenario.memory.write_u64(msi_root + 16, file >> 9 << 7 | 1 << 1 | V)
    scenario.memory.write_u64(msi_root + 24, 1 << 60 | entry(notice, 0x3AB))
    response = scenario.write(0x301_000)
    assert response.mrif is not None
    assert (response.mrif.address, response.mrif.notice_identity, response.mrif.notice_address) == (file, 0x7AB, notice)
    assert response.msi


def test_msi_basic_mode_translates_reads_and_writes_but_not_execute() -> None:
    scenario = Scenario(FULL_MSI)
    _, msi_root = _msi_device(scenario)
    scenario.memory.write_u64(msi_root, entry(TARGET, 3 << 1 | V))
    assert scenario.read(0x300_010).spa == TARGET | 0x10
    assert scenario.write(0x300_010).spa == TARGET | 0x10
    assert scenario.translate(Request(1, 0x300_010, exec=True)).cause is Cause.INSTRUCTION_ACCESS_FAULT


@pytest.mark.parametrize(
    ("pte", "cause"),
    [
        (0, Cause.MSI_PTE_NOT_VALID),
        (V, Cause.MSI_PTE_MISCONFIGURED),
        (2 << 1 | V, Cause.MSI_PTE_MISCONFIGURED),
        (3 << 1 | V | 1 << 3, Cause.MSI_PTE_MISCONFIGURED),
        (3 << 1 | V | 1 << 54, Cause.MSI_PTE_MISCONFIGURED),
        (3 << 1 | V | 1 << 63, Cause.MSI_PTE_MISCONFIGURED),
        (1 << 1 | V | 1 << 6, Cause.MSI_PTE_MISCONFIGURED),
    ],
)
def test_bad_msi_entries(pte: int, cause: Cause) -> None:
    scenario = Scenario(FULL_MSI)
    _, msi_root = _msi_device(scenario)
    scenario.memory.write_u64(msi_root, pte)
    assert scenario.write(0x300_000).cause is cause


def test_superpage_that_covers_msi_pages_is_reported_small() -> None:
    scenario = Scenario(FULL_MSI)
    root, _ = _msi_device(scenario, pattern=0x300, mask=0x3)
    scenario.map(root, 0x200_000, entry(0x4000_0000, PAGE), level=1, guest=True)
    for page, shift in ((0x2FF, 20), (0x304, 14), (0x310, 16), (0x3FF, 19)):
        response = scenario.read(page << 12)
        assert response.spa == 0x4000_0000 + (page - 0x200) * 4096
        assert response.page_shift == shift, hex(page)
        covered = range(page >> (shift - 12) << (shift - 12), (page >> (shift - 12)) + 1 << (shift - 12))
        assert not set(covered) & set(range(0x300, 0x304))


@pytest.mark.parametrize("low", [0, 1, 4, 7, 9, 15])
def test_napot_with_wrong_low_page_bits_faults(low: int) -> None:
    scenario = Scenario()
    root = scenario.first_stage()
    scenario.map(root, IOVA, entry(0x9000_0000 | low << 12, PAGE | N))
    assert scenario.read(IOVA).cause is Cause.READ_PAGE_FAULT


def test_napot_takes_four_page_bits_from_the_address() -> None:
    scenario = Scenario()
    root = scenario.first_stage()
    scenario.map(root, IOVA, entry(0x9000_0000 | 8 << 12, PAGE | N))
    response = scenario.read(IOVA | 0xABC)
    assert (response.spa, response.page_shift) == (0x9000_0000 | (IOVA & 0xF000) | 0xABC, 16)


@pytest.mark.parametrize("level", [1, 2])
def test_napot_bit_above_the_last_level_faults(level: int) -> None:
    scenario = Scenario()
    root = scenario.first_stage()
    scenario.map(root, IOVA, entry(0x1_0000_0000, PAGE | N), level=level)
    assert scenario.read(IOVA).cause is Cause.READ_PAGE_FAULT
    scenario.map(root, IOVA, entry(0x1_0000_0000, V | N), level=level)
    assert scenario.read(IOVA).cause is Cause.READ_PAGE_FAULT


@pytest.mark.parametrize("bits", [A, D, U, 1 << 61, 2 << 61, 3 << 61, 1 << 54, 1 << 58, 1 << 59])
def test_non_leaf_with_leaf_bits_faults(bits: int) -> None:
    scenario = Scenario(CORE | SVPBMT)
    root = scenario.first_stage()
    position = scenario.map(root, IOVA, entry(TARGET, PAGE))
    assert scenario.read(IOVA).spa == TARGET
    middle = root + 8 * (IOVA >> 30 & 511)
    scenario.memory.write_u64(middle, scenario.memory.read_u64(middle) | bits)
    response = scenario.read(IOVA)
    assert response.cause is Cause.READ_PAGE_FAULT
    assert position not in [read.address for read in response.trace.reads]


@pytest.mark.parametrize("flags", [W, W | X])
def test_writable_without_readable_is_reserved(flags: int) -> None:
    scenario = Scenario()
    root = scenario.first_stage()
    scenario.map(root, IOVA, entry(TARGET, V | flags | U | A | D))
    for request, cause in (
        (Request(1, IOVA), Cause.READ_PAGE_FAULT),
        (Request(1, IOVA, write=True), Cause.WRITE_PAGE_FAULT),
        (Request(1, IOVA, exec=True), Cause.INSTRUCTION_PAGE_FAULT),
    ):
        assert scenario.translate(request).cause is cause


def test_second_stage_without_user_bit_is_a_guest_page_fault() -> None:
    scenario = Scenario()
    root = scenario.second_stage()
    scenario.map(root, IOVA & 0xFFFFFFF000, entry(TARGET, V | R | W | A | D), guest=True)
    response = scenario.write(IOVA | 0x44)
    assert response.cause is Cause.WRITE_GUEST_PAGE_FAULT
    assert response.fault is not None
    assert response.fault.iotval2 == IOVA | 0x44


def test_guest_address_of_41_bits_is_a_guest_page_fault() -> None:
    scenario = Scenario()
    root = scenario.second_stage()
    scenario.map(root, (1 << 41) - 4096, entry(TARGET, PAGE), guest=True)
    assert scenario.read((1 << 41) - 4096).spa == TARGET
    response = scenario.read(1 << 41)
    assert response.cause is Cause.READ_GUEST_PAGE_FAULT
    assert [read.length for read in response.trace.reads] == [32]


def test_fault_of_an_implicit_access_reports_the_table_address() -> None:
    scenario = Scenario()
    guest_root = scenario.page(4)
    first_root = 0x50_0000
    scenario.set_context(
        1,
        DeviceContext(
            second_stage=SecondStageMode.SV39X4,
            second_stage_root=guest_root,
            first_stage=ProcessContext(FirstStageMode.SV39, first_root, 3),
        ),
    )
    response = scenario.write(IOVA)
    assert response.cause is Cause.WRITE_GUEST_PAGE_FAULT
    assert response.fault is not None
    assert response.fault.iotval2 == (first_root + 8 * (IOVA >> 30 & 511)) | 1


def test_default_process_translates_but_the_record_shows_no_pasid() -> None:
    scenario = Scenario()
    table = scenario.process_directory(default_process=True)
    root = scenario.page()
    scenario.set_process(table, 0, ProcessContext(FirstStageMode.SV39, root, 5))
    scenario.map(root, IOVA, entry(TARGET, PAGE))
    assert scenario.read(IOVA).spa == TARGET
    fault = scenario.read(IOVA + 4096).fault
    assert fault is not None
    assert (fault.cause, fault.pasid_valid, fault.process_id, fault.priv) == (Cause.READ_PAGE_FAULT, False, 0, False)


@pytest.mark.parametrize(
    ("flags", "sum_", "exec_", "ok"),
    [
        (R | U, False, False, False),
        (R | U, True, False, True),
        (R | X | U, True, True, False),
        (R | X, False, True, True),
        (R, False, False, True),
    ],
)
def test_privileged_access_to_user_pages_needs_sum_and_never_executes(flags: int, sum_: bool, exec_: bool, ok: bool) -> None:
    scenario = Scenario()
    table = scenario.process_directory()
    root = scenario.page()
    scenario.set_process(table, 3, ProcessContext(FirstStageMode.SV39, root, 5, enable_supervisory=True, sum=sum_))
    scenario.map(root, IOVA, entry(TARGET, V | A | flags))
    response = scenario.translate(Request(1, IOVA, process_id=3, pasid_valid=True, priv=True, exec=exec_))
    assert (response.status is Status.OK) is ok


def test_privileged_request_without_supervisor_enable_is_disallowed() -> None:
    scenario = Scenario()
    table = scenario.process_directory()
    scenario.set_process(table, 3, ProcessContext(FirstStageMode.BARE, 0, 5))
    request = Request(1, IOVA, process_id=3, pasid_valid=True, priv=True)
    assert scenario.translate(request).cause is Cause.TRANSACTION_TYPE_DISALLOWED


def test_pasid_without_process_directory_is_disallowed() -> None:
    scenario = Scenario()
    root = scenario.first_stage()
    scenario.map(root, IOVA, entry(TARGET, PAGE))
    response = scenario.translate(Request(1, IOVA, process_id=3, pasid_valid=True))
    assert response.cause is Cause.TRANSACTION_TYPE_DISALLOWED
    assert response.fault is not None
    assert (response.fault.process_id, response.fault.pasid_valid) == (3, True)


def test_process_id_wider_than_the_directory_is_disallowed() -> None:
    scenario = Scenario()
    scenario.process_directory()
    request = Request(1, IOVA, process_id=256, pasid_valid=True)
    assert scenario.translate(request).cause is Cause.TRANSACTION_TYPE_DISALLOWED


def test_write_and_dirty_rules_of_ats() -> None:
    scenario = Scenario()
    root = scenario.first_stage(enable_ats=True)
    scenario.map(root, IOVA, entry(TARGET, V | R | W | U | A))
    response = scenario.ats(IOVA, no_write=True)
    assert response.permissions is not None
    assert (response.permissions.read, response.permissions.write) == (True, False)
    assert response.fault is None
    response = scenario.ats(IOVA)
    assert (response.status, response.fault, response.permissions) == (Status.OK, None, response.permissions)
    assert response.permissions is not None
    assert not response.permissions.read
    assert not response.permissions.write


def test_ats_with_hardware_update_sets_dirty_only_when_write_is_asked() -> None:
    scenario = Scenario()
    root = scenario.first_stage(enable_ats=True, update_first_stage_ad=True)
    position = scenario.map(root, IOVA, entry(TARGET, V | R | W | U))
    response = scenario.ats(IOVA, no_write=True)
    assert scenario.memory.read_u64(position) & (A | D) == A
    assert response.permissions is not None
    assert not response.permissions.write
    response = scenario.ats(IOVA)
    assert scenario.memory.read_u64(position) & (A | D) == A | D
    assert response.permissions is not None
    assert response.permissions.write


def test_write_without_dirty_faults_without_hardware_update() -> None:
    scenario = Scenario(CORE | AMO_HWAD | DBG)
    root = scenario.first_stage()
    scenario.map(root, IOVA, entry(TARGET, V | R | W | U | A))
    assert scenario.read(IOVA).status is Status.OK
    assert scenario.write(IOVA).cause is Cause.WRITE_PAGE_FAULT


def test_translated_request_needs_ats_and_passes_unchanged() -> None:
    scenario = Scenario()
    scenario.first_stage(1)
    scenario.first_stage(2, enable_ats=True)
    for device, status in ((1, Status.UNSUPPORTED_REQUEST), (2, Status.OK)):
        response = scenario.translate(Request(device, TARGET, address_type=AddressType.TRANSLATED))
        assert response.status is status
    assert response.spa == TARGET


def test_global_bit_on_a_pointer_makes_the_page_global() -> None:
    scenario = Scenario()
    table = scenario.process_directory(enable_ats=True)
    root = scenario.page()
    scenario.set_process(table, 3, ProcessContext(FirstStageMode.SV39, root, 5))
    scenario.map(root, IOVA, entry(TARGET, PAGE))
    request = Request(1, IOVA, address_type=AddressType.TRANSLATION_REQUEST, process_id=3, pasid_valid=True)
    permissions = scenario.translate(request).permissions
    assert permissions is not None
    assert not permissions.global_
    pointer = root + 8 * (IOVA >> 30 & 511)
    scenario.memory.write_u64(pointer, scenario.memory.read_u64(pointer) | G)
    permissions = scenario.translate(request).permissions
    assert permissions is not None
    assert permissions.global_


def test_memory_type_of_the_first_stage_wins_over_the_second() -> None:
    scenario = Scenario()
    guest_root, first_root = scenario.page(4), 0x50_0000
    scenario.set_context(
        1,
        DeviceContext(
            second_stage=SecondStageMode.SV39X4,
            second_stage_root=guest_root,
            first_stage=ProcessContext(FirstStageMode.SV39, first_root, 3),
        ),
    )
    scenario.identity(guest_root, 0x50_0000, 0x50_4000)
    scenario.memory.write_u64(first_root, entry(0x50_1000, V))
    scenario.memory.write_u64(0x50_1000, entry(0x50_2000, V))
    for first, second, expected in (
        (0, 2, MemoryType.IO),
        (1, 2, MemoryType.NC),
        (2, 0, MemoryType.IO),
        (0, 0, MemoryType.PMA),
    ):
        scenario.memory.write_u64(0x50_2000, entry(0x60_0000, PAGE | first << 61))
        scenario.map(guest_root, 0x60_0000, entry(TARGET, PAGE | second << 61), guest=True)
        response = scenario.read(0x10)
        assert (response.spa, response.memory_type) == (TARGET | 0x10, expected)


_DTF_CASES = [
    (Cause.DDT_MISCONFIGURED, True),
    (Cause.TRANSACTION_TYPE_DISALLOWED, False),
    (Cause.READ_PAGE_FAULT, False),
    (Cause.READ_ACCESS_FAULT, False),
    (Cause.PT_DATA_CORRUPTION, False),
    (Cause.PDT_NOT_VALID, False),
    (Cause.PDT_MISCONFIGURED, False),
    (Cause.PDT_ACCESS_FAULT, False),
    (Cause.PDT_DATA_CORRUPTION, False),
    (Cause.READ_GUEST_PAGE_FAULT, False),
    (Cause.DDT_ACCESS_FAULT, True),
    (Cause.DDT_DATA_CORRUPTION, True),
    (Cause.DDT_NOT_VALID, True),
]


@pytest.mark.parametrize(("cause", "recorded"), _DTF_CASES, ids=[cause.name for cause, _ in _DTF_CASES])
def test_disabled_fault_reporting_hides_all_but_the_causes_of_the_directory(cause: Cause, recorded: bool) -> None:
    scenario = Scenario()
    request = Request(1, IOVA)
    process = Request(1, IOVA, process_id=3, pasid_valid=True)
    address = scenario.context_address(1)
    memory = scenario.memory
    if cause.name.startswith("PDT"):
        table = scenario.process_directory(disable_fault_reporting=True)
        request = process
        if cause is Cause.PDT_MISCONFIGURED:
            memory.write_u64(table + 48, V | 1 << 5)
        elif cause is Cause.PDT_ACCESS_FAULT:
            memory.access_fault.add(table + 48)
        elif cause is Cause.PDT_DATA_CORRUPTION:
            memory.poison.add(table + 56)
    elif cause is Cause.READ_GUEST_PAGE_FAULT:
        scenario.second_stage(disable_fault_reporting=True)
    else:
        root = scenario.first_stage(disable_fault_reporting=True)
        slot = root + 8 * (IOVA >> 30 & 511)
        if cause is Cause.TRANSACTION_TYPE_DISALLOWED:
            request = process
        elif cause is Cause.READ_ACCESS_FAULT:
            memory.access_fault.add(slot)
        elif cause is Cause.PT_DATA_CORRUPTION:
            memory.poison.add(slot)
        elif cause is Cause.DDT_MISCONFIGURED:
            memory.write_u64(address, memory.read_u64(address) | 1 << 12)
        elif cause is Cause.DDT_ACCESS_FAULT:
            memory.access_fault.add(address + 8)
        elif cause is Cause.DDT_DATA_CORRUPTION:
            memory.poison.add(address + 24)
        elif cause is Cause.DDT_NOT_VALID:
            memory.write_u64(address, 0)
    response = scenario.translate(request)
    assert response.cause is cause
    assert response.status is Status.UNSUPPORTED_REQUEST
    assert (response.fault is not None) is recorded


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (0, 1 << 1),  # EN_ATS without the capability
        (0, 1 << 3),  # T2GPA
        (0, 1 << 6),  # PRPR
        (0, 1 << 7),  # GADE without AMO_HWAD
        (0, 1 << 8),  # SADE
        (0, 1 << 9),  # DPE without PDTV
        (0, 1 << 10),  # SBE differs from a fixed BE
        (0, 1 << 11),  # SXL
        (0, 1 << 12),
        (0, 1 << 32),
        (1, 1 << 60),  # unknown second-stage mode
        (1, 9 << 60),  # Sv48x4 is not there
        (1, 8 << 60 | 1),  # root not on 16 KiB
        (2, 1),
        (2, 1 << 32),
        (2, 1 << 40),  # RCID without QOSID
        (3, 1 << 44),
        (3, 9 << 60),  # Sv48 is not there
        (3, 1 << 60),
    ],
)
def test_misconfigured_device_context(word: int, value: int) -> None:
    scenario = Scenario(CORE)
    scenario.set_context(1, DeviceContext())
    address = scenario.context_address(1)
    assert scenario.read(IOVA).status is Status.OK
    scenario.memory.write_u64(address + 8 * word, scenario.memory.read_u64(address + 8 * word) | value)
    assert scenario.read(IOVA).cause is Cause.DDT_MISCONFIGURED


def test_ids_of_bare_stages_are_not_checked() -> None:
    scenario = Scenario(CORE)
    scenario.set_context(1, DeviceContext(gscid=0xFFFF, first_stage=ProcessContext(FirstStageMode.BARE, 0xFFF000, 0xFFFFF)))
    assert scenario.read(IOVA).spa == IOVA


def test_transaction_types_of_records() -> None:
    types = {
        (AddressType.UNTRANSLATED, False, False): TransactionType.UNTRANSLATED_READ,
        (AddressType.UNTRANSLATED, True, False): TransactionType.UNTRANSLATED_WRITE,
        (AddressType.UNTRANSLATED, False, True): TransactionType.UNTRANSLATED_EXECUTE,
        (AddressType.TRANSLATED, False, True): TransactionType.TRANSLATED_READ,
        (AddressType.TRANSLATED, True, False): TransactionType.TRANSLATED_WRITE,
        (AddressType.TRANSLATION_REQUEST, False, False): TransactionType.ATS_REQUEST,
    }
    for (address_type, write, exec_), expected in types.items():
        assert Request(1, 0, write=write, address_type=address_type, exec=exec_).transaction_type is expected
    request = Request(1, 0, address_type=AddressType.TRANSLATED, exec=True, pasid_valid=True)
    assert request.transaction_type is TransactionType.TRANSLATED_EXECUTE


@pytest.mark.parametrize(("mode", "bits"), [(FirstStageMode.SV39, 39), (FirstStageMode.SV48, 48), (FirstStageMode.SV57, 57)])
def test_addresses_must_be_canonical(mode: FirstStageMode, bits: int) -> None:
    scenario = Scenario(FULL)
    root = scenario.first_stage(mode=mode)
    upper = (1 << 64) - (1 << (bits - 1))
    scenario.map(root, upper, entry(TARGET, PAGE), levels=mode.levels)
    assert scenario.read(upper).spa == TARGET
    for iova in (1 << (bits - 1), upper - 4096):
        assert scenario.read(iova).cause is Cause.READ_PAGE_FAULT


def test_process_directory_levels_use_their_own_index_bits() -> None:
    scenario = Scenario(FULL)
    table, middle, leaf = scenario.page(), scenario.page(), scenario.page()
    scenario.set_context(1, DeviceContext(process_directory=ProcessDirectoryMode.PD20, process_directory_root=table))
    process_id = 0xABCDE
    scenario.memory.write_u64(table + 8 * (process_id >> 17), entry(middle, V))
    scenario.memory.write_u64(middle + 8 * (process_id >> 8 & 0x1FF), entry(leaf, V))
    scenario.set_process(leaf, process_id & 0xFF, ProcessContext(FirstStageMode.BARE, 0, 1))
    assert scenario.translate(Request(1, IOVA, process_id=process_id, pasid_valid=True)).spa == IOVA
    assert scenario.translate(Request(1, IOVA, process_id=process_id ^ 1 << 8, pasid_valid=True)).cause is Cause.PDT_NOT_VALID


def test_quality_of_service_identifiers_of_the_walk() -> None:
    scenario = Scenario(FULL | QOSID)
    qos = QosIds(0xABC, 0x123)
    scenario.map(scenario.first_stage(1, qos=qos), IOVA, entry(0x8000_0000, PAGE))
    configuration = replace(scenario.configuration, iommu_qosid=0x0456_0789)
    response = translate(Request(1, IOVA), configuration, scenario.memory)
    assert [read.qos for read in response.trace.reads] == [QosIds(0x789, 0x456), qos, qos, qos], "directory, then three levels"


def test_quality_of_service_identifiers_of_the_device_access() -> None:
    scenario = Scenario(FULL | QOSID)
    qos = QosIds(0xABC, 0x123)
    scenario.set_context(1, DeviceContext(qos=qos))
    assert scenario.read(IOVA).qos == qos
    assert scenario.read(IOVA, 2).qos == QosIds()
    bare = IommuConfiguration(Capabilities(FULL | QOSID), 0, DirectoryMode.BARE, 12, 0x0456_0789)
    assert translate(Request(1, IOVA), bare, scenario.memory).qos == QosIds(0x789, 0x456)
    narrow = IommuConfiguration(scenario.configuration.capabilities, 0, scenario.configuration.ddtp, qosid_bits=8)
    assert translate(Request(1, IOVA), narrow, scenario.memory).cause is Cause.DDT_MISCONFIGURED
