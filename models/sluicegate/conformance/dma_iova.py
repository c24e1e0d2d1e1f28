"""Replay of ``dma_iova``: the IOVA-based API and single physical mappings through dma-iommu.

Operations are lists: ``try_alloc, slot, phys, size, [ok, addr, size]``; ``link, slot, phys, offset, size, dir, attrs,
{inject_map_fail}, ret, log``; ``sync, slot, offset, size, ret, log``; ``unlink, slot, offset, size, dir, attrs, log``;
``destroy, slot, mapped, dir, attrs, log``; ``free, slot``; ``map_phys, phys, size, dir, attrs, dma, log``; ``unmap_phys, dma,
size, dir, attrs, log``; ``leave_mapped, slot`` (nothing is done). The recorder logged no visibility calls of single mappings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluicegate.conformance.machine import iommu_device
from sluicegate.conformance.result import Case, FileResult, Mismatch, replay_cases
from sluicegate.dma.backends.domain import RecordingDomain
from sluicegate.dma.device import Device
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.iova_state import (
    DmaIovaState,
    dma_iova_destroy,
    dma_iova_free,
    dma_iova_link,
    dma_iova_sync,
    dma_iova_try_alloc,
    dma_iova_unlink,
)
from sluicegate.dma.streaming import dma_map_phys, dma_unmap_phys


def replay_case(case: Case) -> None:
    """Replay one case; raises Mismatch."""
    device, domain = iommu_device(case)
    states: dict[int, DmaIovaState] = {}
    for index, operation in enumerate(case["ops"]):
        domain.log.clear()
        expected, got, log = _replay_operation(device, domain, states, operation)
        if got != expected:
            raise Mismatch(index, expected, got)
        rows = [list(row) for row in domain.log if operation[0] != "map_phys" or row[0] != "S"]
        if rows != log:
            raise Mismatch(index, f"calls {log}", rows)


def _replay_operation(
    device: Device, domain: RecordingDomain, states: dict[int, DmaIovaState], operation: list[Any]
) -> tuple[object, object, list[Any]]:
    """Expected result, the model's result, and the expected log."""
    match operation:
        case ["try_alloc", slot, phys, size, expected]:
            state = states[slot] = DmaIovaState()
            done = dma_iova_try_alloc(device, state, phys, size)
            return expected, [int(done), state.addr, state.size], []
        case ["link", slot, phys, offset, size, direction, attrs, injection, expected, log]:
            domain.fail_map_at = 0 if injection["inject_map_fail"] else None
            result = dma_iova_link(device, states[slot], phys, offset, size, DmaDirection(direction), attrs)
            domain.fail_map_at = None
            return expected, result, log
        case ["sync", slot, offset, size, expected, log]:
            return expected, dma_iova_sync(device, states[slot], offset, size), log
        case ["unlink", slot, offset, size, direction, attrs, log]:
            dma_iova_unlink(device, states[slot], offset, size, DmaDirection(direction), attrs)
            return None, None, log
        case ["destroy", slot, mapped, direction, attrs, log]:
            dma_iova_destroy(device, states[slot], mapped, DmaDirection(direction), attrs)
            return None, None, log
        case ["free", slot]:
            dma_iova_free(device, states[slot])
            return None, None, []
        case ["map_phys", phys, size, direction, attrs, expected, log]:
            return expected, int(dma_map_phys(device, phys, size, DmaDirection(direction), attrs)), log
        case ["unmap_phys", dma, size, direction, attrs, log]:
            dma_unmap_phys(device, dma, size, DmaDirection(direction), attrs)
            return None, None, log
        case ["leave_mapped", _]:
            return None, None, []
    raise ValueError(f"unknown operation {operation}")


def replay(path: Path) -> FileResult:
    """Replay a file of this format."""
    return replay_cases(path, ("granule", "dma_mask", "coherent", "pci_32bit_workaround", "rcache", "ops"), replay_case)
