"""Translation of many requests at once, with the answers of ``translate``.

First stage, second stage and both together are walked in arrays (``decoded_tables``); what remains goes to the reference one by
one: memory errors, MSI pages, and entries whose A and D bits the hardware has to set. Within a batch, such updates take effect
after all other requests have been answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from sluicegate.iommu.batch_walk import GUEST_PAGE_FAULT, PAGE_FAULT, Flags, Progress, access_codes, msi_distance, walk_stage
from sluicegate.iommu.capabilities import DirectoryMode, IommuConfiguration
from sluicegate.iommu.context import DeviceContext, FirstStageMode, ProcessContext, SecondStageMode
from sluicegate.iommu.decoded_tables import DecodedTables, Indices, StageRules
from sluicegate.iommu.request import Request, Status, Trace, TranslationFault
from sluicegate.iommu.translate import Translation, translate
from sluicegate.iommu.walk import UNLIMITED_SHIFT, Walker
from sluicegate.memory import Memory

_DENSE_DEVICE_IDS: Final = 1 << 20
_BARE_PAGE_SHIFT: Final = 12
_NOBODY: Final = np.zeros(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Untranslated requests, one an array element; all arrays have shape [n].

    ``device_id`` u32, ``process_id`` u32, ``pasid_valid`` bool, ``priv`` bool (counts with ``pasid_valid``), ``exec`` bool
    (counts for reads), ``write`` bool, ``iova`` u64.
    """

    device_id: NDArray[np.uint32]
    process_id: NDArray[np.uint32]
    pasid_valid: Flags
    priv: Flags
    exec: Flags
    write: Flags
    iova: NDArray[np.uint64]

    @classmethod
    def uniform(cls, device_id: int, iova: NDArray[np.uint64], write: Flags | bool = False) -> Self:
        """Requests of one device without PASID."""
        shape = iova.shape
        off = np.zeros(shape, dtype=np.bool_)
        return cls(
            np.full(shape, device_id, dtype=np.uint32),
            np.zeros(shape, dtype=np.uint32),
            off,
            off,
            off,
            np.broadcast_to(np.asarray(write, dtype=np.bool_), shape),
            iova,
        )

    def __len__(self) -> int:
        return int(self.iova.size)

    def request(self, index: int) -> Request:
        """The request of one element."""
        return Request(
            int(self.device_id[index]),
            int(self.iova[index]),
            write=bool(self.write[index]),
            process_id=int(self.process_id[index]),
            pasid_valid=bool(self.pasid_valid[index]),
            priv=bool(self.priv[index]),
            exec=bool(self.exec[index]),
        )


@dataclass(frozen=True, slots=True)
class BatchResponse:
    """Answers, shape [n]: ``status`` u8 (:class:`Status`), ``spa`` u64, ``page_shift`` u8, ``cause`` u16.

    ``spa`` and ``page_shift`` are 0 where the status is not OK, ``cause`` is 0 where it is. The cause is given also where the
    device context suppresses its record.
    """

    status: NDArray[np.uint8]
    spa: NDArray[np.uint64]
    page_shift: NDArray[np.uint8]
    cause: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class _Stage:
    """A stage of a context: its decoded tables and the index base of its root."""

    tables: DecodedTables
    root: int


@dataclass(frozen=True, slots=True)
class _Context:
    """How the requests of one device and process are translated; ``by_reference``: one by one."""

    cause: int = 0
    by_reference: bool = False
    first: _Stage | None = None
    second: _Stage | None = None
    device: DeviceContext | None = None

    @property
    def roots(self) -> tuple[int, int]:
        """Index bases of the first and the second stage."""
        return self.first.root if self.first else 0, self.second.root if self.second else 0

    @property
    def family(self) -> object:
        """Contexts of equal families are walked together."""
        if self.by_reference or self.cause:
            return self.by_reference, self.cause
        msi_device = id(self.device) if self.device and self.device.msi_enabled else 0
        return id(self.first.tables) if self.first else 0, id(self.second.tables) if self.second else 0, msi_device


