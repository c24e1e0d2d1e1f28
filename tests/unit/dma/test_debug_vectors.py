"""Vectors 76 to 93: each rule that dma-debug checks, one report each."""

from collections.abc import Callable

import pytest
from sluicegate.dma import (
    DMA_BIDIRECTIONAL,
    DMA_BIT_MASK,
    DMA_FROM_DEVICE,
    DMA_MAPPING_ERROR,
    DMA_NONE,
    DMA_TO_DEVICE,
    CpuBuffer,
    DebugClass,
    DebugMode,
    Device,
    DmaAttrs,
    DmaDebug,
    DmaDebugError,
    DmaDirection,
    Host,
    KernelBug,
    PhysicalAddress,
    dma_alloc_coherent,
    dma_free_coherent,
    dma_map_page,
    dma_map_phys,
    dma_map_sg,
    dma_map_sgtable,
    dma_map_single,
    dma_mapping_error,
    dma_set_mask_and_coherent,
    dma_sync_sg_for_cpu,
    dma_sync_single_for_cpu,
    dma_sync_single_for_device,
    dma_unmap_page,
    dma_unmap_phys,
    dma_unmap_sg,
    dma_unmap_single,
)

from tests.unit.dma.machine import LOW_RAM, behind_iommu, direct, table


class Driver:
    """A driver of a logging device, with one kmalloc buffer of a page."""

    def __init__(self, **host: object) -> None:
        self.host = Host(ram=LOW_RAM, debug=DebugMode.LOG, **host)  # type: ignore[arg-type]
        self.device = direct(64, host=self.host)
        self.buffer = self.host.kmalloc(4096)

    def map(self, direction: DmaDirection, size: int = 4096, check: bool = True) -> int:
        dma = dma_map_single(self.device, self.buffer, size, direction)
        assert dma != DMA_MAPPING_ERROR
        if check:
            dma_mapping_error(self.device, dma)
        return int(dma)

    def reports(self) -> list[str]:
        return [report.error_class.identifier for report in self.host.debug.reports]


def test_v76_unmap_twice() -> None:
    driver = Driver()
    dma = driver.map(DMA_TO_DEVICE)
    for _ in range(2):
        dma_unmap_single(driver.device, dma, 4096, DMA_TO_DEVICE)
    assert driver.reports() == ["D2"]


def test_v77_unmap_of_the_error_value() -> None:
    driver = Driver()
    dma_unmap_single(driver.device, DMA_MAPPING_ERROR, 4096, DMA_TO_DEVICE)
    assert driver.reports() == ["D1"]


def test_v78_another_size() -> None:
    driver = Driver()
    dma_unmap_single(driver.device, driver.map(DMA_TO_DEVICE), 4095, DMA_TO_DEVICE)
    assert driver.reports() == ["D3"]


def test_v79_the_wrong_function() -> None:
    driver = Driver()
    dma = driver.map(DMA_BIDIRECTIONAL)
    dma_free_coherent(driver.device, 4096, driver.buffer, dma)
    assert len(driver.device.mappings()) == 1, "the memory is not the allocator's to free"
    assert driver.reports() == ["D4"]


def test_v80_another_cpu_address() -> None:
    driver = Driver()
    block = dma_alloc_coherent(driver.device, 4096)
    assert block is not None
    dma_free_coherent(driver.device, 4096, driver.buffer, block[1])
    assert driver.reports() == ["D5"]


def test_v81_another_direction() -> None:
    driver = Driver()
    dma_unmap_single(driver.device, driver.map(DMA_TO_DEVICE), 4096, DMA_FROM_DEVICE)
    assert driver.reports() == ["D7"]


def test_v82_the_error_was_never_tested() -> None:
    driver = Driver()
    dma_unmap_single(driver.device, driver.map(DMA_TO_DEVICE, check=False), 4096, DMA_TO_DEVICE)
    assert driver.reports() == ["D8"]
    block = dma_alloc_coherent(driver.device, 4096)
    assert block is not None
    dma_free_coherent(driver.device, 4096, *block)
    assert driver.reports() == ["D8"]


def test_v83_a_sync_one_byte_too_long() -> None:
    driver = Driver()
    dma = driver.map(DMA_FROM_DEVICE)
    dma_sync_single_for_cpu(driver.device, dma + 96, 4000, DMA_FROM_DEVICE)
    assert driver.reports() == []
    dma_sync_single_for_cpu(driver.device, dma + 96, 4001, DMA_FROM_DEVICE)
    assert driver.reports() == ["D9"]


