"""The isolation checker passes accesses that a translation granted and a fence waited for, and no others."""

from __future__ import annotations

import pytest
from sluicegate.iommu.commands import Fence, InvalidateTranslations

from tb.bridge.event_log import EventKind
from tb.checkers.isolation import IsolationChecker
from tb.scoreboards.scoreboard import ScoreboardError
from tests.unit.scoreboards.log_builder import Header, LogBuilder, completion, memory_request
from tests.unit.scoreboards.machine_log import IOVA, LINKS, LOW, PEER, REQUESTER, MachineLog, rewritten


def machine() -> MachineLog:
    log = MachineLog()
    log.pages[IOVA >> 12] = LOW >> 12
    log.pages[(IOVA >> 12) + 1] = PEER[1].base >> 12
    return log


def command(log: MachineLog, packed: tuple[int, int]) -> None:
    header = (packed[0] & 0xFFFF_FFFF, packed[0] >> 32, packed[1] & 0xFFFF_FFFF, packed[1] >> 32)
    log.add(EventKind.IOMMU_COMMAND, header=header)


def unmap(log: MachineLog, reads: bool = True, writes: bool = True) -> None:
    command(log, InvalidateTranslations(address=IOVA).pack())
    command(log, Fence(previous_reads=reads, previous_writes=writes).pack())


def granted(log: MachineLog, write: bool, iova: int = IOVA) -> tuple[Header, bytes]:
    """A request that was translated; returns it as it leaves."""
    header = memory_request(write, iova, 8, REQUESTER[0])
    log.up(0, header, bytes(8 * write))
    spa = log.translate(0, iova, write)
    assert spa is not None
    return rewritten(header, spa), bytes(8 * write)


ANSWER = completion(REQUESTER[0], byte_count=8, length=8), bytes(8)


def test_accesses_before_their_fence_pass() -> None:
    whole, single, log = IsolationChecker(), IsolationChecker(), machine()
    for write in (True, False):
        log.tlp(LINKS.memory_request, *granted(log, write))
    log.tlp(LINKS.switch_down, *ANSWER)
    unmap(log)
    log.tlp(LINKS.switch_down, *granted(log, True, IOVA + 0x1000))
    log.tlp(LINKS.switch_down, memory_request(True, PEER[0].base, 4, 0), bytes(4))
    command(log, Fence(previous_reads=True, previous_writes=True).pack())
    for record in log.records:
        single.ingest(LogBuilder(records=[record], data=log.data).batch())
    whole.ingest(log.batch())
    result = whole.finish()
    assert result == single.finish()
    assert (result.compared, result.figures["fences"]) == (3, 4)


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("iova", [IOVA, IOVA + 0x1000])
def test_an_access_after_the_fence_is_caught(write: bool, iova: int) -> None:
    judge, log = IsolationChecker(), machine()
    leaving = granted(log, write, iova)
    unmap(log)
    log.tlp(LINKS.memory_request if iova == IOVA else LINKS.switch_down, *leaving)
    with pytest.raises(ScoreboardError, match="before the fence") as caught:
        judge.ingest(log.batch())
    assert (caught.value.checker, caught.value.block) == ("isolation", "iommu")


@pytest.mark.parametrize("write", [True, False])
def test_a_fence_of_the_other_kind_waits_for_nothing(write: bool) -> None:
    judge, log = IsolationChecker(), machine()
    leaving = granted(log, write)
    unmap(log, reads=write, writes=not write)
    log.tlp(LINKS.memory_request, *leaving)
    judge.ingest(log.batch())
    assert judge.finish().compared == 1


def test_what_is_translated_while_the_fence_waits_may_come_later() -> None:
    judge, log = IsolationChecker(), machine()
    command(log, InvalidateTranslations(address=IOVA).pack())
    leaving = granted(log, True)
    command(log, Fence(previous_reads=True, previous_writes=True).pack())
    log.tlp(LINKS.memory_request, *leaving)
    judge.ingest(log.batch())
    assert judge.finish().compared == 1


def test_a_read_passes_one_of_the_same_page_that_waits_for_its_answer() -> None:
    judge, log = IsolationChecker(), machine()
    leaving = memory_request(False, LOW, 8, REQUESTER[0])
    for identifier, iova in ((1, IOVA), (2, IOVA + 0x2000)):
        log.add(EventKind.TRANSLATION_REQUEST, header=(identifier, REQUESTER[0], 0, 0), address=iova)
    for identifier in (2, 1):
        log.add(EventKind.TRANSLATION_RESPONSE, header=(identifier, 12 << 16, 0, 0), address=LOW)
        log.tlp(LINKS.memory_request, leaving)
    judge.ingest(log.batch())
    assert judge.finish().compared == 2


@pytest.mark.parametrize("requester", REQUESTER)
def test_an_access_without_a_grant_is_caught(requester: int) -> None:
    judge, log = IsolationChecker(), machine()
    if requester == REQUESTER[1]:
        granted(log, True)
    log.tlp(LINKS.memory_request, memory_request(True, LOW, 8, requester), bytes(8))
    with pytest.raises(ScoreboardError, match="no translation granted"):
        judge.ingest(log.batch())


@pytest.mark.parametrize("stepwise", [True, False])
@pytest.mark.parametrize("answered", [True, False])
def test_a_fence_waits_until_the_device_has_its_completion(answered: bool, stepwise: bool) -> None:
    judge, log = IsolationChecker(), machine()
    log.tlp(LINKS.memory_request, *granted(log, False))
    unmap(log)
    if answered:
        log.tlp(LINKS.switch_down, *ANSWER)
    batches = [LogBuilder(records=[record], data=log.data).batch() for record in log.records] if stepwise else [log.batch()]

    def judge_all() -> None:
        for batch in batches:
            judge.ingest(batch)

    with pytest.raises(ScoreboardError, match="a read translated in record") as caught:
        judge_all()
    assert (caught.value.checker, caught.value.block) == ("isolation", "iommu")


def test_a_fence_of_writes_does_not_wait_for_completions() -> None:
    judge, log = IsolationChecker(), machine()
    log.tlp(LINKS.memory_request, *granted(log, False))
    unmap(log, reads=False)
    log.tlp(LINKS.switch_down, *ANSWER)
    judge.ingest(log.batch())
    assert judge.finish().compared == 1


def test_memory_that_never_answers_is_tolerated_only_where_it_is_known_to() -> None:
    judge, log = IsolationChecker(losses=True), machine()
    log.tlp(LINKS.memory_request, *granted(log, False))
    unmap(log)
    judge.ingest(log.batch())
    assert judge.finish().compared == 1


@pytest.mark.parametrize("stepwise", [True, False])
def test_a_refused_read_that_reuses_the_tag_of_a_lost_one_does_not_answer_it(stepwise: bool) -> None:
    judge, log = IsolationChecker(losses=True), machine()
    log.tlp(LINKS.memory_request, *granted(log, False))
    unmap(log)
    log.up(0, memory_request(False, IOVA + 0x2000, 8, REQUESTER[0]))
    assert log.translate(0, IOVA + 0x2000, False) is None
    log.tlp(LINKS.switch_down, completion(REQUESTER[0], status=1))
    for batch in [LogBuilder(records=[record], data=log.data).batch() for record in log.records] if stepwise else [log.batch()]:
        judge.ingest(batch)
    assert judge.finish().compared == 1
