"""Base of the ring tests: a small driver on raw registers that marks in the log what it does, as a real one would."""

from __future__ import annotations

import numpy as np
from sluicegate.driver.observer import RingLayout
from sluicegate.endpoint.descriptor import COMPLETION_BYTES, DESCRIPTOR_BYTES, U64, Completion, Descriptor, pack_descriptors
from sluicegate.platform import ADDRESS_MAP
from sluicegate.registers import endpoint as registers
from sluicegate.registers.descriptor import Space
from sluicegate.registers.endpoint import StopReason

from tb.bridge.native import ActionKind
from tb.scoreboards.marks import MarkingObserver
from tests.block.endpoint.endpoint_test import FUNCTION, EndpointTest

LOW, HIGH = ADDRESS_MAP.low_ram.base, ADDRESS_MAP.high_ram.base
SOURCE, SOURCE_BYTES = HIGH, 1 << 17
DESTINATION, DESTINATION_BYTES = LOW + (1 << 20), 1 << 20
RING = HIGH + (1 << 21) + 3 * DESCRIPTOR_BYTES
"""Aligned to 64 bytes only: batches of the fetcher have to follow bus addresses."""
BAD_RING = HIGH + (3 << 20)
"""A page of its own, which a test lets fail."""
COMPLETIONS = LOW + (1 << 22)
CHAINS, CHAIN_ENTRIES = HIGH + (1 << 22), 1024
VECTOR, IDENTITY = 3, 0x55
TO_DEVICE, FROM_DEVICE = 1, 2
POLL, TIMEOUT = 64, 200_000


