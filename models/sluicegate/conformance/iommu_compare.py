"""Rules by which an IOMMU's answer equals a recorded one.

What the specification leaves open is not compared: ``iotval[11:0]``, ``iotval2[11:2]``, the size of the translated range, and
the attributes of a response without address.
"""

from __future__ import annotations

from typing import Final

from sluicegate.conformance.iommu_cases import ExpectedResponse, PageRequestOutcome, TranslationTest
from sluicegate.conformance.iommu_dut import TranslationOutcome
from sluicegate.iommu.request import FaultRecord, Response, Status, TransactionType

_IOTVAL_IGNORED: Final = 0xFFF
_IOTVAL2_IGNORED: Final = 0xFFC


def comparable_fault(record: FaultRecord | None) -> tuple[object, ...] | None:
    """What of a fault record is compared. ``iotval`` of a message is its code and compared in full."""
    if record is None:
        return None
    message = record.transaction_type is TransactionType.PCIE_MESSAGE
    return (
        int(record.cause),
        record.transaction_type,
        record.device_id,
        record.pasid_valid,
        record.process_id,
        record.priv,
        record.iotval if message else record.iotval & ~_IOTVAL_IGNORED,
        record.iotval2 & ~_IOTVAL2_IGNORED,
    )


def response_difference(expected: ExpectedResponse, got: Response, reports_msi: bool = True) -> str | None:
    """The first difference in words, or None when ``got`` agrees. ``reports_msi``: ``got.msi`` is known to the device."""
    if got.status is not expected.status:
        return f"status {expected.status.name} expected, got {got.status.name} (fault {got.fault})"
    if comparable_fault(got.fault) != comparable_fault(expected.fault):
        return f"fault {expected.fault} expected, got {got.fault}"
    if got.status is not Status.OK:
        return None
    if expected.permissions != got.permissions:
        return f"{expected.permissions} expected, got {got.permissions}"
    if expected.spa is None:
        return None
    if got.spa != expected.spa:
        return f"SPA {expected.spa:#x} expected, got {'none' if got.spa is None else f'{got.spa:#x}'}"
    if got.memory_type != expected.memory_type:
        return f"memory type {expected.memory_type.name} expected, got {got.memory_type.name}"
    if reports_msi and got.msi != expected.msi:
        return f"msi {expected.msi} expected, got {got.msi}"
    mrif = None if got.mrif is None else (got.mrif.address, got.mrif.notice_identity)
    if mrif != expected.mrif:
        return f"MRIF {expected.mrif} expected, got {mrif}"
    return None


def translation_difference(test: TranslationTest, outcome: TranslationOutcome, reports_msi: bool = True) -> str | None:
    """The first difference of a translation test, A/D updates included; None when it agrees."""
    difference = response_difference(test.expected, outcome.response, reports_msi)
    if difference is not None:
        return difference
    if outcome.updates != test.updates:
        return f"updates {test.updates} expected, got {outcome.updates}"
    return None


def page_request_difference(expected: PageRequestOutcome, got: PageRequestOutcome) -> str | None:
    """The first difference of a page request, or None."""
    if comparable_fault(expected.fault) != comparable_fault(got.fault):
        return f"fault {expected.fault} expected, got {got.fault}"
    for name in ("record", "response", "memory_fault", "overflow"):
        if getattr(expected, name) != getattr(got, name):
            return f"{name} {getattr(expected, name)} expected, got {getattr(got, name)}"
    return None
