"""The transfer scoreboard: what a driver asked for is what happened, byte by byte and exactly once.

It predicts from the driver's ledger (marks in the log) alone, never through the IOMMU or its model: the memory requests that each
descriptor makes its endpoint send, the bytes at its destination when its completion appears, the completion itself, and that an
interrupt follows a completion. Every write of a device to host memory must lie in a live mapping of that device, in its
completion ring or at its interrupt target; everything else that changes is a failure.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from tb.bridge.event_log import EVENT_DTYPE, Actor, EventArray, EventFlag, EventKind, LogBatch
from tb.checkers.tlp_rules import SOURCES
from tb.scoreboards.endpoint_state import COMPLETION_BYTES, RECORD_BLOCK_BYTES, EndpointState
from tb.scoreboards.marks import MarkKind, ring_layout
from tb.scoreboards.replica import Replica
from tb.scoreboards.request_judge import RequestJudge
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardResult
from tb.scoreboards.submissions import Submissions
from tb.scoreboards.tlp_batch import Bool, TlpBatch
from tb.scoreboards.tlp_types import Kind
from tb.scoreboards.transfer_job import BrokenMemory, Job, Part, resolve
from tb.scoreboards.transfer_prediction import EndpointRules

MESSAGE = 0
"""Source of INTERRUPT records that came as a message."""


class TransferScoreboard(Scoreboard):
    """Judges the endpoints in ``endpoints``. ``interrupts``: completions that ask for an interrupt must get one by the end."""

    name = "transfer"
    block = "dma"

    def __init__(self, endpoints: tuple[EndpointRules, ...], interrupts: bool = True) -> None:
        self._endpoints = {rules.device: EndpointState(rules) for rules in endpoints}
        by_up = {rules.up: self._endpoints[rules.device] for rules in endpoints}
        self._requests = RequestJudge(self.name, self.block, by_up)
        self._by_down = {rules.down: self._endpoints[rules.device] for rules in endpoints}
        self._down = np.zeros(SOURCES, np.bool_)
        self._down[list(self._by_down)] = True
        self._peers = {
            device: [other.local for other in self._endpoints.values() if other is not endpoint]
            for device, endpoint in self._endpoints.items()
        }
        self._interrupts = interrupts
        self._replica = Replica()
        self._next_job = 0
        self._guards: dict[int, list[tuple[int, NDArray[np.uint8]]]] = {}
        """Guard bytes before and behind each buffer, by the buffer's physical address."""
        self._broken: list[BrokenMemory] = []
        self._combinations: set[tuple[int, int, str]] = set()
        self._compared_bytes = self._compared_jobs = self._faulted_jobs = self._writes = self._guard_bytes = 0
        self._records: EventArray = np.zeros(0, EVENT_DTYPE)
        self._row = 0
        self._batch: LogBatch = LogBatch(np.zeros(0, EVENT_DTYPE), np.zeros(0, np.uint8), 0)

    def ingest(self, batch: LogBatch) -> None:
        self._batch = batch
        records = batch.records
        kind = records["kind"]
        tlps = TlpBatch.of(batch)
        local = self._down[tlps.link] & (tlps.kind == Kind.MEMORY_WRITE)
        self._submissions = Submissions(batch, self._endpoints, self._next_job)
        self._next_job = self._submissions.next_job
        for requests, jobs in self._submissions.requests:
            self._requests.expect(requests, jobs)
        self._walk(records[_BY_KIND[kind]], tlps.take(local))
        self._requests.match(tlps)

    # The records that matter, one by one and in order: writes of memory, marks, ports, interrupts.

    def _walk(self, records: EventArray, local: TlpBatch) -> None:
        batch, replica = self._batch, self._replica
        payload, base = batch.payload.data, batch.payload_base
        self._records = records
        local_at = [*local.sequence.tolist(), 1 << 64]
        next_local = 0
        marks = records[records["kind"] == EventKind.MARK]
        operands = iter(np.ascontiguousarray(marks["header"]).view("<u8").tolist())
        columns = (
            records[name].tolist() for name in ("kind", "source", "flags", "address", "length", "argument", "sequence", "payload")
        )
        for row, (kind, source, flags, address, length, argument, sequence, position) in enumerate(zip(*columns, strict=True)):
            while local_at[next_local] < sequence:
                self._write_local(local, next_local)
                next_local += 1
            self._row = row
            if kind == _MEMORY_WRITE:
                if flags & _FAILED:
                    continue
                data = payload[position - base : position - base + length]
                if source == _LINK:
                    self._device_write(argument, address, data)
                else:
                    replica.store(address, data)
            elif kind == _MARK:
                device, second = next(operands)
                self._mark(argument, sequence, address, device, second, batch.payload[position - base : position - base + length])
            elif source == MESSAGE:
                self._interrupt(argument)
        while next_local < len(local):
            self._write_local(local, next_local)
            next_local += 1

    def _device_write(self, device: int, address: int, data: memoryview) -> None:
        self._writes += 1
        endpoint = self._endpoints.get(device)
        if endpoint is None:
            self._fail(f"a write to {address:#x} by requester {device:#06x}, which is no endpoint under test", "root_complex")
        if endpoint.ledger.may_write(address, len(data)):
            self._replica.store(address, data)
            rings = endpoint.rings
            if rings is not None and 0 <= address - rings.completion_physical < rings.completion_entries * COMPLETION_BYTES:
                self._records_of(endpoint, address, bytes(data))
            return
        if endpoint.interrupt_target is not None and endpoint.interrupt_target[1] == address:
            return
        self._fail(
            f"{endpoint.rules.name} wrote {len(data)} bytes at {address:#x}, in no live mapping, ring or interrupt target of it",
            "iommu",
        )

    def _write_local(self, tlps: TlpBatch, row: int) -> None:
        local = self._by_down[int(tlps.link[row])].local
        address, length = int(tlps.address[row]), int(tlps.length_bytes[row])
        offset = local.offset(address, length)
        if offset is None:
            return
        data = tlps.payload_of(row)
        skip = int(tlps.first_byte[row]) - address
        if int(tlps.length_dw[row]) <= 2:
            enabled = int(tlps.first_be[row]) | int(tlps.last_be[row]) << 4
            for byte in range(length):
                if enabled >> byte & 1:
                    local.store(offset + byte, data[byte : byte + 1])
            return
        count = int(tlps.byte_span[row])
        local.store(offset + skip, data[skip : skip + count])

    # The driver's account.

    def _mark(self, kind: int, sequence: int, address: int, device: int, second: int, payload: NDArray[np.uint8]) -> None:
        if kind == MarkKind.BUFFER:
            self._buffer(address, payload, second)
            return
        if kind == MarkKind.BROKEN:
            self._broken.append(BrokenMemory(address, second, device))
            return
        if kind == MarkKind.RELEASE:
            self._check_guards(address)
            return
        endpoint = self._endpoints.get(device)
        if endpoint is None:
            raise ValueError(f"a {MarkKind(kind).name} mark names device {device:#06x}, for which no EndpointRules were given")
        if kind == MarkKind.MAP:
            pieces = payload.view("<u8").reshape(-1, 2).tolist()
            endpoint.ledger.map(address, tuple((physical, size) for physical, size in pieces), second)
        elif kind == MarkKind.REVOKE:
            endpoint.ledger.revoke(address)
        elif kind == MarkKind.UNMAP:
            endpoint.ledger.unmap(address)
        elif kind == MarkKind.LOCAL_MEMORY:
            endpoint.local.bus_address = address
        elif kind == MarkKind.RINGS:
            if endpoint.rings is not None:
                endpoint.ledger.forbid(endpoint.rings.completion_physical, endpoint.rings.completion_entries * COMPLETION_BYTES)
            endpoint.rings = ring_layout(payload)
            endpoint.ledger.allow(endpoint.rings.completion_physical, endpoint.rings.completion_entries * COMPLETION_BYTES)
            endpoint.completions = 0
        elif kind == MarkKind.INTERRUPT_TARGET:
            endpoint.interrupt_target = address, int(payload.view("<u8")[0])
            endpoint.identity = second
        elif kind == MarkKind.SUBMIT:
            self._submit(endpoint, sequence, second)
        else:
            self._reap(endpoint, payload.tobytes())

    def _buffer(self, physical: int, contents: NDArray[np.uint8], guard: int) -> None:
        held = self._replica.view(physical, contents.size)
        if not np.array_equal(held, contents):
            byte = int(np.argmax(held != contents))
            self._fail(
                f"memory at {physical + byte:#x} is {int(held[byte]):#04x}, the driver wrote {int(contents[byte]):#04x}",
                "memory",
            )
        places = (physical - guard, physical + contents.size) if guard else ()
        self._guards[physical] = [(start, self._replica.view(start, guard).copy()) for start in places]

    def _check_guards(self, physical: int) -> None:
        """The guards of a buffer are as the driver left them; they are watched no longer."""
        for start, contents in self._guards.pop(physical):
            held = self._replica.view(start, contents.size)
            if not np.array_equal(held, contents):
                byte = int(np.argmax(held != contents))
                raise self.error(
                    f"guard byte at {start + byte:#x} changed from {int(contents[byte]):#04x} to {int(held[byte]):#04x}"
                )
            self._guard_bytes += contents.size

    def _submit(self, endpoint: EndpointState, sequence: int, slot: int) -> None:
        rules = endpoint.rules
        entries = endpoint.rings.descriptor_entries if endpoint.rings else 1 << 16
        job: Job | None = None
        for row in self._submissions.descriptors[sequence]:
            part = Part(row.reads, row.writes, row.bus_address, row.local_offset, row.length, row.flushes, row.code)
            if row.code == 0 and (row.reads or row.writes or row.flushes):
                resolve(part, endpoint.ledger, self._peers[rules.device], self._replica, rules.direct_peers, self._broken)
            if job is None:
                job = Job(row.job, rules.device, slot, row.cookie, row.interrupt, [], sequence)
                if slot in endpoint.jobs:
                    raise ValueError(f"the driver of {rules.name} submits to ring slot {slot}, whose transfer has not completed")
                endpoint.jobs[slot] = job
                slot = (slot + 1) % entries
            job.parts.append(part)
            job.interrupt = job.interrupt or row.interrupt
            if row.following:
                endpoint.chained.add(row.following)
            else:
                job = None

    def _reap(self, endpoint: EndpointState, taken: bytes) -> None:
        for start in range(0, len(taken), COMPLETION_BYTES):
            entry = taken[start : start + COMPLETION_BYTES]
            if not endpoint.unreaped or endpoint.unreaped[0] != entry:
                expected = endpoint.unreaped[0].hex() if endpoint.unreaped else "none"
                self._fail(
                    f"{endpoint.rules.name}: the driver reaped completion {entry.hex()}, the next is {expected}",
                    "driver",
                )
            endpoint.unreaped.pop(0)

    # What the hardware did.

    def _records_of(self, endpoint: EndpointState, address: int, data: bytes) -> None:
        """A write holds whole records of consecutive slots, in one naturally aligned block."""
        if not data or len(data) % COMPLETION_BYTES or address % RECORD_BLOCK_BYTES + len(data) > RECORD_BLOCK_BYTES:
            self._fail(
                f"{endpoint.rules.name} wrote {len(data)} bytes at {address:#x} of its completion ring, "
                f"expected whole records of 16 bytes inside a block of {RECORD_BLOCK_BYTES}",
            )
        for start in range(0, len(data), COMPLETION_BYTES):
            self._completion(endpoint, address + start, data[start : start + COMPLETION_BYTES])

    def _completion(self, endpoint: EndpointState, address: int, data: bytes) -> None:
        rings, name = endpoint.rings, endpoint.rules.name
        assert rings is not None
        entry, turn = endpoint.completions % rings.completion_entries, endpoint.completions // rings.completion_entries
        expected = rings.completion_physical + entry * COMPLETION_BYTES
        if address != expected:
            self._fail(f"{name} wrote a completion at {address:#x}; the next one is at {expected:#x}")
        cookie, second = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
        count, code, slot, phase = second & 0x1FF_FFFF, second >> 32 & 0xFF, second >> 40 & 0xFFFF, second >> 63
        if phase == turn & 1:
            self._fail(f"{name}: completion {endpoint.completions} has phase {phase}, expected {1 - (turn & 1)}")
        job = endpoint.jobs.pop(slot, None)
        if job is None:
            self._fail(f"{name}: completion for ring slot {slot}, in which no transfer is in flight")
        if cookie != job.cookie:
            self._fail(f"{name}: completion of slot {slot} has cookie {cookie:#x}, expected {job.cookie:#x}")
        if code not in job.codes:
            self._fail(f"{name}: transfer in slot {slot} completed with status {code}, expected {sorted(map(int, job.codes))}")
        if (code == 0 and count != job.length) or count > job.length:
            self._fail(f"{name}: completion of slot {slot} reports {count} bytes, expected {job.length}")
        for part in job.parts:
            if code == 0:
                self._compare(endpoint, job, part)
            elif part.reads:
                endpoint.local.known[part.local_offset : part.local_offset + part.length] = False
            if part.mapping is not None:
                endpoint.ledger.release(part.mapping)
        self._compared_jobs += 1
        self._faulted_jobs += code != 0
        self._requests.finished(job, int(self._records["sequence"][self._row]), code)
        endpoint.completions += 1
        if job.interrupt:
            endpoint.unannounced += 1
            endpoint.awaiting_interrupt = True
        endpoint.unreaped.append(data)

    def _compare(self, endpoint: EndpointState, job: Job, part: Part) -> None:
        """Compare the destination of a finished part with its source, or let the local memory become what it must be."""
        if not (part.reads or part.writes):
            return
        self._combinations.add((part.bus_address & 0xFFF, part.length, _page_state(part)))
        local = endpoint.local
        if part.reads:
            if part.source is not None:
                local.store(part.local_offset, part.source)
                if part.source_known is not None:
                    local.known[part.local_offset : part.local_offset + part.length] = part.source_known
            return
        pieces = []
        if part.peer is not None:
            if part.flushed:
                pieces.append(
                    (part.peer.contents[part.peer_offset : part.peer_offset + part.length], f"peer offset {part.peer_offset:#x}")
                )
        elif part.mapping is not None and part.mapping.writable and not part.mapping.revoked:
            pieces += [(self._replica.view(physical, size), f"{physical:#x}") for physical, size in part.pieces]
        begin = part.local_offset
        for found, where in pieces:
            window = slice(begin, begin + found.size)
            wanted, known = local.contents[window], local.known[window]
            begin += found.size
            if not known.all():
                found, wanted = found[known], wanted[known]
            self._compared_bytes += wanted.size
            if not np.array_equal(found, wanted):
                byte = int(np.argmax(found != wanted))
                self._fail(
                    f"{endpoint.rules.name}: when the transfer in slot {job.slot} completed, byte {byte} "
                    f"of its destination at {where} was {int(found[byte]):#04x}, its source {int(wanted[byte]):#04x}",
                )

    def _interrupt(self, identity: int) -> None:
        for endpoint in self._endpoints.values():
            if endpoint.identity == identity:
                if endpoint.unannounced == 0:
                    self._fail(f"{endpoint.rules.name}: interrupt {identity:#x} without a completion before it", "endpoint")
                endpoint.unannounced -= 1
                endpoint.awaiting_interrupt = False

    def _fail(self, message: str, block: str | None = None) -> NoReturn:
        """Fail at the record at hand."""
        record = self._records[self._row]
        raise self.error(message, int(record["cycle"]), int(self._records["sequence"][self._row]), block)

    def finish(self) -> ScoreboardResult:
        for endpoint in self._endpoints.values():
            name = endpoint.rules.name
            if endpoint.jobs:
                slots = sorted(endpoint.jobs)
                raise self.error(f"{name}: {len(slots)} transfers never completed, the first in ring slot {slots[0]}")
            if self._interrupts and endpoint.awaiting_interrupt:
                raise self.error(f"{name}: a completion asked for an interrupt and none followed", block="endpoint")
        self._requests.finish()
        for physical in sorted(self._guards):
            self._check_guards(physical)
        self.require_compared(self._compared_jobs)
        figures = {
            "transfers": self._compared_jobs,
            "failed_transfers": self._faulted_jobs,
            "requests": self._requests.compared,
            "bytes": self._compared_bytes,
            "device_writes": self._writes,
            "guard_bytes": self._guard_bytes,
        }
        compared = self._compared_jobs + self._requests.compared
        combinations = frozenset(f"{offset} {length} {state}" for offset, length, state in self._combinations)
        distinct = {"offset, length, page state": combinations}
        return ScoreboardResult(self.name, self.block, compared, distinct=distinct, figures=figures)


# Plain integers: the enums are slow, and these are compared once for each record.
_MEMORY_WRITE, _MARK, _LINK, _FAILED = int(EventKind.MEMORY_WRITE), int(EventKind.MARK), int(Actor.LINK), int(EventFlag.FAILED)
_BY_KIND: Bool = np.zeros(256, np.bool_)
_BY_KIND[[EventKind.MEMORY_WRITE, EventKind.MARK, EventKind.INTERRUPT]] = True


def _page_state(part: Part) -> str:
    """How the pages behind a transfer lie, for the count of combinations."""
    if part.peer is not None:
        return "peer"
    if part.mapping is None:
        return "unmapped"
    if part.writes and not part.mapping.writable:
        return "read only"
    return "contiguous" if len(part.pieces) == 1 else "scattered"