class RingTest(EndpointTest):
    """One ring; jobs are lists of descriptors, more than one make a chain."""

    log2 = 4

    def prepare(self) -> None:
        super().prepare()
        self.native = self.environment.simulation.native
        self.observer = MarkingObserver(self._mark)
        self._next_chain = 0
        self.ring = RING

    def _mark(self, kind: int, address: int, first: int, second: int, payload: bytes) -> None:
        self.native.act(ActionKind.MARK, kind, address, first, second, blob=payload)

    @property
    def entries(self) -> int:
        return 1 << self.log2

    def fill(self) -> None:
        """Random bytes in the source buffer; source and destination are mapped."""
        data = self.random.integers(0, 256, SOURCE_BYTES, dtype=np.uint8)
        self.native.act(ActionKind.WRITE_MEMORY, SOURCE, 0, blob=data.tobytes())
        self.observer.on_map(FUNCTION, SOURCE, [(SOURCE, SOURCE_BYTES)], TO_DEVICE)
        self.observer.on_map(FUNCTION, DESTINATION, [(DESTINATION, DESTINATION_BYTES)], FROM_DEVICE)

    async def set_interrupts(self) -> None:
        """Direct the ring's vector at the interrupt page and enable MSI-X."""
        entry = VECTOR * registers.MSIX_TABLE_DATA_STRIDE
        target = ADDRESS_MAP.imsic.base
        self.write(registers.MSIX_TABLE_ADDRESS_LOW + entry, target)
        self.write(registers.MSIX_TABLE_DATA + entry, IDENTITY)
        self.write(registers.MSIX_TABLE_VECTOR_CONTROL + entry, 0)
        self.observer.on_interrupt_target(FUNCTION, target, target, IDENTITY)
        await self.config_write(0x80, 1 << 31)

    async def start(self, moderation: int = 0, cycles: int = 0) -> None:
        """Set up and enable the ring; both rings begin at 0."""
        self.native.act(ActionKind.WRITE_MEMORY, COMPLETIONS, 0, blob=bytes(self.entries * COMPLETION_BYTES))
        self.tail = self.reaped = 0
        layout = RingLayout(self.ring, self.ring, self.entries, COMPLETIONS, COMPLETIONS, self.entries)
        self.observer.on_rings(FUNCTION, layout)
        for offset, value in (
            (registers.RING_BASE_LOW, self.ring & 0xFFFF_FFFF),
            (registers.RING_BASE_HIGH, self.ring >> 32),
            (registers.RING_SIZE, self.log2),
            (registers.RING_COMPLETION_BASE_LOW, COMPLETIONS & 0xFFFF_FFFF),
            (registers.RING_COMPLETION_BASE_HIGH, COMPLETIONS >> 32),
            (registers.RING_INTERRUPT, VECTOR | moderation << 16),
            (registers.RING_INTERRUPT_TIMER, cycles),
            (registers.CONTROL, registers.CONTROL_ENABLE.mask),
            (registers.RING_CONTROL, 0),
            (registers.RING_CONTROL, 1),
        ):
            self.write(offset, value)
        status = await self.read(registers.RING_STATUS)
        assert registers.RING_STATUS_RUNNING.get(status) == 1, f"ring status {status:#x} after the ring was enabled"

    def submit(self, jobs: list[list[Descriptor]]) -> None:
        """Put jobs into the ring and ring the doorbell."""
        first, marked = self.tail % self.entries, list[U64]()
        for job in jobs:
            words = pack_descriptors(job)
            for part in range(1, len(job)):
                words[part - 1, 5] = CHAINS + self._next_chain * DESCRIPTOR_BYTES
                self._next_chain = (self._next_chain + 1) % CHAIN_ENTRIES
            places = [self.ring + self.tail % self.entries * DESCRIPTOR_BYTES, *words[:-1, 5].tolist()]
            for place, row in zip(places, words, strict=True):
                self.native.act(ActionKind.WRITE_MEMORY, place, 0, blob=row.astype("<u8").tobytes())
            self.tail = self.tail + 1 & 0xFFFF
            marked.append(words)
        self.observer.on_submit(FUNCTION, first, np.concatenate(marked))
        self.write(registers.RING_TAIL, self.tail)

    def arrived(self) -> list[Completion]:
        """Completions that are new, in order, without giving their places back."""
        found: list[Completion] = []
        for index in range(self.reaped, self.reaped + self.entries):
            raw, _ = self.native.read_memory(COMPLETIONS + index % self.entries * COMPLETION_BYTES, COMPLETION_BYTES)
            completion = Completion.unpack(np.frombuffer(raw, "<u8").tolist()) if raw[15] >> 7 or any(raw) else None
            if completion is None or completion.phase != 1 - index // self.entries % 2 or len(found) == self.outstanding:
                break
            found.append(completion)
        return found

    @property
    def outstanding(self) -> int:
        return self.tail - self.reaped & 0xFFFF

    def reap(self) -> list[Completion]:
        """Take the new completions and give their places back."""
        found = self.arrived()
        if found:
            words = np.array([completion.pack() for completion in found], dtype=np.uint64)
            self.environment.simulation.drain()
            self.observer.on_reap(FUNCTION, words)
            self.reaped = self.reaped + len(found) & 0xFFFF
            self.write(registers.RING_COMPLETION_HEAD, self.reaped)
        return found

    async def complete(self) -> list[Completion]:
        """Wait until every job in the ring has its completion, and take them."""
        found: list[Completion] = []
        for _ in range(TIMEOUT // POLL):
            found += self.reap()
            if not self.outstanding:
                return found
            await self.environment.simulation.cycles(POLL)
        reason = StopReason(registers.STATUS_STOP_REASON.get(await self.read(registers.STATUS)))
        raise self.answers.error(f"{self.outstanding} jobs without completion, stop reason {reason.name}")

    async def stop_reason(self) -> StopReason:
        return StopReason(registers.STATUS_STOP_REASON.get(await self.read(registers.STATUS)))

    def copy_in(self, offset: int, local: int, length: int, interrupt: bool = False) -> Descriptor:
        """From the source buffer to local memory."""
        return Descriptor(source=SOURCE + offset, destination=local, length=length, cookie=self.cookie(), interrupt=interrupt)

    def copy_out(self, local: int, offset: int, length: int, interrupt: bool = False, flush: bool = False) -> Descriptor:
        """From local memory to the destination buffer."""
        return Descriptor(
            source_space=Space.LOCAL,
            source=local,
            destination_space=Space.HOST,
            destination=DESTINATION + offset,
            length=length,
            cookie=self.cookie(),
            interrupt=interrupt,
            flush=flush,
        )

    def cookie(self) -> int:
        return int(self.random.integers(0, 1 << 63))
