"""What the transfer scoreboard knows about one endpoint."""

from __future__ import annotations

from sluicegate.driver.observer import RingLayout

from tb.scoreboards.dma_ledger import DeviceLedger
from tb.scoreboards.transfer_job import Job, LocalMemory
from tb.scoreboards.transfer_prediction import EndpointRules

DESCRIPTOR_BYTES = 64
COMPLETION_BYTES = 16
RECORD_BLOCK_BYTES = 64
"""Records of consecutive slots may share a write inside an aligned block of this size (docs/interfaces.md section 7)."""


class EndpointState:
    """Everything known about one endpoint under test."""

    def __init__(self, rules: EndpointRules) -> None:
        self.rules = rules
        self.ledger = DeviceLedger()
        self.local = LocalMemory.of_size(rules.local_size)
        self.rings: RingLayout | None = None
        self.interrupt_target: tuple[int, int] | None = None
        self.identity: int | None = None
        self.chained: set[int] = set()
        self.jobs: dict[int, Job] = {}
        self.completions = 0
        self.unreaped: list[bytes] = []
        self.unannounced = 0
        """Completions that asked for an interrupt, less the interrupts that came."""
        self.awaiting_interrupt = False
