"""Replay of ``map_sg``: scatterlists through dma-iommu, with peer entries and injected failures.

Device fields are ``granule, max_seg_size, seg_boundary_mask, dma_mask, coherent, pci_32bit_workaround, rcache``. Operations are
objects with ``op`` ``map_sg`` (``slot, dir, sg, inject_map_fail_at, ret, out, log, bus_len_quirk``) or ``unmap_sg``
(``slot, log``). Rows of ``sg`` are [kind, page, offset, length, bus offset] with kind 1 RAM, 2 unreachable peer, 3 peer by bus
address, 4 peer through the host bridge; rows of ``out`` are [dma, dma length, is bus address, offset, length].
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluicegate.address import PhysicalAddress
from sluicegate.conformance.machine import iommu_device
from sluicegate.conformance.result import Case, FileResult, Mismatch, replay_cases
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.pages import Page
from sluicegate.dma.scatterlist import Scatterlist, SgEntry, SgTable
from sluicegate.dma.sg_mapping import dma_map_sgtable, dma_unmap_sgtable
from sluicegate.p2pdma.map_type import P2pdmaMapType

_MAP_TYPES = {
    2: P2pdmaMapType.NOT_SUPPORTED,
    3: P2pdmaMapType.BUS_ADDR,
    4: P2pdmaMapType.THRU_HOST_BRIDGE,
}


@dataclass(frozen=True)
class _RecordedProvider:
    """A provider whose map type and bus offset the vectors give."""

    kind: P2pdmaMapType
    bus_offset: int

    def map_type(self, device: object) -> P2pdmaMapType:
        return self.kind

    def bus_address(self, phys: int) -> int:
        return (phys + self.bus_offset) & ((1 << 64) - 1)


def _table(rows: list[list[int]]) -> SgTable:
    providers: dict[tuple[int, int], _RecordedProvider] = {}
    entries = []
    for kind, page, offset, length, bus_offset in rows:
        provider = None
        if kind != 1:
            provider = providers.setdefault((kind, bus_offset), _RecordedProvider(_MAP_TYPES[kind], bus_offset))
        entries.append(SgEntry(Page(PhysicalAddress(page), provider=provider), offset, length))
    return SgTable(Scatterlist(entries))


def replay_case(case: Case) -> None:
    """Replay one case; raises Mismatch."""
    device, domain = iommu_device(case)
    device.max_seg_size = case["max_seg_size"]
    device.seg_boundary_mask = case["seg_boundary_mask"]
    slots: dict[int, tuple[SgTable, DmaDirection]] = {}
    for index, operation in enumerate(case["ops"]):
        domain.log.clear()
        if operation["op"] == "map_sg":
            slots[operation["slot"]] = _table(operation["sg"]), DmaDirection(operation["dir"])
            table, direction = slots[operation["slot"]]
            failing = operation["inject_map_fail_at"]
            domain.fail_map_at = None if failing < 0 else failing
            result = dma_map_sgtable(device, table, direction)
            domain.fail_map_at = None
            _compare(index, operation, table, result or table.nents)
        elif operation["op"] == "unmap_sg":
            dma_unmap_sgtable(device, *slots.pop(operation["slot"]))
        else:
            raise ValueError(f"unknown operation {operation['op']}")
        log = [list(row) for row in domain.log]
        if log != operation["log"]:
            raise Mismatch(index, f"calls {operation['log']}", log)


def _compare(index: int, operation: dict[str, Any], table: SgTable, result: int) -> None:
    if result != operation["ret"]:
        raise Mismatch(index, operation["ret"], result)
    for number, (entry, expected) in enumerate(zip(table.sgl, operation["out"], strict=True)):
        got = [entry.dma_address, entry.dma_length, int(entry.is_bus_address), entry.offset, entry.length]
        if operation["bus_len_quirk"] and entry.is_bus_address and expected[2]:
            # The recorded kernel writes the first entry's length here; the model its own (specification, section 4.1).
            expected = [expected[0], got[1], *expected[2:]]
        if got != expected:
            raise Mismatch(index, f"entry {number} {expected}", got)


def replay(path: Path) -> FileResult:
    """Replay a file of this format."""
    fields = ("granule", "max_seg_size", "seg_boundary_mask", "dma_mask", "coherent", "pci_32bit_workaround", "rcache", "ops")
    return replay_cases(path, fields, replay_case)
