"""One stage of a batch: rights, faults and sizes of a group of requests on their way through decoded tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.context import DeviceContext
from sluicegate.iommu.decoded_tables import ELSEWHERE, PAGE_SHIFTS, SIZE_SHIFT, DecodedTables, Indices, Words
from sluicegate.iommu.walk import UNLIMITED_SHIFT

Flags = NDArray[np.bool_]

PAGE_FAULT: Final = np.array([13, 15, 12], dtype=np.uint16)
"""Cause by access: read, write, execute."""
GUEST_PAGE_FAULT: Final = np.array([21, 23, 20], dtype=np.uint16)
_FRAME: Final = np.uint64((1 << 64) - (1 << 12))


@dataclass(frozen=True, slots=True)
class AccessCodes:
    """Bit numbers in the rights of an entry: 0 read, 1 write, 2 execute; plus 3 in the first stage if privileged."""

    kind: NDArray[np.uint8]
    first_stage: NDArray[np.uint8]


def access_codes(write: Flags, exec_: Flags, pasid_valid: Flags, priv: Flags) -> AccessCodes:
    """The codes of requests with these flags."""
    kind = np.ascontiguousarray(write).view(np.uint8)
    if exec_.any():
        kind = np.where(exec_ & ~write, np.uint8(2), kind)
    if not pasid_valid.any():
        return AccessCodes(kind, kind)
    privileged = (priv & pasid_valid).view(np.uint8)
    return AccessCodes(kind, kind + privileged * np.uint8(3))


@dataclass(slots=True)
class Progress:
    """A group between the stages: addresses so far, and what failed (``left`` to the reference among it)."""

    address: Indices
    page_shift: NDArray[np.uint8] | int = UNLIMITED_SHIFT
    failed: Flags | None = None
    """None when nothing failed."""
    left: Flags | None = None
    cause: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, dtype=np.uint16))
    """Meaningful where ``failed``."""

    def fail(self, failed: Flags, causes: NDArray[np.uint16]) -> None:
        """Those of ``failed`` that have not failed before fail with ``causes``."""
        if self.failed is None:
            self.failed, self.cause = failed, causes
        else:
            self.cause = np.where(self.failed, self.cause, causes)
            self.failed = self.failed | failed

    def leave(self, left: Flags) -> None:
        """Those of ``left`` that have not failed before are for the reference; they count as failed until it answers."""
        if self.failed is not None:
            left = left & ~self.failed
        if left.any():
            self.left = left if self.left is None else self.left | left
            self.fail(left, np.zeros(left.shape, dtype=np.uint16))

    def limit_page_shift(self, page_shift: NDArray[np.uint8] | int) -> None:
        if isinstance(page_shift, int) and isinstance(self.page_shift, int):
            self.page_shift = min(page_shift, self.page_shift)
        else:
            self.page_shift = np.minimum(self.page_shift, page_shift).astype(np.uint8)


def walk_stage(
    tables: DecodedTables,
    roots: Indices | int,
    access: NDArray[np.uint8],
    progress: Progress,
    translated: Indices,
    causes: NDArray[np.uint16],
    kind: NDArray[np.uint8],
) -> None:
    """Take ``progress`` through one stage; new addresses go to ``translated``, failures get ``causes`` by ``kind``."""
    address = progress.address if progress.failed is None else np.where(progress.failed, 0, progress.address)
    outside: Flags | None = None
    bits = tables.rules.address_bits
    usable = bits if tables.rules.guest else bits - 1
    if int(address.view(np.uint64).max()) >> usable:
        top = address >> usable
        outside = top != 0 if tables.rules.guest else (top != 0) & (top != -1)
        address = address & ((1 << bits) - 1)
    entries = tables.look_up(address, roots)
    low = entries.astype(np.uint16)
    np.bitwise_and(entries, _FRAME, out=entries)
    np.add(entries.view(np.int64), address, out=translated)
    progress.address = translated
    granted = (low >> access) & np.uint16(1)
    if outside is not None and outside.any():
        granted[outside] = 0
        low[outside] = 0
    if not granted.min():
        elsewhere = (low & np.uint16(ELSEWHERE)) != 0
        if elsewhere.any():
            progress.leave(elsewhere)
        progress.fail(granted == 0, causes[kind])
    low &= np.uint16(0xF << SIZE_SHIFT)
    progress.limit_page_shift(PAGE_SHIFTS[low >> np.uint16(SIZE_SHIFT)] if low.max() else int(PAGE_SHIFTS[0]))


def msi_distance(guest: Indices, device: DeviceContext, configuration: IommuConfiguration) -> Words:
    """Per guest address: the page-number bits in which it differs from the MSI pattern; 0 for MSI pages."""
    width = (1 << (configuration.capabilities.guest_physical_bits - 12)) - 1
    compared = np.uint64(~device.msi_address_mask & width)
    return ((guest.view(np.uint64) >> np.uint64(12)) ^ np.uint64(device.msi_address_pattern)) & compared
