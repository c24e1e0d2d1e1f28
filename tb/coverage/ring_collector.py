"""Bins of rings and interrupts: how the indices of descriptor and completion ring move, and what an interrupt announces.

From the marks of a driver: RINGS gives the layout, SUBMIT and REAP the slots, INTERRUPT_TARGET the identity of an endpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tb.bridge.event_log import Actor, EventArray, EventKind, LogBatch
from tb.coverage.collector import Collector, Records
from tb.coverage.group import Axis, CoverGroup, Illegal
from tb.scoreboards.endpoint_state import COMPLETION_BYTES, RECORD_BLOCK_BYTES
from tb.scoreboards.marks import MarkKind, ring_layout

RING: Final = Axis("ring", ("descriptors", "completions"))
COUNT: Final = Axis("entries at once", ("1", "2 to 8", "more"))
PLACE: Final = Axis("place", ("inside", "to the last slot", "over the end"))
FILL: Final = Axis("in the ring", ("none other", "some", "full"))
SIGNAL: Final = Axis("signal", ("message", "wire"))
ANNOUNCED: Final = Axis("completions since the last", ("none", "1", "2 to 4", "5 to 16", "more"))
_RECORD_LENGTHS: Final = np.arange(COMPLETION_BYTES, RECORD_BLOCK_BYTES + 1, COMPLETION_BYTES)
_ANNOUNCED_ENDS: Final = np.array([0, 1, 4, 16])

_WIRES: Final = Illegal(
    "wires belong to the IOMMU, which writes no completion records",
    lambda of: (of["signal"] == "wire") & (of["completions since the last"] != "none"),
)


@dataclass
class _Rings:
    """What is known of the rings of one function; ``submitted`` and ``reaped`` count slots since RINGS."""

    entries: int = 0
    completions: range = range(0)
    identity: int = -1
    submitted: int = 0
    reaped: int = 0
    announced: int = 0


class RingCollector(Collector):
    """Samples rings and interrupts of all endpoints of a top; groups are named ``<top>: ...``. ``wires``: there is an IOMMU."""

    def __init__(self, top: str, wires: bool) -> None:
        self._steps = CoverGroup(
            f"{top}: ring indices",
            (RING, COUNT, PLACE, FILL),
            (
                Illegal(
                    "one entry does not lie over the end",
                    lambda of: (of["entries at once"] == "1") & (of["place"] == "over the end"),
                ),
            ),
            block="endpoint",
        )
        self._interrupts = CoverGroup(
            f"{top}: interrupts",
            (SIGNAL, ANNOUNCED),
            (_WIRES if wires else Illegal("nothing there has wires", lambda of: of["signal"] == "wire"),),
            block="endpoint",
        )
        self.groups: Sequence[CoverGroup] = (self._steps, self._interrupts)
        self._rings: dict[int, _Rings] = {}

    def ingest(self, batch: LogBatch) -> None:
        records = batch.records
        kind, argument = records["kind"], records["argument"]
        marks = [MarkKind.RINGS, MarkKind.SUBMIT, MarkKind.REAP, MarkKind.INTERRUPT_TARGET]
        told = (kind == EventKind.INTERRUPT) | ((kind == EventKind.MARK) & np.isin(argument, marks))
        record_bytes = (kind == EventKind.MEMORY_WRITE) & (records["source"] == Actor.LINK)
        told |= record_bytes & np.isin(records["length"], _RECORD_LENGTHS)
        for record in records[told]:
            match int(record["kind"]):
                case EventKind.INTERRUPT:
                    self._interrupt(record)
                case EventKind.MARK:
                    self._mark(batch, record)
                case _:
                    address, count = int(record["address"]), int(record["length"]) // COMPLETION_BYTES
                    for rings in self._rings.values():
                        rings.announced += count * (address in rings.completions)

    def _mark(self, batch: LogBatch, record: Any) -> None:
        device, second = int(record["header"][0]), int(record["header"][2])
        rings = self._rings.setdefault(device, _Rings())
        match int(record["argument"]):
            case MarkKind.RINGS:
                layout = ring_layout(batch.payload_of(record))
                first = int(layout.completion_physical)
                rings.entries = layout.descriptor_entries
                rings.completions = range(first, first + COMPLETION_BYTES * layout.completion_entries)
                rings.submitted = rings.reaped = 0
            case MarkKind.INTERRUPT_TARGET:
                rings.identity = second
            case MarkKind.SUBMIT:
                following = batch.payload_of(record).view("<u8").reshape(-1, 8)[:, 5]
                # A mark holds whole chains: those that nothing follows are as many as slots.
                count = int(np.count_nonzero(following == 0))
                self._step(record, 0, second, count, rings)
                rings.submitted += count
            case MarkKind.REAP:
                count = int(record["length"]) // COMPLETION_BYTES
                if count and rings.entries:
                    self._step(record, 1, rings.reaped % rings.entries, count, rings)
                rings.reaped += count

    def _step(self, record: Any, ring: int, slot: int, count: int, rings: _Rings) -> None:
        if not rings.entries:
            return
        last = slot % rings.entries + count
        place = 0 if last < rings.entries else 1 if last == rings.entries else 2
        waiting = rings.submitted - rings.reaped
        others = waiting if ring == 0 else waiting - count
        after = waiting + count if ring == 0 else waiting
        fill = 2 if after >= rings.entries else 1 if others > 0 else 0
        size = 0 if count == 1 else 1 if count <= 8 else 2
        codes = (np.array([value]) for value in (ring, size, place, fill))
        self._steps.sample(*codes, at=Records(_only(record)))

    def _interrupt(self, record: Any) -> None:
        identity, wire = int(record["argument"]), int(record["source"])
        announced = 0
        for rings in self._rings.values():
            if not wire and rings.identity == identity:
                announced, rings.announced = rings.announced, 0
        code = int(np.searchsorted(_ANNOUNCED_ENDS, announced))
        self._interrupts.sample(np.array([wire]), np.array([code]), at=Records(_only(record)))


def _only(record: Any) -> EventArray:
    return np.array([record], record.dtype)
