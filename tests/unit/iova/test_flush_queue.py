"""The flush queue: what is released when (specification, section 3.5)."""

from dataclasses import dataclass, field

from sluicegate.iova.flush_queue import FlushQueue, FlushQueueKind


@dataclass
class Machine:
    now: float = 0.0
    flushes: int = 0
    released: list[int] = field(default_factory=list)

    def queue(self, kind: FlushQueueKind = FlushQueueKind.PER_CPU, cpus: int = 1) -> FlushQueue:
        return FlushQueue(self.flush, lambda pfn, pages, cpu: self.released.append(pfn), lambda: self.now, kind, cpus)

    def flush(self) -> None:
        self.flushes += 1


def test_a_full_ring_forces_one_flush_and_releases_everything() -> None:
    machine = Machine()
    queue = machine.queue()
    for pfn in range(255):
        queue.queue(pfn, 1)
    assert (machine.flushes, machine.released) == (0, [])
    queue.queue(255, 1)
    assert machine.flushes == 1
    assert machine.released == list(range(255))
    assert len(queue) == 1


def test_the_timer_releases_after_10_ms() -> None:
    machine = Machine()
    queue = machine.queue()
    queue.queue(7, 1)
    machine.now = 9.9
    queue.poll()
    assert machine.released == []
    machine.now = 10.0
    queue.poll()
    assert (machine.flushes, machine.released) == (1, [7])
    machine.now = 30.0
    queue.poll()
    assert machine.flushes == 1, "nothing queued, no timer"


def test_an_entry_queued_during_a_flush_waits_for_the_next() -> None:
    released: list[int] = []
    started: list[bool] = []

    def flush_and_unmap_another() -> None:
        if not started:
            started.append(True)
            queue.queue(2, 1)

    queue = FlushQueue(flush_and_unmap_another, lambda pfn, pages, cpu: released.append(pfn), lambda: 0.0)
    queue.queue(1, 1)
    queue.flush_now()
    assert released == [1], "the flush started before page 2 was queued"
    queue.flush_now()
    assert released == [1, 2]


def test_rings_are_per_cpu_and_the_single_queue_is_large_and_slow() -> None:
    machine = Machine()
    queue = machine.queue(cpus=2)
    for pfn in range(255):
        queue.queue(pfn, 1, cpu=0)
    queue.queue(1000, 1, cpu=1)
    assert machine.flushes == 0
    single = Machine()
    ring = single.queue(FlushQueueKind.SINGLE, cpus=2)
    for pfn in range(32767):
        ring.queue(pfn, 1, cpu=pfn & 1)
    assert single.flushes == 0
    ring.queue(40000, 1)
    assert single.flushes == 1
    assert FlushQueueKind.SINGLE.timeout_ms == 1000
