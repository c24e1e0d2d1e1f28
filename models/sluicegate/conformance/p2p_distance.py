"""Replay of ``p2p_distance``: map type and distance of peers on random PCI trees.

A case is ``{id, cpu_zen, devices, first_on_root_bus, pairs, many}``; devices are ``{id, parent, host, acs_cap, acs_ctrl, devfn,
vendor, device, type}``, pairs [provider, client, type, distance], many [provider, [clients], sum] with client -1 for a device
that has no PCI ancestor.
"""

from __future__ import annotations

from pathlib import Path

from sluicegate.conformance.result import Case, FileResult, Mismatch, replay_cases
from sluicegate.dma.debug import DebugMode
from sluicegate.dma.device import Device
from sluicegate.dma.host import Host
from sluicegate.p2pdma.distance import peer_path
from sluicegate.p2pdma.registry import P2pdma
from sluicegate.pci.topology import HostBridge, PciDevice, PciExpressType


def build(case: Case) -> dict[int, PciDevice]:
    """The devices of a case, placed in their trees, by identifier."""
    hosts: dict[int, HostBridge] = {}
    devices: dict[int, PciDevice] = {}
    for row in case["devices"]:
        device = PciDevice(
            f"device {row['id']}",
            PciExpressType(row["type"]),
            devfn=row["devfn"],
            vendor=row["vendor"],
            device=row["device"],
            acs=row["acs_ctrl"] if row["acs_cap"] else None,
        )
        devices[row["id"]] = device
        if row["parent"] is None:
            hosts.setdefault(row["host"], HostBridge(row["host"])).add(device)
        else:
            devices[row["parent"]].add(device)
    for number, first in case["first_on_root_bus"].items():
        on_root_bus = hosts[int(number)].devices
        if devices[first] not in on_root_bus:
            raise ValueError(f"device {first} is not on root bus {number}")
        on_root_bus.sort(key=lambda device: device is not devices[first])
    return devices


def replay_case(case: Case) -> None:
    """Replay one case; raises Mismatch."""
    nodes = build(case)
    for index, (provider, client, map_type, distance) in enumerate(case["pairs"]):
        path = peer_path(nodes[provider], nodes[client], case["cpu_zen"])
        if (int(path.map_type), path.distance) != (map_type, distance):
            raise Mismatch(f"pair {index}", (map_type, distance), (int(path.map_type), path.distance))
    host = Host(debug=DebugMode.OFF)
    p2pdma = P2pdma(host, cpu_is_zen=case["cpu_zen"])
    clients = {number: Device(host, node.name, pci=node) for number, node in nodes.items()}
    clients[-1] = Device(host, "platform device")
    for index, (provider, numbers, expected) in enumerate(case["many"]):
        got = p2pdma.distance_many(clients[provider], [clients[number] for number in numbers])
        if got != expected:
            raise Mismatch(f"many {index}", expected, got)


def replay(path: Path) -> FileResult:
    """Replay a file of this format."""
    return replay_cases(path, ("cpu_zen", "devices", "first_on_root_bus", "pairs", "many"), replay_case)
