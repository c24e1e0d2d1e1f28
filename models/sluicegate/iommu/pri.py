"""PCIe page requests (PRI): which are queued, which are answered at once, and which fault.

Source: RISC-V IOMMU specification, *PCIe ATS Page Request handling* and *Page-Request-Queue*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from sluicegate.iommu.ats import PageRequestGroupResponse
from sluicegate.iommu.capabilities import DirectoryMode, IommuConfiguration
from sluicegate.iommu.context import DeviceContext, locate_device_context
from sluicegate.iommu.port import WalkPort
from sluicegate.iommu.request import Cause, FaultRecord, Feature, Trace, TransactionType, TranslationFault
from sluicegate.memory import Memory

PAGE_REQUEST_CODE: Final = 0x04
"""Message code of a page request, which its fault records carry in ``iotval``."""
PAGE_REQUEST_BYTES: Final = 16


class ResponseCode(IntEnum):
    """Response code of a page-request-group response."""

    SUCCESS = 0x0
    INVALID_REQUEST = 0x1
    RESPONSE_FAILURE = 0xF


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page request message. ``payload`` is bytes 8 to 15: R bit 0, W bit 1, L bit 2, PRG index [11:3], address [63:12]."""

    requester_id: int
    payload: int
    segment_valid: bool = False
    segment: int = 0
    pasid_valid: bool = False
    process_id: int = 0
    priv: bool = False
    exec: bool = False

    @property
    def device_id(self) -> int:
        return self.segment << 16 | self.requester_id if self.segment_valid else self.requester_id

    @property
    def last(self) -> bool:
        return bool(self.payload >> 2 & 1)

    @property
    def group_index(self) -> int:
        return self.payload >> 3 & 0x1FF

    @property
    def stop_marker(self) -> bool:
        return self.payload & 7 == 4

    def pack(self) -> tuple[int, int]:
        """The two 64-bit words of the page-request-queue record."""
        first = self.device_id << 40
        if self.pasid_valid:
            first |= self.process_id << 12 | 1 << 32 | self.priv << 33 | self.exec << 34
        return first, self.payload


@dataclass(frozen=True, slots=True)
class PageRequestVerdict:
    """What becomes of a page request before the queue is looked at: queued (``code`` None), or refused with ``code``."""

    code: ResponseCode | None
    fault: FaultRecord | None
    response_pasid_required: bool
    trace: Trace = field(compare=False, repr=False)


_INVALID_CAUSES: Final = frozenset({Cause.TRANSACTION_TYPE_DISALLOWED})


def examine_page_request(message: PageRequest, configuration: IommuConfiguration, memory: Memory) -> PageRequestVerdict:
    """Locate the device context and check that it allows page requests."""
    port = WalkPort(memory, configuration)
    port.trace.features.add(Feature.PAGE_REQUEST)
    device: DeviceContext | None = None
    try:
        if configuration.mode is DirectoryMode.OFF:
            raise TranslationFault(Cause.ALL_INBOUND_DISALLOWED)
        if configuration.mode is DirectoryMode.BARE:
            raise TranslationFault(Cause.TRANSACTION_TYPE_DISALLOWED)
        device = locate_device_context(port, configuration, message.device_id)
        if not device.enable_pri:
            raise TranslationFault(Cause.TRANSACTION_TYPE_DISALLOWED)
    except TranslationFault as fault:
        reported = device is None or not device.disable_fault_reporting or fault.cause.reported_when_faults_disabled
        record = FaultRecord(
            fault.cause,
            TransactionType.PCIE_MESSAGE,
            message.device_id,
            message.process_id if message.pasid_valid else 0,
            message.pasid_valid,
            message.pasid_valid and message.priv,
            PAGE_REQUEST_CODE,
        )
        code = ResponseCode.INVALID_REQUEST if fault.cause in _INVALID_CAUSES else ResponseCode.RESPONSE_FAILURE
        required = device is not None and device.prg_response_pasid_required
        return PageRequestVerdict(code, record if reported else None, required, port.trace)
    return PageRequestVerdict(None, None, device.prg_response_pasid_required, port.trace)


def automatic_response(
    message: PageRequest, code: ResponseCode, response_pasid_required: bool
) -> PageRequestGroupResponse | None:
    """The response the IOMMU sends by itself; None for a stop marker and for a request that is not the last of its group."""
    if not message.last or message.stop_marker:
        return None
    with_pasid = message.pasid_valid and (code is ResponseCode.RESPONSE_FAILURE or response_pasid_required)
    return PageRequestGroupResponse(
        message.requester_id,
        message.segment_valid,
        message.segment if message.segment_valid else 0,
        with_pasid,
        message.process_id if with_pasid else 0,
        message.requester_id << 48 | code << 44 | message.group_index << 32,
    )
