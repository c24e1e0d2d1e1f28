"""Small machines that the DMA API tests drive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sluicegate.address import PhysicalAddress
from sluicegate.dma import (
    DMA_BIT_MASK,
    DebugMode,
    Device,
    DmaIommu,
    Host,
    Page,
    RecordingDomain,
    Scatterlist,
    SgEntry,
    SgTable,
    dma_set_mask_and_coherent,
)
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.platform import Region

LOW_RAM = (Region(0x1000, 0x7FFF_F000),)
"""RAM over nearly 2 GiB, for vectors with small physical addresses."""


@dataclass
class Machine:
    host: Host
    device: Device
    domain: RecordingDomain
    iommu: DmaIommu

    def log(self) -> list[tuple[str | int, ...]]:
        """Domain calls since the last look, without the visibility calls."""
        rows = [row for row in self.domain.log if row[0] != "S"]
        self.domain.log.clear()
        return rows


def behind_iommu(
    mask_bits: int = 32,
    *,
    granule: int = 4096,
    debug: DebugMode = DebugMode.STRICT,
    host: Host | None = None,
    iommu: dict[str, Any] | None = None,
    **device: Any,
) -> Machine:
    """A device behind dma-iommu over a recording domain, its masks set."""
    host = Host(ram=LOW_RAM, debug=debug) if host is None else host
    domain = RecordingDomain(granule)
    back_end = DmaIommu(host, domain, **({"rcache": False} | (iommu or {})))
    dut = Device(host, device.pop("name", "dut"), backend=back_end, **device)
    assert dma_set_mask_and_coherent(dut, DMA_BIT_MASK(mask_bits)) == 0
    return Machine(host, dut, domain, back_end)


def direct(mask_bits: int = 32, *, host: Host | None = None, debug: DebugMode = DebugMode.STRICT, **device: Any) -> Device:
    """A device without an IOMMU, its masks set."""
    host = Host(ram=LOW_RAM, debug=debug) if host is None else host
    dut = Device(host, device.pop("name", "dut"), **device)
    assert dma_set_mask_and_coherent(dut, DMA_BIT_MASK(mask_bits)) == 0
    return dut


@dataclass(frozen=True)
class FixedProvider:
    """Peer memory with a given map type and bus offset."""

    kind: P2pdmaMapType
    bus_offset: int = 0

    def map_type(self, device: object) -> P2pdmaMapType:
        return self.kind

    def bus_address(self, phys: int) -> int:
        return phys + self.bus_offset


def table(*pieces: tuple[int, int] | tuple[int, int, FixedProvider]) -> SgTable:
    """A table of (physical address, length[, provider]) pieces."""
    entries = []
    for phys, length, *provider in pieces:
        page = Page(PhysicalAddress(phys & -4096), provider=provider[0] if provider else None)
        entries.append(SgEntry(page, phys & 4095, length))
    return SgTable(Scatterlist(entries))


def segments(sgt: SgTable) -> list[tuple[int, int]]:
    return [(int(address), length) for address, length in sgt.segments()]


def reports(device: Device) -> list[str]:
    """Identifiers of what was reported on the device's host, in order."""
    return [report.error_class.identifier for report in device.host.debug.reports]
