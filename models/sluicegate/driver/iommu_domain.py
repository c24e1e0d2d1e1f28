"""An IOVA address space in RISC-V page tables: the :class:`~sluicegate.dma.backends.domain.IommuDomain` of the DMA API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from sluicegate.dma.backends.domain import DomainMapError, IommuProt
from sluicegate.dma.errno import Errno
from sluicegate.dma.pages import OutOfMemory
from sluicegate.driver.iommu import IommuDriver, IommuError
from sluicegate.driver.iommu_tables import PageTable, PageTableConflict, TableWriter
from sluicegate.iommu.ats import InvalidateRequest, encode_range
from sluicegate.iommu.commands import Command, InvalidateTranslations, SendInvalidate
from sluicegate.iommu.context import DeviceContext, FirstStageMode, ProcessContext
from sluicegate.iommu.request import MemoryType
from sluicegate.iommu.walk import PTE_A, PTE_D, PTE_PBMT_SHIFT, PTE_R, PTE_U, PTE_W
from sluicegate.memory import PAGE_SHIFT, PAGE_SIZE
from sluicegate.platform import Bdf

SELECTIVE_LIMIT: Final = 1 << 21
"""Bytes from which on the whole domain is invalidated instead of one page after the other."""

_WHOLE_SPACE: Final = (1 << 63) - (1 << 12) | 1 << 11
"""Range word of an ATS invalidation of all addresses."""


class TranslationDomain(ABC):
    """A page table, the devices attached to it, and the invalidations that go with it: one of the two stages.

    Leaves are user pages. A is preset, and D where writable, unless ``hardware_ad`` lets the IOMMU set them. Devices that may
    write may also read: a page that is writable but not readable does not exist in this format.
    """

    def __init__(
        self,
        driver: IommuDriver,
        levels: int,
        *,
        guest: bool,
        superpages: bool,
        hardware_ad: bool,
        writer: TableWriter | None = None,
    ) -> None:
        if hardware_ad and not driver.capabilities.amo_hwad:
            raise IommuError("the IOMMU cannot update A and D bits: leave hardware_ad off")
        self._driver = driver
        self._table = PageTable(writer or driver.table_writer(), levels, guest, superpages)
        self._hardware_ad = hardware_ad
        self._devices: set[int] = set()
        self._ats_devices: set[int] = set()
        self.granule: Final = PAGE_SIZE
        self.aperture_end: Final = self._table.address_end - 1

    @property
    def page_table(self) -> PageTable:
        """The page table in memory."""
        return self._table

    @abstractmethod
    def context(self) -> DeviceContext:
        """The device context that puts a device under this domain, without ATS."""

    @abstractmethod
    def _invalidation(self, address: int | None = None, page_shift: int = PAGE_SHIFT) -> InvalidateTranslations:
        """The command that drops the translations of a range, or of the whole domain."""

    def attach(self, device: Bdf | int, ats: bool = False, page_requests: bool = False) -> None:
        """Translate the requests of ``device`` through this domain from now on.

        ``ats`` lets it cache translations, ``page_requests`` ask for pages; both must be enabled in its configuration space by
        the caller, after this.
        """
        if (ats or page_requests) and not self._driver.capabilities.ats:
            raise IommuError("the IOMMU has no ATS: attach the device without it")
        context = replace(self.context(), enable_ats=ats or page_requests, enable_pri=page_requests)
        self._driver.attach(device, context)
        device_id = device.requester_id if isinstance(device, Bdf) else device
        self._devices.add(device_id)
        if context.enable_ats:
            self._ats_devices.add(device_id)

    def detach(self, device: Bdf | int) -> None:
        """Make all requests of ``device`` fault from now on. ATS must be disabled in the device before."""
        self._driver.detach(device)
        device_id = device.requester_id if isinstance(device, Bdf) else device
        self._devices.discard(device_id)
        self._ats_devices.discard(device_id)
        self.flush_iotlb_all()

    def free(self) -> None:
        """Free the tables. Every device must be detached: raises IommuError otherwise."""
        if self._devices:
            attached = ", ".join(f"{device:#x}" for device in sorted(self._devices))
            raise IommuError(f"the domain is in use by device {attached}: detach it first")
        self.flush_iotlb_all()
        self._table.free()

    def _flags(self, prot: IommuProt) -> int:
        flags = PTE_R | (0 if prot & IommuProt.PRIV else PTE_U)
        if prot & IommuProt.WRITE:
            flags |= PTE_W
        if not self._hardware_ad:
            flags |= PTE_A | (PTE_D if prot & IommuProt.WRITE else 0)
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
        blocks = list(_blocks(iova, iova + size))
        if not self._driver.capabilities.s:
            self._invalidate([self._invalidation(page) for page in range(iova, iova + size, PAGE_SIZE)])
        else:
            self._invalidate([self._invalidation(address, shift) for address, shift in blocks])
        self._invalidate_devices([encode_range(address, shift) for address, shift in blocks])

    def flush_iotlb_all(self) -> None:
        """Invalidate the whole domain, non-leaf entries included, wait, and free the tables that were taken out."""
        self._invalidate([self._invalidation()])
        self._invalidate_devices([_WHOLE_SPACE])
        self._table.free_unlinked()

    def _invalidate(self, commands: Sequence[Command]) -> None:
        self._driver.submit(commands)
        self._driver.fence()

    def _invalidate_devices(self, ranges: list[int]) -> None:
        """Drop ranges from the translation caches of ATS devices, after the IOTLB so that they cannot be filled from it."""
        if self._ats_devices:
            self._invalidate(
                [
                    SendInvalidate(InvalidateRequest(device & 0xFFFF, device >> 16 != 0, device >> 16, False, 0, payload))
                    for device in sorted(self._ats_devices)
                    for payload in ranges
                ]
            )

    def reclaim_tables(self) -> None:
        """Free the tables through which nothing is mapped."""
        self._table.prune()
        self.flush_iotlb_all()


def first_stage_mode(driver: IommuDriver, wanted: FirstStageMode | None) -> FirstStageMode:
    """``wanted``, or the smallest mode there is. Raises IommuError where the hardware lacks it."""
    capabilities = driver.capabilities
    supported = {
        FirstStageMode.SV39: capabilities.sv39,
        FirstStageMode.SV48: capabilities.sv48,
        FirstStageMode.SV57: capabilities.sv57,
    }
    mode = wanted or next((candidate for candidate, available in supported.items() if available), None)
    if mode is None or not supported.get(mode):
        raise IommuError(f"the IOMMU has no first stage of mode {'Sv39, Sv48 or Sv57' if mode is None else mode.name}")
    return mode


class PageTableDomain(TranslationDomain):
    """A first-stage page table with its process soft-context ID: the domain of the DMA API."""

    def __init__(
        self,
        driver: IommuDriver,
        mode: FirstStageMode | None = None,
        superpages: bool = True,
        hardware_ad: bool = False,
    ) -> None:
        mode = first_stage_mode(driver, mode)
        super().__init__(driver, mode.levels, guest=False, superpages=superpages, hardware_ad=hardware_ad)
        self._mode = mode
        self.pscid: Final = driver.new_pscid()

    def context(self) -> DeviceContext:
        return DeviceContext(
            update_first_stage_ad=self._hardware_ad,
            first_stage_big_endian=self._driver.configuration.big_endian,
            first_stage=ProcessContext(self._mode, self._table.root, self.pscid),
        )

    def _invalidation(self, address: int | None = None, page_shift: int = PAGE_SHIFT) -> InvalidateTranslations:
        return InvalidateTranslations(address=address, page_shift=page_shift, pscid=self.pscid)


def _blocks(address: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut ``[address, end)`` into naturally aligned blocks: (address, log2 of the size)."""
    while address < end:
        aligned = (address & -address).bit_length() - 1 if address else 64
        shift = max(PAGE_SHIFT, min(aligned, (end - address).bit_length() - 1))
        yield address, shift
        address += 1 << shift
