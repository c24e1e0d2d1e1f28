"""Two real copies: what a missing sync does on a non-coherent device, and who owns a buffer when (sections 1.5 and 6)."""

from collections.abc import Callable

import pytest
from sluicegate.dma import (
    DMA_BIDIRECTIONAL,
    DMA_FROM_DEVICE,
    DMA_TO_DEVICE,
    DebugClass,
    DebugMode,
    Device,
    DmaAttrs,
    DmaDebugError,
    DmaDirection,
    Host,
    Scatterlist,
    SgTable,
    Swiotlb,
    device_read,
    device_write,
    dma_alloc_coherent,
    dma_map_sgtable,
    dma_map_single,
    dma_mapping_error,
    dma_sync_sgtable_for_cpu,
    dma_sync_sgtable_for_device,
    dma_sync_single_for_cpu,
    dma_sync_single_for_device,
    dma_sync_single_range_for_cpu,
    dma_sync_single_range_for_device,
    dma_unmap_sgtable,
    dma_unmap_single,
    transfer_in_flight,
)

from tests.unit.dma.machine import LOW_RAM, behind_iommu, direct

OLD, NEW = b"old!" * 64, b"new!" * 64


def noncoherent(debug: DebugMode = DebugMode.STRICT) -> Device:
    return direct(64, host=Host(ram=LOW_RAM, cpu_cache=True, dma_minalign=64, debug=debug), coherent=False)


def mapped(device: Device, direction: DmaDirection, fill: bytes = OLD, attrs: int = 0):  # type: ignore[no-untyped-def]
    buffer = device.host.kmalloc(len(fill))
    buffer.write(fill)
    dma = dma_map_single(device, buffer, len(fill), direction, attrs)
    assert dma_mapping_error(device, dma) == 0
    return buffer, dma


def test_the_map_call_pushes_cpu_stores_out() -> None:
    device = noncoherent()
    buffer = device.host.kmalloc(256)
    buffer.write(NEW)
    assert device.host.memory.read(int(buffer.phys), 256) == bytes(256), "still in the cache"
    dma = dma_map_single(device, buffer, 256, DMA_TO_DEVICE)
    assert device_read(device, dma, 256) == NEW


def test_a_missing_sync_for_the_device_shows_stale_bytes() -> None:
    device = noncoherent(DebugMode.LOG)
    buffer, dma = mapped(device, DMA_TO_DEVICE)
    buffer.write(NEW)
    assert device.host.debug.counts[DebugClass.CPU_ACCESS_DEVICE_OWNED] == 1
    assert device_read(device, dma, 256) == OLD
    dma_sync_single_for_device(device, dma, 256, DMA_TO_DEVICE)
    assert device_read(device, dma, 256) == NEW


def test_a_missing_sync_for_the_cpu_shows_stale_bytes() -> None:
    device = noncoherent(DebugMode.LOG)
    buffer, dma = mapped(device, DMA_FROM_DEVICE)
    assert buffer.read() == OLD, "this read fills the cache again"
    device_write(device, dma, NEW)
    assert buffer.read() == OLD
    dma_sync_single_for_cpu(device, dma, 256, DMA_FROM_DEVICE)
    assert buffer.read() == NEW
    dma_unmap_single(device, dma, 256, DMA_FROM_DEVICE)
    assert buffer.read() == NEW


@pytest.mark.parametrize("attrs", [0, DmaAttrs.SKIP_CPU_SYNC])
def test_skip_cpu_sync_moves_the_duty_to_explicit_syncs(attrs: int) -> None:
    device = noncoherent()
    _, dma = mapped(device, DMA_TO_DEVICE, NEW, attrs)
    assert device_read(device, dma, 256) == (bytes(256) if attrs else NEW)
    dma_sync_single_for_device(device, dma, 256, DMA_TO_DEVICE)
    assert device_read(device, dma, 256) == NEW


def test_bidirectional_both_ways() -> None:
    device = noncoherent()
    buffer, dma = mapped(device, DMA_BIDIRECTIONAL)
    assert device_read(device, dma, 256) == OLD
    device_write(device, dma, NEW)
    dma_sync_single_range_for_cpu(device, dma, 64, 64, DMA_BIDIRECTIONAL)
    assert buffer.read(64, 64) == NEW[:64]
    buffer.write(OLD[:64], 64)
    with pytest.raises(DmaDebugError, match="owned by"):
        buffer.read(0, 65)
    device_read(device, dma, 64)
    with pytest.raises(DmaDebugError) as caught:
        device_read(device, dma, 65)
    assert caught.value.error_class is DebugClass.DEVICE_ACCESS_CPU_OWNED
    dma_sync_single_range_for_device(device, dma, 64, 64, DMA_BIDIRECTIONAL)
    assert device_read(device, dma, 256) == NEW[:64] + OLD[:64] + NEW[128:]