@pytest.mark.parametrize(
    ("mapped", "sync", "direction", "expected"),
    [
        (DMA_TO_DEVICE, dma_sync_single_for_cpu, DMA_FROM_DEVICE, ["D11", "D12"]),
        (DMA_TO_DEVICE, dma_sync_single_for_cpu, DMA_TO_DEVICE, []),
        (DMA_FROM_DEVICE, dma_sync_single_for_device, DMA_TO_DEVICE, ["D11", "D13"]),
        (DMA_FROM_DEVICE, dma_sync_single_for_device, DMA_FROM_DEVICE, []),
        (DMA_BIDIRECTIONAL, dma_sync_single_for_cpu, DMA_TO_DEVICE, []),
        (DMA_BIDIRECTIONAL, dma_sync_single_for_cpu, DMA_FROM_DEVICE, []),
        (DMA_BIDIRECTIONAL, dma_sync_single_for_device, DMA_TO_DEVICE, []),
        (DMA_BIDIRECTIONAL, dma_sync_single_for_device, DMA_FROM_DEVICE, []),
    ],
)
def test_v84_to_v86_sync_directions(
    mapped: DmaDirection,
    sync: Callable[[Device, int, int, DmaDirection], None],
    direction: DmaDirection,
    expected: list[str],
) -> None:
    driver = Driver()
    sync(driver.device, driver.map(mapped), 4096, direction)
    assert driver.reports() == expected


def test_v87_segments_too_long_or_across_the_boundary() -> None:
    driver = Driver()
    long = table((0x100000, 70000))
    assert dma_map_sg(driver.device, long.sgl, 1, DMA_TO_DEVICE) == 1
    assert driver.reports() == ["D15"]
    dma_unmap_sg(driver.device, long.sgl, 1, DMA_TO_DEVICE)
    driver.device.seg_boundary_mask = 0xFFFFFFFF
    assert dma_map_sg(driver.device, table((0xFFFFF000, 8192)).sgl, 1, DMA_TO_DEVICE) == 1
    assert driver.reports() == ["D15", "D16"]


def test_v87_in_strict_mode_nothing_stays_mapped() -> None:
    machine = behind_iommu(40, seg_boundary_mask=0xFFF)
    with pytest.raises(DmaDebugError) as caught:
        dma_map_sgtable(machine.device, table((0x100000, 8192)), DMA_TO_DEVICE)
    assert caught.value.error_class is DebugClass.SEGMENT_CROSSES_BOUNDARY
    assert (machine.domain.mapped_bytes, len(machine.iommu.tree), machine.device.mappings()) == (0, 0, ())


def test_v88_overlapping_cache_lines() -> None:
    driver = Driver(dma_minalign=64)
    driver.map(DMA_TO_DEVICE)
    driver.map(DMA_TO_DEVICE)
    driver.map(DMA_FROM_DEVICE)
    assert driver.reports() == []
    driver.map(DMA_FROM_DEVICE)
    assert driver.reports() == ["D21"]
    coherent_host = Driver()
    coherent_host.map(DMA_FROM_DEVICE)
    coherent_host.map(DMA_FROM_DEVICE)
    assert coherent_host.reports() == [], "no line is wider than the alignment that the platform asks for"


def test_d21_clean_mappings_and_d22() -> None:
    driver = Driver(dma_minalign=64)
    phys = int(driver.buffer.phys)
    for _ in range(12):
        dma_map_phys(driver.device, phys, 64, DMA_FROM_DEVICE, DmaAttrs.DEBUGGING_IGNORE_CACHELINES)
    assert driver.reports() == []
    driver = Driver(dma_minalign=64)
    for _ in range(9):
        dma_map_phys(driver.device, phys, 64, DMA_FROM_DEVICE, DmaAttrs.SKIP_CPU_SYNC)
    assert driver.reports() == ["D22"], "the 8th further mapping of a line"


def test_v89_what_is_left_at_detach() -> None:
    driver = Driver()
    driver.map(DMA_TO_DEVICE)
    driver.map(DMA_TO_DEVICE)
    assert driver.device.detach_driver() == 2
    assert driver.reports() == ["D23"]
    assert "left 2 mappings" in driver.host.debug.reports[0].message


def test_v90_another_device() -> None:
    driver = Driver()
    other = direct(64, host=driver.host, name="other")
    dma_unmap_single(other, driver.map(DMA_TO_DEVICE), 4096, DMA_TO_DEVICE)
    assert driver.reports() == ["D2"]


