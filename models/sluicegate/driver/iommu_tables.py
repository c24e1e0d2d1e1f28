"""Tables of the RISC-V IOMMU as a driver builds them in memory: device directory and page tables.

Every entry is one 64-bit write through ``Memory.write_u64``. A table is filled before the entry that links it is written, with
a barrier between, and its page is given back only by whoever has made sure that the hardware uses it no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from sluicegate.iommu.capabilities import Capabilities, DirectoryMode
from sluicegate.iommu.context import DeviceContext, context_size, device_id_limit, directory_indices, encode_device_context
from sluicegate.iommu.port import swap_u64
from sluicegate.iommu.walk import PTE_PPN_SHIFT, PTE_V
from sluicegate.memory import PAGE_SIZE, Memory

_ZERO_PAGE: Final = bytes(PAGE_SIZE)
_ENTRIES: Final = 512


class TablePages(Protocol):
    """Where table pages come from (``sluicegate.dma.pages.PageAllocator`` is one)."""

    def alloc(self, size: int) -> int:
        """Physical address of ``size`` bytes, naturally aligned, whole pages. May raise an out-of-memory exception."""

    def free(self, phys: int) -> None:
        """Give back what :meth:`alloc` gave."""


class TableWriter:
    """Writes table entries in the byte order of the IOMMU, and hands out cleared table pages."""

    def __init__(self, memory: Memory, pages: TablePages, barrier: Callable[[], None], big_endian: bool = False) -> None:
        self._memory = memory
        self._pages = pages
        self._big_endian = big_endian
        self.barrier: Final = barrier

    def store(self, address: int, entry: int) -> None:
        """Write one 64-bit entry."""
        self._memory.write_u64(address, swap_u64(entry) if self._big_endian else entry)

    def new_table(self, size: int = PAGE_SIZE) -> int:
        """A cleared table of ``size`` bytes, naturally aligned."""
        address = int(self._pages.alloc(size))
        try:
            for offset in range(0, size, PAGE_SIZE):
                self.clear_page(address + offset)
        except BaseException:
            self._pages.free(address)
            raise
        return address

    def clear_page(self, address: int) -> None:
        """Fill one page with entries that are not valid."""
        self._memory.write(address, _ZERO_PAGE)

    def free_table(self, address: int) -> None:
        """Give a table back."""
        self._pages.free(address)


class DeviceDirectory:
    """A device directory table of 1, 2 or 3 levels, in base or extended format as the capabilities say."""

    def __init__(self, writer: TableWriter, capabilities: Capabilities, mode: DirectoryMode) -> None:
        if not mode.levels:
            raise ValueError(f"directory mode {mode.name} has no table: choose ONE_LEVEL, TWO_LEVEL or THREE_LEVEL")
        self._writer = writer
        self._capabilities = capabilities
        self.mode: Final = mode
        self.root: Final = writer.new_table()
        self._tables: dict[tuple[int, ...], int] = {}

    @property
    def ddtp(self) -> int:
        """Value of the ``ddtp`` register that puts the directory to use."""
        return self.root >> 2 | self.mode

    def set_context(self, device_id: int, context: DeviceContext) -> None:
        """Write the context of a device whose entry is not valid; the dword with the valid bit last."""
        address = self._entry(device_id)
        words = encode_device_context(context, self._capabilities)
        for index in range(1, len(words)):
            self._writer.store(address + 8 * index, words[index])
        self._writer.barrier()
        self._writer.store(address, words[0])
        self._writer.barrier()

    def clear_context(self, device_id: int) -> None:
        """Make the context of a device invalid; cached copies must be invalidated next."""
        self._writer.store(self._entry(device_id), 0)
        self._writer.barrier()

    def free(self) -> None:
        """Give all tables back. The directory must be out of use."""
        for table in (*self._tables.values(), self.root):
            self._writer.free_table(table)
        self._tables.clear()

    def _entry(self, device_id: int) -> int:
        """Address of the device's context; tables on the way are made."""
        if not 0 <= device_id < device_id_limit(self.mode, self._capabilities):
            raise ValueError(f"device ID {device_id:#x} does not fit a directory of {self.mode.levels} levels: use more levels")
        indices = directory_indices(device_id, self._capabilities)
        table = self.root
        for level in range(self.mode.levels - 1, 0, -1):
            path = indices[level : self.mode.levels]
            child = self._tables.get(path)
            if child is None:
                child = self._tables[path] = self._writer.new_table()
                self._writer.barrier()
                self._writer.store(table + 8 * indices[level], child >> 2 | 1)
            table = child
        return table + context_size(self._capabilities) * indices[0]


