"""The machine as sequences use it: IOMMU, DMA API and endpoint drivers brought up over an enumerated platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sluicegate.address import DmaAddress
from sluicegate.dma.backends.domain import IommuProt
from sluicegate.dma.backends.iommu import DmaIommu
from sluicegate.dma.debug import DebugMode
from sluicegate.dma.device import Device
from sluicegate.dma.host import Host
from sluicegate.dma.ledger import Mapping
from sluicegate.dma.masks import dma_set_mask_and_coherent
from sluicegate.driver.endpoint import EndpointDriver, InterruptTarget
from sluicegate.driver.enumerate import PciFunction, PciTree
from sluicegate.driver.iommu import IommuDriver
from sluicegate.driver.iommu_domain import TranslationDomain
from sluicegate.driver.observer import SilentObserver, TransferObserver
from sluicegate.iommu.capabilities import DirectoryMode
from sluicegate.iommu.context import FirstStageMode
from sluicegate.memory import PAGE_SIZE
from sluicegate.p2pdma.api import pci_p2pdma_add_resource, pci_p2pmem_publish
from sluicegate.platform import Bdf, Platform, Region

from sequences.address_space import AddressSpace, Contexts, open_address_space

DMA_MASK: Final = (1 << 38) - 1
"""The positive half of Sv39: every IOVA is canonical."""
FIRST_IDENTITY: Final = 0x100
"""Interrupt identity of the first endpoint; the others follow."""


class MappingReporter:
    """Tells a transfer observer of every mapping that the DMA API makes for a device."""

    def __init__(self, observer: TransferObserver, function: Bdf) -> None:
        self._observer = observer
        self._requester = function.requester_id

    def on_mapped(self, mapping: Mapping) -> None:
        segments = [(piece.phys, piece.length) for piece in mapping.all_pieces()]
        self._observer.on_map(self._requester, mapping.dma, segments, int(mapping.direction))

    def on_unmapped(self, mapping: Mapping) -> None:
        self._observer.on_unmap(self._requester, mapping.dma)


LOCAL_MEMORY_BAR: Final = 2
"""Its lower half belongs to the endpoint's own driver (:class:`LocalMemory`), its upper half is published as peer memory."""


class LocalMemory:
    """Offsets in the driver's part of an endpoint's local memory, given out in turn and taken back all at once."""

    def __init__(self, size: int) -> None:
        self.size: Final = size
        self._next = 0

    def allocate(self, size: int, alignment: int = 1, offset: int = 0) -> int:
        """``size`` bytes at a multiple of ``alignment`` plus ``offset``. Raises MemoryError when a batch asks for too much."""
        start = -(-self._next // alignment) * alignment + offset
        if start + size > self.size:
            raise MemoryError(f"local memory of {self.size} bytes has no {size} left: release() it between batches")
        self._next = start + size
        return start

    def release(self) -> None:
        """Give everything back."""
        self._next = 0


@dataclass
class Endpoint:
    """An endpoint under its driver, and the DMA API behind which it lies."""

    function: PciFunction
    device: Device
    domain: TranslationDomain
    backend: DmaIommu
    driver: EndpointDriver
    local: LocalMemory
    observer: TransferObserver
    interrupt: InterruptTarget
    log2_entries: int
    space: AddressSpace

    @property
    def bdf(self) -> Bdf:
        return self.function.bdf


@dataclass
class Machine:
    """Everything a sequence may use."""

    platform: Platform
    host: Host
    tree: PciTree
    iommu: IommuDriver
    endpoints: Sequence[Endpoint]
    observer: TransferObserver


def bring_up(
    platform: Platform,
    tree: PciTree,
    observer: TransferObserver | None = None,
    *,
    log2_entries: int = 7,
    mode: FirstStageMode = FirstStageMode.SV39,
    directory: DirectoryMode = DirectoryMode.TWO_LEVEL,
    contexts: Contexts = Contexts.FIRST_STAGE,
) -> Machine:
    """From an enumerated machine to one whose endpoints run behind the IOMMU, each in a domain of its own.

    The IMSIC page is mapped at its own address, which is reserved, as are all bridge windows: an IOVA never equals a bus address.
    """
    told = SilentObserver() if observer is None else observer
    host = Host(platform.memory, platform.address_map, debug=DebugMode.STRICT)
    iommu = IommuDriver(platform, host.pages, directory=directory)
    iommu.enable()
    machine = Machine(platform, host, tree, iommu, [], told)
    machine.endpoints = [
        _start_endpoint(machine, function, mode, contexts, FIRST_IDENTITY + index, log2_entries)
        for index, function in enumerate(tree.endpoints)
    ]
    return machine


def _start_endpoint(
    machine: Machine, function: PciFunction, mode: FirstStageMode, contexts: Contexts, identity: int, log2_entries: int
) -> Endpoint:
    host, address_map = machine.host, machine.platform.address_map
    imsic = address_map.imsic
    space = open_address_space(machine.iommu, host, address_map, function.bdf, mode, contexts)
    domain = space.domain
    reserved = [address_map.mmio32, address_map.mmio64, imsic]
    backend = DmaIommu(host, domain, reserved=reserved)
    device = Device(host, str(function.bdf), backend=backend, pci=function.device)
    if dma_set_mask_and_coherent(device, DMA_MASK):
        raise RuntimeError(f"{function.bdf} does not take a mask of {DMA_MASK:#x}")
    device.ledger.observers.append(MappingReporter(machine.observer, function.bdf))
    domain.map(imsic.base, imsic.base, PAGE_SIZE, IommuProt.WRITE | IommuProt.MMIO)
    shared = function.device.bars[LOCAL_MEMORY_BAR].size // 2
    if pci_p2pdma_add_resource(device, LOCAL_MEMORY_BAR, shared, shared):
        raise RuntimeError(f"{function.bdf}: {shared:#x} bytes of local memory cannot become peer memory")
    pci_p2pmem_publish(device, True)
    bars = {number: Region(bar.bus, bar.size) for number, bar in function.device.bars.items()}
    driver = EndpointDriver(machine.platform, device, function.bdf, bars[0], bars[LOCAL_MEMORY_BAR], machine.observer)
    driver.probe()
    interrupt = InterruptTarget(DmaAddress(imsic.base), imsic.base, identity)
    driver.start(log2_entries, interrupt)
    return Endpoint(
        function, device, domain, backend, driver, LocalMemory(shared), machine.observer, interrupt, log2_entries, space
    )


def restart(machine: Machine, endpoint: Endpoint) -> None:
    """Run an endpoint again with new rings, stopped first if need be. Interrupts of before are forgotten."""
    endpoint.driver.stop()
    while machine.platform.wait_irq(endpoint.interrupt.identity, 1):
        pass
    endpoint.driver.start(endpoint.log2_entries, endpoint.interrupt)


def shut_down(machine: Machine) -> None:
    """Stop every endpoint, check that the drivers left nothing mapped, and turn the IOMMU off."""
    imsic = machine.platform.address_map.imsic
    for endpoint in machine.endpoints:
        endpoint.driver.stop()
        endpoint.device.assert_clean()
        endpoint.domain.unmap(imsic.base, PAGE_SIZE)
        endpoint.space.close()
    machine.iommu.disable()
