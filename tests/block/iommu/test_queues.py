"""Directed tests of queues, registers and interrupts of the IOMMU core: what random traffic seldom meets."""

from __future__ import annotations

from collections.abc import Callable

import cocotb
from cocotb.task import bridge
from sluicegate.conformance.iommu_cases import MemoryImage
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.registers import CommandQueueCsr, Ipsr, Offset, RecordQueueCsr
from sluicegate.iommu.request import Cause, FaultRecord, Request, Status, TransactionType

from tb.bridge.event_log import LogBatch
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IommuBench, LoggedWrite

CAPABILITIES = Capabilities(0x10 | 1 << 9 | 2 << 28 | 56 << 32 | 1 << 42 | 1 << 43)
"""Sv39, interrupts by wire or message, NL, S."""
SMALL = Capabilities(CAPABILITIES.word & ~(0x3F << 32) | 40 << 32)
BEYOND = 1 << 41
"""Physical addresses of 40 bits, and a bit above them."""
WSI = 2
DIRECTORY, FAULTS, COMMANDS, TABLE = 0x8000_0000, 0x8001_0000, 0x8002_0000, 0x8003_0000
FENCE_TARGET, MESSAGE_TARGET = 0x8004_0000, 0x2900_0000
GOOD, SILENT, ABSENT = 1, 2, 3
"""Devices: with a translation, with DTF set and an empty table, without a context."""
IOVA = 0x4000_0000
FLUSH, FENCE, ILLEGAL = 0x001, 0x002, 0x07F
HEALTHY, POISONED = 0, 2
AV, FENCE_WSI = 1 << 10, 1 << 11
INTERRUPT_ON = CommandQueueCsr.CQEN | CommandQueueCsr.CIE
WAIT = 160


class DirectedScoreboard(Scoreboard):
    """Counts the checks; each is raised where it fails."""

    name = "directed"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self.bench = bench
        self.checks = 0

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def finish(self) -> ScoreboardResult:
        link = LinkCount(self.bench.observed, self.bench.requests, self.bench.observed)
        return ScoreboardResult(self.name, self.block, self.checks, {"translation": link})


