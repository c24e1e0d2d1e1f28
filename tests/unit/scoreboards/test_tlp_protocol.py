"""The protocol checker passes clean traffic and names each broken rule, its link and its sender."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tb.bridge.event_log import EventKind, ProtocolRule
from tb.checkers.tlp_protocol import TlpProtocolChecker
from tb.checkers.tlp_rules import LinkRules
from tb.scoreboards.scoreboard import ScoreboardError
from tests.unit.scoreboards.log_builder import LogBuilder, completion, configuration_request, memory_request

UP, DOWN = 1, 2
PASID = 0x9100_0005


def checker() -> TlpProtocolChecker:
    return TlpProtocolChecker(
        (
            LinkRules(UP, "endpoint0_up", "endpoint0", DOWN, max_payload=256, max_read_request=512, no_snoop_allowed=False),
            LinkRules(DOWN, "endpoint0_down", "switch", UP, max_payload=256, completion_boundary=64),
        )
    )


def clean(log: LogBuilder) -> None:
    log.tlp(UP, memory_request(False, 0x8000_0F03, 200, tag=1))
    log.tlp(UP, memory_request(True, 0x10_0000_0001, 255), bytes(256), prefix=PASID)
    log.tlp(UP, memory_request(False, 0x8000_2000, 0, tag=2))
    log.tlp(DOWN, configuration_request(False, 0x300, 0x10, kind=0))
    log.tlp(DOWN, completion(tag=1, byte_count=200, lower=3, length=61), bytes(64))
    log.tlp(DOWN, completion(tag=2, byte_count=1, length=1), bytes(4))
    log.tlp(UP, completion(requester=0, byte_count=4, length=4), bytes(4))
    log.tlp(DOWN, completion(tag=1, byte_count=139, lower=0x40, length=139), bytes(140))
    log.tlp(UP, memory_request(False, 0x8000_3000, 64, tag=1))
    log.tlp(DOWN, completion(tag=1, byte_count=64, status=1))
    log.tlp(UP, memory_request(True, 0x8000_0000, 4096), bytes(16), nullified=True)


def test_clean_traffic_passes_in_one_batch_and_record_by_record() -> None:
    whole, stepwise, log = checker(), checker(), LogBuilder()
    clean(log)
    batch = log.batch()
    whole.ingest(batch)
    result = whole.finish()
    assert result.compared == 10
    assert result.figures == {"endpoint0_up.answered": 3, "endpoint0_down.answered": 1}
    clean(again := LogBuilder())
    for record in again.records:
        stepwise.ingest(LogBuilder(records=[record], data=again.data).batch())
    assert stepwise.finish() == result


def test_nothing_seen_is_a_failure() -> None:
    with pytest.raises(ScoreboardError, match="compared nothing"):
        checker().finish()


READ = memory_request(False, 0x8000_0000, 128, tag=1)

BROKEN: list[tuple[str, str, Callable[[LogBuilder], object]]] = [
    ("Fmt and Type", "endpoint0", lambda log: log.tlp(UP, (0x1F << 24 | 1, 0, 0, 0))),
    ("TD, TH and LN", "endpoint0", lambda log: log.tlp(UP, memory_request(False, 0x8000_0000, 4, attributes=1 << 15))),
    ("payload must have the length", "endpoint0", lambda log: log.tlp(UP, memory_request(True, 0x8000_0000, 8), bytes(12))),
    ("Max_Payload_Size", "endpoint0", lambda log: log.tlp(UP, memory_request(True, 0x8000_0000, 260), bytes(260))),
    ("Max_Read_Request_Size", "endpoint0", lambda log: log.tlp(UP, memory_request(False, 0x8000_0000, 516))),
    ("4 KiB", "endpoint0", lambda log: log.tlp(UP, memory_request(False, 0x8000_0FFC, 8))),
    ("Last BE of a one-DW", "endpoint0", lambda log: log.tlp(UP, (1, 0x300 << 16 | 0x1F, 0x8000_0000, 0))),
    ("must not be 0", "endpoint0", lambda log: log.tlp(UP, (2, 0x300 << 16 | 0x0F, 0x8000_0000, 0))),
    ("sparse byte enables", "endpoint0", lambda log: log.tlp(UP, (2, 0x300 << 16 | 0xF5, 0x8000_0004, 0))),
    ("3 DW header", "endpoint0", lambda log: log.tlp(UP, (1 << 29 | 1, 0x300 << 16 | 0x0F, 0, 0x8000_0000))),
    ("AT is not permitted", "endpoint0", lambda log: log.tlp(UP, memory_request(False, 0x8000_0000, 4, address_type=2))),
    ("AT must be 0", "endpoint0", lambda log: log.tlp(UP, completion(status=1, attributes=1 << 10))),
    ("Length 1", "switch", lambda log: log.tlp(DOWN, (0x0400_0002, 0xF, 0x300 << 16, 0))),
    ("not enabled", "endpoint0", lambda log: log.tlp(UP, memory_request(False, 0x8000_0000, 4, attributes=1 << 12))),
    ("atomic", "endpoint0", lambda log: log.tlp(UP, (0x4C00_0003, 0x300 << 16, 0x8000_0000, 0), bytes(12))),
    ("status is reserved", "switch", lambda log: (log.tlp(UP, READ), log.tlp(DOWN, completion(tag=1, status=3)))),
    ("must not carry data", "switch", lambda log: log.tlp(DOWN, completion(tag=1, status=1, length=4), bytes(4))),
    ("BCM", "switch", lambda log: log.tlp(DOWN, (0x0A00_0000, 1 << 12 | 4, 0x300 << 16, 0))),
    ("longer than its Byte Count", "switch", lambda log: log.tlp(DOWN, completion(byte_count=4, length=8), bytes(8))),
    ("not a PASID prefix", "endpoint0", lambda log: log.tlp(UP, READ, prefix=0x9000_0000)),
    ("must not have a PASID", "endpoint0", lambda log: log.tlp(UP, completion(status=1), prefix=PASID)),
    ("tag is used again", "endpoint0", lambda log: (log.tlp(UP, READ), log.tlp(UP, READ))),
    ("unexpected", "switch", lambda log: log.tlp(DOWN, completion(tag=1, byte_count=128, length=128), bytes(128))),
    (
        "unexpected",
        "switch",
        lambda log: (log.tlp(UP, READ), *(log.tlp(DOWN, completion(tag=1, byte_count=128, status=1)) for _ in range(2))),
    ),
    (
        "TC, RO and NS",
        "switch",
        lambda log: (
            log.tlp(UP, READ),
            log.tlp(DOWN, completion(tag=1, byte_count=128, length=128, attributes=1 << 13), bytes(128)),
        ),
    ),
    ("RRS", "switch", lambda log: (log.tlp(UP, READ), log.tlp(DOWN, completion(tag=1, status=2)))),
    ("has data if and only if", "switch", lambda log: (log.tlp(UP, READ), log.tlp(DOWN, completion(tag=1, byte_count=128)))),
    (
        "Byte Count",
        "switch",
        lambda log: (log.tlp(UP, READ), log.tlp(DOWN, completion(tag=1, byte_count=64, length=64), bytes(64))),
    ),
    (
        "Lower Address",
        "switch",
        lambda log: (log.tlp(UP, READ), log.tlp(DOWN, completion(tag=1, byte_count=128, lower=4, length=124), bytes(124))),
    ),
    (
        "read completion boundary",
        "switch",
        lambda log: (log.tlp(UP, READ), log.tlp(DOWN, completion(tag=1, byte_count=128, length=32), bytes(32))),
    ),
    (
        "credit exceeded",
        "endpoint0",
        lambda log: log.add(EventKind.PROTOCOL_ERROR, UP, argument=ProtocolRule.CREDIT_EXCEEDED),
    ),
]


@pytest.mark.parametrize(("message", "block", "plant"), BROKEN, ids=[case[0] for case in BROKEN])
def test_each_broken_rule_is_named(message: str, block: str, plant: Callable[[LogBuilder], object]) -> None:
    judge, log = checker(), LogBuilder()
    clean(log)
    plant(log)
    with pytest.raises(ScoreboardError, match=message) as caught:
        judge.ingest(log.batch())
    assert (caught.value.checker, caught.value.block) == ("tlp_protocol", block)
    assert caught.value.sequence is not None


def test_a_request_without_completion_fails_at_the_end() -> None:
    judge, log = checker(), LogBuilder()
    clean(log)
    log.tlp(UP, READ)
    judge.ingest(log.batch())
    with pytest.raises(ScoreboardError, match="1 requests have no") as caught:
        judge.finish()
    assert caught.value.block == "switch"


def test_lost_completions_are_tolerated_only_where_configured() -> None:
    rules = LinkRules(UP, "endpoint0_up", "endpoint0", DOWN, completes_elsewhere=True)
    judge, log = TlpProtocolChecker((rules, LinkRules(DOWN, "endpoint0_down", "switch"))), LogBuilder()
    log.tlp(UP, READ)
    log.tlp(UP, READ)
    judge.ingest(log.batch())
    assert judge.finish().figures == {"endpoint0_up.answered": 0}


@pytest.mark.parametrize("returned", [True, False])
def test_every_credit_returns_in_the_end(returned: bool) -> None:
    log, judge = LogBuilder(), checker()
    log.tlp(UP, memory_request(True, 0x8000_0000, 4), bytes(4))
    log.add(EventKind.CREDITS_HELD, DOWN, header=(1 | 16 << 16, 3, 0, 0))
    if returned:
        log.add(EventKind.CREDITS_HELD, DOWN)
    judge.ingest(log.batch())
    if returned:
        judge.finish()
        return
    message = "endpoint0_down: the receiver never returned 1 posted header, 16 posted data, 3 non-posted header credits"
    with pytest.raises(ScoreboardError, match=message) as caught:
        judge.finish()
    assert caught.value.block == "endpoint0"
