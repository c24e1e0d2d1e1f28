"""Hand a mapped buffer to the CPU or back to the device without unmapping it (specification DMA_API, section 1.5)."""

from __future__ import annotations

from sluicegate.address import DmaAddress
from sluicegate.arguments import instance, unsigned, validated
from sluicegate.dma.debug import match_sync
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device
from sluicegate.dma.direction import DmaDirection, valid_direction
from sluicegate.dma.scatterlist import Scatterlist, SgTable


def dma_sync_single_for_cpu(dev: Device, dma: DmaAddress | int, size: int, dir: DmaDirection) -> None:
    """The CPU may now read (and for BIDIRECTIONAL write) the range; it must lie in one live mapping."""
    _sync(dev, dma, size, dir, for_cpu=True)


def dma_sync_single_for_device(dev: Device, dma: DmaAddress | int, size: int, dir: DmaDirection) -> None:
    """The device may now use the range again; the CPU must not."""
    _sync(dev, dma, size, dir, for_cpu=False)


def dma_sync_single_range_for_cpu(dev: Device, dma: DmaAddress | int, offset: int, size: int, dir: DmaDirection) -> None:
    """:func:`dma_sync_single_for_cpu` of a part of the mapping at ``dma``."""
    _sync(dev, DmaAddress(dma) + unsigned(offset, "the offset of a sync"), size, dir, for_cpu=True)


def dma_sync_single_range_for_device(dev: Device, dma: DmaAddress | int, offset: int, size: int, dir: DmaDirection) -> None:
    """:func:`dma_sync_single_for_device` of a part of the mapping at ``dma``."""
    _sync(dev, DmaAddress(dma) + unsigned(offset, "the offset of a sync"), size, dir, for_cpu=False)


@validated
def dma_sync_sg_for_cpu(dev: Device, sgl: Scatterlist, nents: int, dir: DmaDirection) -> None:
    """Sync every segment of a mapped list; ``nents`` is the count given to the map."""
    _sync_sg(dev, sgl, nents, dir, for_cpu=True)


@validated
def dma_sync_sg_for_device(dev: Device, sgl: Scatterlist, nents: int, dir: DmaDirection) -> None:
    """The other way."""
    _sync_sg(dev, sgl, nents, dir, for_cpu=False)


@validated
def dma_sync_sgtable_for_cpu(dev: Device, sgt: SgTable, dir: DmaDirection) -> None:
    """:func:`dma_sync_sg_for_cpu` of a table."""
    _sync_sg(dev, sgt.sgl, sgt.orig_nents, dir, for_cpu=True)


@validated
def dma_sync_sgtable_for_device(dev: Device, sgt: SgTable, dir: DmaDirection) -> None:
    """:func:`dma_sync_sg_for_device` of a table."""
    _sync_sg(dev, sgt.sgl, sgt.orig_nents, dir, for_cpu=False)


def _sync(
    dev: Device, dma: DmaAddress | int, size: int, dir: DmaDirection, *, for_cpu: bool, sg_call_ents: int | None = None
) -> int:
    """Sync one range; the number of segments of the list it belongs to (0 for none)."""
    direction = valid_direction(dir)
    if dev.__class__ is not Device or size.__class__ is not int or size >> 64:
        instance(dev, (Device,), "the device of a sync")
        size = unsigned(size, "the size of a sync")
    dev.check_present()
    address = int(DmaAddress(dma))
    if size == 0:
        dev.report(DebugClass.ZERO_SIZE, f"a sync of {size} bytes")
        return 0
    entry = match_sync(dev, address, size, direction, for_cpu=for_cpu, sg_call_ents=sg_call_ents)
    if entry is None:
        return 0
    if not dev.skip_sync:
        for piece in entry.locate(address, size):
            if for_cpu:
                dev.backend.sync_for_cpu(dev, piece.dma, piece.length, direction)
            else:
                dev.backend.sync_for_device(dev, piece.dma, piece.length, direction)
    if for_cpu:
        entry.give_to_cpu(address, address + size)
    else:
        entry.give_to_device(address, address + size)
    return entry.sg_mapped_ents


def _sync_sg(dev: Device, sgl: Scatterlist, nents: int, dir: DmaDirection, *, for_cpu: bool) -> None:
    if not 0 < nents <= len(sgl):
        raise ValueError(f"{nents} entries of a scatterlist of {len(sgl)}: 1 to all of them can be used")
    mapped = 1
    for position, entry in enumerate(sgl.entries[:nents]):
        if position >= mapped or not entry.dma_length:
            break
        mapped = _sync(dev, entry.dma_address, entry.dma_length, dir, for_cpu=for_cpu, sg_call_ents=nents)
