"""Time of a host without a simulation: it passes only when somebody says so, so that every run is the same."""

from __future__ import annotations


class ManualClock:
    """Milliseconds since the host came up; call it for the time."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def advance(self, milliseconds: float) -> None:
        """Let time pass."""
        if milliseconds < 0:
            raise ValueError(f"time cannot go back by {-milliseconds} ms")
        self._now += milliseconds
