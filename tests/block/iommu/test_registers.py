"""Registers of the core in lock step with the register-level model: random reads and writes of 4 and 8 bytes, legal or not.

Queues that are turned on on the way fetch commands, the debug port translates, interrupts are sent: what the core writes to
memory and the wires that rise are those of the model, too. Between two accesses there is time for all of it, so that the order of
what happens at once never matters.

Not compared, because the specification leaves it open: the page number in ``ddtp`` after a write that named no legal change. Not
done, for the same reason: a write of a queue's base while it is on, a page number beyond the physical address size.
"""

from __future__ import annotations

from collections import Counter

import cocotb
import numpy as np
from cocotb.task import bridge
from numpy.typing import NDArray
from sluicegate.conformance.iommu_cases import MemoryImage
from sluicegate.iommu.capabilities import Capabilities, DirectoryMode, IommuConfiguration
from sluicegate.iommu.device import IommuDevice
from sluicegate.iommu.registers import (
    PPN_FIELD,
    REGISTER_PAGE_BYTES,
    HpmEvent,
    Offset,
    counter_offset,
    event_offset,
    msi_offset,
)
from sluicegate.iommu.request import Request
from sluicegate.memory import SparseMemory

from tb.bridge.event_log import LogBatch
from tb.bridge.native import Knob
from tb.bridge.tops import IOMMU
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tests.block.iommu.bench import IommuBench, offered_capabilities

ROUNDS, ACCESSES = 24, 90
SETTLE = 120
"""Cycles after a write within which everything it causes is over."""
COUNTERS = 8
REQUESTS = 3
OPTIONAL = tuple(1 << bit for bit in (9, 15, 17, 22, 24, 25, 27, 30, 31, 38, 41, 42, 43))
"""Sv39, Svpbmt, Sv39x4, MSI_FLAT, AMO_HWAD, ATS, END, HPM, DBG, PD8, QOSID, NL, S."""
COMMANDS = (0x7000_0000, 0x7001_0000)
MESSAGES = 0x2900_0000
WORD = 0xFFFF_FFFF


