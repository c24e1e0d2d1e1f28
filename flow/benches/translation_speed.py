"""Speed of the golden batch translator against one `np.take` pass per table level, by `tests.bench.translation_speed`."""

from __future__ import annotations

from flow.bench import Bench, Figure

PROGRAM = "tests.bench.translation_speed"
TARGET = 0.5


def measure(bench: Bench) -> list[Figure]:
    """Ratio of the yardstick's time to the translator's: tables known, many devices, tables forgotten before each batch."""
    found = bench.program(PROGRAM)
    warm, mixed, fresh = found["batch_s"], found["batch_many_devices_s"], found["batch_forgotten_s"]
    name = "golden translation"
    return [
        Figure(f"{name}: 64 k batch against np.take per level", found["yardstick_s"] / warm, "ratio", TARGET, "higher"),
        Figure(f"{name}: the same, {found['devices']:g} devices", found["yardstick_s"] / mixed, "ratio", None, "higher"),
        Figure(f"{name}: the same, tables read anew", found["yardstick_of_forgotten_s"] / fresh, "ratio", None, "higher"),
        Figure(f"{name}: requests per CPU second", found["requests"] / warm, "request/s", None, "higher"),
    ]
