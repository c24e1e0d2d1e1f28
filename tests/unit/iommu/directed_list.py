"""The directed list of the IOMMU: one scenario an item, run on the model and on the RTL alike.

Each scenario builds tables, says what must come out, and drives an :class:`Iommu`, which is the model's register-level device
(`test_directed_list.py`) or the core in simulation (`tests/block/iommu/test_directed.py`). Expected values follow from the
specification and stand here as literals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from sluicegate.iommu import AddressType, Cause, DirectoryMode, Request, Response, Status
from sluicegate.iommu.context import DeviceContext, FirstStageMode, ProcessContext, SecondStageMode
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr

from tests.unit.iommu.scenario import (
    AMO_HWAD,
    CORE,
    FULL,
    FULL_MSI,
    MSI_FLAT,
    PAGE,
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

IOVA, TARGET, OTHER = 0x12_3456_7000, 0x8765_4000, 0x9876_5000
NESTED_LEAF = 0x50_2000 + 8 * (IOVA >> 12 & 511)
"""Where :func:`_nested` has the first-stage leaf."""
LAST_GUEST_PAGE = (1 << 41) - 4096
INVALIDATE_VMA, INVALIDATE_GVMA, FENCE, INVALIDATE_DEVICE = 0x001, 0x081, 0x002, 0x003
INVALIDATE_MESSAGE = 0x004
AV, PSCV, GV, DSV = 1 << 10, 1 << 32, 1 << 33, 1 << 33
FENCE_WORD: Final = 0x2100_0000
REFUSED, POISONED = 1, 2
DDTP_BUSY = 1 << 4


class Iommu(Protocol):
    """What a scenario drives. Registers, queues of 2^``log2`` entries in memory, requests and software's stores."""

    def begin(self, scenario: Scenario, fault_log2: int = 7, command_log2: int = 6) -> None:
        """Reset with the tables and the configuration of ``scenario``; both queues on and empty."""

    def translate(self, request: Request) -> Response:
        """One request alone; its response with the fault record that reached the queue (None: none did)."""

    def during(self, requests: Sequence[Request], action: Callable[[], None], delay: int = 6) -> list[Response]:
        """Requests under way while ``action`` runs, ``delay`` cycles behind the first; their responses, without fault records."""

    def store(self, address: int, word: int) -> None:
        """Software writes a dword."""

    def load(self, address: int) -> int:
        """A dword of memory."""

    def fail(self, address: int, state: int) -> None:
        """From now on a dword refuses access (1) or returns poison (2), or is healthy (0)."""

    def command(self, *commands: tuple[int, int]) -> None:
        """Append commands and let them run."""

    def read_register(self, offset: int, width: int) -> int: ...
    def write_register(self, offset: int, value: int, width: int) -> None: ...

    def check(self, what: str, got: object, expected: object) -> None:
        """One comparison; raises when they differ."""

    def complete_invalidation(self, device: int, tags: int) -> None:
        """A device (segment and requester ID, 24 bits) answers the invalidate requests with these tags."""


def fence(iommu: Iommu, *commands: tuple[int, int]) -> None:
    """Run commands with a fence behind them; all must be consumed."""
    iommu.command(*commands, (FENCE, 0))
    csr = CommandQueueCsr(iommu.read_register(Offset.CQCSR, 4))
    errors = CommandQueueCsr.CQMF | CommandQueueCsr.CMD_ILL | CommandQueueCsr.CMD_TO
    iommu.check("errors of the command queue", csr & errors, CommandQueueCsr(0))
    iommu.check("command queue drained", iommu.read_register(Offset.CQH, 4), iommu.read_register(Offset.CQT, 4))


def expect(iommu: Iommu, request: Request, spa: int) -> None:
    """The request is translated to ``spa``."""
    response = iommu.translate(request)
    iommu.check(f"{request}", (response.status, response.spa), (Status.OK, spa))


def expect_fault(iommu: Iommu, request: Request, cause: Cause, iotval2: int | None = None, recorded: bool = True) -> None:
    """The request is refused with a record of ``cause``, or without one."""
    response = iommu.translate(request)
    iommu.check(f"{request}", response.status, Status.UNSUPPORTED_REQUEST)
    if not recorded:
        iommu.check(f"record of {request}", response.fault, None)
        return
    fault = response.fault
    iommu.check(f"cause of {request}", None if fault is None else fault.cause, cause)
    if fault is not None:
        identity = (fault.device_id, fault.pasid_valid, fault.process_id, fault.iotval >> 12)
        process = request.process_id if request.pasid_valid else 0
        iommu.check(f"record of {request}", identity, (request.device_id, request.pasid_valid, process, request.iova >> 12))
        if iotval2 is not None:
            iommu.check(f"iotval2 of {request}", fault.iotval2 & ~0xFFC, iotval2 & ~0xFFC)


