"""Injected failures, and the sweep that fails every call of a driver once."""

from collections.abc import Callable
from functools import partial

import pytest
from sluicegate.dma import (
    DMA_BIDIRECTIONAL,
    DMA_BIT_MASK,
    DMA_FROM_DEVICE,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    Device,
    DmaApiError,
    DmaIommu,
    FaultInjector,
    FaultPoint,
    Host,
    NotCleanError,
    RecordingDomain,
    Scatterlist,
    SgTable,
    Swiotlb,
    checked,
    dma_alloc_coherent,
    dma_free_coherent,
    dma_map_phys,
    dma_map_sgtable,
    dma_map_single,
    dma_mapping_error,
    dma_pool_alloc,
    dma_pool_create,
    dma_pool_destroy,
    dma_pool_free,
    dma_set_mask_and_coherent,
    dma_unmap_sgtable,
    dma_unmap_single,
    sweep,
)

from tests.unit.dma.machine import LOW_RAM, behind_iommu


class DriverError(Exception):
    """How the example drivers report a failed start."""


def drive(injector: FaultInjector, leak_on_error: bool) -> None:
    """A driver: ring memory, a pool, a transmit buffer, a receive list; it undoes everything when any step fails."""
    host = Host(ram=LOW_RAM, faults=injector)
    Swiotlb(host)
    device = Device(host, "nic", backend=DmaIommu(host, RecordingDomain()), untrusted=True)
    checked(dma_set_mask_and_coherent(device, DMA_BIT_MASK(64)))
    undo: list[Callable[[], object]] = []
    try:
        ring = dma_alloc_coherent(device, 8192)
        if ring is None:
            raise DriverError("no ring")
        undo.append(lambda: dma_free_coherent(device, 8192, *ring))
        pool = dma_pool_create("descriptors", device, 64, 64, 0)
        assert pool is not None
        undo.append(lambda: dma_pool_destroy(pool))
        for _ in range(2):
            block = dma_pool_alloc(pool)
            if block is None:
                raise DriverError("no descriptor")
            undo.append(partial(dma_pool_free, pool, *block))
        buffer = host.kmalloc(1500)
        dma = dma_map_single(device, buffer, 1500, DMA_TO_DEVICE)
        if dma_mapping_error(device, dma):
            raise DriverError("no transmit buffer")
        if not leak_on_error:
            undo.append(lambda: dma_unmap_single(device, dma, 1500, DMA_TO_DEVICE))
        table = SgTable(Scatterlist.from_buffers(host.kmalloc(4000) for _ in range(3)))
        if dma_map_sgtable(device, table, DMA_FROM_DEVICE):
            raise DriverError("no receive list")
        undo.append(lambda: dma_unmap_sgtable(device, table, DMA_FROM_DEVICE))
    finally:
        for step in reversed(undo):
            step()
        host.assert_clean()
        assert host.swiotlb is not None
        assert host.swiotlb.used_slots == 0


def test_a_sweep_fails_every_call_once_and_proves_that_nothing_leaks() -> None:
    results = sweep(lambda injector: drive(injector, leak_on_error=False), handled=(DriverError,))
    points = {result.point for result in results}
    assert points >= {FaultPoint.MAP, FaultPoint.IOVA_ALLOC, FaultPoint.IOMMU_MAP, FaultPoint.SWIOTLB, FaultPoint.PAGE_ALLOC}
    assert FaultPoint.POOL_ALLOC in points
    assert len(results) > 15
    assert all(isinstance(result.raised, DriverError) for result in results)


def test_a_sweep_finds_a_driver_that_leaks() -> None:
    with pytest.raises(NotCleanError, match=r"nic still has 1 mappings: .*mapped at test_fault_injection\.py:\d+ in drive"):
        sweep(lambda injector: drive(injector, leak_on_error=True), handled=(DriverError,))


def test_a_sweep_needs_a_deterministic_driver() -> None:
    runs: list[int] = []

    def run(injector: FaultInjector) -> None:
        runs.append(1)
        if len(runs) == 1:
            injector.should_fail(FaultPoint.MAP)

    with pytest.raises(AssertionError, match="not deterministic"):
        sweep(run)


def test_nth_count_and_clear() -> None:
    machine = behind_iommu()
    machine.host.faults = faults = FaultInjector()
    faults.fail("map", nth=1, count=2)
    got = [dma_map_phys(machine.device, 0x5000 + 4096 * n, 64, DMA_BIDIRECTIONAL) == DMA_MAPPING_ERROR for n in range(5)]
    assert got == [False, True, True, False, False]
    assert (faults.calls[FaultPoint.MAP], faults.failures[FaultPoint.MAP]) == (5, 2)
    faults.fail(FaultPoint.IOVA_ALLOC, count=None)
    assert dma_map_phys(machine.device, 0x5000, 64, DMA_BIDIRECTIONAL) == DMA_MAPPING_ERROR
    faults.clear()
    assert dma_map_phys(machine.device, 0x5000, 64, DMA_BIDIRECTIONAL) != DMA_MAPPING_ERROR


def test_probability_is_drawn_from_the_seed() -> None:
    def failures(seed: int) -> list[bool]:
        faults = FaultInjector(seed)
        faults.fail(FaultPoint.MAP, count=None, probability=0.5)
        return [faults.should_fail(FaultPoint.MAP) for _ in range(200)]

    assert failures(1) == failures(1)
    assert failures(1) != failures(2)
    assert 60 < sum(failures(1)) < 140


@pytest.mark.parametrize(("arguments", "message"), [({"nth": -1}, "negative"), ({"probability": 2}, "0 to 1")])
def test_bad_plans(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FaultInjector().fail(FaultPoint.MAP, **arguments)
    with pytest.raises(ValueError, match="not a valid"):
        FaultInjector().fail("nothing")


def test_checked_turns_error_values_into_exceptions() -> None:
    assert checked(0) == 0
    with pytest.raises(DmaApiError, match="EREMOTEIO"):
        checked(-121)
    with pytest.raises(DmaApiError, match="mapping failed"):
        checked(DMA_MAPPING_ERROR)
