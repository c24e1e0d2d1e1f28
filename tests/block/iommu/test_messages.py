"""Directed tests of the messages between devices and the IOMMU core: page requests, invalidate requests, responses."""

from __future__ import annotations

from collections.abc import Callable

import cocotb
from sluicegate.conformance.iommu_cases import MemoryImage
from sluicegate.iommu.ats import InvalidateRequest, PageRequestGroupResponse
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.commands import Fence, SendInvalidate, SendPageResponse
from sluicegate.iommu.pri import PAGE_REQUEST_CODE, PageRequest
from sluicegate.iommu.registers import CommandQueueCsr, Ipsr, Offset, RecordQueueCsr
from sluicegate.iommu.request import Cause, FaultRecord, Request, Status, TransactionType

from tb.bridge.native import Knob
from tb.env.base_test import run_test
from tb.scoreboards.scoreboard import LinkCount, ScoreboardResult
from tests.block.iommu.bench import IommuBench, LoggedWrite
from tests.block.iommu.test_queues import (
    COMMANDS,
    DIRECTORY,
    FAULTS,
    FENCE_TARGET,
    INTERRUPT_ON,
    MESSAGE_TARGET,
    WAIT,
    WSI,
    DirectedScoreboard,
    QueueTest,
)

CAPABILITIES = Capabilities(0x10 | 1 << 9 | 1 << 25 | 2 << 28 | 56 << 32)
"""Sv39, ATS, interrupts by wire or message."""
PAGES = 0x8005_0000
"""The page-request queue."""
ALLOWED, WITH_PASID, NO_PRI, SILENT, BROKEN, ABSENT, WIDE = 1, 2, 3, 4, 5, 6, 0x80
"""Devices: page requests; PRPR too; ATS only; the same with DTF; misconfigured with DTF; no context; beyond the directory."""
CONTROL = {ALLOWED: 0x7, WITH_PASID: 0x47, NO_PRI: 0x3, SILENT: 0x13, BROKEN: 0x15}
"""DC.tc of each device."""
READ, WRITE, LAST = 1, 2, 4
SUCCESS, INVALID, FAILURE = 0x0, 0x1, 0xF
ITAGS = 32
TIMEOUT = 4096
"""INVALIDATE_TIMEOUT of the testbench."""
LATEST = TIMEOUT * 9 // 8 + 64
"""Cycles after which a tag has timed out for certain."""
WINDOW = 0x1234_5000


def page_request(device: int, flags: int = READ | LAST, group: int = 5, process: int | None = None) -> PageRequest:
    """A page request of ``device`` for one page; with a PASID also privileged and for execution."""
    payload = WINDOW | group << 3 | flags
    if process is None:
        return PageRequest(device, payload)
    return PageRequest(device, payload, pasid_valid=True, process_id=process, priv=True, exec=True)


def response(device: int, code: int, group: int = 5, process: int | None = None) -> PageRequestGroupResponse:
    """The response that the specification demands."""
    payload = device << 48 | code << 44 | group << 32
    return PageRequestGroupResponse(device, False, 0, process is not None, process or 0, payload)


def invalidate(device: int, page: int = WINDOW, process: int | None = None) -> InvalidateRequest:
    """An invalidate request for one page."""
    return InvalidateRequest(device, False, 0, process is not None, process or 0, page)


class MessageScoreboard(DirectedScoreboard):
    """Counts the checks, and the messages of devices instead of translations."""

    def finish(self) -> ScoreboardResult:
        delivered = self.bench.delivered_messages
        link = LinkCount(delivered, self.bench.queued_messages, delivered)
        return ScoreboardResult(self.name, self.block, self.checks, {"messages": link})


