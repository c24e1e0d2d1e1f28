"""Random requests to the address spaces of a small machine, of every address type."""

from __future__ import annotations

import numpy as np
from sluicegate.iommu.request import AddressType, Request

from tests.block.iommu.address_spaces import AddressSpaces, Device

_KINDS = (AddressType.UNTRANSLATED, AddressType.TRANSLATION_REQUEST, AddressType.TRANSLATED)


class RequestGenerator:
    """Draws from ``random``; ``spaces`` says which devices, processes and addresses there are."""

    def __init__(self, random: np.random.Generator, spaces: AddressSpaces) -> None:
        self._random = random
        self._spaces = spaces

    def choose(self, low: int, high: int) -> int:
        """A random integer in ``low .. high - 1``."""
        return int(self._random.integers(low, high))

    def requester(self) -> tuple[Device, int | None]:
        """A device and one of its process IDs (None: without PASID); one in eight is a process that it does not have."""
        device = self._spaces.devices[self.choose(0, len(self._spaces.devices))]
        processes = list(device.spaces)
        process = processes[self.choose(0, len(processes))]
        return device, self.choose(1, 16) if process is not None and self.choose(0, 8) == 0 else process

    def request(self, device: Device, process: int | None, astray: bool = True) -> Request:
        """A request of that requester, mostly untranslated; ``astray``: one in thirty goes to no address of its space."""
        spaces = list(device.spaces.values())
        slots = device.spaces.get(process, spaces[0]).stage.slots
        slot = slots[min(self.choose(0, len(slots)), self.choose(0, len(slots)))]
        lost = astray and self.choose(0, 30) == 0
        iova = self.choose(0, 1 << 62) if lost else slot.address + self.choose(0, slot.bytes)
        kind = _KINDS[self.choose(0, 3) if self.choose(0, 6) == 0 else 0]
        probe = kind is AddressType.TRANSLATION_REQUEST
        write = not probe and self.choose(0, 2) == 0
        return Request(
            device.device_id,
            iova,
            write=write,
            address_type=kind,
            process_id=process or 0,
            pasid_valid=process is not None,
            priv=process is not None and self.choose(0, 4) == 0,
            exec=not write and self.choose(0, 5) == 0,
            no_write=probe and self.choose(0, 2) == 0,
        )
