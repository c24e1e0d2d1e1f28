"""swiotlb: bounce buffers for memory that a device cannot or must not reach (specification DMA_API, section 8, last lines)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sluicegate.address import PhysicalAddress
from sluicegate.dma.attrs import SKIP_CPU_SYNC, DmaAttrs
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.fault_injection import FaultPoint
from sluicegate.memory import PAGE_SIZE

if TYPE_CHECKING:
    from sluicegate.dma.device import Device
    from sluicegate.dma.host import Host

SLOT_BYTES: Final = 2048
SEGMENT_SLOTS: Final = 128
MAX_MAPPING_BYTES: Final = SLOT_BYTES * SEGMENT_SLOTS
_NO_WARN: Final = int(DmaAttrs.NO_WARN)


@dataclass(slots=True)
class _Bounce:
    original: int
    mapped_bytes: int
    slots: int
    first_slot: int


class Swiotlb:
    """One pool of 2048-byte slots in RAM below 4 GiB; a mapping takes at most 128 neighbouring slots of one group.

    The search starts behind the last allocation. Of the kernel's placement, per-CPU areas are not modelled.
    """

    def __init__(self, host: Host, size: int = 4 << 20, limit: int = (1 << 32) - 1) -> None:
        if size <= 0 or size % MAX_MAPPING_BYTES:
            raise ValueError(f"swiotlb of {size} bytes: a positive multiple of {MAX_MAPPING_BYTES} is needed")
        self.host: Final = host
        self.base: Final[PhysicalAddress] = host.pages.alloc(size, limit)
        self.size: Final = size
        self.slots: Final = size // SLOT_BYTES
        self._used: Final = bytearray(self.slots)
        self._bounces: Final[dict[int, _Bounce]] = {}
        self._index = 0
        host.swiotlb = self

    @property
    def used_slots(self) -> int:
        """Slots taken now."""
        return sum(self._used)

    def contains(self, phys: int) -> bool:
        """Whether ``phys`` lies in the pool."""
        return int(self.base) <= phys < int(self.base) + self.size

    def max_mapping_size(self, device: Device) -> int:
        """Longest mapping in bytes for a device."""
        mask = device.min_align_mask
        return MAX_MAPPING_BYTES - (-(-mask // SLOT_BYTES) * SLOT_BYTES if mask else 0)

    def map(self, device: Device, original: int, size: int, align_mask: int, attrs: int, keep_mask: int = 0) -> int | None:
        """Take slots for ``[original, original + size)`` and fill them from it; the bounce address, None when full.

        The bounce address keeps the original's bits under the device's minimum alignment mask and under ``keep_mask`` (at
        most ``align_mask``); the slots are aligned to ``align_mask + 1``, and rounded up to it.
        """
        offset = original & (device.min_align_mask & (align_mask | (SLOT_BYTES - 1)) | keep_mask)
        wanted = -(-(size + offset) // (align_mask + 1)) * (align_mask + 1)
        slots = -(-wanted // SLOT_BYTES)
        if size >= PAGE_SIZE:
            align_mask |= PAGE_SIZE - 1
        first = None
        if slots <= SEGMENT_SLOTS and not self.host.should_fail(FaultPoint.SWIOTLB):
            low_bits = original & device.min_align_mask & ~(align_mask | (SLOT_BYTES - 1))
            first = self._find(device, slots, align_mask, low_bits)
        if first is None:
            if not attrs & _NO_WARN:
                free = self.slots - self.used_slots
                device.report(DebugClass.BOUNCE_FULL, f"no room to bounce {size} bytes ({free} of {self.slots} slots are free)")
            return None
        self._used[first : first + slots] = b"\x01" * slots
        self._index = (first + slots) % self.slots
        bounce = int(self.base) + first * SLOT_BYTES + offset
        self._bounces[bounce] = _Bounce(original, size, slots, first)
        self.host.cpu_memory.write(bounce, self.host.cpu_memory.read(original, size))
        return bounce

    def _find(self, device: Device, slots: int, align_mask: int, low_bits: int) -> int | None:
        boundary = device.seg_boundary_mask or (1 << 64) - 1
        for step in range(self.slots):
            first = (self._index + step) % self.slots
            address = int(self.base) + first * SLOT_BYTES
            if first % SEGMENT_SLOTS + slots > SEGMENT_SLOTS or address & align_mask:
                continue
            if address & device.min_align_mask & ~(align_mask | (SLOT_BYTES - 1)) != low_bits:
                continue
            if (address ^ (address + slots * SLOT_BYTES - 1)) & ~boundary:
                continue
            if not any(self._used[first : first + slots]):
                return first
        return None

    def unmap(self, bounce: int, direction: DmaDirection, attrs: int) -> None:
        """Copy back what the device may have written, and free the slots."""
        entry = self._bounces.pop(bounce)
        if direction is not DmaDirection.TO_DEVICE and not attrs & SKIP_CPU_SYNC:
            self._copy(bounce, entry.original, entry.mapped_bytes)
        self._used[entry.first_slot : entry.first_slot + entry.slots] = bytes(entry.slots)

    def sync_for_cpu(self, device: Device, address: int, size: int) -> None:
        """Copy from the bounce buffer to the original."""
        self._sync(device, address, size, to_original=True)

    def sync_for_device(self, device: Device, address: int, size: int) -> None:
        """Copy from the original to the bounce buffer."""
        self._sync(device, address, size, to_original=False)

    def _sync(self, device: Device, address: int, size: int, to_original: bool) -> None:
        start, entry = self._entry(address)
        left = start + entry.mapped_bytes - address
        if size > left:
            device.report(
                DebugClass.BOUNCE_OVERFLOW, f"sync of {size} bytes at {address:#x}, {left} bytes of the mapping are left"
            )
            size = left
        original = entry.original + address - start
        if to_original:
            self._copy(address, original, size)
        else:
            self._copy(original, address, size)

    def _entry(self, address: int) -> tuple[int, _Bounce]:
        for start, entry in self._bounces.items():
            if start <= address < start + entry.mapped_bytes:
                return start, entry
        raise KeyError(f"{address:#x} is in no live bounce buffer")

    def original(self, bounce: int) -> int | None:
        """The address that a live bounce buffer starting at ``bounce`` stands for."""
        entry = self._bounces.get(bounce)
        return None if entry is None else entry.original

    def _copy(self, source: int, target: int, size: int) -> None:
        self.host.cpu_memory.write(target, self.host.cpu_memory.read(source, size))
