"""The statistics strobes of the IOMMU core as its testbench top counts them."""

from __future__ import annotations

from dataclasses import dataclass, fields

from cocotb.task import resume

from tb.bridge.simulation import Simulation


@dataclass(frozen=True, slots=True)
class IommuStatistics:
    """Events since the start of the simulation: requests by where they were answered, walks, entries filled beside a walk."""

    l1_hits: int
    l2_hits: int
    misses: int
    walks: int
    neighbours: int

    def __sub__(self, earlier: IommuStatistics) -> IommuStatistics:
        return IommuStatistics(*(getattr(self, each.name) - getattr(earlier, each.name) for each in fields(self)))


class StatisticsReader:
    """Reads the counters from a bridge thread; a read takes a cycle, so that what just happened is counted."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._read = resume(self._read_counters)

    async def _read_counters(self) -> IommuStatistics:
        await self._simulation.cycles(1)
        dut = self._simulation.dut
        return IommuStatistics(*(int(getattr(dut, f"stat_{each.name}").value) for each in fields(IommuStatistics)))

    async def _read_most_walks(self) -> int:
        return int(self._simulation.dut.stat_most_walks.value)

    def most_walks(self) -> int:
        """Walks that were in flight together, at most; exact while no merged request had to walk again."""
        return int(resume(self._read_most_walks)())

    def read(self) -> IommuStatistics:
        """The counters now."""
        return self._read()