def test_a_buffer_that_shares_its_cache_line_corrupts_its_neighbour() -> None:
    device = noncoherent(DebugMode.LOG)
    buffer = device.host.kmalloc(256)
    buffer.write(OLD)
    inner = buffer[16:48]
    dma = dma_map_single(device, inner, 32, DMA_FROM_DEVICE)
    buffer.write(b"C", 0)
    device_write(device, dma, b"D" * 32)
    dma_unmap_single(device, dma, 32, DMA_FROM_DEVICE)
    assert b"D" * 32 not in buffer.read(), "the dirty line of the neighbour overwrote what the device had written"


def test_coherent_memory_needs_no_sync() -> None:
    device = noncoherent()
    block = dma_alloc_coherent(device, 256)
    assert block is not None
    cpu, dma = block
    cpu.write(NEW)
    assert device_read(device, dma, 256) == NEW
    device_write(device, dma, OLD)
    assert cpu.read() == OLD


def test_a_coherent_device_snoops_the_same_cache() -> None:
    host = Host(ram=LOW_RAM, cpu_cache=True)
    device = direct(64, host=host)
    buffer, dma = mapped(device, DMA_BIDIRECTIONAL, NEW)
    assert device_read(device, dma, 256) == NEW
    device_write(device, dma + 8, OLD[:64])
    dma_unmap_single(device, dma, 256, DMA_BIDIRECTIONAL)
    assert buffer.read() == NEW[:8] + OLD[:64] + NEW[72:]


def test_scatterlists_sync_segment_by_segment() -> None:
    host = Host(ram=LOW_RAM, cpu_cache=True, dma_minalign=64)
    machine = behind_iommu(host=host, coherent=False)
    buffers = [host.kmalloc(4096) for _ in range(3)]
    for buffer in buffers:
        buffer.write(b"\x11" * 4096)
    sgt = SgTable(Scatterlist.from_buffers(buffers))
    assert dma_map_sgtable(machine.device, sgt, DMA_BIDIRECTIONAL) == 0
    assert sgt.nents == 1, "joined into one segment"
    ((dma, length),) = sgt.segments()
    assert length == 3 * 4096
    device_write(machine.device, dma, b"\x22" * length)
    dma_sync_sgtable_for_cpu(machine.device, sgt, DMA_BIDIRECTIONAL)
    assert all(buffer.read() == b"\x22" * 4096 for buffer in buffers)
    buffers[1].write(b"\x33" * 4096)
    dma_sync_sgtable_for_device(machine.device, sgt, DMA_BIDIRECTIONAL)
    assert device_read(machine.device, dma, length) == b"\x22" * 4096 + b"\x33" * 4096 + b"\x22" * 4096
    dma_unmap_sgtable(machine.device, sgt, DMA_BIDIRECTIONAL)
    host.assert_clean()


def test_the_cpu_may_read_but_not_write_what_the_device_only_reads() -> None:
    device = direct(64)
    buffer, dma = mapped(device, DMA_TO_DEVICE)
    assert buffer.read() == OLD
    with pytest.raises(DmaDebugError) as caught:
        buffer.write(NEW)
    assert caught.value.error_class is DebugClass.CPU_ACCESS_DEVICE_OWNED
    dma_unmap_single(device, dma, 256, DMA_TO_DEVICE)
    buffer.write(NEW)
    assert bytes(buffer.array()) == NEW


def test_device_accesses_are_judged_by_the_ledger() -> None:
    machine = behind_iommu()
    device = machine.device
    _, dma = mapped(device, DMA_TO_DEVICE)
    cases: list[tuple[Callable[[], object], DebugClass]] = [
        (lambda: device_write(device, dma, b"x"), DebugClass.DEVICE_ACCESS_PERMISSION),
        (lambda: device_read(device, dma + 250, 7), DebugClass.DEVICE_ACCESS_UNMAPPED),
        (lambda: device_read(device, 1 << 40, 4), DebugClass.ADDRESS_ABOVE_MASK),
    ]
    for access, expected in cases:
        with pytest.raises(DmaDebugError) as caught:
            access()
        assert caught.value.error_class is expected
    assert device_read(device, dma, 0) == b""
    with transfer_in_flight(device, dma, 256), pytest.raises(DmaDebugError) as caught:
        dma_unmap_single(device, dma, 256, DMA_TO_DEVICE)
    assert caught.value.error_class is DebugClass.UNMAP_IN_FLIGHT
    dma_unmap_single(device, dma, 256, DMA_TO_DEVICE)


