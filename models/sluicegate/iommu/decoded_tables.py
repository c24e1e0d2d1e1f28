"""Page tables decoded into arrays, so that a batch of addresses is walked with one gather per level and no checks.

Every table that some request has reached becomes a row of 512 entries in the array of its level. An entry of an upper level
holds what must be added to ``address >> shift`` to give the index into the next level; an entry of the last level holds what
must be added to the address to give the translated one, with rights and page size in its 12 low bits. All checks of a PTE are
made once, when its table is decoded. Superpages are spread over rows of 4 KiB entries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sluicegate.iommu.port import swap_u64
from sluicegate.iommu.walk import PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X
from sluicegate.memory import Memory, MemoryAccessError, MemoryPoisonError

Words = NDArray[np.uint64]
Indices = NDArray[np.int64]

ALLOWED_BITS: Final = 0x3F
"""Low bits of a last-level entry: user read, write, execute; privileged read, write, execute."""
ELSEWHERE: Final = 1 << 7
"""Flag of a last-level entry: not decoded, or to be translated by the reference."""
SIZE_SHIFT: Final = 8
PAGE_SHIFTS: Final = np.array([12, 16, 21, 30, 39, 48], dtype=np.uint8)
"""log2 of the page size by the size code in bits 11:8 of a last-level entry."""
_NAPOT_CODE: Final = 1
MAX_ROWS: Final = 1 << 14
"""Rows of one level beyond which tables are not decoded any more (64 MiB of last-level entries)."""

MAX_WINDOW_ROWS: Final = 1 << 10
"""Last-level rows (2 MiB of addresses each) that one window covers at most."""

_MISSING: Final = -(1 << 62)
_FAULT: Final = 1 << 62
_FAULT_CLASS, _POINTER_CLASS, _LEAF_CLASS = 0, 1, 2
_PPN_IN_PTE: Final = np.uint64(((1 << 44) - 1) << 10)
_LAST_TABLE_SHIFT: Final = 21
_NOTHING: Final = np.zeros(0, dtype=np.intp)
_PAGE_INDEX: Final = np.arange(512, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class StageRules:
    """How the entries of one stage are judged.

    ``updates``: hardware sets A and D, so entries that need it are left to the reference. ``guest``: second stage, whose root
    has 2048 entries and whose leaves must be user pages.
    """

    levels: int
    big_endian: bool = False
    svpbmt: bool = False
    svrsw60t59b: bool = False
    updates: bool = False
    sum: bool = False
    guest: bool = False

    @property
    def address_bits(self) -> int:
        return 12 + 9 * self.levels + (2 if self.guest else 0)


def _rights(pte: int, rules: StageRules) -> int:
    """Allowed accesses (see ALLOWED_BITS) of a leaf with these low 8 bits; ELSEWHERE where A or D must be set first."""
    if not pte & PTE_V or not pte & (PTE_R | PTE_X) or pte & (PTE_R | PTE_W) == PTE_W:
        return 0
    if rules.updates and (not pte & PTE_A or (pte & PTE_W and not pte & PTE_D)):
        return ELSEWHERE
    if not pte & PTE_A:
        return 0
    granted = bool(pte & PTE_R) | bool(pte & PTE_W and pte & PTE_D) << 1 | bool(pte & PTE_X) << 2
    if rules.guest:
        return granted | granted << 3 if pte & PTE_U else 0
    if pte & PTE_U:
        return granted | ((granted & 3) << 3 if rules.sum else 0)
    return granted << 3


def _entry_class(pte: int) -> int:
    if not pte & PTE_V or pte & (PTE_R | PTE_W) == PTE_W:
        return _FAULT_CLASS
    if pte & (PTE_R | PTE_X):
        return _LEAF_CLASS
    return _FAULT_CLASS if pte & (PTE_U | PTE_A | PTE_D) else _POINTER_CLASS


_ENTRY_CLASS: Final = np.array([_entry_class(pte) for pte in range(256)], dtype=np.uint8)


def _well_formed(high: int, rules: StageRules, pointer: bool) -> bool:
    """Whether bits 63:54 of a PTE hold nothing reserved; bit 63 (N) is judged by the caller."""
    memory_type = high >> 7 & 3
    if high & 0x1F or (high >> 5 & 3 and not rules.svrsw60t59b) or memory_type == 3:
        return False
    return not memory_type if pointer or not rules.svpbmt else True


@lru_cache(maxsize=64)
def _judgements(rules: StageRules) -> tuple[NDArray[np.uint16], NDArray[np.bool_], NDArray[np.bool_]]:
    """Rights by the low 8 bits of a PTE, and by its bits 62:54 whether they are legal in a leaf and in a pointer."""
    return (
        np.array([_rights(pte, rules) for pte in range(256)], dtype=np.uint16),
        np.array([_well_formed(high, rules, pointer=False) for high in range(512)]),
        np.array([_well_formed(high, rules, pointer=True) for high in range(512)]),
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """Last-level entries of consecutive addresses; undecoded ones and both ends are marked ELSEWHERE."""

    first_index: int
    """Page number of the first entry."""
    entries: Words


class DecodedTables:
    """The tables of one stage, decoded as requests reach them.

    ``locate_table(address)`` turns the address in a pointer into a physical one, or None where only the reference can tell
    (a nested walk that faults). Rows stay as they were decoded: tell :meth:`update` of each dword that changes.
    """

    def __init__(
        self,
        memory: Memory,
        rules: StageRules,
        physical_address_bits: int,
        locate_table: Callable[[int], int | None] = lambda address: address,
    ) -> None:
        self.rules = rules
        self._memory = memory
        self._limit = 1 << physical_address_bits
        self._locate_table = locate_table
        self._rights, self._leaf_ok, self._pointer_ok = _judgements(rules)
        levels = rules.levels
        self._ptes = [np.zeros((1, 512), dtype=np.uint64) for _ in range(levels)]
        self._size_codes = [np.zeros(1, dtype=np.uint16) for _ in range(levels)]
        self._prefixes = [np.zeros(1, dtype=np.int64) for _ in range(levels)]
        # The first element of each array is where undecoded entries lead, the last where faults do: gathers clip to them.
        self._steps: list[Indices] = [self._frame_steps(np.zeros(0, dtype=np.int64)) for _ in range(levels)]
        self._left: list[NDArray[np.bool_]] = [np.zeros(512, dtype=np.bool_) for _ in range(levels)]
        self._final: Words = self._frame_final(np.zeros(0, dtype=np.uint64))
        self._owners = [np.zeros(1, dtype=np.int64) for _ in range(levels)]
        self._rows_of_page: dict[int, list[tuple[int, int]]] = {}
        """Level and row of each table that lies in a physical page, by page number."""
        self._roots: dict[int, int] = {}
        self._reached: set[int] = set()
        self._windows: dict[int, _Window] = {}
        self._entries: Words = np.empty(0, dtype=np.uint64)
        self._index: Indices = np.empty(0, dtype=np.int64)
        self._step: Indices = np.empty(0, dtype=np.int64)

    @staticmethod
    def _frame_steps(rows: Indices) -> Indices:
        return np.concatenate((np.full(512, _MISSING), rows, np.array([_FAULT])))

    @staticmethod
    def _frame_final(rows: Words) -> Words:
        return np.concatenate((np.full(512, ELSEWHERE, dtype=np.uint64), rows, np.zeros(1, dtype=np.uint64)))

    def add_root(self, address: int) -> int | None:
        """Index base of the root table at ``address``; None when only the reference can translate through it."""
        if address in self._roots:
            return self._roots[address]
        top = self.rules.levels - 1
        pages = 4 if self.rules.guest else 1
        tables = []
        for page in range(pages):
            table = self._locate_table(address + 4096 * page)
            if table is None:
                return None
            tables.append(table)
        loaded = self._load(np.array(tables, dtype=np.uint64))
        if loaded is None:
            return None
        root = self._ptes[top].shape[0] * 512
        self._add_rows(top, loaded, np.zeros(pages, dtype=np.uint16), np.arange(pages, dtype=np.int64), np.full(pages, root))
        self._note_rows(top, tables, root >> 9)
        self._roots[address] = root
        return root

    def _note_rows(self, level: int, tables: list[int], first: int) -> None:
        for row, table in enumerate(tables, first):
            self._rows_of_page.setdefault(table >> 12, []).append((level, row))

    def update(self, address: int) -> bool:
        """The dword at ``address`` changed in memory. True when nothing of it was decoded, or it was decoded anew.

        False when tables hang below it, or it cannot be read: then the object is out of date and must be dropped.
        """
        for level, row in self._rows_of_page.get(address >> 12, ()):
            if level:
                return False
            try:
                pte = self._memory.read_u64(address)
            except (MemoryAccessError, MemoryPoisonError):
                return False
            index = address >> 3 & 511
            self._ptes[0][row, index] = swap_u64(pte) if self.rules.big_endian else pte
            part = slice(row, row + 1)
            entry = self._decode_last_level(self._ptes[0][part], self._size_codes[0][part], self._prefixes[0][part])[0, index]
            self._final[row * 512 + index] = entry
            window = self._windows.get(int(self._owners[0][row]))
            if window is not None:
                window.entries[(int(self._prefixes[0][row]) << 9 | index) - window.first_index] = entry
        return True

    def _load(self, tables: Words) -> Words | None:
        """The PTEs of whole tables, shape [k, 512]; None if any of their dwords cannot be read."""
        if tables.size and int(tables.max()) >= self._limit:
            return None
        try:
            words = self._memory.gather_u64((tables[:, None] + (_PAGE_INDEX << np.uint64(3))).reshape(-1)).reshape(-1, 512)
        except (MemoryAccessError, MemoryPoisonError):
            return None
        return words.byteswap() if self.rules.big_endian else words

    def _add_rows(self, level: int, ptes: Words, size_codes: NDArray[np.uint16], prefixes: Indices, owners: Indices) -> int:
        """Append decoded tables to a level; returns the number of the first new row."""
        self._windows.clear()
        first = self._ptes[level].shape[0]
        self._owners[level] = np.concatenate((self._owners[level], owners))
        self._ptes[level] = np.concatenate((self._ptes[level], ptes))
        self._size_codes[level] = np.concatenate((self._size_codes[level], size_codes))
        self._prefixes[level] = np.concatenate((self._prefixes[level], prefixes))
        if level:
            rows = np.full(ptes.size, _MISSING, dtype=np.int64)
            self._steps[level] = self._frame_steps(np.concatenate((self._steps[level][512:-1], rows)))
            self._left[level] = np.concatenate((self._left[level], np.zeros(ptes.size, dtype=np.bool_)))
        else:
            decoded = self._decode_last_level(ptes, size_codes, prefixes)
            self._final = self._frame_final(np.concatenate((self._final[512:-1], decoded.reshape(-1))))
        return first

    def _decode_last_level(self, ptes: Words, size_codes: NDArray[np.uint16], prefixes: Indices) -> Words:
        flags = self._rights[ptes.astype(np.uint8)]
        high = (ptes >> np.uint64(54)).astype(np.uint16)
        flags[~self._leaf_ok[high & 0x1FF]] = 0
        pages = (ptes & _PPN_IN_PTE) >> np.uint64(10)
        codes = np.broadcast_to(size_codes[:, None], ptes.shape).copy()
        contiguous = (high & 0x200) != 0
        if contiguous.any():
            flags[contiguous & ((pages & np.uint64(15)) != np.uint64(8))] = 0
            codes[contiguous] = _NAPOT_CODE
            pages = np.where(contiguous, pages & ~np.uint64(15) | _PAGE_INDEX & np.uint64(15), pages)
        own = (prefixes.astype(np.uint64) << np.uint64(9))[:, None] | _PAGE_INDEX
        flags |= codes << np.uint16(SIZE_SHIFT)
        return ((pages - own) << np.uint64(12)) | flags

    def look_up(self, addresses: Indices, roots: Indices | int) -> Words:
        """Last-level entries of ``addresses`` (each below ``2**address_bits``), walked from their index bases ``roots``.

        Tables that were not reached before are decoded on the way. The array belongs to this object: it holds until the next
        call, and the caller may overwrite it.
        """
        if addresses.size > self._entries.size:
            self._entries = np.empty(addresses.size, dtype=np.uint64)
            self._index = np.empty(addresses.size, dtype=np.int64)
            self._step = np.empty(addresses.size, dtype=np.int64)
        entries = self._entries[: addresses.size]
        if isinstance(roots, int) and roots not in self._reached:
            self._reached.add(roots)
            self._decode_path(addresses, roots)
            self._open_window(roots)
        window = self._windows.get(roots) if isinstance(roots, int) else None
        if window is None:
            self._gather(addresses, roots, entries)
        else:
            index = np.right_shift(addresses, 12, out=self._index[: addresses.size])
            np.subtract(index, window.first_index, out=index)
            np.take(window.entries, index, out=entries, mode="clip")
        elsewhere = np.flatnonzero(entries & np.uint64(ELSEWHERE)) if self._any_elsewhere(entries) else _NOTHING
        if elsewhere.size:
            subset = addresses[elsewhere]
            bases = roots if isinstance(roots, int) else roots[elsewhere]
            found = np.empty(subset.size, dtype=np.uint64)
            self._decode_path(subset, bases)
            self._gather(subset, bases, found)
            entries[elsewhere] = found
        elif window is None and isinstance(roots, int):
            self._open_window(roots)
        return entries

    @staticmethod
    def _any_elsewhere(entries: Words) -> bool:
        return bool(np.bitwise_or.reduce(entries.astype(np.uint8)) & ELSEWHERE)

    def _gather(self, addresses: Indices, roots: Indices | int, entries: Words) -> None:
        """Walk the decoded tables: the last-level entry of each address into ``entries``."""
        top = self.rules.levels - 1
        index, step = self._index[: addresses.size], self._step[: addresses.size]
        np.right_shift(addresses, 12 + 9 * top, out=index)
        np.add(index, roots, out=index)
        for level in range(top, 0, -1):
            np.take(self._steps[level], index, out=step, mode="clip")
            np.right_shift(addresses, 12 + 9 * (level - 1), out=index)
            np.add(index, step, out=index)
        np.take(self._final, index, out=entries, mode="clip")

    def _open_window(self, root: int) -> None:
        """Lay the last-level rows of a root out in order of address, if they lie close together: one gather then does."""
        rows = np.flatnonzero(self._owners[0] == root)
        if not rows.size:
            return
        prefixes = self._prefixes[0][rows]
        lowest, highest = int(prefixes.min()), int(prefixes.max())
        if highest - lowest >= MAX_WINDOW_ROWS:
            return
        table = np.full((highest - lowest + 3, 512), ELSEWHERE, dtype=np.uint64)
        table[prefixes - (lowest - 1)] = self._final[:-1].reshape(-1, 512)[rows]
        self._windows[root] = _Window((lowest - 1) * 512, table.reshape(-1))

    def _decode_path(self, addresses: Indices, roots: Indices | int) -> None:
        """Decode the tables on the way of ``addresses``."""
        top = self.rules.levels - 1
        if isinstance(roots, int):
            addresses = _one_address_per_table(addresses)
        index = (addresses >> (12 + 9 * top)) + roots
        for level in range(top, 0, -1):
            steps = self._steps[level]
            reached = np.zeros(steps.size, dtype=np.bool_)
            reached[np.clip(index, 0, steps.size - 1)] = True
            reached[:512] = False
            wanted = np.flatnonzero(reached)
            wanted = wanted[steps[wanted] == _MISSING]
            wanted = wanted[~self._left[level][wanted]]
            if wanted.size:
                self._decode_children(level, wanted)
            index = self._steps[level].take(index, mode="clip") + (addresses >> (12 + 9 * (level - 1)))

    def _decode_children(self, level: int, wanted: Indices) -> None:
        """Decode what the entries ``wanted`` (indices into the level's array) point to."""
        ptes = self._ptes[level].reshape(-1)[wanted]
        codes = self._size_codes[level][wanted >> 9]
        prefixes = self._prefixes[level][wanted >> 9] << 9 | wanted & 511
        high = (ptes >> np.uint64(54)).astype(np.uint16)
        classes = _ENTRY_CLASS[ptes.astype(np.uint8)]
        ppns = (ptes & _PPN_IN_PTE) >> np.uint64(10)
        inside_page = np.uint64((1 << 9 * level) - 1)
        leaf = (classes == _LEAF_CLASS) & self._leaf_ok[high & 0x1FF] & (high < 0x200)
        leaf &= (codes != 0) | ((ppns & inside_page) == np.uint64(0))
        pointer = (classes == _POINTER_CLASS) & self._pointer_ok[high & 0x1FF] & (high < 0x200)
        self._steps[level][wanted[~leaf & ~pointer]] = _FAULT

        leaves = np.flatnonzero(leaf)
        pointers, tables = self._located(np.flatnonzero(pointer), ppns)
        failed = np.setdiff1d(np.flatnonzero(pointer), pointers)
        loaded = self._load(tables)
        if loaded is None:
            pointers, tables, loaded, refused = self._load_one_by_one(pointers, tables)
            failed = np.concatenate((failed, refused))
        room = MAX_ROWS - self._ptes[level - 1].shape[0]
        if leaves.size + pointers.size > room:
            failed = np.concatenate((failed, leaves, pointers))
            leaves, pointers, tables, loaded = leaves[:0], pointers[:0], tables[:0], loaded[:0]
        self._left[level][wanted[failed]] = True
        if not leaves.size and not pointers.size:
            return
        inner = np.uint64(10 + 9 * (level - 1))
        spread = ptes[leaves][:, None] + (_PAGE_INDEX << inner)
        order = np.concatenate((pointers, leaves))
        leaf_codes = np.where(codes[leaves] != 0, codes[leaves], np.uint16(level + 1))
        new_codes = np.concatenate((np.zeros(pointers.size, dtype=np.uint16), leaf_codes))
        owners = self._owners[level][wanted[order] >> 9]
        first = self._add_rows(level - 1, np.concatenate((loaded, spread)), new_codes, prefixes[order], owners)
        rows = first + np.arange(order.size, dtype=np.int64)
        self._steps[level][wanted[order]] = (rows << 9) - (prefixes[order] << 9)
        self._note_rows(level - 1, tables.tolist(), first)

    def _located(self, pointers: Indices, ppns: Words) -> tuple[Indices, Words]:
        """The pointers whose tables have a physical address, and those addresses."""
        found = [(index, self._locate_table(int(ppns[index]) << 12)) for index in pointers.tolist()]
        kept = [(index, table) for index, table in found if table is not None]
        return np.array([index for index, _ in kept], dtype=np.int64), np.array([table for _, table in kept], dtype=np.uint64)

    def _load_one_by_one(self, pointers: Indices, tables: Words) -> tuple[Indices, Words, Words, Indices]:
        """(readable pointers, addresses of their tables, these tables, unreadable pointers)."""
        loaded = [self._load(tables[position : position + 1]) for position in range(tables.size)]
        readable = np.array([words is not None for words in loaded], dtype=np.bool_)
        words = [words for words in loaded if words is not None]
        found = np.concatenate((np.zeros((0, 512), dtype=np.uint64), *words))
        return pointers[readable], tables[readable], found, pointers[~readable]


def _one_address_per_table(addresses: Indices) -> Indices:
    """One address for each last-level table that ``addresses`` lead to."""
    prefixes = addresses >> _LAST_TABLE_SHIFT
    lowest, highest = int(prefixes.min()), int(prefixes.max())
    if highest - lowest >= max(addresses.size, 1024):
        return np.unique(prefixes) << _LAST_TABLE_SHIFT
    reached = np.zeros(highest - lowest + 1, dtype=np.bool_)
    prefixes -= lowest
    reached[prefixes] = True
    return (np.flatnonzero(reached) + lowest) << _LAST_TABLE_SHIFT
