"""Bins of the commands that the IOMMU completed: each command with the operands that change what it does.

Source: RISC-V IOMMU specification, *Command-Queue*. The group is the same in every top with an IOMMU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tb.bridge.event_log import EventKind, LogBatch
from tb.coverage.collector import Collector, Records
from tb.coverage.group import Axis, CoverGroup, Illegal

COMMAND: Final = Axis("command", ("IOTINVAL.VMA", "IOTINVAL.GVMA"))
DIRECTORY: Final = Axis("command", ("IODIR.INVAL_DDT", "IODIR.INVAL_PDT"))
ADDRESS: Final = Axis("address", ("all addresses", "one page", "range"))
PROCESS: Final = Axis("PSCID", ("all processes", "one process"))
GUEST: Final = Axis("GSCID", ("no guest", "one guest"))
DEVICE: Final = Axis("device", ("all devices", "one device"))
STORE: Final = Axis("store", ("none", "store"))
WIRE: Final = Axis("interrupt", ("none", "wired"))
EARLIER_READS: Final = Axis("earlier reads", ("not awaited", "awaited"))
EARLIER_WRITES: Final = Axis("earlier writes", ("not awaited", "awaited"))
ATS: Final = Axis("command", ("ATS.INVAL", "ATS.PRGR"))
ATS_PASID: Final = Axis("PASID", ("none", "PASID"))
ATS_SEGMENT: Final = Axis("segment", ("own", "DSV"))
_IOTINVAL, _IOFENCE, _IODIR, _ATS = 1, 2, 3, 4


class CommandCollector(Collector):
    """Samples every command that the IOMMU reports as completed."""

    def __init__(self) -> None:
        self._invalidations = CoverGroup(
            "iommu: IOTINVAL",
            (COMMAND, ADDRESS, PROCESS, GUEST),
            (
                Illegal(
                    "IOTINVAL.GVMA with PSCV is an illegal command",
                    lambda of: (of["command"] == "IOTINVAL.GVMA") & (of["PSCID"] == "one process"),
                ),
            ),
            block="iommu",
        )
        self._fences = CoverGroup("iommu: IOFENCE.C", (STORE, WIRE, EARLIER_READS, EARLIER_WRITES), block="iommu")
        self._directories = CoverGroup(
            "iommu: IODIR",
            (DIRECTORY, DEVICE),
            (
                Illegal(
                    "IODIR.INVAL_PDT without DV is an illegal command",
                    lambda of: (of["command"] == "IODIR.INVAL_PDT") & (of["device"] == "all devices"),
                ),
            ),
            block="iommu",
        )
        self._ats = CoverGroup("iommu: ATS commands", (ATS, ATS_PASID, ATS_SEGMENT), block="iommu")
        self.groups: Sequence[CoverGroup] = (self._invalidations, self._fences, self._directories, self._ats)

    def ingest(self, batch: LogBatch) -> None:
        records = batch.of_kind(EventKind.IOMMU_COMMAND)
        if not records.size:
            return
        low, second, high = records["header"][:, 0], records["header"][:, 1], records["header"][:, 2]
        at = Records(records)

        def bit(word: np.ndarray[tuple[int], np.dtype[np.uint32]], position: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
            return word >> np.uint32(position) & np.uint32(1)

        opcode, function = low & np.uint32(0x7F), low >> np.uint32(7) & np.uint32(7)
        kind = np.minimum(function, np.uint32(1))
        address = np.where(bit(low, 10) == 0, np.uint32(0), bit(high, 9) + np.uint32(1))
        self._invalidations.sample(kind, address, bit(second, 0), bit(second, 1), rows=opcode == _IOTINVAL, at=at)
        self._fences.sample(bit(low, 10), bit(low, 11), bit(low, 12), bit(low, 13), rows=opcode == _IOFENCE, at=at)
        self._directories.sample(kind, bit(second, 1), rows=opcode == _IODIR, at=at)
        self._ats.sample(kind, bit(second, 0), bit(second, 1), rows=opcode == _ATS, at=at)
