"""Walks for 100 translations, at working sets twice the second-level IOTLB (`flow.miss_rates` has the whole curves).

With neighbours a stream walks once for a line of eight pages at most; that is the target, of both kinds of stream.
"""

from __future__ import annotations

from flow import miss_rates
from flow.bench import Bench, Figure

PAGES = 512
REQUESTS_OF_A_LINE = 32
"""Eight pages, four requests each."""
TARGETS = {"sequential": 100 / REQUESTS_OF_A_LINE, "many devices": 100 / REQUESTS_OF_A_LINE}


def measure(bench: Bench) -> list[Figure]:
    """One figure a workload and build."""
    curves = miss_rates.measure(bench)
    return [
        Figure(
            f"IOTLB, {workload}, {PAGES} pages, {build}: walks",
            curves.rates[build, workload, PAGES, "walks"],
            "% of translations",
            TARGETS.get(workload) if build == miss_rates.USUAL else None,
            "lower",
        )
        for workload in curves.workloads
        for build in miss_rates.BUILDS
    ]
