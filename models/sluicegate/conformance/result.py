"""What a conformance replay reports, and the loop every replayer of a case-per-line file shares.

A vector file holds one JSON object a line (``*.jsonl``, or gzip of it). Each line is one *case*. A case passes, mismatches,
or needs a feature the device under test does not have; a case is never skipped silently.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

MISMATCHES_KEPT: Final = 20
"""Mismatches of one file that are described; all are counted."""

Case = dict[str, Any]
"""One decoded line of a vector file."""


class ConformanceError(Exception):
    """The set of vectors itself cannot be replayed: a malformed line, an unknown file, an empty set."""


class Mismatch(Exception):
    """Raised by a replayer at the first difference of a case: the operation's index, what was expected, what came."""

    def __init__(self, operation: int | str, expected: object, got: object) -> None:
        super().__init__(f"op {operation}: expected {expected}, got {got}")


class UnsupportedFeature(Exception):
    """Raised by a replayer when the device under test lacks the named feature that a case needs."""

    def __init__(self, feature: str) -> None:
        super().__init__(feature)
        self.feature = feature


@dataclass(frozen=True)
class FileResult:
    """The outcome of one vector file.

    ``total`` counts all cases of the file, ``passed`` those that agreed, ``unsupported`` maps a feature to the cases that
    need it; the rest failed. ``mismatches`` describes the first 20 failures, a sentence each (case, operation, expected, got).
    """

    name: str
    passed: int
    total: int
    unsupported: Mapping[str, int] = field(default_factory=dict)
    mismatches: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """Cases that disagreed."""
        return self.total - self.passed - sum(self.unsupported.values())


def read_cases(path: Path) -> Iterator[tuple[int, Case]]:
    """Yield (line number from 1, case) of a vector file. Raises :class:`ConformanceError` at a line that is no JSON object."""
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    case = json.loads(line)
                except json.JSONDecodeError as error:
                    raise ConformanceError(f"{path.name} line {number} is not JSON ({error}): record the file again") from error
                if not isinstance(case, dict):
                    raise ConformanceError(f"{path.name} line {number} is not a JSON object: every line must be one case")
                yield number, case
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConformanceError(f"{path.name} cannot be read after line {number} ({error}): copy the file again") from error


def replay_cases(path: Path, required: Sequence[str], replay_case: Callable[[Case], None]) -> FileResult:
    """Replay every case of ``path``.

    ``replay_case`` returns on agreement and raises :class:`Mismatch` or :class:`UnsupportedFeature`. A line that lacks one of
    the ``required`` fields raises :class:`ConformanceError`; any other exception of a case counts as its mismatch.
    """
    passed = total = 0
    unsupported: Counter[str] = Counter()
    mismatches: list[str] = []
    for number, case in read_cases(path):
        missing = [name for name in required if name not in case]
        if missing:
            raise ConformanceError(f"{path.name} line {number} lacks {', '.join(missing)}: not a case of this format")
        total += 1
        try:
            replay_case(case)
        except UnsupportedFeature as feature:
            unsupported[feature.feature] += 1
        except Mismatch as mismatch:
            if len(mismatches) < MISMATCHES_KEPT:
                mismatches.append(f"case {case.get('id', number)}, {mismatch}")
        except Exception as error:  # a crash of the device under test is a failed case, not the end of the replay
            if len(mismatches) < MISMATCHES_KEPT:
                mismatches.append(f"case {case.get('id', number)}: the replay ended in {type(error).__name__}: {error}")
        else:
            passed += 1
    return FileResult(path.name.split(".")[0], passed, total, dict(unsupported), tuple(mismatches))