def device_ids_of_nine_index_bits(iommu: Iommu) -> None:
    """A device ID is neither cut to 8 bits an index nor does it alias another."""
    for capabilities, mode, device in (
        (CORE, DirectoryMode.ONE_LEVEL, 0x8000),
        (CORE | MSI_FLAT, DirectoryMode.ONE_LEVEL, 0x4000),
        (CORE | MSI_FLAT, DirectoryMode.TWO_LEVEL, 1 << 23),
        (CORE, DirectoryMode.TWO_LEVEL, 1 << 16),
    ):
        scenario = Scenario(capabilities, mode)
        scenario.set_context(0, DeviceContext())
        iommu.begin(scenario)
        expect(iommu, Request(0, IOVA), IOVA)
        expect_fault(iommu, Request(device, IOVA), Cause.TRANSACTION_TYPE_DISALLOWED)
    for capabilities, bits in ((CORE, (15, 16, 23)), (CORE | MSI_FLAT, (14, 15, 23))):
        scenario = Scenario(capabilities, DirectoryMode.THREE_LEVEL)
        scenario.set_context(0, DeviceContext())
        iommu.begin(scenario)
        expect(iommu, Request(0, IOVA), IOVA)
        for bit in bits:
            expect_fault(iommu, Request(1 << bit, IOVA), Cause.DDT_NOT_VALID)


def base_format_with_stale_msiptp(iommu: Iommu) -> None:
    """Without MSI_FLAT what follows the 32 bytes of a context is none of its business."""
    scenario = Scenario(CORE)
    scenario.set_context(2, DeviceContext())
    for offset in range(32, 64, 8):
        scenario.memory.write_u64(scenario.context_address(2) + offset, (1 << 64) - 1)
    iommu.begin(scenario)
    expect(iommu, Request(2, IOVA), IOVA)


def addresses_of_56_bits(iommu: Iommu) -> None:
    """PPN bits 43:38 count in every pointer, in leaves, and in the address of an interrupt file."""
    scenario = Scenario(FULL)
    root, middle, last, page = 0xFE_DCBA_0000_0000, 0xFE_DCBA_0000_1000, 0xFE_DCBA_0000_2000, 0xFC_1234_5678_9000
    scenario.set_context(1, DeviceContext(first_stage=ProcessContext(FirstStageMode.SV39, root, 0)))
    scenario.memory.write_u64(root + 8 * (IOVA >> 30 & 511), entry(middle, V))
    scenario.memory.write_u64(middle + 8 * (IOVA >> 21 & 511), entry(last, V))
    scenario.memory.write_u64(last + 8 * (IOVA >> 12 & 511), entry(page, PAGE))
    iommu.begin(scenario)
    expect(iommu, Request(1, IOVA | 0x123), page | 0x123)
    scenario = Scenario(FULL_MSI)
    table = scenario.page()
    scenario.second_stage(msi_enabled=True, msi_root=table, msi_address_mask=3, msi_address_pattern=0x300)
    file, notice = 0xFF_FFFF_FFFF_FE00, 0xFF_EDCB_A987_6000
    scenario.memory.write_u64(table + 16, file >> 9 << 7 | 1 << 1 | V)
    scenario.memory.write_u64(table + 24, 1 << 60 | entry(notice, 0x3AB))
    iommu.begin(scenario)
    mrif = iommu.translate(Request(1, 0x301_000, write=True)).mrif
    got = None if mrif is None else (mrif.address, mrif.notice_identity, mrif.notice_address)
    iommu.check("interrupt file", got, (file, 0x7AB, notice))


def napot_with_wrong_page_bits(iommu: Iommu) -> None:
    """N with PPN[3:0] other than 8 is a page fault; with 8 the address gives four page bits."""
    scenario = Scenario()
    root = scenario.first_stage()
    wrong = (0, 1, 4, 7, 9, 15)
    for index, low in enumerate(wrong):
        scenario.map(root, IOVA + (index << 16), entry(0x9000_0000 | low << 12, PAGE | N))
    scenario.map(root, IOVA + (8 << 16), entry(0x9000_0000 | 8 << 12, PAGE | N))
    iommu.begin(scenario)
    for index in range(len(wrong)):
        expect_fault(iommu, Request(1, IOVA + (index << 16)), Cause.READ_PAGE_FAULT)
    expect(iommu, Request(1, IOVA + (8 << 16) + 0xABC), 0x9000_0ABC | IOVA & 0xF000)


