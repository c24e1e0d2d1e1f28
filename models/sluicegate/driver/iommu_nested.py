"""A first stage inside a virtual machine: its tables lie in guest memory, so the second stage translates each walk of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sluicegate.driver.iommu import IommuDriver, IommuError
from sluicegate.driver.iommu_domain import TranslationDomain, first_stage_mode
from sluicegate.driver.iommu_guest import GuestDomain
from sluicegate.driver.iommu_tables import TablePages, TableWriter
from sluicegate.iommu.commands import InvalidateTranslations
from sluicegate.iommu.context import DeviceContext, FirstStageMode, ProcessContext
from sluicegate.memory import PAGE_SHIFT


class GuestTableWriter(TableWriter):
    """Writes tables at guest physical addresses, as the guest's own driver would; ``pages`` allocates in guest memory."""

    def __init__(self, driver: IommuDriver, guest: GuestDomain, pages: TablePages) -> None:
        platform = driver.platform
        super().__init__(platform.memory, pages, platform.memory_barrier, driver.configuration.big_endian)
        self._guest = guest

    def _located(self, address: int) -> int:
        physical = self._guest.iova_to_phys(address)
        if physical is None:
            raise IommuError(f"guest address {address:#x} is not mapped in the guest: map the memory of its tables first")
        return physical

    def store(self, address: int, entry: int) -> None:
        super().store(self._located(address), entry)

    def clear_page(self, address: int) -> None:
        super().clear_page(self._located(address))


class NestedDomain(TranslationDomain):
    """The first stage of one guest process space, over the second stage of ``guest``.

    ``pages`` allocates guest memory that ``guest`` maps already, readable (and writable, for ``hardware_ad``).
    """

    def __init__(
        self,
        driver: IommuDriver,
        guest: GuestDomain,
        pages: TablePages,
        mode: FirstStageMode | None = None,
        superpages: bool = True,
        hardware_ad: bool = False,
    ) -> None:
        mode = first_stage_mode(driver, mode)
        writer = GuestTableWriter(driver, guest, pages)
        super().__init__(driver, mode.levels, guest=False, superpages=superpages, hardware_ad=hardware_ad, writer=writer)
        self._mode = mode
        self._guest = guest
        self.pscid: Final = driver.new_pscid()

    def context(self) -> DeviceContext:
        return replace(
            self._guest.context(),
            update_first_stage_ad=self._hardware_ad,
            first_stage=ProcessContext(self._mode, self._table.root, self.pscid),
        )

    def _invalidation(self, address: int | None = None, page_shift: int = PAGE_SHIFT) -> InvalidateTranslations:
        return InvalidateTranslations(False, address, page_shift, self.pscid, self._guest.gscid)
