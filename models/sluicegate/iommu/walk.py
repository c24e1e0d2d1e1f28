"""Page-table walks: first stage (Sv39/48/57), second stage (Sv39x4/48x4/57x4), and the first nested in the second.

Source: RISC-V privileged specification (*Sv39* .. *Sv57x4*, *Svnapot*, *Svpbmt*) as the IOMMU specification applies it. The
order of checks, and with it the cause that wins, is normative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.context import PPN_MASK, DeviceContext, ProcessContext, SecondStageMode
from sluicegate.iommu.port import PROCESS_DIRECTORY, LoadCauses, WalkPort
from sluicegate.iommu.request import AddressType, Cause, Feature, MemoryType, Request, TranslationFault

PTE_V: Final = 1 << 0
PTE_R: Final = 1 << 1
PTE_W: Final = 1 << 2
PTE_X: Final = 1 << 3
PTE_U: Final = 1 << 4
PTE_G: Final = 1 << 5
PTE_A: Final = 1 << 6
PTE_D: Final = 1 << 7
PTE_PPN_SHIFT: Final = 10
PTE_PBMT_SHIFT: Final = 61
PTE_N: Final = 1 << 63
_PTE_PBMT: Final = 3 << PTE_PBMT_SHIFT
_PTE_RESERVED: Final = 0x1F << 54
_PTE_SOFTWARE_HIGH: Final = 3 << 59
_PTE_NON_LEAF_RESERVED: Final = _PTE_PBMT | PTE_D | PTE_A | PTE_U

UNLIMITED_SHIFT: Final = 64
"""Page size of a stage that is Bare."""
NAPOT_SHIFT: Final = 16


@dataclass(frozen=True, slots=True)
class FaultCauses:
    """The causes of one kind of access, fixed by the original request."""

    access: Cause
    page: Cause
    guest_page: Cause


_EXECUTE_CAUSES: Final = FaultCauses(
    Cause.INSTRUCTION_ACCESS_FAULT, Cause.INSTRUCTION_PAGE_FAULT, Cause.INSTRUCTION_GUEST_PAGE_FAULT
)
_READ_CAUSES: Final = FaultCauses(Cause.READ_ACCESS_FAULT, Cause.READ_PAGE_FAULT, Cause.READ_GUEST_PAGE_FAULT)
_WRITE_CAUSES: Final = FaultCauses(Cause.WRITE_ACCESS_FAULT, Cause.WRITE_PAGE_FAULT, Cause.WRITE_GUEST_PAGE_FAULT)


@dataclass(frozen=True, slots=True)
class Access:
    """What a walk must be allowed to do.

    With ``probe`` (ATS translation requests) missing permissions are an answer, not a fault.
    """

    read: bool
    write: bool
    exec: bool
    priv: bool
    probe: bool
    causes: FaultCauses

    @classmethod
    def of(cls, request: Request) -> Access:
        """The access that ``request`` asks for (specification, *Process to translate an IOVA*)."""
        return _access(request.address_type, request.write, request.exec, request.no_write, request.pasid_valid, request.priv)


@lru_cache(maxsize=256)
def _access(address_type: AddressType, write: bool, exec_: bool, no_write: bool, pasid_valid: bool, priv: bool) -> Access:
    untranslated = address_type is AddressType.UNTRANSLATED
    probe = address_type is AddressType.TRANSLATION_REQUEST
    reads = probe or not write
    execute = reads and exec_ and (untranslated or pasid_valid)
    read = reads and not (exec_ and untranslated)
    return Access(
        read=read,
        write=not no_write if probe else write,
        exec=execute,
        priv=pasid_valid and priv,
        probe=probe,
        causes=_EXECUTE_CAUSES if execute else _READ_CAUSES if read else _WRITE_CAUSES,
    )


@dataclass(frozen=True, slots=True)
class Mapping:
    """Where one stage maps an address, for how large a page (log2 bytes), and with which rights."""

    address: int
    page_shift: int
    read: bool = True
    write: bool = True
    exec: bool = True
    dirty: bool = True
    global_: bool = False
    memory_type: MemoryType = MemoryType.PMA


class Walker:
    """The two stages as one device context configures them, for one request."""

    def __init__(self, port: WalkPort, configuration: IommuConfiguration, device: DeviceContext, access: Access) -> None:
        self._port = port
        self._device = device
        self.access = access
        self._svpbmt = configuration.capabilities.svpbmt
        self._reserved = _PTE_RESERVED
        self._svrsw = configuration.capabilities.svrsw60t59b
        if not self._svrsw:
            self._reserved |= _PTE_SOFTWARE_HIGH
        self._second_stage_big_endian = configuration.big_endian
        self._page_table = LoadCauses(access.causes.access, Cause.PT_DATA_CORRUPTION)
        self._implicit_read = Access(True, False, False, False, False, access.causes)

    def translate_pointer(self, gpa: int, causes: LoadCauses = PROCESS_DIRECTORY) -> Mapping:
        """Second-stage translation of an implicit read at ``gpa``. Raises TranslationFault."""
        return self._second_stage(gpa, self._implicit_read, causes, implicit=True)

    def second_stage(self, gpa: int) -> Mapping:
        """Second-stage translation of the request's own access. Raises TranslationFault."""
        return self._second_stage(gpa, self.access, self._page_table, implicit=False)

    def _malformed(self, pte: int, level: int) -> bool:
        """Encodings that are reserved in leaf and non-leaf entries alike."""
        if pte & _PTE_PBMT:
            if not self._svpbmt:
                return True
            self._port.trace.features.add(Feature.PBMT)
        if self._svrsw and pte & _PTE_SOFTWARE_HIGH:
            self._port.trace.features.add(Feature.SVRSW60T59B)
        return bool(
            not pte & PTE_V
            or pte & (PTE_R | PTE_W) == PTE_W
            or pte & _PTE_PBMT == _PTE_PBMT
            or pte & self._reserved
            or (pte & PTE_N and level > 0)
        )

    def _page(self, pte: int, level: int, address: int) -> tuple[int, int] | None:
        """(translated address, log2 of the page size) of a leaf; None for a misaligned superpage or a bad NAPOT encoding."""
        ppn = pte >> PTE_PPN_SHIFT & PPN_MASK
        shift = 12 + 9 * level
        if level:
            self._port.trace.features.add(Feature.SUPERPAGE)
            if ppn & ((1 << 9 * level) - 1):
                return None
        elif pte & PTE_N:
            self._port.trace.features.add(Feature.NAPOT)
            if ppn & 0xF != 8:
                return None
            ppn &= ~0xF
            shift = NAPOT_SHIFT
        return ppn << 12 | address & ((1 << shift) - 1), shift

    def _second_stage(self, gpa: int, access: Access, causes: LoadCauses, implicit: bool) -> Mapping:
        device, port = self._device, self._port
        levels = device.second_stage.levels
        if not levels:
            return Mapping(gpa, UNLIMITED_SHIFT)
        fault = TranslationFault(access.causes.guest_page, gpa & ~3 | implicit)
        if gpa >> (14 + 9 * levels):
            raise fault
        # An implicit read on behalf of a first stage that updates A and D may turn into a write: D is needed ahead.
        sets_dirty = access.write or (implicit and device.update_first_stage_ad)
        table = device.second_stage_root
        level = levels - 1
        while True:
            index = gpa >> (12 + 9 * level) & (0x7FF if level == levels - 1 else 0x1FF)
            entry_address = table + 8 * index
            port.trace.second_stage_reads += 1
            pte = port.load_dword(entry_address, self._second_stage_big_endian, causes)
            if self._malformed(pte, level):
                raise fault
            if not pte & (PTE_R | PTE_X):
                if pte & _PTE_NON_LEAF_RESERVED or level == 0:
                    raise fault
                table = (pte >> PTE_PPN_SHIFT & PPN_MASK) << 12
                level -= 1
                continue
            if not access.probe and self._denied(pte, access):
                raise fault
            if not pte & PTE_U:
                raise fault
            page = self._page(pte, level, gpa)
            if page is None:
                raise fault
            updated = pte | PTE_A | (PTE_D if sets_dirty and pte & PTE_W else 0)
            if updated != pte:
                if not device.update_second_stage_ad:
                    raise fault
                if not port.update_dword(entry_address, pte, updated, self._second_stage_big_endian, causes):
                    continue
            return self._mapping(updated, page)

    def first_stage(self, context: ProcessContext, iova: int) -> Mapping:
        """First-stage translation of the request's access, each table access translated by the second stage.

        Raises TranslationFault.
        """
        levels = context.mode.levels
        if not levels:
            return Mapping(iova, UNLIMITED_SHIFT, global_=True)
        device, port, access = self._device, self._port, self.access
        big_endian = device.first_stage_big_endian
        fault = TranslationFault(access.causes.page)
        if not is_canonical(iova, 12 + 9 * levels):
            raise fault
        table = context.root
        level = levels - 1
        nested = device.second_stage is not SecondStageMode.BARE
        global_ = 0
        while True:
            entry_gpa = table + 8 * (iova >> (12 + 9 * level) & 0x1FF)
            entry = self.translate_pointer(entry_gpa, self._page_table) if nested else None
            entry_address = entry_gpa if entry is None else entry.address
            port.trace.first_stage_reads += 1
            pte = port.load_dword(entry_address, big_endian, self._page_table)
            if self._malformed(pte, level):
                raise fault
            if not pte & (PTE_R | PTE_X):
                if pte & _PTE_NON_LEAF_RESERVED or level == 0:
                    raise fault
                global_ |= pte & PTE_G
                table = (pte >> PTE_PPN_SHIFT & PPN_MASK) << 12
                level -= 1
                continue
            if not access.probe and self._denied(pte, access):
                raise fault
            user = bool(pte & PTE_U)
            if not user and not access.priv:
                raise fault
            if user and access.priv and (access.exec or not context.sum):
                raise fault
            page = self._page(pte, level, iova)
            if page is None:
                raise fault
            updated = pte | PTE_A | (PTE_D if access.write and pte & PTE_W else 0)
            if updated != pte:
                if not device.update_first_stage_ad:
                    raise fault
                if entry is not None and not entry.write:
                    raise TranslationFault(access.causes.guest_page, entry_gpa & ~3 | 3)
                if not port.update_dword(entry_address, pte, updated, big_endian, self._page_table):
                    continue
            return self._mapping(updated | global_, page)

    @staticmethod
    def _denied(pte: int, access: Access) -> bool:
        return bool((access.exec and not pte & PTE_X) or (access.read and not pte & PTE_R) or (access.write and not pte & PTE_W))

    @staticmethod
    def _mapping(pte: int, page: tuple[int, int]) -> Mapping:
        return Mapping(
            page[0],
            page[1],
            read=bool(pte & PTE_R),
            write=bool(pte & PTE_W),
            exec=bool(pte & PTE_X),
            dirty=bool(pte & PTE_D),
            global_=bool(pte & PTE_G),
            memory_type=MemoryType(pte >> PTE_PBMT_SHIFT & 3),
        )


def is_canonical(iova: int, bits: int) -> bool:
    """True if bits 63 down to ``bits - 1`` of a 64-bit IOVA are all equal."""
    top = iova >> (bits - 1)
    return top in (0, (1 << (65 - bits)) - 1)
