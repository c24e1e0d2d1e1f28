"""What a run is told by its environment variables (docs/flow.md)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class RunSettings:
    """Test name, seed, parameters of the test list and the folder for its results."""

    test: str
    seed: int
    folder: Path
    parameters: Mapping[str, Any]
    journal: Path | None
    sample_coverage: bool = True

    @classmethod
    def from_environment(cls) -> Self:
        journal = os.environ.get("SLUICEGATE_JOURNAL")
        return cls(
            test=os.environ["SLUICEGATE_TEST"],
            seed=int(os.environ["SLUICEGATE_SEED"]),
            folder=Path(os.environ["SLUICEGATE_RESULT_DIR"]),
            parameters=json.loads(os.environ.get("SLUICEGATE_PARAMETERS") or "{}"),
            journal=Path(journal) if journal else None,
            sample_coverage=os.environ.get("SLUICEGATE_COVERAGE") != "0",
        )
