"""Mapping of scatterlists: ``dma_map_sg`` and ``dma_map_sgtable`` (specification DMA_API, sections 1.4 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sluicegate.arguments import validated
from sluicegate.dma.attrs import REQUIRE_COHERENT
from sluicegate.dma.debug import DebugMode, DmaDebugError, caller, match_unmap
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device
from sluicegate.dma.direction import DmaDirection, valid_direction
from sluicegate.dma.errno import Errno
from sluicegate.dma.ledger import Mapping, MappingKind, Piece
from sluicegate.dma.masks import dma_get_max_seg_size, dma_get_seg_boundary
from sluicegate.dma.scatterlist import Scatterlist, SgEntry, SgTable
from sluicegate.dma.streaming import check_in_flight, mapping_allowed

_ALLOWED_ERRORS: Final = (-Errno.EINVAL, -Errno.ENOMEM, -Errno.EIO, -Errno.EREMOTEIO, -Errno.EOPNOTSUPP)


@validated
def dma_map_sg(dev: Device, sgl: Scatterlist, nents: int, dir: DmaDirection, attrs: int = 0) -> int:
    """Map the first ``nents`` entries: the number of segments for the device, 0 on any failure.

    Give the segments (:meth:`Scatterlist.segments`), not the entries, to the device; unmap with ``nents``, not the result.
    """
    return max(0, _map(dev, sgl, nents, dir, attrs))


@validated
def dma_map_sgtable(dev: Device, sgt: SgTable, dir: DmaDirection, attrs: int = 0) -> int:
    """Map a table: 0 with ``sgt.nents`` set, or -EINVAL, -ENOMEM, -EIO, -EREMOTEIO, -EOPNOTSUPP."""
    result = _map(dev, sgt.sgl, sgt.orig_nents, dir, attrs)
    if result < 0:
        return result
    sgt.nents = result
    return 0


def _map(dev: Device, sgl: Scatterlist, nents: int, dir: DmaDirection, attrs: int) -> int:
    direction = valid_direction(dir)
    entries = _entries(sgl, nents)
    if not mapping_allowed(dev, sum(entry.length for entry in entries)):
        return -Errno.EIO if dev.dma_mask is None else -Errno.ENOMEM
    if attrs & REQUIRE_COHERENT and not dev.coherent:
        return -Errno.EOPNOTSUPP
    debugging = dev.debug_mode is not DebugMode.OFF
    if debugging:
        _check_entries(dev, entries, direction, attrs)
    count = dev.backend.map_sg(dev, entries, direction, attrs)
    if count <= 0:
        if count not in _ALLOWED_ERRORS:
            dev.report(DebugClass.UNEXPECTED_ERROR_CODE, f"map_sg of the back end returned {count}")
            count = -Errno.EIO
        return count
    if debugging:
        try:
            _check_segments(dev, entries, count)
        except DmaDebugError:
            dev.backend.unmap_sg(dev, entries, direction, attrs)
            for entry in entries:
                entry.clear_dma()
            raise
    code, line = caller()
    for entry, pieces in zip(entries, _segment_pieces(entries, count), strict=False):
        first = pieces[0]
        size = sum(piece.length for piece in pieces)
        mapping = Mapping(
            dev,
            MappingKind.SG,
            first.dma,
            size,
            direction,
            attrs,
            first.phys,
            code,
            line,
            tuple(pieces),
            nents,
            count,
            True,
            entry.is_bus_address,
        )
        dev.add_mapping(mapping)
    return count


def _entries(sgl: Scatterlist, nents: int) -> Sequence[SgEntry]:
    if not 0 < nents <= len(sgl):
        raise ValueError(f"{nents} entries of a scatterlist of {len(sgl)}: 1 to all of them can be used")
    return sgl.entries if nents == len(sgl) else sgl.entries[:nents]


def _segment_pieces(entries: Sequence[SgEntry], count: int) -> list[list[Piece]]:
    """Where the bytes of each segment are: segments take the entries' bytes in order."""
    segments: list[list[Piece]] = []
    at = 0
    for segment in entries[:count]:
        pieces: list[Piece] = []
        dma, left = segment.dma_address, segment.dma_length
        while left:
            entry = entries[at]
            pieces.append(Piece(dma, entry.phys, entry.length))
            dma += entry.length
            left -= entry.length
            at += 1
        segments.append(pieces)
    return segments


def _check_entries(dev: Device, entries: Sequence[SgEntry], direction: DmaDirection, attrs: int) -> None:
    host = dev.host
    for entry in entries:
        if entry.page.provider is not None:
            continue
        phys, size = entry.phys, entry.length
        if host.on_stack(phys, size):
            dev.report(DebugClass.MAP_FROM_STACK, f"{phys:#x}+{size:#x} is on the stack")
        if host.in_kernel_image(phys, size):
            dev.report(DebugClass.MAP_KERNEL_IMAGE, f"{phys:#x}+{size:#x} is kernel text or read-only data")
        if host.tracks_cachelines:
            host.debug.check_cacheline(dev, MappingKind.SG, phys, direction, attrs)
    longest = dma_get_max_seg_size(dev)
    for index, entry in enumerate(entries):
        if entry.length > longest:
            dev.report(DebugClass.SEGMENT_TOO_LONG, f"entry {index} has {entry.length} bytes, the device takes {longest}")


def _check_segments(dev: Device, entries: Sequence[SgEntry], count: int) -> None:
    outside = ~dma_get_seg_boundary(dev)
    for index, segment in enumerate(entries[:count]):
        first, last = segment.dma_address, segment.dma_address + segment.dma_length - 1
        if (first ^ last) & outside:
            dev.report(
                DebugClass.SEGMENT_CROSSES_BOUNDARY,
                f"segment {index} ({first:#x} to {last:#x}) crosses the boundary {dma_get_seg_boundary(dev):#x}",
            )


@validated
def dma_unmap_sg(dev: Device, sgl: Scatterlist, nents: int, dir: DmaDirection, attrs: int = 0) -> None:
    """Undo :func:`dma_map_sg`; ``nents`` is the count given to it."""
    direction = valid_direction(dir)
    dev.check_present()
    entries = _entries(sgl, nents)
    mappings: dict[Mapping, None] = {}
    mapped = 0
    for index, entry in enumerate(entries):
        if index and index >= mapped:
            break
        found = match_unmap(
            dev,
            MappingKind.SG,
            entry.dma_address,
            entry.dma_length,
            direction,
            sg_call_ents=nents,
            attrs=attrs,
            taken=mappings,
        )
        if found is None:
            break
        check_in_flight(dev, found.dma, found.size)
        mapped = found.sg_mapped_ents
        mappings[found] = None
    if not mappings:
        return
    first = next(iter(mappings))
    everything = sgl.entries[: first.sg_call_ents] if first.kind is MappingKind.SG else entries
    dev.backend.unmap_sg(dev, everything, direction, attrs)
    for mapping in mappings:
        dev.remove_mapping(mapping)


@validated
def dma_unmap_sgtable(dev: Device, sgt: SgTable, dir: DmaDirection, attrs: int = 0) -> None:
    """Undo :func:`dma_map_sgtable`."""
    dma_unmap_sg(dev, sgt.sgl, sgt.orig_nents, dir, attrs)
