"""The flush queue of the lazy mode (specification DMA_API, section 3.5).

An unmapped range waits here until a full IOTLB flush that *started* after it was queued has finished. Until then its stale
translation may still be used by the hardware, and its IOVA is not given out again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from sluicegate.arguments import unsigned


class FlushQueueKind(Enum):
    """Ring size and timer of a queue."""

    PER_CPU = (256, 10)
    SINGLE = (32768, 1000)

    @property
    def usable_entries(self) -> int:
        """Entries that fit: one of the ring stays empty to tell full from empty."""
        return int(self.value[0]) - 1

    @property
    def timeout_ms(self) -> int:
        """Milliseconds from the first queued entry to the flush by timer."""
        return int(self.value[1])


class _Entry(NamedTuple):
    stamp: int
    pfn: int
    pages: int
    cpu: int


class FlushQueue:
    """Ranges whose release waits for an IOTLB flush.

    ``flush_iotlb_all()`` invalidates the domain and returns when that has finished; ``release(pfn, pages, cpu)`` gives a
    range back to the allocator; ``clock_ms()`` is the time in milliseconds. The timer fires in the first call of any method
    (:meth:`poll` for nothing else) at or after its time.
    """

    def __init__(
        self,
        flush_iotlb_all: Callable[[], None],
        release: Callable[[int, int, int], None],
        clock_ms: Callable[[], float],
        kind: FlushQueueKind = FlushQueueKind.PER_CPU,
        cpus: int = 1,
    ) -> None:
        self.kind: Final = kind
        self._flush_iotlb_all: Final = flush_iotlb_all
        self._release: Final = release
        self._clock_ms: Final = clock_ms
        rings = cpus if kind is FlushQueueKind.PER_CPU else 1
        self._rings: Final[list[deque[_Entry]]] = [deque() for _ in range(rings)]
        self._deadline: float | None = None
        self.flush_started = 0
        self.flush_finished = 0

    def __len__(self) -> int:
        return sum(map(len, self._rings))

    def queue(self, pfn: int, pages: int, cpu: int = 0) -> None:
        """Queue an unmapped range. Old entries leave first; a full ring forces a flush."""
        if pfn.__class__ is not int or pages.__class__ is not int or pfn >> 64 or pages >> 64:
            pfn, pages = unsigned(pfn, "flush queue: pfn"), unsigned(pages, "flush queue: pages")
        number = cpu if self.kind is FlushQueueKind.PER_CPU else 0
        if not isinstance(number, int) or not 0 <= number < len(self._rings):
            raise ValueError(f"CPU {cpu!r}: the queue has {len(self._rings)} rings, give 0 to {len(self._rings) - 1}")
        self.poll()
        ring = self._rings[number]
        self._release_finished(ring)
        if len(ring) >= self.kind.usable_entries:
            self._flush()
            self._release_finished(ring)
        ring.append(_Entry(self.flush_started, pfn, pages, cpu))
        if self._deadline is None:
            self._deadline = self._clock_ms() + self.kind.timeout_ms

    def poll(self) -> None:
        """Let the timer fire if its time has come."""
        if self._deadline is not None and self._clock_ms() >= self._deadline:
            self.flush_now()

    def flush_now(self) -> None:
        """Flush the IOTLB and release everything queued (what the timer does)."""
        self._deadline = None
        self._flush()
        for ring in self._rings:
            self._release_finished(ring)

    def _flush(self) -> None:
        self.flush_started += 1
        self._flush_iotlb_all()
        self.flush_finished += 1

    def _release_finished(self, ring: deque[_Entry]) -> None:
        while ring and ring[0].stamp < self.flush_finished:
            entry = ring.popleft()
            self._release(entry.pfn, entry.pages, entry.cpu)
