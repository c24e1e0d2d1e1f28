"""The 4 KiB register page: which register an access meets, what it reads and what a write does.

Source: RISC-V IOMMU specification, *Memory-mapped register interface*. State lives in the device and its parts; only the
registers of the debug port live here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sluicegate.iommu.ats import encode_range
from sluicegate.iommu.capabilities import InterruptGeneration
from sluicegate.iommu.registers import (
    PPN_FIELD,
    REGISTER_PAGE_BYTES,
    HpmEvent,
    Ipsr,
    Offset,
    TranslationRequestControl,
    msi_offset,
)
from sluicegate.iommu.request import Request

if TYPE_CHECKING:
    from sluicegate.iommu.device import IommuDevice

_U32: Final = 0xFFFF_FFFF
_U64: Final = (1 << 64) - 1

_DWORD_REGISTERS: Final = frozenset(
    {
        Offset.CAPABILITIES,
        Offset.DDTP,
        Offset.CQB,
        Offset.FQB,
        Offset.PQB,
        Offset.IOHPMCYCLES,
        Offset.TR_REQ_IOVA,
        Offset.TR_REQ_CTL,
        Offset.TR_RESPONSE,
        Offset.ICVEC,
    }
)
_DEBUG_CONTROL: Final = 0xE | 0xFFFFF << 12 | 1 << 32 | 0xFFFFFF << 40
"""Bits of ``tr_req_ctl`` that keep what is written."""


class RegisterPage:
    """The registers of ``device``."""

    def __init__(self, device: IommuDevice) -> None:
        self._device = device
        self._tr_req_iova = 0
        self._tr_req_ctl = 0
        self._tr_response = 0
        self._ddtp_high: int | None = None
        """High half of ``ddtp`` as written; it takes effect with the low half."""

    def read(self, offset: int, width: int) -> int:
        """Read ``width`` (4 or 8) bytes at a naturally aligned ``offset``. What no register answers reads 0."""
        self._require_access(offset, width)
        word = self._read_word(offset & ~7)
        return word if width == 8 else word >> 8 * (offset & 4) & _U32

    def write(self, offset: int, value: int, width: int) -> None:
        """Write ``width`` (4 or 8) bytes. Of an 8-byte register the low half carries the side effects.

        A write of only its high half is read back at once, and waits for the low half to take effect, as the two halves of a
        split 8-byte access do.
        """
        self._require_access(offset, width)
        value &= (1 << 8 * width) - 1
        base = offset & ~7
        if base in _DWORD_REGISTERS or _is_dword_array(base):
            if width == 8:
                self._write_dword(base, value)
            elif offset & 4:
                self._write_high_half(base, value)
            else:
                self._write_dword(base, self._read_word(base) & ~_U32 | value)
        else:
            if width == 8:
                self._write_word(base, value & _U32)
                self._write_word(base + 4, value >> 32)
            else:
                self._write_word(offset, value)
        self._device.update_interrupts()

    @staticmethod
    def _require_access(offset: int, width: int) -> None:
        if width not in (4, 8) or offset % width or not 0 <= offset <= REGISTER_PAGE_BYTES - width:
            raise ValueError(f"register access of {width} bytes at {offset:#x}: use 4 or 8 bytes, naturally aligned, in the page")

    def _write_high_half(self, base: int, value: int) -> None:
        word = value << 32 | self._read_word(base) & _U32
        capabilities = self._device.configuration.capabilities
        match base:
            case Offset.DDTP:
                self._ddtp_high = value & PPN_FIELD >> 32
            case Offset.CQB:
                self._device.set_queue_base(self._device.commands.queue, word, high_half_only=True)
            case Offset.FQB:
                self._device.set_queue_base(self._device.faults.queue, word, high_half_only=True)
            case Offset.PQB if capabilities.ats:
                self._device.set_queue_base(self._device.page_requests.queue, word, high_half_only=True)
            case Offset.TR_REQ_CTL if capabilities.dbg:
                self._tr_req_ctl = word & _DEBUG_CONTROL
            case _:
                self._write_dword(base, word)

    def _read_word(self, base: int) -> int:
        """The aligned 8 bytes at ``base``: one dword register or two word registers."""
        capabilities = self._device.configuration.capabilities
        commands, faults, pages = self._device.commands, self._device.faults, self._device.page_requests
        match base:
            case Offset.CAPABILITIES:
                return capabilities.word
            case Offset.FCTL:
                return self._device.configuration.fctl
            case Offset.DDTP:
                ddtp = self._device.configuration.ddtp
                return ddtp if self._ddtp_high is None else self._ddtp_high << 32 | ddtp & _U32
            case Offset.CQB:
                return commands.queue.base
            case Offset.CQH:
                return commands.queue.head | commands.queue.tail << 32
            case Offset.FQB:
                return faults.queue.base
            case Offset.FQH:
                return faults.queue.head | faults.queue.tail << 32
            case Offset.PQB:
                return pages.queue.base
            case Offset.PQH:
                return pages.queue.head | pages.queue.tail << 32
            case Offset.CQCSR:
                return commands.csr_value | faults.value << 32
            case Offset.PQCSR:
                return pages.value | int(self._device.interrupts.pending) << 32
            case Offset.IOCOUNTOVF:
                return self._device.performance.overflow | self._device.performance.inhibited << 32
            case Offset.IOHPMCYCLES:
                return self._device.performance.cycles
            case Offset.TR_REQ_IOVA:
                return self._tr_req_iova
            case Offset.TR_REQ_CTL:
                return self._tr_req_ctl
            case Offset.TR_RESPONSE:
                return self._tr_response
            case Offset.IOMMU_QOSID:
                return self._device.configuration.iommu_qosid
            case Offset.ICVEC:
                return self._device.interrupts.icvec
        counters = len(self._device.performance.counters)
        if Offset.IOHPMCTR <= base < Offset.IOHPMCTR + 8 * counters:
            return self._device.performance.counters[(base - Offset.IOHPMCTR) // 8]
        if Offset.IOHPMEVT <= base < Offset.IOHPMEVT + 8 * counters:
            return self._device.performance.events[(base - Offset.IOHPMEVT) // 8]
        if self._has_msi_table and Offset.MSI_CFG_TBL <= base < msi_offset(len(self._device.interrupts.vectors)):
            vector = self._device.interrupts.vectors[(base - Offset.MSI_CFG_TBL) // 16]
            return vector.data | vector.masked << 32 if base & 8 else vector.address
        return 0

    @property
    def _has_msi_table(self) -> bool:
        return self._device.configuration.capabilities.igs is not InterruptGeneration.WSI

    def _write_dword(self, base: int, value: int) -> None:
        capabilities = self._device.configuration.capabilities
        match base:
            case Offset.DDTP:
                self._ddtp_high = None
                self._device.set_ddtp(value)
            case Offset.CQB:
                self._device.set_queue_base(self._device.commands.queue, value)
            case Offset.FQB:
                self._device.set_queue_base(self._device.faults.queue, value)
            case Offset.PQB if capabilities.ats:
                self._device.set_queue_base(self._device.page_requests.queue, value)
            case Offset.IOHPMCYCLES if capabilities.hpm:
                self._device.performance.cycles = value
            case Offset.TR_REQ_IOVA if capabilities.dbg:
                self._tr_req_iova = value & ~0xFFF
            case Offset.TR_REQ_CTL if capabilities.dbg:
                self._write_debug_control(value)
            case Offset.ICVEC:
                self._device.interrupts.icvec = value
            case _:
                self._write_array_dword(base, value)

    def _write_array_dword(self, base: int, value: int) -> None:
        counters = len(self._device.performance.counters)
        if Offset.IOHPMCTR <= base < Offset.IOHPMCTR + 8 * counters:
            self._device.performance.counters[(base - Offset.IOHPMCTR) // 8] = value
        elif Offset.IOHPMEVT <= base < Offset.IOHPMEVT + 8 * counters:
            self._device.performance.events[(base - Offset.IOHPMEVT) // 8] = _legal_event(value)
        elif self._has_msi_table and base < msi_offset(len(self._device.interrupts.vectors)) and not base & 8:
            vector = (base - Offset.MSI_CFG_TBL) // 16
            if vector >= 0:
                self._device.interrupts.vectors[vector].address = value & ((1 << 56) - 4)

    def _write_word(self, offset: int, value: int) -> None:
        capabilities = self._device.configuration.capabilities
        match offset:
            case Offset.FCTL:
                self._device.set_fctl(value)
            case Offset.CQT:
                self._device.commands.queue.tail = value & self._device.commands.queue.index_mask
                self._device.process_commands()
            case Offset.FQH:
                self._device.faults.queue.head = value & self._device.faults.queue.index_mask
            case Offset.PQH if capabilities.ats:
                self._device.page_requests.queue.head = value & self._device.page_requests.queue.index_mask
            case Offset.CQCSR:
                self._device.commands.write_csr(value, self._device.configuration)
                self._device.process_commands()
            case Offset.FQCSR:
                self._device.faults.write_csr(value)
            case Offset.PQCSR if capabilities.ats:
                self._device.page_requests.write_csr(value)
            case Offset.IPSR:
                self._device.interrupts.clear(Ipsr(value & 0xF))
            case Offset.IOCOUNTINH if capabilities.hpm:
                self._device.performance.inhibited = value & self._device.performance.inhibit_mask
            case Offset.IOMMU_QOSID if capabilities.qosid:
                self._device.set_qosid(value)
            case _ if self._has_msi_table and msi_offset(0) <= offset < msi_offset(len(self._device.interrupts.vectors)):
                vector = (offset - Offset.MSI_CFG_TBL) // 16
                if offset & 4:
                    self._device.interrupts.set_mask(vector, bool(value & 1))
                else:
                    self._device.interrupts.vectors[vector].data = value

    def _write_debug_control(self, value: int) -> None:
        flags = TranslationRequestControl
        self._tr_req_ctl = value & _DEBUG_CONTROL
        if not value & flags.GO:
            return
        request = Request(
            value >> 40,
            self._tr_req_iova,
            write=not value & flags.NW,
            process_id=value >> 12 & 0xFFFFF,
            pasid_valid=bool(value & flags.PV),
            priv=bool(value & flags.PRIV),
            exec=bool(value & flags.EXE),
        )
        response = self._device.translate_for_debug(request)
        if response is None or response.spa is None:
            self._tr_response = 1
            return
        word = encode_range(response.spa, response.page_shift)
        self._tr_response = int(response.memory_type) << 7 | (word >> 11 & 1) << 9 | (word >> 12 << 10) & PPN_FIELD


def _is_dword_array(base: int) -> bool:
    if Offset.IOHPMCTR <= base < Offset.TR_REQ_IOVA:
        return True
    return base >= Offset.MSI_CFG_TBL and not base & 8


def _legal_event(value: int) -> int:
    """WARL value of ``iohpmevt``: an unknown event reads back as no event."""
    event = value & 0x7FFF
    return value if event in HpmEvent._value2member_map_ else value & ~0x7FFF & _U64