def test_d2_an_ambiguous_match() -> None:
    driver = Driver()
    first, second = driver.map(DMA_TO_DEVICE, 4096), driver.map(DMA_TO_DEVICE, 2048)
    assert first == second, "direct: one address, two mappings"
    dma_unmap_single(driver.device, first, 1024, DMA_TO_DEVICE)
    assert driver.reports() == ["D2"]
    dma_unmap_single(driver.device, first, 2048, DMA_TO_DEVICE)
    dma_unmap_single(driver.device, first, 4096, DMA_TO_DEVICE)
    assert driver.reports() == ["D2"]


def test_d14_sg_sync_with_another_count() -> None:
    driver = Driver()
    sgt = table((0x100000, 4096), (0x300000, 4096))
    dma_map_sg(driver.device, sgt.sgl, 2, DMA_TO_DEVICE)
    dma_sync_sg_for_cpu(driver.device, sgt.sgl, 1, DMA_TO_DEVICE)
    assert driver.reports() == ["D14"]


def test_d17_to_d20_memory_that_is_not_dma_able() -> None:
    driver = Driver()
    host, device = driver.host, driver.device
    dma_map_single(device, host.stack_buffer(64, 128), 64, DMA_TO_DEVICE)
    dma_map_single(device, host.kernel_image_buffer(64), 64, DMA_TO_DEVICE)
    assert dma_map_single(device, CpuBuffer(host, PhysicalAddress(0xF000_0000), 64), 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert dma_map_single(device, host.vmalloc(8192), 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    sgt = table((int(host.stack_buffer(64).phys), 64), (int(host.kernel_image_buffer(64).phys), 64))
    dma_map_sg(device, sgt.sgl, 2, DMA_TO_DEVICE)
    assert driver.reports() == ["D17", "D18", "D19", "D20", "D17", "D18"]


def test_vmalloc_memory_is_mapped_page_by_page() -> None:
    driver = Driver()
    for page in driver.host.vmalloc(8192).pages:
        dma = dma_map_page(driver.device, page, 0, 4096, DMA_TO_DEVICE)
        assert dma_mapping_error(driver.device, dma) == 0
        dma_unmap_page(driver.device, dma, 4096, DMA_TO_DEVICE)
    assert driver.reports() == []


def test_d24_too_many_entries_switch_debugging_off() -> None:
    host = Host(ram=LOW_RAM, debug=DmaDebug(DebugMode.LOG, entry_limit=2))
    device = direct(64, host=host)
    for number in range(3):
        dma_map_phys(device, 0x100000 + 4096 * number, 64, DMA_TO_DEVICE)
    assert [report.error_class.identifier for report in host.debug.reports] == ["D24"]
    dma_unmap_phys(device, 0x900000, 64, DMA_TO_DEVICE)
    assert host.debug.error_count == 1


def test_reports_are_counted_whatever_is_printed() -> None:
    printed: list[str] = []
    host = Host(ram=LOW_RAM, debug=DmaDebug(DebugMode.LOG, print_report=printed.append, driver_filter="dut"))
    device, other = direct(64, host=host), direct(64, host=host, name="other")
    for target in (other, device, device):
        dma_unmap_phys(target, 0x5000, 64, DMA_TO_DEVICE)
    assert host.debug.error_count == 3
    assert len(printed) == 1
    assert printed[0].startswith("dut: nothing is mapped at 0x5000 [D2: unmap exactly once")


@pytest.mark.parametrize("direction", [DMA_NONE, 7])
def test_a_direction_that_no_transfer_has_is_a_bug(direction: DmaDirection) -> None:
    driver = Driver()
    with pytest.raises(KernelBug, match="direction"):
        dma_map_single(driver.device, driver.buffer, 64, direction)
    with pytest.raises(KernelBug, match="direction"):
        dma_unmap_single(driver.device, 0, 64, direction)


def test_the_whole_table_of_classes_is_distinct() -> None:
    identifiers = [error_class.identifier for error_class in DebugClass]
    assert len(set(identifiers)) == len(identifiers)
    assert [f"D{number}" for number in range(1, 25)] == identifiers[:24]


def test_zero_and_bad_sizes_leave_nothing() -> None:
    machine = behind_iommu()
    buffer = machine.host.kmalloc(64)
    with pytest.raises(DmaDebugError, match="0 bytes"):
        dma_map_single(machine.device, buffer, 0, DMA_TO_DEVICE)
    for size, error in ((-1, ValueError), (65, ValueError), (1.5, TypeError)):
        with pytest.raises(error):
            dma_map_single(machine.device, buffer, size, DMA_TO_DEVICE)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="CpuBuffer"):
        dma_map_single(machine.device, 0x5000, 64, DMA_TO_DEVICE)  # type: ignore[arg-type]
    assert len(machine.iommu.tree) == 0
    dma_set_mask_and_coherent(machine.device, DMA_BIT_MASK(32))
