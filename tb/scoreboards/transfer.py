"""The transfer scoreboard: what a driver asked for is what happened, byte by byte and exactly once.

It predicts from the driver's ledger (marks in the log) alone, never through the IOMMU or its model: the memory requests that each
descriptor makes its endpoint send, the bytes at its destination when its completion appears, the completion itself, and that an
interrupt follows a completion. Every write of a device to host memory must lie in a live mapping of that device, in its
completion ring or at its interrupt target; everything else that changes is a failure.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from sluicegate.driver.observer import RingLayout

from tb.bridge.event_log import EVENT_DTYPE, Actor, EventFlag, EventKind, LogBatch
from tb.checkers.tlp_rules import SOURCES
from tb.scoreboards.dma_ledger import DeviceLedger
from tb.scoreboards.flow_matcher import FlowMatcher
from tb.scoreboards.marks import MarkKind, ring_layout
from tb.scoreboards.replica import Replica
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardResult
from tb.scoreboards.tlp_batch import Bool, TlpBatch
from tb.scoreboards.tlp_types import Kind, TlpClass
from tb.scoreboards.transfer_job import Job, LocalMemory, Part, resolve
from tb.scoreboards.transfer_prediction import Descriptors, EndpointRules, in_range, predicted_requests, without_tag

DESCRIPTOR_BYTES = 64
COMPLETION_BYTES = 16
MESSAGE = 0
"""Source of INTERRUPT records that came as a message."""


class _Endpoint:
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


class TransferScoreboard(Scoreboard):
    """Judges the endpoints in ``endpoints``. ``interrupts``: completions that ask for an interrupt must get one by the end."""

    name = "transfer"
    block = "dma"

    def __init__(self, endpoints: tuple[EndpointRules, ...], cpu_requester: int = 0, interrupts: bool = True) -> None:
        self._endpoints = {rules.device: _Endpoint(rules) for rules in endpoints}
        self._by_up = {rules.up: self._endpoints[rules.device] for rules in endpoints}
        self._by_down = {rules.down: self._endpoints[rules.device] for rules in endpoints}
        self._up = np.zeros(SOURCES, np.bool_)
        self._up[list(self._by_up)] = True
        self._down = np.zeros(SOURCES, np.bool_)
        self._down[list(self._by_down)] = True
        self._cpu = cpu_requester
        self._interrupts = interrupts
        self._replica = Replica()
        self._matcher = FlowMatcher()
        self._next_job = 0
        self._guards: list[tuple[int, NDArray[np.uint8]]] = []
        self._finished: dict[int, tuple[Job, int, int]] = {}
        self._combinations: set[tuple[int, int, str]] = set()
        self._compared_bytes = self._compared_jobs = self._compared_requests = self._faulted_jobs = self._writes = 0
        self._batch: LogBatch = LogBatch(np.zeros(0, EVENT_DTYPE), np.zeros(0, np.uint8), 0)

    def ingest(self, batch: LogBatch) -> None:
        self._batch = batch
        records = batch.records
        kind = records["kind"]
        tlps = TlpBatch.of(batch)
        local = self._down[tlps.link] & (tlps.kind == Kind.MEMORY_WRITE)
        self._expected: list[tuple[TlpBatch, NDArray[np.int64]]] = []
        self._finished.clear()
        self._walk(records[_BY_KIND[kind]], tlps.take(local))
        self._match(tlps)

    # The records that matter, one by one and in order: writes of memory, marks, ports, interrupts.

    def _walk(self, records: NDArray[np.void], local: TlpBatch) -> None:
        batch, replica = self._batch, self._replica
        payload = batch.payload.data
        local_at = [*local.sequence.tolist(), 1 << 64]
        next_local = 0
        columns = (
            records[name].tolist() for name in ("kind", "source", "flags", "address", "length", "argument", "sequence", "payload")
        )
        for row, (kind, source, flags, address, length, argument, sequence, position) in enumerate(zip(*columns, strict=True)):
            while local_at[next_local] < sequence:
                self._write_local(local, next_local)
                next_local += 1
            if kind == EventKind.MEMORY_WRITE:
                if flags & EventFlag.FAILED:
                    continue
                start = position - batch.payload_base
                if source == Actor.LINK:
                    self._device_write(records, row, argument, address, payload[start : start + length])
                else:
                    replica.store(address, payload[start : start + length])
            elif kind == EventKind.MARK:
                self._mark(records[row])
            elif kind == EventKind.INTERRUPT and source == MESSAGE:
                self._interrupt(records, row, argument)
        while next_local < len(local):
            self._write_local(local, next_local)
            next_local += 1

    def _device_write(self, records: NDArray[np.void], row: int, device: int, address: int, data: memoryview) -> None:
        self._writes += 1
        endpoint = self._endpoints.get(device)
        if endpoint is None:
            self._fail(
                records[row],
                f"a write to {address:#x} by requester {device:#06x}, which is no endpoint under test",
                "root_complex",
            )
        if endpoint.ledger.may_write(address, len(data)):
            self._replica.store(address, data)
            rings = endpoint.rings
            if rings is not None and 0 <= address - rings.completion_physical < rings.completion_entries * COMPLETION_BYTES:
                self._completion(endpoint, records[row], address, bytes(data))
            return
        if endpoint.interrupt_target is not None and endpoint.interrupt_target[1] == address:
            return
        self._fail(
            records[row],
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

    def _mark(self, record: Any) -> None:
        kind = MarkKind(int(record["argument"]))
        address = int(record["address"])
        low = [int(word) for word in record["header"]]
        device, second = low[0] | low[1] << 32, low[2] | low[3] << 32
        payload = self._batch.payload_of(record)
        if kind is MarkKind.BUFFER:
            self._buffer(record, address, payload, second)
            return
        endpoint = self._endpoints.get(device)
        if endpoint is None:
            raise ValueError(f"a {kind.name} mark names device {device:#06x}, for which no EndpointRules were given")
        if kind is MarkKind.MAP:
            pieces = payload.view("<u8").reshape(-1, 2).tolist()
            endpoint.ledger.map(address, tuple((physical, size) for physical, size in pieces), second)
        elif kind is MarkKind.UNMAP:
            endpoint.ledger.unmap(address)
        elif kind is MarkKind.LOCAL_MEMORY:
            endpoint.local.bus_address = address
        elif kind is MarkKind.RINGS:
            if endpoint.rings is not None:
                endpoint.ledger.forbid(endpoint.rings.completion_physical, endpoint.rings.completion_entries * COMPLETION_BYTES)
            endpoint.rings = ring_layout(payload)
            endpoint.ledger.allow(endpoint.rings.completion_physical, endpoint.rings.completion_entries * COMPLETION_BYTES)
            endpoint.completions = 0
        elif kind is MarkKind.INTERRUPT_TARGET:
            endpoint.interrupt_target = address, int(payload.view("<u8")[0])
            endpoint.identity = second
        elif kind is MarkKind.SUBMIT:
            self._submit(endpoint, record, second, payload.view("<u8").reshape(-1, 8))
        else:
            self._reap(endpoint, record, payload.tobytes())

    def _buffer(self, record: Any, physical: int, contents: NDArray[np.uint8], guard: int) -> None:
        held = self._replica.view(physical, contents.size)
        if not np.array_equal(held, contents):
            byte = int(np.argmax(held != contents))
            self._fail(
                record,
                f"memory at {physical + byte:#x} is {int(held[byte]):#04x}, the driver wrote {int(contents[byte]):#04x}",
                "memory",
            )
        for start in (physical - guard, physical + contents.size):
            if guard:
                self._guards.append((start, self._replica.view(start, guard).copy()))

    def _submit(self, endpoint: _Endpoint, record: Any, slot: int, words: NDArray[np.uint64]) -> None:
        rules, sequence, cycle = endpoint.rules, int(record["sequence"]), int(record["cycle"])
        descriptors = Descriptors(words, rules.local_size)
        entries = endpoint.rings.descriptor_entries if endpoint.rings else 1 << 16
        peers = [other.local for other in self._endpoints.values() if other is not endpoint]
        owner = np.zeros(len(words), np.int64)
        columns = (
            descriptors.reads,
            descriptors.writes,
            descriptors.flushes,
            descriptors.bus_address,
            np.where(descriptors.from_local, descriptors.source, descriptors.destination),
            descriptors.length,
            descriptors.code,
            descriptors.next,
            descriptors.cookie,
            descriptors.interrupt,
        )
        job: Job | None = None
        for row, (reads, writes, flushed, bus, local, length, code, following, cookie, interrupt) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            part = Part(reads, writes, bus, local, length, flushed, code)
            if code == 0 and (reads or writes or flushed):
                resolve(part, endpoint.ledger, peers, self._replica)
            if job is None:
                job = Job(self._next_job, rules.device, slot, cookie, interrupt, [], sequence)
                if slot in endpoint.jobs:
                    raise ValueError(f"the driver of {rules.name} submits to ring slot {slot}, whose transfer has not completed")
                endpoint.jobs[slot] = job
                self._next_job += 1
                slot = (slot + 1) % entries
            job.parts.append(part)
            job.interrupt = job.interrupt or interrupt
            owner[row] = job.number
            if following:
                endpoint.chained.add(following)
            else:
                job = None
        requests, rows = predicted_requests(descriptors, rules, sequence, cycle)
        if len(requests):
            self._expected.append((requests, owner[rows]))

    def _reap(self, endpoint: _Endpoint, record: Any, taken: bytes) -> None:
        for start in range(0, len(taken), COMPLETION_BYTES):
            entry = taken[start : start + COMPLETION_BYTES]
            if not endpoint.unreaped or endpoint.unreaped[0] != entry:
                expected = endpoint.unreaped[0].hex() if endpoint.unreaped else "none"
                self._fail(
                    record,
                    f"{endpoint.rules.name}: the driver reaped completion {entry.hex()}, the next one written is {expected}",
                    "driver",
                )
            endpoint.unreaped.pop(0)

    # What the hardware did.

    def _completion(self, endpoint: _Endpoint, record: Any, address: int, data: bytes) -> None:
        rings, name = endpoint.rings, endpoint.rules.name
        assert rings is not None
        entry, turn = endpoint.completions % rings.completion_entries, endpoint.completions // rings.completion_entries
        expected_address = rings.completion_physical + entry * COMPLETION_BYTES
        if len(data) != COMPLETION_BYTES or address != expected_address:
            self._fail(
                record,
                f"{name} wrote {len(data)} bytes at {address:#x}; the next completion is 16 bytes at {expected_address:#x}",
            )
        cookie, second = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
        count, code, slot, phase = second & 0x1FF_FFFF, second >> 32 & 0xFF, second >> 40 & 0xFFFF, second >> 63
        if phase == turn & 1:
            self._fail(record, f"{name}: completion {endpoint.completions} has phase {phase}, expected {1 - (turn & 1)}")
        job = endpoint.jobs.pop(slot, None)
        if job is None:
            self._fail(record, f"{name}: completion for ring slot {slot}, in which no transfer is in flight")
        if cookie != job.cookie:
            self._fail(record, f"{name}: completion of slot {slot} has cookie {cookie:#x}, expected {job.cookie:#x}")
        if code not in job.codes:
            self._fail(
                record, f"{name}: transfer in slot {slot} completed with status {code}, expected {sorted(map(int, job.codes))}"
            )
        if (code == 0 and count != job.length) or count > job.length:
            self._fail(record, f"{name}: completion of slot {slot} reports {count} bytes, expected {job.length}")
        for part in job.parts:
            if code == 0:
                self._compare(endpoint, record, job, part)
            elif part.reads:
                endpoint.local.known[part.local_offset : part.local_offset + part.length] = False
            if part.mapping is not None:
                endpoint.ledger.release(part.mapping)
        self._compared_jobs += 1
        self._faulted_jobs += code != 0
        self._finished[job.number] = job, int(record["sequence"]), code
        endpoint.completions += 1
        if job.interrupt:
            endpoint.unannounced += 1
            endpoint.awaiting_interrupt = True
        endpoint.unreaped.append(data)

    def _compare(self, endpoint: _Endpoint, record: Any, job: Job, part: Part) -> None:
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
        elif part.mapping is not None and part.mapping.writable:
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
                    record,
                    f"{endpoint.rules.name}: when the transfer in slot {job.slot} completed, byte {byte} of its destination at "
                    f"{where} was {int(found[byte]):#04x}, its source {int(wanted[byte]):#04x}",
                )

    def _interrupt(self, records: NDArray[np.void], row: int, identity: int) -> None:
        for endpoint in self._endpoints.values():
            if endpoint.identity == identity:
                if endpoint.unannounced == 0:
                    self._fail(
                        records[row], f"{endpoint.rules.name}: interrupt {identity:#x} without a completion before it", "endpoint"
                    )
                endpoint.unannounced -= 1
                endpoint.awaiting_interrupt = False

    # Requests on the endpoints' links.

    def _match(self, tlps: TlpBatch) -> None:
        chosen = self._up[tlps.link] & (tlps.tlp_class != TlpClass.COMPLETION)
        observed = without_tag(tlps.take(chosen))
        if len(observed):
            observed = observed.take(~self._own_traffic(observed))
        parts = self._expected
        if parts:
            expected = TlpBatch(np.concatenate([part.words for part, _ in parts], axis=1), tlps.payload, tlps.payload_base)
            owner = np.concatenate([numbers for _, numbers in parts])
        else:
            expected, owner = TlpBatch.none(), np.zeros(0, np.int64)
        matches = self._matcher.match(expected, owner, observed)
        if matches.unmatched.size:
            row = int(matches.unmatched[0])
            self._fail_request(observed, row, f"no descriptor in flight makes it send {observed.describe(row)}")
        self._compared_requests += matches.rows.size
        if not self._finished:
            return
        numbers = np.array(sorted(self._finished), np.int64)
        ended = np.array([self._finished[number][1] for number in numbers.tolist()], np.uint64)
        position = np.minimum(np.searchsorted(numbers, matches.ingress), numbers.size - 1)
        late = (numbers[position] == matches.ingress) & (observed.sequence[matches.rows] > ended[position])
        if late.any():
            row = int(matches.rows[int(np.argmax(late))])
            self._fail_request(observed, row, f"{observed.describe(row)} was sent after the completion of its descriptor")
        failed = np.array([number for number, (_, _, code) in self._finished.items() if code], np.int64)
        if failed.size:
            self._matcher.withdraw(failed)
        missing = np.isin(self._matcher.waiting_ingress, numbers)
        if missing.any():
            row = int(np.argmax(missing))
            waiting = self._matcher.waiting
            job = self._finished[int(self._matcher.waiting_ingress[row])][0]
            self._fail_request(waiting, row, f"slot {job.slot} completed, but {waiting.describe(row)} was never sent for it")

    def _own_traffic(self, observed: TlpBatch) -> Bool:
        """Requests of the rings and interrupts, which no descriptor predicts: fetches, completions, MSI-X."""
        own = np.zeros(len(observed), np.bool_)
        address = observed.address
        read = observed.kind == Kind.MEMORY_READ
        for link, endpoint in self._by_up.items():
            here = observed.link == link
            rings = endpoint.rings
            if rings is not None:
                whole = (address | observed.length_dw << np.uint32(2)) & np.uint64(DESCRIPTOR_BYTES - 1) == 0
                fetch = in_range(address, rings.descriptor_dma, rings.descriptor_entries * DESCRIPTOR_BYTES)
                if endpoint.chained:
                    fetch |= np.isin(address, np.fromiter(endpoint.chained, np.uint64))
                own |= here & read & whole & fetch & (observed.first_be == 0xF)
                own |= here & ~read & in_range(address, rings.completion_dma, rings.completion_entries * COMPLETION_BYTES)
            if endpoint.interrupt_target is not None:
                own |= here & ~read & (address == np.uint64(endpoint.interrupt_target[0])) & (observed.length_dw == 1)
        return own

    def _fail_request(self, tlps: TlpBatch, row: int, message: str) -> NoReturn:
        name = self._by_up[int(tlps.link[row])].rules.name
        raise self.error(f"{name}: {message}", int(tlps.cycle[row]), int(tlps.sequence[row]))

    def _fail(self, record: Any, message: str, block: str | None = None) -> NoReturn:
        raise self.error(message, int(record["cycle"]), int(record["sequence"]), block)

    def finish(self) -> ScoreboardResult:
        for endpoint in self._endpoints.values():
            name = endpoint.rules.name
            if endpoint.jobs:
                slots = sorted(endpoint.jobs)
                raise self.error(f"{name}: {len(slots)} transfers never completed, the first in ring slot {slots[0]}")
            if self._interrupts and endpoint.awaiting_interrupt:
                raise self.error(f"{name}: a completion asked for an interrupt and none followed", block="endpoint")
        if len(self._matcher.waiting):
            self._fail_request(self._matcher.waiting, 0, f"{self._matcher.waiting.describe(0)} was never sent")
        for start, contents in self._guards:
            held = self._replica.view(start, contents.size)
            if not np.array_equal(held, contents):
                byte = int(np.argmax(held != contents))
                raise self.error(
                    f"guard byte at {start + byte:#x} changed from {int(contents[byte]):#04x} to {int(held[byte]):#04x}"
                )
        self.require_compared(self._compared_jobs)
        figures = {
            "transfers": self._compared_jobs,
            "failed_transfers": self._faulted_jobs,
            "requests": self._compared_requests,
            "bytes": self._compared_bytes,
            "device_writes": self._writes,
        }
        return ScoreboardResult(
            self.name,
            self.block,
            self._compared_jobs + self._compared_requests,
            distinct=len(self._combinations),
            figures=figures,
        )


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
