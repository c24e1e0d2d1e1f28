"""One transfer in flight, as the transfer scoreboard follows it from its descriptor to its completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tb.scoreboards.dma_ledger import DeviceLedger, Mapping
from tb.scoreboards.replica import Replica
from tb.scoreboards.transfer_prediction import StatusCode


@dataclass(slots=True)
class LocalMemory:
    """Local memory of an endpoint as it must be, and where it answers on the bus (None: nowhere yet).

    ``known``: bytes whose value follows from the log; reset values and what a failed transfer left are not.
    """

    contents: NDArray[np.uint8]
    known: NDArray[np.bool_]
    bus_address: int | None = None

    @classmethod
    def of_size(cls, size: int) -> LocalMemory:
        return cls(np.zeros(size, np.uint8), np.zeros(size, np.bool_))

    def store(self, offset: int, data: NDArray[np.uint8]) -> None:
        """These bytes are known from now on."""
        self.contents[offset : offset + data.size] = data
        self.known[offset : offset + data.size] = True

    def offset(self, address: int, length: int) -> int | None:
        """Offset of a bus address range in it, None when it is elsewhere."""
        if self.bus_address is None:
            return None
        offset = address - self.bus_address
        return offset if offset >= 0 and offset + length <= self.contents.size else None


@dataclass(frozen=True, slots=True)
class BrokenMemory:
    """Host memory whose reads end with status ``code``."""

    physical: int
    size: int
    code: int

    def holds(self, physical: int, length: int) -> bool:
        """Whether all these bytes are broken."""
        return physical >= self.physical and physical + length <= self.physical + self.size


@dataclass(slots=True)
class Part:
    """One descriptor of a transfer. ``pieces``: physical (address, length) on the host side; ``peer``: the local memory of
    another endpoint on the bus side instead, at ``peer_offset``. ``source``: bytes as they were when it was submitted, None when
    they come from local memory. ``code`` is the status that must come, None when the ledger leaves it open."""

    reads: bool
    writes: bool
    bus_address: int
    local_offset: int
    length: int
    flushed: bool
    code: int | None
    mapping: Mapping | None = None
    pieces: list[tuple[int, int]] = field(default_factory=list)
    peer: LocalMemory | None = None
    peer_offset: int = 0
    source: NDArray[np.uint8] | None = None
    source_known: NDArray[np.bool_] | None = None
    """Which bytes of ``source`` count; None: all."""


@dataclass(slots=True)
class Job:
    """A transfer: the descriptor in ring slot ``slot`` and those chained to it."""

    number: int
    device: int
    slot: int
    cookie: int
    interrupt: bool
    parts: list[Part]
    sequence: int

    @property
    def codes(self) -> set[int]:
        """Status codes that may complete it: that of its first failing part, or any that the ledger leaves open.

        A mapping that was revoked under the transfer leaves its outcome open.
        """
        allowed: set[int] = set()
        for part in self.parts:
            if part.code is None:
                allowed |= {StatusCode.UNSUPPORTED_REQUEST, StatusCode.COMPLETER_ABORT}
            elif part.code:
                return allowed | {part.code}
            elif part.mapping is not None and part.mapping.revoked:
                allowed |= {StatusCode.UNSUPPORTED_REQUEST, StatusCode.COMPLETER_ABORT}
        return allowed | {StatusCode.SUCCESS}

    @property
    def length(self) -> int:
        return sum(part.length for part in self.parts if part.reads or part.writes)


def resolve(
    part: Part,
    ledger: DeviceLedger,
    peers: list[LocalMemory],
    replica: Replica,
    direct_peers: bool,
    broken: Sequence[BrokenMemory] = (),
) -> None:
    """Find what is behind the bus address of ``part`` in the ledger, and with it the status that must come.

    ``direct_peers``: the bus addresses of ``peers`` reach them without any mapping.

    A posted write that faults is dropped without a trace at the requester; only a flush behind it can fail. Where some bytes lie
    outside of every mapping but in a page that is mapped, hardware may go either way.
    """
    address, length = part.bus_address, max(part.length, 1)
    if direct_peers and _find_peer(part, peers, address, length):
        return
    mapping = ledger.find(address, length)
    if mapping is None:
        pages = range(address >> 12, (address + length - 1 >> 12) + 1)
        if all(ledger.page_is_mapped(page) for page in pages):
            part.code = None
        elif part.reads or part.flushed:
            part.code = StatusCode.UNSUPPORTED_REQUEST
        return
    mapping.users += 1
    part.mapping = mapping
    part.pieces = mapping.pieces(address, part.length)
    if len(part.pieces) == 1 and _find_peer(part, peers, part.pieces[0][0], length):
        return  # through the host bridge: a BAR mapped as a resource, at a bus address equal to the CPU's
    if part.reads:
        # A transfer lies in broken memory or outside of it: the piece that holds its first byte decides.
        part.code = next((memory.code for memory in broken if memory.holds(*part.pieces[0])), part.code)
        part.source = np.concatenate([replica.view(physical, size) for physical, size in part.pieces])


def _find_peer(part: Part, peers: list[LocalMemory], address: int, length: int) -> bool:
    """Whether the bytes lie in the local memory of another endpoint; then they are the part's other side."""
    for peer in peers:
        offset = peer.offset(address, length)
        if offset is not None:
            part.peer, part.peer_offset = peer, offset
            if part.reads:
                part.source = peer.contents[offset : offset + part.length].copy()
                part.source_known = peer.known[offset : offset + part.length].copy()
            return True
    return False
