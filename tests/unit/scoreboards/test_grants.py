"""The checker of grants passes what tables in force between request and response grant, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sluicegate.iommu.commands import Fence, InvalidateTranslations
from sluicegate.iommu.request import AddressType

from tb.bridge.event_log import REQUEST_AT_SHIFT, RESPONSE_PERMISSIONS_SHIFT, Actor, EventKind, RequestBit
from tb.checkers.grants import GrantChecker
from tb.scoreboards.marks import MarkKind
from tb.scoreboards.scoreboard import ScoreboardError
from tests.unit.scoreboards.log_builder import LogBuilder
from tests.unit.scoreboards.table_log import (
    CAPABILITIES,
    CONTEXTS,
    DEVICE,
    DIRECTORY,
    HIGH,
    IOVA,
    LEAVES,
    MIDDLE,
    ROOT,
    UNMAPPED,
    TableLog,
)

READ_ONLY, NO_USER = 0x53, 0xC7
OFF, BARE, TWO_LEVELS = 0, 1, DIRECTORY >> 2 | 3
DDTP = 0x010
READ, WRITE, EXECUTE = 1, 2, 4

Play = Callable[["WalkedLog"], None]


class WalkedLog(TableLog):
    """Tables that the IOMMU has walked once, so that it may hold what it read of them."""

    def restart(self, capabilities: int = CAPABILITIES.word) -> None:
        self.add(EventKind.MARK, argument=MarkKind.IOMMU_RESTART, address=capabilities)

    def walk(self) -> None:
        for page in (DIRECTORY, CONTEXTS, ROOT, MIDDLE, LEAVES):
            self.add(EventKind.MEMORY_READ, Actor.IOMMU, address=page, length=8)

    def directory(self, value: int, settled: bool = True) -> None:
        """Write ``ddtp``, and read it back as the core shows it when it has taken effect."""
        self.register(DDTP, value)
        if settled:
            header = (value & 0xFFFF_FFFF, value >> 32, 0, 0)
            self.add(EventKind.REGISTER_READ, address=DDTP, header=header, argument=0xFF)

    def grant(self, iova: int, spa: int, write: bool = False, device: int = DEVICE) -> None:
        self.answer(self.ask(iova, write, device), spa)


def judged(play: Play, stepwise: bool) -> dict[str, int]:
    """Comparisons and figures of a run of ``play`` on walked tables of 16 pages."""
    judge, log = GrantChecker(), WalkedLog()
    log.restart()
    log.setup()
    log.walk()
    play(log)
    for batch in [LogBuilder(records=[record], data=log.data).batch() for record in log.records] if stepwise else [log.batch()]:
        judge.ingest(batch)
    result = judge.finish()
    return {"granted": result.compared, **result.figures}


def _pages(log: WalkedLog) -> None:
    for page in range(16):
        log.grant(IOVA + 0x1000 * page + 0x123, log.physical(page) + 0x123, write=bool(page & 1))


def _refusals(log: WalkedLog) -> None:
    """Refusing too much breaks no isolation."""
    log.answer(log.ask(IOVA), None)
    log.answer(log.ask(UNMAPPED), None)
    log.grant(IOVA, log.physical(0))


def _old_until_the_fence(log: WalkedLog) -> None:
    old = log.physical(3)
    log.unmap(3)
    log.grant(IOVA + 0x3000, old)
    log.invalidate(3, fence=False)
    log.grant(IOVA + 0x3000, old)


def _old_for_a_request_from_before_the_fence(log: WalkedLog) -> None:
    old, early = log.physical(3), log.ask(IOVA + 0x3000)
    log.unmap(3)
    log.invalidate(3)
    log.answer(early, old)


def _new_at_once(log: WalkedLog) -> None:
    early = log.ask(IOVA + 0x3000)
    log.map(3, 300)
    log.answer(early, log.physical(3))


def _old_when_the_invalidation_named_another_page(log: WalkedLog) -> None:
    old = log.physical(3)
    log.unmap(3)
    log.invalidate(4)
    log.grant(IOVA + 0x3000, old)


def _old_when_the_invalidation_was_written_before_the_change(log: WalkedLog) -> None:
    old, command = log.physical(3), InvalidateTranslations().pack()
    log.command(command, complete=False)
    log.unmap(3)
    log.complete(command)
    log.command(Fence().pack())
    log.grant(IOVA + 0x3000, old)


def _old_directory_until_the_new_one_is_in_force(log: WalkedLog) -> None:
    log.directory(OFF, settled=False)
    log.grant(IOVA, log.physical(0))


def _bare(log: WalkedLog) -> None:
    log.directory(BARE)
    log.grant(IOVA + 0x123, IOVA + 0x123, write=True)


ALLOWED: list[tuple[Play, int]] = [
    (_pages, 16),
    (_refusals, 1),
    (_old_until_the_fence, 2),
    (_old_for_a_request_from_before_the_fence, 1),
    (_new_at_once, 1),
    (_old_when_the_invalidation_named_another_page, 1),
    (_old_when_the_invalidation_was_written_before_the_change, 1),
    (_old_directory_until_the_new_one_is_in_force, 1),
    (_bare, 1),
]


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize(("play", "grants"), ALLOWED, ids=[case[0].__name__ for case in ALLOWED])
def test_what_was_in_force_passes(play: Play, grants: int, stepwise: bool) -> None:
    figures = judged(play, stepwise)
    assert (figures["granted"], figures["undecided"]) == (grants, 0)


def _another_page(log: WalkedLog) -> None:
    log.grant(IOVA + 0x3000, log.physical(4))


def _another_offset(log: WalkedLog) -> None:
    log.grant(IOVA + 0x3008, log.physical(3))


def _unmapped(log: WalkedLog) -> None:
    log.grant(UNMAPPED, HIGH)


def _beyond_the_first_stage(log: WalkedLog) -> None:
    log.grant(IOVA + (1 << 39), log.physical(0))


def _absent_device(log: WalkedLog) -> None:
    log.grant(IOVA, log.physical(0), device=DEVICE + 1)


def _device_that_differs_above_the_directory(log: WalkedLog) -> None:
    log.grant(IOVA, log.physical(0), device=DEVICE | 1 << 16)


def _write_to_a_read_only_page(log: WalkedLog) -> None:
    log.map(3, 103, READ_ONLY)
    log.invalidate()
    log.grant(IOVA + 0x3000, log.physical(3), write=True)


def _execute_without_right(log: WalkedLog) -> None:
    identifier = log.ask(IOVA)
    log.records[-1]["header"][3] |= RequestBit.EXEC
    log.answer(identifier, log.physical(0))


def _supervisor_page(log: WalkedLog) -> None:
    log.map(3, 103, NO_USER)
    log.invalidate()
    log.grant(IOVA + 0x3000, log.physical(3))


def _reserved_entry(log: WalkedLog) -> None:
    log.map(3, 103, 0xD7 | 1 << 54)
    log.invalidate()
    log.grant(IOVA + 0x3000, log.physical(3))


def _old_after_the_fence(log: WalkedLog) -> None:
    old = log.physical(3)
    log.unmap(3)
    log.invalidate(3)
    log.grant(IOVA + 0x3000, old)


def _old_after_the_fence_of_another_mapping(log: WalkedLog) -> None:
    old = log.physical(3)
    log.map(3, 300)
    log.invalidate(3)
    log.grant(IOVA + 0x3000, log.physical(3))
    log.grant(IOVA + 0x3000, old)


def _old_right_after_the_fence(log: WalkedLog) -> None:
    log.grant(IOVA + 0x3000, log.physical(3), write=True)
    log.map(3, 103, READ_ONLY)
    log.invalidate(3)
    log.grant(IOVA + 0x3000, log.physical(3))
    log.grant(IOVA + 0x3000, log.physical(3), write=True)


def _old_context_after_its_invalidation(log: WalkedLog) -> None:
    log.dword(CONTEXTS, 0)
    log.invalidate_device()
    log.grant(IOVA, log.physical(0))


def _new_before_it_was_written(log: WalkedLog) -> None:
    log.grant(IOVA + 0x14_0000, HIGH + 300 * 0x1000)
    log.map(0x140, 300)


def _off(log: WalkedLog) -> None:
    log.directory(OFF)
    log.grant(IOVA, log.physical(0))


def _directory_left(log: WalkedLog) -> None:
    log.directory(OFF)
    log.directory(CONTEXTS >> 2 | 3)
    log.grant(IOVA, log.physical(0))


def _bare_left(log: WalkedLog) -> None:
    log.directory(BARE)
    log.grant(IOVA, IOVA)
    log.directory(TWO_LEVELS)
    log.grant(IOVA, IOVA)


def _bare_before_it_was_chosen(log: WalkedLog) -> None:
    log.grant(IOVA, IOVA)
    log.directory(BARE)


FORBIDDEN: list[Play] = [
    _another_page,
    _another_offset,
    _unmapped,
    _beyond_the_first_stage,
    _absent_device,
    _device_that_differs_above_the_directory,
    _write_to_a_read_only_page,
    _execute_without_right,
    _supervisor_page,
    _reserved_entry,
    _old_after_the_fence,
    _old_after_the_fence_of_another_mapping,
    _old_right_after_the_fence,
    _old_context_after_its_invalidation,
    _new_before_it_was_written,
    _off,
    _directory_left,
    _bare_left,
    _bare_before_it_was_chosen,
]


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("plant", FORBIDDEN, ids=[plant.__name__ for plant in FORBIDDEN])
def test_a_success_that_nothing_in_force_grants_is_caught(plant: Play, stepwise: bool) -> None:
    asked: list[int] = []

    def play(log: WalkedLog) -> None:
        _pages(log)
        asked.append(log.cycle)
        plant(log)

    with pytest.raises(ScoreboardError, match="was granted") as caught:
        judged(play, stepwise)
    assert (caught.value.checker, caught.value.block) == ("grants", "iommu")
    assert caught.value.sequence is not None
    assert caught.value.sequence >= asked[0], "the grants before it are right"


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize(("permissions", "right"), [(READ, True), (READ | WRITE, False), (READ | EXECUTE, False), (0, True)])
def test_a_device_cache_is_given_no_right_that_the_entry_has_not(permissions: int, right: bool, stepwise: bool) -> None:
    def play(log: WalkedLog) -> None:
        log.restart(CAPABILITIES.word | 1 << 25)
        log.setup()
        log.walk()
        log.dword(CONTEXTS, 1 | 1 << 1)
        log.map(3, 103, READ_ONLY)
        log.invalidate_device()
        log.invalidate()
        identifier = log.ask(IOVA + 0x3000)
        log.records[-1]["header"][3] = AddressType.TRANSLATION_REQUEST << REQUEST_AT_SHIFT
        log.answer(identifier, log.physical(3))
        log.records[-1]["header"][1] |= permissions << RESPONSE_PERMISSIONS_SHIFT
        log.good(4)

    if right:
        assert judged(play, stepwise)["granted"] == 1 + bool(permissions)
        return
    with pytest.raises(ScoreboardError, match="was granted"):
        judged(play, stepwise)


def test_a_run_that_was_granted_nothing_has_compared_nothing() -> None:
    figures = judged(lambda log: log.answer(log.ask(UNMAPPED), None), stepwise=False)
    assert (figures["granted"], figures["requests"]) == (0, 1)