def napot_above_the_last_level(iommu: Iommu) -> None:
    """N in a superpage or in a pointer is a page fault."""
    for level in (1, 2):
        for flags in (PAGE | N, V | N):
            scenario = Scenario()
            root = scenario.first_stage()
            scenario.map(root, IOVA, entry(0x1_0000_0000, flags), level=level)
            iommu.begin(scenario)
            expect_fault(iommu, Request(1, IOVA, write=True), Cause.WRITE_PAGE_FAULT)


def pointer_with_leaf_bits(iommu: Iommu) -> None:
    """A, D, U and PBMT are reserved in pointers."""
    for bits in (A, D, U, 1 << 61, 2 << 61, 1 << 54):
        scenario = Scenario(FULL)
        root = scenario.first_stage()
        scenario.map(root, IOVA, entry(TARGET, PAGE))
        pointer = root + 8 * (IOVA >> 30 & 511)
        scenario.memory.write_u64(pointer, scenario.memory.read_u64(pointer) | bits)
        iommu.begin(scenario)
        expect_fault(iommu, Request(1, IOVA), Cause.READ_PAGE_FAULT)


def writable_without_readable(iommu: Iommu) -> None:
    """W without R is reserved, for every access."""
    for flags in (W, W | X):
        scenario = Scenario()
        root = scenario.first_stage()
        scenario.map(root, IOVA, entry(TARGET, V | flags | U | A | D))
        iommu.begin(scenario)
        expect_fault(iommu, Request(1, IOVA), Cause.READ_PAGE_FAULT)
        expect_fault(iommu, Request(1, IOVA, write=True), Cause.WRITE_PAGE_FAULT)
        expect_fault(iommu, Request(1, IOVA, exec=True), Cause.INSTRUCTION_PAGE_FAULT)


def second_stage_without_user_bit(iommu: Iommu) -> None:
    """The second stage checks U whatever the privilege."""
    scenario = Scenario()
    root = scenario.second_stage()
    scenario.map(root, IOVA, entry(TARGET, V | R | W | A | D), guest=True)
    iommu.begin(scenario)
    expect_fault(iommu, Request(1, IOVA, write=True), Cause.WRITE_GUEST_PAGE_FAULT, IOVA)


def default_process(iommu: Iommu) -> None:
    """With DPE a request without PASID uses process 0, and its record shows no PASID."""
    scenario = Scenario()
    table = scenario.process_directory(default_process=True)
    root = scenario.page()
    scenario.set_process(table, 0, ProcessContext(FirstStageMode.SV39, root, 5))
    scenario.map(root, IOVA, entry(TARGET, PAGE))
    iommu.begin(scenario)
    expect(iommu, Request(1, IOVA), TARGET)
    expect_fault(iommu, Request(1, IOVA + 4096), Cause.READ_PAGE_FAULT)


def privilege_and_sum(iommu: Iommu) -> None:
    """A privileged request reads user pages only with SUM, and never executes them; without ENS it is disallowed."""
    for sum_ in (False, True):
        scenario = Scenario()
        table = scenario.process_directory()
        root = scenario.page()
        scenario.set_process(table, 3, ProcessContext(FirstStageMode.SV39, root, 5, enable_supervisory=True, sum=sum_))
        scenario.set_process(table, 4, ProcessContext(FirstStageMode.SV39, root, 5, sum=sum_))
        scenario.map(root, IOVA, entry(TARGET, V | R | X | U | A))
        scenario.map(root, IOVA + 4096, entry(OTHER, V | R | X | A))
        iommu.begin(scenario)

        def of(iova: int, process: int = 3, priv: bool = True, exec_: bool = False) -> Request:
            return Request(1, iova, process_id=process, pasid_valid=True, priv=priv, exec=exec_)

        expect(iommu, of(IOVA, priv=False), TARGET)
        expect(iommu, of(IOVA + 4096), OTHER)
        expect(iommu, of(IOVA + 4096, exec_=True), OTHER)
        expect_fault(iommu, of(IOVA + 4096, priv=False), Cause.READ_PAGE_FAULT)
        expect_fault(iommu, of(IOVA, exec_=True), Cause.INSTRUCTION_PAGE_FAULT)
        if sum_:
            expect(iommu, of(IOVA), TARGET)
        else:
            expect_fault(iommu, of(IOVA), Cause.READ_PAGE_FAULT)
        expect_fault(iommu, of(IOVA, process=4), Cause.TRANSACTION_TYPE_DISALLOWED)


