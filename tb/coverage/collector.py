"""What samples a log: collectors, and the coverage of a run they make together."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tb.bridge.event_log import EventArray, LogBatch
from tb.coverage.group import CoverGroup

SCHEMA = 1
FILE = "coverage.json"


@dataclass(frozen=True)
class Records:
    """Where samples taken from records of the log were seen."""

    records: EventArray

    @property
    def cycle(self) -> NDArray[np.uint64]:
        cycles: NDArray[np.uint64] = self.records["cycle"]
        return cycles

    @property
    def sequence(self) -> NDArray[np.uint64]:
        sequences: NDArray[np.uint64] = self.records["sequence"]
        return sequences


class Collector(ABC):
    """Samples some cover groups from batches of the log that the scoreboards have judged and found right."""

    groups: Sequence[CoverGroup]

    @abstractmethod
    def ingest(self, batch: LogBatch) -> None:
        """Sample the next records of the log. Raises ScoreboardError for a combination that cannot occur."""


class FunctionalCoverage:
    """All collectors of a run, and the file they leave."""

    def __init__(self) -> None:
        self._collectors: list[Collector] = []

    def add(self, collector: Collector) -> None:
        """Let a collector sample from the next batch on."""
        known = {group.name for group in self.groups}
        twice = sorted(known & {group.name for group in collector.groups})
        if twice:
            raise ValueError(f"cover group '{twice[0]}' belongs to two collectors: give them different names")
        self._collectors.append(collector)

    @property
    def groups(self) -> list[CoverGroup]:
        """The groups of all collectors."""
        return [group for collector in self._collectors for group in collector.groups]

    def ingest(self, batch: LogBatch) -> None:
        """Sample a judged batch."""
        for collector in self._collectors:
            collector.ingest(batch)

    def write(self, folder: Path) -> None:
        """Leave ``coverage.json`` in the run folder; nothing when no collector ran."""
        if self._collectors:
            groups = {group.name: group.hits() for group in self.groups}
            text = json.dumps({"schema": SCHEMA, "groups": groups}, indent=0, sort_keys=True)
            (folder / FILE).write_text(text + "\n")
