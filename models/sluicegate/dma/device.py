"""A device that does DMA: its masks and limits, its back end, and the ledger of what it has mapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from sluicegate.arguments import instance, unsigned
from sluicegate.dma.backends.base import DmaBackend, dma_bit_mask
from sluicegate.dma.backends.direct import DirectBackend
from sluicegate.dma.debug import DebugMode
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.host import Host, NotCleanError
from sluicegate.dma.ledger import Ledger, Mapping, MappingTable

if TYPE_CHECKING:
    from sluicegate.dma.device_memory import DeviceCoherentMemory
    from sluicegate.pci.topology import PciDevice


class MaskState(Enum):
    """What the driver has told about the device's addressing."""

    UNSET = "unset"
    SET = "set"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DmaRange:
    """One entry of a device's ``dma_range_map``: CPU physical addresses from ``cpu_start`` are at ``dma_start`` on its bus."""

    cpu_start: int
    dma_start: int
    size: int


class DeviceRemovedError(Exception):
    """A call on a device that was removed."""


class Device:
    """A device of ``host``.

    Args:
        host: the machine.
        name: what reports call it; unique in the host.
        backend: direct by default; a :class:`~sluicegate.dma.backends.iommu.DmaIommu` puts it behind an IOMMU.
        coherent: the device sees CPU stores, and the CPU its writes, without cache maintenance.
        pci: the PCI function, for peer-to-peer decisions; None for a device that is not on PCI.
        parent: the device it hangs from; its nearest PCI ancestor counts for peer-to-peer distances.
        dma_mask: streaming mask at probe time, None for a bus that gave no mask storage.
        coherent_dma_mask: coherent mask at probe time.
        bus_dma_limit: highest address the bus passes, 0 for no limit.
        range_map: translation of a bus whose addresses differ from the CPU's.
        untrusted: external device; everything not granule-aligned is bounced.
        force_bounce: direct back end: every mapping goes through swiotlb.
        prefer_32bit: try addresses below 4 GiB first (default: PCI devices, as the kernel at attach).
        max_seg_size, seg_boundary_mask, min_align_mask: limits at probe time, 0 for the API's default.
        has_parameters: the bus gave the device a parameter block (``dma_parms``); without it the limits cannot be set.
        debug_mode: overrides the host's.
    """

    def __init__(
        self,
        host: Host,
        name: str,
        *,
        backend: DmaBackend | None = None,
        coherent: bool = True,
        pci: PciDevice | None = None,
        parent: Device | None = None,
        dma_mask: int | None = dma_bit_mask(32),
        coherent_dma_mask: int = dma_bit_mask(32),
        bus_dma_limit: int = 0,
        range_map: Sequence[DmaRange] = (),
        untrusted: bool = False,
        force_bounce: bool = False,
        prefer_32bit: bool | None = None,
        max_seg_size: int = 0,
        seg_boundary_mask: int = 0,
        min_align_mask: int = 0,
        has_parameters: bool = True,
        debug_mode: DebugMode | None = None,
    ) -> None:
        instance(host, (Host,), "Device: host")
        instance(name, (str,), "Device: name")
        instance(parent, (Device, type(None)), "Device: parent")
        numbers = {
            "dma_mask": 0 if dma_mask is None else dma_mask,
            "coherent_dma_mask": coherent_dma_mask,
            "bus_dma_limit": bus_dma_limit,
            "max_seg_size": max_seg_size,
            "seg_boundary_mask": seg_boundary_mask,
            "min_align_mask": min_align_mask,
        }
        for what, number in numbers.items():
            unsigned(number, f"Device: {what}")
        if any(other.name == name for other in host.devices):
            raise ValueError(f"the host already has a device {name!r}: give each device its own name")
        self.host: Final = host
        self.name: Final[str] = name
        self.backend: Final[DmaBackend] = DirectBackend() if backend is None else backend
        self.coherent: Final = coherent
        self.pci: Final = pci
        self.parent: Final = parent
        self.dma_mask = dma_mask
        self.coherent_dma_mask = coherent_dma_mask
        self.mask_aliases_coherent = False
        self.mask_state = MaskState.UNSET
        self.bus_dma_limit: Final = bus_dma_limit
        self.range_map: Final = tuple(range_map)
        self.untrusted: Final = untrusted
        self.force_bounce: Final = force_bounce
        self.prefer_32bit = pci is not None if prefer_32bit is None else prefer_32bit
        self.max_seg_size = max_seg_size
        self.seg_boundary_mask = seg_boundary_mask
        self.min_align_mask = min_align_mask
        self.has_parameters: Final = has_parameters
        self.skip_sync = False
        self.coherent_memory: DeviceCoherentMemory | None = None
        self.ledger: Final = Ledger()
        self.managed: Final[dict[int, tuple[int, int]]] = {}
        self.in_flight: Final[list[tuple[int, int]]] = []
        self.removed = False
        self._debug_mode = debug_mode
        self._at_detach: list[Callable[[], None]] = []
        host.devices.append(self)

    @property
    def debug_mode(self) -> DebugMode:
        """The device's own mode, else the host's."""
        return self.host.debug.mode if self._debug_mode is None else self._debug_mode

    @debug_mode.setter
    def debug_mode(self, mode: DebugMode | None) -> None:
        self._debug_mode = mode

    def check_present(self) -> None:
        """Raise :class:`DeviceRemovedError` for a removed device."""
        if self.removed:
            raise DeviceRemovedError(f"{self.name} was removed: no call may name it any more")

    def report(self, error_class: DebugClass, message: str) -> None:
        """Report a broken rule of this device's driver."""
        self.host.debug.report(error_class, self, message)

    def add_mapping(self, mapping: Mapping) -> None:
        """Enter a mapping into the ledger."""
        self.ledger.add(mapping)
        self.host.debug.entry_added(mapping)
        if mapping.kind.streaming and mapping.pieces != ():
            self.host.mapping_added(mapping)

    def remove_mapping(self, mapping: Mapping) -> None:
        """Take a mapping out of the ledger."""
        self.ledger.remove(mapping)
        self.host.debug.entry_removed(mapping)
        if mapping.kind.streaming and mapping.pieces != ():
            self.host.mapping_removed(mapping)

    def mappings(self) -> tuple[Mapping, ...]:
        """Everything mapped now, oldest first."""
        return tuple(self.ledger)

    def mapping_table(self) -> MappingTable:
        """Everything mapped now, as numpy arrays."""
        return self.ledger.table()

    def assert_clean(self) -> None:
        """Raise :class:`NotCleanError`, naming each mapping and its call site, unless nothing is mapped."""
        if len(self.ledger):
            listed = "; ".join(repr(mapping) for mapping in list(self.ledger)[:8])
            raise NotCleanError(f"{self.name} still has {len(self.ledger)} mappings: {listed}")

    def on_detach(self, action: Callable[[], None]) -> None:
        """Run ``action`` when the driver lets go of the device (managed resources), last registered first."""
        self._at_detach.append(action)

    def detach_driver(self) -> int:
        """The driver unbinds: managed allocations go, and what is still mapped is reported. Returns the count of it."""
        self.check_present()
        while self._at_detach:
            self._at_detach.pop()()
        pending = len(self.ledger)
        if pending:
            self.report(
                DebugClass.PENDING_AT_UNBIND, f"the driver left {pending} mappings, for example {next(iter(self.ledger))!r}"
            )
        return pending

    def remove(self) -> None:
        """The device goes away: detach its driver, and refuse every later call."""
        self.detach_driver()
        self.removed = True
        self.host.devices.remove(self)

    def __repr__(self) -> str:
        return f"<Device {self.name} ({self.backend.name})>"
