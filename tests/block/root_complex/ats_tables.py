"""Device contexts and page tables of the ATS tests, written by hand: every entry on them has a reason.

One device directory of two levels; a first stage (Sv39) for devices with processes, two stages (Sv39 on Sv39x4) for a guest, and
MSI page tables that name memory-resident interrupt files.
"""

from __future__ import annotations

from typing import Final

from sluicegate.iommu.capabilities import Capabilities

CAPABILITIES: Final = Capabilities(0x1F8_200E_8E10 | 1 << 22 | 1 << 23 | 1 << 25 | 1 << 26)
"""Those of the testbench, and MSI_FLAT, MSI_MRIF, ATS, T2GPA."""
TRUSTED, GUEST, PLAIN, INTERRUPTS, SILENT, BROKEN, FAR, ABSENT = 0x0300, 0x0308, 0x0310, 0x0318, 0x0320, 0x0328, 0x0330, 0x0400
"""Devices: ATS with system addresses, page requests, processes; ATS with guest addresses; none; interrupt file in memory; a file
where no memory is, with DTF; the same without; ATS with guest addresses of 59 bits; no context."""
DIRECTORY, CONTEXTS = 0x8000_0000, 0x8000_1000
PROCESSES = 0x8000_2000
FIRST_ROOT, FIRST_MIDDLE, FIRST_LEAF = 0x8000_4000, 0x8000_5000, 0x8000_6000
GUEST_ROOT = 0x8001_0000
"""Second stage: GPA + 0x8000_0000 = SPA below 1 GiB."""
FAR_ROOT = 0x8001_4000
FAR_GUEST = 1 << 58
"""Second stage (Sv57x4) of FAR, which has no first one: FAR_GUEST + SPA is the GPA of every SPA."""
GUEST_TABLES = 0x9_0000
"""GPA of the guest's first-stage tables: three pages."""
MSI_TABLES: Final = {INTERRUPTS: 0x8002_0000, SILENT: 0x8002_1000, BROKEN: 0x8002_1000}
FILE = 0x8003_0000
"""The memory-resident interrupt file, 512-byte aligned."""
INTERRUPT_PAGE = 0x3000_0000
"""GPA of the interrupt file's page."""
NOTICE_IDENTITY = 0x455
NOTICE_PAGE = 0x2800_0000
FAULTS, COMMANDS, PAGES, FENCE_TARGET = 0x8004_0000, 0x8005_0000, 0x8006_0000, 0x8007_0000
WINDOW = 0x4000_0000
"""IOVA of the pages below; those of the guest have the same."""
RAM = 0x8010_0000
"""SPA of the page behind WINDOW; each next page lies behind the next IOVA."""
SUPERPAGE, SUPERPAGE_TARGET = WINDOW + (1 << 21), 0x8020_0000
HOLE = WINDOW + (2 << 21)
"""Its leaf table lies where no memory is."""
NAPOT = WINDOW + (16 << 12)
PROCESS = 5

_VALID, _READ, _WRITE, _EXEC, _USER, _GLOBAL, _ACCESSED, _DIRTY = (1 << bit for bit in range(8))
_ALL = _VALID | _READ | _WRITE | _EXEC | _USER | _ACCESSED | _DIRTY
ENTRIES: Final = (
    _ALL,
    _ALL & ~(_WRITE | _EXEC),
    _ALL & ~_DIRTY,
    0,
    _ALL & ~(_READ | _WRITE | _DIRTY),
    _ALL | _GLOBAL,
    _ALL & ~_ACCESSED,
    _ALL & ~_USER,
)
"""Flags of the pages of WINDOW: everything, read only, clean, absent, execute only, global, not accessed, supervisor."""


def _pointer(address: int) -> int:
    return address >> 2 | _VALID


def _leaf(address: int, flags: int) -> int:
    return address >> 2 | flags


def _first_stage(tables: int, target: int, at: int) -> dict[int, int]:
    """Entries of a first stage whose three tables follow each other from ``tables``; stored at ``at`` beyond that."""
    root, middle, leaf = tables, tables + 0x1000, tables + 0x2000
    words = {
        root + 8: _pointer(middle),
        middle: _pointer(leaf),
        middle + 8: _leaf(target - RAM + SUPERPAGE_TARGET, _ALL),
        middle + 16: _pointer(0x7000_0000),
    }
    words |= {leaf + 8 * page: _leaf(target + (page << 12), flags) for page, flags in enumerate(ENTRIES) if flags}
    words |= {leaf + 8 * page: _leaf(target + (16 << 12) | 8 << 12, _ALL) | 1 << 63 for page in range(16, 32)}
    return {address + at: word for address, word in words.items()}


def memory_words() -> dict[int, int]:
    """Every dword of the image that is not 0, by address."""
    words = {DIRECTORY + 8 * (TRUSTED >> 6): _pointer(CONTEXTS)}
    nested = 8 << 60 | GUEST_ROOT >> 12
    contexts = {
        TRUSTED: (0x267, 0, 0, 1 << 60 | PROCESSES >> 12),
        GUEST: (0xF, nested, 0, 8 << 60 | GUEST_TABLES >> 12),
        PLAIN: (0x1, 0, 0, 8 << 60 | FIRST_ROOT >> 12),
        INTERRUPTS: (0x3, nested, 0, 0),
        SILENT: (0x11, nested, 0, 0),
        BROKEN: (0x1, nested, 0, 0),
        FAR: (0xB, 10 << 60 | FAR_ROOT >> 12, 0, 0),
    }
    for device, context in contexts.items():
        for index, word in enumerate(context):
            words[CONTEXTS + 64 * (device & 0x3F) + 8 * index] = word
        if device in MSI_TABLES:
            base = CONTEXTS + 64 * (device & 0x3F)
            words[base + 32] = 1 << 60 | MSI_TABLES[device] >> 12
            words[base + 48] = INTERRUPT_PAGE >> 12
    for process, control in ((0, 1), (PROCESS, 3)):
        words[PROCESSES + 16 * process] = control | process << 12
        words[PROCESSES + 16 * process + 8] = 8 << 60 | FIRST_ROOT >> 12
    words |= _first_stage(FIRST_ROOT, RAM, 0)
    words[GUEST_ROOT] = _leaf(0x8000_0000, _ALL)
    words[FAR_ROOT + 8 * (FAR_GUEST >> 48)] = _leaf(0, _ALL)
    words |= _first_stage(GUEST_TABLES, RAM - 0x8000_0000, 0x8000_0000)
    notice = (NOTICE_IDENTITY & 0x3FF) | NOTICE_PAGE >> 2 | NOTICE_IDENTITY >> 10 << 60
    for table, file in ((MSI_TABLES[INTERRUPTS], FILE), (MSI_TABLES[BROKEN], 0x7000_0000)):
        words[table] = _VALID | 1 << 1 | file >> 9 << 7
        words[table + 8] = notice
    return words
