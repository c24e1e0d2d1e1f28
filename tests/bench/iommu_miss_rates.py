"""Miss rates of the IOTLBs over the size of the working set, for four kinds of traffic; counted by the core's statistics strobes.

One request is in flight at a time, so that a rate says what the IOTLBs hold and not how fast they are filled. Every working set
is visited once before it is counted. Last-level entries are all valid, also those beside the working set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cocotb
import numpy as np

from tb.env.base_test import run_test
from tests.block.iommu.page_streams import Page, configuration, devices, random, sequential, strided
from tests.block.iommu.page_visits import PageVisitTest

SIZES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
"""Pages of a working set."""
WORKLOADS: dict[str, Callable[[int, np.random.Generator], Iterator[Page]]] = {
    "sequential": sequential,
    "strided": strided,
    "random": random,
    "many devices": devices,
}


class MissRateTest(PageVisitTest):
    """All workloads, all sizes, each from reset."""

    checker = "miss_rates"

    def run_all(self) -> None:
        for name, workload in WORKLOADS.items():
            for size in SIZES:
                self.point(name, workload, size)

    def point(self, name: str, workload: Callable[[int, np.random.Generator], Iterator[Page]], size: int) -> None:
        """One point of one curve."""
        self.bench.program(configuration())
        generator = np.random.default_rng(self.settings.seed)
        self.visit(list(workload(size, generator)))
        requests = list(workload(size, generator))
        counted = self.measure(requests)
        past_l1 = counted.l2_hits + counted.misses
        self.environment.add_figure(f"{name} {size}: past L1", 100 * past_l1 / len(requests), "%")
        self.environment.add_figure(f"{name} {size}: walks", 100 * counted.misses / len(requests), "%")


@cocotb.test()
async def miss_rates(_: object) -> None:
    """All points of all curves."""
    await run_test(MissRateTest)