class MessageTest(QueueTest):
    """All directed cases, each from reset."""

    def prepare(self) -> None:
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.scoreboard = MessageScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    def run_all(self) -> None:
        """Every case; runs in the bridge thread."""
        cases: tuple[Callable[[], None], ...] = (
            self.page_requests_in_order,
            self.page_queue_overflow,
            self.page_queue_write_error,
            self.page_queue_off,
            self.page_request_faults,
            self.directory_modes,
            self.response_commands,
            self.tags_run_out,
            self.foreign_and_late_completions,
            self.completions_with_count,
            self.fence_waits_for_devices,
            self.timeout_stops_fence,
            self.queue_turned_off_while_waiting,
            self.interrupt_rises_again,
            self.slow_link,
        )
        for case in cases:
            case()

    # ---- steps ----

    def start(self, fctl: int = WSI, page_entries_log2: int = 4, mode: int | None = None, pages_on: bool = True) -> None:
        """Reset, device contexts, all three queues on."""
        bench = self.bench
        bench.load(MemoryImage({DIRECTORY + 32 * device: control for device, control in CONTROL.items()}))
        bench.program(IommuConfiguration(CAPABILITIES, fctl, DIRECTORY >> 2 | 2 if mode is None else mode))
        bench.write_register(Offset.FQB, FAULTS >> 2 | 3, 8)
        bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN | RecordQueueCsr.IE, 4)
        bench.write_register(Offset.CQB, COMMANDS >> 2 | 7, 8)
        bench.write_register(Offset.CQCSR, INTERRUPT_ON, 4)
        bench.write_register(Offset.PQB, PAGES >> 2 | page_entries_log2 - 1, 8)
        if pages_on:
            bench.write_register(Offset.PQCSR, RecordQueueCsr.QEN | RecordQueueCsr.IE, 4)
            state = RecordQueueCsr.QEN | RecordQueueCsr.IE | RecordQueueCsr.QON
            self.check("queue state", bench.read_register(Offset.PQCSR, 4), state)
        self.entries = 1 << 8
        self.tail = 0
        bench.read_register(Offset.CQCSR, 4)
        bench.forget_writes()

    def ask(self, *messages: PageRequest) -> None:
        """Deliver page requests and give them time."""
        for message in messages:
            self.bench.send_page_request(message)
        self.bench.deliver_messages()
        self.bench.cycles(WAIT * max(1, len(messages) // 2))

    def push(self, *commands: SendInvalidate | SendPageResponse | Fence) -> None:
        """Append commands and give them time."""
        for command in commands:
            self.bench.store(COMMANDS + 16 * self.tail, command.pack())
            self.tail = (self.tail + 1) % self.entries
        self.bench.write_register(Offset.CQT, self.tail, 4)
        self.bench.cycles(WAIT * max(1, len(commands) // 4))

    def complete(self, device: int, tags: int, count: int = 1) -> None:
        """Deliver one invalidate completion message."""
        self.bench.complete_invalidation(device, tags, count)
        self.bench.deliver_messages()
        self.bench.cycles(WAIT // 2)

    def page_record(self, index: int) -> tuple[int, int]:
        """A record of the page-request queue in memory."""
        data = self.bench.memory.read(PAGES + 16 * index, 16)
        return int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")

    def page_state(self) -> tuple[int, RecordQueueCsr]:
        """Tail, and the error bits of pqcsr."""
        csr = RecordQueueCsr(self.bench.read_register(Offset.PQCSR, 4))
        return self.bench.read_register(Offset.PQT, 4), csr & (RecordQueueCsr.QMF | RecordQueueCsr.QOF)

    def answers(self) -> list[InvalidateRequest | PageRequestGroupResponse]:
        """The messages that went to devices since the last look."""
        messages = self.bench.messages
        self.bench.messages = []
        return messages

    def sent_tags(self) -> list[int]:
        """The tags of the invalidate requests since the last look."""
        return [message.itag for message in self.answers() if isinstance(message, InvalidateRequest)]

    def statistic(self, name: str) -> int:
        """A counter of statistics strobes; it counts on through resets of the core."""
        return self.bench.statistic(name)

    # ---- page requests ----

    def page_requests_in_order(self) -> None:
        """Records in order of arrival, unanswered; PASID fields only with a PASID; the interrupt and its wire."""
        self.start()
        self.bench.write_register(Offset.ICVEC, 0x6000, 8)
        asked = [page_request(ALLOWED, READ), page_request(WITH_PASID, WRITE, 9, 0xABCDE), page_request(ALLOWED, LAST, 7)]
        bare = PageRequest(ALLOWED, WINDOW | READ, priv=True, exec=True, process_id=0x777)
        self.bench.send([Request(ALLOWED, WINDOW), Request(WITH_PASID, WINDOW, write=True)])
        self.ask(*asked, bare)
        granted = [(answer.response.status, answer.response.spa) for answer in self.bench.collect(2)]
        self.check("translations beside them, Bare", granted, [(Status.OK, WINDOW)] * 2)
        self.check("queue", self.page_state(), (4, RecordQueueCsr(0)))
        self.check("records", [self.page_record(index) for index in range(3)], [message.pack() for message in asked])
        self.check("record without PASID", self.page_record(3), (ALLOWED << 40, WINDOW | READ))
        self.check("no answers", self.answers(), [])
        self.check("interrupt", self.bench.read_register(Offset.IPSR, 4), Ipsr.PIP)
        self.check("wire", self.bench.interrupts, [0x700 + 6])
        self.bench.write_register(Offset.IPSR, Ipsr.PIP, 4)
        self.check("cleared", self.bench.read_register(Offset.IPSR, 4), 0)
        self.check("no fault", self.fault_state(), (0, RecordQueueCsr(0)))

    def page_queue_overflow(self) -> None:
        """A full queue answers the last of a group with Success, sets pqof and stays shut until that is cleared."""
        self.start(page_entries_log2=1)
        self.ask(page_request(ALLOWED))
        self.check("full", self.page_state(), (1, RecordQueueCsr(0)))
        self.ask(page_request(ALLOWED, READ), page_request(ALLOWED, LAST, 3))
        self.check("overflow", self.page_state(), (1, RecordQueueCsr.QOF))
        self.check("not the last, a stop marker", self.answers(), [])
        self.ask(page_request(ALLOWED), page_request(ALLOWED, process=0x31), page_request(WITH_PASID, process=0x32))
        expected = [response(ALLOWED, SUCCESS), response(ALLOWED, SUCCESS), response(WITH_PASID, SUCCESS, process=0x32)]
        self.check("answers", self.answers(), expected)
        self.bench.write_register(Offset.PQH, 1, 4)
        self.ask(page_request(ALLOWED))
        self.check("dropped while pqof is set", self.page_state(), (1, RecordQueueCsr.QOF))
        self.check("answer while pqof is set", self.answers(), [response(ALLOWED, SUCCESS)])
        enabled = RecordQueueCsr.QEN | RecordQueueCsr.IE
        self.bench.write_register(Offset.PQCSR, enabled | RecordQueueCsr.QOF, 4)
        self.ask(page_request(WITH_PASID, WRITE))
        self.check("records again", self.page_state(), (0, RecordQueueCsr(0)))
        self.check("second record", self.page_record(1), page_request(WITH_PASID, WRITE).pack())
        self.check("no fault record", self.fault_state(), (0, RecordQueueCsr(0)))

    def page_queue_write_error(self) -> None:
        """A refused write sets pqmf and fails the group, as does every later request."""
        self.start()
        self.bench.set_fault(PAGES + 8)
        self.ask(page_request(ALLOWED, process=0x41), page_request(ALLOWED))
        self.check("after the error", self.page_state(), (0, RecordQueueCsr.QMF))
        self.check("answers", self.answers(), [response(ALLOWED, FAILURE, process=0x41), response(ALLOWED, FAILURE)])
        self.check("interrupt", self.bench.read_register(Offset.IPSR, 4), Ipsr.PIP)
        self.check("no fault record", self.fault_state(), (0, RecordQueueCsr(0)))

    def page_queue_off(self) -> None:
        """A queue that is off fails every group; turned on, it starts at 0 without its errors."""
        self.start(page_entries_log2=1)
        self.ask(page_request(ALLOWED), page_request(ALLOWED))
        self.check("overflow", self.page_state(), (1, RecordQueueCsr.QOF))
        self.answers()
        self.bench.write_register(Offset.PQCSR, 0, 4)
        self.ask(page_request(ALLOWED), page_request(ALLOWED, READ))
        self.check("answer", self.answers(), [response(ALLOWED, FAILURE)])
        self.bench.write_register(Offset.PQCSR, RecordQueueCsr.QEN, 4)
        self.check("on again", self.page_state(), (0, RecordQueueCsr(0)))

    def page_request_faults(self) -> None:
        """Each cause before the queue: its record (or none under DTF) and its response."""
        cases = (
            (NO_PRI, Cause.TRANSACTION_TYPE_DISALLOWED, INVALID, True),
            (SILENT, Cause.TRANSACTION_TYPE_DISALLOWED, INVALID, False),
            (BROKEN, Cause.DDT_MISCONFIGURED, FAILURE, True),
            (ABSENT, Cause.DDT_NOT_VALID, FAILURE, True),
            (WIDE, Cause.TRANSACTION_TYPE_DISALLOWED, INVALID, True),
        )
        for device, cause, code, recorded in cases:
            for process in (None, 0x5A5A5):
                self.start()
                self.ask(page_request(device, process=process), page_request(device, READ), page_request(device, LAST))
                answered = response(device, code, process=process if code == FAILURE else None)
                self.check(f"device {device}: answers", self.answers(), [answered])
                self.check(f"device {device}: faults", self.fault_state(), (3 if recorded else 0, RecordQueueCsr(0)))
                self.check(f"device {device}: queue", self.page_state(), (0, RecordQueueCsr(0)))
                if recorded:
                    with_pasid = process is not None
                    record = FaultRecord(
                        cause, TransactionType.PCIE_MESSAGE, device, process or 0, with_pasid, with_pasid, PAGE_REQUEST_CODE
                    )
                    self.check(f"device {device}: record", self.record(0), record)
        for address, status, cause in ((DIRECTORY + 32 * ALLOWED + 8, 1, Cause.DDT_ACCESS_FAULT),):
            self.start()
            self.bench.set_fault(address)
            self.ask(page_request(ALLOWED))
            self.check(f"status {status}: answers", self.answers(), [response(ALLOWED, FAILURE)])
            self.check(f"status {status}: cause", self.record(0).cause, cause)

    def directory_modes(self) -> None:
        """Off fails, Bare is invalid; both are recorded."""
        for mode, cause, code in ((0, Cause.ALL_INBOUND_DISALLOWED, FAILURE), (1, Cause.TRANSACTION_TYPE_DISALLOWED, INVALID)):
            self.start(mode=mode)
            self.ask(page_request(ALLOWED, process=0x99))
            self.check("answer", self.answers(), [response(ALLOWED, code, process=0x99 if code == FAILURE else None)])
            self.check("cause", self.record(0).cause, cause)

    # ---- commands ----

    def response_commands(self) -> None:
        """ATS.PRGR sends what it holds; without ATS it is illegal."""
        self.start()
        messages = [response(7, SUCCESS, 0x1FF), response(7, INVALID, 1, 0xFFFFF), response(9, FAILURE, 2, 0)]
        self.push(*[SendPageResponse(message) for message in messages], Fence())
        self.check("sent", self.answers(), messages)
        self.check("head", self.command_state(), (4, CommandQueueCsr(0)))
        self.bench.restart(CAPABILITIES.word & ~(1 << 25))
        self.bench.write_register(Offset.CQB, COMMANDS >> 2 | 7, 8)
        self.bench.write_register(Offset.CQCSR, INTERRUPT_ON, 4)
        self.bench.write_register(Offset.CQT, 1, 4)
        self.bench.cycles(WAIT)
        self.check("illegal", self.command_state(), (0, CommandQueueCsr.CMD_ILL))
        for offset in (Offset.PQB, Offset.PQCSR, Offset.PQH):
            self.bench.write_register(offset, 0x3, 4)
            self.check(f"absent register {offset:#x}", self.bench.read_register(offset, 4), 0)

    def tags_run_out(self) -> None:
        """The queue stalls with every tag out, and goes on as tags come back, each given out once."""
        self.start()
        self.push(*[SendInvalidate(invalidate(ALLOWED, page=WINDOW + (index << 12))) for index in range(ITAGS + 3)])
        sent = [message for message in self.answers() if isinstance(message, InvalidateRequest)]
        self.check("tags", sorted(message.itag for message in sent), list(range(ITAGS)))
        self.check("payloads", [message.payload for message in sent], [WINDOW + (index << 12) for index in range(ITAGS)])
        self.check("stalled", self.command_state(), (ITAGS, CommandQueueCsr(0)))
        self.complete(ALLOWED, 1 << 17)
        self.check("tag used again", self.sent_tags(), [17])
        self.check("one further", self.command_state(), (ITAGS + 1, CommandQueueCsr(0)))
        self.complete(ALLOWED, 1 << 3 | 1 << 30)
        self.check("two tags of one message", sorted(self.sent_tags()), [3, 30])
        self.push(Fence())
        self.check("fence waits", self.command_state(), (ITAGS + 3, CommandQueueCsr(0)))
        self.complete(ALLOWED, 0xFFFF_FFFF)
        self.check("fence done", self.command_state(), (ITAGS + 4, CommandQueueCsr(0)))

    def foreign_and_late_completions(self) -> None:
        """A completion of another device or of a tag that is not out changes nothing and is counted."""
        self.start()
        before = self.statistic("stat_invalidate_unexpected")
        self.push(SendInvalidate(invalidate(ALLOWED)), Fence())
        (tag,) = self.sent_tags()
        self.complete(WITH_PASID, 1 << tag)
        self.complete(ALLOWED, 1 << (tag + 1) % ITAGS)
        self.check("still out", self.command_state(), (1, CommandQueueCsr(0)))
        self.complete(ALLOWED, 1 << tag)
        self.check("retired", self.command_state(), (2, CommandQueueCsr(0)))
        self.complete(ALLOWED, 1 << tag)
        self.check("counted", self.statistic("stat_invalidate_unexpected") - before, 3)

    def completions_with_count(self) -> None:
        """The first completion of a tag announces how many there are; 0 means 8. Tags count apart."""
        self.start()
        for count in (1, 2, 3, 7, 0):
            self.push(SendInvalidate(invalidate(ALLOWED)), SendInvalidate(invalidate(ALLOWED)), Fence())
            first, second = self.sent_tags()
            head = self.tail - 1
            self.complete(ALLOWED, 1 << second, 1)
            for done in range(count or 8):
                self.check(f"{done} of {count or 8}", self.command_state()[0], head)
                self.complete(ALLOWED, 1 << first, count)
            self.check(f"all {count or 8}", self.command_state(), (self.tail, CommandQueueCsr(0)))

    def fence_waits_for_devices(self) -> None:
        """A fence stores only when the last device has completed."""
        self.start()
        fence = Fence(FENCE_TARGET, 0xC0FFEE, previous_reads=True, previous_writes=True)
        self.push(SendInvalidate(invalidate(ALLOWED)), SendInvalidate(invalidate(NO_PRI, process=0x12)), fence)
        requests = self.answers()
        self.check("PASID", [(message.pasid_valid, message.process_id) for message in requests], [(False, 0), (True, 0x12)])
        first, second = [message.itag for message in requests if isinstance(message, InvalidateRequest)]
        self.complete(ALLOWED, 1 << first | 1 << second)
        self.check("one device is left", self.command_state(), (2, CommandQueueCsr(0)))
        self.check("nothing stored", self.bench.writes, [])
        self.complete(NO_PRI, 1 << second)
        self.check("done", self.command_state(), (3, CommandQueueCsr(0)))
        self.check("stored", self.bench.writes, [LoggedWrite(FENCE_TARGET, (0xC0FFEE).to_bytes(4, "little"))])

    def timeout_stops_fence(self) -> None:
        """A tag without completion times out, not before its time; the next fence stops with cmd_to, once."""
        self.start()
        timeouts = self.statistic("stat_invalidate_timeouts")
        self.push(SendInvalidate(invalidate(ALLOWED)), Fence(FENCE_TARGET, 1))
        (tag,) = self.sent_tags()
        self.bench.cycles(TIMEOUT - 2 * WAIT)
        self.check("in time", self.command_state(), (1, CommandQueueCsr(0)))
        self.check("not counted yet", self.statistic("stat_invalidate_timeouts"), timeouts)
        self.bench.cycles(LATEST - TIMEOUT + 2 * WAIT)
        self.check("timed out", self.command_state(), (1, CommandQueueCsr.CMD_TO))
        self.check("counted", self.statistic("stat_invalidate_timeouts"), timeouts + 1)
        self.check("interrupt", self.bench.read_register(Offset.IPSR, 4), Ipsr.CIP)
        self.check("nothing stored", self.bench.writes, [])
        self.complete(ALLOWED, 1 << tag)
        self.check("late completion", self.command_state(), (1, CommandQueueCsr.CMD_TO))
        self.bench.write_register(Offset.CQCSR, INTERRUPT_ON | CommandQueueCsr.CMD_TO, 4)
        self.bench.cycles(WAIT)
        self.check("goes on", self.command_state(), (2, CommandQueueCsr(0)))
        self.check("stored", len(self.bench.writes), 1)

    def queue_turned_off_while_waiting(self) -> None:
        """cqen = 0 gives up a fence that waits for a device, and the queue goes off."""
        self.start()
        self.push(SendInvalidate(invalidate(ALLOWED)), Fence(FENCE_TARGET, 1))
        (tag,) = self.sent_tags()
        self.bench.write_register(Offset.CQCSR, 0, 4)
        self.bench.cycles(WAIT)
        self.check("off", self.bench.read_register(Offset.CQCSR, 4), 0)
        self.complete(ALLOWED, 1 << tag)
        self.check("not executed", self.bench.writes, [])

    # ---- interrupts and a slow link ----

    def interrupt_rises_again(self) -> None:
        """A cleared bit of ipsr whose cause persists rises again and sends its message again."""
        self.start(fctl=0, page_entries_log2=1)
        base = Offset.MSI_CFG_TBL
        self.bench.write_register(Offset.ICVEC, 0, 8)
        for offset, value, width in ((0, MESSAGE_TARGET, 8), (8, 0x50, 4), (12, 0, 4)):
            self.bench.write_register(base + offset, value, width)
        self.ask(page_request(ALLOWED), page_request(ALLOWED))
        self.check("messages", self._interrupt_messages(), 1)
        self.bench.write_register(Offset.IPSR, Ipsr.PIP, 4)
        self.bench.cycles(WAIT)
        self.check("pending again", self.bench.read_register(Offset.IPSR, 4), Ipsr.PIP)
        self.check("message again", self._interrupt_messages(), 2)
        enabled = RecordQueueCsr.QEN | RecordQueueCsr.IE
        self.bench.write_register(Offset.PQCSR, enabled | RecordQueueCsr.QOF, 4)
        self.bench.write_register(Offset.IPSR, Ipsr.PIP, 4)
        self.bench.cycles(WAIT)
        self.check("cleared", self.bench.read_register(Offset.IPSR, 4), 0)
        self.check("no further message", self._interrupt_messages(), 2)

    def _interrupt_messages(self) -> int:
        return sum(write.address == MESSAGE_TARGET for write in self.bench.writes)

    def slow_link(self) -> None:
        """Commands and page requests share the way down without loss, in order each, while it stalls."""
        self.start(pages_on=False)
        native = self.environment.simulation.native
        native.set_knob(Knob.MESSAGE_STALL_CHANCES, 20_000 | 60_000 << 32)
        asked = [page_request(ALLOWED, group=group) for group in range(24)]
        for message in asked:
            self.bench.send_page_request(message)
        self.push(*[SendPageResponse(response(WITH_PASID, SUCCESS, group)) for group in range(24)], Fence())
        self.bench.deliver_messages()
        self.bench.cycles(8 * WAIT)
        native.set_knob(Knob.MESSAGE_STALL_CHANCES, 0)
        self.bench.cycles(WAIT)
        sent = self.answers()
        commanded = [message for message in sent if message.requester_id == WITH_PASID]
        automatic = [message for message in sent if message.requester_id == ALLOWED]
        self.check("by command", commanded, [response(WITH_PASID, SUCCESS, group) for group in range(24)])
        self.check("automatic", automatic, [response(ALLOWED, FAILURE, group) for group in range(24)])
        self.check("mixed", sent != commanded + automatic and sent != automatic + commanded, True)
        self.check("head", self.command_state(), (25, CommandQueueCsr(0)))


@cocotb.test()
async def messages(_: object) -> None:
    """Page requests, invalidate requests and responses do what the specification says of them."""
    await run_test(MessageTest)
