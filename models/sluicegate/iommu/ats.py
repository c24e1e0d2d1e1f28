"""PCIe ATS: how a translation becomes a translation completion, and the layout of completions and invalidations.

Source: RISC-V IOMMU specification, *PCIe ATS translation request handling*; PCI Express Base specification, chapter ATS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluicegate.iommu.context import DeviceContext
from sluicegate.iommu.msi import MsiMapping
from sluicegate.iommu.request import Cause, MemoryType, Permissions, Request, Response, Status
from sluicegate.iommu.walk import Mapping

UNTRANSLATABLE_CAUSES: Final = frozenset(
    {
        Cause.INSTRUCTION_PAGE_FAULT,
        Cause.READ_PAGE_FAULT,
        Cause.WRITE_PAGE_FAULT,
        Cause.INSTRUCTION_GUEST_PAGE_FAULT,
        Cause.READ_GUEST_PAGE_FAULT,
        Cause.WRITE_GUEST_PAGE_FAULT,
        Cause.MSI_PTE_NOT_VALID,
        Cause.PDT_NOT_VALID,
    }
)
"""Causes that a translation request answers with success and no permissions, unrecorded."""

_UNSUPPORTED_CAUSES: Final = frozenset(
    {
        Cause.ALL_INBOUND_DISALLOWED,
        Cause.DDT_ACCESS_FAULT,
        Cause.DDT_NOT_VALID,
        Cause.DDT_MISCONFIGURED,
        Cause.TRANSACTION_TYPE_DISALLOWED,
    }
)


def failure_status(cause: Cause) -> Status:
    """Completion status of a translation request that fails with ``cause``."""
    return Status.UNSUPPORTED_REQUEST if cause in _UNSUPPORTED_CAUSES else Status.COMPLETER_ABORT


def no_permissions(request: Request) -> Permissions:
    """The completion of an address that is not mapped."""
    return Permissions(priv=request.pasid_valid and request.priv)


def permissions(
    request: Request,
    first: Mapping,
    second: Mapping,
    msi: MsiMapping | None,
    memory_type: MemoryType,
    device: DeviceContext,
) -> Permissions:
    """Permissions and attributes of a translation that both stages allow in part or in full."""
    read = first.read and second.read
    return Permissions(
        read=read,
        write=first.write and second.write and first.dirty and second.dirty,
        exec=first.exec and second.exec and read and request.exec,
        global_=first.global_ and request.pasid_valid and msi is None,
        priv=request.pasid_valid and request.priv,
        untranslated_only=msi is not None and msi.mrif is not None,
        cxl_io=request.cxl and (memory_type is not MemoryType.PMA or msi is not None or device.t2gpa),
    )


def completion_entry(response: Response) -> int:
    """The 8-byte entry of a translation completion (as a 64-bit value in wire order of significance)."""
    granted = response.permissions
    if granted is None:
        raise ValueError("not the response of an ATS translation request: it has no permissions")
    entry = (
        granted.read
        | granted.write << 1
        | granted.untranslated_only << 2
        | granted.exec << 3
        | granted.priv << 4
        | granted.global_ << 5
        | granted.cxl_io << 9
    )
    if response.spa is not None:
        entry |= encode_range(response.spa, response.page_shift)
    return entry


def encode_range(address: int, page_shift: int) -> int:
    """Bits 63:11 of an ATS range: page address, with the size in S (bit 11) and trailing ones when larger than 4 KiB."""
    base = address >> page_shift << page_shift
    if page_shift == 12:
        return base
    return base | 1 << 11 | (1 << (page_shift - 1)) - (1 << 12)


def decode_range(word: int) -> tuple[int, int]:
    """(base address, log2 of the size) of bits 63:11 of an ATS range. The whole space gives (0, 64)."""
    if not word >> 11 & 1:
        return word & ~0xFFF, 12
    page_bits = word >> 12
    ones = (~page_bits & (page_bits + 1)).bit_length() - 1
    shift = min(13 + ones, 64)
    return word >> shift << shift, shift


@dataclass(frozen=True, slots=True)
class InvalidateRequest:
    """An ATS invalidate request message (MsgD, code 1): target requester ID, optional PASID, range word, itag."""

    requester_id: int
    segment_valid: bool
    segment: int
    pasid_valid: bool
    process_id: int
    payload: int
    """Bit 0 global, bit 11 S, bits 63:12 address."""
    itag: int = 0

    @property
    def device_id(self) -> int:
        """The target with its segment, 0 where none is given: as page requests name their devices."""
        return (self.segment << 16 if self.segment_valid else 0) | self.requester_id


@dataclass(frozen=True, slots=True)
class PageRequestGroupResponse:
    """A page-request-group response message (Msg, code 5); ``payload`` is its bytes 8 to 15 as a 64-bit value."""

    requester_id: int
    segment_valid: bool
    segment: int
    pasid_valid: bool
    process_id: int
    payload: int
