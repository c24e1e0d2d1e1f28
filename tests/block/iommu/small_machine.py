"""Rounds of requests and edits on one small, healthy machine in lock step with the golden model: traffic for other tests.

Between two fences the tables stand still, or change while requests are in flight: then the answer of either version is right.
After a fence only the new one is. An entry that becomes valid needs no invalidation: nothing with V = 0 may be cached.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from cocotb.task import bridge
from sluicegate.conformance.iommu_cases import ExpectedResponse
from sluicegate.conformance.iommu_compare import comparable_fault, response_difference
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr
from sluicegate.iommu.request import AddressType, FaultRecord, Request, Response
from sluicegate.iommu.translate import translate

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.address_spaces import A, AddressSpaces, D, Device, G, Slot, Space, Stage, V
from tests.block.iommu.bench import SETTLE_CYCLES, IommuBench, LoggedResponse, with_fault

FAULT_PAGE, COMMAND_PAGE, FENCE_WORD = 0x7000_0000, 0x7100_0000, 0x7200_0000
LOG2_ENTRIES = 10
BATCHES, BATCH = 120, 48
INVALIDATE_VMA, INVALIDATE_GVMA, FENCE, INVALIDATE_DDT, INVALIDATE_PDT = 0x001, 0x081, 0x002, 0x003, 0x083
AV, PSCV, GV, NL = 1 << 10, 1 << 32, 1 << 33, 1 << 34


class LockStepScoreboard(Scoreboard):
    """Counts what was compared; a mismatch is raised where it is seen."""

    name = "lock_step"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.compared = 0
        self.ambiguous = 0
        self.new_only = 0
        self.causes: Counter[int] = Counter()

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def finish(self) -> ScoreboardResult:
        bench = self._bench
        if self.ambiguous * 5 > self.compared:
            raise self.error(f"{self.ambiguous} of {self.compared} answers could be old or new: the test judges too little")
        link = LinkCount(bench.observed, bench.requests, self.compared)
        figures = {"ambiguous": self.ambiguous, "new_only": self.new_only, "causes": len(self.causes)}
        return ScoreboardResult(self.name, self.block, self.compared, {"translation": link}, figures=figures)


class RandomTest(BaseTest):
    """Parameter ``batches``: rounds of requests, edits and invalidations."""

    top = IOMMU

    def prepare(self) -> None:
        self.random = np.random.default_rng(self.settings.seed)
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.scoreboard = self.new_scoreboard()
        self.environment.add_scoreboard(self.scoreboard)
        native = self.environment.simulation.native
        native.set_knob(Knob.MEMORY_PORT_LATENCY, self.choose(2, 12))
        native.set_knob(Knob.MEMORY_PORT_JITTER, self.choose(0, 2) * self.choose(1, 30))
        native.set_knob(Knob.MEMORY_PORT_REQUEST_STALL_CHANCE, self.choose(0, 2) * 20000)
        native.set_knob(Knob.MEMORY_PORT_RESPONSE_STALL_CHANCE, self.choose(0, 2) * 20000)
        self.environment.translation_port.set_stalls(self.choose(0, 2) * 30000, self.choose(0, 2) * 30000)
        self.recent: list[tuple[Space, Slot]] = []
        self.fault_tail = 0
        self.command_tail = 0

    def new_scoreboard(self) -> LockStepScoreboard:
        """The judge of this test."""
        return LockStepScoreboard(self.bench)

    def choose(self, low: int, high: int) -> int:
        """A random integer in ``low .. high - 1``."""
        return int(self.random.integers(low, high))

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    # ---- the loop ----

    def run_all(self) -> None:
        """All rounds; runs in the bridge thread."""
        self.spaces = AddressSpaces(self.random, lambda address, word: self.bench.memory.write_u64(address, word))
        self.turn_on()
        self.run_batches()

    def turn_on(self) -> None:
        """Reset, the directory of the address spaces, both queues on and empty."""
        self.fault_tail = self.command_tail = 0
        self.bench.program(self.spaces.configuration)
        self.bench.write_register(Offset.FQB, FAULT_PAGE >> 2 | (LOG2_ENTRIES - 1), 8)
        self.bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)
        self.bench.write_register(Offset.CQB, COMMAND_PAGE >> 2 | (LOG2_ENTRIES - 1), 8)
        self.bench.write_register(Offset.CQCSR, CommandQueueCsr.CQEN, 4)
        self.bench.read_register(Offset.CQCSR, 4)

    def run_batches(self) -> None:
        """Requests, then edits with their invalidations behind or amid them, then the same requests."""
        for _ in range(int(self.settings.parameters.get("batches", BATCHES))):
            racing = self.choose(0, 3) == 0
            requests = self.requests()
            before = [self.undisturbed(request) for request in requests]
            if not racing and self.choose(0, 4):
                # The caches hold what the edits below change.
                self.judge_settled(requests, before)
            if racing:
                self.bench.send(requests)
                self.bench.cycles(self.choose(0, 60))
            commands = [command for _ in range(self.choose(0, 4)) for command in self.edit()]
            if racing:
                self.push([*commands, self.fence()])
                answers = self.bench.collect(len(requests))
                after = [self.undisturbed(request) for request in requests]
                for request in requests:
                    self.expected(request)
                settled = [self.undisturbed(request) for request in requests]
                self.judge(requests, answers, [list(three) for three in zip(before, after, settled, strict=True)])
                self.wait_for_commands()
                self.compare_tables(adopt=True)
            else:
                self.push([*commands, self.fence()])
                self.wait_for_commands()
                after = [self.undisturbed(request) for request in requests]
                self.scoreboard.new_only += sum(self.differ(old, new) for old, new in zip(before, after, strict=True))
                self.judge_settled(requests, after)

    def judge_settled(self, requests: Sequence[Request], before: Sequence[Response]) -> None:
        """Send a batch while the tables stand still; ``before`` are the model's answers on them as they are now."""
        answers = self.bench.translate(requests)
        for request in requests:
            self.expected(request)
        settled = [self.undisturbed(request) for request in requests]
        self.judge(requests, answers, [list(both) for both in zip(before, settled, strict=True)])
        self.compare_tables(adopt=False)

    def compare_tables(self, adopt: bool) -> None:
        """The tables in memory are those of the model, A and D included; ``adopt`` takes over what a race made of them."""
        for address in self.spaces.written:
            found, wanted = self.bench.memory.read_u64(address), self.spaces.memory.read_u64(address)
            if found == wanted:
                continue
            if not adopt or (found ^ wanted) & ~(A | D):
                raise self.scoreboard.error(f"entry at {address:#x} is {found:#x}, {wanted:#x} expected")
            self.spaces.memory.write_u64(address, found)

    def expected(self, request: Request) -> Response:
        """What the model answers on the present tables, which it updates."""
        return translate(request, self.spaces.configuration, self.spaces.memory)

    def undisturbed(self, request: Request) -> Response:
        """What the model answers on the present tables; its updates are undone.

        Requests of a batch overtake each other, and an answer (W of an ATS completion) may depend on the D bit that another one
        sets: the tables before all of them and after all of them bound what is right.
        """
        self.spaces.memory.settle()
        response = self.expected(request)
        self.spaces.memory.revoke()
        return response

    # ---- requests ----

    def requests(self) -> list[Request]:
        """A batch, biased to few pages so that hits, merges and misses mix."""
        choices = [(device, process) for device in self.spaces.devices for process in device.spaces]
        self.recent = []
        chosen = [choices[self.choose(0, len(choices))] for _ in range(3)]
        return [self.request(*chosen[self.choose(0, 3)]) for _ in range(BATCH)]

    def request(self, device: Device, process: int | None) -> Request:
        space = device.spaces[process]
        slots = space.stage.slots
        slot = slots[min(self.choose(0, len(slots)), self.choose(0, len(slots)))]
        self.recent.append((space, slot))
        iova = slot.address + self.choose(0, slot.bytes) if self.choose(0, 30) else self.choose(0, 1 << 62)
        kind = AddressType.TRANSLATION_REQUEST if self.choose(0, 12) == 0 else AddressType.UNTRANSLATED
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

    # ---- edits, each with the commands that make it visible ----

    def edit(self) -> list[tuple[int, int]]:
        kind = self.choose(0, 10)
        if kind < 6:
            return self.edit_first_stage()
        if kind < 8:
            return self.edit_second_stage()
        device = self.spaces.devices[self.choose(0, len(self.spaces.devices))]
        if kind == 8 and device.process_contexts:
            return self.edit_process_context(device)
        self.spaces.write_context_control(device, valid=self.choose(0, 6) != 0, silent=self.choose(0, 3) == 0)
        every = self.choose(0, 4) == 0
        return [(INVALIDATE_DDT | (0 if every else GV | device.device_id << 40), 0)]

    def edit_process_context(self, device: Device) -> list[tuple[int, int]]:
        process = list(device.process_contexts)[self.choose(0, len(device.process_contexts))]
        self.spaces.write_process_context(device, process, device.spaces[process], supervisor=self.choose(0, 2) == 0)
        return [(INVALIDATE_PDT | process << 12 | GV | device.device_id << 40, 0)]

    def change_leaf(self, stage: Stage, slot: Slot | None = None) -> tuple[Slot, int]:
        """Give a slot (or a random one) a new leaf; the old one is returned too: if it was valid it may be cached."""
        slot = slot or stage.slots[self.choose(0, len(stage.slots))]
        old = self.spaces.memory.read_u64(self.spaces.entry_address(stage, slot.address, slot.level))
        self.spaces.map(stage, slot, self.spaces.random_leaf(slot, stage))
        return slot, old

    def change_table(self, stage: Stage) -> Slot:
        """Replace the last-level table of a slot."""
        slots = [slot for slot in stage.slots if slot.level == 0]
        slot = slots[self.choose(0, len(slots))]
        self.spaces.replace_table(stage, slot)
        return slot

    def edit_first_stage(self) -> list[tuple[int, int]]:
        space, recent = self.recent[self.choose(0, len(self.recent))]
        if not space.stage.mode:
            return []
        if self.choose(0, 4) == 0:
            slot = self.change_table(space.stage)
            everywhere = self.scope(space)
            return [(everywhere, 0) if self.choose(0, 2) else (everywhere | AV | NL, slot.address >> 12 << 10)]
        slot, old = self.change_leaf(space.stage, recent)
        return [self.invalidate_vma(space, slot, old)] if old & V else []

    @staticmethod
    def scope(space: Space) -> int:
        """Dword 0 of IOTINVAL.VMA for all process address spaces of the guest."""
        return INVALIDATE_VMA | (GV | space.guest.gscid << 44 if space.guest.stage.mode else 0)

    def invalidate_vma(self, space: Space, slot: Slot, old: int) -> tuple[int, int]:
        """IOTINVAL.VMA in one of the forms that cover ``slot``; by PSCID only where the old leaf was not global."""
        low = self.scope(space)
        if not old & G and self.choose(0, 2):
            low |= PSCV | space.pscid << 12
        form = self.choose(0, 4)
        if form == 0:
            return low, 0
        if form == 1:
            return low | AV | (NL if self.choose(0, 2) else 0), slot.address >> 12 << 10
        if form == 2:
            pages = 1 << self.choose(1, 6)
            first = (slot.address >> 12) & ~(2 * pages - 1)
            return low | AV, (first | pages - 1) << 10 | 1 << 9
        return low | AV, (slot.address + self.choose(0, slot.bytes)) >> 12 << 10

    def edit_second_stage(self) -> list[tuple[int, int]]:
        guests = [guest for guest in self.spaces.guests if guest.stage.mode]
        guest = guests[self.choose(0, len(guests))]
        if self.choose(0, 4) == 0:
            slot, old, address = self.change_table(guest.stage), V, AV | NL
        else:
            slot, old = self.change_leaf(guest.stage)
            address = AV
        if not old & V:
            return []
        form = self.choose(0, 3)
        if form == 0:
            return [(INVALIDATE_GVMA, 0)]
        if form == 1:
            return [(INVALIDATE_GVMA | GV | guest.gscid << 44, 0)]
        return [(INVALIDATE_GVMA | GV | address | guest.gscid << 44, slot.address >> 12 << 10)]

    def fence(self) -> tuple[int, int]:
        """IOFENCE.C with random PR, PW, AV and WSI."""
        if self.choose(0, 2):
            return FENCE | AV | self.choose(0, 4) << 12 | 0x1234_5678 << 32, FENCE_WORD >> 2
        return FENCE | self.choose(0, 8) << 11, 0

    # ---- queues ----

    def push(self, commands: Sequence[tuple[int, int]]) -> None:
        """Append commands and ring the tail once."""
        for words in commands:
            for index, word in enumerate(words):
                self.bench.memory.write_u64(COMMAND_PAGE + 16 * self.command_tail + 8 * index, word)
            self.command_tail = (self.command_tail + 1) % (1 << LOG2_ENTRIES)
        self.bench.write_register(Offset.CQT, self.command_tail, 4)

    def wait_for_commands(self) -> None:
        """Until the head has reached the tail; a stopped queue fails the test."""
        for _ in range(400):
            if self.bench.read_register(Offset.CQH, 4) == self.command_tail:
                return
            self.bench.cycles(16)
        csr = self.bench.read_register(Offset.CQCSR, 4)
        raise self.scoreboard.error(f"the command queue stopped before index {self.command_tail}, cqcsr {csr:#x}")

    def new_records(self) -> list[FaultRecord]:
        """Records since the last call."""
        self.bench.cycles(SETTLE_CYCLES)
        tail = self.bench.read_register(Offset.FQT, 4)
        while True:
            self.bench.cycles(SETTLE_CYCLES)
            latest = self.bench.read_register(Offset.FQT, 4)
            if latest == tail:
                break
            tail = latest
        records = []
        while self.fault_tail != tail:
            data = self.bench.memory.read(FAULT_PAGE + 32 * self.fault_tail, 32)
            words = np.frombuffer(data, dtype="<u8").tolist()
            records.append(FaultRecord.unpack((words[0], words[1], words[2], words[3])))
            self.fault_tail = (self.fault_tail + 1) % (1 << LOG2_ENTRIES)
        self.bench.write_register(Offset.FQH, self.fault_tail, 4)
        return records

    # ---- judging ----

    @staticmethod
    def _accepted(response: Response) -> ExpectedResponse:
        return ExpectedResponse(
            response.status, response.spa, response.memory_type, response.msi, None, response.permissions, response.fault
        )

    def differ(self, one: Response, other: Response) -> bool:
        """Whether two answers of the model can be told apart."""
        return response_difference(self._accepted(one), other, False) is not None

    def judge(self, requests: Sequence[Request], answers: Sequence[LoggedResponse], accepted: Sequence[list[Response]]) -> None:
        """Every answer is one of its accepted ones, and the fault records are those of the answers."""
        certain: Counter[object] = Counter()
        possible: Counter[object] = Counter()
        for request, answer, candidates in zip(requests, answers, accepted, strict=True):
            agreeing = []
            reasons = []
            for candidate in candidates:
                wanted = self._accepted(candidate)
                difference = response_difference(wanted, with_fault(answer.response, wanted.fault), False)
                if difference is None:
                    agreeing.append(comparable_fault(candidate.fault))
                else:
                    reasons.append(difference)
            if not agreeing:
                raise self.scoreboard.error(f"{request}: {'; '.join(reasons)}", answer.answered, self.scoreboard.compared)
            self.scoreboard.compared += 1
            self.scoreboard.ambiguous += self.differ(candidates[0], candidates[-1])
            if len(set(agreeing)) == 1:
                if agreeing[0] is not None:
                    certain[agreeing[0]] += 1
            else:
                possible.update(fault for fault in agreeing if fault is not None)
        for record in self.new_records():
            fault = comparable_fault(record)
            self.scoreboard.causes[int(record.cause)] += 1
            if certain[fault]:
                certain[fault] -= 1
            elif possible[fault]:
                possible[fault] -= 1
            else:
                raise self.scoreboard.error(f"a fault record that no request explains: {record}")
        missing = +certain
        if missing:
            raise self.scoreboard.error(f"{missing.total()} fault records are missing, one of them {next(iter(missing))}")
