"""Checker of the completions that the switch makes itself: every header bit, and their order.

Source: PCI Express Base, completion rules: fields copied from the request, Byte Count and Lower Address of the first completion,
CplLk for locked reads.
"""

from __future__ import annotations

from collections import deque

from sluicegate.switch.routing import Disposition, Header, RoutedTlp, TlpKind

from tb.bridge.event_log import LogBatch
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardResult
from tb.scoreboards.tlp_batch import TlpBatch
from tests.block.switch.links import EGRESS_LINK, INGRESS_PORT
from tests.block.switch.model_prediction import ModelPrediction
from tests.block.switch.port_programming import port_id

COPIED = 0x7 << 20 | 1 << 23 | 1 << 19 | 0x3 << 12
"""TC, T9, T8, RO and NS of DW0."""
LOCKED_READ = 0b00001
COMPARE_AND_SWAP = 0b01110
SC, UR, CA = 0, 1, 4


def enabled_span(header: Header) -> tuple[int, int]:
    """Offset of the first enabled byte of a memory read, and bytes from it to the last enabled one (at least 1)."""
    length = header[0] & 0x3FF or 1024
    first, last = header[1] & 0xF, header[1] >> 4 & 0xF
    enabled = [byte for byte in range(4) if first >> byte & 1]
    if length > 1:
        enabled += [4 * (length - 1) + byte for byte in range(4) if last >> byte & 1]
    return (enabled[0], enabled[-1] + 1 - enabled[0]) if enabled else (0, 1)


def completion_header(request: Header, completer: int, status: int, with_data: bool) -> Header:
    """The completion that ends a request in the switch."""
    tlp = RoutedTlp(request)
    byte_count, lower_address = 4, 0
    if tlp.is_atomic:
        byte_count = 4 * tlp.payload_dwords // (2 if tlp.type_bits == COMPARE_AND_SWAP else 1)
    elif tlp.kind is TlpKind.MEMORY and not tlp.payload_dwords:
        offset, byte_count = enabled_span(request)
        lower_address = (tlp.address + offset) & 0x7F
    code = 0x0B if tlp.type_bits == LOCKED_READ else 0x0A
    return (
        (code | with_data << 6) << 24 | request[0] & COPIED | with_data,
        completer << 16 | status << 13 | byte_count & 0xFFF,
        request[1] & 0xFFFF_FF00 | lower_address,
        0,
    )


class AnswerChecker(Scoreboard):
    """The completions for the requests of a port leave in the order of the requests, with exactly the expected headers."""

    name = "answers"
    block = "switch"

    def __init__(self, prediction: ModelPrediction) -> None:
        self._prediction = prediction
        self._expected: dict[int, deque[Header]] = {link: deque() for link in EGRESS_LINK.values()}
        self._compared = 0

    def ingest(self, batch: LogBatch) -> None:
        tlps = TlpBatch.of(batch)
        for link, words in zip(tlps.link.tolist(), tlps.header.T.tolist(), strict=True):
            header: Header = (words[0], words[1], words[2], words[3])
            if link in INGRESS_PORT:
                self._enter(INGRESS_PORT[link], header)
            elif self._expected[link] and header == self._expected[link][0]:
                self._expected[link].popleft()
                self._compared += 1

    def _enter(self, ingress: int, header: Header) -> None:
        if not RoutedTlp(header).is_nonposted:
            return
        decision = self._prediction.decide(ingress, header)
        completer = port_id(self._prediction.configuration, ingress)
        match decision.disposition:
            case Disposition.CONFIGURATION:
                answer = completion_header(header, header[2] >> 16, SC, not RoutedTlp(header).payload_dwords)
            case Disposition.UNSUPPORTED:
                answer = completion_header(header, completer, UR, False)
            case Disposition.VIOLATION:
                answer = completion_header(header, completer, CA, False)
            case _:
                return
        self._expected[EGRESS_LINK[ingress]].append(answer)

    def finish(self) -> ScoreboardResult:
        for link, expected in self._expected.items():
            if expected:
                words = " ".join(f"{word:08x}" for word in expected[0])
                raise self.error(f"link {link}: {len(expected)} completions are missing or wrong, the first must be {words}")
        self.require_compared(self._compared)
        return ScoreboardResult(self.name, self.block, self._compared)
