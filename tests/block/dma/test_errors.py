"""The DMA engine in trouble: every way a read can fail, flushes that fail, and what stops it. Each operation ends with the right
status, no tag is lost, and what follows works."""

from __future__ import annotations

import cocotb
from sluicegate.endpoint.descriptor import Descriptor

from tb.bridge.native import ActionKind, CompleterFault
from tb.env.base_test import run_test
from tb.scoreboards.transfer_prediction import StatusCode
from tests.block.dma.engine_scoreboard import REQUEST_LINK, FaultRange
from tests.block.dma.engine_test import DESTINATION, HIGH, LOW, EngineTest

PAGE = 4096
SOURCE_FAULTS = (
    (3, CompleterFault.UNSUPPORTED_REQUEST, StatusCode.UNSUPPORTED_REQUEST),
    (7, CompleterFault.COMPLETER_ABORT, StatusCode.COMPLETER_ABORT),
    (11, CompleterFault.POISON, StatusCode.POISONED),
    (15, CompleterFault.NO_ANSWER, StatusCode.COMPLETION_TIMEOUT),
)
PAGES = 20
"""Pages of the source area that operations read here, four of them bad."""


class ErrorTest(EngineTest):
    """Reads over good and bad pages, writes with flushes that fail, then good operations only."""

    timeout = 20_000
    area = 1 << 17
    batch = 40
    rounds = 3

    async def stimulate(self) -> None:
        self.set_function()
        self.fill_host()
        await self.load_local(self.area)
        for page, fault, code in SOURCE_FAULTS:
            self.fail_page(HIGH + page * PAGE, fault, code)
        bad_destination = LOW + DESTINATION + 5 * PAGE
        self.fail_page(bad_destination, CompleterFault.UNSUPPORTED_REQUEST, StatusCode.UNSUPPORTED_REQUEST)
        for _ in range(self.rounds):
            await self.run_descriptors(self.mix(), timeout=10 * self.timeout)
        await self.check_idle()
        await self.load_local(self.area)
        await self.dump_local(self.area)
        await self.check_idle()

    def fail_page(self, address: int, fault: CompleterFault, code: StatusCode) -> None:
        """Let the host fail in a page, and the scoreboard know."""
        self.environment.simulation.native.act(ActionKind.ADD_COMPLETER_FAULT, REQUEST_LINK, address, PAGE, fault)
        self.scoreboard.add_fault(FaultRange(address, PAGE, code))

    def mix(self) -> list[Descriptor]:
        local, host = 0, LOW + DESTINATION
        descriptors = []
        for _ in range(self.batch):
            length = int(self.random.integers(1, 3000))
            if self.random.integers(0, 2):
                source = HIGH + int(self.random.integers(0, PAGES * PAGE - length))
                descriptors.append(self.read(source, local, length))
                local = (local + length) % (self.area // 2 - 3000)
            else:
                source = self.area // 2 + int(self.random.integers(0, self.area // 2 - length))
                descriptors.append(self.write(source, host, length, flush=bool(self.random.integers(0, 2))))
                host += length
        return descriptors


class StopTest(EngineTest):
    """Bus Master Enable 0 and abort: nothing is sent, each operation says why; afterwards it works as before."""

    area = 1 << 14

    async def stimulate(self) -> None:
        self.set_function()
        self.fill_host()
        await self.load_local(self.area)
        simulation = self.environment.simulation
        for code in (StatusCode.BUS_MASTER_DISABLED, StatusCode.ABORTED):
            self.set_function(bus_master=code is not StatusCode.BUS_MASTER_DISABLED, abort=code is StatusCode.ABORTED)
            await simulation.cycles(2)
            simulation.drain()
            self.environment.suite.flush()
            self.scoreboard.set_stop(code)
            await self.run_descriptors([self.read(LOW, 0, 1000), self.write(5, HIGH + DESTINATION, 3000, flush=True)] * 8)
            await self.check_idle()
            simulation.drain()
            self.environment.suite.flush()
            self.set_function()
            self.scoreboard.set_stop(StatusCode.SUCCESS)
            await simulation.cycles(2)
            await self.run_descriptors([self.read(LOW + 3, 1, 5000)])
            await self.dump_local(self.area)
        await self.check_idle()


@cocotb.test()
async def errors(_: object) -> None:
    """Unsupported request, completer abort, poison, timeout, flush errors."""
    await run_test(ErrorTest)


@cocotb.test()
async def stops(_: object) -> None:
    """Bus Master Enable and abort."""
    await run_test(StopTest)
