"""Progress of a known number of runs: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

BAR_WIDTH = 30
LINES = 10
"""How many plain lines a whole regression prints where there is no terminal."""


class Progress:
    """Counts finished runs; `weights` are their expected costs in any one unit."""

    def __init__(self, total_weight: float, total: int, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._terminal = self._stream.isatty()
        self._total_weight = max(total_weight, 1e-9)
        self._total = total
        self._done_weight = 0.0
        self._done = 0
        self._failed = 0
        self._started = time.monotonic()
        self._next_line = 1

    def finished(self, weight: float, passed: bool) -> None:
        """One run has ended."""
        self._done += 1
        self._done_weight += weight
        self._failed += not passed
        if self._terminal:
            self._draw()
        elif self._done * LINES >= self._next_line * self._total:
            self._next_line = self._done * LINES // self._total + 1
            print(f"  {self._counts()}, {self._left()}", file=self._stream, flush=True)

    def note(self, line: str) -> None:
        """Prints a line above the bar."""
        if self._terminal:
            print("\r\033[K", end="", file=self._stream)
        print(line, file=self._stream, flush=True)
        if self._terminal:
            self._draw()

    def close(self) -> None:
        """Leaves the terminal on a fresh line."""
        if self._terminal:
            print("\r\033[K", end="", file=self._stream, flush=True)

    def _draw(self) -> None:
        filled = min(BAR_WIDTH, round(BAR_WIDTH * self._done_weight / self._total_weight))
        line = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {self._counts()}, {self._left()}"
        print(f"\r\033[K{line[: shutil.get_terminal_size().columns - 1]}", end="", file=self._stream, flush=True)

    def _counts(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._done}/{self._total} runs{failed}"

    def _left(self) -> str:
        elapsed = time.monotonic() - self._started
        share = min(1.0, self._done_weight / self._total_weight)
        left = elapsed * (1 - share) / share if share > 0 else 0.0
        return f"{duration(elapsed)} elapsed, {duration(left)} left"


def duration(seconds: float) -> str:
    """`seconds` as people read it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
