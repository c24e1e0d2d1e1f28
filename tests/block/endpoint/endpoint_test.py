"""Base of the endpoint tests: requests as TLPs on the endpoint's link, each answer judged against what was due."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sluicegate.platform import ADDRESS_MAP

from tb.agents.tlp_link.item import StimulusTlp, TlpBatch
from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import ActionKind, Knob
from tb.bridge.tops import ENDPOINT
from tb.checkers.tlp_protocol import TlpProtocolChecker
from tb.checkers.tlp_rules import LinkRules
from tb.env.base_test import BaseTest
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tb.scoreboards.tlp_batch import TlpBatch as LoggedTlps
from tb.scoreboards.tlp_types import CompletionStatus, FmtType, TlpClass

UP, DOWN = 0, 1
FUNCTION = 0x0300
BAR0 = ADDRESS_MAP.mmio32.base
BAR2 = ADDRESS_MAP.mmio64.base
LOCAL_BYTES = 2 << 20
ANSWER_POLL = 16
ANSWER_TIMEOUT = 20_000


@dataclass(slots=True)
class Answer:
    """What has come for a request: status, the bytes so far, and whether it is complete."""

    status: CompletionStatus = CompletionStatus.SC
    data: bytearray = field(default_factory=bytearray)
    done: bool = False


class AnswerScoreboard(Scoreboard):
    """Every non-posted request of the testbench gets one answer, with the status and the bytes that the test said are due."""

    name = "answers"
    block = "endpoint"

    def __init__(self) -> None:
        self._open: dict[int, Answer] = {}
        self._due: dict[int, tuple[CompletionStatus, bytes | None]] = {}
        self._requests = self._answered = self._completions = 0

    def expect(self, tag: int, status: CompletionStatus, data: bytes | None) -> Answer:
        """The request with this tag must be answered so; ``data`` None: any bytes (or none)."""
        self._due[tag] = status, data
        self._open[tag] = Answer()
        return self._open[tag]

    def ingest(self, batch: LogBatch) -> None:
        tlps = LoggedTlps.of(batch)
        self._requests += int(np.count_nonzero((tlps.link == DOWN) & (tlps.tlp_class == TlpClass.NONPOSTED)))
        for row in np.flatnonzero((tlps.link == UP) & tlps.is_completion).tolist():
            self._completions += 1
            self._completion(tlps, row)

    def _completion(self, tlps: LoggedTlps, row: int) -> None:
        tag, where = int(tlps.tag[row]), (int(tlps.cycle[row]), int(tlps.sequence[row]))
        answer = self._open.get(tag)
        if answer is None:
            raise self.error(f"{tlps.describe(row)}, but no request with tag {tag} is open", *where)
        answer.status = CompletionStatus(int(tlps.status[row]))
        lead, count = int(tlps.lower_address[row]) & 3, int(tlps.byte_count[row])
        payload = tlps.payload_of(row)[lead:].tobytes()
        answer.data += payload[:count]
        answer.done = answer.status is not CompletionStatus.SC or count <= len(payload) or not payload
        if not answer.done:
            return
        del self._open[tag]
        self._answered += 1
        status, data = self._due.pop(tag)
        if answer.status is not status:
            raise self.error(f"tag {tag} was answered {answer.status.name} where {status.name} is due", *where)
        if data is not None and bytes(answer.data) != data:
            raise self.error(f"tag {tag} was answered {bytes(answer.data[:32]).hex()} where {data[:32].hex()} is due", *where)

    def finish(self) -> ScoreboardResult:
        if self._open:
            raise self.error(f"requests with tags {sorted(self._open)} were never answered")
        return ScoreboardResult(
            self.name,
            self.block,
            self._answered,
            {"endpoint0_up completions": LinkCount(self._completions, self._completions, self._completions)},
            figures={"requests": self._requests},
        )


class EndpointTest(BaseTest):
    """Stimulus is sent in the CPU's name on the link into the endpoint."""

    top = ENDPOINT

    def prepare(self) -> None:
        self.random = np.random.default_rng(self.settings.seed)
        self.answers = AnswerScoreboard()
        self.environment.add_scoreboard(self.answers)
        rules = (
            LinkRules(UP, "endpoint0_up", "endpoint", completions_on=DOWN, max_payload=256, max_read_request=512),
            LinkRules(DOWN, "endpoint0_down", "testbench", completions_on=UP, max_payload=256, completion_boundary=64),
        )
        self.environment.add_scoreboard(TlpProtocolChecker(rules))
        self.interrupts: list[int] = []
        self.environment.simulation.add_consumer(self._collect_interrupts)
        self._tag = 0
        native = self.environment.simulation.native
        for region in ADDRESS_MAP.ram:
            native.act(ActionKind.ADD_MEMORY_REGION, region.base, region.size)
        native.act(ActionKind.SET_INTERRUPT_PAGE, ADDRESS_MAP.imsic.base, ADDRESS_MAP.imsic.size)
        native.set_knob(Knob.COMPLETER_LATENCY, int(self.random.integers(1, 200)), link=UP)
        native.set_knob(Knob.COMPLETER_CUT_CHANCE, int(self.random.choice([0, 20000])), link=UP)
        for agent in self.environment.agents.values():
            agent.set_stalls(int(self.random.choice([0, 0, 8000, 40000])))

    def _collect_interrupts(self, batch: LogBatch) -> None:
        self.interrupts += batch.of_kind(EventKind.INTERRUPT)["argument"].tolist()

    def send(self, tlps: list[StimulusTlp]) -> None:
        """Queue TLPs at once."""
        self.environment.agents["endpoint0_down"].driver.queue(TlpBatch("endpoint0_down", tlps))

    def request(
        self, header: tuple[int, int, int, int], payload: bytes, status: CompletionStatus, data: bytes | None = None
    ) -> Answer:
        """Send a non-posted request (its tag is filled in) and say what its answer must be."""
        self._tag = (self._tag + 1) % 256
        answer = self.answers.expect(self._tag, status, data)
        self.send([StimulusTlp((header[0], header[1] | self._tag << 8, header[2], header[3]), payload)])
        return answer

    async def wait(self, *answers: Answer) -> None:
        """Until these answers are complete."""
        simulation = self.environment.simulation
        for _ in range(ANSWER_TIMEOUT // ANSWER_POLL):
            if all(answer.done for answer in answers):
                return
            await simulation.cycles(ANSWER_POLL)
            simulation.drain()
            self.environment.suite.flush()
        raise self.answers.error(f"a request was not answered within {ANSWER_TIMEOUT} cycles")

    async def config_read(self, offset: int, status: CompletionStatus = CompletionStatus.SC, function: int = FUNCTION) -> int:
        answer = self.request((FmtType.CFGRD0 << 24 | 1, 0xF, function << 16 | offset, 0), b"", status)
        await self.wait(answer)
        return int.from_bytes(answer.data, "little")

    async def config_write(self, offset: int, value: int, enables: int = 0xF) -> None:
        header = (FmtType.CFGWR0 << 24 | 1, enables, FUNCTION << 16 | offset, 0)
        await self.wait(self.request(header, value.to_bytes(4, "little"), CompletionStatus.SC))

    async def read(self, offset: int) -> int:
        """A register of BAR0."""
        answer = self.request((FmtType.MRD32 << 24 | 1, 0xF, BAR0 + offset, 0), b"", CompletionStatus.SC)
        await self.wait(answer)
        return int.from_bytes(answer.data, "little")

    def write(self, offset: int, value: int, enables: int = 0xF) -> None:
        """A register of BAR0; posted."""
        self.send([StimulusTlp((FmtType.MWR32 << 24 | 1, enables, BAR0 + offset, 0), value.to_bytes(4, "little"))])

    async def enable(self, bus_master: bool = True) -> None:
        """Program BARs and Command, MPS 256, MRRS 512, extended tags."""
        await self.config_write(0x10, BAR0)
        await self.config_write(0x18, BAR2 & 0xFFFF_FFFF)
        await self.config_write(0x1C, BAR2 >> 32)
        await self.config_write(0x48, 2 << 12 | 1 << 8 | 1 << 5)
        await self.config_write(0x04, 0x2 | bus_master << 2)

    def memory_header(self, write: bool, offset: int, length: int) -> tuple[int, int, int, int]:
        """Header of a dense access to ``length`` bytes at ``offset`` of BAR2."""
        lead, end = offset & 3, offset + length & 3
        dwords = (lead + length + 3) // 4
        first, last = 0xF << lead & 0xF, 0xF >> (-end & 3)
        first, last = (first & last, 0) if dwords == 1 else (first, last)
        kind = FmtType.MWR64 if write else FmtType.MRD64
        return kind << 24 | dwords & 0x3FF, last << 4 | first, BAR2 >> 32, BAR2 + offset & 0xFFFF_FFFC

    def write_local(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Write local memory through BAR2; the disabled bytes of the first and last DW are not zero, to be seen if written."""
        lead = offset & 3
        tail = -(offset + data.size) & 3
        payload = b"\xee" * lead + data.tobytes() + b"\xee" * tail
        self.send([StimulusTlp(self.memory_header(True, offset, data.size), payload)])

    def read_local(self, offset: int, expected: NDArray[np.uint8]) -> Answer:
        """Read local memory through BAR2 and expect these bytes."""
        header = self.memory_header(False, offset, expected.size)
        return self.request(header, b"", CompletionStatus.SC, expected.tobytes())
