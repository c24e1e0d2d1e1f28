"""The vectorised split of requests gives the same pieces as the scalar one, and refuses what it cannot cut."""

from __future__ import annotations

import numpy as np
import pytest
from sluicegate.pci.request_split import flushing_reads, split_transfers
from sluicegate.pci.splitting import split_request


@pytest.mark.parametrize("boundary", [128, 256, 512, 4096])
def test_pieces_are_those_of_the_scalar_split(boundary: int) -> None:
    random = np.random.default_rng(boundary)
    address = random.integers(0, 1 << 40, 200).astype(np.uint64)
    length = random.integers(0, 9000, 200).astype(np.uint64)
    split = split_transfers(address, length, boundary)
    expected = [
        (row, piece - begin, piece, size)
        for row, (begin, count) in enumerate(zip(address.tolist(), length.tolist(), strict=True))
        for piece, size in split_request(begin, count, boundary)
    ]
    found = zip(split.transfer.tolist(), split.offset.tolist(), split.address.tolist(), split.length.tolist(), strict=True)
    assert list(found) == expected


def test_a_flush_touches_every_page_once() -> None:
    flush = flushing_reads(np.array([0x1FFF, 0x5000], np.uint64), np.array([2, 0], np.uint64))
    assert flush.address.tolist() == [0x1FFF, 0x2000, 0x5000]
    assert flush.length.tolist() == [0, 0, 0]


@pytest.mark.parametrize("boundary", [64, 8192, 300])
def test_impossible_boundaries_are_refused(boundary: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        split_transfers(np.zeros(1, np.uint64), np.ones(1, np.uint64), boundary)
