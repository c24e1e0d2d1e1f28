"""Which structure lies in each page of the tables, and whose it is: what a logged read of the IOMMU was for."""

from __future__ import annotations

from dataclasses import dataclass

from sluicegate.iommu.registers import HpmEvent

from tests.block.iommu.address_spaces import DIRECTORY_ROOT, AddressSpaces, R, Stage, V, X

_PPN = ((1 << 44) - 1) << 10


@dataclass(frozen=True, slots=True)
class TablePage:
    """Kind of a table as the event that a read of it counts, and the identifiers that all walks through it have in common."""

    event: HpmEvent
    gscid: int | None = None
    pscid: int | None = None


def table_pages(spaces: AddressSpaces) -> dict[int, TablePage]:
    """All tables that can be reached now, by page number. First-stage tables are mapped one to one in the second stage."""
    entries: dict[int, list[int]] = {}
    for address in spaces.written:
        entries.setdefault(address >> 12, []).append(address)
    pages: dict[int, TablePage] = {}

    def claim(number: int, page: TablePage, deeper: int, span: int = 1) -> None:
        """Pages ``number`` to ``number + span - 1`` are ``page``; ``deeper``: levels of tables below."""
        for index in range(number, number + span):
            pages[index] = page
            for address in entries.get(index, ()):
                word = spaces.memory.read_u64(address)
                if deeper and word & V and not word & (R | X):
                    claim((word & _PPN) >> 10, page, deeper - 1)

    def claim_stage(stage: Stage, page: TablePage) -> None:
        if stage.mode:
            claim(stage.root >> 12, page, stage.levels - 1, 4 if stage.second else 1)

    claim(DIRECTORY_ROOT >> 12, TablePage(HpmEvent.DIRECTORY_WALK), 2)
    for guest in spaces.guests:
        claim_stage(guest.stage, TablePage(HpmEvent.SECOND_STAGE_WALK, guest.gscid))
    for space in spaces.spaces:
        gscid = space.guest.gscid if space.guest.stage.mode else None
        claim_stage(space.stage, TablePage(HpmEvent.FIRST_STAGE_WALK, gscid, space.pscid))
    for device in spaces.devices:
        for context in device.process_contexts.values():
            pages[context >> 12] = TablePage(HpmEvent.PROCESS_DIRECTORY_WALK)
    return pages
