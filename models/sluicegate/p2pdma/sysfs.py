"""What user space sees and chooses: ``p2pmem/{size,available,published,allocate}`` and the enable attribute of orchestrators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluicegate.dma.device import Device
from sluicegate.dma.errno import Errno
from sluicegate.dma.host import Host
from sluicegate.p2pdma.api import PeerBuffer, pci_alloc_p2pmem, pci_has_p2pmem
from sluicegate.p2pdma.registry import P2pdma

_TRUE: Final = ("y", "Y", "t", "T")
_FALSE: Final = ("n", "N", "f", "F")


class P2pmemGroup:
    """The ``p2pmem`` folder of a provider. Attributes are the text of the files."""

    def __init__(self, pdev: Device) -> None:
        self.device: Final = pdev

    @property
    def size(self) -> str:
        """Bytes in the pool."""
        state = P2pdma.of(self.device.host).state(self.device)
        return f"{0 if state is None or state.pool is None else state.pool.size}\n"

    @property
    def available(self) -> str:
        """Bytes free in the pool."""
        state = P2pdma.of(self.device.host).state(self.device)
        return f"{0 if state is None or state.pool is None else state.pool.available}\n"

    @property
    def published(self) -> str:
        """1 when orchestrators may find the memory."""
        return f"{int(pci_has_p2pmem(self.device))}\n"

    def mmap(self, size: int, offset: int = 0, shared: bool = True) -> PeerBuffer | int:
        """mmap of ``allocate``: the memory, or -EINVAL (private or with an offset), -ENODEV, -ENOMEM."""
        if not shared or offset:
            return -Errno.EINVAL
        if P2pdma.of(self.device.host).state(self.device) is None:
            return -Errno.ENODEV
        return pci_alloc_p2pmem(self.device, size) or -Errno.ENOMEM


@dataclass
class P2pmemChoice:
    """What ``pci_p2pdma_enable_store`` parsed: whether to use peer memory, and of which device (None: any)."""

    enabled: bool = False
    provider: Device | None = None


def pci_p2pdma_enable_store(host: Host, page: str, choice: P2pmemChoice) -> int:
    """Parse a PCI device name or a boolean into ``choice``: 0, or -ENODEV for an unknown or unpublished device."""
    text = page.rstrip("\n")
    for device in host.devices:
        if device.pci is not None and text == pci_name(device):
            if not pci_has_p2pmem(device):
                return -Errno.ENODEV
            choice.enabled, choice.provider = True, device
            return 0
    # A digit must stand alone: "0000:01:00.0" is a device that does not exist, not a 0.
    if text == "1" or text[:1] in _TRUE or text[:2].lower() == "on":
        choice.enabled, choice.provider = True, None
    elif text == "0" or text[:1] in _FALSE or text[:2].lower() == "of":
        choice.enabled, choice.provider = False, None
    else:
        return -Errno.ENODEV
    return 0


def pci_p2pdma_enable_show(choice: P2pmemChoice) -> str:
    """The counterpart: "0", "1" or the PCI name."""
    if not choice.enabled:
        return "0\n"
    return "1\n" if choice.provider is None else f"{pci_name(choice.provider)}\n"


def pci_name(device: Device) -> str:
    """``domain:bus:device.function`` of a PCI device."""
    assert device.pci is not None
    return f"{device.pci.host.domain:04x}:{device.pci.bdf}"
