"""CPU stores are late and out of order until a barrier: what a driver without barriers risks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluicegate.dma import DMA_TO_DEVICE, Host, StoreBuffer, device_read, dma_alloc_coherent, dma_map_single, dma_wmb
from sluicegate.memory import Memory, SparseMemory

from tests.unit.dma.machine import LOW_RAM, direct

STORES = st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=12)), max_size=40)


@given(stores=STORES, seed=st.integers(0, 50), depth=st.integers(1, 6))
def test_the_cpu_sees_its_own_stores_and_a_barrier_makes_memory_equal(
    stores: list[tuple[int, bytes]], seed: int, depth: int
) -> None:
    memory, plain = SparseMemory(), SparseMemory()
    buffer = StoreBuffer(memory, seed, depth)
    for address, data in stores:
        buffer.write(address, data)
        plain.write(address, data)
        assert buffer.read(0, 80) == plain.read(0, 80)
        assert len(buffer) <= depth
    buffer.drain()
    assert memory.read(0, 80) == plain.read(0, 80)


def publish(seed: int, barrier: bool) -> bool:
    """A ring of 64 descriptors, each body then valid bit; whether the device ever saw a valid bit without its body."""
    host = Host(ram=LOW_RAM, store_buffer_seed=seed)
    device = direct(64, host=host)
    block = dma_alloc_coherent(device, 4096)
    assert block is not None
    ring, dma = block
    broken = False
    for number in range(64):
        ring.write(b"body", 64 * number)
        if barrier:
            dma_wmb(host)
        ring.write(b"V", 64 * number + 32)
        for slot in range(64):
            descriptor = device_read(device, dma + 64 * slot, 64)
            broken |= descriptor[32:33] == b"V" and descriptor[:4] != b"body"
    return broken


def test_a_missing_barrier_shows_a_valid_bit_without_its_descriptor() -> None:
    assert any(publish(seed, barrier=False) for seed in range(4))
    assert not any(publish(seed, barrier=True) for seed in range(4))


def test_the_same_seed_gives_the_same_order() -> None:
    def order(seed: int) -> list[bytes]:
        memory = SparseMemory()
        buffer = StoreBuffer(memory, seed, 4)
        seen = []
        for number in range(30):
            buffer.write(8 * number, bytes([number + 1]) * 8)
            seen.append(memory.read(0, 240))
        return seen

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_with_a_cache_both_paths_are_buffered() -> None:
    host = Host(ram=LOW_RAM, cpu_cache=True, dma_minalign=64, store_buffer_seed=3)
    device = direct(64, host=host, coherent=False)
    buffer = host.kmalloc(64)
    buffer.write(b"n" * 64)
    assert device_read(device, dma_map_single(device, buffer, 64, DMA_TO_DEVICE), 64) == b"n" * 64
    block = dma_alloc_coherent(device, 64)
    assert block is not None
    block[0].write(b"c" * 8)
    assert device_read(device, block[1], 8) == bytes(8)
    dma_wmb(host)
    assert device_read(device, block[1], 8) == b"c" * 8


def test_it_is_a_memory() -> None:
    buffer = StoreBuffer(SparseMemory())
    assert isinstance(buffer, Memory)
    buffer.write_u64(0x100, 7)
    assert buffer.gather_u64(np.array([0x100, 0x108], dtype=np.uint64)).tolist() == [7, 0]
    assert bytes(buffer.view(0x100, 2)) == b"\7\0"
    assert buffer.memory.read_u64(0x100) == 0
    assert buffer.compare_exchange_u64(0x100, 7, 9) == 7
    assert buffer.read_u64(0x100) == 9
    assert len(buffer) == 0
    with pytest.raises(ValueError, match="aligned"):
        buffer.write_u64(0x101, 0)
    with pytest.raises(ValueError, match="at least one"):
        StoreBuffer(SparseMemory(), depth=0)
