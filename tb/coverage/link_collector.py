"""Bins of the TLPs on every link of a top."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tb.bridge.event_log import LogBatch
from tb.bridge.tops import Top
from tb.coverage.collector import Collector
from tb.coverage.group import Axis, CoverGroup, Illegal, Mask, combinations
from tb.coverage.link_crosses import CROSSES, LinkCross, Values
from tb.coverage.link_traffic import Traffic, traffic_of
from tb.scoreboards.tlp_batch import TlpBatch

SOURCES = 256


class LinkCollector(Collector):
    """Samples every TLP of a top that was not nullified; groups are named ``<top>: ...``, so that each top has its own holes."""

    def __init__(self, top: Top) -> None:
        traffic = {link.name: carried for link, carried in zip(top.links, traffic_of(top), strict=True)}
        self._links = {link.name: link.number for link in top.links}
        self._crosses: list[tuple[LinkCross, CoverGroup, NDArray[np.int64]]] = []
        for cross in CROSSES:
            carrying = {name: carried for name, carried in traffic.items() if carried.kinds & cross.kinds}
            if carrying:
                self._crosses.append((cross, _group(top.name, cross, carrying), self._codes(carrying)))
        self.groups: Sequence[CoverGroup] = [group for _, group, _ in self._crosses]

    def _codes(self, names: dict[str, Traffic]) -> NDArray[np.int64]:
        """Code on the link axis by source id; the one behind the last for links that must not carry the kind at all."""
        codes = np.full(SOURCES, len(names), np.int64)
        for code, name in enumerate(names):
            codes[self._links[name]] = code
        return codes

    def ingest(self, batch: LogBatch) -> None:
        tlps = TlpBatch.of(batch)
        if not len(tlps):
            return
        for cross, group, codes in self._crosses:
            rows = cross.rows(tlps)
            if rows.any():
                group.sample(codes[tlps.link], *cross.codes(tlps), rows=rows, at=tlps)


def _group(top: str, cross: LinkCross, carrying: dict[str, Traffic]) -> CoverGroup:
    every = (Axis("link", (*carrying, "another link")), *cross.axes)
    values = combinations(every)
    rules = [Illegal("no such TLP belongs on that link", lambda of: of["link"] == "another link")]
    rules += [rule for rule in cross.rules if rule.applies(values).any()]
    for name, traffic in carrying.items():
        if not (cross.sent(traffic, values) | (values["link"] != name)).all():
            rules.append(Illegal(f"{traffic.block} sends no such TLP on {name}", _not_sent(cross, name, traffic), traffic.block))
    return CoverGroup(f"{top.removesuffix('_pins')}: {cross.name}", every, rules, block=top)


def _not_sent(cross: LinkCross, name: str, traffic: Traffic) -> Callable[[Values], Mask]:
    def applies(of: Values) -> Mask:
        found: Mask = (of["link"] == name) & ~cross.sent(traffic, of)
        return found

    return applies
