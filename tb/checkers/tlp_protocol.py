"""Checker of the transaction layer protocol on every link: headers, tags and completions, and what transactors reported."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from tb.bridge.event_log import EventKind, LogBatch, ProtocolRule
from tb.checkers.tlp_rules import SOURCES, LinkRules, RuleTables, broken_rules
from tb.checkers.transactions import TransactionTracker
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardResult
from tb.scoreboards.tlp_batch import TlpBatch

CREDIT_KINDS = (
    "posted header",
    "posted data",
    "non-posted header",
    "non-posted data",
    "completion header",
    "completion data",
)


class TlpProtocolChecker(Scoreboard):
    """Checks all TLPs of the links it is given; a TLP on another link is an error of the testbench and raises ValueError."""

    name = "tlp_protocol"
    block = "fabric"

    def __init__(self, links: tuple[LinkRules, ...]) -> None:
        self._links = {link.source: link for link in links}
        self._known = np.zeros(SOURCES, np.bool_)
        self._known[list(self._links)] = True
        self._tables = RuleTables.of(links)
        self._transactions = TransactionTracker(links)
        self._checked = 0
        self._held: dict[int, Any] = {}
        """The last account of credits that the receiver of each link has not returned."""

    def ingest(self, batch: LogBatch) -> None:
        broken = batch.of_kind(EventKind.PROTOCOL_ERROR)
        if broken.size:
            record = broken[0]
            name = ProtocolRule(int(record["argument"])).name.lower().replace("_", " ")
            link = self._links.get(int(record["source"]))
            where = link.name if link else f"link {int(record['source'])}"
            raise self.error(
                f"{where}: the sender broke the link protocol: {name}",
                int(record["cycle"]),
                int(record["sequence"]),
                link.block if link else None,
            )
        for record in batch.of_kind(EventKind.CREDITS_HELD):
            self._held[int(record["source"])] = record
        tlps = TlpBatch.of(batch)
        if len(tlps) == 0:
            return
        if not self._known[tlps.link].all():
            unknown = int(tlps.link[int(np.argmin(self._known[tlps.link]))])
            raise ValueError(f"TLPs on link {unknown}, for which no LinkRules were given: add them to the checker")
        first_row, first_rule = len(tlps), ""
        for rule, mask in broken_rules(tlps, self._tables):
            if mask.any() and (row := int(np.argmax(mask))) < first_row:
                first_row, first_rule = row, rule
        violation = self._transactions.ingest(tlps)
        if violation is not None and (not first_rule or violation.sequence < int(tlps.sequence[first_row])):
            self._fail(violation.rule, TlpBatch(violation.row_words, tlps.payload, 0), 0)
        if first_rule:
            self._fail(first_rule, tlps, first_row)
        self._checked += len(tlps)

    def _fail(self, rule: str, tlps: TlpBatch, row: int) -> NoReturn:
        link = self._links[int(tlps.link[row])]
        raise self.error(
            f"{link.name}: {rule}; observed {tlps.describe(row)}", int(tlps.cycle[row]), int(tlps.sequence[row]), link.block
        )

    def outstanding(self, links: tuple[int, ...]) -> TlpBatch:
        """Requests on these links without a last completion."""
        left = self._transactions.outstanding()
        return left.take(np.isin(left.link, links))

    def _require_credits(self) -> None:
        """Nothing is in flight any more: each receiver must have returned every credit."""
        for source, record in sorted(self._held.items()):
            held = record["header"].view("<u2")[: len(CREDIT_KINDS)].tolist()
            missing = [f"{count} {kind}" for count, kind in zip(held, CREDIT_KINDS, strict=True) if count]
            if missing:
                link = self._links[source]
                message = f"{link.name}: the receiver never returned {', '.join(missing)} credits"
                raise self.error(message, int(record["cycle"]), int(record["sequence"]), self._receiver(link))

    def _receiver(self, link: LinkRules) -> str:
        """The block at the other end of a link: it sends what comes back."""
        if link.completions_on is not None:
            return self._links[link.completions_on].block
        return next((other.block for other in self._links.values() if other.completions_on == link.source), self.block)

    def finish(self) -> ScoreboardResult:
        left = self._transactions.outstanding()
        if len(left):
            link = self._links[int(left.link[0])]
            answers = link if link.completions_on is None else self._links[link.completions_on]
            raise self.error(
                f"{link.name}: {len(left)} requests have no (last) completion, the first is {left.describe(0)}",
                int(left.cycle[0]),
                int(left.sequence[0]),
                answers.block,
            )
        self._require_credits()
        self.require_compared(self._checked)
        figures = {
            f"{link.name}.answered": int(self._transactions.answered[source])
            for source, link in sorted(self._links.items())
            if link.completions_on is not None
        }
        return ScoreboardResult(self.name, self.block, self._checked, figures=figures)
