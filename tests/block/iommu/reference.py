"""What the golden model answers, remembered as long as nothing that the walk has read changes; and what it would answer if some
edits had not been made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.context import DeviceContext, ProcessContext
from sluicegate.iommu.request import Request, Response, Status, Trace
from sluicegate.iommu.translate import Translation
from sluicegate.memory import MemoryAccessError, MemoryPoisonError, SparseMemory

from tests.block.iommu.edit import Edit
from tests.block.iommu.page_tables import HEALTHY, POISONED, REFUSED, TableStore
from tests.block.iommu.table_entries import NAPOT
from tests.block.iommu.walk_steps import PAGE_TABLES, ReadLog, Step, steps

Choice = tuple[int, int]
"""Number of an edit, and the step of a walk that sees it or not."""
FaultKey = tuple[int, int, int]
"""Dword 0, iotval and iotval2 of a fault record, without the bits that an IOMMU may leave 0."""
PPN_MASK, GUEST_PAGE_MASK = (1 << 44) - 1, (1 << 47) - 1
"""Page numbers of the 56 bits that an SPA has, and of the 59 that a guest address for an ATS client has."""
MAX_ALTERNATIVES = 256


@dataclass(slots=True)
class Answer:
    """An answer of the model in the form in which it is compared.

    ``words``: {status, memory type, permissions, MRIF, notice identity}, page (of an MRIF: its address), notice page; three
    dwords. ``updates``: dwords that the walk changed, and their new values; ``reads``: dwords that it read.
    """

    words: tuple[int, int, int]
    page_shift: int
    fault: FaultKey | None
    response: Response
    device: DeviceContext | None
    process: ProcessContext | None
    updates: dict[int, int] = field(default_factory=dict)
    reads: tuple[int, ...] = ()
    extended: bool = False
    """Device contexts have the extended format."""
    big_endian: bool = False
    """``fctl.BE``."""
    steps: tuple[Step, ...] = ()
    """What the walk went through; not worked out for one of several that were possible."""

    @property
    def names_guest_page(self) -> bool:
        """An ATS completion with a guest address for a memory-resident interrupt file: the file is nowhere in it."""
        response = self.response
        return response.mrif is not None and response.permissions is not None and self.device is not None and self.device.t2gpa

    @property
    def grants_by_update(self) -> bool:
        """An ATS completion whose W depends on D bits that hardware sets."""
        device = self.device
        updates = device is not None and (device.update_first_stage_ad or device.update_second_stage_ad)
        return self.response.permissions is not None and updates

    @property
    def in_napot_range(self) -> bool:
        """A leaf of the page is one of sixteen, any of which a cache may read for all (Privileged specification, Svnapot)."""
        return any(step.table in PAGE_TABLES[:2] and step.is_leaf and bool(step.value & NAPOT) for step in self.steps)

    @property
    def same_as(self) -> tuple[object, ...]:
        """Equal for answers that nobody can tell apart."""
        return self.words, self.fault


def fault_key(words: Sequence[int]) -> FaultKey:
    """The compared part of a fault record of four dwords."""
    return words[0], words[2] & ~0xFFF, words[3] & ~0xFFC


def answer_words(response: Response, guest_address: bool) -> tuple[int, int, int]:
    """The compared part of a response; ``guest_address``: an ATS client is given one."""
    status = {Status.OK: 0, Status.UNSUPPORTED_REQUEST: 1, Status.COMPLETER_ABORT: 2}[response.status]
    if response.status is not Status.OK:
        return status, 0, 0
    granted = 0
    if response.permissions is not None:
        given = response.permissions
        granted = (
            given.read | given.write << 1 | given.exec << 2 | given.priv << 3 | given.global_ << 4 | given.untranslated_only << 5
        )
    word = status | granted << 16
    if response.spa is None:
        return word, 0, 0
    word |= response.memory_type << 8
    if response.mrif is not None:
        target = response.mrif
        return word | 1 << 24 | target.notice_identity << 32, target.address, target.notice_address >> 12
    # What an IOVA has beyond is lost without tables, or where the guest address is that of an interrupt file.
    mask = GUEST_PAGE_MASK if guest_address else PPN_MASK
    return word, response.spa >> 12 & mask, 0


class WalkMemory(SparseMemory):
    """The tables as one walk finds them: those of ``tables``, without the edits that this walk does not see.

    Updates of A and D are remembered here and change nothing. A step of a walk may see an edit or not, whatever the steps before
    have seen: caches answer for some of them. The first read of a step that concerns an undecided edit decides that it is seen,
    and ``chosen`` says so, by edit and step.
    """

    def __init__(self, tables: TableStore) -> None:
        super().__init__()
        self._tables = tables
        self._edits: dict[int, list[Edit]] = {}
        self._unseen: frozenset[int] = frozenset()
        self.trace = Trace()
        self.log = ReadLog()
        self.chosen: dict[Choice, bool] = {}
        self.updates: dict[int, int] = {}

    def begin(
        self, edits: Iterable[Edit] = (), unseen: frozenset[int] = frozenset(), chosen: dict[Choice, bool] | None = None
    ) -> None:
        """A new walk: the edits that are not simply in force, oldest first; the numbers of those that it does not see; and what
        is decided about others."""
        self._edits = {}
        for edit in edits:
            for address in edit.addresses:
                self._edits.setdefault(address, []).append(edit)
        self._unseen = unseen
        self.chosen = {} if chosen is None else chosen
        self.updates = {}

    def _look(self, dword: int) -> tuple[int, int]:
        """Value and state of a dword."""
        value = self.updates.get(dword)
        if value is None:
            value = self._tables.words.get(dword, 0)
        state = self._tables.states.get(dword, HEALTHY)
        edits = self._edits.get(dword)
        if edits is not None:
            value = self._version([(edit, edit.words[dword]) for edit in edits if dword in edit.words], value)
            state = self._version([(edit, edit.states[dword]) for edit in edits if dword in edit.states], state)
        return value, state

    def _version(self, changes: list[tuple[Edit, tuple[int, int]]], newest: int) -> int:
        """What the last edit that is seen has left; if that is the last of all, ``newest``: with what the hardware made of it."""
        step = self.trace.process_directory_reads + self.trace.first_stage_reads
        for edit, (_, new) in reversed(changes):
            if edit.number not in self._unseen and self.chosen.setdefault((edit.number, step), True):
                return newest if edit is changes[-1][0] else new
        return changes[0][1][0] if changes else newest

    def read_u64(self, address: int) -> int:
        value, state = self._look(address)
        self.log.dword(address, value)
        if state == REFUSED:
            raise MemoryAccessError(address)
        if state == POISONED:
            raise MemoryPoisonError(address)
        return value

    def read(self, address: int, length: int) -> bytes:
        found = [self._look(dword) for dword in range(address, address + length, 8)]
        self.log.entry(address, found[0][0])
        for state, failure in ((REFUSED, MemoryAccessError), (POISONED, MemoryPoisonError)):
            if any(mark == state for _, mark in found):
                raise failure(address)
        return b"".join(value.to_bytes(8, "little") for value, _ in found)

    def compare_exchange_u64(self, address: int, expected: int, value: int) -> int:
        found = self.read_u64(address)
        if found == expected:
            self.updates[address] = value
        return found


class Reference:
    """The model on the tables of one machine; requests are known by their number in ``requests``."""

    def __init__(self, configuration: IommuConfiguration, tables: TableStore, requests: list[Request]) -> None:
        self.configuration = configuration
        self._memory = WalkMemory(tables)
        self._requests = requests
        self._answers: dict[int, Answer] = {}
        self._readers: dict[int, set[int]] = {}
        self._explored: dict[tuple[int, frozenset[int], frozenset[int]], list[Answer]] = {}
        self.walks = 0

    def answer(self, number: int) -> Answer:
        """The answer on the tables as they are now."""
        known = self._answers.get(number)
        if known is None:
            self._memory.begin()
            known = self._answers[number] = self._walk(self._requests[number], self.configuration)
            for address in known.reads:
                self._readers.setdefault(address, set()).add(number)
        return known

    def readers(self, addresses: Iterable[int]) -> set[int]:
        """Requests whose remembered walk has read one of ``addresses``."""
        found: set[int] = set()
        for address in addresses:
            found |= self._readers.get(address, set())
        return found

    def changed(self, addresses: Iterable[int]) -> None:
        """Dwords changed: walks that read them are forgotten."""
        for number in self.readers(addresses):
            for address in self._answers.pop(number).reads:
                self._readers[address].discard(number)

    def reconfigured(self, configuration: IommuConfiguration) -> None:
        """Another directory is in force: everything is forgotten."""
        self.configuration = configuration
        self._answers.clear()
        self._readers.clear()

    def alternatives(self, number: int, unseen: Sequence[Edit], undecided: Sequence[Edit]) -> list[Answer]:
        """Every answer of a walk that sees none of ``unseen`` and any of ``undecided``; the one that sees them all first."""
        request = self._requests[number]
        edits = sorted((*unseen, *undecided), key=lambda edit: edit.number)
        hidden = frozenset(edit.number for edit in unseen)
        key = number, hidden, frozenset(edit.number for edit in undecided)
        if key in self._explored:
            return self._explored[key]
        found: dict[tuple[object, ...], Answer] = {}
        for configuration in self._configurations(unseen, undecided):
            waiting: list[dict[Choice, bool]] = [{}]
            for _ in range(MAX_ALTERNATIVES):
                if not waiting:
                    break
                decided = waiting.pop()
                self._memory.begin(edits, hidden, dict(decided))
                answer = self._walk(request, configuration, explained=False)
                # Two configurations may lead to one place by pages of different size.
                known = found.setdefault(answer.same_as, answer)
                known.page_shift = max(known.page_shift, answer.page_shift)
                path = dict(decided)
                for choice, seen in self._memory.chosen.items():
                    if choice not in decided:
                        waiting.append({**path, choice: False})
                        path[choice] = seen
        self._explored[key] = list(found.values())
        return self._explored[key]

    def begin_round(self) -> None:
        """Forget what was explored: edits of the next round have other effects."""
        self._explored.clear()

    def _configurations(self, unseen: Sequence[Edit], undecided: Sequence[Edit]) -> list[IommuConfiguration]:
        latest = self.configuration
        for edit in reversed(unseen):
            if edit.configurations is not None:
                latest = edit.configurations[0]
        return [latest, *(edit.configurations[0] for edit in reversed(undecided) if edit.configurations is not None)]

    def _walk(self, request: Request, configuration: IommuConfiguration, explained: bool = True) -> Answer:
        self.walks += 1
        translation = Translation(request, configuration, self._memory)
        self._memory.trace = translation.trace
        self._memory.log.begin(translation.trace)
        response = translation.run()
        reads = tuple(dword for read in translation.trace.reads for dword in range(read.address, read.address + read.length, 8))
        fault = None if response.fault is None else fault_key(response.fault.pack())
        device = translation.device
        return Answer(
            answer_words(response, response.permissions is not None and device is not None and device.t2gpa),
            response.page_shift,
            fault,
            response,
            translation.device,
            translation.process,
            dict(self._memory.updates),
            reads,
            configuration.capabilities.msi_flat,
            configuration.big_endian,
            steps(self._memory.log, response, device, translation.process, configuration.big_endian) if explained else (),
        )
