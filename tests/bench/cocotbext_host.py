"""The baseline: the same RTL endpoint and traffic behind the host of cocotbext-pcie, unmodified.

It enumerates the endpoint, programs its ring and keeps all buffers in its own memory; every TLP passes its root complex in
Python. Its log is off; native monitors count the TLPs, which are checked.
"""

from __future__ import annotations

import logging

import cocotb
import numpy as np
from cocotb.triggers import Timer
from cocotbext.pcie.core import RootComplex
from cocotbext.pcie.core.utils import PcieId
from sluicegate.endpoint.descriptor import COMPLETION_BYTES, DESCRIPTOR_BYTES, Completion, Descriptor, pack_descriptors
from sluicegate.registers import endpoint as registers
from sluicegate.registers.completion import StatusCode

from tb.bridge.event_log import LogBatch
from tb.bridge.tops import ENDPOINT_PINS
from tb.checkers.tlp_protocol import TlpProtocolChecker
from tb.checkers.tlp_rules import LinkRules
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.bench.copy_traffic import BUFFER_BYTES, RING_LOG2, copy_batch, load_batch
from tests.bench.pin_device import PinDevice

UP, DOWN = 0, 1
ENTRIES = 1 << RING_LOG2
MAX_PAYLOAD_CODE, MAX_READ_REQUEST_CODE = 1, 2
"""256 and 512 bytes."""
POLL_NS, POLLS = 200, 10_000


class CopyScoreboard(Scoreboard):
    """Jobs: each must complete once, with success, all its bytes and its cookie. Bytes: the test compares the buffers."""

    name = "copies"
    block = "endpoint"

    def __init__(self) -> None:
        self._expected = self._compared = self._bytes = 0

    def ingest(self, batch: LogBatch) -> None:
        """The host of cocotbext-pcie has the bytes; the log has only the TLPs."""

    def submitted(self, jobs: int) -> None:
        """So many more completions are due."""
        self._expected += jobs

    def completed(self, descriptor: Descriptor, completion: Completion) -> None:
        """A completion record that arrived for this job."""
        seen = (completion.status, completion.cookie, completion.bytes)
        due = (StatusCode.SUCCESS, descriptor.cookie, descriptor.length)
        if seen != due:
            raise self.error(f"completion (status, cookie, bytes) {seen} where {due} is due")
        self._compared += 1

    def buffers(self, source: bytes, destination: bytes) -> None:
        """What was read, and what has been written."""
        if source != destination:
            at = next(index for index, (left, right) in enumerate(zip(source, destination, strict=True)) if left != right)
            raise self.error(f"byte {at} of the destination is {destination[at]:#04x}, {source[at]:#04x} was read")
        self._bytes += len(source)

    def finish(self) -> ScoreboardResult:
        jobs = LinkCount(self._compared, self._expected, self._compared)
        return ScoreboardResult(self.name, self.block, self._compared, {"jobs": jobs}, figures={"bytes": self._bytes})


class HostTest(BaseTest):
    """Parameter ``count``: batches."""

    top = ENDPOINT_PINS

    def prepare(self) -> None:
        logging.getLogger("cocotb.pcie").setLevel(logging.ERROR)
        self.random = np.random.default_rng(self.settings.seed)
        rules = (
            LinkRules(UP, "endpoint0_up", "endpoint", completions_on=DOWN, max_payload=256, max_read_request=512),
            LinkRules(DOWN, "endpoint0_down", "testbench", completions_on=UP, max_payload=256, completion_boundary=64),
        )
        self.environment.add_scoreboard(TlpProtocolChecker(rules))
        self.scoreboard = CopyScoreboard()
        self.environment.add_scoreboard(self.scoreboard)
        self.host = RootComplex()
        self.host.max_payload_size = MAX_PAYLOAD_CODE
        self.host.max_read_request_size = MAX_READ_REQUEST_CODE
        device = PinDevice(cocotb.top, self.settings.seed, UP, DOWN)
        self.host.make_port().connect(device)
        device.start()

    async def stimulate(self) -> None:
        await self.environment.simulation.cycles(64)
        await self.host.enumerate()
        function = self.host.find_device(PcieId(1, 0, 0))
        await function.enable_device()
        await function.set_master()
        await function.set_readrq(MAX_READ_REQUEST_CODE)
        self.registers = function.bar_addr[0]
        source, source_bytes = self.host.alloc_region(BUFFER_BYTES)
        destination, destination_bytes = self.host.alloc_region(BUFFER_BYTES)
        source_bytes[0:BUFFER_BYTES] = self.random.integers(0, 256, BUFFER_BYTES, dtype=np.uint8).tobytes()
        await self.start_ring()
        await self.run_batch(load_batch(source))
        for number in range(self.settings.parameters["count"]):
            await self.run_batch(copy_batch(number, source, destination))
            self.scoreboard.buffers(bytes(source_bytes[0:BUFFER_BYTES]), bytes(destination_bytes[0:BUFFER_BYTES]))
            destination_bytes[0:BUFFER_BYTES] = bytes(BUFFER_BYTES)

    async def start_ring(self) -> None:
        """Set up and enable the ring."""
        ring, self.ring = self.host.alloc_region(ENTRIES * DESCRIPTOR_BYTES)
        completions, self.completions = self.host.alloc_region(ENTRIES * COMPLETION_BYTES)
        self.tail = 0
        for offset, value in (
            (registers.RING_BASE_LOW, ring & 0xFFFF_FFFF),
            (registers.RING_BASE_HIGH, ring >> 32),
            (registers.RING_SIZE, RING_LOG2),
            (registers.RING_COMPLETION_BASE_LOW, completions & 0xFFFF_FFFF),
            (registers.RING_COMPLETION_BASE_HIGH, completions >> 32),
            (registers.CONTROL, registers.CONTROL_ENABLE.mask),
            (registers.RING_CONTROL, 0),
            (registers.RING_CONTROL, 1),
        ):
            await self.host.mem_write_dword(self.registers + offset, value)

    async def run_batch(self, descriptors: list[Descriptor]) -> None:
        """Fill the ring, ring the doorbell, and poll for the last completion record."""
        places = [(self.tail + index) for index in range(len(descriptors))]
        for place, words in zip(places, pack_descriptors(descriptors), strict=True):
            at = place % ENTRIES * DESCRIPTOR_BYTES
            self.ring[at : at + DESCRIPTOR_BYTES] = words.astype("<u8").tobytes()
        self.scoreboard.submitted(len(descriptors))
        self.tail += len(descriptors)
        await self.host.mem_write_dword(self.registers + registers.RING_TAIL, self.tail & 0xFFFF)
        for _ in range(POLLS):
            if self.completion(places[-1]).phase == self.phase(places[-1]):
                break
            await Timer(POLL_NS, "ns")
        for place, descriptor in zip(places, descriptors, strict=True):
            self.scoreboard.completed(descriptor, self.completion(place))
        await self.host.mem_write_dword(self.registers + registers.RING_COMPLETION_HEAD, self.tail & 0xFFFF)

    @staticmethod
    def phase(place: int) -> int:
        """Phase bit of the record that belongs to a place in the unending ring."""
        return 1 - place // ENTRIES % 2

    def completion(self, place: int) -> Completion:
        """The record at a place."""
        at = place % ENTRIES * COMPLETION_BYTES
        return Completion.unpack(np.frombuffer(bytes(self.completions[at : at + COMPLETION_BYTES]), "<u8").tolist())


@cocotb.test()
async def copies(_: object) -> None:
    """All batches."""
    await run_test(HostTest)
