"""Simulation speed: the whole machine under Python and all scoreboards against the bare C++ main, same objects and same traffic.

The native actions of each run are recorded and replayed by the bare main, so both do the same to the cycle. Each does a short and
a long run, and the difference is what the traffic costs: the start of Python, enumeration and bring-up are in neither. CPU time,
not wall clock; recording is in the run's.

The overhead per TLP is also measured in units of the bare cost per TLP of a reference DUT that hardly ever changes, so that a
heavier design does not excuse a heavier testbench.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Self

from flow.bench import Bench, Figure
from flow.errors import UserError
from flow.job import cpu_seconds
from flow.launchers import read_result

TEST = "system_bulk_transfers"
REFERENCE = "tlp_link_forwarding"
"""Posted, non-posted and completion TLPs through one pair of link buffers: the lightest DUT there is."""
REPLAYS_OF_REFERENCE = 7
REPEATS = 3
"""Of each run and replay, in turn; the least time counts, as other load on the machine only adds."""
SHORT, LONG = 2, 10
"""Rounds; each moves 96 pages per endpoint into it and out again."""
RATIO_TARGET = 0.5
OVERHEAD_TARGET = 2.0


@dataclass(frozen=True)
class Cost:
    """CPU seconds under Python and bare, and what was done in them."""

    seconds: float
    bare_seconds: float
    tlps: int
    cycles: int

    def __sub__(self, other: Self) -> Cost:
        return Cost(
            self.seconds - other.seconds,
            self.bare_seconds - other.bare_seconds,
            self.tlps - other.tlps,
            self.cycles - other.cycles,
        )


def measure(bench: Bench) -> list[Figure]:
    """Speed against bare, cost per TLP beyond bare in units of the bare cost, and absolute speeds."""
    traffic = _cost(bench, LONG) - _cost(bench, SHORT)
    overhead = (traffic.seconds - traffic.bare_seconds) / traffic.tlps
    own, reference = traffic.bare_seconds / traffic.tlps, _reference_cost(bench)
    return [
        Figure(f"{TEST}: speed against bare main", traffic.bare_seconds / traffic.seconds, "ratio", RATIO_TARGET, "higher"),
        Figure(f"{TEST}: overhead per TLP against its bare cost", overhead / own, "ratio", None, "lower"),
        Figure(f"{TEST}: overhead per TLP against bare {REFERENCE}", overhead / reference, "ratio", OVERHEAD_TARGET, "lower"),
        Figure(f"{TEST}: overhead per TLP", 1e6 * overhead, "CPU us", None, "lower"),
        Figure(f"{TEST}: TLPs on all links", traffic.tlps / traffic.seconds, "TLP/CPU s", None, "higher"),
        Figure(f"{TEST}: cycles", traffic.cycles / traffic.seconds, "cycles/CPU s", None, "higher"),
    ]


def _reference_cost(bench: Bench) -> float:
    """CPU seconds per TLP of the reference under the bare main, the best of some replays."""
    folder = bench.simulate(REFERENCE, journal=True)
    result = read_result(folder)
    replays = [
        json.loads(bench.replay_bare(REFERENCE, folder, result.cycles if result else 0)) for _ in range(REPLAYS_OF_REFERENCE)
    ]
    return min(float(bare["cpu_seconds"]) / int(bare["tlps"]) for bare in replays)


def _cost(bench: Bench, rounds: int) -> Cost:
    """One run of so many rounds, and its replay."""
    costs = []
    for _ in range(REPEATS):
        folder = bench.simulate(TEST, journal=True, parameters={"count": rounds})
        result = read_result(folder)
        bare = json.loads(bench.replay_bare(TEST, folder, result.cycles if result else 0))
        if result is None or bare["cycles"] != result.cycles or not bare["tlps"]:
            raise UserError(f"The bare main did {bare['cycles']} cycles of '{TEST}', not what the run did.")
        costs.append(Cost(cpu_seconds(folder), float(bare["cpu_seconds"]), int(bare["tlps"]), result.cycles))
    return replace(costs[0], seconds=min(cost.seconds for cost in costs), bare_seconds=min(cost.bare_seconds for cost in costs))