def pasid_without_directory(iommu: Iommu) -> None:
    """A PASID is disallowed for a device without process directory; the record shows it."""
    scenario = Scenario()
    root = scenario.first_stage()
    scenario.map(root, IOVA, entry(TARGET, PAGE))
    iommu.begin(scenario)
    expect(iommu, Request(1, IOVA), TARGET)
    expect_fault(iommu, Request(1, IOVA, process_id=3, pasid_valid=True), Cause.TRANSACTION_TYPE_DISALLOWED)


def superpage_across_msi_window(iommu: Iommu) -> None:
    """What is remembered of a superpage does not reach into the MSI window that lies in it."""
    scenario = Scenario(FULL_MSI)
    table = scenario.page()
    root = scenario.second_stage(msi_enabled=True, msi_root=table, msi_address_mask=3, msi_address_pattern=0x300)
    scenario.map(root, 0x200_000, entry(0x4000_0000, PAGE), level=1, guest=True)
    scenario.memory.write_u64(table + 32, entry(TARGET, 3 << 1 | V))
    iommu.begin(scenario)
    for page in (0x2FF, 0x304, 0x3FF):
        expect(iommu, Request(1, page << 12), 0x4000_0000 + (page - 0x200 << 12))
        expect(iommu, Request(1, 0x302_010, write=True), TARGET | 0x10)
        expect_fault(iommu, Request(1, 0x300_000, write=True), Cause.MSI_PTE_NOT_VALID)


def guest_address_of_42_bits(iommu: Iommu) -> None:
    """Sv39x4 maps 2^41 bytes; the next one is a guest page fault."""
    scenario = Scenario()
    root = scenario.second_stage()
    scenario.map(root, LAST_GUEST_PAGE, entry(TARGET, PAGE), guest=True)
    scenario.map(root, 0, entry(OTHER, PAGE), guest=True)
    iommu.begin(scenario)
    expect(iommu, Request(1, LAST_GUEST_PAGE), TARGET)
    expect_fault(iommu, Request(1, 1 << 41), Cause.READ_GUEST_PAGE_FAULT, 1 << 41)


def guest_address_of_59_bits_for_an_ats_client(iommu: Iommu) -> None:
    """A T2GPA device is given guest addresses, all 59 bits of Sv57x4 behind a Bare first stage, and reaches pages by them."""
    guest = 1 << 58 | 1 << 56 | IOVA
    scenario = Scenario(FULL)
    root = scenario.second_stage(mode=SecondStageMode.SV57X4, enable_ats=True, t2gpa=True)
    scenario.map(root, guest, entry(TARGET, PAGE), levels=5, guest=True)
    iommu.begin(scenario)
    response = iommu.translate(Request(1, guest, address_type=AddressType.TRANSLATION_REQUEST))
    permissions = response.permissions
    granted = permissions is not None and permissions.read and permissions.write
    iommu.check("guest address of 59 bits", (response.status, granted, response.spa), (Status.OK, True, guest))
    expect(iommu, Request(1, guest, address_type=AddressType.TRANSLATED), TARGET)
    expect(iommu, Request(1, guest), TARGET)
    beyond = Request(1, guest | 1 << 59, address_type=AddressType.TRANSLATED)
    expect_fault(iommu, beyond, Cause.READ_GUEST_PAGE_FAULT, iotval2=guest | 1 << 59)


def ats_of_a_clean_page(iommu: Iommu) -> None:
    """An ATS request with NW does not need D, does not set it, and is granted no W; without NW hardware sets it."""
    probe = AddressType.TRANSLATION_REQUEST
    for update in (False, True):
        scenario = Scenario(FULL)
        root = scenario.first_stage(enable_ats=True, update_first_stage_ad=update)
        leaf = scenario.map(root, IOVA, entry(TARGET, V | R | W | U | A))
        iommu.begin(scenario)
        for no_write in (True, False):
            granted = iommu.translate(Request(1, IOVA, address_type=probe, no_write=no_write)).permissions
            got = None if granted is None else (granted.read, granted.write)
            wanted = (True, False) if no_write else (update, update)
            iommu.check(f"granted, updates {update}, NW {no_write}", got, wanted)
            iommu.check("D", bool(iommu.load(leaf) & D), update and not no_write)


