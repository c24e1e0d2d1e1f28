"""Synthetic logs of a driver that keeps translation tables, and of an IOMMU that walks them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sluicegate.iommu.capabilities import Capabilities
from sluicegate.iommu.commands import Fence, InvalidateDevice, InvalidateTranslations
from sluicegate.iommu.request import FaultRecord, TransactionType
from sluicegate.platform import ADDRESS_MAP

from tb.bridge.event_log import Actor, EventKind, RequestBit
from tests.unit.scoreboards.log_builder import LogBuilder, words

CAPABILITIES = Capabilities(0x10 | 1 << 9 | 1 << 28 | 56 << 32)
HIGH = ADDRESS_MAP.high_ram.base
DIRECTORY, CONTEXTS, ROOT, MIDDLE, LEAVES = (HIGH + 0x20_0000 + 0x1000 * i for i in range(5))
COMMANDS, FAULTS = HIGH + 0x21_0000, HIGH + 0x22_0000
DEVICE, PSCID = 0x300, 7
IOVA = 0x1000_0000
VALID_LEAF = 0xD7
UNMAPPED = IOVA + 0x10_0000


@dataclass
class TableLog(LogBuilder):
    """Two-level directory, one device with an Sv39 table whose last level is ``LEAVES`` (IOVA to IOVA + 2 MiB)."""

    identifier: int = 0
    commands: int = 0
    fault_tail: int = 0
    entries: dict[int, int] = field(default_factory=dict)

    def dword(self, address: int, value: int) -> int:
        return self.memory_write(address, words(value))

    def register(self, offset: int, value: int, size: int = 8) -> None:
        shift = offset & 7
        data = value << 8 * shift
        strobes = ((1 << size) - 1) << shift
        self.add(EventKind.REGISTER_WRITE, address=offset, header=(data & 0xFFFF_FFFF, data >> 32, 0, 0), argument=strobes)

    def setup(self, mapped: int = 16) -> None:
        for offset, value in ((0, 1), (8, 0), (16, PSCID << 12), (24, 8 << 60 | ROOT >> 12)):
            self.dword(CONTEXTS + offset, value)
        self.dword(DIRECTORY + 8 * (DEVICE >> 7), CONTEXTS >> 2 | 1)
        self.dword(ROOT + 8 * (IOVA >> 30), MIDDLE >> 2 | 1)
        self.dword(MIDDLE + 8 * (IOVA >> 21 & 511), LEAVES >> 2 | 1)
        for page in range(mapped):
            self.map(page, 100 + page)
        self.register(0x018, COMMANDS >> 2 | 3)
        self.register(0x048, 1, 4)
        self.register(0x028, FAULTS >> 2 | 1)
        self.register(0x04C, 1, 4)
        self.register(0x010, DIRECTORY >> 2 | 3)

    def physical(self, page: int) -> int:
        return HIGH + 0x1000 * self.entries[page]

    def map(self, page: int, frame: int, permissions: int = VALID_LEAF) -> int:
        self.entries[page] = frame
        return self.dword(LEAVES + 8 * page, (HIGH >> 12) + frame << 10 | permissions)

    def unmap(self, page: int) -> int:
        return self.dword(LEAVES + 8 * page, 0)

    def command(self, packed: tuple[int, int], complete: bool = True) -> None:
        self.memory_write(COMMANDS + 16 * (self.commands % 16), words(*packed))
        self.commands += 1
        if complete:
            self.complete(packed)

    def complete(self, packed: tuple[int, int]) -> None:
        low, high = packed
        header = (low & 0xFFFF_FFFF, low >> 32, high & 0xFFFF_FFFF, high >> 32)
        self.add(EventKind.IOMMU_COMMAND, header=header)

    def invalidate(self, page: int | None = None, fence: bool = True) -> None:
        self.command(InvalidateTranslations(address=None if page is None else IOVA + 0x1000 * page).pack())
        if fence:
            self.command(Fence().pack())

    def invalidate_device(self) -> None:
        self.command(InvalidateDevice(DEVICE).pack())
        self.command(Fence().pack())

    def ask(self, iova: int, write: bool = False, device: int = DEVICE) -> int:
        self.identifier = (self.identifier + 1) & 0xFFFF
        bits = RequestBit.WRITE if write else 0
        self.add(EventKind.TRANSLATION_REQUEST, header=(self.identifier, device, 0, bits), address=iova)
        return self.identifier

    def answer(self, identifier: int, spa: int | None, size: int = 12, status: int = 1) -> None:
        status = status if spa is None else 0
        self.add(EventKind.TRANSLATION_RESPONSE, header=(identifier, status | size << 16, 0, 0), address=spa or 0)

    def good(self, page: int, offset: int = 0, write: bool = False) -> None:
        self.answer(self.ask(IOVA + 0x1000 * page + offset, write), self.physical(page) + offset)

    def fault(
        self, iova: int = UNMAPPED, cause: int = 13, write: bool = False, device: int = DEVICE, record: bool = True
    ) -> None:
        self.answer(self.ask(iova, write, device), None)
        if record:
            self.record(iova, cause, write, device)

    def record(self, iova: int = UNMAPPED, cause: int = 13, write: bool = False, device: int = DEVICE) -> None:
        kind = TransactionType.UNTRANSLATED_WRITE if write else TransactionType.UNTRANSLATED_READ
        packed = FaultRecord(cause, kind, device, iotval=iova).pack()
        self.memory_write(FAULTS + 32 * self.fault_tail, words(*packed), Actor.IOMMU)
        self.fault_tail = (self.fault_tail + 1) % 4
        self.register(0x030, self.fault_tail, 4)
