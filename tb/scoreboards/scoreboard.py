"""What every scoreboard and checker of the event log is: the base class, its result, and the failure it raises.

A scoreboard reads batches of the log in order and raises :class:`ScoreboardError` at the first mismatch. It never looks at live
memory or at the design, so that a stored log gives the same verdict again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tb.bridge.event_log import LogBatch

if TYPE_CHECKING:
    from tb.coverage.collector import Collector


class ScoreboardError(Exception):
    """The design did something that a scoreboard did not expect.

    ``checker`` and ``block`` are the signature of the failure; the message is one sentence: what, where (link, cycle, sequence),
    expected, observed. ``cycle`` and ``sequence`` are those of the record at which it was seen, None at the end of a run.
    """

    def __init__(self, checker: str, block: str, message: str, cycle: int | None = None, sequence: int | None = None) -> None:
        where = "" if cycle is None else f" (cycle {cycle}, record {sequence})"
        super().__init__(f"{checker} in {block}: {message}{where}")
        self.checker = checker
        self.block = block
        self.message = message + where
        self.cycle = cycle
        self.sequence = sequence


@dataclass(frozen=True, slots=True)
class LinkCount:
    """TLPs of one link: seen, predicted, and compared with their prediction. A run passes when all three are equal."""

    observed: int = 0
    expected: int = 0
    compared: int = 0

    @property
    def complete(self) -> bool:
        return self.observed == self.expected == self.compared


@dataclass(frozen=True)
class ScoreboardResult:
    """What a scoreboard did in a run.

    ``compared``: comparisons of whatever it judges, at least 1; ``links``: counts of the links that it accounts for;
    ``distinct``: the combinations seen, by what is combined, as text (runs are united); ``figures``: other counts, by name.
    """

    name: str
    block: str
    compared: int
    links: Mapping[str, LinkCount] = field(default_factory=dict)
    distinct: Mapping[str, frozenset[str]] = field(default_factory=dict)
    figures: Mapping[str, int] = field(default_factory=dict)


class Scoreboard(ABC):
    """A judge of the log. ``name`` and ``block`` identify it in results; a failure names the block that misbehaved."""

    name: str
    block: str

    @abstractmethod
    def ingest(self, batch: LogBatch) -> None:
        """Judge the next records of the log. Raises ScoreboardError at the first mismatch."""

    @abstractmethod
    def finish(self) -> ScoreboardResult:
        """End of the log. Raises ScoreboardError when something expected did not come or nothing was compared."""

    def collectors(self) -> Sequence[Collector]:
        """Coverage that only this scoreboard can sample, as it alone knows what was expected and why."""
        return ()

    def error(
        self, message: str, cycle: int | None = None, sequence: int | None = None, block: str | None = None
    ) -> ScoreboardError:
        """The failure ``message`` of this scoreboard, ready to raise; ``block`` defaults to its own."""
        return ScoreboardError(self.name, self.block if block is None else block, message, cycle, sequence)

    def require_compared(self, compared: int) -> None:
        """Refuse a run in which this scoreboard judged nothing: such a pass would say nothing about the design."""
        if compared == 0:
            raise self.error("compared nothing in the whole run: check that its records reach the log")
