"""Cycles of the IOMMU core, from the stamps of requests and responses at its translation port (`tests.block.iommu.test_latency`).

L is the latency of the memory port from request to response handshake. A figure with L in it is the worst over all L measured.
"""

from __future__ import annotations

import re

from flow.bench import Bench, Figure, native_figures

TEST = "iommu_latency"
MEASURED = re.compile(r"L(?P<latency>\d+) (?P<stage>sv39|nested) (?P<name>.+)")

MISSES = (
    ("sv39", "Sv39", "miss warm", "miss with warm caches", 1, 4),
    ("sv39", "Sv39", "miss cold", "miss with a cached context", 3, 6),
    ("nested", "Sv39 on Sv39x4", "miss warm", "miss with warm caches", 2, 6),
    ("nested", "Sv39 on Sv39x4", "miss cold", "miss with a cached context", 15, 18),
)
"""Stage, its name, figure of the test, its name, reads after each other, cycles beside them at most."""


def measure(bench: Bench) -> list[Figure]:
    """Hits in cycles and per cycle; misses in cycles beyond the reads that the target allows them."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for key, (value, _) in native_figures(bench.simulate(TEST)).items():
        if match := MEASURED.fullmatch(key):
            found.setdefault((match["stage"], match["name"]), []).append((int(match["latency"]), value))

    def worst(stage: str, name: str, reads: int = 0) -> float:
        """Most cycles at any L, less the latency of so many reads after each other."""
        return max(cycles - reads * latency for latency, cycles in found[stage, name])

    figures = []
    for stage, shown in (("sv39", "Sv39"), ("nested", "Sv39 on Sv39x4")):
        rate = min(value for _, value in found[stage, "hits per cycle"])
        figures += [
            Figure(f"IOMMU, {shown}: L1 hit", worst(stage, "L1 hit"), "cycles", 2, "lower"),
            Figure(f"IOMMU, {shown}: L2 hit", worst(stage, "L2 hit"), "cycles", 4, "lower"),
            Figure(f"IOMMU, {shown}: hits back to back", rate, "translations/cycle", 1.0, "higher"),
        ]
    for stage, shown, name, what, reads, bound in MISSES:
        figures.append(Figure(f"IOMMU, {shown}: {what}, beyond {reads} L", worst(stage, name, reads), "cycles", bound, "lower"))
    return figures
