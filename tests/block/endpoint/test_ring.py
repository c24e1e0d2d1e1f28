"""The descriptor ring: random jobs and chains judged by the transfer scoreboard, and everything that stops the ring."""

from __future__ import annotations

import cocotb
from sluicegate.endpoint.descriptor import Descriptor
from sluicegate.registers import endpoint as registers
from sluicegate.registers.completion import StatusCode
from sluicegate.registers.endpoint import StopReason

from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import ActionKind, CompleterFault
from tb.env.base_test import run_test
from tb.scoreboards.transfer import TransferScoreboard
from tb.scoreboards.transfer_prediction import EndpointRules
from tests.block.endpoint.endpoint_test import BAR2, DOWN, FUNCTION, LOCAL_BYTES, UP
from tests.block.endpoint.ring_test import BAD_RING, IDENTITY, RING, SOURCE_BYTES, VECTOR, RingTest

AREA = 1 << 15
PAGE = 4096


class JobsTest(RingTest):
    """Jobs of one to four descriptors with moderated interrupts, through rings of several sizes."""

    rounds = 12

    def prepare(self) -> None:
        super().prepare()
        self.log2 = int(self.random.choice([1, 3, 5, 8]))
        rules = EndpointRules(FUNCTION, "endpoint0", UP, DOWN, LOCAL_BYTES, 256, 512)
        self.environment.add_scoreboard(TransferScoreboard((rules,)))

    async def stimulate(self) -> None:
        await self.enable()
        self.fill()
        self.observer.on_local_memory(FUNCTION, BAR2, LOCAL_BYTES)
        await self.set_interrupts()
        await self.start(moderation=int(self.random.integers(0, 5)), cycles=int(self.random.integers(1, 500)))
        self.submit([[self.copy_in(0, 0, AREA)]])
        await self.complete()
        for _ in range(self.rounds):
            self.submit([self.job(number) for number in range(int(self.random.integers(1, min(self.entries, 40) + 1)))])
            for completion in await self.complete():
                assert completion.status is StatusCode.SUCCESS, completion
        # What was copied into local memory is compared when it comes out again.
        self.submit([[self.copy_out(0, 0, AREA)]])
        await self.complete()
        await self.environment.simulation.cycles(1000)

    def job(self, number: int) -> list[Descriptor]:
        """Reads go to the lower half of local memory's area, writes come from the upper half to places of their own."""
        half, parts = AREA // 2, []
        room = half // 40
        for part in range(int(self.random.choice([1, 1, 1, 2, 4]))):
            length = int(self.random.integers(1, room // 4 if part else room))
            interrupt = bool(self.random.integers(0, 2))
            if self.random.integers(0, 2):
                offset = int(self.random.integers(0, SOURCE_BYTES - length))
                parts.append(self.copy_in(offset, number * room + part * room // 4, min(length, room // 4), interrupt))
            else:
                local = half + int(self.random.integers(0, half - length))
                flush = bool(self.random.integers(0, 4) == 0)
                parts.append(self.copy_out(local, number * 4 * PAGE + part * PAGE + 5, length, interrupt, flush))
        return parts


class StopsTest(RingTest):
    """Interrupt masks, a full completion ring, failing fetches, Bus Master Enable, abort, soft reset."""

    log2 = 2

    def prepare(self) -> None:
        super().prepare()
        self.requests: list[int] = []
        self.environment.simulation.add_consumer(self._collect_requests)

    def _collect_requests(self, batch: LogBatch) -> None:
        """Sequence numbers of the endpoint's requests."""
        tlps = batch.of_kind(EventKind.TLP)
        kind = tlps["header"][:, 0] >> 24 & 0x1F
        self.requests += tlps["sequence"][(tlps["source"] == UP) & (kind == 0)].tolist()

    async def stimulate(self) -> None:
        await self.enable()
        self.fill()
        await self.set_interrupts()
        await self.masks()
        await self.full_completion_ring()
        await self.bus_master()
        await self.abort()
        await self.failing_fetch()
        await self.soft_reset()
        await self.start()
        await self.good_job()
        await self.amid_small_writes()

    async def good_job(self) -> None:
        self.submit([[self.copy_in(0, 0, 3000)], [self.copy_out(0, 0, 2000, flush=True)]])
        completions = await self.complete()
        assert [(done.status, done.bytes) for done in completions] == [(StatusCode.SUCCESS, 3000), (StatusCode.SUCCESS, 2000)]

    async def masks(self) -> None:
        """A masked event waits in the pending bit and is sent when the mask goes."""
        await self.start()
        control = registers.MSIX_TABLE_VECTOR_CONTROL + VECTOR * registers.MSIX_TABLE_DATA_STRIDE
        for mask in (True, False):
            await self.set_mask(control, vector=mask, function=not mask)
            self.submit([[self.copy_in(0, 0, 64, interrupt=True)]])
            await self.complete()
            await self.environment.simulation.cycles(200)
            assert await self.read(registers.MSIX_PBA) == 1 << VECTOR
            assert not self.interrupts, "an interrupt came although it is masked"
            await self.set_mask(control, vector=False, function=False)
            await self.environment.simulation.cycles(200)
            assert await self.read(registers.MSIX_PBA) == 0
            assert self.interrupts == [IDENTITY], self.interrupts
            self.interrupts.clear()

    async def set_mask(self, control: int, vector: bool, function: bool) -> None:
        self.write(control, int(vector))
        await self.config_write(0x80, 1 << 31 | function << 30)

    async def full_completion_ring(self) -> None:
        await self.start()
        self.submit([[self.copy_in(0, 0, 64)] for _ in range(self.entries)])
        while len(self.arrived()) < self.entries:
            await self.environment.simulation.cycles(64)
        held = self.reaped
        self.reaped += 2  # their ring slots are free, but the device is not told that the records were taken
        self.submit([[self.copy_in(0, 0, 64)] for _ in range(2)])
        await self.environment.simulation.cycles(2000)
        assert await self.read(registers.RING_HEAD) == self.entries
        assert await self.stop_reason() is StopReason.COMPLETION_RING_FULL
        self.reaped = held
        self.write(registers.RING_COMPLETION_HEAD, 2)
        self.reaped = 2
        await self.complete()
        assert await self.stop_reason() is StopReason.NONE

    async def bus_master(self) -> None:
        """No request after the completion of the write that clears Bus Master Enable; the operation ends with status 7."""
        await self.start()
        simulation = self.environment.simulation
        self.submit([[self.copy_out(0, 0, 200_000, flush=True)]])
        await simulation.cycles(int(self.random.integers(100, 1500)))
        await self.config_write(0x04, 0x2)
        simulation.drain()
        before = len(self.requests)
        await simulation.cycles(3000)
        simulation.drain()
        assert before, "the transfer had not begun"
        assert len(self.requests) == before, "a request was sent although Bus Master Enable is 0"
        assert await self.stop_reason() is StopReason.BUS_MASTER_DISABLED
        await self.config_write(0x04, 0x6)
        (done,) = await self.complete()
        assert done.status is StatusCode.BUS_MASTER_DISABLED, done
        assert done.bytes < 200_000, done
        await self.good_job()

    async def abort(self) -> None:
        await self.start()
        self.submit([[self.copy_in(0, 0, 100_000)], [self.copy_out(0, 0, 200_000)]])
        await self.environment.simulation.cycles(int(self.random.integers(200, 800)))
        self.write(registers.CONTROL, registers.CONTROL_ENABLE.mask | registers.CONTROL_ABORT.mask)
        completions = await self.complete()
        assert {done.status for done in completions} <= {StatusCode.ABORTED, StatusCode.SUCCESS}, completions
        assert completions[1].status is StatusCode.ABORTED, completions
        assert await self.stop_reason() is StopReason.ABORTED
        self.write(registers.CONTROL, registers.CONTROL_ENABLE.mask)
        await self.good_job()

    async def failing_fetch(self) -> None:
        """The slot that cannot be read completes as an invalid descriptor, and the ring says why it stopped."""
        self.ring = BAD_RING
        await self.start()
        self.native.act(ActionKind.ADD_COMPLETER_FAULT, UP, BAD_RING, PAGE, CompleterFault.UNSUPPORTED_REQUEST)
        self.interrupts.clear()
        self.submit([[self.copy_in(0, 0, 64)]])
        (done,) = await self.complete()
        assert done.status is StatusCode.INVALID_DESCRIPTOR, done
        await self.environment.simulation.cycles(500)
        status = await self.read(registers.STATUS)
        assert registers.STATUS_STOP_REASON.get(status) == StopReason.FETCH_FAILED, hex(status)
        assert registers.STATUS_FETCH_CODE.get(status) == StatusCode.UNSUPPORTED_REQUEST, hex(status)
        assert self.interrupts == [IDENTITY], "a stopped ring must tell its driver"
        self.ring = RING

    async def soft_reset(self) -> None:
        """While a transfer runs: everything in flight ends, then all registers are at their reset values."""
        await self.reset()
        for offset in (registers.RING_TAIL, registers.RING_CONTROL, registers.RING_BASE_LOW, registers.DESCRIPTORS):
            assert await self.read(offset) == 0, f"{offset:#x} is not reset"
        assert await self.stop_reason() is StopReason.NOT_ENABLED

    async def reset(self) -> None:
        self.write(registers.CONTROL, registers.CONTROL_SOFT_RESET.mask)
        for _ in range(100):
            await self.environment.simulation.cycles(100)
            if not await self.read(registers.CONTROL):
                return
        raise self.answers.error("the soft reset did not end")

    async def amid_small_writes(self) -> None:
        """Bus Master Enable, abort and soft reset while records gather: none comes twice, out of order, or after the reset."""
        simulation = self.environment.simulation
        self.log2 = 5
        for number in range(24):
            await self.reset()
            await self.start()
            jobs = [[self.copy_out(64 * index, 64 * index, 64, interrupt=index % 3 == 0)] for index in range(self.entries)]
            self.submit(jobs)
            while not self.arrived():
                await simulation.cycles(4)
            await simulation.cycles(int(self.random.integers(1, 50)))
            if number % 3 == 0:
                await self.config_write(0x04, 0x2)
                simulation.drain()
                before = len(self.requests)
                await simulation.cycles(500)
                simulation.drain()
                assert len(self.requests) == before, "a request was sent although Bus Master Enable is 0"
                if number % 2:
                    await self.reset()
                    await self.start()
                    self.submit(jobs)
                await self.config_write(0x04, 0x6)
            elif number % 3 == 1:
                self.write(registers.CONTROL, registers.CONTROL_ENABLE.mask | registers.CONTROL_ABORT.mask)
                await simulation.cycles(500)
                self.write(registers.CONTROL, registers.CONTROL_ENABLE.mask)
            else:
                await self.reset()
                assert await self.read(registers.RING_COMPLETION_TAIL) == 0
                assert await self.read(registers.COMPLETION_RECORDS) == 0
                await self.start()
                self.submit(jobs)
            completions = await self.complete()
            assert [done.cookie for done in completions] == [job[0].cookie for job in jobs], completions
            assert await self.read(registers.COMPLETION_RECORDS) == self.entries
            assert await self.read(registers.RING_COMPLETION_TAIL) == self.entries


@cocotb.test()
async def jobs(_: object) -> None:
    """Random jobs."""
    await run_test(JobsTest)


@cocotb.test()
async def stops(_: object) -> None:
    """Everything that stops the ring."""
    await run_test(StopsTest)