def fault_reporting_disabled(iommu: Iommu) -> None:
    """DTF hides every cause but those of the device directory."""
    slot = 8 * (IOVA >> 30 & 511)
    process = Request(1, IOVA, process_id=3, pasid_valid=True)
    plain = Request(1, IOVA)
    for cause, recorded in (
        (Cause.READ_PAGE_FAULT, False),
        (Cause.READ_ACCESS_FAULT, False),
        (Cause.PT_DATA_CORRUPTION, False),
        (Cause.TRANSACTION_TYPE_DISALLOWED, False),
        (Cause.READ_GUEST_PAGE_FAULT, False),
        (Cause.MSI_PTE_NOT_VALID, False),
        (Cause.MSI_PTE_MISCONFIGURED, False),
        (Cause.MSI_PTE_ACCESS_FAULT, False),
        (Cause.MSI_PT_DATA_CORRUPTION, False),
        (Cause.PDT_NOT_VALID, False),
        (Cause.PDT_MISCONFIGURED, False),
        (Cause.PDT_ACCESS_FAULT, False),
        (Cause.PDT_DATA_CORRUPTION, False),
        (Cause.DDT_NOT_VALID, True),
        (Cause.DDT_MISCONFIGURED, True),
        (Cause.DDT_ACCESS_FAULT, True),
        (Cause.DDT_DATA_CORRUPTION, True),
    ):
        scenario = Scenario(FULL_MSI)
        context = scenario.context_address(1)
        failing, request = 0, plain
        if cause.name.startswith("PDT"):
            failing, request = scenario.process_directory(disable_fault_reporting=True) + 48, process
            if cause is Cause.PDT_MISCONFIGURED:
                scenario.memory.write_u64(failing, V | 1 << 5)
        elif cause.name.startswith("MSI") or cause is Cause.READ_GUEST_PAGE_FAULT:
            failing = scenario.page()
            scenario.second_stage(
                disable_fault_reporting=True,
                msi_enabled=True,
                msi_root=failing,
                msi_address_mask=3,
                msi_address_pattern=0x300,
            )
            request = Request(1, 0x300_000) if cause.name.startswith("MSI") else plain
            if cause is Cause.MSI_PTE_MISCONFIGURED:
                scenario.memory.write_u64(failing, 2 << 1 | V)
        else:
            failing = scenario.first_stage(disable_fault_reporting=True) + slot
            if cause is Cause.TRANSACTION_TYPE_DISALLOWED:
                request = process
            elif cause.name.startswith("DDT"):
                failing = context + 24
            if cause is Cause.DDT_NOT_VALID:
                scenario.memory.write_u64(context, 0)
            elif cause is Cause.DDT_MISCONFIGURED:
                scenario.memory.write_u64(context, scenario.memory.read_u64(context) | 1 << 12)
        iommu.begin(scenario)
        if cause.name.endswith("ACCESS_FAULT"):
            iommu.fail(failing, REFUSED)
        elif cause.name.endswith("CORRUPTION"):
            iommu.fail(failing, POISONED)
        expect_fault(iommu, request, cause, recorded=recorded)
        iommu.fail(failing, 0)


def _one_page(enable_ats: bool = False) -> tuple[Scenario, int]:
    """A first stage with IOVA at TARGET; the position of its leaf."""
    scenario = Scenario(FULL)
    root = scenario.first_stage(enable_ats=enable_ats)
    return scenario, scenario.map(root, IOVA, entry(TARGET, PAGE))


def fault_queue_overflow(iommu: Iommu) -> None:
    """A full queue sets fqof and drops records until software has cleared it."""
    scenario, _ = _one_page()
    iommu.begin(scenario, fault_log2=1)
    expect_fault(iommu, Request(5, IOVA), Cause.DDT_NOT_VALID)
    for _ in range(2):
        expect_fault(iommu, Request(5, IOVA), Cause.DDT_NOT_VALID, recorded=False)
    errors = RecordQueueCsr.QOF | RecordQueueCsr.QMF
    iommu.check("fqof", RecordQueueCsr(iommu.read_register(Offset.FQCSR, 4)) & errors, RecordQueueCsr.QOF)
    iommu.write_register(Offset.FQH, 1, 4)
    expect_fault(iommu, Request(5, IOVA), Cause.DDT_NOT_VALID, recorded=False)
    iommu.write_register(Offset.FQCSR, RecordQueueCsr.QEN | RecordQueueCsr.QOF, 4)
    expect_fault(iommu, Request(5, IOVA), Cause.DDT_NOT_VALID)
    iommu.check("after the clear", RecordQueueCsr(iommu.read_register(Offset.FQCSR, 4)) & errors, RecordQueueCsr(0))


