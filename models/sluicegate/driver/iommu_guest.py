"""The IOVA space of a virtual machine: a second stage, with MSI page tables for its virtual interrupt files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sluicegate.dma.backends.domain import IommuProt
from sluicegate.driver.iommu import IommuDriver, IommuError
from sluicegate.driver.iommu_domain import TranslationDomain
from sluicegate.driver.iommu_tables import TableWriter
from sluicegate.iommu.commands import InvalidateTranslations
from sluicegate.iommu.context import DeviceContext, SecondStageMode
from sluicegate.iommu.walk import PTE_PPN_SHIFT, PTE_U, PTE_V
from sluicegate.memory import PAGE_SHIFT, PAGE_SIZE


@dataclass(frozen=True, slots=True)
class MsiPages:
    """Guest pages that are virtual interrupt files (specification, *MSI page tables*).

    A guest page number is one of them if it equals ``pattern`` in the bits outside ``mask``; its bits inside ``mask``, gathered,
    are the number of the file. ``files`` gives the physical page of each file; the others do not exist.
    """

    pattern: int
    mask: int
    files: Mapping[int, int]

    def build(self, writer: TableWriter) -> int:
        """Write the MSI page table, basic mode; returns its physical address. Raises ValueError for a file beyond the mask."""
        entries = 1 << self.mask.bit_count()
        table = writer.new_table(max(PAGE_SIZE, 16 * entries))
        for number, page in self.files.items():
            if not 0 <= number < entries:
                raise ValueError(f"interrupt file {number} does not exist: mask {self.mask:#x} numbers {entries} files")
            writer.store(table + 16 * number, page >> 12 << PTE_PPN_SHIFT | 3 << 1 | PTE_V)
        writer.barrier()
        return table


class GuestDomain(TranslationDomain):
    """A second-stage page table with its guest soft-context ID: what a virtual machine's devices see as physical memory.

    ``msi`` puts MSI page tables beside it, for guest pages that are virtual interrupt files.
    """

    def __init__(
        self,
        driver: IommuDriver,
        mode: SecondStageMode = SecondStageMode.SV39X4,
        superpages: bool = True,
        hardware_ad: bool = False,
        msi: MsiPages | None = None,
    ) -> None:
        capabilities = driver.capabilities
        supported = {
            SecondStageMode.SV39X4: capabilities.sv39x4,
            SecondStageMode.SV48X4: capabilities.sv48x4,
            SecondStageMode.SV57X4: capabilities.sv57x4,
        }
        if not supported.get(mode):
            raise IommuError(f"the IOMMU has no second stage of mode {mode.name}")
        if msi is not None and not capabilities.msi_flat:
            raise IommuError("the IOMMU has no MSI page tables: leave msi off")
        super().__init__(driver, mode.levels, guest=True, superpages=superpages, hardware_ad=hardware_ad)
        self._mode = mode
        self._msi = msi
        self.gscid: Final = driver.new_gscid()
        self._msi_table = msi.build(driver.table_writer()) if msi is not None else 0

    def context(self) -> DeviceContext:
        context = DeviceContext(
            update_second_stage_ad=self._hardware_ad,
            first_stage_big_endian=self._driver.configuration.big_endian,
            second_stage=self._mode,
            second_stage_root=self._table.root,
            gscid=self.gscid,
        )
        if self._msi is None:
            return context
        return replace(
            context,
            msi_enabled=True,
            msi_root=self._msi_table,
            msi_address_mask=self._msi.mask,
            msi_address_pattern=self._msi.pattern,
        )

    def _invalidation(self, address: int | None = None, page_shift: int = PAGE_SHIFT) -> InvalidateTranslations:
        return InvalidateTranslations(True, address, page_shift, gscid=self.gscid)

    def _flags(self, prot: IommuProt) -> int:
        """Leaves of a second stage are user pages always."""
        return super()._flags(prot) | PTE_U

    def free(self) -> None:
        super().free()
        if self._msi_table:
            self._driver.table_writer().free_table(self._msi_table)
            self._msi_table = 0
