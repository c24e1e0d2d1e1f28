"""Host and device: removal, names, tables, page allocator, buffers, printing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sluicegate.dma import (
    DMA_FROM_DEVICE,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    DebugMode,
    Device,
    DeviceRemovedError,
    DmaDebug,
    FaultInjector,
    FaultPoint,
    Host,
    OutOfMemory,
    UnmapState,
    dma_alloc_coherent,
    dma_map_phys,
    dma_map_sgtable,
    dma_map_single,
    dma_pool_create,
    dma_set_mask,
    dma_set_min_align_mask,
    dma_set_seg_boundary,
    dma_sync_single_for_cpu,
    dma_unmap_phys,
    dma_unmap_single,
)
from sluicegate.platform import Region

from tests.unit.dma.machine import LOW_RAM, behind_iommu, direct, table


def test_removed_devices_are_refused() -> None:
    machine = behind_iommu()
    pool = dma_pool_create("pool", machine.device, 64, 64, 0)
    assert pool is not None
    machine.device.remove()
    calls: list[Callable[[], object]] = [
        lambda: dma_map_phys(machine.device, 0x5000, 64, DMA_TO_DEVICE),
        lambda: dma_unmap_single(machine.device, 0x5000, 64, DMA_TO_DEVICE),
        lambda: dma_alloc_coherent(machine.device, 64),
        lambda: dma_set_mask(machine.device, 1),
        lambda: pool.alloc(),
        lambda: machine.device.remove(),
    ]
    for call in calls:
        with pytest.raises(DeviceRemovedError, match="dut was removed"):
            call()
    assert machine.host.devices == []


def test_names_are_unique_and_limits_need_a_parameter_block() -> None:
    device = direct(64, has_parameters=False, debug=DebugMode.LOG)
    with pytest.raises(ValueError, match="already has a device 'dut'"):
        Device(device.host, "dut")
    dma_set_seg_boundary(device, 1)
    dma_set_min_align_mask(device, 1)
    assert (device.seg_boundary_mask, device.min_align_mask) == (0, 0)
    assert repr(device) == "<Device dut (direct)>"


def test_tables() -> None:
    machine = behind_iommu()
    assert machine.host.ownership_table() == "nothing is mapped"
    buffers = [machine.host.kmalloc(4096) for _ in range(2)]
    sgt = dma_map_sgtable(machine.device, table(*((int(buffer.phys), 4096) for buffer in buffers)), DMA_FROM_DEVICE)
    assert sgt == 0
    rows = machine.device.mapping_table()
    assert rows.length.tolist() == [4096, 4096]
    assert rows.phys.tolist() == [int(buffer.phys) for buffer in buffers]
    assert (rows.direction == 2).all()
    assert rows.dma.tolist() == [0xFFFFE000, 0xFFFFF000]
    assert "sg mapping of dut: 0xffffe000+0x2000" in repr(machine.device.mappings()[0])
    assert len(machine.device.ledger.overlapping(0xFFFFEFFF, 2)) == 1


def test_host_memory() -> None:
    host = Host(ram=LOW_RAM, faults=FaultInjector())
    buffer = host.kmalloc(100)
    large = host.kmalloc(10000)
    assert host.pages.allocated_bytes == 128 + 12288
    host.kfree(buffer)
    host.kfree(large)
    assert host.pages.allocated_bytes == 0
    assert host.kmalloc(100).phys == buffer.phys
    for bad in (int(buffer.phys) + 128, 0x5000):
        with pytest.raises(ValueError, match="no page block"):
            host.pages.kfree(bad)
    for call in (host.pages.alloc, host.pages.kmalloc):
        with pytest.raises(ValueError, match="at least one"):
            call(0)
    assert host.faults is not None
    host.faults.fail(FaultPoint.PAGE_ALLOC)
    with pytest.raises(OutOfMemory, match="injected"):
        host.alloc_page()
    host.pages.reserve(Region(0x7000_0000, 0x0FFF_F000))
    assert host.alloc_page().phys < 0x7000_0000
    with pytest.raises(OutOfMemory, match="at or below 0xfff"):
        host.pages.alloc(4096, 0xFFF)
    for ram in ((), (Region(0x100, 4096),), (Region(0, 8192), Region(4096, 4096))):
        with pytest.raises(ValueError, match=r"RAM"):
            Host(ram=ram)
    assert Host(ram=LOW_RAM).clock_ms() == 0.0


def test_buffers_bound_their_accesses() -> None:
    buffer = Host(ram=LOW_RAM).kmalloc(64)
    assert len(buffer) == 64
    assert repr(buffer[8:16]) == f"<CpuBuffer {int(buffer.phys) + 8:#x}+0x8>"
    buffer.write(np.arange(4, dtype=np.uint8), 60)
    assert buffer.read(60) == bytes(range(4))
    for call in (lambda: buffer.read(60, 5), lambda: buffer.write(b"12345", 60), lambda: buffer[8:8], lambda: buffer[::2]):
        with pytest.raises(ValueError, match=r"buffer"):
            call()


def test_the_unmap_state_record() -> None:
    state, nothing = UnmapState(), UnmapState(keep_state=False)
    for record in (state, nothing):
        record.addr = DMA_MAPPING_ERROR
        record.len = (1 << 32) + 5
    assert (state.addr, state.len) == (DMA_MAPPING_ERROR, 5)
    assert (int(nothing.addr), nothing.len) == (0, 0)


def test_printing_without_a_limit() -> None:
    printed: list[str] = []
    device = direct(64, host=Host(ram=LOW_RAM, debug=DmaDebug(DebugMode.LOG, print_report=printed.append, print_limit=None)))
    for _ in range(3):
        dma_unmap_phys(device, 0x5000, 64, DMA_TO_DEVICE)
    assert len(printed) == 3


def test_the_table_of_owners() -> None:
    machine = behind_iommu()
    buffer = machine.host.kmalloc(4096)
    block = dma_alloc_coherent(machine.device, 4096)
    assert block is not None
    dma = dma_map_single(machine.device, buffer, 4096, DMA_FROM_DEVICE)
    owners = []
    for size in (0, 64, 4096):
        if size:
            dma_sync_single_for_cpu(machine.device, dma, size, DMA_FROM_DEVICE)
        heading, coherent, streaming = machine.host.ownership_table().splitlines()
        place = heading.index("owner")
        owners.append(streaming[place:].split("  ")[0])
        assert coherent[place:].split("  ")[0] == "both"
    assert owners == ["device", "CPU in part", "CPU"]
    assert streaming.startswith(f"dut     single    {int(dma):#x}")
    assert streaming.endswith("in test_the_table_of_owners")
