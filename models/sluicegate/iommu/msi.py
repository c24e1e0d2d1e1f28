"""MSI address recognition, MSI page tables and memory-resident interrupt files.

Source: RISC-V IOMMU specification, *Process to translate addresses of MSIs*; RISC-V AIA specification, *IOMMU support*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.context import PPN_MASK, DeviceContext
from sluicegate.iommu.port import MSI_TABLE, WalkPort
from sluicegate.iommu.request import Cause, Feature, MrifTarget, TranslationFault
from sluicegate.memory import Memory, MemoryAccessError, MemoryPoisonError

_VALID: Final = 1
_CUSTOM: Final = 1 << 63
_BASIC_RESERVED: Final = 0x1FF << 54 | 0x7F << 3
_MRIF_RESERVED: Final = 0x1FF << 54 | 0xF << 3
_NOTICE_RESERVED: Final = 0x7 << 61 | 0x3F << 54
MRIF_INTERRUPTS: Final = 2047
"""Largest interrupt identity of a memory-resident interrupt file."""


@dataclass(frozen=True, slots=True)
class MsiMapping:
    """The page of one virtual interrupt file: its SPA, and the target when it is memory-resident."""

    spa: int
    mrif: MrifTarget | None


def _page_number_mask(capabilities: Capabilities) -> int:
    return (1 << (capabilities.guest_physical_bits - 12)) - 1


def differing_bits(gpa: int, device: DeviceContext, capabilities: Capabilities) -> int:
    """Page-number bits in which ``gpa`` differs from the MSI address pattern outside the mask; 0 when it is an MSI page."""
    width = _page_number_mask(capabilities)
    return ((gpa >> 12) ^ device.msi_address_pattern) & ~device.msi_address_mask & width


def interrupt_file_number(gpa: int, mask: int) -> int:
    """Gather the bits of the page number of ``gpa`` where ``mask`` is 1, lowest first."""
    page, number, position = gpa >> 12, 0, 0
    while mask:
        lowest = mask & -mask
        if page & lowest:
            number |= 1 << position
        position += 1
        mask ^= lowest
    return number


def translate_msi(port: WalkPort, configuration: IommuConfiguration, device: DeviceContext, gpa: int) -> MsiMapping | None:
    """Translate ``gpa`` through the MSI page table; None when it is no MSI page. Raises TranslationFault."""
    capabilities = configuration.capabilities
    if not device.msi_enabled or differing_bits(gpa, device, capabilities):
        return None
    number = interrupt_file_number(gpa, device.msi_address_mask & _page_number_mask(capabilities))
    low, high = port.load(device.msi_root + 16 * number, 2, configuration.big_endian, MSI_TABLE)
    if not low & _VALID:
        raise TranslationFault(Cause.MSI_PTE_NOT_VALID)
    misconfigured = TranslationFault(Cause.MSI_PTE_MISCONFIGURED)
    mode = low >> 1 & 3
    if low & _CUSTOM or mode in (0, 2):
        raise misconfigured
    if mode == 3:
        if low & _BASIC_RESERVED:
            raise misconfigured
        return MsiMapping((low >> 10 & PPN_MASK) << 12 | gpa & 0xFFF, None)
    if not capabilities.msi_mrif:
        raise misconfigured
    port.trace.features.add(Feature.MSI_MRIF)
    if low & _MRIF_RESERVED or high & _NOTICE_RESERVED:
        raise misconfigured
    notice = (high >> 10 & PPN_MASK) << 12
    identity = high & 0x3FF | (high >> 60 & 1) << 10
    target = MrifTarget((low >> 7 & ((1 << 47) - 1)) << 9, identity, notice, not device.disable_fault_reporting)
    return MsiMapping(notice | gpa & 0xFFF, target)


@dataclass(frozen=True, slots=True)
class NoticeMsi:
    """A notice to be sent: 32-bit data and byte address."""

    address: int
    data: int


def store_to_mrif(memory: Memory, target: MrifTarget, offset: int, data: bytes, big_endian: bool = False) -> NoticeMsi | None:
    """Deliver a device write of ``data`` at page offset ``offset`` to a memory-resident interrupt file.

    A valid MSI is a 32-bit write at offset 0 (4 in big-endian order) with an identity of 1 to 2047; every other write is
    dropped. Sets the pending bit atomically and returns the notice if the identity is enabled. Raises TranslationFault with
    the MRIF causes.
    """
    if offset != (4 if big_endian else 0) or len(data) != 4:
        return None
    identity = int.from_bytes(data, "big" if big_endian else "little")
    if not 1 <= identity <= MRIF_INTERRUPTS:
        return None
    pending_address = target.address + 16 * (identity // 64)
    bit = 1 << identity % 64
    if big_endian:
        bit = int.from_bytes(bit.to_bytes(8, "little"), "big")
    try:
        word = memory.read_u64(pending_address)
        while not word & bit:
            found = memory.compare_exchange_u64(pending_address, word, word | bit)
            if found == word:
                break
            word = found
        enabled = memory.read_u64(pending_address + 8) & bit
    except MemoryAccessError:
        raise TranslationFault(Cause.MRIF_ACCESS_FAULT) from None
    except MemoryPoisonError:
        raise TranslationFault(Cause.MRIF_DATA_CORRUPTION) from None
    return NoticeMsi(target.notice_address, target.notice_identity) if enabled else None
