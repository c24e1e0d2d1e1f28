"""P2PDMA by its kernel names (specification DMA_API, section 1.11). Devices are DMA devices with a PCI function (``pci``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sluicegate.address import PeerAddress, PhysicalAddress
from sluicegate.arguments import validated
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device
from sluicegate.dma.errno import Errno
from sluicegate.dma.fault_injection import FaultPoint
from sluicegate.dma.pages import Page
from sluicegate.dma.scatterlist import Scatterlist, SgEntry
from sluicegate.memory import PAGE_SIZE
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.p2pdma.pool import P2pmemPool
from sluicegate.p2pdma.provider import P2pdmaProvider
from sluicegate.p2pdma.registry import P2pdma
from sluicegate.pci.topology import PciDevice

_SUBSECTION: Final = 2 << 20


class PeerBuffer:
    """Peer memory as ``pci_alloc_p2pmem`` gives it: ``size`` bytes at CPU physical ``phys`` of ``provider``.

    It is device memory: the CPU accesses it only as such, and it is mapped for devices by its :attr:`page`.
    """

    __slots__ = ("phys", "provider", "size")

    def __init__(self, provider: P2pdmaProvider, phys: PhysicalAddress, size: int) -> None:
        self.provider = provider
        self.phys = phys
        self.size = size

    @property
    def page(self) -> Page:
        """The pages of the buffer, for scatterlists."""
        return Page(self.phys, -(-self.size // PAGE_SIZE) * PAGE_SIZE, self.provider)

    def __repr__(self) -> str:
        return f"<PeerBuffer {int(self.phys):#x}+{self.size:#x} of {self.provider!r}>"


def _pci(dev: Device) -> PciDevice:
    dev.check_present()
    if dev.pci is None:
        raise TypeError(f"{dev.name} is no PCI device: only those provide peer memory")
    return dev.pci


def _add_provider(dev: Device, number: int) -> P2pdmaProvider:
    registry = P2pdma.of(dev.host)
    state = registry.create_state(dev)
    provider = state.providers.get(number)
    if provider is None:
        provider = state.providers[number] = P2pdmaProvider(registry, dev, number, _pci(dev).bars[number])
    return provider


@validated
def pci_p2pdma_add_resource(pdev: Device, bar: int, size: int, offset: int) -> int:
    """Make ``size`` bytes (0: the rest) at ``offset`` of a BAR peer memory: 0, -EINVAL for a place outside a memory BAR."""
    resource = _pci(pdev).bars.get(bar)
    if resource is None or not resource.memory or offset >= resource.size:
        return -Errno.EINVAL
    size = size or resource.size - offset
    if size + offset > resource.size or (size | offset) & (PAGE_SIZE - 1):
        return -Errno.EINVAL
    registry = P2pdma.of(pdev.host)
    base = resource.phys + offset
    provider = _add_provider(pdev, bar)
    state = registry.create_state(pdev)
    if state.pool is None:
        state.pool = P2pmemPool()
    if registry.subsection_rule and (base | size) & (_SUBSECTION - 1):
        return -Errno.EINVAL
    if any(base < start + length and start < base + size for start, length, _ in state.resources):
        return -Errno.EINVAL
    state.pool.add(base, size)
    state.resources.insert(0, (base, size, provider))
    return 0


@validated
def pcim_p2pdma_init(pdev: Device) -> int:
    """Make a provider of each memory BAR, without a pool: 0. May be called again."""
    for number, bar in _pci(pdev).bars.items():
        if bar.memory:
            _add_provider(pdev, number)
    P2pdma.of(pdev.host).create_state(pdev)
    return 0


@validated
def pcim_p2pdma_provider(pdev: Device, bar: int) -> P2pdmaProvider | None:
    """The provider of a BAR; None when the BAR is no memory, or before :func:`pcim_p2pdma_init`."""
    _pci(pdev)
    state = P2pdma.of(pdev.host).state(pdev)
    return None if state is None else state.providers.get(bar)


@validated
def pci_p2pmem_publish(pdev: Device, publish: bool) -> None:
    """Let orchestrators find the device's memory, which must be free of side effects. Nothing without a resource."""
    _pci(pdev)
    state = P2pdma.of(pdev.host).state(pdev)
    if state is not None:
        state.published = publish


@validated
def pci_has_p2pmem(pdev: Device) -> bool:
    """Whether the device has published memory."""
    state = P2pdma.of(pdev.host).state(pdev)
    return state is not None and state.published


