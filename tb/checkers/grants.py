"""Isolation at the translation port: every success was granted by tables that were in force.

The tables are rebuilt from the log. A dword that the IOMMU has read may be seen old until an invalidation that applies to it has
completed, with a fence behind it; whether one applies follows from what the walk of the golden model reads the dword for. A
success is right if some walk over values that were in force between request and response gives it. Faults and sizes are judged
elsewhere: refusing too much breaks no isolation.
Source: RISC-V IOMMU specification, *Command-Queue* and *Caching in-memory data structures*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.commands import Opcode
from sluicegate.iommu.context import DeviceContext
from sluicegate.iommu.port import swap_u64
from sluicegate.iommu.request import AddressType, Request, Response, Status
from sluicegate.iommu.translate import Translation
from sluicegate.memory import SparseMemory

from tb.bridge.event_log import Actor, EventFlag, EventKind, LogBatch
from tb.scoreboards.iommu_state import COMMAND_BYTES, DDTP, IommuState
from tb.scoreboards.marks import MarkKind
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardResult
from tb.scoreboards.translation_outcomes import request_of
from tb.scoreboards.translation_pairs import TranslationPairer, TranslationPairs

MOST_WALKS = 400
"""Walks tried for one request before it is counted as undecided."""
_BUSY = 1 << 4
_PAGE_NUMBER, _GUEST_PAGE_NUMBER = (1 << 44) - 1, (1 << 47) - 1
_OFFSET = np.uint64(0xFFF)
_A_AND_D, _N = 0xC0, 1 << 63
_AV, _PSCV, _GV, _NL, _S, _G = 1 << 10, 1 << 32, 1 << 33, 1 << 34, 1 << 9, 1 << 5


class Use(Enum):
    """What a walk reads a dword for."""

    DIRECTORY = "device directory"
    PROCESS = "process directory"
    FIRST = "first stage"
    SECOND = "second stage"
    MSI = "MSI page table"


@dataclass(slots=True)
class Version:
    """A value of a dword, from ``since`` on."""

    value: int
    since: int


@dataclass(frozen=True, slots=True)
class Done:
    """A completed command: its dwords, where in the log they were written, and where it completed."""

    low: int
    high: int
    submitted: int
    completed: int


@dataclass(slots=True)
class Period:
    """A configuration of the core: written at ``since``; no longer in force at ``until``, when a later one was seen in force."""

    configuration: IommuConfiguration
    since: int
    replaced: bool = False
    until: int | None = None


@dataclass
class Tables:
    """Memory as the log has it, with the earlier values of what the IOMMU has read."""

    memory: SparseMemory = field(default_factory=SparseMemory)
    read_pages: set[int] = field(default_factory=set)
    versions: dict[int, list[Version]] = field(default_factory=dict)

    def write(self, address: int, data: memoryview, sequence: int) -> None:
        """Bytes written at a place in the log."""
        if self.read_pages.isdisjoint((address >> 12, (address + len(data) - 1) >> 12)):
            self.memory.write(address, data)
            return
        first, last = address & ~7, (address + len(data) - 1) & ~7
        before = [self.memory.read_u64(dword) for dword in range(first, last + 8, 8)]
        self.memory.write(address, data)
        for old, dword in zip(before, range(first, last + 8, 8), strict=True):
            new = self.memory.read_u64(dword)
            if new != old:
                self.versions.setdefault(dword, [Version(old, 0)]).append(Version(new, sequence))


class WalkView(SparseMemory):
    """Memory as one walk finds it, with a choice among the versions of each dword that may still be seen."""

    def __init__(self, checker: GrantChecker) -> None:
        super().__init__()
        self._checker = checker
        self.chosen: dict[tuple[int, int], int] = {}
        self.options: dict[tuple[int, int], int] = {}
        self.updates: dict[int, int] = {}

    def begin(
        self, translation: Translation, request: Request, window: tuple[int, int], chosen: dict[tuple[int, int], int]
    ) -> None:
        """A walk for a request whose request and response are at ``window`` in the log."""
        self._translation, self._request, self._window = translation, request, window
        self._counts = (0, 0, 0, 0)
        self.chosen, self.options, self.updates = chosen, {}, {}
        self.reads: list[int] = []

    def _use(self) -> Use:
        trace = self._translation.trace
        counts = trace.directory_reads, trace.process_directory_reads, trace.first_stage_reads, trace.second_stage_reads
        before, self._counts = self._counts, counts
        for use, old, new in zip((Use.DIRECTORY, Use.PROCESS, Use.FIRST, Use.SECOND), before, counts, strict=True):
            if new != old:
                return use
        return Use.MSI

    def _look(self, dword: int, use: Use) -> int:
        self.reads.append(dword)
        if dword in self.updates:
            return self.updates[dword]
        possible = self._possible(dword, use)
        if use in (Use.FIRST, Use.SECOND):
            possible += self._same_range(dword, possible[0], use)
        if len(possible) == 1:
            return possible[0]
        step = dword, self._translation.trace.process_directory_reads + self._translation.trace.first_stage_reads
        self.options[step] = len(possible)
        return possible[self.chosen.setdefault(step, 0) % len(possible)]

    def _possible(self, dword: int, use: Use) -> list[int]:
        """Values of a dword that the walk may find, the newest first."""
        versions = self._checker.tables.versions.get(dword)
        if versions is None:
            return [self._checker.tables.memory.read_u64(dword)]
        return self._checker.possible(versions, use, self._translation, self._request, self._window)

    def _same_range(self, dword: int, value: int, use: Use) -> list[int]:
        """Values of the other entries of a NAPOT range that differ in A and D alone: a cache may read any of them for all sixteen
        (Privileged specification, Svnapot)."""
        device = self._translation.device
        swap = device is not None and device.first_stage_big_endian if use is Use.FIRST else self._checker.big_endian
        differing = swap_u64(_A_AND_D) if swap else _A_AND_D
        if not (swap_u64(value) if swap else value) & _N:
            return []
        places = range(dword & ~0x7F, (dword & ~0x7F) + 128, 8)
        others = {other for place in places for other in self._possible(place, use)}
        return sorted(other for other in others if other != value and not (other ^ value) & ~differing)

    def read_u64(self, address: int) -> int:
        return self._look(address, self._use())

    def read(self, address: int, length: int) -> bytes:
        use = self._use()
        return b"".join(self._look(dword, use).to_bytes(8, "little") for dword in range(address, address + length, 8))

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        self.updates[address] = value
        return expected


class GrantChecker(Scoreboard):
    """Watches the translation port of one IOMMU, from its reset on. It judges once it knows the capabilities: given here, or told
    by the log."""

    name = "grants"
    block = "iommu"

    def __init__(self, capabilities: Capabilities | None = None) -> None:
        self._pairer = TranslationPairer(self.name)
        self._requests = self._granted = self._old = self._undecided = 0
        self.tables = Tables()
        self._restart(capabilities)

    def _restart(self, capabilities: Capabilities | None) -> None:
        """The core is empty; memory stays."""
        self.tables = Tables(self.tables.memory)
        self._state = None if capabilities is None else IommuState(capabilities)
        self._view = WalkView(self)
        self._done: list[Done] = []
        self._fences: list[int] = []
        self._periods = [] if self._state is None else [Period(self._state.configuration, 0)]
        self._submitted: dict[int, int] = {}

    @property
    def big_endian(self) -> bool:
        """``fctl.BE`` as it is."""
        return self._state is not None and self._state.configuration.big_endian

    # ---- the log ----

    def ingest(self, batch: LogBatch) -> None:
        pairs = self._pairer.ingest(batch)
        records = batch.records
        kinds = records["kind"]
        wanted = _RELEVANT[kinds]
        wanted &= (kinds != EventKind.MEMORY_READ) | (records["source"] == Actor.IOMMU)
        start = 0
        rows = np.flatnonzero(wanted)
        for row in rows.tolist():
            record = records[row]
            kind = int(record["kind"])
            if kind == EventKind.MARK:
                if int(record["argument"]) == MarkKind.IOMMU_RESTART:
                    sequence = int(record["sequence"])
                    earlier = np.flatnonzero(pairs.answered_at < np.uint64(sequence))
                    self._judge(pairs.take(earlier[earlier >= start]))
                    start = len(earlier)
                    self._restart(Capabilities(int(record["address"])))
            else:
                self._apply(batch, record, kind)
        self._judge(pairs.take(np.arange(start, len(pairs))))

    def _apply(self, batch: LogBatch, record: Any, kind: int) -> None:
        address, sequence = int(record["address"]), int(record["sequence"])
        if kind == EventKind.MEMORY_WRITE:
            if not int(record["flags"]) & EventFlag.FAILED:
                self._note_commands(address, int(record["length"]), sequence)
                self.tables.write(address, memoryview(batch.payload_of(record).tobytes()), sequence)
        elif kind == EventKind.MEMORY_READ:
            self.tables.read_pages.add(address >> 12)
        elif self._state is None:
            return
        elif kind == EventKind.REGISTER_WRITE:
            if self._state.write(record):
                self._periods[-1].replaced = True
                self._periods.append(Period(self._state.configuration, sequence))
        elif kind == EventKind.REGISTER_READ:
            data = int(record["header"][0])
            if address & ~7 == DDTP and int(record["argument"]) & 1 and not data & _BUSY:
                for period in self._periods:
                    if period.replaced and period.until is None:
                        period.until = sequence
        else:
            self._command(record, sequence)

    def _note_commands(self, address: int, length: int, sequence: int) -> None:
        if self._state is None:
            return
        for slot in self._state.command_queue.slots(address, length, COMMAND_BYTES):
            self._submitted[slot] = sequence

    def _command(self, record: Any, sequence: int) -> None:
        assert self._state is not None
        words = [int(word) for word in record["header"]]
        low, high = words[0] | words[1] << 32, words[2] | words[3] << 32
        slot = self._state.commands % self._state.command_queue.entries
        self._state.commands += 1
        if low & 0x7F == Opcode.IOFENCE:
            self._fences.append(sequence)
        elif low & 0x7F in (Opcode.IOTINVAL, Opcode.IODIR):
            self._done.append(Done(low, high, self._submitted.get(slot, 0), sequence))

    # ---- what may be seen ----

    def possible(
        self, versions: list[Version], use: Use, translation: Translation, request: Request, window: tuple[int, int]
    ) -> list[int]:
        """Values of a dword that the walk of a request may find, the newest first."""
        asked, answered = window
        found: list[int] = []
        replaced_at: int | None = None
        for version in reversed(versions):
            if version.since < answered and not (
                replaced_at is not None
                and replaced_at < asked
                and self._retired(version.value, replaced_at, asked, use, translation, request)
            ):
                found.append(version.value)
            replaced_at = version.since
        return found or [versions[-1].value]

    def _retired(self, value: int, since: int, asked: int, use: Use, translation: Translation, request: Request) -> bool:
        """Has an invalidation that applies completed, with a fence behind it, before the request came?"""
        fences = [fence for fence in self._fences if since < fence < asked]
        if not fences:
            return False
        return any(
            since < done.submitted and done.completed < fences[-1] and _applies(done, value, use, translation, request)
            for done in self._done
        )

    # ---- requests ----

    def _judge(self, pairs: TranslationPairs) -> None:
        if self._state is None or not len(pairs):
            return
        # A refusal grants nothing, and is right here.
        self._requests += len(pairs)
        granted = (pairs.status == 0) & ((pairs.address_type != AddressType.TRANSLATION_REQUEST) | (pairs.permissions & 3 != 0))
        rows = np.flatnonzero(granted)
        if not rows.size:
            return
        kept = pairs.take(rows)
        # Translation requests ask for pages; a file is reached at its own address.
        inside = (kept.address_type == AddressType.TRANSLATION_REQUEST) | kept.mrif | ((kept.spa ^ kept.iova) & _OFFSET == 0)
        if not inside.all():
            row = int(np.argmin(inside))
            message = f"{request_of(kept, row)} was granted {int(kept.spa[row]):#x}, another place in the page"
            raise self.error(message, int(kept.cycle[row]), int(kept.answered_at[row]))
        page = np.where(kept.mrif, kept.spa, kept.spa >> np.uint64(12))
        # Between two fences nothing goes out of force, and what is new may be seen: the first of equal requests stands for all.
        fences = np.searchsorted(np.array(self._fences, np.uint64), kept.requested_at)
        ends = sorted(period.until for period in self._periods if period.until is not None)
        settled = np.searchsorted(np.array(ends, np.uint64), kept.requested_at)
        begun = np.searchsorted(np.array([period.since for period in self._periods], np.uint64), kept.answered_at)
        columns = (
            kept.iova >> np.uint64(12),
            kept.device_id,
            kept.process_id,
            kept.bits,
            page,
            kept.permissions,
            fences,
            settled,
            begun,
        )
        key = np.stack([np.asarray(column, np.uint64) for column in columns])
        _, first = np.unique(key, axis=1, return_index=True)
        for row in sorted(first.tolist()):
            self._judge_one(kept, row)
        self._granted += int(rows.size)

    def _judge_one(self, pairs: TranslationPairs, row: int) -> None:
        request = request_of(pairs, row)
        window = int(pairs.requested_at[row]), int(pairs.answered_at[row])
        answer = (int(pairs.spa[row]), bool(pairs.mrif[row]), int(pairs.permissions[row]) & 7)
        tried = 0
        in_force = [
            period.configuration
            for period in reversed(self._periods)
            if period.since < window[1] and (period.until is None or period.until > window[0])
        ]
        for configuration in in_force:
            waiting: list[dict[tuple[int, int], int]] = [{}]
            while waiting:
                decided = waiting.pop()
                translation = Translation(request, configuration, self._view)
                self._view.begin(translation, request, window, dict(decided))
                if _grants(translation.run(), translation.device, request, answer):
                    self._old += bool(tried)
                    return
                tried += 1
                if tried > MOST_WALKS:
                    self._undecided += 1
                    return
                path = dict(decided)
                for step, count in self._view.options.items():
                    if step not in decided:
                        waiting += [{**path, step: other} for other in range(1, count)]
                        path[step] = 0
        spa, mrif, _ = answer
        what = f"{'the interrupt file at ' if mrif else ''}{spa:#x}"
        message = f"{request} was granted {what}, which no tables in force between request and response give it"
        raise self.error(message, int(pairs.cycle[row]), window[1])

    def finish(self) -> ScoreboardResult:
        figures = {"requests": self._requests, "granted_by_older_tables": self._old, "undecided": self._undecided}
        return ScoreboardResult(self.name, self.block, self._granted, figures=figures)


def _grants(response: Response, device: DeviceContext | None, request: Request, answer: tuple[int, bool, int]) -> bool:
    """Does the model give at least what was given?"""
    spa, mrif, permissions = answer
    if response.status is not Status.OK or response.spa is None:
        return False
    page = spa >> 12 ^ response.spa >> 12
    probe = request.address_type is AddressType.TRANSLATION_REQUEST
    if probe:
        given = response.permissions
        if given is None or permissions & ~(given.read | given.write << 1 | given.exec << 2):
            return False
    if mrif and response.mrif is not None and spa == response.mrif.address:
        return True
    # What an IOVA has beyond is lost without tables, or where the guest address is that of an interrupt file.
    guest_address = probe and device is not None and device.t2gpa
    return page & (_GUEST_PAGE_NUMBER if guest_address else _PAGE_NUMBER) == 0


def _applies(done: Done, value: int, use: Use, translation: Translation, request: Request) -> bool:
    """Must an invalidation have dropped what was made of ``value``? If in doubt, no."""
    low, high = done.low, done.high
    if low & 0x7F == Opcode.IODIR:
        if low >> 7 & 7:
            named = bool(low & _GV) and low >> 40 == request.device_id
            process = request.process_id if request.pasid_valid else 0
            return use is Use.PROCESS and named and low >> 12 & 0xFFFFF == process
        every = not low & _GV
        return use in (Use.DIRECTORY, Use.PROCESS) and (every or low >> 40 == request.device_id)
    device = translation.device
    second = device is not None and bool(device.second_stage)
    if low >> 7 & 7:
        if use not in (Use.SECOND, Use.MSI) or translation.process is None:
            return False
        return not low & _GV or (device is not None and low >> 44 & 0xFFFF == device.gscid and not low & _AV)
    if use is not Use.FIRST or bool(low & _GV) != second:
        return False
    if second and device is not None and low >> 44 & 0xFFFF != device.gscid:
        return False
    if low & _PSCV:
        process_context = translation.process
        leaf = value & 0xE
        if value & _G or not leaf or process_context is None or low >> 12 & 0xFFFFF != process_context.pscid:
            return False
    return not low & _AV or (bool(value & 0xE or low & _NL) and _covers(high, request.iova))


def _covers(high: int, iova: int) -> bool:
    """Does the address operand of an invalidation name the page of ``iova``?"""
    number = high >> 10 & (1 << 52) - 1
    size = 1 << 12
    if high & _S:
        ones = (~number & number + 1).bit_length() - 1
        size = 1 << min(13 + ones, 64)
    return (number << 12) & ~(size - 1) == iova & ~(size - 1)


_RELEVANT = np.zeros(256, np.bool_)
_RELEVANT[
    [
        EventKind.MEMORY_WRITE,
        EventKind.MEMORY_READ,
        EventKind.REGISTER_WRITE,
        EventKind.REGISTER_READ,
        EventKind.IOMMU_COMMAND,
        EventKind.MARK,
    ]
] = True
