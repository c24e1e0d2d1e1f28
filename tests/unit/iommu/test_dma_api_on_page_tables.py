"""The DMA API over real page tables and the register-level IOMMU: what it maps, the device reaches; nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from sluicegate.address import DmaAddress
from sluicegate.dma.backends.iommu import DmaIommu
from sluicegate.dma.coherent import dma_alloc_coherent, dma_free_coherent
from sluicegate.dma.cpu_buffer import CpuBuffer
from sluicegate.dma.device import Device
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.host import Host
from sluicegate.dma.masks import dma_set_mask_and_coherent
from sluicegate.dma.streaming import dma_map_single, dma_mapping_error, dma_unmap_single
from sluicegate.driver.iommu import IommuDriver
from sluicegate.driver.iommu_domain import PageTableDomain
from sluicegate.iommu import Cause, Request
from sluicegate.iova.flush_queue import FlushQueueKind
from sluicegate.platform import ADDRESS_MAP, Bdf

from tests.unit.iommu.model_platform import ModelPlatform

ENDPOINT = Bdf(3, 0)


class Machine:
    def __init__(self, lazy: FlushQueueKind | None = None) -> None:
        self.platform = ModelPlatform()
        self.host = Host(self.platform.memory)
        self.driver = IommuDriver(self.platform, self.host.pages)
        self.driver.enable()
        self.domain = PageTableDomain(self.driver)
        self.domain.attach(ENDPOINT)
        windows = (ADDRESS_MAP.imsic, ADDRESS_MAP.mmio32, ADDRESS_MAP.mmio64)
        backend = DmaIommu(self.host, self.domain, reserved=windows, lazy=lazy)
        self.device = Device(self.host, "endpoint", backend=backend)
        assert dma_set_mask_and_coherent(self.device, (1 << 38) - 1) == 0

    def reach(self, iova: int, write: bool) -> int | None:
        return self.platform.iommu.translate(Request(ENDPOINT.requester_id, iova, write=write)).spa


@pytest.mark.parametrize("lazy", [None, FlushQueueKind.SINGLE])
@pytest.mark.parametrize("direction", [DmaDirection.TO_DEVICE, DmaDirection.FROM_DEVICE, DmaDirection.BIDIRECTIONAL])
def test_a_mapping_is_reachable_until_it_is_unmapped(direction: DmaDirection, lazy: FlushQueueKind | None) -> None:
    machine = Machine(lazy)
    buffer = machine.host.kmalloc(10_000)
    address = dma_map_single(machine.device, buffer, 10_000, direction)
    assert dma_mapping_error(machine.device, address) == 0
    writable = direction is not DmaDirection.TO_DEVICE
    for offset in (0, 4095, 9_999):
        assert machine.reach(int(address) + offset, write=False) == int(buffer.phys) + offset
        assert machine.reach(int(address) + offset, write=True) == (int(buffer.phys) + offset if writable else None)
    assert machine.reach(int(address) - 4096, write=False) is None
    dma_unmap_single(machine.device, address, 10_000, direction)
    assert machine.reach(int(address), write=False) is None
    assert machine.driver.drain_faults().records[-1].cause is Cause.READ_PAGE_FAULT


def test_coherent_memory_is_reachable_until_it_is_freed() -> None:
    machine = Machine()
    allocation = dma_alloc_coherent(machine.device, 3 << 20)
    assert allocation is not None
    buffer, address = allocation
    for offset in range(0, 3 << 20, 0x7_F000):
        assert machine.reach(int(address) + offset, write=True) == machine.domain.iova_to_phys(int(address) + offset)
    dma_free_coherent(machine.device, 3 << 20, buffer, address)
    assert machine.reach(int(address), write=True) is None


def test_churn_leaves_no_translation_and_no_page_behind() -> None:
    machine = Machine()
    random = np.random.default_rng(11)
    empty = machine.host.pages.allocated_bytes
    live: list[tuple[CpuBuffer, DmaAddress, int]] = []
    for _ in range(400):
        if live and random.random() < 0.5:
            buffer, address, size = live.pop(int(random.integers(len(live))))
            dma_unmap_single(machine.device, address, size, DmaDirection.BIDIRECTIONAL)
            machine.host.kfree(buffer)
            assert machine.reach(int(address), write=True) is None
        else:
            size = int(random.integers(1, 40_000))
            buffer = machine.host.kmalloc(size)
            address = dma_map_single(machine.device, buffer, size, DmaDirection.BIDIRECTIONAL)
            assert dma_mapping_error(machine.device, address) == 0
            live.append((buffer, address, size))
        for buffer, address, size in live:
            offset = int(random.integers(size))
            assert machine.reach(int(address) + offset, write=True) == int(buffer.phys) + offset
    for buffer, address, size in live:
        dma_unmap_single(machine.device, address, size, DmaDirection.BIDIRECTIONAL)
        machine.host.kfree(buffer)
    machine.domain.reclaim_tables()
    assert machine.host.pages.allocated_bytes == empty
