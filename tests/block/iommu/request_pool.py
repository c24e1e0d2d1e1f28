"""Random requests of a machine. They are drawn from a pool that grows, so that hits, merges and misses mix and an answer of the
model serves many requests; each gets its own offset in the page."""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto
from random import Random

import numpy as np
from numpy.typing import NDArray
from sluicegate.iommu.request import AddressType, Request

from tb.bridge.native import TRANSLATION_DTYPE
from tests.block.iommu.bench import request_bits
from tests.block.iommu.edits import Target
from tests.block.iommu.page_tables import Slot
from tests.block.iommu.random_machine import DC_ATS, DC_DPE, DC_T2GPA, Device, RandomMachine, Space
from tests.block.iommu.table_entries import PPN_SHIFT, U

REQUESTERS = 3
"""How many send requests for a special purpose in a round."""
ADDRESS_MASK = (1 << 64) - 1


class Purpose(Enum):
    """What new requests are for."""

    ANYTHING = auto()
    EVERY_TYPE = auto()
    """ATS translation requests and translated requests are as likely as others, where the device may send them."""
    LARGE_PAGES = auto()
    """A third of every type, to pages beyond 4 KiB of those first stages whose pair of modes was aimed at least so far."""
    MESSAGES = auto()
    """Of every type, often to interrupt files, by devices that may send translated requests if there are any."""


WORKING_SETS = (1, 6, 24, 80)
"""Pages that a round may concentrate on: one, few, about as many as the first IOTLB holds, and more."""


