"""TLPs per CPU second: native agents and all scoreboards of the endpoint against an unmodified cocotbext-pcie host, same RTL.

Both move the same pages through the same ring (`tests.bench.copy_traffic`) on the same model flags; the baseline drives the pins
from Python and runs under cocotb's own main, as its users do. Each does a short and a long run, and the difference is what the
traffic costs: start and enumeration are in neither. The native side does more batches, as it is too fast for so few.
"""

from __future__ import annotations

from flow.bench import Bench, Figure
from flow.errors import UserError
from flow.job import cpu_seconds
from flow.launchers import read_result
from flow.verilate import Main

NATIVE, BASELINE = "bench_endpoint_native", "bench_endpoint_cocotb"
NATIVE_BATCHES, BASELINE_BATCHES = (8, 128), (1, 4)
CHECKER = "tlp_protocol"
"""Counts the TLPs of both links."""
RATIO_TARGET = 50


def measure(bench: Bench) -> list[Figure]:
    """TLPs per CPU second of both, and their ratio."""
    native = _speed(bench, NATIVE, NATIVE_BATCHES, Main.FAST)
    baseline = _speed(bench, BASELINE, BASELINE_BATCHES, Main.STOCK)
    return [
        Figure("endpoint, native agents and scoreboards", native, "TLP/CPU s", None, "higher"),
        Figure("endpoint, cocotbext-pcie host", baseline, "TLP/CPU s", None, "higher"),
        Figure("endpoint: native against cocotbext-pcie", native / baseline, "ratio", RATIO_TARGET, "higher"),
    ]


def _speed(bench: Bench, test: str, batches: tuple[int, int], main: Main) -> float:
    """TLPs per CPU second of the batches that the long run does more."""
    seconds, tlps = [], []
    for count in batches:
        folder = bench.simulate(test, main=main, parameters={"count": count})
        result = read_result(folder)
        if result is None:
            raise UserError(f"The bench cannot measure '{test}': its run left no result.")
        seconds.append(cpu_seconds(folder))
        tlps.append(int(result.evidence["comparisons"][CHECKER]))
    return (tlps[1] - tlps[0]) / (seconds[1] - seconds[0])
