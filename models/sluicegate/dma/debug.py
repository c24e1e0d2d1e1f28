"""dma-debug: where reports go, and the checks on live mappings (specification DMA_API, section 2)."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from types import CodeType
from typing import TYPE_CHECKING, Final

from sluicegate.address import DMA_MAPPING_ERROR
from sluicegate.dma.attrs import IGNORE_CACHELINES, REQUIRE_COHERENT, SKIP_CPU_SYNC
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.ledger import Mapping, MappingKind

if TYPE_CHECKING:
    from sluicegate.dma.device import Device

MAX_CACHELINE_OVERLAPS: Final = 7
_API_PACKAGES: Final = ("sluicegate.dma", "sluicegate.p2pdma", "sluicegate.arguments")


class DebugMode(Enum):
    """What a report does."""

    STRICT = "strict"
    """Raise :class:`DmaDebugError`; the call that broke the rule changes nothing. Exhausted resources are only counted."""
    LOG = "log"
    """Count and keep the report; the call goes on as the kernel's does."""
    OFF = "off"
    """Check nothing."""


@dataclass(frozen=True, slots=True)
class DebugReport:
    """One broken rule."""

    error_class: DebugClass
    device: str
    message: str

    def __str__(self) -> str:
        return f"{self.device}: {self.message} [{self.error_class.identifier}: {self.error_class.rule}]"


class DmaDebugError(Exception):
    """A broken rule in strict mode."""

    def __init__(self, report: DebugReport) -> None:
        super().__init__(str(report))
        self.report = report
        self.error_class = report.error_class


# Resources that ran out: reported, but for the driver an ordinary failure of the call.
_NO_DRIVER_ERROR: Final = frozenset({DebugClass.BOUNCE_FULL, DebugClass.ADDRESS_OVERFLOW, DebugClass.OUT_OF_ENTRIES})


def caller() -> tuple[CodeType, int]:
    """Code and line of the nearest frame outside the API: where the driver made the call."""
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__", "").startswith(_API_PACKAGES) and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code, frame.f_lineno


