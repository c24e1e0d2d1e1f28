"""The device's side of its mappings: accesses by device address, judged by the ledger and carried out in host memory.

For device models without a simulator, and for checks of recorded traffic. An access goes where the back end's translation
says; whether the driver had allowed it comes from the ledger alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sluicegate.address import DmaAddress
from sluicegate.arguments import instance, unsigned
from sluicegate.dma.backends.iommu import DmaIommu
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device
from sluicegate.dma.direction import DMA_FROM_DEVICE
from sluicegate.dma.ledger import Mapping, MappingKind
from sluicegate.dma.masks import dma_get_mask


class DeviceFault(Exception):
    """A device access that the machine did not carry out (an IOMMU fault, no memory there)."""


def device_read(dev: Device, dma: DmaAddress | int, size: int) -> bytes:
    """The device reads ``size`` bytes. Raises :class:`DeviceFault` where no translation is."""
    instance(dev, (Device,), "device_read: dev")
    address = int(DmaAddress(dma))
    size = unsigned(size, "device_read: size")
    check_device_access(dev, address, size, write=False)
    parts = []
    for phys, length in _translated(dev, address, size):
        if dev.coherent and dev.host.cache is not None:
            dev.host.cache.snoop_read(phys, length)
        parts.append(dev.host.memory.read(phys, length))
    return b"".join(parts)


def device_write(dev: Device, dma: DmaAddress | int, data: bytes) -> None:
    """The device writes ``data``. Raises :class:`DeviceFault` where no translation is; nothing is written then."""
    instance(dev, (Device,), "device_write: dev")
    address = int(DmaAddress(dma))
    check_device_access(dev, address, len(data), write=True)
    done = 0
    for phys, length in _translated(dev, address, len(data)):
        if dev.coherent and dev.host.cache is not None:
            dev.host.cache.snoop_write(phys, length)
        dev.host.memory.write(phys, data[done : done + length])
        done += length


def _translated(dev: Device, address: int, size: int) -> list[tuple[int, int]]:
    """(physical address, bytes) pieces, cut where the translation may change."""
    pieces = []
    step = dev.backend.granule if isinstance(dev.backend, DmaIommu) else 4096
    at = address
    while at < address + size:
        length = min(address + size - at, step - at % step)
        phys = dev.backend.translate(dev, at)
        if phys is None:
            raise DeviceFault(f"{dev.name}: no translation for {at:#x}")
        pieces.append((phys, length))
        at += length
    return pieces


def check_device_access(dev: Device, dma: int, size: int, write: bool) -> list[Mapping]:
    """Report an access that the driver never allowed; the mappings it falls into, in order of address.

    The range may run over several mappings that follow each other (the links of one IOVA state do).
    """
    dev.check_present()
    if size == 0:
        return []
    what = f"the device {'writes' if write else 'reads'} {dma:#x}+{size:#x}"
    if dma + size - 1 > max(dma_get_mask(dev), dev.coherent_dma_mask):
        dev.report(DebugClass.ADDRESS_ABOVE_MASK, what)
    mappings = []
    at = dma
    while at < dma + size:
        holders = dev.ledger.containing(at, 1)
        if not holders:
            if isinstance(dev.backend, DmaIommu) and dev.backend.in_lazy_window(at):
                dev.report(DebugClass.DEVICE_ACCESS_AFTER_UNMAP, f"{what}, unmapped but not yet invalidated")
            else:
                dev.report(DebugClass.DEVICE_ACCESS_UNMAPPED, f"{what}, nothing is mapped at {at:#x}")
            break
        allowed = [holder for holder in holders if (holder.direction.device_writes if write else holder.direction.device_reads)]
        mapping = max(allowed or holders, key=lambda holder: holder.end)
        end = min(mapping.end, dma + size)
        if not allowed:
            dev.report(DebugClass.DEVICE_ACCESS_PERMISSION, f"{what} of {mapping!r}")
        if not mapping.visible:
            dev.report(DebugClass.DEVICE_ACCESS_BEFORE_SYNC, f"{what} of {mapping!r}")
        # A buffer that the device only writes needs no sync for the device when the CPU has only read it.
        if mapping.kind.streaming and mapping.direction is not DMA_FROM_DEVICE and mapping.cpu_owns(at, end):
            dev.report(DebugClass.DEVICE_ACCESS_CPU_OWNED, f"{what} of {mapping!r}")
        mappings.append(mapping)
        at = end
    return mappings


def check_peer_route(dev: Device, dma: int, size: int, routed_directly: bool) -> None:
    """Report a peer access that took the other path than its mapping is for.

    ``routed_directly``: a switch turned it around; else it went to the root complex.
    """
    for mapping in dev.ledger.containing(dma, size):
        if mapping.kind is not MappingKind.SG and mapping.kind is not MappingKind.PEER:
            continue
        if mapping.bus_address != routed_directly:
            kind = "a bus address" if mapping.bus_address else "an address for the root complex"
            path = "a switch" if routed_directly else "the root complex"
            dev.report(DebugClass.PEER_ADDRESS_WRONG_PATH, f"{dma:#x}+{size:#x} is {kind} but was routed by {path}: {mapping!r}")
            return


@contextmanager
def transfer_in_flight(dev: Device, dma: DmaAddress | int, size: int) -> Iterator[None]:
    """While it lasts the device works on the range: an unmap of it is reported."""
    instance(dev, (Device,), "transfer_in_flight: dev")
    entry = (int(DmaAddress(dma)), unsigned(size, "transfer_in_flight: size"))
    dev.in_flight.append(entry)
    try:
        yield
    finally:
        dev.in_flight.remove(entry)
