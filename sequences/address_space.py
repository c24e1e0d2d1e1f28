"""Where an endpoint's IOVAs are translated: one stage, both stages of a virtual machine, or a process of a process directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sluicegate.dma.backends.domain import IommuProt
from sluicegate.dma.host import Host
from sluicegate.driver.iommu import IommuDriver
from sluicegate.driver.iommu_domain import PageTableDomain, TranslationDomain
from sluicegate.driver.iommu_guest import GuestDomain
from sluicegate.driver.iommu_nested import NestedDomain
from sluicegate.driver.iommu_process_directory import ProcessDirectory
from sluicegate.driver.iommu_tables import TablePages
from sluicegate.iommu.context import FirstStageMode
from sluicegate.memory import PAGE_SIZE
from sluicegate.platform import AddressMap, Bdf

GUEST_OFFSET: Final = 1 << 39
"""Guest physical addresses are host physical ones plus this: a walk that forgets the second stage ends nowhere."""
_READ_WRITE: Final = IommuProt.READ | IommuProt.WRITE


class Contexts(Enum):
    """What the device contexts of the endpoints hold.

    ``NESTED``: a guest with all of RAM, whose own tables lie in guest memory. ``PROCESS``: a process directory; requests without
    PASID use process 0.
    """

    FIRST_STAGE = "first_stage"
    NESTED = "nested"
    PROCESS = "process"


@dataclass(frozen=True)
class AddressSpace:
    """``domain`` maps for the DMA API; ``close`` detaches the device and frees everything, when nothing is mapped any more."""

    domain: TranslationDomain
    close: Callable[[], None]


def open_address_space(
    iommu: IommuDriver, host: Host, address_map: AddressMap, function: Bdf, mode: FirstStageMode, contexts: Contexts
) -> AddressSpace:
    """An empty address space with ``function`` attached to it."""
    if contexts is Contexts.PROCESS:
        return _process(iommu, function, mode)
    if contexts is Contexts.NESTED:
        return _nested(iommu, host.pages, address_map, function, mode)
    domain = PageTableDomain(iommu, mode)
    domain.attach(function)

    def close() -> None:
        domain.detach(function)
        domain.free()

    return AddressSpace(domain, close)


def _process(iommu: IommuDriver, function: Bdf, mode: FirstStageMode) -> AddressSpace:
    domain = PageTableDomain(iommu, mode)
    directory = ProcessDirectory(iommu, function, default_process=True)
    directory.bind(0, domain)

    def close() -> None:
        directory.unbind(0, domain)
        directory.free()
        domain.free()

    return AddressSpace(domain, close)


class GuestPages:
    """Table pages of a guest, by guest physical address."""

    def __init__(self, pages: TablePages) -> None:
        self._pages = pages

    def alloc(self, size: int) -> int:
        return int(self._pages.alloc(size)) + GUEST_OFFSET

    def free(self, phys: int) -> None:
        self._pages.free(phys - GUEST_OFFSET)


class OffsetNestedDomain(NestedDomain):
    """The first stage of a guest for the host's DMA API: host physical addresses outside, guest physical ones in its tables."""

    def map(self, iova: int, phys: int, size: int, prot: IommuProt) -> None:
        super().map(iova, phys + GUEST_OFFSET, size, prot)

    def iova_to_phys(self, iova: int) -> int | None:
        guest = super().iova_to_phys(iova)
        return None if guest is None else guest - GUEST_OFFSET


def _nested(iommu: IommuDriver, pages: TablePages, address_map: AddressMap, function: Bdf, mode: FirstStageMode) -> AddressSpace:
    guest = GuestDomain(iommu)
    regions = [(region.base, region.size) for region in address_map.ram]
    regions.append((address_map.imsic.base, PAGE_SIZE))
    for base, size in regions:
        guest.map(base + GUEST_OFFSET, base, size, _READ_WRITE)
    domain = OffsetNestedDomain(iommu, guest, GuestPages(pages), mode)
    domain.attach(function)

    def close() -> None:
        domain.detach(function)
        domain.free()
        for base, size in regions:
            guest.unmap(base + GUEST_OFFSET, size)
        guest.free()

    return AddressSpace(domain, close)
