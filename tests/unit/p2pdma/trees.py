"""PCI trees of the worked topologies: ``RP`` root port, ``U`` and ``D`` switch ports, ``A``, ``B``, ``C`` endpoints."""

from __future__ import annotations

from sluicegate.dma import Device, Host
from sluicegate.p2pdma.distance import PeerPath, peer_path
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.pci.topology import AcsControl, HostBridge, PciDevice, PciExpressType

REDIRECT = AcsControl.REQUEST_REDIRECT | AcsControl.COMPLETION_REDIRECT
UNLISTED = 0x9999

BUS_ADDR = P2pdmaMapType.BUS_ADDR
THRU = P2pdmaMapType.THRU_HOST_BRIDGE
NOT_SUPPORTED = P2pdmaMapType.NOT_SUPPORTED


class Tree:
    """Nodes by name. A root port carries the identity that the kernel knows its host bridge by."""

    def __init__(self) -> None:
        self.nodes: dict[str, PciDevice] = {}
        self.bridges: list[HostBridge] = []

    def bridge(self) -> HostBridge:
        self.bridges.append(HostBridge(len(self.bridges)))
        return self.bridges[-1]

    def root_port(
        self, name: str, bridge: HostBridge, device: int = UNLISTED, acs: int | None = None, vendor: int = 0x8086
    ) -> PciDevice:
        devfn = 8 * (len(bridge.devices) + 1)
        port = PciDevice(name, PciExpressType.ROOT_PORT, devfn=devfn, vendor=vendor, device=device, acs=acs)
        self.nodes[name] = bridge.add(port)
        return port

    def add(
        self, parent: PciDevice, name: str, kind: PciExpressType = PciExpressType.ENDPOINT, acs: int | None = None
    ) -> PciDevice:
        bus = 1 + len(self.nodes)
        node = PciDevice(name, kind, bus=bus, devfn=8 * len(parent.children), acs=acs)
        self.nodes[name] = parent.add(node)
        return node

    def switch(self, port: PciDevice, *endpoints: str, acs: dict[str, int] | None = None, tag: str = "") -> None:
        upstream = self.add(port, f"U{tag}", PciExpressType.UPSTREAM_PORT)
        for number, endpoint in enumerate(endpoints):
            name = f"D{number}{tag}"
            downstream = self.add(upstream, name, PciExpressType.DOWNSTREAM_PORT, (acs or {}).get(name))
            self.add(downstream, endpoint)

    def path(self, provider: str, client: str, zen: bool = False) -> PeerPath:
        return peer_path(self.nodes[provider], self.nodes[client], zen)

    def devices(self, host: Host) -> dict[str, Device]:
        """A DMA device for every node."""
        return {name: Device(host, name, pci=node) for name, node in self.nodes.items()}


def one_switch(device: int = UNLISTED, root_acs: int | None = None, **ports: int) -> Tree:
    """T4: a root port, a switch, A and B below two of its ports."""
    tree = Tree()
    tree.switch(tree.root_port("RP", tree.bridge(), device, root_acs), "A", "B", acs=ports)
    return tree