def fault_queue_write_error(iommu: Iommu) -> None:
    """A record that cannot be written sets fqmf and leaves the tail; records come again after the clear."""
    scenario, _ = _one_page()
    iommu.begin(scenario)
    page = iommu.read_register(Offset.FQB, 8) >> 10 << 12
    iommu.fail(page + 16, REFUSED)
    expect_fault(iommu, Request(5, IOVA), Cause.DDT_NOT_VALID, recorded=False)
    iommu.check("fqmf", iommu.read_register(Offset.FQCSR, 4) >> 8 & 1, 1)
    iommu.check("fqt", iommu.read_register(Offset.FQT, 4), 0)
    iommu.fail(page + 16, 0)
    iommu.write_register(Offset.FQCSR, RecordQueueCsr.QEN | RecordQueueCsr.QMF, 4)
    expect_fault(iommu, Request(5, IOVA), Cause.DDT_NOT_VALID)


def command_queue_wrap(iommu: Iommu) -> None:
    """Commands run round a queue of four entries; each fence stores its word."""
    scenario, _ = _one_page()
    iommu.begin(scenario, command_log2=2)
    for number in range(1, 8):
        iommu.command((INVALIDATE_VMA, 0), (FENCE | AV | number << 32, FENCE_WORD >> 2))
        iommu.check("head", iommu.read_register(Offset.CQH, 4), 2 * number % 4)
        iommu.check("fence word", iommu.load(FENCE_WORD) & 0xFFFF_FFFF, number)


def fence_with_pending_invalidation(iommu: Iommu) -> None:
    """A fence waits until the device has answered ATS.INVAL."""
    scenario, _ = _one_page(enable_ats=True)
    iommu.begin(scenario)
    iommu.command((INVALIDATE_MESSAGE | 1 << 40, IOVA), (FENCE | AV | 0x77 << 32, FENCE_WORD >> 2))
    iommu.check("head before the completion", iommu.read_register(Offset.CQH, 4), 1)
    iommu.check("fence word before", iommu.load(FENCE_WORD), 0)
    iommu.complete_invalidation(1, 1)
    iommu.check("head after the completion", iommu.read_register(Offset.CQH, 4), 2)
    iommu.check("fence word after", iommu.load(FENCE_WORD), 0x77)


def invalidation_of_a_segment(iommu: Iommu) -> None:
    """A completion counts only for the device that was named: with DSV its segment too; without, DSEG is ignored."""
    scenario, _ = _one_page(enable_ats=True)
    for segment, named, foreign in ((3 << 56 | DSV, 3 << 16 | 1, (1, 5 << 16 | 1)), (7 << 56, 1, (2,))):
        iommu.begin(scenario)
        iommu.command((INVALIDATE_MESSAGE | segment | 1 << 40, IOVA), (FENCE | AV | 0x77 << 32, FENCE_WORD >> 2))
        for device in foreign:
            iommu.complete_invalidation(device, 1)
            iommu.check(f"head after a completion of {device:#x}", iommu.read_register(Offset.CQH, 4), 1)
        iommu.complete_invalidation(named, 1)
        iommu.check("head after the completion", iommu.read_register(Offset.CQH, 4), 2)


def invalidation_of_global_entries(iommu: Iommu) -> None:
    """IOTINVAL without PSCID reaches global entries, and leaves no other way to the old page."""
    scenario = Scenario()
    root = scenario.first_stage()
    leaf = scenario.map(root, IOVA, entry(TARGET, PAGE | G))
    iommu.begin(scenario)
    expect(iommu, Request(1, IOVA), TARGET)
    iommu.store(leaf, entry(OTHER, PAGE | G))
    fence(iommu, (INVALIDATE_VMA | PSCV | 7 << 12, 0))
    old_or_new = iommu.translate(Request(1, IOVA)).spa
    iommu.check("global entry after an invalidation by PSCID", old_or_new in (TARGET, OTHER), True)
    for form in ((INVALIDATE_VMA, 0), (INVALIDATE_VMA | AV, IOVA >> 12 << 10)):
        fence(iommu, form)
        expect(iommu, Request(1, IOVA), OTHER)


