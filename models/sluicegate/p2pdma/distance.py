"""How far two PCI devices are apart for peer-to-peer traffic, and by which path (specification DMA_API, section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.pci.topology import HostBridge, PciDevice, PciExpressType

_INTEL: Final = 0x8086
_GOOGLE: Final = 0x1AE0
_SAME_BRIDGE_ONLY: Final = frozenset({0x3C00, 0x3C01, 0x2F00, 0x2F01})
_ANY_BRIDGE: Final = frozenset({0x2030, 0x2031, 0x2032, 0x2033, 0x2020, 0x09A2})


@dataclass(frozen=True, slots=True)
class PeerPath:
    """Map type and distance (links up plus links down) of a provider and a client."""

    map_type: P2pdmaMapType
    distance: int


def peer_path(provider: PciDevice, client: PciDevice, cpu_is_zen: bool = False) -> PeerPath:
    """The path from ``client`` to the memory of ``provider``. ``cpu_is_zen``: an AMD CPU of family 0x17 or later.

    Below a common bridge (or device) without ACS redirection on the way: by bus address. Else through the host bridges, where
    these are known to route it.
    """
    up = provider.chain()
    down = client.chain()
    places = {id(node): place for place, node in enumerate(down)}
    for place, node in enumerate(up):
        other = places.get(id(node))
        if other is None:
            continue
        distance = place + other
        if not any(device.redirects() for device in up[: place + 1]) and not any(device.redirects() for device in down[:other]):
            return PeerPath(P2pdmaMapType.BUS_ADDR, distance)
        break
    else:
        distance = len(up) + len(down)
    through = cpu_is_zen or host_bridges_listed(provider.host, client.host)
    return PeerPath(P2pdmaMapType.THRU_HOST_BRIDGE if through else P2pdmaMapType.NOT_SUPPORTED, distance)


def host_bridges_listed(first: HostBridge, second: HostBridge) -> bool:
    """Whether two host bridges (or one, twice) are on the kernel's list of those that route peer traffic."""
    if first is second:
        return _listed(first, same_bridge=True)
    return _listed(first, same_bridge=False) and _listed(second, same_bridge=False)


def _listed(bridge: HostBridge, same_bridge: bool) -> bool:
    root = bridge.first_device
    if root is None or (root.devfn != 0 and root.kind is not PciExpressType.ROOT_PORT):
        return False
    if root.vendor == _GOOGLE:
        return True
    if root.vendor != _INTEL:
        return False
    return root.device in _ANY_BRIDGE or (same_bridge and root.device in _SAME_BRIDGE_ONLY)
