"""Layout of the 4 KiB register page (RISC-V IOMMU specification, *Memory-mapped register interface*).

Offsets are in bytes from the base of the page; registers are little-endian, 4 or 8 bytes wide.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

REGISTER_PAGE_BYTES: Final = 4096
MAX_COUNTERS: Final = 31
MAX_VECTORS: Final = 16
PPN_FIELD: Final = ((1 << 44) - 1) << 10
LOG2SZ_FIELD: Final = 0x1F


class Offset(IntEnum):
    """Byte offset of each register; arrays name their first element."""

    CAPABILITIES = 0x000
    FCTL = 0x008
    DDTP = 0x010
    CQB = 0x018
    CQH = 0x020
    CQT = 0x024
    FQB = 0x028
    FQH = 0x030
    FQT = 0x034
    PQB = 0x038
    PQH = 0x040
    PQT = 0x044
    CQCSR = 0x048
    FQCSR = 0x04C
    PQCSR = 0x050
    IPSR = 0x054
    IOCOUNTOVF = 0x058
    IOCOUNTINH = 0x05C
    IOHPMCYCLES = 0x060
    IOHPMCTR = 0x068
    IOHPMEVT = 0x160
    TR_REQ_IOVA = 0x258
    TR_REQ_CTL = 0x260
    TR_RESPONSE = 0x268
    IOMMU_QOSID = 0x270
    ICVEC = 0x2F8
    MSI_CFG_TBL = 0x300


class Fctl(IntFlag):
    BE = 1 << 0
    WSI = 1 << 1
    GXL = 1 << 2


class CommandQueueCsr(IntFlag):
    CQEN = 1 << 0
    CIE = 1 << 1
    CQMF = 1 << 8
    CMD_TO = 1 << 9
    CMD_ILL = 1 << 10
    FENCE_W_IP = 1 << 11
    CQON = 1 << 16
    BUSY = 1 << 17


class RecordQueueCsr(IntFlag):
    """``fqcsr`` and ``pqcsr``: the same layout."""

    QEN = 1 << 0
    IE = 1 << 1
    QMF = 1 << 8
    QOF = 1 << 9
    QON = 1 << 16
    BUSY = 1 << 17


class Ipsr(IntFlag):
    """Interrupt causes, in the order of their fields in ``icvec``."""

    CIP = 1 << 0
    FIP = 1 << 1
    PMIP = 1 << 2
    PIP = 1 << 3


class TranslationRequestControl(IntFlag):
    """``tr_req_ctl``: flags; PID in [31:12], DID in [63:40]."""

    GO = 1 << 0
    PRIV = 1 << 1
    EXE = 1 << 2
    NW = 1 << 3
    PV = 1 << 32


class HpmEvent(IntEnum):
    """Event identifiers of ``iohpmevt``."""

    NONE = 0
    UNTRANSLATED_REQUEST = 1
    TRANSLATED_REQUEST = 2
    ATS_REQUEST = 3
    TLB_MISS = 4
    DIRECTORY_WALK = 5
    PROCESS_DIRECTORY_WALK = 6
    FIRST_STAGE_WALK = 7
    SECOND_STAGE_WALK = 8


def counter_offset(index: int) -> int:
    """Offset of ``iohpmctr`` number ``index`` (from 1)."""
    return Offset.IOHPMCTR + 8 * (index - 1)


def event_offset(index: int) -> int:
    """Offset of ``iohpmevt`` number ``index`` (from 1)."""
    return Offset.IOHPMEVT + 8 * (index - 1)


def msi_offset(vector: int) -> int:
    """Offset of ``msi_addr`` of ``vector``; ``msi_data`` follows at +8 and ``msi_vec_ctl`` at +12."""
    return Offset.MSI_CFG_TBL + 16 * vector