class BatchTranslator:
    """Translates batches against one configuration and memory, and keeps the decoded tables between batches.

    Tell it of changes of tables and contexts in memory: :meth:`update` for single dwords (cheap for last-level entries),
    :meth:`invalidate` for everything. Without that the translator answers as memory was when it first looked.
    """

    def __init__(self, configuration: IommuConfiguration, memory: Memory) -> None:
        self._configuration = configuration
        self._memory = memory
        self._contexts: dict[int, _Context] = {}
        self._shared: dict[StageRules, DecodedTables] = {}
        self._nested: list[DecodedTables] = []
        self._walks: list[Trace] = []
        """Reads that the contexts and the nested tables depend on."""

    def invalidate(self) -> None:
        """Forget everything that was read from memory."""
        self._contexts.clear()
        self._shared.clear()
        self._nested.clear()
        self._walks.clear()

    def update(self, address: int) -> None:
        """The dword at ``address`` (8-byte aligned) changed in memory: forget or renew what was made of it."""
        pages = {read.address >> 12 for walk in self._walks for read in walk.reads}
        tables = (*self._shared.values(), *self._nested)
        if address >> 12 in pages or not all(decoded.update(address) for decoded in tables):
            self.invalidate()

    def translate(self, requests: BatchRequest) -> BatchResponse:
        """Translate all ``requests``."""
        count = len(requests)
        response = BatchResponse(
            np.zeros(count, dtype=np.uint8),
            np.zeros(count, dtype=np.uint64),
            np.zeros(count, dtype=np.uint8),
            np.zeros(count, dtype=np.uint16),
        )
        if not count:
            return response
        mode = self._configuration.mode
        if mode is DirectoryMode.BARE:
            response.spa[:] = requests.iova
            response.page_shift[:] = _BARE_PAGE_SHIFT
            return response
        if mode is DirectoryMode.OFF:
            self._by_reference(requests, range(count), response)
            return response
        remaining: list[int] = []
        for group in self._groups(requests):
            remaining += self._translate_group(requests, group, response).tolist()
        self._by_reference(requests, sorted(remaining), response)
        return response

    def _by_reference(self, requests: BatchRequest, indices: list[int] | range, response: BatchResponse) -> None:
        for index in indices:
            answer = translate(requests.request(index), self._configuration, self._memory)
            response.status[index] = answer.status
            if answer.status is Status.OK and answer.spa is not None:
                response.spa[index] = answer.spa
                response.page_shift[index] = answer.page_shift
                response.cause[index] = 0
            else:
                response.spa[index] = response.page_shift[index] = 0
                response.cause[index] = answer.cause or 0
            if answer.trace.updates:
                self.invalidate()

    # Contexts

    def _groups(self, requests: BatchRequest) -> list[_Group]:
        """Partition the requests so that each group is walked through the same tables objects."""
        population = _population(requests)
        contexts = [self._context(key) for key in population.keys]
        if len(contexts) == 1:
            return [_Group(None, contexts[0], contexts[0].roots)]
        families: dict[object, int] = {}
        family_of = [families.setdefault(context.family, len(families)) for context in contexts]
        first_roots = population.spread([context.roots[0] for context in contexts])
        second_roots: Indices | int = 0
        if any(context.second is not None for context in contexts):
            second_roots = population.spread([context.roots[1] for context in contexts])
        if len(families) == 1:
            return [_Group(None, contexts[0], (first_roots, second_roots))]
        families_spread = population.spread(family_of)
        groups = []
        for family in families.values():
            members = np.flatnonzero(families_spread == family)
            inner = second_roots if isinstance(second_roots, int) else second_roots[members]
            groups.append(_Group(members, contexts[family_of.index(family)], (first_roots[members], inner)))
        return groups

    def _context(self, key: int) -> _Context:
        known = self._contexts.get(key)
        if known is None:
            known = self._contexts[key] = self._resolve(_request_of(key))
        return known

    def _resolve(self, request: Request) -> _Context:
        translation = Translation(request, self._configuration, self._memory)
        self._walks.append(translation.trace)
        try:
            device, process, walker = translation.locate()
        except TranslationFault as fault:
            if translation.device is not None and translation.device.second_stage:
                return _Context(by_reference=True)
            return _Context(cause=int(fault.cause))
        if process is None or (device.second_stage and (device.update_first_stage_ad or device.update_second_stage_ad)):
            return _Context(by_reference=True)
        first = second = None
        if process.mode is not FirstStageMode.BARE:
            tables = self._first_stage_tables(device, process, walker)
            root = tables.add_root(process.root)
            if root is None:
                return _Context(by_reference=True)
            first = _Stage(tables, root)
        if device.second_stage is not SecondStageMode.BARE:
            tables = self._shared_tables(self._rules(device.second_stage.levels, self._configuration.big_endian, guest=True))
            root = tables.add_root(device.second_stage_root)
            if root is None:
                return _Context(by_reference=True)
            second = _Stage(tables, root)
        return _Context(first=first, second=second, device=device)

    def _rules(
        self, levels: int, big_endian: bool, *, updates: bool = False, sum: bool = False, guest: bool = False
    ) -> StageRules:
        capabilities = self._configuration.capabilities
        return StageRules(levels, big_endian, capabilities.svpbmt, capabilities.svrsw60t59b, updates, sum, guest)

    def _first_stage_tables(self, device: DeviceContext, process: ProcessContext, walker: Walker) -> DecodedTables:
        rules = self._rules(
            process.mode.levels, device.first_stage_big_endian, updates=device.update_first_stage_ad, sum=process.sum
        )
        if not device.second_stage:
            return self._shared_tables(rules)

        def locate(address: int) -> int | None:
            try:
                return walker.translate_pointer(address).address
            except TranslationFault:
                return None

        tables = DecodedTables(self._memory, rules, self._configuration.capabilities.physical_address_bits, locate)
        self._nested.append(tables)
        return tables

    def _shared_tables(self, rules: StageRules) -> DecodedTables:
        tables = self._shared.get(rules)
        if tables is None:
            width = self._configuration.capabilities.physical_address_bits
            tables = self._shared[rules] = DecodedTables(self._memory, rules, width)
        return tables

    # Groups

    def _translate_group(self, requests: BatchRequest, group: _Group, response: BatchResponse) -> NDArray[np.intp]:
        """Answer a group; returns the indices of the requests left to the reference."""
        context = group.context
        if context.by_reference:
            return np.arange(len(requests)) if group.members is None else group.members
        part = group.select(requests)
        where = slice(None) if group.members is None else group.members
        if context.cause:
            response.status[where] = Status.UNSUPPORTED_REQUEST
            response.cause[where] = context.cause
            return _NOBODY
        access = access_codes(part.write, part.exec, part.pasid_valid, part.priv)
        progress = Progress(part.iova.view(np.int64))
        translated = response.spa.view(np.int64) if group.members is None else np.empty(len(part), dtype=np.int64)
        if context.first is not None:
            walk_stage(context.first.tables, group.roots[0], access.first_stage, progress, translated, PAGE_FAULT, access.kind)
        if context.second is not None and context.device is not None:
            distance = None
            if context.device.msi_enabled:
                distance = msi_distance(progress.address, context.device, self._configuration)
                progress.leave(distance == 0)
            walk_stage(context.second.tables, group.roots[1], access.kind, progress, translated, GUEST_PAGE_FAULT, access.kind)
            if distance is not None:
                progress.limit_page_shift((11 + np.frexp(distance.astype(np.float64))[1]).astype(np.uint8))
        if isinstance(progress.page_shift, int) and progress.page_shift == UNLIMITED_SHIFT:
            progress.page_shift = _BARE_PAGE_SHIFT
        response.page_shift[where] = progress.page_shift
        if progress.address.base is not response.spa:
            response.spa[where] = progress.address.view(np.uint64)
        if progress.failed is None:
            return _NOBODY
        failed = np.flatnonzero(progress.failed) if group.members is None else group.members[progress.failed]
        response.spa[failed] = 0
        response.page_shift[failed] = 0
        response.status[failed] = Status.UNSUPPORTED_REQUEST
        response.cause[failed] = progress.cause[progress.failed]
        if progress.left is None:
            return _NOBODY
        return np.flatnonzero(progress.left) if group.members is None else group.members[progress.left]


