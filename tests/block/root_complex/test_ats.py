"""Devices with translation caches, page requests and interrupt files in memory behind the root complex: ATS and PRI on TLPs."""

from __future__ import annotations

from collections.abc import Callable

import cocotb
import numpy as np
from cocotb.task import bridge, resume
from sluicegate.driver.config_access import ConfigAccess
from sluicegate.iommu.ats import InvalidateRequest, PageRequestGroupResponse, completion_entry
from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.commands import Fence, SendInvalidate, SendPageResponse
from sluicegate.iommu.pri import PageRequest
from sluicegate.iommu.registers import CommandQueueCsr, Offset, RecordQueueCsr
from sluicegate.iommu.request import AddressType, Cause, FaultRecord, Request, Status, TransactionType
from sluicegate.iommu.translate import translate
from sluicegate.pci.config_space import BUS_NUMBERS, COMMAND, COMMAND_BUS_MASTER, COMMAND_MEMORY
from sluicegate.platform import Bdf

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.bridge.platform import SimulationPlatform
from tb.bridge.tops import ROOT_COMPLEX
from tb.checkers.device_messages import DeviceMessageChecker
from tb.checkers.isolation import IsolationChecker
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.fabric import BridgePort, DownstreamPort, FabricConfiguration
from tb.scoreboards.link_flow import ROOT_COMPLEX as ROOT_COMPLEX_BLOCK
from tb.scoreboards.link_flow import LinkFlowScoreboard
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardResult
from tb.scoreboards.translation import TranslationScoreboard
from tests.block.root_complex.ats_device import TRANSLATED, AtsDevices, Completion, GroupResponse, Invalidation, Pasid
from tests.block.root_complex.ats_tables import (
    ABSENT,
    BROKEN,
    CAPABILITIES,
    COMMANDS,
    DIRECTORY,
    ENTRIES,
    FAR,
    FAR_GUEST,
    FAULTS,
    FENCE_TARGET,
    FILE,
    GUEST,
    HOLE,
    INTERRUPT_PAGE,
    INTERRUPTS,
    NAPOT,
    NOTICE_IDENTITY,
    PAGES,
    PLAIN,
    PROCESS,
    RAM,
    SILENT,
    SUPERPAGE,
    TRUSTED,
    WINDOW,
    memory_words,
)

SUCCESS, UNSUPPORTED, ABORT = 0, 1, 4
LAST_PAGE = 4 | 1
ROUNDS, BURST = 8, 100
PAGE_REQUEST = 5
"""Kind of TLP in the mix."""
QUIET = 600
"""Cycles in which everything of one step comes to its end."""
TIMEOUT = 8192 * 9 // 8 + 64
"""Cycles after which an invalidate request has timed out in the testbench."""
_COMPLETION_STATUS = {Status.OK: SUCCESS, Status.UNSUPPORTED_REQUEST: UNSUPPORTED, Status.COMPLETER_ABORT: ABORT}


class AtsScoreboard(Scoreboard):
    """Counts the comparisons of the test; each is raised where it fails."""

    name = "ats"
    block = "root_complex"

    def __init__(self) -> None:
        self.checks = 0

    def ingest(self, batch: LogBatch) -> None:
        """The devices read the log."""

    def finish(self) -> ScoreboardResult:
        self.require_compared(self.checks)
        return ScoreboardResult(self.name, self.block, self.checks)


