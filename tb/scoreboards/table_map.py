"""Which pages of memory are translation tables, and what each entry in them is responsible for.

Built by a walk from the directory root over a replica of memory. Tracked exactly: the device directory, and first-stage tables of
devices without second stage and process directory. Other tables (second stage, process directory, MSI) are learned from the
reads of the IOMMU and taken to be responsible for everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.context import DeviceContext, context_size, decode_device_context

from tb.scoreboards.replica import Replica

LAST = (1 << 64) - 1
PAGE_SIZE = 4096


class TableKind(Enum):
    DIRECTORY = "directory"
    """Non-leaf entries of the device directory."""
    CONTEXT = "context"
    """Device contexts."""
    FIRST_STAGE = "first stage"
    LEARNED = "learned"
    """Some other table."""


@dataclass
class TablePage:
    """One table page. ``base``: first IOVA (first-stage tables) or first device ID (directory); ``span``: of one entry.

    ``devices``: device IDs that use it, None for all; ``entry``: bytes of an entry.
    """

    kind: TableKind
    base: int = 0
    span: int = 0
    entry: int = 8
    level: int = 0
    pscid: int | None = None
    devices: set[int] | None = None

    def iova_range(self, address: int) -> tuple[int, int]:
        """First and last IOVA that the entry at ``address`` is responsible for."""
        if self.kind is not TableKind.FIRST_STAGE:
            return 0, LAST
        first = self.base + (address % PAGE_SIZE // self.entry) * self.span
        return first, first + self.span - 1

    def responsible_for(self, address: int, device: int) -> bool:
        """Does the entry at ``address`` have a part in translations of ``device``?"""
        if self.kind in (TableKind.DIRECTORY, TableKind.CONTEXT):
            first = self.base + (address % PAGE_SIZE // self.entry) * self.span
            return first <= device < first + self.span
        return self.devices is None or device in self.devices


@dataclass
class TableMap:
    """Table pages by page number. ``incomplete``: some device uses tables that have to be learned."""

    pages: dict[int, TablePage] = field(default_factory=dict)
    incomplete: bool = False

    @classmethod
    def walk(cls, replica: Replica, configuration: IommuConfiguration) -> TableMap:
        """All tables that the directory leads to."""
        table_map = cls()
        levels = configuration.mode.levels
        if levels:
            size = context_size(configuration.capabilities)
            span = (PAGE_SIZE // size) * 512 ** (levels - 1)
            table_map._directory(replica, configuration, configuration.directory_base, levels - 1, 0, span)
        return table_map

    def _directory(
        self, replica: Replica, configuration: IommuConfiguration, page: int, level: int, base: int, total: int
    ) -> None:
        if level == 0:
            self._contexts(replica, configuration, page, base)
            return
        span = total // 512
        self.pages[page >> 12] = TablePage(TableKind.DIRECTORY, base, span, 8, level)
        entries = _entries(replica, page, configuration.big_endian)
        for index in np.flatnonzero(entries & np.uint64(1)).tolist():
            child = _pointer(int(entries[index]))
            if child >> 12 not in self.pages:
                self._directory(replica, configuration, child, level - 1, base + index * span, span)

    def _contexts(self, replica: Replica, configuration: IommuConfiguration, page: int, base: int) -> None:
        size = context_size(configuration.capabilities)
        self.pages[page >> 12] = TablePage(TableKind.CONTEXT, base, 1, size)
        words = _entries(replica, page, configuration.big_endian).reshape(-1, size // 8)
        for index in np.flatnonzero(words[:, 0] & np.uint64(1)).tolist():
            context, _ = decode_device_context(tuple(words[index].tolist()), configuration)
            if context is not None:
                self._context(replica, context, base + index)

    def _context(self, replica: Replica, context: DeviceContext, device: int) -> None:
        if context.second_stage or context.process_directory is not None or context.msi_enabled:
            self.incomplete = True
        elif context.first_stage.mode and not context.first_stage_big_endian:
            levels = context.first_stage.mode.levels
            self._first_stage(replica, context.first_stage.root, levels - 1, 0, context.first_stage.pscid, device, levels)

    def _first_stage(self, replica: Replica, page: int, level: int, base: int, pscid: int, device: int, levels: int) -> None:
        known = self.pages.get(page >> 12)
        if known is not None and known.kind is TableKind.FIRST_STAGE:
            if known.devices is None or device in known.devices:
                return
            known.devices.add(device)
        else:
            self.pages[page >> 12] = TablePage(TableKind.FIRST_STAGE, base, 1 << 12 + 9 * level, 8, level, pscid, {device})
        if level == 0:
            return
        entries = _entries(replica, page, big_endian=False)
        sign = 1 << 12 + 9 * levels - 1
        for index in np.flatnonzero((entries & np.uint64(0xF)) == 1).tolist():
            first = base + (index << 12 + 9 * level)
            # Addresses of the upper half are sign extended.
            if level == levels - 1 and first & sign:
                first |= LAST & ~(2 * sign - 1)
            self._first_stage(replica, _pointer(int(entries[index])), level - 1, first, pscid, device, levels)

    def learn(self, page: int, entry: int) -> None:
        """The IOMMU has read an entry of ``entry`` bytes in a page that no walk reaches."""
        self.pages.setdefault(page, TablePage(TableKind.LEARNED, entry=16 if entry == 16 else 8))


def _entries(replica: Replica, page: int, big_endian: bool) -> NDArray[np.uint64]:
    return np.frombuffer(replica.read(page, PAGE_SIZE), dtype=">u8" if big_endian else "<u8").astype(np.uint64)


def _pointer(entry: int) -> int:
    return (entry >> 10 & (1 << 44) - 1) << 12
