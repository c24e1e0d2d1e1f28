"""What a routing prediction answers for each TLP that enters a block."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np

from tb.scoreboards.fabric import FabricConfiguration
from tb.scoreboards.tlp_batch import I64, Bool, TlpBatch


class Outcome(IntEnum):
    """Outcomes other than leaving on a link, as negative values of :attr:`Route.egress`."""

    DROPPED = -1
    """Ends in the block without a trace on a link: consumed, or discarded with an error."""
    ANSWERED = -2
    """The block completes the request itself."""
    BROADCAST = -3
    """Leaves on every downstream link."""


ANY_STATUS = -1
"""A completion status that the prediction leaves open (register accesses of the block itself)."""


@dataclass
class Route:
    """Prediction for ``n`` TLPs: arrays of shape ``[n]``.

    ``egress``: source id of the link on which it leaves, or an :class:`Outcome`. ``status``: completion status of answered
    requests, or ``ANY_STATUS``. ``to_type0``: a type 1 configuration request leaves as type 0.
    """

    egress: I64
    status: I64
    to_type0: Bool
    redirected: Bool
    """Goes up because ACS redirects it, not because of its address or ID; for coverage only."""
    completions: I64
    """Completions of an answered request."""

    @classmethod
    def undecided(cls, count: int) -> Route:
        """All dropped, status open."""
        nowhere = np.zeros(count, np.bool_)
        one = np.ones(count, np.int64)
        return cls(np.full(count, Outcome.DROPPED), np.full(count, ANY_STATUS), nowhere, nowhere.copy(), one)

    def refuse(self, rows: Bool, nonposted: Bool, status: int) -> None:
        """The block answers the non-posted among ``rows`` with ``status`` and drops the others."""
        self.egress[rows & nonposted] = Outcome.ANSWERED
        self.status[rows & nonposted] = status
        self.egress[rows & ~nonposted] = Outcome.DROPPED


class RoutingPrediction(Protocol):
    """A pure function: where the TLPs that enter a block must go."""

    def __call__(self, configuration: FabricConfiguration, tlps: TlpBatch) -> Route:
        """``tlps`` holds TLPs of the block's ingress links only; ``tlps.link`` tells which."""
