"""Payload that waits from batch to batch, and the order in which equal keys meet."""

from __future__ import annotations

import numpy as np
import pytest

from tb.scoreboards.flow_matcher import stable_order
from tb.scoreboards.payload_store import PayloadStore
from tb.scoreboards.tlp_batch import TlpBatch
from tests.unit.scoreboards.log_builder import LogBuilder

WRITE = (0x4000_0002, 0x0300_00FF, 0x1000, 0)


def test_bytes_behind_the_first_ones_keep_their_positions() -> None:
    store = PayloadStore(np.arange(8, dtype=np.uint8), 4)
    assert [store.append(np.full(size, size, np.uint8)) for size in (3, 0, 5)] == [4, 7, 7]
    assert store.bytes.tolist() == [0, 1, 2, 3, 3, 3, 3, 5, 5, 5, 5, 5]


def test_tlps_of_several_batches_are_one_batch_with_their_payloads() -> None:
    log, waiting, sent = LogBuilder(), TlpBatch.none(), []
    for number in range(5):
        for link in range(3):
            sent.append(bytes([number, link] * 4))
            log.tlp(link, WRITE, sent[-1])
        tlps = TlpBatch.of(log.batch())
        found = tlps.after(waiting)
        assert [found.payload_of(row).tobytes() for row in range(len(found))] == sent
        kept = found.link != 1
        waiting = found.carry(kept)
        sent = [payload for payload, keep in zip(sent, kept.tolist(), strict=True) if keep]


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_equal_keys_stay_in_their_order(size: int) -> None:
    random = np.random.default_rng(size)
    keys = random.integers(0, max(size // 3, 1), size).astype(np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)
    assert np.array_equal(stable_order(keys), np.argsort(keys, kind="stable"))
