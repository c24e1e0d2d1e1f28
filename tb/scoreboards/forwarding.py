"""Scoreboard of a block that only forwards: what leaves on a link is what entered on another, and what entered is what was sent.

For blocks without routing. Stimulus is announced by :meth:`ForwardingScoreboard.expect`, so both ends of the path have an
independent expectation. Order is that of PCIe (:class:`tb.checkers.ordering.OrderingChecker`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from tb.bridge.event_log import EVENT_DTYPE, EventFlag, EventKind, LogBatch
from tb.checkers.ordering import OrderingChecker
from tb.scoreboards.flow_matcher import FlowMatcher, payload_mismatch
from tb.scoreboards.scoreboard import LinkCount, Scoreboard, ScoreboardResult
from tb.scoreboards.tlp_batch import TlpBatch

_LINK_WORD = 2


class ForwardingScoreboard(Scoreboard):
    """``path``: link number of each way in to its way out; ``names``: of all links; ``announced``: links with stimulus."""

    name = "forwarding"

    def __init__(self, block: str, path: Mapping[int, int], names: Mapping[int, str], announced: Iterable[int]) -> None:
        self.block = block
        self._path = dict(path)
        self._names = dict(names)
        self._through = {link: FlowMatcher() for link in path}
        self._stimulus = {link: FlowMatcher() for link in announced}
        self._pending: dict[int, list[TlpBatch]] = {link: [] for link in announced}
        self._observed = dict.fromkeys(names, 0)
        self._compared = dict.fromkeys(names, 0)
        self._expected = dict.fromkeys(names, 0)
        self._ordering = OrderingChecker(names)

    def expect(self, link: int, tlps: Iterable[tuple[tuple[int, int, int, int], bytes, int | None]]) -> None:
        """Announce stimulus on ``link``: header DWs, payload and prefix of each TLP (nullified ones left out)."""
        rows = list(tlps)
        records = np.zeros(len(rows), dtype=EVENT_DTYPE)
        payload = b"".join(data for _, data, _ in rows)
        start = 0
        for record, (header, data, prefix) in zip(records, rows, strict=True):
            record["kind"] = EventKind.TLP
            record["source"] = link
            record["header"] = header
            record["length"] = len(data)
            record["payload"] = start
            if prefix is not None:
                record["flags"] = EventFlag.PREFIX_VALID
                record["prefix"] = prefix
            start += len(data)
        self._pending[link].append(TlpBatch.of(LogBatch(records, np.frombuffer(payload, dtype=np.uint8), 0)))
        self._expected[link] += len(rows)

    def ingest(self, batch: LogBatch) -> None:
        tlps = TlpBatch.of(batch)
        if len(tlps) == 0:
            return
        for link in self._names:
            self._observed[link] += int(np.count_nonzero(tlps.link == link))
        for link, matcher in self._stimulus.items():
            announced = self._pending[link]
            self._pending[link] = []
            expected = TlpBatch.none()
            for part in announced:
                expected = part.after(expected)
            self._match(matcher, link, link, expected, tlps.take(tlps.link == link))
        for way_in, way_out in self._path.items():
            entered = tlps.take(tlps.link == way_in)
            self._expected[way_out] += len(entered)
            words = entered.words.copy()
            words[_LINK_WORD] = words[_LINK_WORD] & np.uint32(0xFFFF00FF) | np.uint32(way_out << 8)
            moved = TlpBatch(words, entered.payload, entered.payload_base)
            self._match(self._through[way_in], way_in, way_out, moved, tlps.take(tlps.link == way_out))

    def _match(self, matcher: FlowMatcher, way_in: int, way_out: int, expected: TlpBatch, observed: TlpBatch) -> None:
        matches = matcher.match(expected, np.full(len(expected), way_in, dtype=np.int64), observed)
        if matches.unmatched.size:
            row = int(matches.unmatched[0])
            raise self.error(
                f"{self._names[way_out]}: {observed.describe(row)} was sent by nobody; expected only what "
                f"{'the test announced' if way_in == way_out else f'entered on {self._names[way_in]}'}",
                int(observed.cycle[row]),
                int(observed.sequence[row]),
            )
        seen = observed.take(matches.rows)
        different = payload_mismatch(matches.causes, seen)
        if different is not None:
            raise self.error(
                f"{self._names[way_out]}: payload of {seen.describe(different)} differs; expected "
                f"{matches.causes.payload_of(different).tobytes().hex()}, observed {seen.payload_of(different).tobytes().hex()}",
                int(seen.cycle[different]),
                int(seen.sequence[different]),
            )
        if way_in != way_out:
            self._ordering.check(self.block, way_in, matches.causes.sequence, seen)
        self._compared[way_out] += len(seen)

    def finish(self) -> ScoreboardResult:
        for matchers in (self._stimulus, self._through):
            for link, matcher in matchers.items():
                if len(matcher.waiting):
                    raise self.error(
                        f"{len(matcher.waiting)} TLPs from {self._names[link]} never came, first {matcher.waiting.describe(0)}"
                    )
        compared = sum(self._compared.values())
        self.require_compared(compared)
        links = {
            name: LinkCount(self._observed[link], self._expected[link], self._compared[link])
            for link, name in self._names.items()
        }
        return ScoreboardResult(self.name, self.block, compared, links, figures={"ordered": self._ordering.compared})