class PageTableConflict(Exception):
    """A mapping would replace another one; ``iova`` is the first address that is already mapped."""

    def __init__(self, iova: int) -> None:
        super().__init__(f"{iova:#x} is already mapped: unmap it first")
        self.iova = iova


@dataclass(slots=True)
class _Table:
    address: int
    level: int
    leaves: dict[int, int] = field(default_factory=dict)
    children: dict[int, _Table] = field(default_factory=dict)

    @property
    def unused(self) -> bool:
        """Whether nothing is mapped through this table."""
        return not self.leaves and all(child.unused for child in self.children.values())

    def occupied(self, first: int, last: int) -> list[int]:
        """Indices from ``first`` to ``last`` that hold a leaf or a table, ascending; either may lie outside the table."""
        if last - first < len(self.leaves) + len(self.children):
            return [index for index in range(first, last + 1) if index in self.leaves or index in self.children]
        return sorted(index for index in (*self.leaves, *self.children) if first <= index <= last)


class PageTable:
    """A page table of 3, 4 or 5 levels (Sv39/48/57), or of a second stage (x4: 16 KiB root) with ``guest``.

    The largest page size that fits is used where ``superpages`` allows. Leaf flags are the low bits (and PBMT) of a PTE. Tables
    that became empty stay linked, because the IOMMU may hold the pointer to them; a superpage in their place and :meth:`prune`
    take them out, and then :attr:`has_unlinked_tables` says that the IOMMU must forget them before they are freed.
    """

    def __init__(self, writer: TableWriter, levels: int, guest: bool = False, superpages: bool = True) -> None:
        if levels not in (3, 4, 5):
            raise ValueError(f"{levels} page-table levels: choose 3 (Sv39), 4 (Sv48) or 5 (Sv57)")
        self._writer = writer
        self._largest_level = levels - 1 if superpages else 0
        self.levels: Final = levels
        self.guest: Final = guest
        root_bytes = 4 * PAGE_SIZE if guest else PAGE_SIZE
        self._root = _Table(writer.new_table(root_bytes), levels - 1)
        self._unlinked: list[int] = []

    @property
    def root(self) -> int:
        """Physical address of the root table."""
        return self._root.address

    @property
    def address_end(self) -> int:
        """First address beyond those that can be mapped: the lower canonical half, or the guest space."""
        return 1 << (12 + 9 * self.levels + (2 if self.guest else -1))

    @property
    def has_unlinked_tables(self) -> bool:
        """True while tables that were taken out of the tree wait for :meth:`free_unlinked`."""
        return bool(self._unlinked)

    def map(self, iova: int, phys: int, size: int, flags: int) -> None:
        """Map ``[iova, iova + size)``, all multiples of 4 KiB. On any exception nothing of the range stays mapped.

        Raises PageTableConflict where something is mapped already, and whatever the page allocator raises.
        """
        if (iova | phys | size) & (PAGE_SIZE - 1) or size <= 0 or not 0 <= iova <= self.address_end - size:
            raise ValueError(f"map of {size:#x} bytes at {iova:#x} to {phys:#x}: use 4 KiB multiples below {self.address_end:#x}")
        conflict = next((address for address, _, _ in self._leaves(self._root, 0, iova, iova + size)), None)
        if conflict is not None:
            raise PageTableConflict(max(conflict, iova))
        try:
            self._map(self._root, 0, iova, iova + size, phys - iova, flags)
        except BaseException:
            self.unmap(iova, size)
            raise
        self._writer.barrier()

    def _map(self, table: _Table, base: int, start: int, end: int, delta: int, flags: int) -> None:
        """Fill ``table`` (which translates from ``base`` on) for ``[start, end)``; the physical address is IOVA + delta."""
        shift = 12 + 9 * table.level
        page = 1 << shift
        position = start
        while position < end:
            index = (position - base) >> shift
            entry_base = base + (index << shift)
            stop = min(end, entry_base + page)
            child = table.children.get(index)
            whole = position == entry_base and stop == entry_base + page
            fits = whole and table.level <= self._largest_level and not (position + delta) & (page - 1)
            if fits and (child is None or child.unused):
                pte = (position + delta) >> 12 << PTE_PPN_SHIFT | flags | PTE_V
                table.leaves[index] = pte
                self._writer.store(table.address + 8 * index, pte)
                if child is not None:
                    self._unlink(table, index)
            elif child is not None:
                self._map(child, entry_base, position, stop, delta, flags)
            else:
                child = _Table(self._writer.new_table(), table.level - 1)
                try:
                    self._map(child, entry_base, position, stop, delta, flags)
                except BaseException:
                    self._drop_unused(child)
                    raise
                self._link(table, index, child)
            position = stop

    def _link(self, table: _Table, index: int, child: _Table) -> None:
        self._writer.barrier()
        table.leaves.pop(index, None)
        table.children[index] = child
        self._writer.store(table.address + 8 * index, child.address >> 12 << PTE_PPN_SHIFT | PTE_V)

    def _drop_unused(self, table: _Table) -> None:
        """Give back a tree of tables that was never linked."""
        for child in table.children.values():
            self._drop_unused(child)
        self._writer.free_table(table.address)

    def unmap(self, iova: int, size: int) -> int:
        """Clear all leaves of the range and return the bytes removed. A superpage that reaches beyond it is split first."""
        removed = self._unmap(self._root, 0, iova, iova + size)
        self._writer.barrier()
        return removed

    def _unmap(self, table: _Table, base: int, start: int, end: int) -> int:
        shift = 12 + 9 * table.level
        removed = 0
        for index in table.occupied((start - base) >> shift, (end - 1 - base) >> shift):
            entry_base = base + (index << shift)
            if index in table.leaves:
                if start <= entry_base and entry_base + (1 << shift) <= end:
                    del table.leaves[index]
                    self._writer.store(table.address + 8 * index, 0)
                    removed += 1 << shift
                    continue
                self._split(table, index)
            removed += self._unmap(table.children[index], entry_base, start, end)
        return removed

    def _unlink(self, table: _Table, index: int) -> None:
        """Move a child and all below it to the unlinked tables; its entry has been overwritten."""
        pending = [table.children.pop(index)]
        while pending:
            child = pending.pop()
            self._unlinked.append(child.address)
            pending += child.children.values()

    def prune(self) -> None:
        """Take all tables out through which nothing is mapped."""
        self._prune(self._root)
        self._writer.barrier()

    def _prune(self, table: _Table) -> None:
        for index, child in sorted(table.children.items()):
            if child.unused:
                self._writer.store(table.address + 8 * index, 0)
                self._unlink(table, index)
            else:
                self._prune(child)

    def _split(self, table: _Table, index: int) -> None:
        """Replace a superpage by a table of smaller pages with the same translations."""
        pte = table.leaves[index]
        child = _Table(self._writer.new_table(), table.level - 1)
        step = 1 << (PTE_PPN_SHIFT + 9 * child.level)
        for position in range(_ENTRIES):
            child.leaves[position] = pte + position * step
            self._writer.store(child.address + 8 * position, child.leaves[position])
        self._link(table, index, child)

    def free_unlinked(self) -> None:
        """Free the tables that were taken out. The IOMMU must have forgotten them: non-leaf invalidation and fence first."""
        for address in self._unlinked:
            self._writer.free_table(address)
        self._unlinked.clear()

    def free(self) -> None:
        """Free everything. The table must be out of use."""
        self.free_unlinked()
        self._drop_unused(self._root)

    def look_up(self, iova: int) -> tuple[int, int] | None:
        """(physical byte address, log2 of the page size) of a mapped address, else None."""
        for base, shift, pte in self._leaves(self._root, 0, iova, iova + 1):
            return (pte >> PTE_PPN_SHIFT & ((1 << 44) - 1)) * PAGE_SIZE + iova - base, shift
        return None

    def _leaves(self, table: _Table, base: int, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(first address, log2 size, PTE) of the leaves that touch ``[start, end)``, ascending."""
        shift = 12 + 9 * table.level
        for index in table.occupied((start - base) >> shift, (end - 1 - base) >> shift):
            pte = table.leaves.get(index)
            if pte is not None:
                yield base + (index << shift), shift, pte
            else:
                yield from self._leaves(table.children[index], base + (index << shift), start, end)