def _nested(capabilities: int = FULL) -> tuple[Scenario, int]:
    """IOVA at guest page 0x60_0000, that at TARGET, 0x61_0000 at OTHER; the second-stage leaf of the former. GSCID 9."""
    scenario = Scenario(capabilities)
    guest_root, first_root = scenario.page(4), 0x50_0000
    first = ProcessContext(FirstStageMode.SV39, first_root, 3)
    scenario.set_context(
        1, DeviceContext(second_stage=SecondStageMode.SV39X4, second_stage_root=guest_root, gscid=9, first_stage=first)
    )
    scenario.identity(guest_root, 0x50_0000, 0x50_4000)
    scenario.memory.write_u64(first_root + 8 * (IOVA >> 30 & 511), entry(0x50_1000, V))
    scenario.memory.write_u64(0x50_1000 + 8 * (IOVA >> 21 & 511), entry(0x50_2000, V))
    scenario.memory.write_u64(NESTED_LEAF, entry(0x60_0000, PAGE))
    scenario.map(guest_root, 0x61_0000, entry(OTHER, PAGE), guest=True)
    return scenario, scenario.map(guest_root, 0x60_0000, entry(TARGET, PAGE), guest=True)


def invalidation_of_nested_entries(iommu: Iommu) -> None:
    """GVMA by GSCID, and by guest address, reaches translations of both stages."""
    for form in ((INVALIDATE_GVMA, 0), (INVALIDATE_GVMA | GV | 9 << 44, 0), (INVALIDATE_GVMA | GV | AV | 9 << 44, 0x600 << 10)):
        scenario, leaf = _nested()
        iommu.begin(scenario)
        expect(iommu, Request(1, IOVA), TARGET)
        iommu.store(leaf, entry(OTHER, PAGE))
        fence(iommu, form)
        expect(iommu, Request(1, IOVA), OTHER)


def walk_in_flight_is_squashed(iommu: Iommu) -> None:
    """A walk that began before an invalidation answers, but leaves nothing behind."""
    for nested in (False, True):
        scenario, leaf = _nested() if nested else _one_page()
        iommu.begin(scenario)
        form = (INVALIDATE_GVMA, 0) if nested else (INVALIDATE_VMA, 0)

        def change(leaf: int = leaf, form: tuple[int, int] = form) -> None:
            iommu.store(leaf, entry(OTHER, PAGE))
            iommu.command(form, (FENCE, 0))

        answers = iommu.during([Request(1, IOVA + offset) for offset in range(8)], change)
        seen = {(answer.spa or 0) & ~0xFFF for answer in answers}
        iommu.check("old or new while it changes", seen <= {TARGET, OTHER}, True)
        expect(iommu, Request(1, IOVA), OTHER)


def nested_walk_in_flight_is_squashed(iommu: Iommu) -> None:
    """The same at any moment between the read of the first-stage leaf and the end of the second stage of what it led to."""
    for delay in range(6, 240, 6):
        scenario, _ = _nested()
        iommu.begin(scenario)

        def change() -> None:
            iommu.store(NESTED_LEAF, entry(0x61_0000, PAGE))
            iommu.command((INVALIDATE_VMA | GV | 9 << 44, 0), (FENCE, 0))

        (answer,) = iommu.during([Request(1, IOVA)], change, delay)
        iommu.check("old or new while it changes", (answer.spa or 0) & ~0xFFF in (TARGET, OTHER), True)
        expect(iommu, Request(1, IOVA), OTHER)


def directory_off_while_walking(iommu: Iommu) -> None:
    """Requests under way end under the old directory or are refused; the busy bit falls, and later ones are refused."""
    scenario, _ = _one_page()
    iommu.begin(scenario)
    answers = iommu.during([Request(1, IOVA)] * 12, lambda: iommu.write_register(Offset.DDTP, 0, 8))
    allowed = {(Status.OK, TARGET), (Status.UNSUPPORTED_REQUEST, None)}
    iommu.check("answers", {(answer.status, answer.spa) for answer in answers} <= allowed, True)
    iommu.check("ddtp", iommu.read_register(Offset.DDTP, 8), 0)
    iommu.check("refused", iommu.translate(Request(1, IOVA)).status, Status.UNSUPPORTED_REQUEST)


def _change_directory(iommu: Iommu, *values: int) -> None:
    """Write ``ddtp``, each value once the one before it is in force."""
    for value in values:
        iommu.write_register(Offset.DDTP, value, 8)
        while iommu.read_register(Offset.DDTP, 8) & DDTP_BUSY:
            pass
        iommu.check("ddtp", iommu.read_register(Offset.DDTP, 8), value)


