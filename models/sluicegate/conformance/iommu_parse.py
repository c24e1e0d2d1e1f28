"""Parser of the IOMMU vectors: JSON lines to the typed cases of ``iommu_cases``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from sluicegate.conformance.iommu_cases import (
    CheckOperation,
    CommandCase,
    CommandOperation,
    CommandOutcome,
    ExpectedResponse,
    MemoryImage,
    MemoryOperation,
    MessageOutcome,
    Operation,
    PageRequestCase,
    PageRequestOutcome,
    RequestOperation,
    SequenceCase,
    TranslationCase,
    TranslationTest,
)
from sluicegate.conformance.result import Case, ConformanceError, read_cases
from sluicegate.iommu.ats import PageRequestGroupResponse
from sluicegate.iommu.capabilities import Capabilities, IommuConfiguration
from sluicegate.iommu.pri import PageRequest
from sluicegate.iommu.request import (
    AddressType,
    FaultRecord,
    MemoryType,
    MemoryUpdate,
    Permissions,
    Request,
    Status,
    TransactionType,
)

_STATUS: Final = {"OK": Status.OK, "UR": Status.UNSUPPORTED_REQUEST, "CA": Status.COMPLETER_ABORT}

T = TypeVar("T")


def read_translation_cases(path: Path) -> Iterator[TranslationCase]:
    """Cases of an ``xlate_*`` file. Raises ConformanceError."""
    return _read(path, _translation_case)


def read_sequence_cases(path: Path) -> Iterator[SequenceCase]:
    """Cases of a ``seq_*`` file. Raises ConformanceError."""
    return _read(path, _sequence_case)


def read_page_request_cases(path: Path) -> Iterator[PageRequestCase]:
    """Cases of a ``pri`` file. Raises ConformanceError."""
    return _read(path, _page_request_case)


def read_command_cases(path: Path) -> Iterator[CommandCase]:
    """Cases of a ``cmd`` file. Raises ConformanceError."""
    return _read(path, _command_case)


def _read(path: Path, parse: Callable[[Case], T]) -> Iterator[T]:
    for number, case in read_cases(path):
        try:
            yield parse(case)
        except (KeyError, TypeError, ValueError) as error:
            raise ConformanceError(
                f"{path.name} line {number} is not a case of this format ({error!r}): record it again"
            ) from error


def _word(text: str) -> int:
    return int(text, 16)


def _configuration(case: Case) -> IommuConfiguration:
    return IommuConfiguration(Capabilities(_word(case["cap"])), case["fctl"], _word(case["ddtp"]), case["qosid_bits"])


def _image(case: Case) -> MemoryImage:
    return MemoryImage(
        {_word(address): _word(word) for address, word in case["mem"].items()},
        frozenset(_word(address) for address in case.get("af", ())),
        frozenset(_word(address) for address in case.get("poison", ())),
    )


def _request(data: dict[str, Any]) -> Request:
    return Request(
        device_id=data["did"],
        iova=_word(data["iova"]),
        write=bool(data["wr"]),
        address_type=AddressType(data["at"]),
        process_id=data["pid"],
        pasid_valid=bool(data["pv"]),
        priv=bool(data["priv"]),
        exec=bool(data["exec"]),
        no_write=bool(data["nw"]),
        cxl=bool(data["cxl"]),
    )


def _fault(data: dict[str, Any] | None) -> FaultRecord | None:
    if data is None:
        return None
    return FaultRecord(
        data["cause"],
        TransactionType(data["ttyp"]),
        data["did"],
        data["pid"],
        bool(data["pv"]),
        bool(data["priv"]),
        _word(data["iotval"]),
        _word(data.get("iotval2", "0")),
    )


def _response(data: dict[str, Any]) -> ExpectedResponse:
    status = _STATUS[data["st"]]
    fault = _fault(data["fault"])
    if status is not Status.OK:
        return ExpectedResponse(status, fault=fault)
    permissions = None
    if "r" in data:
        permissions = Permissions(*(bool(data[name]) for name in ("r", "w", "x", "g", "priv", "u", "cxl")))
    return ExpectedResponse(
        status,
        None if data["pa"] is None else _word(data["pa"]),
        MemoryType(data["pbmt"]),
        bool(data["msi"]),
        (_word(data["mrif_addr"]), data["nid"]) if data["mrif"] else None,
        permissions,
        fault,
    )


def _translation_case(case: Case) -> TranslationCase:
    tests = tuple(
        TranslationTest(
            _request(test["req"]),
            _response(test["rsp"]),
            tuple(MemoryUpdate(_word(address), _word(word)) for address, word in test["upd"]),
            tuple((_word(address), length) for address, length in test["walk"]),
        )
        for test in case["tests"]
    )
    return TranslationCase(case["id"], _configuration(case), _image(case), tests)


def _operation(data: dict[str, Any]) -> Operation:
    match data["op"]:
        case "req":
            return RequestOperation(_request(data["req"]), tuple(_response(answer) for answer in data["any"]))
        case "mem":
            return MemoryOperation(_word(data["a"]), _word(data["v"]))
        case "cmd":
            return CommandOperation((_word(data["w0"]), _word(data["w1"])), bool(data["done"]))
        case "chk32":
            return CheckOperation(_word(data["a"]), _word(data["v"]))
        case other:
            raise ValueError(f"unknown operation {other}")


def _sequence_case(case: Case) -> SequenceCase:
    return SequenceCase(case["id"], _configuration(case), _image(case), tuple(_operation(op) for op in case["ops"]))


def _page_request_case(case: Case) -> PageRequestCase:
    queue, message, outcome = case["pq"], case["msg"], case["out"]
    record, response = outcome["rec"], outcome["prgr"]
    return PageRequestCase(
        case["id"],
        _configuration(case),
        _image(case),
        PageRequest(
            message["rid"],
            _word(message["payload"]),
            bool(message["dsv"]),
            message["dseg"],
            bool(message["pv"]),
            message["pid"],
            bool(message["priv"]),
            bool(message["exec"]),
        ),
        bool(queue["en"]),
        bool(queue["full"]),
        _word(queue["base"]),
        queue["log2"],
        PageRequestOutcome(
            None if record is None else (_word(record[0]), _word(record[1])),
            None
            if response is None
            else PageRequestGroupResponse(
                response["rid"],
                bool(message["dsv"]),
                message["dseg"] if message["dsv"] else 0,
                bool(response["pv"]),
                response["pid"],
                _word(response["payload"]),
            ),
            bool(outcome["pqmf"]),
            bool(outcome["pqof"]),
            _fault(outcome["fault"]),
        ),
    )


def _command_case(case: Case) -> CommandCase:
    outcome = case["out"]
    store, message = outcome.get("wr"), outcome.get("msg")
    return CommandCase(
        case["id"],
        _configuration(case),
        (_word(case["w0"]), _word(case["w1"])),
        bool(case["fetch_af"]),
        CommandOutcome(
            bool(outcome["cmd_ill"]),
            bool(outcome["cqmf"]),
            bool(outcome["fence_w_ip"]),
            outcome["cqh"],
            None if store is None else (_word(store[0]), _word(store[1])),
            None
            if message is None
            else MessageOutcome(
                message["code"],
                message["rid"],
                bool(message["dsv"]),
                message["dseg"],
                bool(message["pv"]),
                message["pid"],
                _word(message["payload"]),
            ),
        ),
    )
