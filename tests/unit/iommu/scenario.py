"""Builds contexts and page tables in memory for tests of the IOMMU model, entry by entry."""

from __future__ import annotations

from dataclasses import replace

from sluicegate.iommu import AddressType, Capabilities, DirectoryMode, IommuConfiguration, Request, Response, translate
from sluicegate.iommu.context import (
    DeviceContext,
    FirstStageMode,
    ProcessContext,
    ProcessDirectoryMode,
    SecondStageMode,
    context_size,
    directory_indices,
    encode_device_context,
    encode_process_context,
)
from sluicegate.memory import SparseMemory

V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))
N = 1 << 63
PAGE = V | R | W | U | A | D

VERSION = 0x10
SV39, SV48, SV57 = 1 << 9, 1 << 10, 1 << 11
SVRSW, SVPBMT = 1 << 14, 1 << 15
SV39X4, SV48X4, SV57X4 = 1 << 17, 1 << 18, 1 << 19
MSI_FLAT, MSI_MRIF, AMO_HWAD, ATS, T2GPA, END = (1 << bit for bit in range(22, 28))
IGS_WSI, IGS_BOTH = 1 << 28, 2 << 28
HPM, DBG = 1 << 30, 1 << 31
PAS56 = 56 << 32
PD8, PD17, PD20, QOSID, NL, S = (1 << bit for bit in range(38, 44))
CORE = VERSION | SV39 | SV39X4 | IGS_BOTH | PAS56
FULL = CORE | SV48 | SV57 | SV48X4 | SV57X4 | SVPBMT | PD8 | PD17 | PD20 | HPM | DBG | NL | S | AMO_HWAD | ATS | T2GPA | END
FULL_MSI = FULL | MSI_FLAT | MSI_MRIF


def entry(address: int, flags: int) -> int:
    """A PTE that maps or points to ``address``."""
    return address >> 12 << 10 | flags


class Scenario:
    """A memory, a configuration, and tables laid out by a bump allocator from 1 GiB on.

    ``behind`` is a finished scenario, in whose memory this one lies behind it: another directory for the same IOMMU.
    """

    def __init__(
        self,
        capabilities: int = FULL,
        mode: DirectoryMode = DirectoryMode.ONE_LEVEL,
        fctl: int = 0,
        behind: Scenario | None = None,
    ) -> None:
        self.memory: SparseMemory = SparseMemory() if behind is None else behind.memory
        self._next: int = 1 << 30 if behind is None else behind._next
        self.directory = self.page()
        self.configuration = IommuConfiguration(Capabilities(capabilities), fctl, self.directory >> 2 | mode)
        self._directories: dict[tuple[int, ...], int] = {}

    def page(self, count: int = 1) -> int:
        """``count`` fresh pages, aligned to 16 KiB when more than one."""
        if count > 1:
            self._next = (self._next + 0x3FFF) & ~0x3FFF
        address = self._next
        self._next += 4096 * count
        return address

    def context_address(self, device_id: int) -> int:
        """Where the device context lies; directory tables on the way are made."""
        capabilities = self.configuration.capabilities
        indices = directory_indices(device_id, capabilities)
        levels = self.configuration.mode.levels
        table = self.directory
        for level in range(levels - 1, 0, -1):
            path = indices[level:levels]
            if path not in self._directories:
                self._directories[path] = self.page()
                self.memory.write_u64(table + 8 * indices[level], entry(self._directories[path], V))
            table = self._directories[path]
        return table + context_size(capabilities) * indices[0]

    def set_context(self, device_id: int, context: DeviceContext) -> None:
        address = self.context_address(device_id)
        for index, word in enumerate(encode_device_context(context, self.configuration.capabilities)):
            self.memory.write_u64(address + 8 * index, word)

    def first_stage(self, device_id: int = 1, mode: FirstStageMode = FirstStageMode.SV39, **fields: object) -> int:
        """Give a device a first stage; returns its root table."""
        root = self.page()
        context = replace(DeviceContext(first_stage=ProcessContext(mode, root, 7)), **fields)  # type: ignore[arg-type]
        self.set_context(device_id, context)
        return root

    def second_stage(self, device_id: int = 1, mode: SecondStageMode = SecondStageMode.SV39X4, **fields: object) -> int:
        """Give a device a second stage only; returns its root table."""
        root = self.page(4)
        context = DeviceContext(second_stage=mode, second_stage_root=root, gscid=9)
        self.set_context(device_id, replace(context, **fields))  # type: ignore[arg-type]
        return root

    def process_directory(self, device_id: int = 1, **fields: object) -> int:
        """Give a device an 8-bit process directory; returns its table."""
        table = self.page()
        context = DeviceContext(process_directory=ProcessDirectoryMode.PD8, process_directory_root=table)
        self.set_context(device_id, replace(context, **fields))  # type: ignore[arg-type]
        return table

    def set_process(self, table: int, process_id: int, context: ProcessContext) -> None:
        for index, word in enumerate(encode_process_context(context)):
            self.memory.write_u64(table + 16 * process_id + 8 * index, word)

    def map(self, root: int, address: int, pte: int, level: int = 0, levels: int = 3, guest: bool = False) -> int:
        """Put ``pte`` for ``address`` at ``level``, making tables on the way; returns the address of the entry."""
        table = root
        for step in range(levels - 1, level - 1, -1):
            mask = 0x7FF if guest and step == levels - 1 else 0x1FF
            position = table + 8 * (address >> (12 + 9 * step) & mask)
            if step == level:
                self.memory.write_u64(position, pte)
                return position
            found = self.memory.read_u64(position)
            if not found:
                found = entry(self.page(), V)
                self.memory.write_u64(position, found)
            table = (found >> 10 & ((1 << 44) - 1)) << 12
        raise AssertionError("level lies above the root")

    def identity(self, root: int, first: int, end: int) -> None:
        """Map the guest pages ``[first, end)`` to themselves in a second stage."""
        for address in range(first, end, 4096):
            self.map(root, address, entry(address, PAGE | X), guest=True)

    def translate(self, request: Request) -> Response:
        return translate(request, self.configuration, self.memory)

    def read(self, iova: int, device_id: int = 1) -> Response:
        return self.translate(Request(device_id, iova))

    def write(self, iova: int, device_id: int = 1) -> Response:
        return self.translate(Request(device_id, iova, write=True))

    def ats(self, iova: int, device_id: int = 1, no_write: bool = False) -> Response:
        request = Request(device_id, iova, address_type=AddressType.TRANSLATION_REQUEST, no_write=no_write)
        return self.translate(request)