class DmaDebug:
    """Reports of one host, and the state that checks across devices need.

    ``entry_limit`` bounds the live mappings that are tracked (None: no bound). ``driver_filter`` limits what is printed to one
    device, and ``print_limit`` how many reports are (None: all); neither changes what is counted. ``require_mask`` also reports
    mappings of a device whose driver never set a mask.
    """

    def __init__(
        self,
        mode: DebugMode = DebugMode.STRICT,
        *,
        entry_limit: int | None = None,
        print_report: Callable[[str], None] | None = None,
        print_limit: int | None = 1,
        driver_filter: str | None = None,
        require_mask: bool = True,
    ) -> None:
        self.mode = mode
        self.entry_limit = entry_limit
        self.driver_filter = driver_filter
        self.require_mask = require_mask
        self.reports: list[DebugReport] = []
        self.counts: Counter[DebugClass] = Counter()
        self.entries = 0
        self._print = print_report
        self._print_limit = print_limit
        self._cachelines: dict[int, list[Mapping]] = {}

    @property
    def error_count(self) -> int:
        """Reports so far."""
        return len(self.reports)

    def report(self, error_class: DebugClass, device: Device, message: str) -> None:
        """Count a broken rule; raise it in strict mode."""
        mode = device.debug_mode
        if mode is DebugMode.OFF:
            return
        report = DebugReport(error_class, device.name, message)
        self.reports.append(report)
        self.counts[error_class] += 1
        wanted = self.driver_filter is None or self.driver_filter == device.name
        if self._print is not None and wanted and self._print_limit != 0:
            if self._print_limit is not None:
                self._print_limit -= 1
            self._print(str(report))
        if mode is DebugMode.STRICT and error_class not in _NO_DRIVER_ERROR:
            raise DmaDebugError(report)

    def entry_added(self, mapping: Mapping) -> None:
        """Count a tracked mapping and its cache line; switch off when there are too many."""
        self.entries += 1
        if self.entry_limit is not None and self.entries > self.entry_limit and self.mode is not DebugMode.OFF:
            message = f"{self.entries} live mappings, {self.entry_limit} can be tracked"
            self.report(DebugClass.OUT_OF_ENTRIES, mapping.device, message)
            self.mode = DebugMode.OFF
        if self._tracks_cacheline(mapping):
            self._cachelines.setdefault(mapping.phys // mapping.device.host.cache_line, []).append(mapping)

    def entry_removed(self, mapping: Mapping) -> None:
        """The counterpart of :meth:`entry_added`."""
        self.entries -= 1
        if self._cachelines:
            line = mapping.phys // mapping.device.host.cache_line
            sharers = self._cachelines.get(line, [])
            if mapping in sharers:
                sharers.remove(mapping)
                if not sharers:
                    del self._cachelines[line]

    def check_cacheline(self, device: Device, kind: MappingKind, phys: int, direction: DmaDirection, attrs: int) -> None:
        """D21 and D22, before a mapping is made."""
        host = device.host
        if not host.tracks_cachelines or direction is DmaDirection.TO_DEVICE or kind in _NOT_CACHED:
            return
        sharers = self._cachelines.get(phys // host.cache_line)
        if not sharers:
            return
        clean = _cache_clean(attrs)
        if len(sharers) > MAX_CACHELINE_OVERLAPS and not clean:
            self.report(
                DebugClass.CACHELINE_OVERLAPS_EXCEEDED,
                device,
                f"{len(sharers) + 1} mappings share the cache line of {phys:#x}",
            )
        if attrs & SKIP_CPU_SYNC or (clean and all(_cache_clean(sharer.attrs) for sharer in sharers)):
            return
        self.report(
            DebugClass.OVERLAPPING_CACHELINE,
            device,
            f"{phys:#x} shares its cache line with {sharers[0]!r}",
        )

    def _tracks_cacheline(self, mapping: Mapping) -> bool:
        host = mapping.device.host
        return host.tracks_cachelines and mapping.direction is not DmaDirection.TO_DEVICE and mapping.kind not in _NOT_CACHED


_NOT_CACHED: Final = (MappingKind.RESOURCE, MappingKind.PEER)


def _cache_clean(attrs: int) -> bool:
    return bool(attrs & (IGNORE_CACHELINES | REQUIRE_COHERENT))


def match_unmap(
    device: Device,
    kind: MappingKind,
    dma: int,
    size: int | None,
    direction: DmaDirection,
    *,
    sg_call_ents: int = 0,
    cpu_address: int | None = None,
    attrs: int | None = None,
    taken: Collection[Mapping] = (),
) -> Mapping | None:
    """The mapping that an unmap or free means, after the checks D1 to D8. None when there is none.

    ``size`` None leaves the size out. ``taken`` are mappings that the same call has matched already.
    """
    candidates = device.ledger.at(dma)
    if taken:
        candidates = [candidate for candidate in candidates if candidate not in taken]
    entry = None
    if len(candidates) == 1:
        entry = candidates[0]
    else:
        for candidate in candidates:
            if (
                candidate.kind is kind
                and (size is None or candidate.size == size)
                and candidate.direction is direction
                and candidate.sg_call_ents == sg_call_ents
            ):
                entry = candidate
                break
    debug = device.host.debug
    if entry is None:
        if dma == DMA_MAPPING_ERROR:
            debug.report(DebugClass.FREE_INVALID_ADDRESS, device, "unmap or free of the error value")
        else:
            several = f", {len(candidates)} mappings start there and none fits" if candidates else ""
            debug.report(DebugClass.FREE_NOT_ALLOCATED, device, f"nothing is mapped at {dma:#x}{several}")
        return None
    if device.debug_mode is DebugMode.OFF:
        return entry
    if size is not None and entry.size != size:
        debug.report(DebugClass.FREE_DIFFERENT_SIZE, device, f"{size} bytes given for {entry!r}")
    if entry.kind is not kind:
        debug.report(DebugClass.FREE_WRONG_FUNCTION, device, f"the {kind.label} call was used for {entry!r}")
    elif cpu_address is not None and entry.phys != cpu_address:
        debug.report(DebugClass.FREE_DIFFERENT_CPU_ADDRESS, device, f"CPU address {cpu_address:#x} given for {entry!r}")
    if kind is MappingKind.SG and entry.kind is kind and sg_call_ents != entry.sg_call_ents:
        debug.report(
            DebugClass.SG_FREE_DIFFERENT_COUNT,
            device,
            f"{sg_call_ents} entries given, "
            f"{entry.sg_call_ents} were mapped (into {entry.sg_mapped_ents} segments) at {entry.site}",
        )
    if entry.direction is not direction:
        debug.report(DebugClass.FREE_DIFFERENT_DIRECTION, device, f"{direction.name} given for {entry!r}")
    if not entry.error_checked and entry.kind.error_must_be_checked:
        error_class = DebugClass.PEER_ERROR_NOT_CHECKED if entry.kind is MappingKind.PEER else DebugClass.MAP_ERROR_NOT_CHECKED
        debug.report(error_class, device, f"the result of the map call was never tested: {entry!r}")
    if attrs is not None and (attrs ^ entry.attrs) & ~SKIP_CPU_SYNC:
        debug.report(DebugClass.ATTRS_MISMATCH, device, f"attributes {attrs:#x} given, {entry.attrs:#x} mapped: {entry!r}")
    return entry


def match_sync(
    device: Device, dma: int, size: int, direction: DmaDirection, *, for_cpu: bool, sg_call_ents: int | None = None
) -> Mapping | None:
    """The mapping that a sync means, after the checks D9 to D14. None when there is none."""
    entry = None
    starting = [mapping for mapping in device.ledger.at(dma) if size <= mapping.size]
    for candidate in starting or device.ledger.containing(dma, size):
        if entry is None or candidate.direction is direction:
            entry = candidate
    debug = device.host.debug
    if entry is None:
        debug.report(DebugClass.SYNC_NOT_ALLOCATED, device, f"no live mapping holds all of {dma:#x}+{size:#x}")
        return None
    if device.debug_mode is DebugMode.OFF or entry.direction is DmaDirection.BIDIRECTIONAL:
        return entry
    if direction is not entry.direction:
        debug.report(DebugClass.SYNC_DIFFERENT_DIRECTION, device, f"{direction.name} given for {entry!r}")
    if for_cpu and entry.direction is not DmaDirection.FROM_DEVICE and direction is not DmaDirection.TO_DEVICE:
        debug.report(DebugClass.SYNC_READ_ONLY_FOR_CPU, device, f"sync for the CPU, {direction.name}, of {entry!r}")
    if not for_cpu and entry.direction is not DmaDirection.TO_DEVICE and direction is not DmaDirection.FROM_DEVICE:
        debug.report(DebugClass.SYNC_WRITE_ONLY_FOR_DEVICE, device, f"sync for the device, {direction.name}, of {entry!r}")
    if sg_call_ents is not None and entry.kind is MappingKind.SG and sg_call_ents != entry.sg_call_ents:
        debug.report(
            DebugClass.SG_SYNC_DIFFERENT_COUNT, device, f"{sg_call_ents} entries given, {entry.sg_call_ents} were mapped"
        )
    return entry
