"""The CPU cache seen as a memory."""

from __future__ import annotations

import numpy as np
import pytest
from sluicegate.dma.cpu_cache import CpuCache
from sluicegate.memory import Memory, SparseMemory


def test_the_cpu_cache_is_a_memory() -> None:
    memory = SparseMemory()
    cache = CpuCache(memory)
    assert isinstance(cache, Memory)
    cache.write_u64(0x1000, 0x1122334455667788)
    assert (cache.read_u64(0x1000), memory.read_u64(0x1000)) == (0x1122334455667788, 0)
    assert cache.compare_exchange_u64(0x1000, 0, 5) == 0x1122334455667788
    assert cache.compare_exchange_u64(0x1000, 0x1122334455667788, 5) == 0x1122334455667788
    assert cache.gather_u64(np.array([[0x1000], [0x2000]], dtype=np.uint64)).tolist() == [[5], [0]]
    cache.invalidate(0x1000, 64)
    assert cache.read_u64(0x1000) == 0
    with pytest.raises(ValueError, match="aligned"):
        cache.read_u64(1)
    with pytest.raises(ValueError, match="cache line"):
        CpuCache(memory, 48)
