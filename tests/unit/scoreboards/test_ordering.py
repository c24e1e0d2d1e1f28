"""The ordering table of PCIe, cell by cell, for what may overtake a posted write."""

from __future__ import annotations

import numpy as np
import pytest

from tb.checkers.ordering import OrderingChecker
from tb.scoreboards.scoreboard import ScoreboardError
from tb.scoreboards.tlp_batch import TlpBatch
from tests.unit.scoreboards.log_builder import Header, LogBuilder, completion, memory_request

RO, IDO = 1 << 13, 1 << 18
POSTED = memory_request(True, 0x8000_0000, 4, 0x300)


def swapped(passer: Header, passed: Header = POSTED) -> None:
    """``passed`` entered first and left last."""
    log = LogBuilder()
    log.tlp(1, passer, bytes(4) if passer[0] >> 30 & 1 else b"")
    log.tlp(1, passed, bytes(4) if passed[0] >> 30 & 1 else b"")
    left = TlpBatch.of(log.batch())
    checker = OrderingChecker({0: "in", 1: "out"})
    checker.check("switch", 0, np.array([8, 5], dtype=np.uint64), left)
    assert checker.compared == 2


def write(requester: int = 0x300, attributes: int = 0) -> Header:
    return memory_request(True, 0x8000_1000, 4, requester, attributes=attributes)


def read(requester: int = 0x300, attributes: int = 0) -> Header:
    return memory_request(False, 0x8000_1000, 4, requester, attributes=attributes)


def atomic(attributes: int = 0) -> Header:
    return (0x4C00_0001 | attributes, 0x300 << 16, 0x8000_0000, 0)


def reply(completer: int = 0, attributes: int = 0) -> Header:
    return completion(0x300, 1, 4, 0, 4, completer=completer, attributes=attributes)


MUST_NOT = [write(), read(), read(attributes=RO), atomic(), reply(), write(attributes=IDO), reply(0x300, IDO), read(0x300, IDO)]
MAY = [
    write(attributes=RO),
    atomic(RO),
    reply(attributes=RO),
    write(0x400, IDO),
    read(0x400, IDO),
    reply(0x400, IDO),
    completion(0, 1),
]


@pytest.mark.parametrize("passer", MUST_NOT)
def test_may_not_pass_a_posted_write(passer: Header) -> None:
    with pytest.raises(ScoreboardError, match="was overtaken"):
        swapped(passer)


@pytest.mark.parametrize("passer", MAY)
def test_may_pass_a_posted_write(passer: Header) -> None:
    swapped(passer)


@pytest.mark.parametrize("passed", [read(), reply(), atomic()])
def test_anything_may_pass_what_is_not_posted(passed: Header) -> None:
    swapped(write(), passed)


def test_traffic_classes_are_independent() -> None:
    swapped(write(attributes=1 << 20))