class RequestPool:
    """Requests (at the first byte of their page) by number, and where each aims. ``aimed``: how often requests for large pages
    were aimed at each pair of first-stage and second-stage mode, on machines before too."""

    def __init__(self, random: Random, machine: RandomMachine, aimed: Counter[tuple[int, int]]) -> None:
        self._random = random
        self._machine = machine
        self._aimed = aimed
        self.requests: list[Request] = []
        self.targets: list[Target] = []
        self._records = np.zeros(0, TRANSLATION_DTYPE)
        self._choices: list[tuple[Device, int | None, Space | None]] = []
        for device in machine.devices:
            if device.directory is None:
                self._choices.append((device, None, device.space))
            else:
                self._choices += [(device, process_id, space) for process_id, space in device.spaces.items()]
                self._choices.append((device, None, device.spaces[0] if device.control & DC_DPE else None))

    def fresh(self, count: int, purpose: Purpose) -> list[int]:
        """New requests of some requesters; their numbers."""
        chosen = [self._random.choice(self._choices) for _ in range(self._random.randrange(1, 6))]
        if purpose is Purpose.MESSAGES:
            senders = [choice for choice in self._choices if choice[0].guest.msi is not None]
            translated = [choice for choice in senders if choice[0].control & DC_T2GPA]
            chosen = self._random.choices(translated or senders or chosen, k=REQUESTERS)
        if purpose is Purpose.LARGE_PAGES:
            rarest = sorted(self._choices, key=lambda choice: (self._aimed[_modes(choice[2])], self._random.random()))
            chosen = [choice for choice in rarest if choice[2] is not None and choice[2].stage.mode][:REQUESTERS] or chosen
        first = len(self.requests)
        for _ in range(count):
            device, process_id, space = self._random.choice(chosen)
            if process_id is not None:
                space = device.spaces[process_id]
            self._make(device, process_id, space, purpose)
        new = np.zeros(count, TRANSLATION_DTYPE)
        for record, request in zip(new, self.requests[first:], strict=True):
            record["iova"], record["device_id"] = request.iova, request.device_id
            record["process_id"], record["bits"] = request.process_id, request_bits(request)
        self._records = np.concatenate((self._records, new))
        return list(range(first, first + count))

    def records(self, numbers: NDArray[np.intp], offsets: NDArray[np.uint64]) -> NDArray[np.void]:
        """The requests of ``numbers``, each at an offset in its page."""
        records = self._records[numbers]
        records["iova"] |= offsets
        return records

    def _make(self, device: Device, process_id: int | None, space: Space | None, purpose: Purpose) -> None:
        random = self._random
        slots = space.slots if space is not None else device.guest.stage.slots if device.guest.stage.mode else []
        if purpose is Purpose.LARGE_PAGES:
            self._aimed[_modes(space)] += 1
            slots = [slot for slot in slots if slot.bytes > 4096] or slots
        slot = self._slot(slots) if slots else None
        self.targets.append(Target(device, process_id, space, slot))
        kind = AddressType.UNTRANSLATED
        every_type = purpose is not Purpose.ANYTHING and (purpose is not Purpose.LARGE_PAGES or random.randrange(3) == 0)
        # Without EN_ATS both are merely disallowed.
        draw = random.randrange(100 if not device.control & DC_ATS else 13 if every_type else 24)
        if draw < 5:
            kind = AddressType.TRANSLATION_REQUEST
        elif draw < 9:
            kind = AddressType.TRANSLATED
        iova = self._iova(device, space, slot, kind, 20 if purpose is Purpose.MESSAGES else 6)
        device_id = device.device_id
        if random.randrange(40) == 0:
            device_id = random.choice(self._machine.absent)
        valid = process_id is not None
        if device.directory is None:
            valid = random.randrange(30) == 0
        elif random.randrange(24) == 0:
            process_id = random.getrandbits(20)
            valid = True
        probe = kind is AddressType.TRANSLATION_REQUEST
        write = not probe and random.randrange(2) == 0
        request = Request(
            device_id,
            iova & ADDRESS_MASK & ~0xFFF,
            write=write,
            address_type=kind,
            process_id=(process_id or 0) if valid else 0,
            pasid_valid=valid,
            priv=valid and random.randrange(3) < (2 if slot is not None and self._is_supervisor_page(space, slot) else 1),
            exec=not write and random.randrange(3 if kind is AddressType.UNTRANSLATED else 2) == 0,
            no_write=probe and random.randrange(2) == 0,
        )
        self.requests.append(request)

    @staticmethod
    def _is_supervisor_page(space: Space | None, slot: Slot) -> bool:
        return space is not None and slot in space.stage.slots and bool(space.stage.mode) and not space.stage.read_leaf(slot) & U

    def _slot(self, slots: list[Slot]) -> Slot:
        """One of ``slots``: single pages more often than any larger size, of which each is as likely."""
        size = self._random.choice((12, 12, *sorted({slot.bytes.bit_length() - 1 for slot in slots})))
        return self._random.choice([slot for slot in slots if slot.bytes == 1 << size] or slots)

    def _iova(self, device: Device, space: Space | None, slot: Slot | None, kind: AddressType, messages: int) -> int:
        """An address for a request; ``messages`` of 32 guest addresses are those of interrupt files."""
        random, guest = self._random, device.guest
        draw = random.randrange(32)
        if draw == 0 or slot is None:
            return random.getrandbits(random.choice((40, 50, 64)))
        first_stage = space is not None and space.stage.mode and kind is not AddressType.TRANSLATED
        if draw == 1:
            # Just outside of what the stage can map.
            stage = space.stage if space is not None and first_stage else guest.stage
            return slot.address + (1 << 12 + 9 * stage.levels + (2 if stage is guest.stage else 0))
        if not first_stage and guest.stage.mode:
            if guest.msi is not None and draw < 2 + messages:
                return guest.msi.page(random.randrange(guest.msi.files)) << 12
            slot = self._slot(guest.stage.slots)
            if guest.msi is not None and slot.level == 1 and draw < 20:
                return (guest.msi.pattern << 12) + random.randrange(-8, 24) * 4096
        elif guest.stage.mode and space is not None and draw < 24 and slot.bytes > 4096:
            # The part of a large first-stage page that something in the guest lies in.
            target = (space.stage.read_leaf(slot) >> PPN_SHIFT & (1 << 44) - 1) << 12 & ~(slot.bytes - 1)
            inside = [other for other in guest.stage.slots if target <= other.address < target + slot.bytes]
            if inside:
                other = random.choice(inside)
                offset = random.randrange(0, min(other.bytes, slot.bytes), 4096) if random.randrange(2) else 0
                return slot.address + (other.address - target + offset) % slot.bytes
        # Few places in a large page, some of them neighbours.
        return slot.address + random.choice((0, 1, 2, 5, 0x1FF, 0x10)) * 4096 % slot.bytes


def _modes(space: Space | None) -> tuple[int, int]:
    """Modes of both stages."""
    return (0, 0) if space is None else (space.stage.mode, space.guest.stage.mode)