class QueueTest(BaseTest):
    """All directed cases, each from reset."""

    top = IOMMU

    def prepare(self) -> None:
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.scoreboard = DirectedScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def run_all(self) -> None:
        """Every case; runs in the bridge thread."""
        cases: tuple[Callable[[], None], ...] = (
            self.fault_queue_overflow,
            self.fault_queue_write_error,
            self.disabled_fault_reporting,
            self.command_queue_wrap,
            self.illegal_command,
            self.command_fetch_error,
            self.command_fetch_poison,
            self.fence_store_error,
            self.fence_store_beyond_memory,
            self.command_queue_beyond_memory,
            self.fault_queue_beyond_memory,
            self.directory_beyond_memory,
            self.wired_interrupts,
            self.message_interrupts,
            self.message_write_error,
            self.directory_off_in_flight,
            self.register_halves,
            self.invalidation_forms,
            self.replaced_table,
        )
        for case in cases:
            case()

    # ---- steps ----

    def check(self, what: str, got: object, expected: object) -> None:
        """One comparison."""
        if got != expected:
            raise self.scoreboard.error(f"{what}: {expected} expected, got {got}")
        self.scoreboard.checks += 1

    def begin(
        self,
        fctl: int = WSI,
        fault_entries_log2: int = 4,
        command_entries_log2: int = 4,
        capabilities: Capabilities = CAPABILITIES,
    ) -> None:
        """Reset, tables, both queues on."""
        bench = self.bench
        context = DIRECTORY + 32 * GOOD
        silent = DIRECTORY + 32 * SILENT
        words = {
            context: 1,
            context + 16: 7 << 12,
            context + 24: 8 << 60 | TABLE >> 12,
            silent: 1 | 1 << 4,
            silent + 24: 8 << 60 | TABLE + 0x4000 >> 12,
            TABLE + 8: (TABLE + 0x1000) >> 2 | 1,
            TABLE + 0x1000: (TABLE + 0x2000) >> 2 | 1,
        }
        words |= {TABLE + 0x2000 + 8 * index: (0x10_0000 + index) << 10 | 0xDF for index in range(64)}
        bench.load(MemoryImage(words))
        bench.program(IommuConfiguration(capabilities, fctl, DIRECTORY >> 2 | 2))
        bench.write_register(Offset.FQB, FAULTS >> 2 | fault_entries_log2 - 1, 8)
        bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN | RecordQueueCsr.IE, 4)
        bench.write_register(Offset.CQB, COMMANDS >> 2 | command_entries_log2 - 1, 8)
        bench.write_register(Offset.CQCSR, INTERRUPT_ON, 4)
        self.check("queue state", bench.read_register(Offset.CQCSR, 4), INTERRUPT_ON | CommandQueueCsr.CQON)
        self.entries = 1 << command_entries_log2
        self.tail = 0
        bench.forget_writes()

    def read(self, device: int, count: int = 1) -> Status:
        """Some reads one after another; the status of the last."""
        for _ in range(count):
            (answer,) = self.bench.translate([Request(device, IOVA)])
            self.bench.cycles(WAIT // 2)
        return answer.response.status

    def command(self, *words: int) -> None:
        """Append commands (dword 0; the fence's target is in dword 1) and give them time."""
        for word in words:
            target = FENCE_TARGET >> 2 if word & AV and word & 0x7F == FENCE else 0
            self.bench.store(COMMANDS + 16 * self.tail, (word, target))
            self.tail = (self.tail + 1) % self.entries
        self.bench.write_register(Offset.CQT, self.tail, 4)
        self.bench.cycles(WAIT * max(1, len(words) // 4))

    def record(self, index: int) -> FaultRecord:
        """A record of the fault queue in memory."""
        data = self.bench.memory.read(FAULTS + 32 * index, 32)
        words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, 32, 8)]
        return FaultRecord.unpack((words[0], words[1], words[2], words[3]))

    def fault_state(self) -> tuple[int, RecordQueueCsr]:
        """Tail, and the error bits of fqcsr."""
        csr = RecordQueueCsr(self.bench.read_register(Offset.FQCSR, 4))
        return self.bench.read_register(Offset.FQT, 4), csr & (RecordQueueCsr.QMF | RecordQueueCsr.QOF)

    def command_state(self) -> tuple[int, CommandQueueCsr]:
        """Head, and the error bits of cqcsr."""
        csr = CommandQueueCsr(self.bench.read_register(Offset.CQCSR, 4))
        errors = CommandQueueCsr.CQMF | CommandQueueCsr.CMD_ILL | CommandQueueCsr.CMD_TO | CommandQueueCsr.FENCE_W_IP
        return self.bench.read_register(Offset.CQH, 4), csr & errors

    # ---- fault queue ----

    def fault_queue_overflow(self) -> None:
        """Two entries hold one record; the next sets fqof, and nothing is written until software clears it."""
        self.begin(fault_entries_log2=1)
        self.check("status", self.read(ABSENT, 3), Status.UNSUPPORTED_REQUEST)
        self.check("full queue", self.fault_state(), (1, RecordQueueCsr.QOF))
        record = FaultRecord(Cause.DDT_NOT_VALID, TransactionType.UNTRANSLATED_READ, ABSENT, iotval=IOVA)
        self.check("first record", self.record(0), record)
        self.bench.write_register(Offset.FQH, 1, 4)
        self.read(ABSENT)
        self.check("dropped while fqof is set", self.fault_state(), (1, RecordQueueCsr.QOF))
        enabled = RecordQueueCsr.QEN | RecordQueueCsr.IE
        self.bench.write_register(Offset.FQCSR, enabled | RecordQueueCsr.QOF, 4)
        self.read(ABSENT)
        self.check("records again", self.fault_state(), (0, RecordQueueCsr(0)))
        self.check("second record", self.record(1), record)

    def fault_queue_write_error(self) -> None:
        """A refused write sets fqmf and leaves the tail."""
        self.begin()
        self.bench.set_fault(FAULTS + 16)
        self.check("status", self.read(ABSENT, 2), Status.UNSUPPORTED_REQUEST)
        self.check("after the error", self.fault_state(), (0, RecordQueueCsr.QMF))

    def disabled_fault_reporting(self) -> None:
        """DTF hides a page fault; a fault of the directory is reported all the same."""
        self.begin()
        self.check("page fault", self.read(SILENT), Status.UNSUPPORTED_REQUEST)
        self.check("no record", self.fault_state(), (0, RecordQueueCsr(0)))
        self.read(ABSENT)
        self.check("one record", self.fault_state(), (1, RecordQueueCsr(0)))

    # ---- command queue ----

    def command_queue_wrap(self) -> None:
        """The head follows the tail round a queue of four entries."""
        self.begin(command_entries_log2=2)
        for head in (3, 2, 1, 0, 3):
            self.command(FLUSH, FENCE, FLUSH)
            self.check("head", self.command_state(), (head, CommandQueueCsr(0)))

    def illegal_command(self) -> None:
        """The head stays on an illegal command until software replaces it and clears cmd_ill."""
        self.begin()
        self.command(FLUSH, ILLEGAL, FENCE)
        self.check("stopped", self.command_state(), (1, CommandQueueCsr.CMD_ILL))
        self.bench.store(COMMANDS + 16, (FLUSH, 0))
        self.bench.write_register(Offset.CQCSR, INTERRUPT_ON | CommandQueueCsr.CMD_ILL, 4)
        self.bench.cycles(WAIT)
        self.check("went on", self.command_state(), (3, CommandQueueCsr(0)))

    def command_fetch_error(self) -> None:
        """A command that cannot be read sets cqmf."""
        self.begin()
        self.bench.store(COMMANDS, (FLUSH, 0, FLUSH, 0))
        self.bench.set_fault(COMMANDS + 16)
        self.bench.write_register(Offset.CQT, 2, 4)
        self.bench.cycles(WAIT)
        self.check("stopped", self.command_state(), (1, CommandQueueCsr.CQMF))

    def command_fetch_poison(self) -> None:
        """A command that memory returns with poison sets cqmf and is not executed; it runs once it is healthy."""
        self.begin()
        self.bench.store(COMMANDS, (FLUSH, 0, FENCE | AV | 0x4321 << 32, FENCE_TARGET >> 2))
        self.bench.mark(COMMANDS + 24, POISONED)
        self.bench.write_register(Offset.CQT, 2, 4)
        self.bench.cycles(WAIT)
        self.check("stopped", self.command_state(), (1, CommandQueueCsr.CQMF))
        self.check("not executed", self.bench.memory.read(FENCE_TARGET, 4), bytes(4))
        self.bench.mark(COMMANDS + 24, HEALTHY)
        self.bench.write_register(Offset.CQCSR, INTERRUPT_ON | CommandQueueCsr.CQMF, 4)
        self.bench.cycles(WAIT)
        self.check("went on", self.command_state(), (2, CommandQueueCsr(0)))
        self.check("executed", self.bench.memory.read(FENCE_TARGET, 4), (0x4321).to_bytes(4, "little"))

    def fence_store_beyond_memory(self) -> None:
        """The store of a fence beyond the physical address size is an access fault: cqmf, and nothing is written anywhere."""
        self.begin(capabilities=SMALL)
        self.bench.store(COMMANDS, (FENCE | AV | 0x1234 << 32, (BEYOND | FENCE_TARGET) >> 2))
        self.bench.write_register(Offset.CQT, 1, 4)
        self.bench.cycles(WAIT)
        self.check("stopped", self.command_state(), (0, CommandQueueCsr.CQMF))
        self.check("writes", [write.address for write in self.bench.writes], [])

    def base_beyond_memory(self, register: Offset, base: int) -> bool:
        """Write a base beyond the physical address size. WARL: the page number reads back as written (True), and then every
        access there is an access fault, or without what no address has (False), and then that is the base."""
        self.bench.write_register(register, (BEYOND | base) >> 2 | 3, 8)
        page = self.bench.read_register(register, 8) >> 10 << 12
        self.check(f"page number of {register.name}", page in (BEYOND | base, base), True)
        return page != base

    def command_queue_beyond_memory(self) -> None:
        """A queue that no memory can hold: the first fetch sets cqmf."""
        self.begin(capabilities=SMALL)
        self.bench.write_register(Offset.CQCSR, 0, 4)
        kept = self.base_beyond_memory(Offset.CQB, COMMANDS)
        self.bench.write_register(Offset.CQCSR, INTERRUPT_ON, 4)
        self.command(FLUSH)
        self.check("command queue", self.command_state(), (0, CommandQueueCsr.CQMF) if kept else (1, CommandQueueCsr(0)))

    def fault_queue_beyond_memory(self) -> None:
        """A queue that no memory can hold: the first record sets fqmf and is lost."""
        self.begin(capabilities=SMALL)
        self.bench.write_register(Offset.FQCSR, 0, 4)
        kept = self.base_beyond_memory(Offset.FQB, FAULTS)
        self.bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN | RecordQueueCsr.IE, 4)
        self.read(ABSENT)
        self.check("fault queue", self.fault_state(), (0, RecordQueueCsr.QMF) if kept else (1, RecordQueueCsr(0)))
        self.check("record", self.bench.memory.read(FAULTS, 32) == bytes(32), kept)

    def directory_beyond_memory(self) -> None:
        """A root table that no memory can hold: every device gets a DDT access fault."""
        self.begin(capabilities=SMALL)
        for ddtp in (0, (BEYOND | DIRECTORY) >> 2 | 2):
            self.bench.write_register(Offset.DDTP, ddtp, 8)
            self.bench.cycles(16)
        kept = self.bench.read_register(Offset.DDTP, 8) >> 10 << 12 != DIRECTORY
        self.check("status", self.read(GOOD), Status.UNSUPPORTED_REQUEST if kept else Status.OK)
        if kept:
            self.check("cause", self.record(0).cause, Cause.DDT_ACCESS_FAULT)

    def fence_store_error(self) -> None:
        """A fence whose store is refused sets cqmf and is not consumed."""
        self.begin()
        self.command(FENCE | AV | 0x1234 << 32)
        self.check("stored", self.bench.memory.read(FENCE_TARGET, 4), (0x1234).to_bytes(4, "little"))
        self.bench.set_fault(FENCE_TARGET)
        self.command(FENCE | AV | 0x5678 << 32)
        self.check("stopped", self.command_state(), (1, CommandQueueCsr.CQMF))

    def invalidation_forms(self) -> None:
        """Each form of IOTINVAL.VMA that covers a page drops it from both levels of the IOTLB."""
        page, entry = IOVA + (5 << 12), TABLE + 0x2000 + 8 * 5
        first = IOVA >> 12
        forms = {
            "everything": (FLUSH, 0),
            "process": (FLUSH | 1 << 32 | 7 << 12, 0),
            "page": (FLUSH | AV, first + 5 << 10),
            "page of process": (FLUSH | AV | 1 << 32 | 7 << 12, first + 5 << 10),
            "range": (FLUSH | AV, (first | 3) << 10 | 1 << 9),
            "range of tables": (FLUSH | AV | 1 << 34, (first | 15) << 10 | 1 << 9),
        }
        for name, words in forms.items():
            for evicted in (False, True):
                self.begin()
                self.bench.translate([Request(GOOD, page)])
                if evicted:
                    self.bench.translate([Request(GOOD, IOVA + (index << 12)) for index in range(8, 48)])
                self.bench.store(entry, (0x20_0005 << 10 | 0xDF,))
                self.bench.store(COMMANDS, (*words, FENCE, 0))
                self.bench.write_register(Offset.CQT, 2, 4)
                self.bench.cycles(WAIT)
                self.check(f"{name}: head", self.command_state(), (2, CommandQueueCsr(0)))
                (answer,) = self.bench.translate([Request(GOOD, page)])
                self.check(f"{name}, evicted {evicted}", answer.response.spa, 0x20_0005 << 12)

    def replaced_table(self) -> None:
        """Each form of IOTINVAL.VMA that covers non-leaf entries drops the pointer to a last-level table that was replaced."""
        page, pointer, table = IOVA + (5 << 12), TABLE + 0x1000, TABLE + 0x3000
        forms = {
            "everything": (FLUSH, 0),
            "process": (FLUSH | 1 << 32 | 7 << 12, 0),
            "page with NL": (FLUSH | AV | 1 << 34, page >> 12 << 10),
        }
        for name, words in forms.items():
            self.begin()
            self.bench.store(table + 8 * 5, (0x20_0005 << 10 | 0xDF,))
            self.bench.translate([Request(GOOD, page)])
            self.bench.store(pointer, (table >> 2 | 1,))
            self.bench.store(COMMANDS, (*words, FENCE, 0))
            self.bench.write_register(Offset.CQT, 2, 4)
            self.bench.cycles(WAIT)
            self.check(f"{name}: head", self.command_state(), (2, CommandQueueCsr(0)))
            (answer,) = self.bench.translate([Request(GOOD, page)])
            self.check(f"{name}: page of the new table", answer.response.spa, 0x20_0005 << 12)

    # ---- interrupts ----

    def wired_interrupts(self) -> None:
        """The causes raise their vectors; ipsr bits return while the cause persists."""
        self.begin()
        self.bench.write_register(Offset.ICVEC, 0x53, 8)
        self.command(FENCE | FENCE_WSI)
        self.check("fence", self.command_state(), (1, CommandQueueCsr.FENCE_W_IP))
        self.read(ABSENT)
        self.check("both causes", self.bench.read_register(Offset.IPSR, 4), Ipsr.CIP | Ipsr.FIP)
        self.check("wires", sorted(self.bench.interrupts), [0x700 + 3, 0x700 + 5])
        self.bench.write_register(Offset.IPSR, Ipsr.CIP | Ipsr.FIP, 4)
        self.check("fence persists", self.bench.read_register(Offset.IPSR, 4), Ipsr.CIP)
        self.bench.write_register(Offset.CQCSR, INTERRUPT_ON | CommandQueueCsr.FENCE_W_IP, 4)
        self.bench.write_register(Offset.IPSR, Ipsr.CIP, 4)
        self.check("all clear", self.bench.read_register(Offset.IPSR, 4), 0)

    def _message_vector(self, vector: int, masked: bool) -> None:
        base = Offset.MSI_CFG_TBL + 16 * vector
        self.bench.write_register(base, MESSAGE_TARGET, 8)
        self.bench.write_register(base + 8, 0x40 + vector, 4)
        self.bench.write_register(base + 12, int(masked), 4)

    def message_interrupts(self) -> None:
        """A rise of an ipsr bit writes its message; a masked one is sent when it is unmasked."""
        self.begin(fctl=0)
        self.bench.write_register(Offset.ICVEC, 0x21, 8)
        self._message_vector(1, False)
        self._message_vector(2, True)
        self.command(ILLEGAL)
        message = LoggedWrite(MESSAGE_TARGET, (0x41).to_bytes(4, "little"))
        self.check("message of the command queue", [w for w in self.bench.writes if w.address == MESSAGE_TARGET], [message])
        self.bench.forget_writes()
        self.read(ABSENT)
        self.check("masked", [w for w in self.bench.writes if w.address == MESSAGE_TARGET], [])
        self._message_vector(2, False)
        self.bench.cycles(WAIT)
        message = LoggedWrite(MESSAGE_TARGET, (0x42).to_bytes(4, "little"))
        self.check("unmasked", [w for w in self.bench.writes if w.address == MESSAGE_TARGET], [message])
        self.check("no wire", self.bench.interrupts, [])

    def message_write_error(self) -> None:
        """A refused message is fault 273 without a transaction."""
        self.begin(fctl=0)
        self._message_vector(0, False)
        self.bench.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)
        self.bench.set_fault(MESSAGE_TARGET)
        self.command(ILLEGAL)
        self.check("one record", self.fault_state(), (1, RecordQueueCsr(0)))
        expected = FaultRecord(Cause.MSI_WRITE_ACCESS_FAULT, TransactionType.NONE, iotval=MESSAGE_TARGET)
        self.check("record", self.record(0), expected)

    # ---- registers ----

    def directory_off_in_flight(self) -> None:
        """Requests in flight when ddtp goes to Off are answered under the old directory, later ones are refused."""
        self.begin()
        requests = [Request(GOOD, IOVA + (index << 12)) for index in range(24)]
        self.bench.send(requests)
        self.bench.write_register(Offset.DDTP, 0, 8)
        answers = self.bench.collect(len(requests))
        statuses = [answer.response.status for answer in answers]
        self.check("order of old and new", statuses, sorted(statuses, key=lambda status: status is not Status.OK))
        for _ in range(16):
            if not self.bench.read_register(Offset.DDTP, 4) & 1 << 4:
                break
            self.bench.cycles(16)
        self.check("ddtp", self.bench.read_register(Offset.DDTP, 8), 0)
        self.check("refused", self.read(GOOD), Status.UNSUPPORTED_REQUEST)
        tail, _ = self.fault_state()
        self.check("last cause", self.record(tail - 1).cause, Cause.ALL_INBOUND_DISALLOWED)

    def register_halves(self) -> None:
        """Each half of an 8-byte register by itself; an illegal directory mode is not taken."""
        self.begin()
        bench = self.bench
        bench.write_register(Offset.CQCSR, 0, 4)
        bench.write_register(Offset.CQB + 4, 0x0012_3456, 4)
        bench.write_register(Offset.CQB, 0x89AB_CC07, 4)
        self.check("cqb", bench.read_register(Offset.CQB, 8), 0x0012_3456_89AB_CC07)
        self.check("upper half", bench.read_register(Offset.CQB + 4, 4), 0x0012_3456)
        bench.write_register(Offset.DDTP, 0, 8)
        bench.cycles(16)
        bench.write_register(Offset.DDTP, 7, 8)
        bench.cycles(16)
        self.check("illegal mode", bench.read_register(Offset.DDTP, 8), 0)
        self.check("capabilities", bench.read_register(Offset.CAPABILITIES, 8), CAPABILITIES.word)


@cocotb.test()
async def queues(_: object) -> None:
    """Queues, interrupts and registers do what the specification says of them."""
    await run_test(QueueTest)
