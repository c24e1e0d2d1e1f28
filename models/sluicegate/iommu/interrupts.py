"""Interrupts of the IOMMU: pending causes, vectors, wires and the MSI configuration table.

Source: RISC-V IOMMU specification, *ipsr*, *icvec*, *msi_cfg_tbl*. A pending bit stays set until software clears it, and is
set again at once while its condition persists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluicegate.iommu.registers import Ipsr

CAUSE_ORDER: tuple[Ipsr, ...] = (Ipsr.CIP, Ipsr.FIP, Ipsr.PMIP, Ipsr.PIP)
ALL_CAUSES = Ipsr.CIP | Ipsr.FIP | Ipsr.PMIP | Ipsr.PIP


@dataclass(slots=True)
class MsiVector:
    """One entry of the MSI configuration table."""

    address: int = 0
    data: int = 0
    masked: bool = False
    pending: bool = False


class InterruptController:
    """``ipsr``, ``icvec`` and the MSI table.

    ``vector_bits`` is the number of implemented bits of each vector field (0 to 4). ``set_wire(line, level)`` is called at each
    change of a wire, ``send_msi(address, data)`` for each message; which of them depends on ``wired``. The vector of a cause that
    is not ``implemented`` is read-only 0, which the field's WARL allows and the reference model does.
    """

    def __init__(
        self,
        vector_bits: int,
        wired: Callable[[], bool],
        set_wire: Callable[[int, bool], None],
        send_msi: Callable[[int, int], None],
        implemented: Ipsr = ALL_CAUSES,
    ) -> None:
        if not 0 <= vector_bits <= 4:
            raise ValueError(f"{vector_bits} interrupt vector bits: choose 0 to 4")
        self.vector_bits = vector_bits
        self.vectors = [MsiVector() for _ in range(1 << vector_bits)]
        self.pending = Ipsr(0)
        self._icvec = 0
        self._writable = sum((1 << vector_bits) - 1 << 4 * at for at, cause in enumerate(CAUSE_ORDER) if cause & implemented)
        self._wired = wired
        self._set_wire = set_wire
        self._send_msi = send_msi
        self._levels = [False] * len(self.vectors)

    @property
    def icvec(self) -> int:
        return self._icvec

    @icvec.setter
    def icvec(self, value: int) -> None:
        self._icvec = value & self._writable
        self.drive_wires()

    def vector_of(self, cause: Ipsr) -> int:
        """The vector that ``cause`` is mapped to."""
        return self._icvec >> 4 * CAUSE_ORDER.index(cause) & 0xF

    def raise_causes(self, causes: Ipsr) -> None:
        """Make ``causes`` pending; each bit that was clear signals once."""
        rising = causes & ~self.pending
        self.pending |= causes
        for cause in CAUSE_ORDER:
            if cause & rising and not self._wired():
                self._signal(self.vector_of(cause))
        self.drive_wires()

    def clear(self, causes: Ipsr) -> None:
        """Software clears pending bits (write 1 to clear)."""
        self.pending &= ~causes
        self.drive_wires()

    def drive_wires(self) -> None:
        """Set each wire to the OR of the pending causes mapped to it."""
        levels = [False] * len(self.vectors)
        if self._wired():
            for cause in CAUSE_ORDER:
                if cause & self.pending:
                    levels[self.vector_of(cause)] = True
        for line, level in enumerate(levels):
            if level != self._levels[line]:
                self._levels[line] = level
                self._set_wire(line, level)

    def set_mask(self, vector: int, masked: bool) -> None:
        """Write the mask bit of a vector; an MSI that waited is sent when it opens."""
        entry = self.vectors[vector]
        entry.masked = masked
        if not masked and entry.pending:
            entry.pending = False
            self._send_msi(entry.address, entry.data)

    def _signal(self, vector: int) -> None:
        entry = self.vectors[vector]
        if entry.masked:
            entry.pending = True
        else:
            self._send_msi(entry.address, entry.data)