class RecordingMemory(SparseMemory):
    """Memory that keeps a list of writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[tuple[int, bytes]] = []

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        super().write(address, data)
        self.writes.append((address, bytes(data)))


class RegistersScoreboard(Scoreboard):
    """Compares what was read, written and signalled."""

    name = "registers"
    block = "iommu"

    def __init__(self, bench: IommuBench) -> None:
        self._bench = bench
        self.compared = 0
        self.writes = 0
        self.rises = 0
        self.touched: set[int] = set()

    def ingest(self, batch: LogBatch) -> None:
        """The bench reads the log."""

    def compare(self, what: str, got: object, expected: object) -> None:
        """One comparison."""
        if got != expected:
            shown = [f"{value:#x}" if isinstance(value, int) else str(value) for value in (got, expected)]
            raise self.error(f"{what} is {shown[0]}, {shown[1]} expected")
        self.compared += 1

    def missing(self) -> list[str]:
        """What no access has reached so far."""
        untouched = [offset.name for offset in Offset if offset not in self.touched]
        return untouched + ["memory"] * (not self.writes) + ["a wire"] * (not self.rises)

    def finish(self) -> ScoreboardResult:
        if missing := self.missing():
            raise self.error(f"never written: {', '.join(missing)}: the stimulus is too weak")
        figures = {"memory_writes": self.writes, "wires": self.rises}
        registers = LinkCount(self.compared, self.compared, self.compared)
        return ScoreboardResult(self.name, self.block, self.compared, {"registers": registers}, figures=figures)


class RegistersTest(BaseTest):
    """Each round has capabilities of its own, from reset."""

    top = IOMMU

    def prepare(self) -> None:
        self.random = np.random.default_rng(self.settings.seed)
        self.bench = IommuBench(self.environment.simulation, self.environment.translation_port)
        self.scoreboard = RegistersScoreboard(self.bench)
        self.environment.add_scoreboard(self.scoreboard)
        self.environment.simulation.native.set_knob(Knob.MEMORY_PORT_LATENCY, 2)

    async def stimulate(self) -> None:
        await bridge(self.run_all)()

    def choose(self, low: int, high: int) -> int:
        """A random integer in ``low .. high - 1``."""
        return int(self.random.integers(low, high))

    def bits(self, width: int) -> int:
        """A random word, often with few ones or few zeros."""
        word = int.from_bytes(self.random.bytes(8), "little")
        other = int.from_bytes(self.random.bytes(8), "little")
        return (word, word & other, word | other, 0, (1 << 64) - 1)[self.choose(0, 5)] & ((1 << width) - 1)

    def run_all(self) -> None:
        """Runs in the bridge thread; rounds are added, up to four times as many, until every register was written."""
        rounds = int(self.settings.parameters.get("rounds", ROUNDS))
        for count in range(4 * rounds):
            if count >= rounds and not self.scoreboard.missing():
                break
            self.begin()
            for _ in range(ACCESSES):
                if self.choose(0, 3):
                    self.write()
                else:
                    self.read(self.choose(0, REGISTER_PAGE_BYTES // 8) * 8)
                if self.choose(0, 12) == 0:
                    self.read_all()
            self.read_all()
            self.translate()

    def begin(self) -> None:
        """Reset both sides; the same commands in both memories."""
        word = 0x10 | self.choose(0, 3) << 28 | (32, 40, 46, 56)[self.choose(0, 4)] << 32
        for bit in OPTIONAL:
            word |= bit if self.choose(0, 3) else 0
        capabilities = Capabilities(word)
        big_endian = self.choose(0, 4) == 0
        self.memory = RecordingMemory()
        self.rises: list[int] = []
        self.model = IommuDevice(
            capabilities,
            self.memory,
            set_wire=lambda line, level: self.rises.append(0x700 + line) if level else None,
            big_endian=big_endian and not capabilities.end,
            counters=COUNTERS,
        )
        configuration = self.model.configuration
        words = {}
        for page in COMMANDS:
            for index in range(0, 512, 2):
                first, second = self.command()
                for at, dword in ((index, first), (index + 1, second)):
                    words[page + 8 * at] = dword if not configuration.big_endian else swapped(dword)
        for address, dword in words.items():
            self.memory.write_u64(address, dword)
        self.memory.writes.clear()
        self.bench.load(MemoryImage(words))
        self.bench.restart(offered_capabilities(IommuConfiguration(capabilities, configuration.fctl)))
        self.bench.forget_writes()
        self.directory_open = False
        self.read_all(running=True)
        if capabilities.hpm:
            # The model counts no cycles.
            self.write_both(Offset.IOCOUNTINH, 1, 4)
            self.write_both(Offset.IOHPMCYCLES, 0, 8)
        self.settle("reset")

    def command(self) -> tuple[int, int]:
        """Two dwords of a command; one in ten is illegal."""
        fence = 0x002 | self.choose(0, 16) << 10 | self.choose(0, 1 << 32) << 32
        store = 0x7100_0000 + 4 * self.choose(0, 1024) >> 2
        commands = (
            (0x001, 0),
            (0x081, 0),
            (fence & ~(1 << 10), 0),
            (fence | 1 << 10, store),
            (0x003, 0),
            (self.bits(64), self.bits(64)),
        )
        choice = self.choose(0, 10)
        first, second = commands[min(choice, 5) if choice < 6 else choice - 5]
        # Commands that send messages to devices have a test of their own.
        return (0x7F, second) if first & 0x7F == 4 else (first, second)

    # ---- accesses ----

    def write_both(self, offset: int, value: int, width: int) -> None:
        """One write on both sides; its consequences come within SETTLE cycles."""
        self.bench.write_register(offset, value, width)
        self.model.write_register(offset, value, width)
        self.scoreboard.touched.add(offset & ~7 if offset & ~7 in set(Offset) and width == 8 else offset)
        self.bench.cycles(SETTLE)

    def write(self) -> None:
        """A random write, whole or in halves, and a look at what came of it."""
        offset, width, value = self.target()
        base = offset & ~7
        if (base == Offset.CQB and self.model.commands.queue.on) or (base == Offset.FQB and self.model.faults.queue.on):
            return
        if base == Offset.PQB and self.model.page_requests.queue.on:
            return
        if base in (Offset.DDTP, Offset.CQB, Offset.FQB, Offset.PQB):
            value &= ~PPN_FIELD | (1 << self.model.configuration.capabilities.physical_address_bits - 2) - 1
        if base == Offset.DDTP:
            self.note_directory(value)
        if base == Offset.IOCOUNTOVF:
            value |= 1 << 32 if width == 8 else 1
        if width == 4:
            self.write_both(offset, value, 4)
        elif self.choose(0, 3):
            self.write_both(offset, value, 8)
        else:
            self.write_both(offset + 4, value >> 32, 4)
            self.write_both(offset, value & WORD, 4)
        self.settle(f"write of {value:#x} to {offset:#x}")
        self.read(base)

    def translate(self) -> None:
        """Whatever the registers hold, in mode Bare devices are translated as on the model; counters show it."""
        self.directory_open = False
        for mode in (DirectoryMode.OFF, DirectoryMode.BARE):
            self.write_both(Offset.DDTP, mode, 8)
        limit = 1 << self.model.configuration.capabilities.physical_address_bits
        requests = [Request(self.bits(24), self.bits(64) % limit, write=bool(self.choose(0, 2))) for _ in range(REQUESTS)]
        got = [(answer.response.status, answer.response.spa) for answer in self.bench.translate(requests)]
        wanted = [(response.status, response.spa) for response in map(self.model.translate, requests)]
        self.scoreboard.compare("translation in mode Bare", got, wanted)
        self.bench.cycles(SETTLE)
        self.settle("translation")
        self.read_all()

    def target(self) -> tuple[int, int, int]:
        """Where to write: byte offset, bytes, and a value that is likely to matter there."""
        page = self.choose(0, 2)
        queue = COMMANDS[page] >> 2 | self.choose(0, 8) if self.choose(0, 2) else self.bits(64)
        messages = MESSAGES + 4 * self.choose(0, 64) if self.choose(0, 4) else self.bits(64)
        command_csr = self.bits(32) & ~3 | self.choose(0, 4)
        event = self.bits(64) & ~0x7FFF | self.choose(0, len(HpmEvent) + 2)
        counter = self.choose(1, COUNTERS + 2)
        vector = self.choose(0, 17)
        targets = (
            (Offset.CAPABILITIES, 8, self.bits(64)),
            (Offset.FCTL, 4, self.bits(32)),
            (Offset.DDTP, 8, self.bits(64) & ~0xF | self.choose(0, 7)),
            (Offset.CQB, 8, queue),
            (Offset.CQH, 4, self.bits(32)),
            (Offset.CQT, 4, self.choose(0, 8)),
            (Offset.FQB, 8, 0x7200_0000 >> 2 | self.choose(0, 3)),
            (Offset.FQH, 4, self.choose(0, 8)),
            (Offset.FQT, 4, self.bits(32)),
            (Offset.PQB, 8, self.bits(64)),
            (Offset.PQH, 4, self.choose(0, 8)),
            (Offset.PQT, 4, self.bits(32)),
            (Offset.CQCSR, 4, command_csr),
            (Offset.FQCSR, 4, self.bits(32) & ~3 | self.choose(0, 4)),
            (Offset.PQCSR, 4, self.bits(32)),
            (Offset.IPSR, 4, self.bits(32)),
            (Offset.IOCOUNTOVF, 8, self.bits(64)),
            (Offset.IOCOUNTINH, 4, self.bits(32)),
            (Offset.IOHPMCYCLES, 8, self.bits(64)),
            (counter_offset(counter), 8, (1 << 64) - self.choose(1, 3) if self.choose(0, 2) else self.bits(64)),
            (event_offset(counter), 8, event),
            (Offset.TR_REQ_IOVA, 8, self.bits(64)),
            (Offset.TR_REQ_CTL, 8, self.bits(64) | self.choose(0, 2)),
            (Offset.TR_RESPONSE, 8, self.bits(64)),
            (Offset.IOMMU_QOSID, 4, self.bits(32)),
            (Offset.ICVEC, 8, self.bits(64)),
            (msi_offset(vector), 8, messages),
            (msi_offset(vector) + 8, 4, self.bits(32)),
            (msi_offset(vector) + 12, 4, self.bits(32)),
            (self.choose(0, REGISTER_PAGE_BYTES // 8) * 8, 8, self.bits(64)),
        )
        return targets[self.choose(0, len(targets))]

    def note_directory(self, value: int) -> None:
        """``ddtp`` is about to be written: does it take the page number?"""
        mode, present = value & 0xF, self.model.configuration.mode
        self.directory_open = mode > 4 or (mode > 1 and present.levels > 0)

    def read(self, base: int) -> None:
        """One dword, whole or in halves."""
        if self.choose(0, 2):
            got = self.bench.read_register(base, 8)
            wanted = self.model.read_register(base, 8)
        else:
            got = self.bench.read_register(base, 4) | self.bench.read_register(base + 4, 4) << 32
            wanted = self.model.read_register(base, 4) | self.model.read_register(base + 4, 4) << 32
        ignored = self.ignored(base)
        self.scoreboard.compare(f"register {base:#x}", got & ~ignored, wanted & ~ignored)

    def read_all(self, running: bool = False) -> None:
        """Every register; ``running``: the cycle counter is not held yet."""
        for base in range(0, msi_offset(16) + 16, 8):
            if not running or base != Offset.IOHPMCYCLES:
                self.read(base)

    def ignored(self, base: int) -> int:
        """Bits of a register that the specification leaves open."""
        return PPN_FIELD if base == Offset.DDTP and self.directory_open else 0

    def settle(self, what: str) -> None:
        """Memory writes and rises of wires since the last time are the same on both sides."""
        got = Counter((write.address, write.data) for write in self.bench.writes)
        self.scoreboard.compare(f"memory written after {what}", got, Counter(self.memory.writes))
        self.scoreboard.compare(f"wires risen after {what}", Counter(self.bench.interrupts), Counter(self.rises))
        self.scoreboard.writes += len(self.memory.writes)
        self.scoreboard.rises += len(self.rises)
        self.bench.forget_writes()
        self.memory.writes.clear()
        self.rises.clear()


def swapped(dword: int) -> int:
    """The dword with its bytes reversed."""
    return int.from_bytes(dword.to_bytes(8, "little"), "big")


@cocotb.test()
async def register_page(_: object) -> None:
    """Every register behaves as the model's."""
    await run_test(RegistersTest)
