"""Simulation speed: a run with Python and all scoreboards against the bare C++ main on the same model, flags and traffic.

Every test of the list with the tag `bench` is measured. Its native actions are recorded once and replayed by the bare main, so
both do the same to the cycle; what the bare main counted must be what the run counted. CPU time, not wall clock; the start of
Python is in the run's.
"""

from __future__ import annotations

import json

from flow.bench import Bench, Figure, cpu_seconds
from flow.errors import UserError
from flow.launchers import read_result

TAG = "bench"
RATIO_TARGET = 0.5
OVERHEAD_TARGET = 2.0


def measure(bench: Bench) -> list[Figure]:
    """Two figures a test: speed against bare, and cost per TLP beyond bare in units of the bare cost."""
    figures = []
    for test in bench.tests(TAG):
        recorded = bench.simulate(test, journal=True)
        timed = bench.simulate(test)
        result = read_result(timed)
        if result is None or (earlier := read_result(recorded)) is None or result.as_json() != earlier.as_json():
            raise UserError(f"The bench cannot measure '{test}': recording its native actions changed the run.")
        bare = json.loads(bench.replay_bare(test, recorded, result.cycles))
        seconds, bare_seconds = cpu_seconds(timed), float(bare["cpu_seconds"])
        if bare["cycles"] != result.cycles or not bare["tlps"]:
            raise UserError(f"The bare main did {bare['cycles']} cycles of '{test}', the run {result.cycles}.")
        overhead = (seconds - bare_seconds) / bare_seconds
        figures += [
            Figure(f"{test}: speed against bare main", bare_seconds / seconds, "ratio", RATIO_TARGET, "higher"),
            Figure(f"{test}: overhead per TLP", overhead, "bare cost per TLP", OVERHEAD_TARGET, "lower"),
            Figure(f"{test}: TLPs per CPU second", bare["tlps"] / seconds, "TLP/s", None, "higher"),
        ]
    return figures
