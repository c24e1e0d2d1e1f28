"""The protection that dma-iommu gives a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sluicegate.dma.attrs import MMIO, PRIVILEGED
from sluicegate.dma.backends.domain import IommuProt
from sluicegate.dma.direction import DmaDirection

if TYPE_CHECKING:
    from sluicegate.dma.device import Device

_PERMISSIONS: Final = {
    DmaDirection.TO_DEVICE: IommuProt.READ,
    DmaDirection.FROM_DEVICE: IommuProt.WRITE,
    DmaDirection.BIDIRECTIONAL: IommuProt.READ | IommuProt.WRITE,
}
# Every combination once: building an IntFlag costs a microsecond.
_PROT: Final = {
    (direction, coherent, mmio, privileged): permission
    | (IommuProt.MMIO if mmio else IommuProt.CACHE if coherent else IommuProt.NONE)
    | (IommuProt.PRIV if privileged else IommuProt.NONE)
    for direction, permission in _PERMISSIONS.items()
    for coherent in (False, True)
    for mmio in (False, True)
    for privileged in (False, True)
}


def iommu_prot(device: Device, direction: DmaDirection, attrs: int) -> IommuProt:
    """Protection of a mapping (``dma_info_to_prot``); NONE for a direction that no transfer has."""
    key = (direction, device.coherent, attrs & MMIO != 0, attrs & PRIVILEGED != 0)
    return _PROT.get(key, IommuProt.NONE)
