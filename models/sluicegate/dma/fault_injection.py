"""Fault injection by name, count, nth call and seed, and the sweep that proves a driver leaks nothing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


class FaultPoint(Enum):
    """A call inside the API that can be made to fail."""

    MAP = "map"
    """Any streaming, scatter-gather or resource mapping, before it does anything."""
    IOVA_ALLOC = "iova_alloc"
    IOMMU_MAP = "iommu_map"
    SWIOTLB = "swiotlb"
    PAGE_ALLOC = "page_alloc"
    POOL_ALLOC = "pool_alloc"
    P2PMEM_ALLOC = "p2pmem_alloc"


@dataclass
class _Plan:
    nth: int | None
    count: int | None
    probability: float
    random: random.Random = field(repr=False)


class FaultInjector:
    """Decides, call by call, which fault points fail. Deterministic under its seed."""

    def __init__(self, seed: int = 0) -> None:
        self.calls: Counter[FaultPoint] = Counter()
        self.failures: Counter[FaultPoint] = Counter()
        self._seed = seed
        self._plans: dict[FaultPoint, _Plan] = {}

    def fail(self, point: FaultPoint | str, *, nth: int | None = None, count: int | None = 1, probability: float = 1.0) -> None:
        """Make ``point`` fail: from its ``nth`` call from now on (0 is the next), ``count`` times (None: always), each with
        ``probability``."""
        point = FaultPoint(point)
        if not 0.0 <= probability <= 1.0:
            raise ValueError(f"probability {probability} is outside 0 to 1")
        if (nth is not None and nth < 0) or (count is not None and count < 0):
            raise ValueError("nth and count must not be negative")
        self._plans[point] = _Plan(nth, count, probability, random.Random(f"{self._seed}/{point.value}"))

    def clear(self) -> None:
        """Forget all plans; the counters stay."""
        self._plans.clear()

    def should_fail(self, point: FaultPoint) -> bool:
        """Count a call of ``point`` and say whether it fails."""
        self.calls[point] += 1
        plan = self._plans.get(point)
        if plan is None:
            return False
        if plan.nth:
            plan.nth -= 1
            return False
        if plan.count == 0 or (plan.probability < 1.0 and plan.random.random() >= plan.probability):
            return False
        if plan.count is not None:
            plan.count -= 1
        self.failures[point] += 1
        return True


@dataclass(frozen=True, slots=True)
class SweepResult:
    """One run of a sweep: the failed call, and what the driver raised (None when it handled the failure)."""

    point: FaultPoint
    nth: int
    raised: Exception | None


def sweep(run: Callable[[FaultInjector], None], handled: tuple[type[Exception], ...] = ()) -> list[SweepResult]:
    """Run a driver once per call of every fault point, failing exactly that call.

    ``run(injector)`` builds its host with the injector, exercises the driver, and asserts at its end, also after a failure,
    that nothing leaked (``host.assert_clean()``). Exceptions of ``handled`` count as the driver's way to report the failure;
    any other ends the sweep. The first run, without a failure, finds the calls.
    """
    counter = FaultInjector()
    run(counter)
    results = []
    for point in FaultPoint:
        for nth in range(counter.calls[point]):
            injector = FaultInjector()
            injector.fail(point, nth=nth)
            raised: Exception | None = None
            try:
                run(injector)
            except handled as error:
                raised = error
            if injector.failures[point] != 1:
                raise AssertionError(f"call {nth} of {point.value} was not reached again: the driver is not deterministic")
            results.append(SweepResult(point, nth, raised))
    return results