@pytest.mark.parametrize("direction", [DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_BIDIRECTIONAL])
def test_bounced_mappings_copy_at_the_right_moments(direction: DmaDirection) -> None:
    host = Host(ram=LOW_RAM)
    pool = Swiotlb(host)
    device = direct(64, host=host, force_bounce=True)
    buffer, dma = mapped(device, direction)
    assert pool.contains(int(dma))
    assert host.memory.read(int(dma), 256) == OLD, "filled whatever the direction"
    assert not device.skip_sync
    if direction.device_writes:
        device_write(device, dma, NEW[:128])
        dma_sync_single_for_cpu(device, dma, 256, direction)
        assert buffer.read() == NEW[:128] + OLD[128:], "what the device did not write survives"
        dma_sync_single_for_device(device, dma, 256, direction)
    dma_unmap_single(device, dma, 256, direction)
    assert buffer.read() == (NEW[:128] + OLD[128:] if direction.device_writes else OLD)
    assert pool.used_slots == 0
    host.assert_clean()


def test_an_untrusted_device_sees_nothing_around_its_bytes() -> None:
    host = Host(ram=LOW_RAM)
    pool = Swiotlb(host)
    machine = behind_iommu(host=host, untrusted=True)
    page = host.buffer(host.alloc_page())
    page.write(b"S" * 4096)
    dma = dma_map_single(machine.device, page[100:200], 100, DMA_BIDIRECTIONAL)
    dma_mapping_error(machine.device, dma)
    granule = int(dma) & -4096
    seen = b"".join(host.memory.read(machine.domain.iova_to_phys(at) or 0, 64) for at in range(granule, granule + 4096, 64))
    assert seen.count(b"S") == 100
    device_write(machine.device, dma, b"W" * 100)
    dma_unmap_single(machine.device, dma, 100, DMA_BIDIRECTIONAL)
    assert page.read() == b"S" * 100 + b"W" * 100 + b"S" * 3896
    assert pool.used_slots == 0
    machine.host.assert_clean()


def test_swiotlb_is_exhausted_loudly_and_aligns() -> None:
    host = Host(ram=LOW_RAM, debug=DebugMode.LOG)
    pool = Swiotlb(host, 1 << 18)
    device = direct(64, host=host, force_bounce=True, min_align_mask=0xFFF)
    buffer = host.kmalloc(1 << 18)
    dma = dma_map_single(device, buffer[1234:2000], 500, DMA_TO_DEVICE)
    assert int(dma) & 0xFFF == (int(buffer.phys) + 1234) & 0xFFF
    assert dma_mapping_error(device, dma_map_single(device, buffer, 1 << 18, DMA_TO_DEVICE)) == -12
    assert host.debug.counts[DebugClass.BOUNCE_FULL] == 1
    assert dma_mapping_error(device, dma_map_single(device, buffer, 1 << 18, DMA_TO_DEVICE, DmaAttrs.NO_WARN)) == -12
    assert host.debug.counts[DebugClass.BOUNCE_FULL] == 1
    assert dma_mapping_error(device, dma_map_single(device, buffer, 64, DMA_TO_DEVICE, DmaAttrs.REQUIRE_COHERENT)) == -12
    with pytest.raises(ValueError, match="multiple"):
        Swiotlb(host, 1000)
    assert pool.used_slots == 1


def test_small_kmalloc_buffers_of_noncoherent_devices_are_bounced() -> None:
    host = Host(ram=LOW_RAM, cpu_cache=True, dma_minalign=64, kmalloc_minalign=8, bounce_unaligned_kmalloc=True)
    pool = Swiotlb(host)
    device = direct(64, host=host, coherent=False)
    small, large = host.kmalloc(32), host.kmalloc(64)
    assert pool.contains(int(dma_map_single(device, small, 32, DMA_FROM_DEVICE)))
    assert not pool.contains(int(dma_map_single(device, small, 32, DMA_TO_DEVICE)))
    assert not pool.contains(int(dma_map_single(device, large, 64, DMA_FROM_DEVICE)))
    machine = behind_iommu(host=host, coherent=False, name="behind")
    bounced = machine.domain.iova_to_phys(int(dma_map_single(machine.device, host.kmalloc(16), 16, DMA_FROM_DEVICE)))
    assert bounced is not None
    assert pool.contains(bounced)
    sgt = SgTable(Scatterlist.from_buffers([host.kmalloc(16), host.kmalloc(4096)]))
    assert dma_map_sgtable(machine.device, sgt, DMA_FROM_DEVICE) == 0
    assert sgt.nents == 2
    dma_unmap_sgtable(machine.device, sgt, DMA_FROM_DEVICE)
