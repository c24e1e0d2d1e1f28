"""Tables of the random test of the IOMMU: the sixteen entries of a NAPOT range stay alike but for A and D, whatever is spoilt and
mended around them, because a cache may read any of them for all (Privileged specification, Svnapot)."""

from __future__ import annotations

from random import Random

import pytest
from sluicegate.iommu.port import swap_u64

from tests.block.iommu.page_tables import Guest, Slot, Stage, TableStore
from tests.block.iommu.spoiler import Spoiler, Spoilt
from tests.block.iommu.table_entries import NAPOT, A, D, R, U, V, W

SV39 = 8
SLOT = Slot(0x4080_0000, 0, napot=True)
TARGET = (0x10_0000_0000 >> 12 | 8) << 10
GOOD = TARGET | NAPOT | V | R | U | A | D
SPOILT = GOOD & ~D | W
OTHER = GOOD | W


def make_range(big_endian: bool, leaf: int = GOOD) -> tuple[Stage, list[int]]:
    """A first stage with one NAPOT range, and where its entries lie."""
    tables = TableStore(0x8000_0000, lambda address, word: None, lambda address, state: None)
    bare = Stage(tables, 0, big_endian)
    stage = Stage(tables, SV39, big_endian, Guest(1, bare, (True, True), big_endian, Random(1)), slots=[SLOT])
    stage.write_leaf(SLOT, leaf)
    return stage, [stage.entry(SLOT.address + (index << 12), 0) for index in range(16)]


def raw(word: int, big_endian: bool) -> int:
    """A dword as it lies in memory."""
    return swap_u64(word) if big_endian else word


def spoil(stage: Stage, places: list[int], bad: int = SPOILT) -> Spoilt:
    """The range is spoilt, with what mends it."""
    words = {place: (stage.tables.words[place], raw(bad, stage.big_endian)) for place in places}
    stage.write_leaf(SLOT, bad)
    return Spoilt("spoilt entry", words)


def entries(stage: Stage, places: list[int]) -> list[int]:
    return [stage.tables.read(place) for place in places]


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("updated", [[], [0], [5], [0, 5, 15]])
def test_a_range_is_mended_whole_after_the_hardware_set_d_in_some_entries(big_endian: bool, updated: list[int]) -> None:
    stage, places = make_range(big_endian)
    spoilt = spoil(stage, places)
    for index in updated:
        stage.tables.adopt(places[index], raw(SPOILT | D, big_endian))
    Spoiler(Random(1)).mend(stage.tables, spoilt)
    assert entries(stage, places) == [GOOD] * 16
    assert not stage.mixed_ranges()


def test_what_another_edit_wrote_is_left_alone() -> None:
    stage, places = make_range(False)
    spoilt = spoil(stage, places)
    stage.write_leaf(SLOT, OTHER)
    Spoiler(Random(1)).mend(stage.tables, spoilt)
    assert entries(stage, places) == [OTHER] * 16


def test_a_single_entry_that_the_hardware_updated_is_left_alone() -> None:
    stage, places = make_range(False)
    spoilt = Spoilt("spoilt entry", {places[0]: (GOOD, SPOILT)})
    stage.tables.adopt(places[0], SPOILT | D)
    Spoiler(Random(1)).mend(stage.tables, spoilt)
    assert stage.tables.read(places[0]) == SPOILT | D


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("bits", [A, D, A | D])
def test_entries_of_a_range_may_differ_in_a_and_d(big_endian: bool, bits: int) -> None:
    stage, places = make_range(big_endian)
    stage.tables.adopt(places[7], raw(GOOD & ~bits, big_endian))
    assert not stage.mixed_ranges()


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("bit", [V, R, W, U, 1 << 10, 1 << 61, NAPOT])
@pytest.mark.parametrize("index", [0, 5, 15])
def test_entries_of_a_range_may_differ_in_nothing_else(big_endian: bool, bit: int, index: int) -> None:
    stage, places = make_range(big_endian)
    stage.tables.adopt(places[index], raw(GOOD ^ bit, big_endian))
    assert stage.mixed_ranges() == [SLOT]