def translate_batch(requests: BatchRequest, configuration: IommuConfiguration, memory: Memory) -> BatchResponse:
    """Translate ``requests`` against memory as it is now."""
    return BatchTranslator(configuration, memory).translate(requests)


@dataclass(frozen=True, slots=True)
class _Group:
    """Requests (all, or those at ``members``) that share tables; index bases of the first and the second stage."""

    members: NDArray[np.intp] | None
    context: _Context
    roots: tuple[Indices | int, Indices | int]

    def select(self, requests: BatchRequest) -> BatchRequest:
        members = self.members
        if members is None:
            return requests
        return BatchRequest(
            requests.device_id[members],
            requests.process_id[members],
            requests.pasid_valid[members],
            requests.priv[members],
            requests.exec[members],
            requests.write[members],
            requests.iova[members],
        )


@dataclass(frozen=True, slots=True)
class _Population:
    """The distinct keys of a batch (device, process and privilege in one integer), and which request has which.

    ``place`` gives for each request an index into a table of ``size`` in which key ``i`` stands at ``slots[i]``.
    """

    keys: list[int]
    slots: NDArray[np.intp]
    size: int
    place: NDArray[np.integer[Any]]

    def spread(self, values: list[int]) -> Indices:
        """For each request the value of its key."""
        table = np.zeros(self.size, dtype=np.int64)
        table[self.slots] = values
        return table.take(self.place)


def _population(requests: BatchRequest) -> _Population:
    devices = requests.device_id
    if not requests.pasid_valid.any():
        first = int(devices[0])
        if (devices == first).all():
            return _Population([first], _NOBODY, 0, devices)
        highest = int(devices.max())
        if highest < _DENSE_DEVICE_IDS:
            present = np.zeros(highest + 1, dtype=np.bool_)
            present[devices] = True
            distinct = np.flatnonzero(present)
            return _Population(distinct.tolist(), distinct, highest + 1, devices)
    codes = devices.astype(np.uint64)
    process = requests.process_id.astype(np.uint64) << np.uint64(26)
    tagged = process | requests.priv.astype(np.uint64) << np.uint64(25) | np.uint64(1 << 24)
    codes |= np.where(requests.pasid_valid, tagged, np.uint64(0))
    values, inverse = np.unique(codes, return_inverse=True)
    return _Population(values.tolist(), np.arange(values.size), values.size, inverse)


def _request_of(key: int) -> Request:
    """A request with this key; where it goes does not matter to its contexts."""
    return Request(key & 0xFFFFFF, 0, pasid_valid=bool(key >> 24 & 1), priv=bool(key >> 25 & 1), process_id=key >> 26)
