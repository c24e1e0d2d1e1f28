"""The rules of the machine's links pair every request link with the link of its completions."""

from __future__ import annotations

import pytest

from tb.checkers.machine_rules import machine_link_rules
from tb.checkers.tlp_protocol import TlpProtocolChecker
from tb.scoreboards.scoreboard import ScoreboardError
from tests.unit.scoreboards.log_builder import memory_request
from tests.unit.scoreboards.machine_log import IOVA, LINKS, LOW, MachineLog


def test_every_link_has_rules_and_answers_are_required_on_all_of_them() -> None:
    checker, log = TlpProtocolChecker(machine_link_rules(LINKS)), MachineLog()
    log.pages[IOVA >> 12] = LOW >> 12
    log.host_read(0, IOVA, 64, 1)
    log.host_write(1, IOVA, bytes(64))
    checker.ingest(log.batch())
    figures = checker.finish().figures
    assert [figures[f"{name}.answered"] for name in ("endpoint0_up", "switch_up", "memory_request")] == [1, 1, 1]
    log.tlp(LINKS.memory_request, memory_request(False, LOW, 4, tag=9))
    checker.ingest(log.batch())
    with pytest.raises(ScoreboardError, match="memory_request: 1 requests have no") as caught:
        checker.finish()
    assert caught.value.block == "testbench"


def test_a_prefix_must_not_leave_the_iommu() -> None:
    checker, log = TlpProtocolChecker(machine_link_rules(LINKS)), MachineLog()
    log.tlp(LINKS.memory_request, memory_request(False, LOW, 4), prefix=0x9100_0000)
    with pytest.raises(ScoreboardError, match="must not have a PASID prefix") as caught:
        checker.ingest(log.batch())
    assert caught.value.block == "root_complex"
