"""Synthetic logs of a driver at work: marks, descriptors, and what a correct endpoint makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sluicegate.driver.observer import RingLayout
from sluicegate.pci.request_split import split_transfers

from tb.bridge.event_log import EventKind
from tb.scoreboards.marks import MarkingObserver
from tb.scoreboards.transfer_prediction import EndpointRules
from tests.unit.scoreboards.log_builder import words
from tests.unit.scoreboards.machine_log import HIGH, IOVA, LINKS, PEER, REQUESTER, MachineLog

LOCAL_SIZE = 1 << 16
RING = RingLayout(HIGH + 0x10_0000, IOVA + 0x10_0000, 16, HIGH + 0x10_1000, IOVA + 0x10_1000, 8)
INTERRUPT_DMA, INTERRUPT_PHYSICAL, IDENTITY = IOVA + 0x20_0000, 0x2800_0000, 0x41
RULES = tuple(
    EndpointRules(REQUESTER[i], f"endpoint{i}", LINKS.endpoint_up[i], LINKS.endpoint_down[i], LOCAL_SIZE) for i in (0, 1)
)

COPY, FLUSH_OPERATION = 1, 2
HOST, LOCAL, PEER_SPACE = 0, 1, 2
FLUSH, INTERRUPT = 1 << 12, 1 << 13


def descriptor(
    opcode: int,
    spaces: tuple[int, int],
    source: int,
    destination: int,
    length: int,
    cookie: int,
    flags: int = 0,
    following: int = 0,
) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    control = opcode | spaces[0] << 4 | spaces[1] << 6 | flags | length << 32
    return np.array([control, source, destination, 0, cookie, following, 0, 0], dtype=np.uint64)


def requests(address: int, length: int, boundary: int) -> list[tuple[int, int, int]]:
    """(address, offset, length) of the requests of one transfer."""
    split = split_transfers(np.array([address], np.uint64), np.array([length], np.uint64), boundary)
    return list(zip(split.address.tolist(), split.offset.tolist(), split.length.tolist(), strict=True))


@dataclass
class DriverLog(MachineLog):
    """One endpoint (0) with rings, an interrupt target and mapped buffers; ``completed`` counts its completions."""

    completed: int = 0
    slot: int = 0
    tag: int = 0
    local: bytearray = field(default_factory=lambda: bytearray(LOCAL_SIZE))

    def __post_init__(self) -> None:
        self.observer = MarkingObserver(self.write_mark)

    def write_mark(self, kind: int, address: int, first: int, second: int, payload: bytes) -> None:
        header = (first & 0xFFFF_FFFF, first >> 32, second & 0xFFFF_FFFF, second >> 32)
        self.add(EventKind.MARK, address=address, header=header, argument=kind, payload=payload)

    def setup(self) -> None:
        self.pages[RING.descriptor_dma >> 12] = RING.descriptor_physical >> 12
        self.pages[RING.completion_dma >> 12] = RING.completion_physical >> 12
        self.pages[INTERRUPT_DMA >> 12] = INTERRUPT_PHYSICAL >> 12
        self.observer.on_rings(REQUESTER[0], RING)
        self.observer.on_interrupt_target(REQUESTER[0], INTERRUPT_DMA, INTERRUPT_PHYSICAL, IDENTITY)
        for port in (0, 1):
            self.observer.on_local_memory(REQUESTER[port], PEER[port].base, LOCAL_SIZE)

    def map(self, iova: int, segments: list[tuple[int, int]], direction: int) -> None:
        at = iova
        for physical, length in segments:
            for page in range(at >> 12, (at + length - 1 >> 12) + 1):
                self.pages[page] = (physical >> 12) + page - (at >> 12)
            at += length
        self.observer.on_map(REQUESTER[0], iova, segments, direction)

    def submit(self, *descriptors: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> None:
        self.observer.on_submit(REQUESTER[0], self.slot, np.array(descriptors))
        self.slot = (self.slot + sum(int(entry[5]) == 0 for entry in descriptors)) % RING.descriptor_entries

    def fetch(self, slot: int) -> None:
        self.next_tag()
        self.host_read(0, RING.descriptor_dma + 64 * slot, 64, self.tag)

    def next_tag(self) -> int:
        self.tag = self.tag + 1 & 0xFF
        return self.tag

    def copy_in(self, iova: int, local: int, length: int) -> None:
        """Reads of a copy into local memory."""
        requests = split_transfers(np.array([iova], np.uint64), np.array([length], np.uint64), 512)
        for address, offset, size in zip(
            *(c.tolist() for c in (requests.address, requests.offset, requests.length)), strict=True
        ):
            self.host_read(0, address, size, self.next_tag())
            page = self.pages.get(address >> 12)
            if page is not None:
                self.local[local + offset : local + offset + size] = self.host((page << 12) + (address & 0xFFF), size)

    def copy_out(self, local: int, iova: int, length: int) -> None:
        """Writes of a copy out of local memory."""
        requests = split_transfers(np.array([iova], np.uint64), np.array([length], np.uint64), 256)
        for address, offset, size in zip(
            *(c.tolist() for c in (requests.address, requests.offset, requests.length)), strict=True
        ):
            self.host_write(0, address, bytes(self.local[local + offset : local + offset + size]))

    def complete(self, slot: int, cookie: int, count: int, code: int = 0, phase: int | None = None) -> bytes:
        return self.complete_together((slot, cookie, count, code), phase=phase)

    def complete_together(self, *jobs: tuple[int, int, int, int], phase: int | None = None) -> bytes:
        """Records of (slot, cookie, bytes, code) in one write."""
        place, data = RING.completion_dma + 16 * (self.completed % RING.completion_entries), b""
        for slot, cookie, count, code in jobs:
            turn = self.completed // RING.completion_entries
            bit = 1 - (turn & 1) if phase is None else phase
            data += words(cookie, count | code << 32 | slot << 40 | bit << 63)
            self.completed += 1
        self.host_write(0, place, data)
        return data

    def interrupt(self) -> None:
        self.host_write(0, INTERRUPT_DMA, IDENTITY.to_bytes(4, "little"))
        self.add(EventKind.INTERRUPT, 0, argument=IDENTITY)

    def reap(self, *completions: bytes) -> None:
        self.observer.on_reap(REQUESTER[0], np.frombuffer(b"".join(completions), "<u8").reshape(-1, 2))
