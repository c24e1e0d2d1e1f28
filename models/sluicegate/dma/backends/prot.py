"""The protection that dma-iommu gives a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sluicegate.dma.attrs import MMIO, PRIVILEGED
from sluicegate.dma.backends.domain import IommuProt
from sluicegate.dma.direction import DmaDirection

if TYPE_CHECKING:
    from sluicegate.dma.device import Device

_PERMISSIONS: Final = {
    DmaDirection.BIDIRECTIONAL: IommuProt.READ | IommuProt.WRITE,
    DmaDirection.TO_DEVICE: IommuProt.READ,
    DmaDirection.FROM_DEVICE: IommuProt.WRITE,
}
# Every combination once, by direction and three flags: building an IntFlag costs a microsecond.
_PROT: Final = [
    permission
    | (IommuProt.MMIO if mmio else IommuProt.CACHE if coherent else IommuProt.NONE)
    | (IommuProt.PRIV if privileged else IommuProt.NONE)
    for permission in _PERMISSIONS.values()
    for coherent in (False, True)
    for mmio in (False, True)
    for privileged in (False, True)
]


def iommu_prot(device: Device, direction: DmaDirection, attrs: int) -> IommuProt:
    """Protection of a mapping (``dma_info_to_prot``)."""
    return _PROT[direction << 3 | device.coherent << 2 | (attrs & MMIO != 0) << 1 | (attrs & PRIVILEGED != 0)]
