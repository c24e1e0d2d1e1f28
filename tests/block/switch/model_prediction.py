"""The routing model as the prediction of the flow scoreboard, and counts of what it decided."""

from __future__ import annotations

from collections import Counter

from sluicegate.switch.routing import Decision, Disposition, Header, RoutedTlp, SwitchConfiguration, route

from tb.scoreboards.fabric import FabricConfiguration
from tb.scoreboards.route import ANY_STATUS, Outcome, Route
from tb.scoreboards.tlp_batch import TlpBatch
from tb.scoreboards.tlp_types import CompletionStatus
from tests.block.switch.links import EGRESS_LINK, INGRESS_PORT


class ModelPrediction:
    """Predicts by ``sluicegate.switch.routing``; ``configuration`` changes only while nothing is in flight."""

    def __init__(self, configuration: SwitchConfiguration) -> None:
        self._configuration = configuration
        self._known: dict[tuple[int, Header], Decision] = {}
        self.statistics: Counter[str] = Counter()
        """TLPs that the switch counted, by statistics strobe."""
        self.ways: Counter[str] = Counter()
        """TLPs by ingress port and what became of them."""

    @property
    def configuration(self) -> SwitchConfiguration:
        return self._configuration

    @configuration.setter
    def configuration(self, value: SwitchConfiguration) -> None:
        self._configuration = value
        self._known.clear()

    def decide(self, ingress: int, header: Header) -> Decision:
        """The model's decision for a header that enters port ``ingress``."""
        key = (ingress, header)
        if key not in self._known:
            self._known[key] = route(self._configuration, ingress, header)
        return self._known[key]

    def __call__(self, configuration: FabricConfiguration, tlps: TlpBatch) -> Route:
        """The :class:`~tb.scoreboards.route.RoutingPrediction` of the switch."""
        result = Route.undecided(len(tlps))
        headers = tlps.header.T.tolist()
        for row, (link, words) in enumerate(zip(tlps.link.tolist(), headers, strict=True)):
            header: Header = (words[0], words[1], words[2], words[3])
            decision = self.decide(INGRESS_PORT[link], header)
            self._count(INGRESS_PORT[link], header, decision)
            answered = RoutedTlp(header).is_nonposted
            match decision.disposition:
                case Disposition.FORWARDED:
                    several = len(decision.egress) > 1
                    result.egress[row] = Outcome.BROADCAST if several else EGRESS_LINK[decision.egress[0]]
                    result.to_type0[row] = decision.to_type0
                    result.redirected[row] = decision.redirected
                case Disposition.CONFIGURATION:
                    result.egress[row], result.status[row] = Outcome.ANSWERED, CompletionStatus.SC
                case Disposition.UNSUPPORTED if answered:
                    result.egress[row], result.status[row] = Outcome.ANSWERED, CompletionStatus.UR
                case Disposition.VIOLATION if answered:
                    result.egress[row], result.status[row] = Outcome.ANSWERED, CompletionStatus.CA
                case _:
                    result.egress[row], result.status[row] = Outcome.DROPPED, ANY_STATUS
        return result

    def _count(self, ingress: int, header: Header, decision: Decision) -> None:
        match decision.disposition:
            case Disposition.FORWARDED:
                self.statistics["forwarded"] += 1
            case Disposition.UNSUPPORTED:
                self.statistics["unsupported"] += 1
            case Disposition.VIOLATION:
                self.statistics["acs_violation"] += 1
        self.statistics["redirected"] += decision.redirected
        self.statistics["direct_peer"] += decision.direct_peer
        way = "direct" if decision.direct_peer else "redirected" if decision.redirected else decision.disposition.name.lower()
        self.ways[f"{ingress}.{RoutedTlp(header).kind.name.lower()}.{way}"] += 1

    def leaving(self, ingress: int, header: Header, nullified: bool) -> list[int]:
        """Links on which something appears because of this TLP: itself, or the completion that the switch makes."""
        decision = self.decide(ingress, header)
        if decision.disposition is Disposition.FORWARDED:
            return [EGRESS_LINK[port] for port in decision.egress]
        answered = RoutedTlp(header).is_nonposted and not nullified
        return [EGRESS_LINK[ingress]] if answered else []
