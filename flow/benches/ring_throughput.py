"""Endpoint fed from its descriptor ring, 256 b: payload bytes per cycle of every cell of `tests.bench.ring_throughput`.

The target is 98 % of the bound: of the busier direction of the link, from the bytes that must move.
"""

from __future__ import annotations

from flow.bench import Bench, Figure, native_figures

TEST = "bench_ring_throughput"
BOUND = ": bound"
SHARE = 0.98


def measure(bench: Bench) -> list[Figure]:
    """One figure a cell."""
    found = native_figures(bench.simulate(TEST))
    return [
        Figure(f"endpoint ring: {name}", value, unit, SHARE * found[name + BOUND][0], "higher")
        for name, (value, unit) in found.items()
        if not name.endswith(BOUND)
    ]
