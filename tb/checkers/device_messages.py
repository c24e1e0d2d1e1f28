"""Messages of devices reach the IOMMU as they were sent, in their order, and behind every posted write that came before them.

A page request or an invalidate completion on the link from the switch must arrive at the IOMMU core as it was sent. When it
arrives, no write of that link from before it may still be on its way to memory: the write would be visible after the fence or the
handler of the page request that relies on it. Source: PCI Express Base specification, chapters Transaction Ordering, ATS and Page
Request Services.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NoReturn

import numpy as np

from tb.bridge.event_log import MESSAGE_COUNT_SHIFT, EventKind, LogBatch, MessageBit
from tb.scoreboards.fabric import FabricLinks
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardResult
from tb.scoreboards.tlp_batch import TlpBatch
from tb.scoreboards.tlp_types import Kind

Contents = tuple[int, int, int, int]
"""Device ID, process ID, message bits, payload."""
_PRIV, _EXEC = 1 << 21, 1 << 20
_TO_ROOT, _BY_ID = 0, 2
_INVALIDATE_COMPLETION, _PAGE_REQUEST = 0x02, 0x04


class DeviceMessageChecker(Scoreboard):
    """Watches the link from the switch, the memory link, and the messages that the IOMMU core takes."""

    name = "device_messages"
    block = "root_complex"

    def __init__(self, links: FabricLinks | None = None, root_port_requester: int = 0x0008) -> None:
        self._links = FabricLinks() if links is None else links
        self._requester = root_port_requester
        self._sent: deque[tuple[Contents, int]] = deque()
        """Messages that have not arrived, with the sequence number of their TLP."""
        self._arrivals: list[tuple[int, int]] = []
        """Sequence numbers of a message's TLP and of its arrival, oldest first."""
        self._writes: deque[tuple[bytes, int]] = deque()
        """Writes from the switch that were not seen on the memory link, oldest first."""
        self._compared = self._ordered = 0

    def ingest(self, batch: LogBatch) -> None:
        tlps = TlpBatch.of(batch)
        events = [(int(record["sequence"]), record) for record in batch.of_kind(EventKind.DEVICE_MESSAGE)]
        write = tlps.kind == Kind.MEMORY_WRITE
        relevant = (tlps.link == self._links.switch_up) & (write | (tlps.kind == Kind.MESSAGE))
        relevant |= (tlps.link == self._links.memory_request) & write
        rows = np.flatnonzero(relevant).tolist()
        merged: list[tuple[int, Any]] = sorted(
            [*events, *((int(tlps.sequence[row]), row) for row in rows)], key=lambda item: item[0]
        )
        for sequence, item in merged:
            if not isinstance(item, int):
                self._arrive(item, sequence)
            elif tlps.kind[item] == Kind.MESSAGE:
                contents = self._contents(tlps, item)
                if contents is not None:
                    self._sent.append((contents, sequence))
            elif tlps.link[item] == self._links.switch_up:
                self._writes.append((_identity(tlps, item), sequence))
            else:
                self._reach_memory(tlps, item, sequence)

    def _contents(self, tlps: TlpBatch, row: int) -> Contents | None:
        """What the IOMMU must be told of a message; None when it is not for the IOMMU."""
        words = [int(word) for word in tlps.header[:, row]]
        routing, code, device = words[0] >> 24 & 7, words[1] & 0xFF, words[1] >> 16
        if words[0] >> 30 & 1:
            return None
        if routing == _BY_ID and code == _INVALIDATE_COMPLETION and words[2] >> 16 == self._requester:
            return device, 0, MessageBit.COMPLETION | (words[2] & 7) << MESSAGE_COUNT_SHIFT, words[3]
        if routing != _TO_ROOT or code != _PAGE_REQUEST:
            return None
        bits, process = MessageBit(0), 0
        if tlps.has_prefix[row]:
            prefix = int(tlps.prefix[row])
            process = prefix & 0xFFFFF
            bits = MessageBit.PV
            bits |= MessageBit.PRIV if prefix & _PRIV else MessageBit(0)
            bits |= MessageBit.EXEC if prefix & _EXEC else MessageBit(0)
        return device, process, bits, words[2] << 32 | words[3]

    def _arrive(self, record: Any, sequence: int) -> None:
        device, process, bits = (int(record["header"][index]) for index in range(3))
        if not bits & (MessageBit.PV | MessageBit.COMPLETION):
            process, bits = 0, 0
        found = device, process, bits, int(record["address"])
        if not self._sent:
            self._fail(f"a message reached the IOMMU that no device sent: {found}", record["cycle"], sequence)
        expected, sent = self._sent.popleft()
        if found != expected:
            self._fail(f"message {expected} expected at the IOMMU, got {found}", record["cycle"], sequence)
        self._arrivals.append((sent, sequence))
        self._compared += 1

    def _reach_memory(self, tlps: TlpBatch, row: int, sequence: int) -> None:
        identity = _identity(tlps, row)
        # Writes leave in their order: those in front of this one were refused, or went elsewhere.
        position = next((index for index, (write, _) in enumerate(self._writes) if write == identity), None)
        if position is None:
            return
        for _ in range(position):
            self._writes.popleft()
        _, entered = self._writes.popleft()
        while self._arrivals and self._arrivals[0][0] < entered:
            self._arrivals.pop(0)
        if self._arrivals and self._arrivals[0][1] < sequence:
            sent, arrived = self._arrivals[0]
            message = f"the message of record {sent} reached the IOMMU in record {arrived}, before this write of record {entered}"
            self._fail(f"{message} reached memory: {tlps.describe(row)}", tlps.cycle[row], sequence)
        self._ordered += 1

    def _fail(self, message: str, cycle: Any, sequence: int) -> NoReturn:
        raise self.error(message, int(cycle), sequence)

    def finish(self) -> ScoreboardResult:
        if self._sent:
            raise self.error(f"{len(self._sent)} messages never reached the IOMMU, the first is {self._sent[0][0]}")
        self.require_compared(self._compared)
        return ScoreboardResult(self.name, self.block, self._compared, figures={"writes_ordered": self._ordered})


def _identity(tlps: TlpBatch, row: int) -> bytes:
    """What a write keeps on its way through the IOMMU: requester, tag, enables, length, place in its page, payload."""
    words = [int(word) for word in tlps.header[:, row]]
    fields = words[0] & 0x3FF, words[1], int(tlps.address[row]) & 0xFFF
    return b"".join(field.to_bytes(4, "little") for field in fields) + tlps.payload_of(row).tobytes()
