"""An IOVA address space in RISC-V page tables: the :class:`~sluicegate.dma.backends.domain.IommuDomain` of the DMA API."""

from __future__ import annotations

from typing import Final

from sluicegate.dma.backends.domain import DomainMapError, IommuProt
from sluicegate.dma.errno import Errno
from sluicegate.dma.pages import OutOfMemory
from sluicegate.driver.iommu import IommuDriver, IommuError
from sluicegate.driver.iommu_tables import PageTable, PageTableConflict
from sluicegate.iommu.commands import Command, InvalidateTranslations
from sluicegate.iommu.context import DeviceContext, FirstStageMode, ProcessContext
from sluicegate.iommu.request import MemoryType
from sluicegate.iommu.walk import PTE_A, PTE_D, PTE_PBMT_SHIFT, PTE_R, PTE_U, PTE_W
from sluicegate.memory import PAGE_SHIFT, PAGE_SIZE
from sluicegate.platform import Bdf

SELECTIVE_LIMIT: Final = 1 << 21
"""Bytes from which on the whole domain is invalidated instead of one page after the other."""


class PageTableDomain:
    """A first-stage page table with its process soft-context ID, and the devices attached to it.

    Leaves are user pages with A preset, and D where writable, because hardware updates are not enabled. Devices that may write
    may also read: a page that is writable but not readable does not exist in this format.
    """

    def __init__(self, driver: IommuDriver, mode: FirstStageMode | None = None, superpages: bool = True) -> None:
        capabilities = driver.capabilities
        supported = {
            FirstStageMode.SV39: capabilities.sv39,
            FirstStageMode.SV48: capabilities.sv48,
            FirstStageMode.SV57: capabilities.sv57,
        }
        if mode is None:
            mode = next((candidate for candidate, available in supported.items() if available), None)
        if mode is None or not supported.get(mode):
            raise IommuError(f"the IOMMU has no first stage of mode {'Sv39, Sv48 or Sv57' if mode is None else mode.name}")
        self._driver = driver
        self._mode = mode
        self._table = PageTable(driver.table_writer(), mode.levels, superpages=superpages)
        self._devices: set[int] = set()
        self.pscid: Final = driver.new_pscid()
        self.granule: Final = PAGE_SIZE
        self.aperture_end: Final = self._table.address_end - 1

    @property
    def page_table(self) -> PageTable:
        """The page table in memory."""
        return self._table

    def context(self) -> DeviceContext:
        """The device context that puts a device under this domain."""
        return DeviceContext(
            first_stage_big_endian=self._driver.configuration.big_endian,
            first_stage=ProcessContext(self._mode, self._table.root, self.pscid),
        )

    def attach(self, device: Bdf | int) -> None:
        """Translate the requests of ``device`` through this domain from now on."""
        self._driver.attach(device, self.context())
        self._devices.add(device.requester_id if isinstance(device, Bdf) else device)

    def detach(self, device: Bdf | int) -> None:
        """Make all requests of ``device`` fault from now on."""
        self._driver.detach(device)
        self._devices.discard(device.requester_id if isinstance(device, Bdf) else device)
        self.flush_iotlb_all()

    def free(self) -> None:
        """Free the tables. Every device must be detached: raises IommuError otherwise."""
        if self._devices:
            attached = ", ".join(f"{device:#x}" for device in sorted(self._devices))
            raise IommuError(f"the domain is in use by device {attached}: detach it first")
        self.flush_iotlb_all()
        self._table.free()

    def _flags(self, prot: IommuProt) -> int:
        flags = PTE_R | PTE_A | (0 if prot & IommuProt.PRIV else PTE_U)
        if prot & IommuProt.WRITE:
            flags |= PTE_W | PTE_D
        if prot & IommuProt.MMIO and self._driver.capabilities.svpbmt:
            flags |= MemoryType.IO << PTE_PBMT_SHIFT
        return flags

    def map(self, iova: int, phys: int, size: int, prot: IommuProt) -> None:
        """Translate ``[iova, iova + size)`` to ``phys`` on. Raises DomainMapError, and then nothing of it is translated."""
        if not prot & (IommuProt.READ | IommuProt.WRITE):
            raise DomainMapError(Errno.EINVAL, f"map of {iova:#x} grants neither READ nor WRITE: choose a protection")
        try:
            self._table.map(iova, phys, size, self._flags(prot))
        except PageTableConflict as conflict:
            raise DomainMapError(Errno.EADDRINUSE, str(conflict)) from conflict
        except ValueError as error:
            raise DomainMapError(Errno.EINVAL, str(error)) from error
        except OutOfMemory as error:
            self.flush_iotlb_all()
            raise DomainMapError(Errno.ENOMEM, f"no page for a table of {iova:#x}: {error}") from error

    def unmap(self, iova: int, size: int) -> int:
        """Remove the translations of the range; returns the bytes removed."""
        return self._table.unmap(iova, size)

    def iova_to_phys(self, iova: int) -> int | None:
        """The physical byte address behind ``iova``, or None."""
        found = self._table.look_up(iova)
        return None if found is None else found[0]

    def sync_map(self, iova: int, size: int) -> None:
        """Make new translations visible. Entries that are not valid are never cached, so a barrier suffices, unless a superpage

        took the place of a table that the IOMMU may still walk.
        """
        if self._table.has_unlinked_tables:
            self.flush_iotlb_all()
        else:
            self._driver.platform.memory_barrier()

    def iotlb_sync(self, iova: int, size: int) -> None:
        """Invalidate the range and wait until no access uses an old translation of it."""
        if size >= SELECTIVE_LIMIT or self._table.has_unlinked_tables:
            self.flush_iotlb_all()
            return
        commands: list[Command] = []
        if self._driver.capabilities.s:
            address, end = iova, iova + size
            while address < end:
                shift = _largest_block(address, end)
                commands.append(InvalidateTranslations(address=address, page_shift=shift, pscid=self.pscid))
                address += 1 << shift
        else:
            commands = [
                InvalidateTranslations(address=address, pscid=self.pscid) for address in range(iova, iova + size, PAGE_SIZE)
            ]
        self._driver.submit(commands)
        self._driver.fence()

    def flush_iotlb_all(self) -> None:
        """Invalidate the whole domain, non-leaf entries included, wait, and free the tables that were taken out."""
        self._driver.submit([InvalidateTranslations(pscid=self.pscid)])
        self._driver.fence()
        self._table.free_unlinked()

    def reclaim_tables(self) -> None:
        """Free the tables through which nothing is mapped."""
        self._table.prune()
        self.flush_iotlb_all()


def _largest_block(address: int, end: int) -> int:
    """log2 of the largest naturally aligned block at ``address`` that does not reach beyond ``end``."""
    aligned = (address & -address).bit_length() - 1 if address else 64
    return max(PAGE_SHIFT, min(aligned, (end - address).bit_length() - 1))
