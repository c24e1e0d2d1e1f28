"""The device that DMA API replays drive: behind dma-iommu, over a domain that records every call."""

from __future__ import annotations

from sluicegate.conformance.result import Case
from sluicegate.dma.backends.domain import RecordingDomain
from sluicegate.dma.backends.iommu import DmaIommu
from sluicegate.dma.debug import DebugMode
from sluicegate.dma.device import Device
from sluicegate.dma.host import Host


def iommu_device(case: Case) -> tuple[Device, RecordingDomain]:
    """The device and domain that the fields of a case describe. Reports are off: cases break rules on purpose."""
    host = Host(debug=DebugMode.OFF)
    domain = RecordingDomain(case["granule"])
    device = Device(
        host,
        "dut",
        backend=DmaIommu(host, domain, rcache=case["rcache"]),
        coherent=case["coherent"],
        dma_mask=case["dma_mask"],
        prefer_32bit=case["pci_32bit_workaround"],
    )
    return device, domain
