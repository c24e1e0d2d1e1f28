"""Performance counters and the debug translation port of the IOMMU, as a driver uses them."""

from __future__ import annotations

from dataclasses import dataclass

from sluicegate.driver.iommu import ENABLE_TIMEOUT, IommuDriver, IommuError
from sluicegate.iommu.ats import decode_range
from sluicegate.iommu.registers import HpmEvent, Offset, TranslationRequestControl, counter_offset, event_offset
from sluicegate.iommu.request import MemoryType, Request


@dataclass(frozen=True, slots=True)
class DebugTranslation:
    """What the debug port found: the translated byte address, log2 of the size of its range, and its memory type."""

    spa: int
    page_shift: int
    memory_type: MemoryType


def translate_address(driver: IommuDriver, request: Request) -> DebugTranslation | None:
    """Ask the hardware how it would translate an untranslated request; None when it faults (the record is in the queue).

    Raises IommuError without debug port, and when it does not answer.
    """
    if not driver.capabilities.dbg:
        raise IommuError("the IOMMU has no debug translation port")
    flags = TranslationRequestControl
    control = flags.GO | (flags.NW if not request.write else 0) | (flags.EXE if request.exec else 0)
    if request.pasid_valid:
        control |= flags.PV | (flags.PRIV if request.priv else 0)
    driver.write_register(Offset.TR_REQ_IOVA, request.iova & ~0xFFF, 8)
    driver.write_register(Offset.TR_REQ_CTL, control | request.process_id << 12 | request.device_id << 40, 8)
    if not driver.platform.wait_until(lambda: not driver.read_register(Offset.TR_REQ_CTL, 8) & flags.GO, ENABLE_TIMEOUT):
        raise IommuError(f"the debug port did not answer within {ENABLE_TIMEOUT} cycles")
    response = driver.read_register(Offset.TR_RESPONSE, 8)
    if response & 1:
        return None
    page = response >> 10 & ((1 << 44) - 1)
    base, shift = decode_range(page << 12 | (response >> 9 & 1) << 11)
    offset = request.iova & ((1 << shift) - 1)
    return DebugTranslation(base | offset, shift, MemoryType(response >> 7 & 3))


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which requests count; None counts all. ``guest`` filters by GSCID and PSCID instead of device and process ID."""

    outer: int | None = None
    """Device ID, or GSCID."""
    inner: int | None = None
    """Process ID, or PSCID."""
    guest: bool = False
    mask_outer: bool = False
    """Ignore the low bits of ``outer`` up to and including its first 0."""

    def encode(self, event: HpmEvent) -> int:
        """Value of ``iohpmevt``."""
        value = int(event) | self.mask_outer << 15 | self.guest << 62
        if self.inner is not None:
            value |= self.inner << 16 | 1 << 60
        if self.outer is not None:
            value |= self.outer << 36 | 1 << 61
        return value


_EVERYTHING = EventFilter()


def start_counter(driver: IommuDriver, index: int, event: HpmEvent, selection: EventFilter = _EVERYTHING) -> None:
    """Let event counter ``index`` (from 1) count ``event`` from 0. Raises IommuError where it does not exist."""
    wanted = selection.encode(event)
    driver.write_register(event_offset(index), wanted, 8)
    if driver.read_register(event_offset(index), 8) != wanted:
        raise IommuError(f"event counter {index} does not count {event.name}: it or the event does not exist")
    driver.write_register(counter_offset(index), 0, 8)


def read_counter(driver: IommuDriver, index: int) -> int:
    """Value of event counter ``index`` (from 1)."""
    return driver.read_register(counter_offset(index), 8)