@validated
def pci_p2pdma_distance(provider: Device, client: Device) -> int:
    """Links between provider and client, -1 when the client cannot reach it."""
    _pci(provider)
    return P2pdma.of(provider.host).distance_many(provider, [client])


@validated
def pci_p2pdma_distance_many(provider: Device, clients: Sequence[Device]) -> int:
    """Sum of the distances; -1 when there is no client, or one cannot reach the provider."""
    _pci(provider)
    return P2pdma.of(provider.host).distance_many(provider, clients)


@validated
def pci_p2pmem_find(client: Device) -> Device | None:
    """The closest published provider for one client; give it back with :func:`pci_dev_put`."""
    return pci_p2pmem_find_many([client])


@validated
def pci_p2pmem_find_many(clients: Sequence[Device]) -> Device | None:
    """The closest published provider for all clients, None when there is none."""
    return P2pdma.of(clients[0].host).find_many(clients) if clients else None


def pci_dev_put(pdev: Device) -> None:
    """Give back a reference of a find, also of a device that was removed since."""
    if not isinstance(pdev, Device):
        raise TypeError(f"pci_dev_put: pdev is {type(pdev).__name__} {pdev!r}: give the Device of the find")
    state = P2pdma.of(pdev.host).state(pdev)
    if state is None or not state.references:
        raise ValueError(f"{pdev.name}: no reference to give back")
    state.references -= 1


@validated
def pci_alloc_p2pmem(pdev: Device, size: int) -> PeerBuffer | None:
    """Allocate peer memory in whole pages; None when there is no state, nothing fits, or ``size`` is 0."""
    _pci(pdev)
    state = P2pdma.of(pdev.host).state(pdev)
    if state is None or size == 0 or pdev.host.should_fail(FaultPoint.P2PMEM_ALLOC):
        return None
    if state.pool is None:
        pdev.report(DebugClass.PEER_MEMORY_UNMANAGED, f"allocation of {size} bytes")
        return None
    address = state.pool.alloc(size)
    if address is None:
        return None
    if state.dying:
        state.pool.free(address, size)
        return None
    provider = state.provider_of(address)
    assert provider is not None
    return PeerBuffer(provider, PhysicalAddress(address), size)


@validated
def pci_free_p2pmem(pdev: Device, buffer: PeerBuffer, size: int) -> None:
    """Free peer memory; memory that is not allocated is a BUG."""
    _pci(pdev)
    state = P2pdma.of(pdev.host).state(pdev)
    if state is None or state.pool is None:
        raise ValueError(f"{pdev.name} provides no peer memory")
    state.pool.free(int(buffer.phys), size)


@validated
def pci_p2pmem_virt_to_bus(pdev: Device, buffer: PeerBuffer | None, offset: int = 0) -> PeerAddress:
    """Bus address of a byte of the device's peer memory: 0 without one, all ones when it is in no resource."""
    _pci(pdev)
    state = P2pdma.of(pdev.host).state(pdev)
    if buffer is None or state is None:
        return PeerAddress(0)
    address = int(buffer.phys) + offset
    provider = state.provider_of(address)
    return PeerAddress((1 << 64) - 1 if provider is None else provider.bus_address(address))


@validated
def pci_p2pmem_alloc_sgl(pdev: Device, length: int) -> Scatterlist | None:
    """Allocate peer memory as a scatterlist of one entry of exactly ``length`` bytes; None on failure."""
    buffer = pci_alloc_p2pmem(pdev, length)
    return None if buffer is None else Scatterlist([SgEntry(buffer.page, 0, length)])


@validated
def pci_p2pmem_free_sgl(pdev: Device, sgl: Scatterlist) -> None:
    """Free every entry of such a list, and empty it."""
    for entry in sgl:
        provider = entry.page.provider
        assert isinstance(provider, P2pdmaProvider)
        pci_free_p2pmem(pdev, PeerBuffer(provider, PhysicalAddress(entry.phys), entry.length), entry.length)
    sgl.entries.clear()


@validated
def pci_p2pdma_map_type(provider: P2pdmaProvider, dev: Device) -> P2pdmaMapType:
    """How ``dev`` reaches a provider, as mappings see it."""
    return provider.map_type(dev)


@validated
def pci_p2pdma_bus_addr_map(provider: P2pdmaProvider, phys: PhysicalAddress | int) -> PeerAddress:
    """Bus address of a CPU physical address of the provider."""
    return PeerAddress(provider.bus_address(int(PhysicalAddress(phys))))
