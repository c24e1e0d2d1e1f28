"""IOMMU in the path, warm IOTLB, 256 b: payload bytes per cycle of every cell of `tests.bench.iommu_path`.

The target is within 1 % of a full beat per cycle, which is what the path carries without translation.
"""

from __future__ import annotations

from flow.bench import Bench, Figure, native_figures

TEST = "bench_iommu_path"
BEAT_BYTES = 32
SHARE = 0.99


def measure(bench: Bench) -> list[Figure]:
    """One figure a cell."""
    found = native_figures(bench.simulate(TEST))
    return [
        Figure(f"through the IOMMU: {name}", value, unit, SHARE * BEAT_BYTES, "higher") for name, (value, unit) in found.items()
    ]
