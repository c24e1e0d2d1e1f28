"""Peer memory shared as a dma-buf: ranges of a provider mapped for an importer (``dma_buf_phys_vec_to_sgt``).

By bus address nothing is mapped. Through the host bridge the ranges become one IOVA block where the importer is behind
dma-iommu (each range at its running offset), else one mapping each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sluicegate.address import DMA_MAPPING_ERROR, PhysicalAddress
from sluicegate.arguments import validated
from sluicegate.dma.attrs import MMIO
from sluicegate.dma.device import Device
from sluicegate.dma.direction import DmaDirection, valid_direction
from sluicegate.dma.errno import Errno
from sluicegate.dma.iova_state import (
    DmaIovaState,
    dma_iova_destroy,
    dma_iova_link,
    dma_iova_sync,
    dma_iova_try_alloc,
    dma_use_iova,
)
from sluicegate.dma.pages import Page
from sluicegate.dma.scatterlist import Scatterlist, SgEntry, SgTable
from sluicegate.dma.streaming import dma_map_phys, dma_mapping_error, dma_unmap_phys
from sluicegate.memory import PAGE_SIZE
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.p2pdma.provider import P2pdmaProvider

LONGEST_ENTRY: Final = (1 << 32) - 1
"""A longer range takes several entries."""


class PhysRange(NamedTuple):
    """``length`` bytes at CPU physical ``phys`` (``struct dma_buf_phys_vec``)."""

    phys: int
    length: int


class DmaBufTable(SgTable):
    """What an importer got: device segments only, ``orig_nents`` is 0 as there are no CPU pages behind them."""

    def __init__(self, entries: list[SgEntry], direction: DmaDirection, state: DmaIovaState, mapped: list[PhysRange]) -> None:
        super().__init__(Scatterlist(entries), 0)
        self.nents = len(entries)
        self.direction: Final = direction
        self.state: Final = state
        self.mapped: Final = mapped
        """(device address, bytes) of each single mapping."""


@validated
def dma_buf_phys_vec_to_sgt(
    dev: Device, provider: P2pdmaProvider, ranges: Sequence[PhysRange], direction: DmaDirection
) -> DmaBufTable | int:
    """Map ranges of ``provider`` for the importer ``dev``: the table, or a negative errno with nothing mapped.

    -EINVAL: no range, an empty one, or a provider that the importer cannot reach.
    """
    direction = valid_direction(direction)
    if not ranges or any(part.length <= 0 for part in ranges):
        return -Errno.EINVAL
    kind = provider.map_type(dev)
    if kind is P2pdmaMapType.BUS_ADDR:
        entries = [entry for part in ranges for entry in _entries(provider, part, provider.bus_address(part.phys), True)]
        return DmaBufTable(entries, direction, DmaIovaState(), [])
    if kind is not P2pdmaMapType.THRU_HOST_BRIDGE:
        return -Errno.EINVAL
    state = DmaIovaState()
    total = sum(part.length for part in ranges)
    if dma_iova_try_alloc(dev, state, PhysicalAddress(ranges[0].phys), total):
        return _linked(dev, provider, ranges, direction, state, total)
    return _mapped_singly(dev, provider, ranges, direction, state)


def _linked(
    dev: Device,
    provider: P2pdmaProvider,
    ranges: Sequence[PhysRange],
    direction: DmaDirection,
    state: DmaIovaState,
    total: int,
) -> DmaBufTable | int:
    offset = 0
    for part in ranges:
        error = dma_iova_link(dev, state, PhysicalAddress(part.phys), offset, part.length, direction, MMIO)
        if error:
            dma_iova_destroy(dev, state, offset, direction, MMIO)
            return error
        offset += part.length
    error = dma_iova_sync(dev, state, 0, total)
    if error:
        dma_iova_destroy(dev, state, offset, direction, MMIO)
        return error
    entries = list(_entries(provider, PhysRange(ranges[0].phys, total), state.addr, False))
    return DmaBufTable(entries, direction, state, [])


def _mapped_singly(
    dev: Device, provider: P2pdmaProvider, ranges: Sequence[PhysRange], direction: DmaDirection, state: DmaIovaState
) -> DmaBufTable | int:
    entries: list[SgEntry] = []
    mapped: list[PhysRange] = []
    for part in ranges:
        dma = dma_map_phys(dev, PhysicalAddress(part.phys), part.length, direction, MMIO)
        if dma_mapping_error(dev, dma):
            assert dma == DMA_MAPPING_ERROR
            _unmap(dev, mapped, direction)
            return -Errno.EIO
        mapped.append(PhysRange(int(dma), part.length))
        entries.extend(_entries(provider, part, int(dma), False))
    return DmaBufTable(entries, direction, state, mapped)


def _entries(provider: P2pdmaProvider, part: PhysRange, dma: int, is_bus_address: bool) -> Iterator[SgEntry]:
    for start in range(0, part.length, LONGEST_ENTRY):
        phys = part.phys + start
        length = min(LONGEST_ENTRY, part.length - start)
        entry = SgEntry(Page(PhysicalAddress(phys & -PAGE_SIZE), provider=provider), phys & (PAGE_SIZE - 1), length)
        entry.dma_address, entry.dma_length, entry.is_bus_address = dma + start, length, is_bus_address
        yield entry


def _unmap(dev: Device, mapped: Sequence[PhysRange], direction: DmaDirection) -> None:
    for dma, length in mapped:
        dma_unmap_phys(dev, dma, length, direction, MMIO)


@validated
def dma_buf_free_sgt(dev: Device, table: DmaBufTable) -> None:
    """Undo :func:`dma_buf_phys_vec_to_sgt`."""
    if dma_use_iova(table.state):
        dma_iova_destroy(dev, table.state, table.state.length, table.direction, MMIO)
    _unmap(dev, table.mapped, table.direction)
    table.mapped.clear()
    table.sgl.entries.clear()
    table.nents = 0