class AtsTest(BaseTest):
    """One machine, one case after the other; with random stalls on every link and port."""

    top = ROOT_COMPLEX

    def prepare(self) -> None:
        simulation = self.environment.simulation
        simulation.dut.capabilities.value = CAPABILITIES.word
        self.random = np.random.default_rng(self.settings.seed)
        self.platform = SimulationPlatform(simulation)
        self.devices = AtsDevices(simulation)
        self.scoreboard = AtsScoreboard()
        self.registers = self.platform.address_map.iommu_registers.base
        self.tail = self.faults = 0
        for agent in self.environment.agents.values():
            agent.set_stalls(int(self.random.choice([0, 8000, 30000])))
        simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, int(self.random.integers(1, 40)))
        unused = DownstreamPort(0, 0)
        port = BridgePort(1, 4)
        self.flow = LinkFlowScoreboard(FabricConfiguration(port, port, (unused, unused)), frozenset({ROOT_COMPLEX_BLOCK}))
        # It rebuilds the tables from the log, so that it has to see them written.
        self.environment.add_scoreboard(TranslationScoreboard(CAPABILITIES))
        self.environment.add_scoreboard(self.scoreboard)
        self._cycles = resume(simulation.cycles)

    async def stimulate(self) -> None:
        await bridge(self._set_up)()
        await self.environment.simulation.cycles(64)
        self.environment.simulation.drain()
        for scoreboard in (self.flow, IsolationChecker(), DeviceMessageChecker()):
            self.environment.add_scoreboard(scoreboard)
        await bridge(self._run_all)()

    def _run_all(self) -> None:
        cases: tuple[Callable[[], None], ...] = (
            self.translation_entries,
            self.refused_translations,
            self.translated_requests,
            self.invalidation,
            self.invalidation_behind_writes,
            self.invalidation_times_out,
            self.page_requests,
            self.interrupt_file,
            self.interrupt_file_reads,
            self.interrupt_file_faults,
            self.everything_at_once,
        )
        for case in cases:
            case()

    # ---- steps ----

    def _set_up(self) -> None:
        port = ConfigAccess(self.platform, Bdf(0, 1))
        port.write(BUS_NUMBERS, 4 << 16 | 1 << 8, 4)
        port.write(COMMAND, COMMAND_MEMORY | COMMAND_BUS_MASTER, 2)
        for address, word in memory_words().items():
            self.platform.memory.write_u64(address, word)
        self.write(Offset.DDTP, DIRECTORY >> 2 | 3, 8)
        for base, csr, page in (
            (Offset.FQB, Offset.FQCSR, FAULTS),
            (Offset.CQB, Offset.CQCSR, COMMANDS),
            (Offset.PQB, Offset.PQCSR, PAGES),
        ):
            self.write(base, page >> 2 | 7, 8)
            self.write(csr, 1, 4)
        self.configuration = IommuConfiguration(CAPABILITIES, 0, self.read(Offset.DDTP, 8))
        assert self.read(Offset.CAPABILITIES, 8) == CAPABILITIES.word

    def read(self, offset: int, width: int) -> int:
        """An IOMMU register."""
        return self.platform.mmio_read(self.registers + offset, width)

    def write(self, offset: int, value: int, width: int) -> None:
        """An IOMMU register."""
        self.platform.mmio_write(self.registers + offset, value, width)

    def wait(self, cycles: int = QUIET) -> None:
        """Let time pass, and look at the log."""
        self._cycles(cycles)
        self.environment.simulation.drain()

    def check(self, what: str, got: object, expected: object) -> None:
        """One comparison."""
        if got != expected:
            raise self.scoreboard.error(f"{what}: {expected} expected, got {got}")
        self.scoreboard.checks += 1

    def push(self, *commands: SendInvalidate | SendPageResponse | Fence) -> None:
        """Append commands to the queue and give them time."""
        self._queue(*commands)
        self.wait()

    def command_state(self) -> tuple[int, CommandQueueCsr]:
        """Commands that are left, and the error bits of cqcsr."""
        csr = CommandQueueCsr(self.read(Offset.CQCSR, 4))
        errors = CommandQueueCsr.CQMF | CommandQueueCsr.CMD_ILL | CommandQueueCsr.CMD_TO
        return (self.tail - self.read(Offset.CQH, 4)) % 256, csr & errors

    def new_faults(self) -> list[FaultRecord]:
        """The fault records since the last look."""
        tail = self.read(Offset.FQT, 4)
        found = []
        while self.faults != tail:
            words = [self.platform.memory.read_u64(FAULTS + 32 * self.faults + 8 * index) for index in range(4)]
            found.append(FaultRecord.unpack((words[0], words[1], words[2], words[3])))
            self.faults = (self.faults + 1) % 256
        self.write(Offset.FQH, tail, 4)
        return found

    def expected_completion(
        self, device: int, iova: int, no_write: bool, pasid: Pasid | None
    ) -> tuple[int, int | None, FaultRecord | None]:
        """Status, entry and fault record that the golden model gives a translation request."""
        valid = pasid is not None
        request = Request(
            device,
            iova,
            address_type=AddressType.TRANSLATION_REQUEST,
            process_id=pasid.process if pasid is not None else 0,
            pasid_valid=valid,
            priv=pasid is not None and pasid.priv,
            exec=pasid is not None and pasid.exec,
            no_write=no_write,
        )
        response = translate(request, self.configuration, self.platform.memory)
        entry = None
        if response.status is Status.OK:
            entry = completion_entry(response)
            # Without R and W only the privilege means anything.
            entry &= ~0 if entry & 3 else 1 << 4
        return _COMPLETION_STATUS[response.status], entry, response.fault

    def ask(self, questions: list[tuple[int, int, bool, Pasid | None]]) -> list[int | None]:
        """Translation requests back to back, each judged against the golden model; the entries."""
        tags = [
            self.devices.translate(*question[:3], pasid=question[3], entries=1 + index % 4)
            for index, question in enumerate(questions)
        ]
        expected = [self.expected_completion(*question) for question in questions]
        self.wait(QUIET + 100 * len(questions))
        entries = []
        for question, tag, (status, entry, _) in zip(questions, tags, expected, strict=True):
            device, iova = question[:2]
            answer = self.devices.answer(device, tag)
            what = f"translation of {iova:#x} for {device:#06x}, no write {question[2]}, {question[3]}"
            self.check(f"{what}: completions", len(answer), 1)
            self.check(f"{what}: status", answer[0].status, status)
            found = int.from_bytes(answer[0].data, "big") if answer[0].data else None
            if entry is not None and entry & 3 and found is not None and found != entry:
                entry = self._narrowed(entry, found, iova)
            self.check(f"{what}: entry", None if found is None else hex(found), None if entry is None else hex(entry))
            if entry is not None:
                self.check(f"{what}: byte count and lower address", (answer[0].byte_count, answer[0].lower_address), (8, 0))
            entries.append(found)
        records = [fault for _, _, fault in expected if fault is not None]
        self.check("fault records", sorted(map(str, self.new_faults())), sorted(map(str, records)))
        return entries

    @staticmethod
    def _narrowed(entry: int, found: int, iova: int) -> int:
        """``entry`` for the range that ``found`` claims, when that lies in the range of ``entry``: a smaller one is right too."""
        shift, claimed = _range_shift(entry), _range_shift(found)
        if claimed > shift:
            return entry
        base = entry >> shift << shift | iova & (1 << shift) - 1
        base = base >> claimed << claimed
        size = 0 if claimed == 12 else 1 << 11 | (1 << claimed - 1) - (1 << 12)
        return base & ~0xFFF | size | entry & 0x7FF

    # ---- translation requests ----

    def translation_entries(self) -> None:
        """Every kind of page, with and without writing, PASID, privilege and execution; for a guest the guest addresses."""
        places = [WINDOW + (page << 12) for page in range(len(ENTRIES))] + [NAPOT + 0x3000, SUPERPAGE, SUPERPAGE + 0x5_4000]
        pasids = (None, Pasid(PROCESS), Pasid(PROCESS, exec=True), Pasid(PROCESS, priv=True), Pasid(PROCESS, True, True))
        questions = [(TRUSTED, iova, no_write, pasid) for pasid in pasids for iova in places for no_write in (False, True)]
        questions += [(GUEST, iova, no_write, None) for iova in places for no_write in (False, True)]
        questions += [(FAR, FAR_GUEST | RAM + 0x3000, no_write, None) for no_write in (False, True)]
        questions += [(INTERRUPTS, INTERRUPT_PAGE, False, None), (INTERRUPTS, 0x10_0000, False, None)]
        order = self.random.permutation(len(questions)).tolist()
        for start in range(0, len(order), 40):
            self.ask([questions[index] for index in order[start : start + 40]])

    def refused_translations(self) -> None:
        """UR where ATS is not for the device, CA where tables cannot be read, R = W = 0 where nothing is mapped."""
        self.ask([(PLAIN, WINDOW, False, None), (ABSENT, WINDOW, False, None), (TRUSTED, HOLE, False, None)])
        self.ask(
            [(TRUSTED, 0x5000_0000_0000, False, None), (TRUSTED, WINDOW, False, Pasid(0x12345)), (GUEST, WINDOW, False, Pasid(1))]
        )

    def translated_requests(self) -> None:
        """Reads and writes at translated addresses: system addresses untranslated, guest addresses through the second stage."""
        (entry,) = self.ask([(TRUSTED, WINDOW, False, None)])
        (guest_entry,) = self.ask([(GUEST, WINDOW, False, None)])
        assert entry is not None
        assert guest_entry is not None
        self.check("guest address", guest_entry & ~0xFFF, RAM - 0x8000_0000)
        for device, address in ((TRUSTED, entry & ~0xFFF), (GUEST, guest_entry & ~0xFFF), (FAR, FAR_GUEST | RAM)):
            data = self.random.bytes(64)
            self.devices.write(device, address + 0x40, data, TRANSLATED)
            tag = self.devices.read(device, address + 0x40, 64, TRANSLATED)
            self.wait()
            self.check("memory", self.platform.memory.read(RAM + 0x40, 64), data)
            answer = self.devices.answer(device, tag)
            self.check("read back", b"".join(part.data for part in answer), data)
        tag = self.devices.read(PLAIN, RAM, 4, TRANSLATED)
        self.devices.write(PLAIN, RAM, bytes(4), TRANSLATED)
        self.wait()
        self.check("without ATS", [part.status for part in self.devices.answer(PLAIN, tag)], [UNSUPPORTED])
        self.check("records", [fault.cause for fault in self.new_faults()], [Cause.TRANSACTION_TYPE_DISALLOWED] * 2)

    # ---- invalidation ----

    def invalidation(self) -> None:
        """Requests for two devices with and without PASID; a fence waits for the last of their completions."""
        self.devices.invalidations.clear()
        self.push(
            SendInvalidate(InvalidateRequest(TRUSTED, False, 0, False, 0, WINDOW)),
            SendInvalidate(InvalidateRequest(GUEST, False, 0, True, 0x54321, 0x7FFF_FFFF_FFFF_F801)),
            SendInvalidate(InvalidateRequest(0x0900, False, 0, False, 0, WINDOW)),
        )
        first, second = self.devices.invalidations
        self.check("first", first, Invalidation(TRUSTED, first.itag, WINDOW, None))
        self.check("second", second, Invalidation(GUEST, second.itag, 0x7FFF_FFFF_FFFF_F801, 0x54321))
        self.push(Fence(FENCE_TARGET, 0x1111))
        self.check("waits", self.command_state(), (1, CommandQueueCsr(0)))
        unexpected = self._statistic("invalidate_unexpected")
        self.devices.complete_invalidation(TRUSTED, 1 << first.itag | 1 << second.itag, 2)
        self.devices.complete_invalidation(GUEST, 1 << second.itag)
        self.devices.complete_invalidation(GUEST, 1 << second.itag, target=0x0010)
        self.wait()
        self.check("one of two completions", self.command_state(), (1, CommandQueueCsr(0)))
        self.check("foreign tag", self._statistic("invalidate_unexpected"), unexpected + 1)
        self.devices.complete_invalidation(TRUSTED, 1 << first.itag, 2)
        self.wait()
        # The message to a bus that does not exist was never sent: its tag times out, and the fence says so.
        self.check("nobody there", self.command_state(), (1, CommandQueueCsr(0)))
        self.check("dropped", self._statistic("message_dropped"), 1)
        self.wait(TIMEOUT)
        self.check("timed out", self.command_state(), (1, CommandQueueCsr.CMD_TO))
        self.write(Offset.CQCSR, 1 | CommandQueueCsr.CMD_TO, 4)
        self.wait()
        self.check("done", self.command_state(), (0, CommandQueueCsr(0)))
        self.check("stored", self.platform.memory.read(FENCE_TARGET, 4), (0x1111).to_bytes(4, "little"))

    def invalidation_behind_writes(self) -> None:
        """A completion behind writes at the old translation: when the fence is done, their data is in memory."""
        for agent in ("memory_request",):
            self.environment.agents[agent].set_stalls(60_000)
        for turn in range(8):
            self.devices.invalidations.clear()
            self.push(SendInvalidate(InvalidateRequest(TRUSTED, False, 0, False, 0, WINDOW)), Fence())
            (request,) = self.devices.invalidations
            data = [self.random.bytes(4 * int(self.random.choice([1, 16, 32]))) for _ in range(6)]
            for place, payload in enumerate(data):
                self.devices.write(TRUSTED, RAM + 0x100 * place, payload, TRANSLATED)
            self.devices.complete_invalidation(TRUSTED, 1 << request.itag)
            done = self.platform.wait_until(lambda: self.command_state()[0] == 0, 20 * QUIET)
            self.check("fence", done, True)
            for place, payload in enumerate(data):
                self.check(f"write {place} of turn {turn}", self.platform.memory.read(RAM + 0x100 * place, len(payload)), payload)
        self.environment.agents["memory_request"].set_stalls(0)

    def invalidation_times_out(self) -> None:
        """No completion: cmd_to at the fence. A late one changes nothing."""
        self.devices.invalidations.clear()
        self.push(SendInvalidate(InvalidateRequest(TRUSTED, False, 0, False, 0, WINDOW)), Fence())
        (request,) = self.devices.invalidations
        self.wait(TIMEOUT)
        self.check("timed out", self.command_state(), (1, CommandQueueCsr.CMD_TO))
        unexpected = self._statistic("invalidate_unexpected")
        self.devices.complete_invalidation(TRUSTED, 1 << request.itag)
        self.wait()
        self.check("late", self._statistic("invalidate_unexpected"), unexpected + 1)
        self.write(Offset.CQCSR, 1 | CommandQueueCsr.CMD_TO, 4)
        self.wait()
        self.check("goes on", self.command_state(), (0, CommandQueueCsr(0)))

    @staticmethod
    def _statistic(name: str) -> int:
        return int(getattr(cocotb.top, f"stat_{name}").value)

    # ---- page requests ----

    def page_requests(self) -> None:
        """Groups of two devices into the queue, answered by command; refused ones answered at once."""
        self.devices.responses.clear()
        sent = [
            (TRUSTED, WINDOW + 0x3000, 1, 7, Pasid(PROCESS, True, True)),
            (GUEST, WINDOW + 0x3000, 3, 1, None),
            (TRUSTED, WINDOW + 0x4000, 4 | 2, 7, Pasid(PROCESS)),
        ]
        for request in sent:
            self.devices.request_page(*request)
        self.wait()
        expected = []
        for device, page, flags, group, pasid in sent:
            message = PageRequest(device, page | group << 3 | flags)
            if pasid is not None:
                message = PageRequest(device, message.payload, False, 0, True, pasid.process, pasid.priv, pasid.exec)
            expected.append(message.pack())
        found = [tuple(self.platform.memory.read_u64(PAGES + 16 * index + half) for half in (0, 8)) for index in range(3)]
        self.check("records", found, expected)
        self.check("tail", self.read(Offset.PQT, 4), 3)
        self.check("unanswered", self.devices.responses, [])
        answer = PageRequestGroupResponse(TRUSTED, False, 0, True, PROCESS, TRUSTED << 48 | 7 << 32)
        self.push(SendPageResponse(answer), Fence())
        self.check("answer by command", self.devices.responses, [GroupResponse(TRUSTED, 0, 7, PROCESS)])
        self.devices.responses.clear()
        self.devices.request_page(PLAIN, WINDOW, LAST_PAGE, 3)
        self.devices.request_page(ABSENT, WINDOW, LAST_PAGE, 4, Pasid(0x777))
        self.devices.request_page(PLAIN, WINDOW, 1, 5)
        self.wait()
        expected_responses = [GroupResponse(PLAIN, 0x1, 3, None), GroupResponse(ABSENT, 0xF, 4, 0x777)]
        self.check("automatic answers", self.devices.responses, expected_responses)
        faults = [(fault.cause, fault.transaction_type, fault.device_id) for fault in self.new_faults()]
        kind = TransactionType.PCIE_MESSAGE
        disallowed = (Cause.TRANSACTION_TYPE_DISALLOWED, kind, PLAIN)
        self.check("faults", faults, [disallowed, (Cause.DDT_NOT_VALID, kind, ABSENT), disallowed])
        self.write(Offset.PQCSR, 0, 4)
        self.devices.responses.clear()
        self.devices.request_page(TRUSTED, WINDOW, LAST_PAGE, 9, Pasid(PROCESS))
        self.wait()
        self.check("queue off", self.devices.responses, [GroupResponse(TRUSTED, 0xF, 9, PROCESS)])
        self.write(Offset.PQCSR, RecordQueueCsr.QEN, 4)

    # ---- interrupt files ----

    def interrupt_file(self) -> None:
        """Writes set their pending bits behind the data before them; enabled identities send the notice, others do not."""
        enabled, quiet = (1, 64, 2047, 700), (2, 63, 65, 1024)
        for identity in enabled:
            address = FILE + 16 * (identity // 64) + 8
            self.platform.memory.write_u64(address, self.platform.memory.read_u64(address) | 1 << identity % 64)
        notices = 0
        for identity in (*enabled, *quiet):
            data = self.random.bytes(128)
            self.devices.write(INTERRUPTS, 0x10_0000, data)
            self.devices.write(INTERRUPTS, INTERRUPT_PAGE, identity.to_bytes(4, "little"))
            self.devices.write(INTERRUPTS, 0x10_0000 + 0x200, data)
            self.wait()
            pending = self.platform.memory.read_u64(FILE + 16 * (identity // 64))
            self.check(f"identity {identity} pending", pending >> identity % 64 & 1, 1)
            self.check("data around it", self.platform.memory.read(0x8010_0200, 128), data)
            notices += identity in enabled
            self.check(
                f"notices after {identity}", self.environment.simulation.native.interrupt_pending(NOTICE_IDENTITY), notices
            )
        before = self.platform.memory.read(FILE, 512)
        word = (3).to_bytes(4, "little")
        self.devices.write(INTERRUPTS, INTERRUPT_PAGE + 4, word)
        self.devices.write(INTERRUPTS, INTERRUPT_PAGE, word + bytes(4))
        self.devices.write(INTERRUPTS, INTERRUPT_PAGE, word, enables=0x07)
        for value in (0, 2048, 0x1_0003):
            self.devices.write(INTERRUPTS, INTERRUPT_PAGE, value.to_bytes(4, "little"))
        self.wait(2 * QUIET)
        self.check("other writes change nothing", self.platform.memory.read(FILE, 512), before)
        self.check("no notice", self.environment.simulation.native.interrupt_pending(NOTICE_IDENTITY), notices)
        self.check("no fault", self.new_faults(), [])

    def interrupt_file_reads(self) -> None:
        """Reads of its page give zeros of the right length, split at 128 bytes; an atomic finds 0."""
        for offset, length, enables in (
            (0, 4, 0xF),
            (4, 4, 0x6),
            (0, 4, 0),
            (8, 256, 0xFF),
            (0x7C, 8, 0x3C),
            (0x80, 128, 0xFF),
            (0x44, 1024, 0xFE),
        ):
            tag = self.devices.read(INTERRUPTS, INTERRUPT_PAGE + offset, length, enables=enables)
            self.wait()
            answer = self.devices.answer(INTERRUPTS, tag)
            self.check(f"read of {length} at {offset:#x}", answer, _zeros(offset, length, enables))
        tag = self.devices.fetch_add(INTERRUPTS, INTERRUPT_PAGE, bytes(8))
        self.wait()
        self.check("atomic", self.devices.answer(INTERRUPTS, tag), [Completion(SUCCESS, 8, 0, bytes(8))])

    def interrupt_file_faults(self) -> None:
        """A file where no memory is: fault 264 of the write, none with DTF; the writes behind it go on."""
        for device in (SILENT, BROKEN):
            data = self.random.bytes(32)
            self.devices.write(device, INTERRUPT_PAGE, (5).to_bytes(4, "little"))
            self.devices.write(device, 0x10_0000, data)
            self.wait()
            self.check("next write", self.platform.memory.read(RAM, 32), data)
        record = FaultRecord(Cause.MRIF_ACCESS_FAULT, TransactionType.UNTRANSLATED_WRITE, BROKEN, iotval=INTERRUPT_PAGE)
        self.check("records", self.new_faults(), [record])

    # ---- all of it together ----

    def everything_at_once(self) -> None:
        """Requests of every kind, messages and interrupts back to back while commands invalidate; the scoreboards judge them."""
        pages = requested = 0
        self.read(Offset.PQT, 4)
        for _ in range(ROUNDS):
            for agent in self.environment.agents.values():
                agent.set_stalls(int(self.random.choice([0, 8000, 30000])))
            self.devices.invalidations.clear()
            devices = self.random.choice([TRUSTED, GUEST], size=3).tolist()
            reads, writes = self.random.integers(0, 2, size=2).tolist()
            fence = Fence(previous_reads=bool(reads), previous_writes=bool(writes))
            self._queue(*[SendInvalidate(InvalidateRequest(device, False, 0, False, 0, WINDOW)) for device in devices], fence)
            asked = []
            for kind in self.random.choice(8, size=BURST, p=[0.2, 0.15, 0.15, 0.15, 0.15, 0.08, 0.07, 0.05]).tolist():
                question = self._one_of_many(kind)
                asked += [] if question is None else [question]
                requested += kind == PAGE_REQUEST
            self.wait()
            for request in self.devices.invalidations:
                self.devices.complete_invalidation(request.device, 1 << request.itag)
            done = self.platform.wait_until(lambda: self.command_state()[0] == 0, 40 * QUIET)
            self.check("commands", (done, len(self.devices.invalidations)), (True, 3))
            self.wait(2 * QUIET)
            unanswered = [question for question in asked if not self.devices.answer(*question)]
            self.check("unanswered requests", unanswered, [])
            pages = self.read(Offset.PQT, 4)
            self.write(Offset.PQH, pages, 4)
            self.new_faults()
        self.check("page requests in the queue", pages, requested % 256)
        self.check("refusals of page requests", self.read(Offset.PQCSR, 4) & 0x300, 0)

    def _queue(self, *commands: SendInvalidate | SendPageResponse | Fence) -> None:
        """Append commands without waiting for them."""
        for command in commands:
            low, high = command.pack()
            self.platform.memory.write_u64(COMMANDS + 16 * self.tail, low)
            self.platform.memory.write_u64(COMMANDS + 16 * self.tail + 8, high)
            self.tail = (self.tail + 1) % 256
        self.write(Offset.CQT, self.tail, 4)

    def _one_of_many(self, kind: int) -> tuple[int, int] | None:
        """Send one TLP; requester ID and tag of one that is answered."""
        page = WINDOW + (int(self.random.integers(0, len(ENTRIES))) << 12)
        place = int(self.random.integers(0, 24)) * 128
        data = self.random.bytes(4 * int(self.random.choice([1, 2, 16, 32])))
        if kind == 0:
            device = int(self.random.choice([TRUSTED, GUEST, PLAIN]))
            return device, self.devices.translate(device, page, bool(self.random.integers(0, 2)))
        if kind == 1:
            self.devices.write(TRUSTED, RAM + place, data, TRANSLATED)
        elif kind == 2:
            return TRUSTED, self.devices.read(TRUSTED, RAM + place, len(data), TRANSLATED)
        elif kind == 3:
            self.devices.write(int(self.random.choice([TRUSTED, GUEST, PLAIN])), page + place, data)
        elif kind == 4:
            device = int(self.random.choice([TRUSTED, GUEST, PLAIN]))
            return device, self.devices.read(device, page + place, len(data))
        elif kind == PAGE_REQUEST:
            self.devices.request_page(int(self.random.choice([TRUSTED, GUEST])), page, 1, 3)
        elif kind == 6:
            self.devices.write(INTERRUPTS, INTERRUPT_PAGE, int(self.random.integers(1, 2048)).to_bytes(4, "little"))
        else:
            return INTERRUPTS, self.devices.read(INTERRUPTS, INTERRUPT_PAGE + place % 512, len(data))
        return None


def _range_shift(entry: int) -> int:
    """log2 bytes of the range of an entry."""
    if not entry >> 11 & 1:
        return 12
    ones = entry >> 12
    return 13 + (~ones & ones + 1).bit_length() - 1


def _zeros(offset: int, length: int, enables: int) -> list[Completion]:
    """Completions of a read of zeros at ``offset`` of a page (PCIe Base, completion rules)."""
    first = enables & 0xF
    last = first if length == 4 else enables >> 4
    lead = 0 if first == 0 else (first & -first).bit_length() - 1
    trail = 0 if last == 0 else 4 - last.bit_length()
    count = 1 if first == 0 and length == 4 else length - lead - trail
    found, at, left = [], offset, length
    while left:
        piece = min(left, 128 - at % 128)
        skipped = lead if at == offset else 0
        found.append(Completion(SUCCESS, count & 0xFFF, (at + skipped) & 0x7F, bytes(piece)))
        count -= piece - skipped
        at, left = at + piece, left - piece
    return found


@cocotb.test()
async def ats(_: object) -> None:
    """ATS, PRI and interrupt files on TLPs as the specifications say."""
    await run_test(AtsTest)
