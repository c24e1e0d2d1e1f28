"""The SUBMIT marks of a batch, decoded together: many drivers hand over one descriptor at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb.bridge.event_log import EventArray, EventKind, LogBatch
from tb.scoreboards.endpoint_state import EndpointState
from tb.scoreboards.marks import MarkKind
from tb.scoreboards.tlp_batch import TlpBatch
from tb.scoreboards.transfer_prediction import Descriptors, predicted_requests


class SubmittedDescriptor(NamedTuple):
    """One descriptor, and the number of the transfer that it is part of."""

    job: int
    reads: bool
    writes: bool
    flushes: bool
    bus_address: int
    local_offset: int
    length: int
    code: int
    following: int
    cookie: int
    interrupt: bool


class Submissions:
    """Everything submitted in one batch; transfers get numbers from ``next_job`` on.

    ``descriptors``: those of each mark, by its sequence number; ``requests``: what each endpoint must send for them, and the
    transfer of each request.
    """

    def __init__(self, batch: LogBatch, endpoints: Mapping[int, EndpointState], next_job: int) -> None:
        self.next_job = next_job
        self.descriptors: dict[int, list[SubmittedDescriptor]] = {}
        self.requests: list[tuple[TlpBatch, NDArray[np.int64]]] = []
        records = batch.records
        marks = records[(records["kind"] == EventKind.MARK) & (records["argument"] == MarkKind.SUBMIT)]
        device = marks["header"][:, 0]
        for number, endpoint in endpoints.items():
            chosen = marks[device == number]
            if chosen.size:
                self._decode(batch, chosen, endpoint)

    def _decode(self, batch: LogBatch, marks: EventArray, endpoint: EndpointState) -> None:
        rules = endpoint.rules
        payloads = [batch.payload_of(mark).view("<u8").reshape(-1, 8) for mark in marks]
        counts = np.array([len(payload) for payload in payloads])
        descriptors = Descriptors(np.concatenate(payloads), rules.local_size)
        begins = np.ones(int(counts.sum()), np.bool_)
        # A descriptor with a next one continues in the next row, in the same transfer; a mark holds whole chains.
        begins[1:] = descriptors.next[:-1] == 0
        begins[np.cumsum(counts)[:-1]] = True
        job = self.next_job + np.cumsum(begins) - 1
        self.next_job = int(job[-1]) + 1
        columns = (
            job,
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
        rows = list(map(SubmittedDescriptor, *(column.tolist() for column in columns)))
        end = 0
        for sequence, count in zip(marks["sequence"].tolist(), counts.tolist(), strict=True):
            self.descriptors[sequence] = rows[end : end + count]
            end += count
        sequences, cycles = (np.repeat(marks[name], counts) for name in ("sequence", "cycle"))
        requests, owner = predicted_requests(descriptors, rules, sequences, cycles)
        if len(requests):
            self.requests.append((requests, job[owner]))
