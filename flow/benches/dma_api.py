"""Cost of the golden DMA API, measured by `tests.bench.dma_api` in a process of its own."""

from __future__ import annotations

from flow.bench import Bench, Figure

PROGRAM = "tests.bench.dma_api"
PAIRS_TARGET = 100_000
MAPPING_BYTES_TARGET = 1024
CROWDED_TARGET = 2.0


def measure(bench: Bench) -> list[Figure]:
    """Costs as ratios to an empty method call of the same run, pairs a second, and what a million live mappings change."""
    figures = bench.program(PROGRAM)
    call = figures["empty_call_ns"]
    return [
        Figure("DMA API: 4 KiB map and unmap", figures["pair_ns"] / call, "empty calls", None, "lower"),
        Figure("DMA API: 4 KiB map and unmap, rate", 1e9 / figures["pair_ns"], "pairs/s", PAIRS_TARGET, "higher"),
        Figure("DMA API: map_sg and unmap_sg per entry", figures["sg_entry_ns"] / call, "empty calls", None, "lower"),
        Figure("DMA API: P2P distance among 1,000 devices", figures["distance_ns"] / call, "empty calls", None, "lower"),
        Figure("DMA API: memory of a live mapping", figures["mapping_bytes"], "bytes", MAPPING_BYTES_TARGET, "lower"),
        Figure(
            "DMA API: a pair among 1,000,000 live mappings against 1,000",
            figures["pair_ns_many"] / figures["pair_ns_few"],
            "ratio",
            CROWDED_TARGET,
            "lower",
        ),
    ]
