"""The checker of device messages passes them as sent and behind earlier writes; the flow scoreboard knows those of the IOMMU."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tb.bridge.event_log import MESSAGE_COUNT_SHIFT, MESSAGE_ITAG_SHIFT, EventKind, MessageBit
from tb.checkers.device_messages import DeviceMessageChecker
from tb.scoreboards.iommu_messages import message_tlps
from tb.scoreboards.scoreboard import ScoreboardError
from tests.unit.scoreboards.log_builder import Header, LogBuilder, memory_request
from tests.unit.scoreboards.machine_log import IOVA, LINKS, LOW, REQUESTER, rewritten

DEVICE = REQUESTER[0]
ROOT_PORT = 0x0008
TAGS = 1 << 31 | 1 << 4
PAGE = 0x12_3456_7000 | 5 << 3 | 4 | 1
PASID = 0x91 << 24 | 1 << 21 | 0x54321


def write(place: int) -> Header:
    return memory_request(True, IOVA + place, 8, DEVICE)


def enter(log: LogBuilder, place: int) -> None:
    log.tlp(LINKS.switch_up, write(place), bytes(8))


def reach_memory(log: LogBuilder, place: int) -> None:
    log.tlp(LINKS.memory_request, rewritten(write(place), LOW + place), bytes(8))


def complete(log: LogBuilder, target: int = ROOT_PORT) -> None:
    log.tlp(LINKS.switch_up, (0x32 << 24, DEVICE << 16 | 0x02, target << 16 | 2, TAGS))


def request_page(log: LogBuilder) -> None:
    log.tlp(LINKS.switch_up, (0x30 << 24, DEVICE << 16 | 0x04, PAGE >> 32, PAGE & 0xFFFF_FFFF), prefix=PASID)


def completion_arrives(log: LogBuilder, count: int = 2) -> None:
    bits = MessageBit.COMPLETION | count << MESSAGE_COUNT_SHIFT
    log.add(EventKind.DEVICE_MESSAGE, header=(DEVICE, 0, bits, 0), address=TAGS)


def page_request_arrives(log: LogBuilder) -> None:
    log.add(EventKind.DEVICE_MESSAGE, header=(DEVICE, 0x54321, MessageBit.PV | MessageBit.PRIV, 0), address=PAGE)


def test_messages_behind_their_writes_pass() -> None:
    checker, log = DeviceMessageChecker(), LogBuilder()
    enter(log, 0)
    enter(log, 64)
    complete(log)
    request_page(log)
    complete(log, target=0x0300)
    enter(log, 128)
    reach_memory(log, 64)
    completion_arrives(log)
    page_request_arrives(log)
    reach_memory(log, 128)
    checker.ingest(log.batch())
    result = checker.finish()
    assert (result.compared, result.figures["writes_ordered"]) == (2, 2)


def _passes(log: LogBuilder) -> None:
    enter(log, 0)
    complete(log)
    completion_arrives(log)
    reach_memory(log, 0)


def _changed(log: LogBuilder) -> None:
    complete(log)
    completion_arrives(log, count=3)


def _swapped(log: LogBuilder) -> None:
    complete(log)
    request_page(log)
    page_request_arrives(log)


def _invented(log: LogBuilder) -> None:
    completion_arrives(log)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_passes, "before this write of record 0 reached memory"),
        (_changed, "expected at the IOMMU"),
        (_swapped, "expected at the IOMMU"),
        (_invented, "no device sent"),
    ],
)
def test_a_wrong_message_is_caught(spoil: Callable[[LogBuilder], None], message: str) -> None:
    log = LogBuilder()
    spoil(log)
    with pytest.raises(ScoreboardError, match=message):
        DeviceMessageChecker().ingest(log.batch())


def test_a_lost_message_is_caught() -> None:
    checker, log = DeviceMessageChecker(), LogBuilder()
    complete(log)
    checker.ingest(log.batch())
    with pytest.raises(ScoreboardError, match="never reached"):
        checker.finish()


def test_messages_of_the_iommu_as_tlps() -> None:
    log = LogBuilder()
    bits = MessageBit.INVALIDATE | MessageBit.PV | 17 << MESSAGE_ITAG_SHIFT
    log.add(EventKind.IOMMU_MESSAGE, header=(DEVICE, 0x54321, bits, 0), address=0x1122_3344_5566_7801)
    log.add(EventKind.IOMMU_MESSAGE, header=(DEVICE, 0, 0, 0), address=DEVICE << 48 | 0xF << 44 | 0x1FF << 32)
    log.add(EventKind.IOMMU_MESSAGE, header=(0x0900, 0, 0, 0), address=0)
    tlps = message_tlps(log.batch(), LINKS.switch_down, 1, 4, ROOT_PORT)
    assert [int(word) for word in tlps.header[:, 0]] == [0x7200_0002, 0x0008_1101, DEVICE << 16, 0]
    assert int(tlps.prefix[0]) == 0x9105_4321
    assert tlps.payload_of(0).tobytes() == bytes.fromhex("1122334455667801")
    assert [int(word) for word in tlps.header[:, 1]] == [0x3200_0000, 0x0008_0005, DEVICE << 16 | 0xF1FF, 0]
    assert len(tlps) == 2
