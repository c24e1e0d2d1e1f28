"""The flow scoreboard follows every TLP through switch and root complex, and names the block that changed or lost one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sluicegate.pci.topology import AcsControl

from tb.bridge.event_log import EventKind
from tb.scoreboards.link_flow import LinkFlowScoreboard
from tb.scoreboards.scoreboard import LinkCount, ScoreboardError
from tests.unit.scoreboards.log_builder import LogBuilder, completion, configuration_request, memory_request
from tests.unit.scoreboards.machine_log import HIGH, IOVA, LINKS, LOW, PEER, REQUESTER, MachineLog, configuration, rewritten

REDIRECT = AcsControl.REQUEST_REDIRECT | AcsControl.COMPLETION_REDIRECT


def traffic(log: MachineLog) -> None:
    log.pages |= {IOVA >> 12: LOW >> 12, (IOVA >> 12) + 1: (HIGH >> 12) + 5}
    log.cpu_write(LOW, bytes(range(256)))
    for tag in range(4):
        log.host_write(tag & 1, IOVA + 0x1003 + 64 * tag, bytes(range(tag, tag + 33)))
        log.host_read(tag & 1, IOVA + 5 * tag, 40, tag)
    log.host_write(0, IOVA + 0x5000, b"gone")
    log.host_read(1, IOVA + 0x5000, 8, 9)


def enumeration(log: MachineLog) -> None:
    """Configuration of an endpoint, of a switch port and of the host bridge, and a register read of an endpoint."""
    log.tlp(LINKS.cpu_request, configuration_request(False, REQUESTER[0], 0x10, tag=1))
    log.tlp(LINKS.switch_down, configuration_request(False, REQUESTER[0], 0x10, tag=1))
    log.tlp(LINKS.endpoint_down[0], configuration_request(False, REQUESTER[0], 0x10, tag=1, kind=0))
    answer = completion(0, 1, 4, 0, 4, completer=REQUESTER[0])
    for link in (LINKS.endpoint_up[0], LINKS.switch_up, LINKS.cpu_completion):
        log.tlp(link, answer, b"\1\2\3\4")
    log.tlp(LINKS.cpu_request, configuration_request(True, 0x208, 0x18, tag=2), b"\0\0\0\0")
    log.tlp(LINKS.switch_down, configuration_request(True, 0x208, 0x18, tag=2), b"\0\0\0\0")
    for link in (LINKS.switch_up, LINKS.cpu_completion):
        log.tlp(link, completion(0, 2, completer=0x208))
    log.tlp(LINKS.cpu_request, configuration_request(False, 0, 0, tag=3))
    log.tlp(LINKS.cpu_completion, completion(0, 3, 4, 0, 4), b"\xff\xff\xff\xff")
    write = memory_request(True, PEER[1].base + 8, 4, 0)
    log.tlp(LINKS.cpu_request, write, b"door")
    log.down(1, write, b"door")


def peer_write(log: MachineLog, redirected: bool) -> None:
    write = memory_request(True, PEER[1].base + 0x40, 16, REQUESTER[0])
    log.tlp(LINKS.endpoint_up[0], write, bytes(range(16)))
    if redirected:
        log.tlp(LINKS.switch_up, write, bytes(range(16)))
        log.pages[PEER[1].base >> 12] = PEER[1].base >> 12
        log.translate(0, PEER[1].base + 0x40, True)
        log.tlp(LINKS.switch_down, write, bytes(range(16)))
    log.tlp(LINKS.endpoint_down[1], write, bytes(range(16)))


@pytest.mark.parametrize("redirected", [False, True])
def test_clean_machine_passes_and_every_link_counts(redirected: bool) -> None:
    board, log = LinkFlowScoreboard(configuration(REDIRECT if redirected else 0)), MachineLog()
    enumeration(log)
    board.ingest(log.batch())
    traffic(log)
    peer_write(log, redirected)
    board.ingest(log.batch())
    result = board.finish()
    assert set(result.links) == set(LINKS.names.values())
    assert all(count.complete and count.compared for count in result.links.values())
    assert result.links["memory_request"] == LinkCount(8, 8, 8)
    assert result.figures["ordered"] > 30


def test_one_record_at_a_time_gives_the_same_result() -> None:
    whole, single = (LinkFlowScoreboard(configuration()) for _ in range(2))
    log = MachineLog()
    enumeration(log)
    traffic(log)
    for record in log.records:
        single.ingest(LogBuilder(records=[record], data=log.data).batch())
    whole.ingest(log.batch())
    assert whole.finish() == single.finish()


@pytest.mark.parametrize("single", [False, True])
def test_equal_requests_may_be_answered_in_any_order_with_different_answers(single: bool) -> None:
    """Two reads of one page during its unmap: the second hits the old translation before the first faults."""
    board, log = LinkFlowScoreboard(configuration()), MachineLog(memory={LOW: 0x5A})
    first, second = (memory_request(False, IOVA, 1, REQUESTER[0], tag) for tag in (1, 2))
    for header in (first, second):
        log.up(0, header)
    for identifier in (1, 2):
        log.add(EventKind.TRANSLATION_REQUEST, header=(identifier, REQUESTER[0], 0, 0), address=IOVA)
    log.add(EventKind.TRANSLATION_RESPONSE, header=(2, 12 << 16, 0, 0), address=LOW)
    log.tlp(LINKS.memory_request, rewritten(second, LOW))
    answer = completion(REQUESTER[0], 2, 1, 0, 1)
    log.tlp(LINKS.memory_completion, answer, b"\x5a")
    log.down(0, answer, b"\x5a")
    log.add(EventKind.TRANSLATION_RESPONSE, header=(1, 1 | 12 << 16, 0, 0))
    log.down(0, completion(REQUESTER[0], 1, 1, status=1))
    for part in [[record] for record in log.records] if single else [log.records]:
        board.ingest(LogBuilder(records=part, data=log.data).batch())
    assert board.finish().links["memory_request"] == LinkCount(1, 1, 1)


def test_nothing_seen_is_a_failure() -> None:
    with pytest.raises(ScoreboardError, match="compared nothing"):
        LinkFlowScoreboard(configuration()).finish()


def _wrong_page_offset(log: MachineLog) -> None:
    log.up(0, memory_request(True, IOVA + 8, 4, REQUESTER[0]), b"data")
    spa = log.translate(0, IOVA + 8, True)
    assert spa is not None
    log.tlp(LINKS.memory_request, memory_request(True, spa + 4, 4, REQUESTER[0]), b"data")


def _changed_byte(log: MachineLog) -> None:
    log.tlp(LINKS.endpoint_up[0], memory_request(True, IOVA, 8, REQUESTER[0]), b"12345678")
    log.tlp(LINKS.switch_up, memory_request(True, IOVA, 8, REQUESTER[0]), b"12345_78")


def _completion_to_the_wrong_endpoint(log: MachineLog) -> None:
    for link in (LINKS.memory_completion, LINKS.switch_down):
        log.tlp(link, completion(REQUESTER[0], 1, 4, 0, 4), b"1234")
    log.tlp(LINKS.endpoint_down[1], completion(REQUESTER[0], 1, 4, 0, 4), b"1234")


def _faulted_write_reaches_memory(log: MachineLog) -> None:
    log.up(0, memory_request(True, IOVA + 0x7000, 4, REQUESTER[0]), b"data")
    log.translate(0, IOVA + 0x7000, True)
    log.tlp(LINKS.memory_request, memory_request(True, LOW, 4, REQUESTER[0]), b"data")


def _wrong_status(log: MachineLog) -> None:
    log.up(0, memory_request(False, IOVA, 4, REQUESTER[0]))
    log.translate(0, IOVA, False, status=2)
    log.tlp(LINKS.switch_down, completion(REQUESTER[0], 0, status=1))


def _duplicate(log: MachineLog) -> None:
    log.up(0, memory_request(True, IOVA + 0x7000, 4, REQUESTER[0]), b"data")
    log.tlp(LINKS.switch_up, memory_request(True, IOVA + 0x7000, 4, REQUESTER[0]), b"data")


def _answer_from_nowhere(log: MachineLog) -> None:
    log.tlp(LINKS.cpu_completion, completion(0, 7, 4, 0, 4), b"1234")


def _swapped_identifier(log: MachineLog) -> None:
    log.add(EventKind.TRANSLATION_RESPONSE, header=(0x77, 0, 0, 0))


PLANTED: list[tuple[str, str, Callable[[MachineLog], None]]] = [
    ("expected memory write", "root_complex", _wrong_page_offset),
    ("payload byte 5", "switch", _changed_byte),
    ("no TLP that entered", "switch", _completion_to_the_wrong_endpoint),
    ("no TLP that entered", "root_complex", _faulted_write_reaches_memory),
    ("must have status 4", "root_complex", _wrong_status),
    ("no TLP that entered", "switch", _duplicate),
    ("no TLP that entered", "root_complex", _answer_from_nowhere),
    ("response without request", "iommu", _swapped_identifier),
]


@pytest.mark.parametrize(("message", "block", "plant"), PLANTED, ids=[case[2].__name__ for case in PLANTED])
def test_planted_errors_are_caught(message: str, block: str, plant: Callable[[MachineLog], None]) -> None:
    board, log = LinkFlowScoreboard(configuration()), MachineLog()
    traffic(log)
    board.ingest(log.batch())
    plant(log)
    with pytest.raises(ScoreboardError, match=message) as caught:
        board.ingest(log.batch())
    assert (caught.value.checker, caught.value.block) == ("link_flow", block)


def _lost_write(log: MachineLog) -> None:
    log.tlp(LINKS.endpoint_up[0], memory_request(True, IOVA, 8, REQUESTER[0]), b"12345678")


def _lost_answer(log: MachineLog) -> None:
    log.tlp(LINKS.cpu_request, configuration_request(False, 0, 0, tag=3))


def _never_translated(log: MachineLog) -> None:
    log.up(0, memory_request(True, IOVA, 8, REQUESTER[0]), b"12345678")


def _translated_for_nobody(log: MachineLog) -> None:
    log.translate(0, IOVA, True)


LEFT: list[tuple[str, str, Callable[[MachineLog], None]]] = [
    ("never left", "switch", _lost_write),
    ("never answered", "root_complex", _lost_answer),
    ("never translated", "root_complex", _never_translated),
    ("belong to no TLP", "root_complex", _translated_for_nobody),
]


@pytest.mark.parametrize(("message", "block", "plant"), LEFT, ids=[case[2].__name__ for case in LEFT])
def test_what_is_missing_fails_at_the_end(message: str, block: str, plant: Callable[[MachineLog], None]) -> None:
    board, log = LinkFlowScoreboard(configuration()), MachineLog()
    traffic(log)
    plant(log)
    board.ingest(log.batch())
    with pytest.raises(ScoreboardError, match=message) as caught:
        board.finish()
    assert (caught.value.checker, caught.value.block) == ("link_flow", block)


def test_overtaking_is_a_failure_of_the_block_between() -> None:
    board, log = LinkFlowScoreboard(configuration()), MachineLog()
    traffic(log)
    write = memory_request(True, IOVA + 0x1000, 4, REQUESTER[0])
    read = memory_request(False, IOVA, 4, REQUESTER[0], 1)
    log.tlp(LINKS.endpoint_up[0], write, b"data")
    log.tlp(LINKS.endpoint_up[0], read)
    log.tlp(LINKS.switch_up, read)
    board.ingest(log.batch())
    log.tlp(LINKS.switch_up, write, b"data")
    with pytest.raises(ScoreboardError, match="was overtaken") as caught:
        board.ingest(log.batch())
    assert (caught.value.checker, caught.value.block) == ("ordering", "switch")
