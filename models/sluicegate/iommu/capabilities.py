"""Capabilities and global configuration of an IOMMU instance (RISC-V IOMMU specification, *Memory-mapped register interface*).

Everything a translation depends on besides memory is one immutable :class:`IommuConfiguration`: the ``capabilities`` word,
``fctl``, ``ddtp`` and the width of QoS identifiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Final


class InterruptGeneration(IntEnum):
    """``capabilities.IGS``: how the IOMMU can signal interrupts."""

    MSI = 0
    WSI = 1
    BOTH = 2


class DirectoryMode(IntEnum):
    """``ddtp.iommu_mode``."""

    OFF = 0
    BARE = 1
    ONE_LEVEL = 2
    TWO_LEVEL = 3
    THREE_LEVEL = 4

    @property
    def levels(self) -> int:
        """Levels of the device directory table; 0 when there is none."""
        return max(int(self) - 1, 0)


SPECIFICATION_VERSION: Final = 0x10
_UNSUPPORTED_BITS: Final = 1 << 8 | 1 << 16
_DEFINED_BITS: Final = 0xFF | 0b1110 << 8 | 1 << 14 | 1 << 15 | 0b1110 << 16 | 0x7F << 21 | 0xF << 28 | 0x3F << 32 | 0x3F << 38


@dataclass(frozen=True)
class Capabilities:
    """The ``capabilities`` register: one 64-bit word, with a property for each field.

    Sv32 and Sv32x4 (bits 8 and 16) are outside the profile of this project and rejected, as are reserved bits.
    """

    word: int

    def __post_init__(self) -> None:
        if self.word & _UNSUPPORTED_BITS:
            raise ValueError(f"capabilities {self.word:#x} ask for Sv32 or Sv32x4, which are not modelled: clear bits 8 and 16")
        if self.word & ~_DEFINED_BITS:
            raise ValueError(f"capabilities {self.word:#x} have reserved bits set: clear {self.word & ~_DEFINED_BITS:#x}")

    def _bit(self, position: int) -> bool:
        return bool(self.word >> position & 1)

    @property
    def version(self) -> int:
        return self.word & 0xFF

    @cached_property
    def sv39(self) -> bool:
        return self._bit(9)

    @cached_property
    def sv48(self) -> bool:
        return self._bit(10)

    @cached_property
    def sv57(self) -> bool:
        return self._bit(11)

    @cached_property
    def svrsw60t59b(self) -> bool:
        """PTE bits 60:59 are ignored instead of reserved."""
        return self._bit(14)

    @cached_property
    def svpbmt(self) -> bool:
        return self._bit(15)

    @cached_property
    def sv39x4(self) -> bool:
        return self._bit(17)

    @cached_property
    def sv48x4(self) -> bool:
        return self._bit(18)

    @cached_property
    def sv57x4(self) -> bool:
        return self._bit(19)

    @cached_property
    def amo_mrif(self) -> bool:
        return self._bit(21)

    @cached_property
    def msi_flat(self) -> bool:
        """MSI page tables in flat format; device contexts then have 64 bytes."""
        return self._bit(22)

    @cached_property
    def msi_mrif(self) -> bool:
        return self._bit(23)

    @cached_property
    def amo_hwad(self) -> bool:
        """Hardware update of accessed and dirty bits."""
        return self._bit(24)

    @cached_property
    def ats(self) -> bool:
        """PCIe ATS, and with it page requests and their queue."""
        return self._bit(25)

    @cached_property
    def t2gpa(self) -> bool:
        """ATS may return guest physical addresses."""
        return self._bit(26)

    @cached_property
    def end(self) -> bool:
        """``fctl.BE`` is writable and ``DC.tc.SBE`` may differ from it."""
        return self._bit(27)

    @property
    def igs(self) -> InterruptGeneration:
        return InterruptGeneration(self.word >> 28 & 3)

    @property
    def hpm(self) -> bool:
        return self._bit(30)

    @property
    def dbg(self) -> bool:
        return self._bit(31)

    @cached_property
    def physical_address_bits(self) -> int:
        """``PAS``: width of physical addresses."""
        return self.word >> 32 & 0x3F

    @cached_property
    def pd8(self) -> bool:
        return self._bit(38)

    @cached_property
    def pd17(self) -> bool:
        return self._bit(39)

    @cached_property
    def pd20(self) -> bool:
        return self._bit(40)

    @cached_property
    def qosid(self) -> bool:
        return self._bit(41)

    @property
    def nl(self) -> bool:
        """IOTINVAL may name non-leaf entries."""
        return self._bit(42)

    @property
    def s(self) -> bool:
        """IOTINVAL may name address ranges."""
        return self._bit(43)

    @cached_property
    def guest_physical_bits(self) -> int:
        """``MGPAW``: widest guest physical address, which bounds the MSI address match."""
        if self.sv57x4:
            return 59
        if self.sv48x4:
            return 50
        if self.sv39x4:
            return 41
        return self.physical_address_bits

    @property
    def process_id_bits(self) -> int:
        """Bits of the widest supported process ID; 0 without a process directory."""
        return 20 if self.pd20 else 17 if self.pd17 else 8 if self.pd8 else 0


@dataclass(frozen=True)
class IommuConfiguration:
    """Capabilities and the registers that a translation reads.

    ``fctl`` is the 32-bit register (BE, WSI), ``ddtp`` the 64-bit one, ``iommu_qosid`` the 32-bit one; ``qosid_bits`` the
    implemented width (1 to 12) of RCID and MCID.
    """

    capabilities: Capabilities
    fctl: int = 0
    ddtp: int = 0
    qosid_bits: int = 12
    iommu_qosid: int = 0

    @cached_property
    def big_endian(self) -> bool:
        """``fctl.BE``: byte order of the device directory, second stage, MSI tables and queues."""
        return bool(self.fctl & 1)

    @property
    def wired_interrupts(self) -> bool:
        """``fctl.WSI``."""
        return bool(self.fctl & 2)

    @cached_property
    def mode(self) -> DirectoryMode:
        return DirectoryMode(self.ddtp & 0xF)

    @cached_property
    def directory_base(self) -> int:
        """Byte address of the root page of the device directory table."""
        return (self.ddtp >> 10 & ((1 << 44) - 1)) << 12
