"""Cost of the golden DMA API, measured by `tests.bench.dma_api` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from flow.bench import Bench, Figure
from flow.errors import UserError

PROGRAM = "tests.bench.dma_api"
PAIRS_TARGET = 100_000
MAPPING_BYTES_TARGET = 1024
CROWDED_TARGET = 2.0


def measure(bench: Bench) -> list[Figure]:
    """Costs as ratios to an empty method call of the same run, pairs a second, and what a million live mappings change."""
    root = bench.project.root
    environment = {**os.environ, "PYTHONPATH": f"{root / 'models'}{os.pathsep}{root}"}
    command = [sys.executable, "-m", PROGRAM]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"The bench cannot measure the DMA API: {PROGRAM} failed.", done.stderr.strip()[-500:])
    figures = json.loads(done.stdout)
    call = figures["empty_call_ns"]
    return [
        Figure("DMA API: 4 KiB map and unmap", figures["pair_ns"] / call, "empty calls", None, "lower"),
        Figure("DMA API: 4 KiB map and unmap", 1e9 / figures["pair_ns"], "pairs/s", PAIRS_TARGET, "higher"),
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
