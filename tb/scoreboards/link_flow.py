"""The flow scoreboard: every TLP on every link is what the blocks had to make of the TLPs that entered them.

For the switch and the root complex it predicts from each TLP on an ingress link what must leave, and where: routing by a pure
function, translation by the answer that the IOMMU port gave (which the translation scoreboard judges). What leaves is compared in
every header bit, prefix and payload byte; order is left to :class:`~tb.checkers.ordering.OrderingChecker`. A TLP that leaves
without cause, is changed, goes the wrong way or never leaves is a failure of the block that sends on that link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np

from tb.bridge.event_log import LogBatch
from tb.checkers.ordering import OrderingChecker
from tb.checkers.tlp_rules import SOURCES
from tb.coverage.collector import Collector
from tb.coverage.flow_collector import FlowCollector
from tb.scoreboards.fabric import FabricConfiguration
from tb.scoreboards.flow_matcher import FlowMatcher, payload_mismatch
from tb.scoreboards.iommu_messages import message_tlps
from tb.scoreboards.root_route import predict_root_route, predict_translated_route
from tb.scoreboards.route import Outcome, Route, RoutingPrediction
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tb.scoreboards.switch_route import BROADCAST, predict_switch_route
from tb.scoreboards.tlp_batch import I64, Rows, TlpBatch
from tb.scoreboards.tlp_types import Kind
from tb.scoreboards.translation_join import TranslationJoin
from tb.scoreboards.translation_pairs import TranslationPairer

SWITCH, ROOT_COMPLEX = "switch", "root_complex"
_NOBODY = SOURCES - 1
"""An ingress whose TLPs nobody counts."""


class LinkFlowScoreboard(Scoreboard):
    """Judges the blocks named in ``blocks`` (``switch``, ``root_complex``); a block test gives one of them.

    ``configuration`` may be replaced between batches with :meth:`configure`; it holds for TLPs that enter later.
    """

    name = "link_flow"
    block = "fabric"

    def __init__(
        self,
        configuration: FabricConfiguration,
        blocks: frozenset[str] = frozenset({SWITCH, ROOT_COMPLEX}),
        switch_route: RoutingPrediction = predict_switch_route,
        root_route: RoutingPrediction = predict_root_route,
    ) -> None:
        self._configuration = configuration
        links = configuration.links
        self._names = links.names
        self._predictions: list[tuple[tuple[int, ...], RoutingPrediction]] = []
        self._sender: dict[int, str] = {}
        self._entered: dict[int, str] = {}
        if SWITCH in blocks:
            self._predictions.append(((links.switch_down, *links.endpoint_up), switch_route))
            self._sender |= dict.fromkeys((links.switch_up, *links.endpoint_down), SWITCH)
            self._entered |= dict.fromkeys((links.switch_down, *links.endpoint_up), SWITCH)
        self._root = ROOT_COMPLEX in blocks
        if self._root:
            self._predictions.append(((links.cpu_request, links.memory_completion, links.switch_up), root_route))
            self._sender |= dict.fromkeys((links.switch_down, links.memory_request, links.cpu_completion), ROOT_COMPLEX)
            self._entered |= dict.fromkeys((links.cpu_request, links.memory_completion, links.switch_up), ROOT_COMPLEX)
        self._answer_link = np.full(SOURCES, -1, np.int64)
        for up, down in zip(links.endpoint_up, links.endpoint_down, strict=True):
            self._answer_link[up] = down
        self._answer_link[links.switch_down] = links.switch_up
        self._answer_link[links.switch_up] = links.switch_down
        self._answer_link[links.cpu_request] = links.cpu_completion
        self._judged = _mask(tuple(self._sender))
        self._source_only = _mask(tuple(self._entered)) & ~self._judged
        self._pairer = TranslationPairer(self.name)
        self._join = TranslationJoin()
        self._forwarded = FlowMatcher()
        self._answers = FlowMatcher(by_transaction=True)
        self.ordering = OrderingChecker(self._names)
        self._observed = np.zeros(SOURCES, np.int64)
        self._expected = np.zeros(SOURCES, np.int64)
        self._compared = np.zeros(SOURCES, np.int64)
        self._coverage = FlowCollector(links, blocks)

    def collectors(self) -> Sequence[Collector]:
        return (self._coverage,)

    def configure(self, configuration: FabricConfiguration) -> None:
        """Route the TLPs of later batches by ``configuration``, which must have the same links."""
        if configuration.links != self._configuration.links:
            raise ValueError("the links of a fabric cannot change during a run: give the new configuration the same links")
        self._configuration = configuration

    def ingest(self, batch: LogBatch) -> None:
        tlps = TlpBatch.of(batch)
        pairs = self._pairer.ingest(batch) if self._root else None
        expected: list[tuple[TlpBatch, I64]] = []
        answered: list[tuple[TlpBatch, I64]] = []
        for ingress, prediction in self._predictions:
            entering = _mask(ingress)[tlps.link]
            if self._root and ingress[-1] == self._configuration.links.switch_up:
                translated = entering & tlps.is_memory & (tlps.link == ingress[-1])
                entering &= ~translated
                assert pairs is not None
                requests, answers = self._join.join(tlps.take(translated), pairs, self._pairer.outstanding)
                if len(requests):
                    route, rewritten = predict_translated_route(self._configuration, requests, answers)
                    self._sort_out(rewritten, route, expected, answered)
            if entering.any():
                chosen = tlps.take(entering)
                self._sort_out(chosen, prediction(self._configuration, chosen), expected, answered)
        if self._root:
            self._expect_messages(batch, expected)
        observed = tlps.take(self._judged[tlps.link])
        self._count(self._observed, tlps.link[(self._judged | self._source_only)[tlps.link]])
        self._judge(_in_order(expected), _in_order(answered), observed)

    def _expect_messages(self, batch: LogBatch, expected: list[tuple[TlpBatch, I64]]) -> None:
        """What the IOMMU says to a device below must leave as a message TLP."""
        port, link = self._configuration.root_port, self._configuration.links.switch_down
        leaving = message_tlps(batch, link, port.secondary, port.subordinate, self._configuration.root_port_requester)
        if len(leaving):
            expected.append((leaving, np.full(len(leaving), link, np.int64)))

    def _count(self, counter: I64, link: np.ndarray[tuple[int], np.dtype[np.integer]]) -> None:
        counter += np.bincount(link, minlength=SOURCES)

    def _account(self, counter: I64, ingress: I64) -> None:
        """Count TLPs of source links, whose only judgement is what became of them."""
        self._count(counter, ingress[self._source_only[ingress]])

    def _sort_out(
        self, tlps: TlpBatch, route: Route, expected: list[tuple[TlpBatch, I64]], answered: list[tuple[TlpBatch, I64]]
    ) -> None:
        """Add what ``tlps`` (as they must leave) cause to the expected TLPs and to the expected answers."""
        ingress, egress = tlps.link.astype(np.int64), route.egress
        self._coverage.routed(tlps, route)
        self._account(self._expected, ingress)
        self._account(self._compared, ingress[egress == Outcome.DROPPED])
        forwarded = np.flatnonzero(egress >= 0)
        if forwarded.size:
            leaving = _on_link(tlps, forwarded, egress[forwarded])
            type0 = route.to_type0[forwarded]
            leaving.words[4] ^= type0.astype(np.uint32) << np.uint32(24)
            expected.append((leaving, ingress[forwarded]))
        answers = np.flatnonzero(egress == Outcome.ANSWERED)
        if answers.size:
            # Copies of a split answer are accounted for once.
            again = np.repeat(route.completions[answers] > 1, route.completions[answers])
            answers = np.repeat(answers, route.completions[answers])
            again[1:] &= answers[1:] == answers[:-1]
            again[0] = False
            request = tlps.take(answers)
            answer = _on_link(tlps, answers, self._answer_link[ingress[answers]])
            # Only link, Transaction ID and status of an answer are predicted: a completion header with these.
            answer.words[4] = (0x0A << 24) | (request.header[0] & np.uint32(1 << 23 | 1 << 19))
            answer.words[5] = (route.status[answers] & 0xFF).astype(np.uint32)
            answer.words[6] = request.requester << np.uint32(16) | (request.tag & np.uint32(0xFF)) << np.uint32(8)
            answer.words[3] = 0
            answered.append((answer, np.where(again, _NOBODY, ingress[answers])))
        for row in np.flatnonzero(egress == Outcome.BROADCAST).tolist():
            copies = np.full(len(self._configuration.links.endpoint_down), row)
            targets = np.array(self._configuration.links.endpoint_down, np.int64)
            expected.append((_on_link(tlps, copies, targets), ingress[copies]))

    def _judge(self, expected: tuple[TlpBatch, I64], answered: tuple[TlpBatch, I64], observed: TlpBatch) -> None:
        self._count(self._expected, expected[0].link)
        self._count(self._expected, answered[0].link)
        matches = self._forwarded.match(*expected, observed)
        left = observed.take(matches.rows)
        if matches.unmatched.size or len(answered[0]):
            self._judge_answers(answered, observed.take(matches.unmatched))
        different = payload_mismatch(matches.causes, left)
        if different is not None:
            self._fail_payload(matches.causes, matches.ingress, left, different)
        self._count(self._compared, left.link)
        # A broadcast message is accounted for once, when its first copy is found.
        copies = (left.kind == Kind.MESSAGE) & ((left.fmt_type & np.uint32(7)) == BROADCAST)
        copies &= (left.link != self._configuration.links.endpoint_down[0]) & self._source_only[matches.ingress]
        self._account(self._compared, matches.ingress[~copies])
        path = matches.ingress << 8 | left.link
        for value in np.unique(path).tolist():
            rows = np.flatnonzero(path == value)
            sender = self._sender[value & 0xFF]
            leaving = left.take(rows)
            self.ordering.check(sender, value >> 8, matches.causes.sequence[rows], leaving)
            self._coverage.left(sender, matches.causes.take(rows), leaving)

    def _judge_answers(self, answered: tuple[TlpBatch, I64], observed: TlpBatch) -> None:
        completion = observed.is_completion
        if not completion.all():
            self._fail_unexpected(observed, int(np.argmin(completion)))
        matches = self._answers.match(*answered, observed)
        if matches.unmatched.size:
            self._fail_unexpected(observed, int(matches.unmatched[0]))
        status = matches.causes.words[5]
        wrong = (status != 0xFF) & (status != observed.status[matches.rows])
        if wrong.any():
            row = int(np.argmax(wrong))
            self._fail(observed, row, f"completion must have status {int(status[row])}, observed {observed.describe(row)}")
        self._count(self._compared, observed.link[matches.rows])
        self._account(self._compared, matches.ingress)

    def _fail(self, tlps: TlpBatch, row: int, message: str) -> NoReturn:
        link = int(tlps.link[row])
        where = f"{self._names[link]}: {message}"
        raise self.error(where, int(tlps.cycle[row]), int(tlps.sequence[row]), self._sender[link])

    def _fail_payload(self, causes: TlpBatch, ingress: I64, observed: TlpBatch, row: int) -> NoReturn:
        source, found = causes.payload_of(row), observed.payload_of(row)
        origin = f"record {int(causes.sequence[row])} on {self._names[int(ingress[row])]}"
        if source.size != found.size:
            detail = f"has {found.size} payload bytes, {origin} has {source.size}"
        else:
            byte = int(np.argmax(source != found))
            detail = f"payload byte {byte} is {int(found[byte]):#04x}, {origin} has {int(source[byte]):#04x}"
        self._fail(observed, row, f"{observed.describe(row)}: {detail}")

    def _fail_unexpected(self, observed: TlpBatch, row: int) -> NoReturn:
        message = f"no TLP that entered can have caused {observed.describe(row)}"
        waiting = self._forwarded.waiting
        same_class = (waiting.link == observed.link[row]) & (waiting.tlp_class == observed.tlp_class[row])
        same_transaction = same_class & (waiting.transaction == observed.transaction[row])
        nearest = same_transaction if same_transaction.any() else same_class
        if nearest.any():
            position = int(np.argmax(nearest))
            ingress = self._names[int(self._forwarded.waiting_ingress[position])]
            message += f"; expected {waiting.describe(position)}, cause record {int(waiting.sequence[position])} on {ingress}"
        self._fail(observed, row, message)

    @property
    def senders(self) -> Mapping[int, str]:
        """The block that sends on each judged link."""
        return self._sender

    def inside(self) -> TlpBatch:
        """TLPs that entered a block and have not left it, as they must leave; answers that a block owes among them."""
        return self._answers.waiting.after(self._forwarded.waiting)

    def untranslated(self) -> TlpBatch:
        """Memory requests on the link from the switch that the IOMMU has not answered."""
        return self._join.waiting

    def finish(self) -> ScoreboardResult:
        for waiting, what in ((self._forwarded.waiting, "never left"), (self._answers.waiting, "was never answered")):
            if len(waiting):
                self._fail(waiting, 0, f"{len(waiting)} expected TLPs are missing, the first, {waiting.describe(0)}, {what}")
        if len(self._join.waiting):
            first = self._join.waiting
            raise self.error(
                f"switch_up: {len(first)} memory requests were never translated, the first is {first.describe(0)}",
                int(first.cycle[0]),
                int(first.sequence[0]),
                ROOT_COMPLEX,
            )
        unused = self._join.unused
        if len(unused):
            raise self.error(
                f"{len(unused)} translations belong to no TLP on switch_up, the first of IOVA {int(unused.iova[0]):#x} for "
                f"device {int(unused.device_id[0]):#06x}",
                int(unused.cycle[0]),
                int(unused.answered_at[0]),
                ROOT_COMPLEX,
            )
        links = {}
        for source in sorted({*self._sender, *self._entered}):
            count = LinkCount(int(self._observed[source]), int(self._expected[source]), int(self._compared[source]))
            links[self._names[source]] = count
            if not count.complete:
                raise self.error(f"{self._names[source]}: observed, expected and compared TLPs differ: {count}")
        compared = sum(count.compared for count in links.values())
        self.require_compared(compared)
        return ScoreboardResult(self.name, self.block, compared, links, figures={"ordered": self.ordering.compared})


def _mask(links: tuple[int, ...]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    mask = np.zeros(SOURCES, np.bool_)
    mask[list(links)] = True
    return mask


def _on_link(tlps: TlpBatch, rows: Rows, link: I64) -> TlpBatch:
    """Rows of ``tlps`` as records of other links."""
    chosen = TlpBatch(tlps.words[:, rows], tlps.payload, tlps.payload_base)
    chosen.words[2] = (chosen.words[2] & ~np.uint32(0xFF00)) | link.astype(np.uint32) << np.uint32(8)
    return chosen


def _in_order(parts: list[tuple[TlpBatch, I64]]) -> tuple[TlpBatch, I64]:
    """All parts as one batch in log order."""
    if not parts:
        return TlpBatch.none(), np.zeros(0, np.int64)
    joined, ingress = parts[0]
    for part, entered in parts[1:]:
        joined = part.after(joined)
        ingress = np.concatenate((ingress, entered))
    if len(parts) == 1:
        return joined, ingress
    order = np.argsort(joined.sequence, kind="stable")
    return joined.take(order), ingress[order]
