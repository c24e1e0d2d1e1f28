"""Cycles of the IOMMU core, from the stamps of requests and responses at its translation port (`tests.block.iommu.test_latency`,
`tests.block.iommu.test_fairness`), and how many of the recorded answers it gives.

L is the latency of the memory port from request to response handshake. A figure with L in it is the worst over all L measured.
Anchors are those of zero-day-labs/riscv-iommu, the best open RTL, measured with a 16-entry IOTLB.
"""

from __future__ import annotations

import re

from flow.bench import Bench, Figure, native_figures

TEST = "iommu_latency"
FAIRNESS = "iommu_fairness"
CONFORMANCE = "conformance_iommu"
REPORT = "conformance.txt"
FILE = re.compile(r"^\S+ (\d+)/(\d+), unsupported", re.MULTILINE)
MEASURED = re.compile(r"L(?P<latency>\d+) (?P<stage>sv39|nested) (?P<name>.+)")

MISSES = (
    ("sv39", "Sv39", "miss warm", "miss with warm caches", 1, 4, ""),
    ("sv39", "Sv39", "miss cold", "miss with a cached context", 3, 6, "3 L + 6"),
    ("nested", "Sv39 on Sv39x4", "miss warm", "miss with warm caches", 2, 6, ""),
    ("nested", "Sv39 on Sv39x4", "miss cold", "miss with a cached context", 15, 18, "15 L + 18"),
)
"""Stage, its name, figure of the test, its name, reads after each other, cycles beside them at most, anchor."""


def measure(bench: Bench) -> list[Figure]:
    """Hits in cycles and per cycle; misses in cycles beyond the reads that the target allows them; what goes on at once."""
    left = native_figures(bench.simulate(TEST))
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for key, (value, _) in left.items():
        if match := MEASURED.fullmatch(key):
            found.setdefault((match["stage"], match["name"]), []).append((int(match["latency"]), value))

    def worst(stage: str, name: str, reads: int = 0) -> float:
        """Most cycles at any L, less the latency of so many reads after each other."""
        return max(cycles - reads * latency for latency, cycles in found[stage, name])

    figures = []
    for stage, shown in (("sv39", "Sv39"), ("nested", "Sv39 on Sv39x4")):
        rate = min(value for _, value in found[stage, "hits per cycle"])
        merged = worst(stage, "walks of 8 misses to one page")
        figures += [
            Figure(f"IOMMU, {shown}: L1 hit", worst(stage, "L1 hit"), "cycles", 2, "lower", "2"),
            Figure(f"IOMMU, {shown}: L2 hit", worst(stage, "L2 hit"), "cycles", 4, "lower"),
            Figure(f"IOMMU, {shown}: hits back to back", rate, "translations/cycle", 1.0, "higher", "0.33"),
            Figure(f"IOMMU, {shown}: hit behind a miss", worst(stage, "hit behind a miss"), "cycles", 2, "lower"),
            Figure(f"IOMMU, {shown}: walks of 8 misses to one page", merged, "walks", 1, "lower"),
            Figure(
                f"IOMMU, {shown}: neighbour of a walked page", worst(stage, "neighbour of a walked page"), "cycles", 4, "lower"
            ),
        ]
    for stage, shown, name, what, reads, bound, anchor in MISSES:
        cycles = worst(stage, name, reads)
        figures.append(Figure(f"IOMMU, {shown}: {what}, beyond {reads} L", cycles, "cycles", bound, "lower", anchor))
    figures.append(Figure("IOMMU: walks in flight", left["walks in flight"][0], "walks", 8, "higher", "1"))
    return figures + crowded(bench) + conformance(bench)


def crowded(bench: Bench) -> list[Figure]:
    """What a device sees of another one that only misses."""
    found = native_figures(bench.simulate(FAIRNESS))
    name = "miss beside a greedy device"
    bound = found[name + ": bound"][0]
    hit = found["hit beside a greedy device"][0]
    return [
        Figure("IOMMU: hit beside a device that only misses", hit, "cycles", 10, "lower"),
        Figure("IOMMU: miss beside a device that only misses, L = 60", found[name][0], "cycles", bound, "lower"),
    ]


def conformance(bench: Bench) -> list[Figure]:
    """Recorded cases of all files that the RTL answers as the reference model did, of all that are recorded."""
    report = (bench.simulate(CONFORMANCE) / REPORT).read_text()
    files = [(int(passed), int(total)) for passed, total in FILE.findall(report)]
    answered, recorded = (sum(column) for column in zip(*files, strict=True))
    return [Figure("IOMMU: recorded cases answered alike", answered, "cases", recorded, "higher", "1465 of 2744")]
