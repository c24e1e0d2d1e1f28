"""Commands of the command queue: encoding, decoding and legality.

A command is two 64-bit words. Source: RISC-V IOMMU specification, *Command-Queue*. ``decode_command`` is what hardware does
with the words, ``pack`` what a driver does to make them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from sluicegate.iommu.ats import InvalidateRequest, PageRequestGroupResponse
from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.request import Feature

CommandWords = tuple[int, int]
COMMAND_BYTES: Final = 16


class Opcode(IntEnum):
    IOTINVAL = 1
    IOFENCE = 2
    IODIR = 3
    ATS = 4


def _field(word: int, low: int, width: int) -> int:
    return word >> low & ((1 << width) - 1)


@dataclass(frozen=True, slots=True)
class InvalidateTranslations:
    """IOTINVAL.VMA, or IOTINVAL.GVMA with ``second_stage``.

    ``address`` None means all addresses, ``page_shift`` the log2 of the invalidated range around it; ``gscid`` None means
    host mappings (VMA) or all guests (GVMA); ``pscid`` None means all processes.
    """

    second_stage: bool = False
    address: int | None = None
    page_shift: int = 12
    pscid: int | None = None
    gscid: int | None = None
    non_leaf: bool = False

    def pack(self) -> CommandWords:
        low = Opcode.IOTINVAL | self.second_stage << 7 | self.non_leaf << 34
        high = 0
        if self.pscid is not None:
            low |= self.pscid << 12 | 1 << 32
        if self.gscid is not None:
            low |= self.gscid << 44 | 1 << 33
        if self.address is not None:
            low |= 1 << 10
            page = self.address >> 12
            if self.page_shift > 12:
                high |= 1 << 9
                bits = self.page_shift - 12
                page = page >> bits << bits | (1 << (bits - 1)) - 1
            high |= page << 10
        return low, high


@dataclass(frozen=True, slots=True)
class Fence:
    """IOFENCE.C: wait for all earlier commands; ``store_address`` gets the 32-bit ``data`` when it completes."""

    store_address: int | None = None
    data: int = 0
    wired_interrupt: bool = False
    previous_reads: bool = False
    previous_writes: bool = False

    def pack(self) -> CommandWords:
        low = Opcode.IOFENCE | self.wired_interrupt << 11 | self.previous_reads << 12 | self.previous_writes << 13
        if self.store_address is None:
            return low, 0
        if self.store_address & 3:
            raise ValueError(f"fence store address {self.store_address:#x} is not 4-byte aligned")
        return low | 1 << 10 | self.data << 32, self.store_address >> 2


@dataclass(frozen=True, slots=True)
class InvalidateDevice:
    """IODIR.INVAL_DDT: cached device (and process) contexts of one device, or of all with None."""

    device_id: int | None = None

    def pack(self) -> CommandWords:
        return (Opcode.IODIR if self.device_id is None else Opcode.IODIR | 1 << 33 | self.device_id << 40), 0


@dataclass(frozen=True, slots=True)
class InvalidateProcess:
    """IODIR.INVAL_PDT: the cached process context of one process of one device."""

    device_id: int
    process_id: int

    def pack(self) -> CommandWords:
        return Opcode.IODIR | 1 << 7 | self.process_id << 12 | 1 << 33 | self.device_id << 40, 0


@dataclass(frozen=True, slots=True)
class SendInvalidate:
    """ATS.INVAL: send an invalidate request message to a device."""

    message: InvalidateRequest

    def pack(self) -> CommandWords:
        return _pack_message(0, self.message), self.message.payload


@dataclass(frozen=True, slots=True)
class SendPageResponse:
    """ATS.PRGR: send a page-request-group response message to a device."""

    message: PageRequestGroupResponse

    def pack(self) -> CommandWords:
        return _pack_message(1, self.message), self.message.payload


Command = InvalidateTranslations | Fence | InvalidateDevice | InvalidateProcess | SendInvalidate | SendPageResponse


def _pack_message(function: int, message: InvalidateRequest | PageRequestGroupResponse) -> int:
    return (
        Opcode.ATS
        | function << 7
        | message.process_id << 12
        | message.pasid_valid << 32
        | message.segment_valid << 33
        | message.requester_id << 40
        | message.segment << 56
    )


def decode_command(words: CommandWords, configuration: IommuConfiguration) -> Command | None:
    """The command in ``words``, or None when it is illegal (reserved encoding, or not among the capabilities)."""
    opcode, function = words[0] & 0x7F, words[0] >> 7 & 7
    if opcode == Opcode.IOTINVAL and function < 2:
        return _decode_invalidate(words, configuration, second_stage=function == 1)
    if opcode == Opcode.IOFENCE and function == 0:
        return _decode_fence(words, configuration)
    if opcode == Opcode.IODIR and function < 2:
        return _decode_directory(words, configuration, process=function == 1)
    if opcode == Opcode.ATS and function < 2 and configuration.capabilities.ats:
        return _decode_ats(words, response=function == 1)
    return None


def _decode_invalidate(
    words: CommandWords, configuration: IommuConfiguration, second_stage: bool
) -> InvalidateTranslations | None:
    low, high = words
    capabilities = configuration.capabilities
    non_leaf, ranged, process_valid = low >> 34 & 1, high >> 9 & 1, low >> 32 & 1
    if low & (1 << 11 | 0x1FF << 35 | 0xF << 60) or high & (0x1FF | 3 << 62):
        return None
    if (non_leaf and not capabilities.nl) or (ranged and not capabilities.s) or (second_stage and process_valid):
        return None
    address, page_shift = None, 12
    if low >> 10 & 1:
        page = _field(high, 10, 52)
        if ranged:
            page_shift = min(13 + (~page & (page + 1)).bit_length() - 1, 64)
        address = (page << 12) >> page_shift << page_shift
    return InvalidateTranslations(
        second_stage,
        address,
        page_shift,
        _field(low, 12, 20) if process_valid else None,
        _field(low, 44, 16) if low >> 33 & 1 else None,
        bool(non_leaf),
    )


def _decode_fence(words: CommandWords, configuration: IommuConfiguration) -> Fence | None:
    low, high = words
    if low & (0x3FFFF << 14) or high >> 62 or (low >> 11 & 1 and not configuration.wired_interrupts):
        return None
    stores = low >> 10 & 1
    return Fence(
        high << 2 if stores else None,
        low >> 32 if stores else 0,
        bool(low >> 11 & 1),
        bool(low >> 12 & 1),
        bool(low >> 13 & 1),
    )


def _decode_directory(
    words: CommandWords, configuration: IommuConfiguration, process: bool
) -> InvalidateDevice | InvalidateProcess | None:
    low, high = words
    if low & (3 << 10 | 1 << 32 | 0x3F << 34) or high:
        return None
    process_id, device_valid, device_id = _field(low, 12, 20), low >> 33 & 1, low >> 40
    if not process:
        return None if process_id else InvalidateDevice(device_id if device_valid else None)
    if not device_valid or process_id >> configuration.capabilities.process_id_bits:
        return None
    return InvalidateProcess(device_id, process_id)


def _decode_ats(words: CommandWords, response: bool) -> SendInvalidate | SendPageResponse | None:
    low, payload = words
    if low & (3 << 10 | 0x3F << 34):
        return None
    process_valid, segment_valid = bool(low >> 32 & 1), bool(low >> 33 & 1)
    fields = (
        _field(low, 40, 16),
        segment_valid,
        low >> 56 if segment_valid else 0,
        process_valid,
        _field(low, 12, 20) if process_valid else 0,
        payload,
    )
    return SendPageResponse(PageRequestGroupResponse(*fields)) if response else SendInvalidate(InvalidateRequest(*fields))


def command_features(command: Command, configuration: IommuConfiguration) -> frozenset[Feature]:
    """What an IOMMU must have to execute a legal command."""
    features: set[Feature] = set()
    if configuration.big_endian:
        features.add(Feature.BIG_ENDIAN)
    match command:
        case InvalidateTranslations():
            if command.non_leaf:
                features.add(Feature.NON_LEAF_INVALIDATION)
            if command.page_shift > 12:
                features.add(Feature.RANGE_INVALIDATION)
        case Fence(wired_interrupt=True):
            features.add(Feature.WIRED_INTERRUPT)
        case InvalidateProcess():
            features.add(Feature.PROCESS_DIRECTORY)
        case SendInvalidate():
            features.update((Feature.ATS, Feature.ATS_INVALIDATION))
        case SendPageResponse():
            features.update((Feature.ATS, Feature.PAGE_REQUEST))
        case _:
            pass
    return frozenset(features)
