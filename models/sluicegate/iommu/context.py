"""Device and process contexts: location, decoding and configuration checks.

Source: RISC-V IOMMU specification, *Data Structures*, *Device-context configuration checks*, *Process-context configuration
checks*, *Process to locate the Device-context*.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from sluicegate.iommu.capabilities import Capabilities, DirectoryMode, IommuConfiguration
from sluicegate.iommu.port import DIRECTORY, WalkPort
from sluicegate.iommu.request import NO_QOS, Cause, Feature, QosIds, TranslationFault

PPN_MASK: Final = (1 << 44) - 1
_POINTER_RESERVED: Final = 0x3FF << 54 | 0x1FF << 1
"""Reserved bits of a non-leaf entry of the device or process directory."""


class FirstStageMode(IntEnum):
    """MODE of ``iosatp`` (``fsc`` without a process directory, and in process contexts)."""

    BARE = 0
    SV39 = 8
    SV48 = 9
    SV57 = 10

    @property
    def levels(self) -> int:
        """Levels of the page table; 0 for BARE."""
        return self - 5 if self else 0


class SecondStageMode(IntEnum):
    """MODE of ``iohgatp``."""

    BARE = 0
    SV39X4 = 8
    SV48X4 = 9
    SV57X4 = 10

    @property
    def levels(self) -> int:
        """Levels of the page table; 0 for BARE."""
        return self - 5 if self else 0


class ProcessDirectoryMode(IntEnum):
    """MODE of ``pdtp``."""

    BARE = 0
    PD8 = 1
    PD17 = 2
    PD20 = 3

    @property
    def process_id_bits(self) -> int:
        """Width of the process IDs that the directory covers; the full 20 bits when there is none."""
        return (20, 8, 17, 20)[self]


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """What a first-stage translation runs under: from a process context, or from the device context itself."""

    mode: FirstStageMode
    root: int
    """Byte address of the root page table (a guest physical one under a second stage)."""
    pscid: int
    enable_supervisory: bool = False
    sum: bool = False


BARE_CONTEXT: Final = ProcessContext(FirstStageMode.BARE, 0, 0)


@dataclass(frozen=True, slots=True)
class DeviceContext:
    """A valid and well-configured device context."""

    enable_ats: bool = False
    enable_pri: bool = False
    t2gpa: bool = False
    disable_fault_reporting: bool = False
    prg_response_pasid_required: bool = False
    update_second_stage_ad: bool = False
    update_first_stage_ad: bool = False
    default_process: bool = False
    first_stage_big_endian: bool = False
    second_stage: SecondStageMode = SecondStageMode.BARE
    second_stage_root: int = 0
    gscid: int = 0
    process_directory: ProcessDirectoryMode | None = None
    """None when ``PDTV`` is 0 and ``first_stage`` holds the context."""
    process_directory_root: int = 0
    first_stage: ProcessContext = BARE_CONTEXT
    msi_enabled: bool = False
    msi_root: int = 0
    msi_address_mask: int = 0
    msi_address_pattern: int = 0
    qos: QosIds = NO_QOS


_FIRST_STAGE_FEATURE: Final = {
    FirstStageMode.BARE: (),
    FirstStageMode.SV39: (Feature.FIRST_STAGE,),
    FirstStageMode.SV48: (Feature.FIRST_STAGE, Feature.SV48),
    FirstStageMode.SV57: (Feature.FIRST_STAGE, Feature.SV57),
}
_SECOND_STAGE_FEATURE: Final = {
    SecondStageMode.BARE: (),
    SecondStageMode.SV39X4: (Feature.SECOND_STAGE,),
    SecondStageMode.SV48X4: (Feature.SECOND_STAGE, Feature.SV48X4),
    SecondStageMode.SV57X4: (Feature.SECOND_STAGE, Feature.SV57X4),
}
_DIRECTORY_FEATURE: Final = {
    DirectoryMode.ONE_LEVEL: Feature.ONE_LEVEL_DIRECTORY,
    DirectoryMode.TWO_LEVEL: Feature.TWO_LEVEL_DIRECTORY,
    DirectoryMode.THREE_LEVEL: Feature.THREE_LEVEL_DIRECTORY,
}


def _first_stage_mode(field: int, capabilities: Capabilities) -> FirstStageMode | None:
    supported = {0: True, 8: capabilities.sv39, 9: capabilities.sv48, 10: capabilities.sv57}
    return FirstStageMode(field) if supported.get(field) else None


def _second_stage_mode(field: int, capabilities: Capabilities) -> SecondStageMode | None:
    supported = {0: True, 8: capabilities.sv39x4, 9: capabilities.sv48x4, 10: capabilities.sv57x4}
    return SecondStageMode(field) if supported.get(field) else None


def _process_directory_mode(field: int, capabilities: Capabilities) -> ProcessDirectoryMode | None:
    supported = {0: True, 1: capabilities.pd8, 2: capabilities.pd17, 3: capabilities.pd20}
    return ProcessDirectoryMode(field) if supported.get(field) else None


def context_size(capabilities: Capabilities) -> int:
    """Bytes of a device context: 64 in the extended format (MSI_FLAT), else 32."""
    return 64 if capabilities.msi_flat else 32


def directory_indices(device_id: int, capabilities: Capabilities) -> tuple[int, int, int]:
    """(DDI0, DDI1, DDI2) of a 24-bit device ID; DDI0 has 7 bits in the base format, 6 in the extended one."""
    leaf_bits = 6 if capabilities.msi_flat else 7
    return (
        device_id & ((1 << leaf_bits) - 1),
        device_id >> leaf_bits & 0x1FF,
        device_id >> (leaf_bits + 9),
    )


def device_id_limit(mode: DirectoryMode, capabilities: Capabilities) -> int:
    """First device ID that a directory of this depth cannot hold."""
    bits = (6 if capabilities.msi_flat else 7) + 9 * (mode.levels - 1)
    return 1 << min(bits, 24)


@lru_cache(maxsize=4096)
def decode_device_context(
    words: tuple[int, ...], configuration: IommuConfiguration
) -> tuple[DeviceContext | None, frozenset[Feature]]:
    """Decode the 4 or 8 dwords of a device context whose V bit is set.

    The context is None when it is misconfigured; the features are those it needs, misconfigured or not.
    """
    capabilities = configuration.capabilities
    features: set[Feature] = set()
    control, iohgatp, attributes, fsc = words[:4]

    def bit(position: int) -> bool:
        return bool(control >> position & 1)

    enable_ats, enable_pri, t2gpa, pdtv, prpr = bit(1), bit(2), bit(3), bit(5), bit(6)
    gade, sade, default_process, big_endian = bit(7), bit(8), bit(9), bit(10)
    second_stage = _second_stage_mode(iohgatp >> 60, capabilities)
    first_stage: FirstStageMode | None = FirstStageMode.BARE
    process_directory: ProcessDirectoryMode | None = None
    if pdtv:
        process_directory = _process_directory_mode(fsc >> 60, capabilities)
        if process_directory is not None:
            features.add(Feature.PROCESS_DIRECTORY)
    else:
        first_stage = _first_stage_mode(fsc >> 60, capabilities)
        if first_stage is not None:
            features.update(_FIRST_STAGE_FEATURE[first_stage])
    if second_stage is not None:
        features.update(_SECOND_STAGE_FEATURE[second_stage])
    if capabilities.ats and (enable_ats or enable_pri or prpr):
        features.add(Feature.ATS)
    if capabilities.t2gpa and t2gpa:
        features.add(Feature.T2GPA)
    if capabilities.amo_hwad and (gade or sade):
        features.add(Feature.HARDWARE_AD)
    if capabilities.end and big_endian != configuration.big_endian:
        features.add(Feature.BIG_ENDIAN)
    quality = attributes >> 40
    if capabilities.qosid and quality:
        features.add(Feature.QOSID)

    wrong = (
        control & (0xFFF << 12 | 0xFFFFFFFF << 32)
        or (not capabilities.ats and (enable_ats or enable_pri or prpr))
        or (not enable_ats and (t2gpa or enable_pri))
        or (not enable_pri and prpr)
        or (t2gpa and not capabilities.t2gpa)
        or second_stage is None
        or (t2gpa and second_stage is SecondStageMode.BARE)
        or (pdtv and process_directory is None)
        or first_stage is None
        or (not pdtv and default_process)
        or (second_stage is not SecondStageMode.BARE and iohgatp & 3)
        or ((sade or gade) and not capabilities.amo_hwad)
        or (big_endian != configuration.big_endian and not capabilities.end)
        or bit(11)
        or attributes & (0xFFF | 0xFF << 32)
        or fsc & 0xFFFF << 44
    )
    if capabilities.qosid:
        limit = 1 << configuration.qosid_bits
        wrong = wrong or (quality & 0xFFF) >= limit or quality >> 12 >= limit
    else:
        wrong = wrong or quality
    msi_enabled = False
    msi_root = mask = pattern = 0
    if capabilities.msi_flat:
        msiptp, mask, pattern, reserved = words[4:8]
        msi_mode = msiptp >> 60
        if msi_mode == 1:
            features.add(Feature.MSI_FLAT)
        msi_enabled = msi_mode == 1
        msi_root = (msiptp & PPN_MASK) << 12
        wrong = (
            wrong
            or msi_mode > 1
            or msiptp & 0xFFFF << 44
            or (msi_mode and second_stage is SecondStageMode.BARE)
            or mask >> 52
            or pattern >> 52
            or reserved
        )
    if wrong or second_stage is None or first_stage is None:
        return None, frozenset(features)
    root = (fsc & PPN_MASK) << 12
    context = DeviceContext(
        enable_ats=enable_ats,
        enable_pri=enable_pri,
        t2gpa=t2gpa,
        disable_fault_reporting=bit(4),
        prg_response_pasid_required=prpr,
        update_second_stage_ad=gade,
        update_first_stage_ad=sade,
        default_process=default_process,
        first_stage_big_endian=big_endian,
        second_stage=second_stage,
        second_stage_root=(iohgatp & PPN_MASK) << 12,
        gscid=iohgatp >> 44 & 0xFFFF,
        process_directory=process_directory,
        process_directory_root=root if pdtv else 0,
        first_stage=BARE_CONTEXT if pdtv else ProcessContext(first_stage, root, attributes >> 12 & 0xFFFFF),
        msi_enabled=msi_enabled,
        msi_root=msi_root,
        msi_address_mask=mask,
        msi_address_pattern=pattern,
        qos=QosIds(quality & 0xFFF, quality >> 12),
    )
    return context, frozenset(features)


def decode_process_context(words: tuple[int, ...], capabilities: Capabilities, features: set[Feature]) -> ProcessContext | None:
    """Decode the two dwords of a process context whose V bit is set; None when it is misconfigured."""
    attributes, fsc = words
    mode = _first_stage_mode(fsc >> 60, capabilities)
    if mode is not None:
        features.update(_FIRST_STAGE_FEATURE[mode])
    if mode is None or attributes & (0x1FF << 3 | 0xFFFFFFFF << 32) or fsc & 0xFFFF << 44:
        return None
    return ProcessContext(
        mode,
        (fsc & PPN_MASK) << 12,
        attributes >> 12 & 0xFFFFF,
        enable_supervisory=bool(attributes & 2),
        sum=bool(attributes & 4),
    )


def encode_device_context(context: DeviceContext, capabilities: Capabilities) -> tuple[int, ...]:
    """The 4 (base format) or 8 dwords of a valid device context: the inverse of decoding."""
    control = (
        1
        | context.enable_ats << 1
        | context.enable_pri << 2
        | context.t2gpa << 3
        | context.disable_fault_reporting << 4
        | (context.process_directory is not None) << 5
        | context.prg_response_pasid_required << 6
        | context.update_second_stage_ad << 7
        | context.update_first_stage_ad << 8
        | context.default_process << 9
        | context.first_stage_big_endian << 10
    )
    if context.process_directory is None:
        fsc = context.first_stage.mode << 60 | context.first_stage.root >> 12
    else:
        fsc = context.process_directory << 60 | context.process_directory_root >> 12
    iohgatp = context.second_stage << 60 | context.gscid << 44 | context.second_stage_root >> 12
    attributes = context.first_stage.pscid << 12 | context.qos.rcid << 40 | context.qos.mcid << 52
    words = (control, iohgatp, attributes, fsc)
    if not capabilities.msi_flat:
        return words
    msiptp = int(context.msi_enabled) << 60 | context.msi_root >> 12
    return (*words, msiptp, context.msi_address_mask, context.msi_address_pattern, 0)


def encode_process_context(context: ProcessContext) -> tuple[int, int]:
    """The two dwords of a valid process context."""
    attributes = 1 | context.enable_supervisory << 1 | context.sum << 2 | context.pscid << 12
    return attributes, context.mode << 60 | context.root >> 12


def directory_pointer(entry: int, not_valid: Cause, misconfigured: Cause) -> int:
    """Byte address that a non-leaf directory entry points to. Raises TranslationFault."""
    if not entry & 1:
        raise TranslationFault(not_valid)
    if entry & _POINTER_RESERVED:
        raise TranslationFault(misconfigured)
    return (entry >> 10 & PPN_MASK) << 12


def locate_device_context(port: WalkPort, configuration: IommuConfiguration, device_id: int) -> DeviceContext:
    """Walk the device directory (mode 1LVL, 2LVL or 3LVL) for ``device_id``. Raises TranslationFault."""
    capabilities = configuration.capabilities
    mode = configuration.mode
    features = port.trace.features
    features.add(_DIRECTORY_FEATURE[mode])
    if capabilities.msi_flat:
        features.add(Feature.EXTENDED_CONTEXT)
    if device_id >= device_id_limit(mode, capabilities):
        raise TranslationFault(Cause.TRANSACTION_TYPE_DISALLOWED)
    big_endian = configuration.big_endian
    if big_endian:
        features.add(Feature.BIG_ENDIAN)
    indices = directory_indices(device_id, capabilities)
    table = configuration.directory_base
    for level in range(mode.levels - 1, 0, -1):
        port.trace.directory_reads += 1
        entry = port.load_dword(table + 8 * indices[level], big_endian, DIRECTORY)
        table = directory_pointer(entry, Cause.DDT_NOT_VALID, Cause.DDT_MISCONFIGURED)
    size = context_size(capabilities)
    port.trace.directory_reads += 1
    words = port.load(table + size * indices[0], size // 8, big_endian, DIRECTORY)
    if not words[0] & 1:
        raise TranslationFault(Cause.DDT_NOT_VALID)
    context, needed = decode_device_context(words, configuration)
    features |= needed
    if context is None:
        raise TranslationFault(Cause.DDT_MISCONFIGURED)
    return context
