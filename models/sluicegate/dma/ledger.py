"""Who has what mapped: the ledger of live DMA mappings of a device.

The ledger is written by the API calls alone, never derived from an IOMMU or a domain, so that a testbench can predict every
transfer from it. Addresses are plain byte addresses here; the API around it keeps the types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import CodeType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sluicegate.dma.direction import DmaDirection
from sluicegate.iova.sorted_keys import SortedKeys

if TYPE_CHECKING:
    from sluicegate.dma.device import Device


class MappingKind(Enum):
    """Which family of calls made a mapping (dma-debug's entry types, finer).

    ``label`` names it in reports; ``error_must_be_checked``: the driver has to test the result of the map call before it unmaps;
    ``streaming``: CPU and device take turns in owning the bytes.
    """

    SINGLE = ("single", True, True)
    PAGE = ("page", True, True)
    PHYS = ("phys", True, True)
    SG = ("sg", False, True)
    COHERENT = ("coherent", False, False)
    NONCOHERENT = ("noncoherent", False, True)
    RESOURCE = ("resource", True, False)
    IOVA = ("iova", False, True)
    PEER = ("peer", True, False)

    def __init__(self, label: str, error_must_be_checked: bool, streaming: bool) -> None:
        # Plain attributes: a property of an enum costs the mapping path more than the rest of its bookkeeping.
        self.label = label
        self.error_must_be_checked = error_must_be_checked
        self.streaming = streaming


class Piece(NamedTuple):
    """Bytes that are contiguous on both sides: device addresses from ``dma``, CPU physical addresses from ``phys``."""

    dma: int
    phys: int
    length: int


class Mapping:
    """One live mapping (for a scatterlist: one returned segment).

    ``dma`` and ``size`` are what the driver got; ``pieces`` say where each byte really is. ``cpu_owned`` lists the
    half-open ranges of device addresses that a sync gave to the CPU. ``visible``: the device may use it (links are not, before
    their sync). ``bus_address``: a peer's bus address, which switches route and no IOMMU sees. ``code`` and ``line`` are the
    place of the map call.
    """

    __slots__ = (
        "attrs",
        "bus_address",
        "code",
        "cpu_owned",
        "device",
        "direction",
        "dma",
        "error_checked",
        "kind",
        "line",
        "live",
        "phys",
        "pieces",
        "sg_call_ents",
        "sg_mapped_ents",
        "size",
        "visible",
    )

    def __init__(
        self,
        device: Device,
        kind: MappingKind,
        dma: int,
        size: int,
        direction: DmaDirection,
        attrs: int,
        phys: int,
        code: CodeType | None = None,
        line: int = 0,
        pieces: tuple[Piece, ...] | None = None,
        sg_call_ents: int = 0,
        sg_mapped_ents: int = 0,
        visible: bool = True,
        bus_address: bool = False,
    ) -> None:
        self.device = device
        self.kind = kind
        self.dma = dma
        self.size = size
        self.direction = direction
        self.attrs = attrs
        self.phys = phys
        self.code = code
        self.line = line
        self.pieces = pieces
        self.sg_call_ents = sg_call_ents
        self.sg_mapped_ents = sg_mapped_ents
        self.visible = visible
        self.bus_address = bus_address
        self.error_checked = False
        self.live = True
        self.cpu_owned: tuple[tuple[int, int], ...] = ()

    @property
    def end(self) -> int:
        """First device address after the mapping."""
        return self.dma + self.size

    @property
    def site(self) -> str:
        """Where the driver made the mapping, as ``file:line in function``."""
        if self.code is None:
            return "an unknown place"
        return f"{self.code.co_filename.rsplit('/', 1)[-1]}:{self.line} in {self.code.co_name}"

    def all_pieces(self) -> tuple[Piece, ...]:
        """Where the bytes are, in order of device address."""
        return self.pieces if self.pieces is not None else (Piece(self.dma, self.phys, self.size),)

    def locate(self, dma: int, length: int) -> list[Piece]:
        """The part of the pieces that ``[dma, dma + length)`` covers."""
        end = dma + length
        result = []
        for piece in self.all_pieces():
            first, last = max(dma, piece.dma), min(end, piece.dma + piece.length)
            if first < last:
                result.append(Piece(first, piece.phys + first - piece.dma, last - first))
        return result

    def give_to_cpu(self, start: int, end: int) -> None:
        """The CPU owns ``[start, end)`` (device addresses) from now on."""
        self.cpu_owned = tuple(_merged([*self.cpu_owned, (start, end)]))

    def give_to_device(self, start: int, end: int) -> None:
        """The device owns ``[start, end)`` from now on."""
        kept: list[tuple[int, int]] = []
        for first, last in self.cpu_owned:
            if first < start:
                kept.append((first, min(last, start)))
            if last > end:
                kept.append((max(first, end), last))
        self.cpu_owned = tuple(kept)

    def device_owns(self, start: int, end: int) -> bool:
        """Whether the device owns any byte of ``[start, end)``."""
        at = start
        for first, last in self.cpu_owned:
            if first > at:
                break
            at = max(at, last)
        return at < end

    def cpu_owns(self, start: int, end: int) -> bool:
        """Whether the CPU owns any byte of ``[start, end)``."""
        return any(first < end and start < last for first, last in self.cpu_owned)

    def __repr__(self) -> str:
        return (
            f"<{self.kind.label} mapping of {self.device.name}: {self.dma:#x}+{self.size:#x} -> {self.phys:#x} "
            f"{self.direction.name}, mapped at {self.site}>"
        )


def _merged(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start = end = -1
    for first, last in sorted(ranges):
        if first > end:
            if end > start:
                yield start, end
            start, end = first, last
        else:
            end = max(end, last)
    if end > start:
        yield start, end


_Entry = tuple[int, Mapping]
"""Length and mapping."""


class RangeIndex:
    """Mappings by a start address, with containment and overlap queries; insertions are sorted only when a query needs it."""

    __slots__ = ("_added", "_by_start", "_longest", "_removed", "_starts")

    def __init__(self) -> None:
        # A lone mapping of a start, as nearly all are, is stored without a list around it.
        self._by_start: dict[int, _Entry | list[_Entry]] = {}
        self._starts = SortedKeys()
        self._added: set[int] = set()
        self._removed: set[int] = set()
        self._longest = 1

    def _entries(self, start: int) -> list[_Entry]:
        found = self._by_start.get(start)
        return [] if found is None else found if isinstance(found, list) else [found]

    def add(self, start: int, length: int, mapping: Mapping) -> None:
        entry = length, mapping
        found = self._by_start.setdefault(start, entry)
        if found is entry:
            if start in self._removed:
                self._removed.remove(start)
            else:
                self._added.add(start)
        elif isinstance(found, list):
            found.append(entry)
        else:
            self._by_start[start] = [found, entry]
        if length > self._longest:
            self._longest = length

    def remove(self, start: int, mapping: Mapping) -> None:
        found = self._by_start[start]
        if isinstance(found, list):
            del found[next(index for index, (_, candidate) in enumerate(found) if candidate is mapping)]
            if found:
                return
        del self._by_start[start]
        if start in self._added:
            self._added.remove(start)
        else:
            self._removed.add(start)

    def at(self, start: int) -> list[Mapping]:
        """Mappings that start exactly there, oldest first."""
        return [mapping for _, mapping in self._entries(start)]

    def overlapping(self, start: int, end: int) -> list[Mapping]:
        """Mappings that share a byte with ``[start, end)``, by descending start."""
        if len(self._added) + len(self._removed) > len(self._by_start) // 4 + 64:
            self._starts = SortedKeys(self._by_start)
            self._longest = max((length for start in self._by_start for length, _ in self._entries(start)), default=1)
        else:
            for key in self._removed:
                self._starts.remove(key)
            for key in self._added:
                self._starts.add(key)
        self._added.clear()
        self._removed.clear()
        result: list[Mapping] = []
        at = self._starts.floor(end - 1)
        while at is not None and at + self._longest > start:
            for length, mapping in self._entries(at):
                if at + length > start:
                    result.append(mapping)
            at = self._starts.floor(at - 1)
        return result


@dataclass(frozen=True)
class MappingTable:
    """Every piece of every live mapping as parallel arrays ``[n]`` (uint64; ``direction`` uint8), sorted by device address."""

    dma: NDArray[np.uint64]
    phys: NDArray[np.uint64]
    length: NDArray[np.uint64]
    direction: NDArray[np.uint8]


class LedgerObserver(Protocol):
    """Somebody who follows what a device has mapped."""

    def on_mapped(self, mapping: Mapping) -> None:
        """The mapping is complete; nothing has used it yet."""

    def on_unmapped(self, mapping: Mapping) -> None:
        """The mapping is gone, for streaming mappings with its invalidation."""


class Ledger:
    """Live mappings of one device. Each of ``observers`` is told of every change."""

    def __init__(self) -> None:
        self.observers: Final[list[LedgerObserver]] = []
        self._live: dict[int, Mapping] = {}
        self._by_dma = RangeIndex()

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[Mapping]:
        """Live mappings, oldest first."""
        return iter(self._live.values())

    def add(self, mapping: Mapping) -> None:
        self._live[id(mapping)] = mapping
        self._by_dma.add(mapping.dma, mapping.size, mapping)
        for observer in self.observers:
            observer.on_mapped(mapping)

    def remove(self, mapping: Mapping) -> None:
        del self._live[id(mapping)]
        self._by_dma.remove(mapping.dma, mapping)
        mapping.live = False
        for observer in self.observers:
            observer.on_unmapped(mapping)

    def at(self, dma: int) -> list[Mapping]:
        """Mappings whose first byte has that device address."""
        return self._by_dma.at(dma)

    def containing(self, dma: int, size: int) -> list[Mapping]:
        """Mappings that hold all of ``[dma, dma + size)``."""
        return [
            mapping for mapping in self._by_dma.overlapping(dma, dma + size) if mapping.dma <= dma and dma + size <= mapping.end
        ]

    def overlapping(self, dma: int, size: int) -> list[Mapping]:
        """Mappings that share a byte with ``[dma, dma + size)``."""
        return self._by_dma.overlapping(dma, dma + size)

    def table(self) -> MappingTable:
        """The whole ledger in numpy arrays."""
        rows = sorted((piece, mapping.direction) for mapping in self for piece in mapping.all_pieces())
        return MappingTable(
            np.array([piece.dma for piece, _ in rows], dtype=np.uint64),
            np.array([piece.phys for piece, _ in rows], dtype=np.uint64),
            np.array([piece.length for piece, _ in rows], dtype=np.uint64),
            np.array([direction for _, direction in rows], dtype=np.uint8),
        )
