"""Which pages of memory are translation tables, and what each entry in them is responsible for.

Built by a walk from the directory root over a replica of memory: device and process directory, contexts, first and second stage,
where tables at guest addresses are found through the second stage. Pages that no walk reaches and the IOMMU has read (MSI tables)
are learned; they count as responsible for everything. A page used in two roles counts as learned too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.context import (
    DeviceContext,
    ProcessContext,
    context_size,
    decode_device_context,
    decode_process_context,
)
from sluicegate.iommu.port import WalkPort
from sluicegate.iommu.request import Request, TranslationFault
from sluicegate.iommu.walk import Access, Walker
from sluicegate.memory import Memory, MemoryAccessError, MemoryPoisonError

LAST = (1 << 64) - 1
PAGE_SIZE = 4096

Locate = Callable[[int], int | None]
"""Physical address of a guest address, None where there is none."""


class TableKind(Enum):
    DIRECTORY = "directory"
    """Non-leaf entries of the device directory."""
    CONTEXT = "context"
    """Device contexts."""
    PROCESS_DIRECTORY = "process directory"
    PROCESS_CONTEXT = "process context"
    FIRST_STAGE = "first stage"
    SECOND_STAGE = "second stage"
    LEARNED = "learned"
    """Some other table."""


@dataclass
class TablePage:
    """One table page. ``base``: first device ID, process ID, IOVA or guest address; ``span``: of one entry of it.

    ``devices``: device IDs that use it, None for all; ``entry``: bytes of an entry; ``pscid``, ``gscid``: None when there is none
    or when they differ among its users.
    """

    kind: TableKind
    base: int = 0
    span: int = 0
    entry: int = 8
    level: int = 0
    pscid: int | None = None
    gscid: int | None = None
    devices: set[int] | None = None

    def entry_range(self, address: int) -> tuple[int, int]:
        """First and last of what the entry at ``address`` is responsible for: IOVAs, guest addresses or IDs."""
        first = self.base + (address % PAGE_SIZE // self.entry) * self.span
        return first, first + max(self.span, 1) - 1

    def iova_range(self, address: int) -> tuple[int, int]:
        """First and last IOVA that the entry at ``address`` has a part in."""
        return self.entry_range(address) if self.kind is TableKind.FIRST_STAGE else (0, LAST)

    def responsible_for(self, address: int, device: int) -> bool:
        """Does the entry at ``address`` have a part in translations of ``device``?"""
        if self.kind in (TableKind.DIRECTORY, TableKind.CONTEXT):
            first, last = self.entry_range(address)
            return first <= device <= last
        return self.devices is None or device in self.devices


@dataclass
class TableMap:
    """Table pages by page number. ``incomplete``: some device uses tables that have to be learned."""

    pages: dict[int, TablePage] = field(default_factory=dict)
    incomplete: bool = False

    @classmethod
    def walk(cls, memory: Memory, configuration: IommuConfiguration) -> TableMap:
        """All tables that the directory leads to."""
        table_map = cls()
        levels = configuration.mode.levels
        if levels:
            size = context_size(configuration.capabilities)
            total = (PAGE_SIZE // size) * 512 ** (levels - 1)
            _TableWalk(table_map, memory, configuration).directory(configuration.directory_base, levels - 1, 0, total)
        return table_map

    def learn(self, page: int, entry: int) -> None:
        """The IOMMU has read an entry of ``entry`` bytes in a page that no walk reaches."""
        self.pages.setdefault(page, TablePage(TableKind.LEARNED, entry=16 if entry == 16 else 8))

    def add(self, address: int, page: TablePage) -> bool:
        """Note a table; False when its tables below are known already."""
        known = self.pages.setdefault(address >> 12, page)
        if known is page:
            return True
        if (known.kind, known.base, known.span, known.gscid) != (page.kind, page.base, page.span, page.gscid):
            known.kind, known.entry, known.devices = TableKind.LEARNED, min(known.entry, page.entry), None
            return False
        if known.pscid != page.pscid:
            known.pscid = None
        if known.devices is None or page.devices is None or page.devices <= known.devices:
            return False
        known.devices |= page.devices
        return True


class _TableWalk:
    """One walk over everything."""

    def __init__(self, table_map: TableMap, memory: Memory, configuration: IommuConfiguration) -> None:
        self._map, self._memory, self._configuration = table_map, memory, configuration

    def _entries(self, address: int, big_endian: bool = False) -> NDArray[np.uint64]:
        try:
            page = self._memory.view(address, PAGE_SIZE)
        except (MemoryAccessError, MemoryPoisonError):
            return np.zeros(PAGE_SIZE // 8, np.uint64)
        return page.view(">u8" if big_endian else "<u8").astype(np.uint64)

    def directory(self, address: int, level: int, base: int, total: int) -> None:
        """A page of the device directory, ``total`` device IDs from ``base``."""
        big_endian = self._configuration.big_endian
        if level:
            span = total // 512
            if self._map.add(address, TablePage(TableKind.DIRECTORY, base, span, 8, level)):
                entries = self._entries(address, big_endian)
                for index in np.flatnonzero(entries & np.uint64(1)).tolist():
                    self.directory(_pointer(int(entries[index])), level - 1, base + index * span, span)
            return
        size = context_size(self._configuration.capabilities)
        if self._map.add(address, TablePage(TableKind.CONTEXT, base, 1, size)):
            words = self._entries(address, big_endian).reshape(-1, size // 8)
            for index in np.flatnonzero(words[:, 0] & np.uint64(1)).tolist():
                context, _ = decode_device_context(tuple(words[index].tolist()), self._configuration)
                if context is not None:
                    self._context(context, base + index)

    def _context(self, context: DeviceContext, device: int) -> None:
        self._map.incomplete |= context.msi_enabled
        locate: Locate = int
        gscid = None
        if context.second_stage:
            gscid = context.gscid
            levels = context.second_stage.levels
            for page in range(4):
                span = 1 << 12 + 9 * (levels - 1)
                root = TablePage(TableKind.SECOND_STAGE, page * 512 * span, span, 8, levels - 1, None, gscid, {device})
                self._stage(context.second_stage_root + page * PAGE_SIZE, root, int, self._configuration.big_endian)
            locate = self._guest(context, device)
        if context.process_directory is None:
            self._first_stage(context, context.first_stage, locate, gscid, device)
        elif context.process_directory:
            levels = int(context.process_directory)
            self._processes(context, context.process_directory_root, levels - 1, 0, locate, gscid, device)

    def _guest(self, context: DeviceContext, device: int) -> Locate:
        port = WalkPort(self._memory, self._configuration)
        walker = Walker(port, self._configuration, context, Access.of(Request(device, 0)))

        def locate(address: int) -> int | None:
            try:
                return walker.translate_pointer(address).address
            except TranslationFault:
                return None

        return locate

    def _processes(
        self, context: DeviceContext, table: int, level: int, base: int, locate: Locate, gscid: int | None, device: int
    ) -> None:
        address = locate(table)
        if address is None:
            return
        shift = (0, 8, 17)[level]
        kind = TableKind.PROCESS_DIRECTORY if level else TableKind.PROCESS_CONTEXT
        page = TablePage(kind, base, 1 << shift, 8 if level else 16, level, None, gscid, {device})
        if not self._map.add(address, page):
            return
        entries = self._entries(address, context.first_stage_big_endian)
        if level:
            for index in np.flatnonzero(entries & np.uint64(1)).tolist():
                below = base + (index << shift)
                self._processes(context, _pointer(int(entries[index])), level - 1, below, locate, gscid, device)
            return
        for row in np.flatnonzero(entries[::2] & np.uint64(1)).tolist():
            words = (int(entries[2 * row]), int(entries[2 * row + 1]))
            process = decode_process_context(words, self._configuration.capabilities, set())
            if process is not None:
                self._first_stage(context, process, locate, gscid, device)

    def _first_stage(
        self, context: DeviceContext, process: ProcessContext, locate: Locate, gscid: int | None, device: int
    ) -> None:
        if not process.mode:
            return
        level = process.mode.levels - 1
        root = locate(process.root)
        if root is not None:
            page = TablePage(TableKind.FIRST_STAGE, 0, 1 << 12 + 9 * level, 8, level, process.pscid, gscid, {device})
            self._stage(root, page, locate, context.first_stage_big_endian, sign=1 << 12 + 9 * process.mode.levels - 1)

    def _stage(self, address: int, page: TablePage, locate: Locate, big_endian: bool, sign: int = 0) -> None:
        """A page of a page table and those below; ``sign``: the top bit of an IOVA at the root, from which it is extended."""
        if not self._map.add(address, page) or page.level == 0:
            return
        entries = self._entries(address, big_endian)
        for index in np.flatnonzero((entries & np.uint64(0xF)) == 1).tolist():
            first = page.base + index * page.span
            if first & sign:
                first |= LAST & ~(2 * sign - 1)
            child = locate(_pointer(int(entries[index])))
            if child is not None:
                span, level = page.span >> 9, page.level - 1
                below = TablePage(page.kind, first, span, 8, level, page.pscid, page.gscid, page.devices and set(page.devices))
                self._stage(child, below, locate, big_endian)


def _pointer(entry: int) -> int:
    return (entry >> 10 & (1 << 44) - 1) << 12
