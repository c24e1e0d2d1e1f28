"""Everything P2PDMA knows about one host: providers, distances, map types, and the search for memory between peers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sluicegate.dma.device import Device
from sluicegate.p2pdma.distance import PeerPath, peer_path
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.p2pdma.provider import P2pdmaProvider, P2pdmaState
from sluicegate.pci.topology import PciDevice

if TYPE_CHECKING:
    from sluicegate.dma.host import Host

MAX_CANDIDATES: Final = 512
"""Equally close providers that are drawn from."""


class P2pdma:
    """The P2PDMA side of a host.

    Args:
        host: the machine; the registry becomes its ``p2pdma``.
        cpu_is_zen: an AMD CPU of family 0x17 or later, which routes between all its host bridges.
        subsection_rule: resources must start and end on 2 MiB (architectures with a sparse memory map).
        seed: of the draw between equally close providers.
    """

    def __init__(self, host: Host, *, cpu_is_zen: bool = False, subsection_rule: bool = False, seed: int = 0) -> None:
        self.host: Final = host
        self.cpu_is_zen: Final = cpu_is_zen
        self.subsection_rule: Final = subsection_rule
        self._random: Final = random.Random(seed)
        self._states: Final[dict[int, P2pdmaState]] = {}
        self._owners: Final[dict[int, Device]] = {}
        host.p2pdma = self

    @classmethod
    def of(cls, host: Host) -> P2pdma:
        """The registry of ``host``, made with defaults at first use."""
        return cls(host) if host.p2pdma is None else host.p2pdma

    def state(self, device: Device) -> P2pdmaState | None:
        """The device's provider state, None before it provides anything."""
        return self._states.get(id(device))

    def create_state(self, device: Device) -> P2pdmaState:
        """The same, made at need."""
        found = self._states.get(id(device))
        if found is None:
            found = self._states[id(device)] = P2pdmaState()
            self._owners[id(device)] = device
        return found

    def path(self, provider: Device, client: PciDevice) -> PeerPath:
        """Path between two devices, computed anew and remembered for mappings."""
        assert provider.pci is not None
        path = peer_path(provider.pci, client, self.cpu_is_zen)
        state = self.state(provider)
        if state is not None:
            state.map_types[client.path_identifier] = path.map_type
        return path

    def distance_many(self, provider: Device, clients: Sequence[Device]) -> int:
        """Sum of the distances from ``provider`` to each client; -1 when there is none, or any cannot be reached."""
        if not clients or provider.pci is None:
            return -1
        total = 0
        supported = True
        for client in clients:
            pci = nearest_pci_device(client)
            if pci is None:
                return -1
            path = self.path(provider, pci)
            supported = supported and path.map_type is not P2pdmaMapType.NOT_SUPPORTED
            total += path.distance
        return total if supported else -1

    def map_type(self, provider: P2pdmaProvider, device: object) -> P2pdmaMapType:
        """How ``device`` itself (its parents do not count) reaches a provider: remembered from the first question on."""
        if not isinstance(device, Device) or device.pci is None:
            return P2pdmaMapType.NOT_SUPPORTED
        state = self.state(provider.owner)
        if state is None:
            return P2pdmaMapType.NOT_SUPPORTED
        known = state.map_types.get(device.pci.path_identifier)
        return self.path(provider.owner, device.pci).map_type if known is None else known

    def find_many(self, clients: Sequence[Device]) -> Device | None:
        """The closest device with published memory that all clients reach; equally close ones are drawn from."""
        closest: list[Device] = []
        best = -1
        for key, state in self._states.items():
            owner = self._owners[key]
            if not state.published or owner.removed:
                continue
            distance = self.distance_many(owner, clients)
            if distance < 0 or (best >= 0 and distance > best):
                continue
            if distance != best:
                closest.clear()
                best = distance
            closest.append(owner)
        if not closest:
            return None
        chosen = self._random.choice(closest[:MAX_CANDIDATES])
        self._states[id(chosen)].references += 1
        return chosen


def nearest_pci_device(device: Device) -> PciDevice | None:
    """The PCI function a device is, or the one above it."""
    node: Device | None = device
    while node is not None:
        if node.pci is not None:
            return node.pci
        node = node.parent
    return None
