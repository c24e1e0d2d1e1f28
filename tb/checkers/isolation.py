"""Isolation: a device reaches memory only by a translation it was granted, and not after the fence that withdrew it.

Every memory request that leaves the IOMMU's adapter must use one grant: a successful answer at the translation port for its
requester, address and access, given before. That the grant follows from tables in force is the translation scoreboard's affair;
that its age is bounded is checked here. When an IOFENCE.C with PW (PR) completes, every write (read) translated before the fence
began has reached memory, and of such a read the last completion has gone down to the device. A command begins when the one before
it has completed, at the earliest. Source: RISC-V IOMMU specification, *Command-Queue*, IOFENCE.C.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from sluicegate.iommu.commands import Opcode

from tb.bridge.event_log import EventKind, LogBatch, RequestBit
from tb.scoreboards.answered_reads import AnsweredReads
from tb.scoreboards.fabric import FabricLinks
from tb.scoreboards.flow_matcher import first_in_first_out
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardResult
from tb.scoreboards.tlp_batch import I64, U64, Bool, TlpBatch
from tb.scoreboards.tlp_types import AddressType, Kind
from tb.scoreboards.translation_pairs import TranslationPairer

_READS, _WRITES = 1 << 12, 1 << 13


class IsolationChecker(Scoreboard):
    """Watches the memory link of the root complex, and what it loops down to peers. ``losses``: memory may not answer a read."""

    name = "isolation"
    block = "iommu"

    def __init__(self, links: FabricLinks | None = None, losses: bool = False) -> None:
        self._links = FabricLinks() if links is None else links
        self._pairer = TranslationPairer(self.name)
        self._granted: U64 = np.zeros(0, np.uint64)
        """Key of each unused grant, oldest first."""
        self._granted_at: U64 = np.zeros(0, np.uint64)
        # Each read is known by the record of its grant.
        # A read that the IOMMU refuses may reuse the tag of one that memory never answered.
        self._answers = AnsweredReads(
            {self._links.memory_request: self._links.switch_down}, {self._links.memory_request: self._links.switch_up}
        )
        self._losses = losses
        self._last_command = 0
        self._fences: dict[bool, tuple[list[int], list[int]]] = {True: ([0], [0]), False: ([0], [0])}
        """Begin and end of the fences of writes (True) and of reads, as sequence numbers, oldest first."""
        self._compared = self._fenced = self._exempt = 0

    def ingest(self, batch: LogBatch) -> None:
        pairs = self._pairer.ingest(batch)
        # Nothing leaves for a translation request, a refused request, or an access to an interrupt file.
        good = (pairs.status == 0) & (pairs.address_type != AddressType.TRANSLATION_REQUEST)
        pairs = pairs.take(np.flatnonzero(good & ~pairs.mrif))
        # A translated request of a device that is trusted with system addresses: it has its grant by architecture, not by tables.
        self._exempt += int(np.count_nonzero((pairs.address_type == AddressType.TRANSLATED) & (pairs.spa == pairs.iova)))
        # Writes leave in the order of their requests. Reads pass each other while they wait for answers: two that reach one page
        # by two IOVAs leave as they are answered.
        asked = np.where(pairs.has(RequestBit.WRITE), pairs.requested_at, pairs.answered_at)
        pairs = pairs.take(np.argsort(asked, kind="stable"))
        granted = np.concatenate((self._granted, _key(pairs.spa, pairs.device_id, pairs.has(RequestBit.WRITE))))
        granted_at = np.concatenate((self._granted_at, pairs.answered_at))
        self._note_fences(batch)

        tlps = TlpBatch.of(batch)
        to_memory = tlps.link == self._links.memory_request
        accesses = tlps.take(np.flatnonzero((to_memory | (tlps.link == self._links.switch_down)) & tlps.is_memory))
        write = accesses.kind != Kind.MEMORY_READ
        found, used = first_in_first_out(granted, _key(accesses.address, accesses.requester, write))
        late = found >= 0
        late[late] = accesses.sequence[late] < granted_at[found[late]]
        # What goes down to peers without a grant comes from the CPU, which is not translated.
        foreign = (late | (found < 0)) & (accesses.link == self._links.memory_request)
        if foreign.any():
            row = int(np.argmax(foreign))
            self._fail(accesses, row, f"no translation granted {accesses.describe(row)}")
        rows = np.flatnonzero(found >= 0)
        for is_write in (True, False):
            self._judge_fences(accesses, rows[write[rows] == is_write], found, granted_at, is_write)
        reads = np.flatnonzero((found >= 0) & ~write & (accesses.link == self._links.memory_request))
        self._judge_delivery(accesses.take(reads), granted_at[found[reads]].astype(np.int64), tlps)
        self._compared += rows.size
        self._granted, self._granted_at = granted[~used], granted_at[~used]
        for begins, ends in self._fences.values():
            del begins[:-1], ends[:-1]

    def _note_fences(self, batch: LogBatch) -> None:
        for record in batch.of_kind(EventKind.IOMMU_COMMAND):
            word, sequence = int(record["header"][0]), int(record["sequence"])
            if word & 0x7F == Opcode.IOFENCE:
                for is_write, bit in ((True, _WRITES), (False, _READS)):
                    if word & bit:
                        begins, ends = self._fences[is_write]
                        begins.append(self._last_command)
                        ends.append(sequence)
                        self._fenced += 1
            self._last_command = sequence

    def _judge_fences(
        self, accesses: TlpBatch, rows: np.ndarray[tuple[int], np.dtype[np.intp]], found: np.ndarray, granted_at: U64, write: bool
    ) -> None:
        begins, ends = (np.array(column, np.uint64) for column in self._fences[write])
        last = np.searchsorted(ends, accesses.sequence[rows]) - 1
        late = granted_at[found[rows]] < begins[np.maximum(last, 0)]
        if late.any():
            first = int(np.argmax(late))
            row, fence = int(rows[first]), int(ends[last[first]])
            grant = int(granted_at[found[row]])
            message = f"translated in record {grant}, before the fence that completed in record {fence}, this came after it"
            self._fail(accesses, row, f"{message}: {accesses.describe(row)}")

    def _judge_delivery(self, reads: TlpBatch, granted_at: I64, tlps: TlpBatch) -> None:
        """The last completion of a read granted before a fence began has gone down before the fence completes."""
        grants, delivered_at = self._answers.ingest(reads, granted_at, tlps)
        begins, ends = (np.array(column, np.int64) for column in self._fences[False])
        following = np.searchsorted(begins, grants, side="right")
        late = following < begins.size
        late[late] = ends[following[late]] < delivered_at[late].astype(np.int64)
        for grant, delivered in zip(grants[late].tolist(), delivered_at[late].tolist(), strict=True):
            end = int(ends[int(np.searchsorted(begins, grant, side="right"))])
            raise self.error(
                f"a read translated in record {grant} had its last completion in record {delivered}, after the fence that "
                f"completed in record {end} had waited for it",
                sequence=end,
            )
        if self._losses:
            return
        open_grants = self._answers.waiting
        if open_grants.size and int(open_grants.min()) < int(begins[-1]):
            grant = int(open_grants.min())
            end = int(ends[int(np.searchsorted(begins, grant, side="right"))])
            raise self.error(
                f"a read translated in record {grant} was not answered when the fence that completed in record {end} had "
                "waited for it",
                sequence=end,
            )

    def _fail(self, tlps: TlpBatch, row: int, message: str) -> NoReturn:
        name = self._links.names[int(tlps.link[row])]
        raise self.error(f"{name}: {message}", int(tlps.cycle[row]), int(tlps.sequence[row]))

    def finish(self) -> ScoreboardResult:
        return ScoreboardResult(
            self.name, self.block, self._compared, figures={"fences": self._fenced, "translated_exempt": self._exempt}
        )


def _key(address: U64, requester: np.ndarray[tuple[int], np.dtype[np.uint32]], write: Bool) -> U64:
    """A 64-bit key of access, requester and DW: physical addresses have 56 bits, so requesters are mixed in."""
    key: U64 = (address >> np.uint64(2)) * np.uint64(0x9E37_79B9_7F4A_7C15)
    key ^= key >> np.uint64(31)
    key += requester.astype(np.uint64) << np.uint64(1) | write.astype(np.uint64)
    key *= np.uint64(0xBF58_476D_1CE4_E5B9)
    return key
