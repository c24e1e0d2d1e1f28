"""Bins of what switch and root complex did with each TLP: where it went and why, peer-to-peer paths, and who could pass whom.

The flow scoreboard samples here what it has predicted and matched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tb.bridge.event_log import LogBatch
from tb.coverage.collector import Collector
from tb.coverage.group import Axis, Codes, CoverGroup, Illegal
from tb.coverage.tlp_axes import zero_length
from tb.scoreboards.fabric import FabricLinks
from tb.scoreboards.route import Outcome, Route
from tb.scoreboards.tlp_batch import I64, Bool, TlpBatch
from tb.scoreboards.tlp_types import CompletionStatus, Kind

SOURCES = 256
NOWHERE = -1

ROUTED: Final = Axis(
    "routed",
    (
        "memory read",
        "memory write",
        "atomic or deferrable write",
        "IO",
        "configuration type 0",
        "configuration type 1",
        "message to root",
        "message by ID",
        "broadcast message",
        "other message",
        "completion",
    ),
)
NONPOSTED: Final = ["memory read", "atomic or deferrable write", "IO", "configuration type 0", "configuration type 1"]
_ROUTED_CODES: Final = np.zeros(256, np.int64)
_MESSAGE_CODES: Final = (6, 9, 7, 8, 9, 9, 9, 9)
for _value in range(256):
    _low = _value & 0x1F
    if _low >> 3 == 2:
        _ROUTED_CODES[_value] = _MESSAGE_CODES[_low & 7]
    elif _low in (0x0A, 0x0B):
        _ROUTED_CODES[_value] = 10
    else:
        _ROUTED_CODES[_value] = {2: 3, 4: 4, 5: 5, 0x0C: 2, 0x0D: 2, 0x0E: 2, 0x1B: 2}.get(_low, _value >> 6 & 1)

ENDS: Final = ("answered by the block", "unsupported request", "completer abort", "dropped")
CLASSES: Final = ("posted", "non-posted", "completion")
EARLIER: Final = Axis("earlier", CLASSES)
LATER: Final = Axis("later", CLASSES)
LATER_ATTRIBUTES: Final = Axis("attributes of the later", ("none", "RO", "IDO", "RO IDO"))
REQUESTERS: Final = Axis("requesters", ("same", "different"))
ORDER: Final = Axis("order", ("kept", "passed"))
PATH: Final = Axis("path", ("direct", "redirected by ACS", "through the host bridge"))
OPERATION: Final = Axis("operation", ("read", "write", "flushing read", "atomic", "completion"))


class FlowCollector(Collector):
    """Groups of the blocks named (``switch``, ``root_complex``), the same in every top that holds them."""

    def __init__(self, links: FabricLinks, blocks: frozenset[str]) -> None:
        self._links = links
        self._ports: dict[str, I64] = {}
        self._goals: dict[str, I64] = {}
        self._routes: dict[str, CoverGroup] = {}
        self._orders: dict[str, CoverGroup] = {}
        ups, downs = links.endpoint_up, links.endpoint_down
        if "switch" in blocks:
            self._add_block(
                "switch", (links.switch_down, *ups), (links.switch_up, *downs), ("redirected by ACS", "to all endpoints")
            )
        if "root_complex" in blocks:
            entering = (links.switch_up, links.memory_completion, links.cpu_request)
            leaving = (links.switch_down, links.memory_request, links.cpu_completion)
            self._add_block("root_complex", entering, leaving, ())
        self._peers = CoverGroup("peer to peer", (PATH, OPERATION), block="switch")
        groups = [*self._routes.values(), *self._orders.values()]
        self.groups: Sequence[CoverGroup] = [*groups, self._peers] if "switch" in blocks else groups
        self._blocks = blocks

    def ingest(self, batch: LogBatch) -> None:
        """Nothing: the flow scoreboard samples as it judges."""

    def _add_block(self, block: str, entering: tuple[int, ...], leaving: tuple[int, ...], more: tuple[str, ...]) -> None:
        names = self._links.names
        self._ports[block] = _table(entering)
        self._goals[block] = _table(leaving)
        ways = tuple(f"to {names[link]}" for link in leaving)
        self._routes[block] = CoverGroup(
            f"{block}: routes",
            (Axis("from", tuple(names[link] for link in entering)), ROUTED, Axis("way", (*ways, *more, *ENDS))),
            _SWITCH_RULES if more else _ROOT_RULES,
            block,
        )
        self._orders[block] = CoverGroup(
            f"{block}: ordering", (EARLIER, LATER, LATER_ATTRIBUTES, REQUESTERS, ORDER), _ORDER_RULES, block
        )

    def routed(self, tlps: TlpBatch, route: Route) -> None:
        """Sample what was predicted for TLPs that entered one block."""
        block = next(block for block, ports in self._ports.items() if ports[int(tlps.link[0])] != NOWHERE)
        goals = self._goals[block]
        group = self._routes[block]
        ways = group.axes[2].values
        redirected = ways.index("redirected by ACS") if "redirected by ACS" in ways else 0
        broadcast = ways.index("to all endpoints") if "to all endpoints" in ways else 0
        answered = ways.index(ENDS[0])
        forwarded = route.egress >= 0
        way = np.where(forwarded, goals[np.where(forwarded, route.egress, 0)], answered + 3)
        way[forwarded & route.redirected] = redirected
        way[route.egress == Outcome.BROADCAST] = broadcast
        refused = route.egress == Outcome.ANSWERED
        way[refused] = answered
        way[refused & (route.status == CompletionStatus.UR)] = answered + 1
        way[refused & (route.status == CompletionStatus.CA)] = answered + 2
        known = tlps.kind != Kind.ILLEGAL
        group.sample(self._ports[block][tlps.link], _ROUTED_CODES[tlps.fmt_type], way, rows=known, at=tlps)
        if "switch" in self._blocks:
            self._peer_paths(tlps, route)

    def _peer_paths(self, tlps: TlpBatch, route: Route) -> None:
        links = self._links
        from_endpoint = np.isin(tlps.link, links.endpoint_up)
        direct = from_endpoint & np.isin(route.egress, links.endpoint_down)
        bridged = (tlps.link == links.switch_up) & (route.egress == links.switch_down)
        path = np.where(bridged, 2, np.where(route.redirected, 1, 0))
        redirected = from_endpoint & route.redirected & (route.egress >= 0)
        rows = (direct | bridged | redirected) & (tlps.is_memory | tlps.is_completion)
        if rows.any():
            self._peers.sample(path, _operations(tlps), rows=rows, at=tlps)

    def left(self, block: str, causes: TlpBatch, left: TlpBatch) -> None:
        """Sample neighbours that left ``block`` on one way: row i of ``left`` entered as row i of ``causes``.

        Both were inside at once: the one that entered later came before the other had left.
        """
        if len(left) < 2:
            return
        entered = causes.sequence
        passed = entered[:-1] > entered[1:]
        first, second = np.arange(len(left) - 1), np.arange(1, len(left))
        earlier, later = np.where(passed, second, first), np.where(passed, first, second)
        together = causes.cycle[later] <= left.cycle[earlier]
        classes, identity = left.tlp_class, left.header[1] >> np.uint32(16)
        attributes = left.relaxed_ordering[later] + 2 * left.id_ordering[later].astype(np.int64)
        different = identity[earlier] != identity[later]
        codes: tuple[Codes, ...] = (classes[earlier], classes[later], attributes, different, passed)
        # Traffic classes are ordered apart.
        rows: Bool = together & (left.traffic_class[earlier] == left.traffic_class[later])
        self._orders[block].sample(*codes, rows=rows, at=left.take(later))


def _table(links: tuple[int, ...]) -> I64:
    codes = np.full(SOURCES, NOWHERE, np.int64)
    codes[list(links)] = np.arange(len(links))
    return codes


def _operations(tlps: TlpBatch) -> I64:
    """Codes of ``OPERATION`` for memory requests and completions."""
    kind = tlps.kind
    flushing = (kind == Kind.MEMORY_READ) & zero_length(tlps)
    plain = np.minimum(kind, 1).astype(np.int64)
    return np.select([tlps.is_completion, (kind == Kind.ATOMIC) | (kind == Kind.DEFERRABLE_WRITE), flushing], [4, 3, 2], plain)


_POSTED: Final = ["memory write", "message to root", "message by ID", "broadcast message", "other message"]
_NO_ANSWER: Final = Illegal(
    "only non-posted requests are answered",
    lambda of: np.isin(of["way"], ENDS[:3]) & ~np.isin(of["routed"], NONPOSTED),
)
_NO_DROP: Final = Illegal(
    "a non-posted request is answered, not dropped", lambda of: (of["way"] == "dropped") & np.isin(of["routed"], NONPOSTED)
)
_NO_WAY_BACK: Final = Illegal(
    "a TLP does not leave where it came from",
    lambda of: (
        ((of["from"] == "switch_down") & np.isin(of["way"], ["to switch_up", "redirected by ACS"]))
        | ((of["from"] == "endpoint0_up") & (of["way"] == "to endpoint0_down"))
        | ((of["from"] == "endpoint1_up") & (of["way"] == "to endpoint1_down"))
    ),
)
_SWITCH_RULES: Final = (
    _NO_ANSWER,
    _NO_DROP,
    _NO_WAY_BACK,
    Illegal(
        "only broadcast messages from the root go everywhere",
        lambda of: (of["way"] == "to all endpoints") & ((of["routed"] != "broadcast message") | (of["from"] != "switch_down")),
    ),
    Illegal(
        "a broadcast message from the root goes everywhere, or nowhere if it is too long",
        lambda of: (
            (of["routed"] == "broadcast message")
            & (of["from"] == "switch_down")
            & ~np.isin(of["way"], ["to all endpoints", "dropped"])
        ),
    ),
    Illegal(
        "only what is routed by address or ID is redirected",
        lambda of: (
            (of["way"] == "redirected by ACS")
            & ~np.isin(of["routed"], ["memory read", "memory write", "atomic or deferrable write", "message by ID", "completion"])
        ),
    ),
    Illegal(
        "configuration requests come from the root complex only",
        lambda of: (
            (of["from"] != "switch_down")
            & np.isin(of["routed"], ["configuration type 0", "configuration type 1"])
            & ~np.isin(of["way"], ENDS[1:3])
        ),
    ),
    Illegal(
        "there are no IO windows",
        lambda of: (of["routed"] == "IO") & np.isin(of["way"], ["to endpoint0_down", "to endpoint1_down"]),
    ),
)
_ROOT_RULES: Final = (
    _NO_ANSWER,
    _NO_DROP,
    Illegal(
        "only the CPU and host memory get completions from it, and only those",
        lambda of: (of["way"] == "to cpu_completion") & (of["routed"] != "completion"),
    ),
    Illegal(
        "only translated memory requests of devices reach memory",
        lambda of: (
            (of["way"] == "to memory_request")
            & (
                (of["from"] != "switch_up")
                | ~np.isin(of["routed"], ["memory read", "memory write", "atomic or deferrable write"])
            )
        ),
    ),
    Illegal(
        "host memory sends completions only", lambda of: (of["from"] == "memory_completion") & (of["routed"] != "completion")
    ),
)
_ORDER_RULES: Final = (
    Illegal(
        "nothing passes a posted request without RO or IDO",
        lambda of: (
            (of["order"] == "passed")
            & (of["earlier"] == "posted")
            & (of["attributes of the later"] == "none")
            & (of["later"] != "completion")
        ),
    ),
)
