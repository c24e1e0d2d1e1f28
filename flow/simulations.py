"""Simulator processes: started in a session of their own, watched, measured, and stopped together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KILL_GRACE_S = 3.0


class Interrupted(Exception):
    """The run was stopped before it ended; it has no result."""


@dataclass(frozen=True)
class Ended:
    """How a simulator ended and what it cost."""

    exit_code: int
    """Negative: the number of the signal that killed it."""
    timed_out: bool
    wall_s: float
    cpu_s: float


class Simulations:
    """All simulators this process has running."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._stopped = False

    def run(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path, timeout_s: float) -> Ended:
        """Runs one simulator to its end, its output into `log`; blocks the calling thread only."""
        started = time.monotonic()
        with log.open("wb") as output:
            with self._lock:
                if self._stopped:
                    raise Interrupted
                process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self._running.add(process.pid)
            overdue = threading.Event()
            watchdog = threading.Timer(timeout_s, self._expire, (process.pid, overdue))
            watchdog.start()
            # wait4 and not Popen.wait: it tells what this child alone has cost.
            _, status, usage = os.wait4(process.pid, 0)
            watchdog.cancel()
            with self._lock:
                self._running.discard(process.pid)
                stopped = self._stopped
        process.returncode = os.waitstatus_to_exitcode(status)
        if stopped:
            raise Interrupted
        wall = time.monotonic() - started
        return Ended(process.returncode, overdue.is_set(), wall, usage.ru_utime + usage.ru_stime)

    def stop(self) -> None:
        """Ends every running simulator; further ones do not start."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for pid in running:
            _signal_group(pid, signal.SIGTERM)
        deadline = time.monotonic() + KILL_GRACE_S
        while time.monotonic() < deadline and self._still(running):
            time.sleep(0.05)
        for pid in self._still(running):
            _signal_group(pid, signal.SIGKILL)

    def _still(self, pids: Sequence[int]) -> list[int]:
        with self._lock:
            return [pid for pid in pids if pid in self._running]

    def _expire(self, pid: int, overdue: threading.Event) -> None:
        overdue.set()
        _signal_group(pid, signal.SIGTERM)
        time.sleep(KILL_GRACE_S)
        if self._still([pid]):
            _signal_group(pid, signal.SIGKILL)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
