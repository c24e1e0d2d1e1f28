"""What the second-level IOTLB keeps when the traffic changes: streams walk once for a line of entries, scattered pages stay.

The neighbours of a walked page fill the IOTLB with it. Streams of eight devices use them all, also where the working set is many
times what fits; a device that visits one page of each line uses none, and its pages that fit are still there the next time but
for one in eight. Each kind of traffic follows the other, on one IOMMU, with one request in flight at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cocotb
import numpy as np

from tb.env.base_test import run_test
from tests.block.iommu.page_streams import LINE, Page, configuration, devices, strided
from tests.block.iommu.page_visits import PageVisitTest

STREAMED, SCATTERED = 1024, 192
"""Pages of each kind: four times what the IOTLB holds, and three quarters of it."""
SETTLING = 2
"""Passes before one is judged."""
ROUNDS = 2


class Traffic(NamedTuple):
    """A kind of traffic: what a pass visits, and how many of its requests may walk."""

    name: str
    pages: list[Page]
    walks: int


def kinds(generator: np.random.Generator) -> Iterator[Traffic]:
    """Streams, then scattered pages."""
    yield Traffic("a stream", list(devices(STREAMED, generator)), STREAMED // LINE)
    yield Traffic("a visit of scattered pages", list(strided(SCATTERED, generator)), SCATTERED // LINE)


class ReplacementTest(PageVisitTest):
    """Both kinds of traffic in turn."""

    checker = "replacement"

    def run_all(self) -> None:
        self.bench.program(configuration())
        for _round in range(ROUNDS):
            for traffic in kinds(np.random.default_rng(self.settings.seed)):
                for _pass in range(SETTLING):
                    self.visit(traffic.pages)
                self.judge(traffic, self.measure(traffic.pages).misses)

    def judge(self, traffic: Traffic, walks: int) -> None:
        """No more than the bound."""
        if walks > traffic.walks:
            requests = len(traffic.pages)
            raise self.scoreboard.error(
                f"{traffic.name} of {requests} requests walked {walks} times, at most {traffic.walks} are allowed"
            )
        name = traffic.name.replace(" ", "_")
        self.scoreboard.figures[name] = max(walks, self.scoreboard.figures.get(name, 0))


@cocotb.test()
async def replacement(_: object) -> None:
    """Streams and scattered pages, twice."""
    await run_test(ReplacementTest)