def directory_replaced(iommu: Iommu) -> None:
    """Nothing that was found under one directory is seen under another one or under none, without any invalidation.

    The specification leaves that to software; here a new ``ddtp`` empties every cache, which isolates the old from the new.
    """
    device, near, off = 0x83, 0x03, 0
    beside, elsewhere = IOVA + 0x1000, IOVA + 0x1_0000
    for stage in (Scenario.first_stage, Scenario.second_stage):
        guest = stage is Scenario.second_stage
        first = Scenario(FULL, DirectoryMode.THREE_LEVEL)
        root = stage(first, device)
        for page, target in ((IOVA, TARGET), (beside, TARGET + 0x1000), (elsewhere, TARGET + 0x2000)):
            first.map(root, page, entry(target, PAGE), guest=guest)
        second = Scenario(FULL, DirectoryMode.TWO_LEVEL, behind=first)
        second.map(stage(second, device), IOVA, entry(OTHER, PAGE), guest=guest)
        without = Scenario(FULL, DirectoryMode.TWO_LEVEL, behind=second)
        without.map(stage(without, near), IOVA, entry(OTHER, PAGE), guest=guest)
        shallow = Scenario(FULL, DirectoryMode.ONE_LEVEL, behind=without)
        shallow.map(stage(shallow, near), IOVA, entry(OTHER, PAGE), guest=guest)
        iommu.begin(shallow)
        _change_directory(iommu, off)

        def warm(first: Scenario = first) -> None:
            _change_directory(iommu, off, first.configuration.ddtp)
            for write in (False, True, False):
                expect(iommu, Request(device, IOVA, write), TARGET)
            expect(iommu, Request(device, beside), TARGET + 0x1000)

        unmapped = Cause.READ_GUEST_PAGE_FAULT if guest else Cause.READ_PAGE_FAULT
        warm()
        _change_directory(iommu, off)
        expect_fault(iommu, Request(device, IOVA), Cause.ALL_INBOUND_DISALLOWED)
        warm()
        _change_directory(iommu, DirectoryMode.BARE)
        expect(iommu, Request(device, IOVA), IOVA)
        warm()
        _change_directory(iommu, off, second.configuration.ddtp)
        # Of the tables above this page the old ones would be found first.
        expect_fault(iommu, Request(device, elsewhere), unmapped)
        expect_fault(iommu, Request(device, beside), unmapped)
        expect(iommu, Request(device, IOVA), OTHER)
        warm()
        _change_directory(iommu, DirectoryMode.BARE, without.configuration.ddtp)
        expect_fault(iommu, Request(device, IOVA), Cause.DDT_NOT_VALID)
        expect(iommu, Request(near, IOVA), OTHER)
        warm()
        _change_directory(iommu, off, shallow.configuration.ddtp)
        expect_fault(iommu, Request(device, IOVA), Cause.TRANSACTION_TYPE_DISALLOWED)
        expect(iommu, Request(near, IOVA), OTHER)


def race_of_updates(iommu: Iommu) -> None:
    """Hardware sets A and D only in the entry that it has read: what software writes meanwhile stays."""
    for target, flags in ((OTHER, V | R | W | U), (OTHER, 0)):
        scenario = Scenario(CORE | AMO_HWAD)
        root = scenario.first_stage(update_first_stage_ad=True)
        leaf = scenario.map(root, IOVA, entry(TARGET, V | R | W | U))
        iommu.begin(scenario)
        new = entry(target, flags)

        def change(leaf: int = leaf, new: int = new) -> None:
            iommu.store(leaf, new)
            iommu.command((INVALIDATE_VMA, 0), (FENCE, 0))

        iommu.during([Request(1, IOVA, write=True)] * 4, change)
        if flags:
            expect(iommu, Request(1, IOVA, write=True), OTHER)
            iommu.check("entry", iommu.load(leaf), new | A | D)
        else:
            expect_fault(iommu, Request(1, IOVA, write=True), Cause.WRITE_PAGE_FAULT)
            iommu.check("entry", iommu.load(leaf), new)


DIRECTED: Final[tuple[Callable[[Iommu], None], ...]] = (
    device_ids_of_nine_index_bits,
    base_format_with_stale_msiptp,
    addresses_of_56_bits,
    napot_with_wrong_page_bits,
    napot_above_the_last_level,
    pointer_with_leaf_bits,
    writable_without_readable,
    second_stage_without_user_bit,
    default_process,
    privilege_and_sum,
    pasid_without_directory,
    fault_reporting_disabled,
    fault_queue_overflow,
    fault_queue_write_error,
    command_queue_wrap,
    fence_with_pending_invalidation,
    invalidation_of_a_segment,
    invalidation_of_global_entries,
    invalidation_of_nested_entries,
    walk_in_flight_is_squashed,
    nested_walk_in_flight_is_squashed,
    directory_off_while_walking,
    directory_replaced,
    superpage_across_msi_window,
    guest_address_of_42_bits,
    guest_address_of_59_bits_for_an_ats_client,
    ats_of_a_clean_page,
    race_of_updates,
)
"""The items of the directed list, in its order."""
