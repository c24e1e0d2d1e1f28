"""Base of the DMA engine tests: random function settings, host memory with random bytes, batches of descriptors."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from sluicegate.endpoint.descriptor import Descriptor, pack_descriptors
from sluicegate.platform import ADDRESS_MAP
from sluicegate.registers.descriptor import Space

from tb.bridge.native import ActionKind, Knob, WakeKind
from tb.bridge.tops import DMA
from tb.checkers.tlp_protocol import TlpProtocolChecker
from tb.checkers.tlp_rules import LinkRules
from tb.env.base_test import BaseTest
from tests.block.dma.engine_scoreboard import COMPLETION_LINK, REQUEST_LINK, EngineScoreboard

LOCAL_BYTES = 1 << 20
SETTLE_CYCLES = 64
LOW, HIGH = ADDRESS_MAP.low_ram.base, ADDRESS_MAP.high_ram.base
SOURCE_BYTES = 1 << 18
"""At the start of both RAM regions: random bytes that operations read."""
DESTINATION = 1 << 20
"""Offset in both RAM regions from which operations write."""


class EngineTest(BaseTest):
    """``max_payload``, ``max_read_request``: bytes, drawn per seed unless the test list fixes them."""

    top = DMA
    timeout = 0
    """Completion timeout in cycles, 0: none."""

    def prepare(self) -> None:
        self.random = np.random.default_rng(self.settings.seed)
        parameters = self.settings.parameters
        self.max_payload = int(parameters.get("max_payload", 128 << int(self.random.integers(0, 4))))
        self.max_read_request = int(parameters.get("max_read_request", 128 << int(self.random.integers(0, 6))))
        self.scoreboard = EngineScoreboard(LOCAL_BYTES, self.max_payload, self.max_read_request)
        self.environment.add_scoreboard(
            TlpProtocolChecker(
                (
                    LinkRules(
                        REQUEST_LINK,
                        "engine_request",
                        "dma",
                        completions_on=COMPLETION_LINK,
                        max_payload=self.max_payload,
                        max_read_request=self.max_read_request,
                        completes_elsewhere=self.timeout != 0,
                    ),
                    LinkRules(COMPLETION_LINK, "engine_completion", "testbench", completion_boundary=64),
                )
            )
        )
        self.environment.add_scoreboard(self.scoreboard)
        native = self.environment.simulation.native
        for region in ADDRESS_MAP.ram:
            native.act(ActionKind.ADD_MEMORY_REGION, region.base, region.size)
        for agent in self.environment.agents.values():
            agent.set_stalls(int(self.random.choice([0, 0, 8000, 40000])))
        if self.random.integers(0, 2):
            self.environment.agents["engine_request"].set_credits(4, 300, delay=int(self.random.integers(0, 40)))
        link = REQUEST_LINK
        native.set_knob(Knob.COMPLETER_LATENCY, int(self.random.integers(1, 200)), link=link)
        native.set_knob(Knob.COMPLETER_JITTER, int(self.random.choice([0, 50, 400])), link=link)
        native.set_knob(Knob.COMPLETER_INTERLEAVE_CHANCE, int(self.random.choice([0, 20000, 65535])), link=link)
        native.set_knob(Knob.COMPLETER_CUT_CHANCE, int(self.random.choice([0, 20000])), link=link)
        native.set_knob(Knob.COMPLETER_BOUNDARY, int(self.random.choice([64, 128])), link=link)
        native.set_knob(Knob.COMPLETER_MAX_PAYLOAD, int(self.random.choice([128, 256, 512])), link=link)

    def set_function(self, bus_master: bool = True, abort: bool = False, short_tags: bool = False) -> None:
        """Set the function's inputs; they take effect at the next clock edge."""
        dut: Any = cocotb.top
        dut.set_max_payload.value = (self.max_payload // 128).bit_length() - 1
        dut.set_max_read_request.value = (self.max_read_request // 128).bit_length() - 1
        dut.set_short_tags.value = int(short_tags)
        dut.set_bus_master_disable.value = int(not bus_master)
        dut.set_abort.value = int(abort)
        dut.set_completion_timeout.value = self.timeout
        dut.set_function.value = 1

    def fill_host(self) -> None:
        """Random bytes where operations read."""
        native = self.environment.simulation.native
        for base in (LOW, HIGH):
            blob = self.random.integers(0, 256, SOURCE_BYTES, dtype=np.uint8).tobytes()
            native.act(ActionKind.WRITE_MEMORY, base, 0, blob=blob)

    async def run_descriptors(self, descriptors: list[Descriptor], timeout: int = 400_000) -> None:
        """Submit a batch and wait for its statuses."""
        simulation = self.environment.simulation
        port = self.environment.descriptor_port
        await port.send(pack_descriptors(descriptors))
        if not await simulation.wait(WakeKind.STATUSES, port.driver.submitted, timeout=timeout):
            cause = self.environment.judge_rest(hung=False)
            raise cause or self.scoreboard.error(f"status {port.driver.submitted} did not come within {timeout} cycles")

    async def check_idle(self) -> None:
        """Nothing may be left in flight: no tag lost; a tag may be in quarantine until twice the timeout."""
        await self.environment.simulation.cycles(SETTLE_CYCLES + 2 * self.timeout)
        dut: Any = cocotb.top
        if int(dut.stat_idle.value) != 1:
            raise self.scoreboard.error("the engine has a tag or an operation in use after its last status")

    def read(self, source: int, destination: int, length: int, **options: Any) -> Descriptor:
        """Host to local memory."""
        return Descriptor(source=source, destination=destination, length=length, cookie=self._cookie(), **options)

    def write(self, source: int, destination: int, length: int, peer: bool = False, **options: Any) -> Descriptor:
        """Local memory to host, or to a peer (which differs by its flush)."""
        return Descriptor(
            source_space=Space.LOCAL,
            source=source,
            destination_space=Space.PEER if peer else Space.HOST,
            destination=destination,
            length=length,
            cookie=self._cookie(),
            **options,
        )

    def _cookie(self) -> int:
        return int(self.random.integers(0, 1 << 63))

    async def load_local(self, size: int) -> None:
        """Fill local memory from its start, so that every byte of it is known."""
        await self.run_descriptors([self.read(LOW, 0, size)])

    async def dump_local(self, size: int) -> None:
        """Write local memory out; the scoreboard compares every byte, those between operations included."""
        await self.run_descriptors([self.write(0, HIGH + DESTINATION, size)])
