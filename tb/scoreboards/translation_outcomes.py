"""What a request may be answered: the golden model over every choice of table values, and the comparison with what it got."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.request import AddressType, FaultRecord, Permissions, Request, Response, Status, TransactionType
from sluicegate.iommu.translate import translate

from tb.bridge.event_log import RequestBit
from tb.scoreboards.fault_log import FaultKey, record_key
from tb.scoreboards.table_memory import Choices, TableMemory, no_choices
from tb.scoreboards.translation_pairs import TranslationPairs

MAX_OUTCOMES = 256
OBSERVED_STATUS = {Status.OK: 0, Status.UNSUPPORTED_REQUEST: 1, Status.COMPLETER_ABORT: 2}
"""Status at the translation port."""


def outcomes(request: Request, configuration: IommuConfiguration, memory: TableMemory, choices: Choices) -> list[Response]:
    """Every answer that some choice of values gives, the one with the newest values first."""
    memory.choices = choices
    found: list[Response] = []
    waiting = [dict[int, int]()]
    while waiting and len(found) < MAX_OUTCOMES:
        chosen = waiting.pop()
        memory.chosen = dict(chosen)
        memory.updates.clear()
        found.append(translate(request, configuration, memory))
        path = dict(chosen)
        for address, value in memory.chosen.items():
            if address not in chosen:
                waiting += [{**path, address: other} for other in (choices(address) or ())[1:]]
                path[address] = value
    memory.choices, memory.chosen = no_choices, {}
    return found


def alike(pairs: TranslationPairs, turns: Sequence[int]) -> list[list[int]]:
    """Rows that :func:`outcomes` and :func:`fits` cannot tell apart, in the order of the first of each.

    They ask for one page in the same way, were given the same, and none of ``turns`` (where in the log the values change that a
    request may see, ascending) lies between their requests, nor between their answers.
    """
    at = np.array(turns, np.uint64)
    columns = (
        np.searchsorted(at, pairs.requested_at),
        np.searchsorted(at, pairs.answered_at),
        pairs.iova >> np.uint64(12),
        pairs.spa - pairs.iova,
        pairs.device_id,
        pairs.process_id,
        pairs.bits,
        pairs.given,
    )
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, key in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def fits(pairs: TranslationPairs, row: int, request: Request, answer: Response) -> bool:
    """Is ``answer`` what the IOMMU gave? It may report a smaller range, and must have updated A and D before."""
    status = int(pairs.status[row])
    if status != OBSERVED_STATUS[answer.status]:
        return False
    if status:
        return True
    if answer.permissions is not None and not _grants(int(pairs.permissions[row]), answer.permissions):
        return False
    if answer.spa is None or (answer.permissions is not None and not (answer.permissions.read or answer.permissions.write)):
        return True
    if answer.trace.updates and request.address_type is AddressType.UNTRANSLATED:
        return False
    if int(pairs.memory_type[row]) != answer.memory_type and answer.mrif is None:
        return False
    return answer.mrif is not None or (int(pairs.spa[row]) == answer.spa and int(pairs.size[row]) <= answer.page_shift)


def _grants(observed: int, expected: Permissions) -> bool:
    """Are these the permissions of a translation request? Without R and W nothing else counts; CXL.io is not compared."""
    bits = expected.read | expected.write << 1
    if not bits:
        return observed & 3 == 0
    bits |= expected.exec << 2 | expected.priv << 3 | expected.global_ << 4 | expected.untranslated_only << 5
    return observed & 0x3F == bits


def request_of(pairs: TranslationPairs, row: int) -> Request:
    """The request of one pair."""
    bits = int(pairs.bits[row])
    return Request(
        int(pairs.device_id[row]),
        int(pairs.iova[row]),
        write=bool(bits & RequestBit.WRITE),
        address_type=AddressType(int(pairs.address_type[row])),
        process_id=int(pairs.process_id[row]),
        pasid_valid=bool(bits & RequestBit.PV),
        priv=bool(bits & RequestBit.PRIV),
        exec=bool(bits & RequestBit.EXEC),
        no_write=bool(bits & RequestBit.NO_WRITE),
    )


def fault_key(request: Request) -> FaultKey:
    """Key of the record of a fault of ``request``."""
    valid = request.pasid_valid
    return record_key(
        FaultRecord(
            0,
            TransactionType(request.transaction_type),
            request.device_id,
            request.process_id if valid else 0,
            valid,
            valid and request.priv,
            request.iova,
        )
    )


def describe_answer(answer: Response) -> str:
    """An answer of the golden model in words, for messages."""
    if answer.status is not Status.OK:
        return f"status {OBSERVED_STATUS[answer.status]} (cause {int(answer.cause or 0)})"
    if answer.spa is None:
        return "success without translation"
    updates = " after an update of A and D in memory" if answer.trace.updates else ""
    return f"{answer.spa:#x} (range at most 2^{answer.page_shift}){updates}"
