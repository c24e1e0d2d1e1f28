"""DMA engine at its descriptor port, header beside data: payload bytes per cycle of every cell of `tests.bench.dma_throughput`.

The target of a cell is its bound: the least number of beats that can carry its addresses and lengths, or what its tags allow.
"""

from __future__ import annotations

from flow.bench import Bench, Figure, native_figures

TESTS = {256: "bench_dma_throughput", 512: "bench_dma_throughput_wide"}
"""Test by data width in bits."""
BOUND = ": bound"


def measure(bench: Bench) -> list[Figure]:
    """One figure a cell and width."""
    figures = []
    for width, test in TESTS.items():
        found = native_figures(bench.simulate(test))
        figures += [
            Figure(f"DMA engine, {width} b: {name}", value, unit, found[name + BOUND][0], "higher")
            for name, (value, unit) in found.items()
            if not name.endswith(BOUND)
        ]
    return figures
