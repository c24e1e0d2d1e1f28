"""CPU time of all scoreboards for each TLP, on a synthetic log of a whole machine that copies buffers in and out.

``python -m tests.unit.scoreboards.measure_speed [transfers] [bytes of a transfer] [gathered records]`` prints microseconds.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from sluicegate.iommu.capabilities import Capabilities

from tb.bridge.event_log import EventKind, LogBatch
from tb.checkers.tlp_protocol import TlpProtocolChecker
from tb.checkers.tlp_rules import LinkRules
from tb.scoreboards.link_flow import LinkFlowScoreboard
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardResult
from tb.scoreboards.suite import ScoreboardSuite
from tb.scoreboards.transfer import TransferScoreboard
from tb.scoreboards.translation import TranslationScoreboard
from tests.unit.scoreboards.driver_log import COPY, HOST, LOCAL, RULES, DriverLog, descriptor
from tests.unit.scoreboards.log_builder import words
from tests.unit.scoreboards.machine_log import HIGH, IOVA, LINKS, REQUESTER, configuration

CAPABILITIES = Capabilities(0x10 | 1 << 9 | 1 << 28 | 56 << 32)
TABLES = HIGH + 0x200_0000
BUFFERS = 64
COMPLETION_LINK = {0: 1, 1: 0, 2: 3, 3: 2, 4: 5, 5: 4, 6: 7, 8: 9}


def write_tables(log: DriverLog) -> None:
    """Sv39 tables of everything that is mapped, and the registers that make the IOMMU use them."""
    directory, contexts, root, middle, leaves = (TABLES + 0x1000 * page for page in (0, 1, 2, 3, 4))
    for page, frame in log.pages.items():
        offset = page - (IOVA >> 12)
        log.memory_write(leaves + 8 * offset, words(frame << 10 | 0xD7))
    for table in range(4):
        log.memory_write(middle + 8 * table, words(leaves + 0x1000 * table >> 2 | 1))
    log.memory_write(root + 8 * (IOVA >> 30 & 511), words(middle >> 2 | 1))
    log.memory_write(contexts, words(1, 0, 0, 8 << 60 | root >> 12))
    log.memory_write(directory + 8 * (REQUESTER[0] >> 7), words(contexts >> 2 | 1))
    ddtp = directory >> 2 | 3
    log.add(EventKind.REGISTER_WRITE, address=0x10, header=(ddtp & 0xFFFF_FFFF, ddtp >> 32, 0, 0), argument=0xFF)


def transfers(count: int, length: int) -> tuple[LogBatch, list[int]]:
    """The log of ``count`` copies, and where it may be cut."""
    log = DriverLog()
    log.setup()
    for buffer in range(BUFFERS):
        log.cpu_write(HIGH + 0x40_0000 + 0x4000 * buffer, bytes(length))
        log.map(IOVA + 0x40_0000 + 0x4000 * buffer, [(HIGH + 0x40_0000 + 0x4000 * buffer, length)], 0)
    write_tables(log)
    cuts = [len(log.records)]
    random = np.random.default_rng(1)
    for number in range(count):
        slot, address = log.slot, IOVA + 0x40_0000 + 0x4000 * int(random.integers(0, BUFFERS))
        inward = bool(number & 1)
        spaces, ends = ((HOST, LOCAL), (address, 0)) if inward else ((LOCAL, HOST), (0, address))
        log.submit(descriptor(COPY, spaces, *ends, length, number))
        log.fetch(slot)
        (log.copy_in if inward else lambda iova, local, size: log.copy_out(local, iova, size))(address, 0, length)
        log.reap(log.complete(slot, number, length))
        cuts.append(len(log.records))
    return log.batch(), cuts


class _Timed(Scoreboard):
    """Adds the CPU time of a scoreboard up."""

    def __init__(self, scoreboard: Scoreboard) -> None:
        self.name, self.block = scoreboard.name, scoreboard.block
        self._scoreboard = scoreboard
        self.seconds = 0.0

    def ingest(self, batch: LogBatch) -> None:
        begin = time.process_time()
        self._scoreboard.ingest(batch)
        self.seconds += time.process_time() - begin

    def finish(self) -> ScoreboardResult:
        return self._scoreboard.finish()


def main() -> None:
    """Measure, and print microseconds for each TLP."""
    count, length, gathered = ([int(argument) for argument in sys.argv[1:]] + [1000, 4096, 16384][len(sys.argv) - 1 :])[:3]
    batch, cuts = transfers(count, length)
    rules = tuple(
        LinkRules(link, name, name, COMPLETION_LINK.get(link), completion_boundary=64) for link, name in LINKS.names.items()
    )
    scoreboards = [
        _Timed(scoreboard)
        for scoreboard in (
            TlpProtocolChecker(rules),
            LinkFlowScoreboard(configuration()),
            TranslationScoreboard(CAPABILITIES),
            TransferScoreboard(RULES),
        )
    ]
    suite = ScoreboardSuite(gathered)
    for scoreboard in scoreboards:
        suite.add(scoreboard)
    begin = time.process_time()
    for start, stop in zip([0, *cuts], cuts, strict=False):
        records = batch.records[start:stop]
        first, last = int(records["payload"][0]), int(batch.records["payload"][stop]) if stop < batch.records.size else None
        suite.ingest(LogBatch(records, batch.payload[first:last], first))
    suite.finish()
    total = time.process_time() - begin
    tlps = int((batch.records["kind"] == EventKind.TLP).sum())
    for scoreboard in scoreboards:
        print(f"{scoreboard.name:14} {scoreboard.seconds / tlps * 1e6:6.3f} us per TLP")
    print(f"{'all':14} {total / tlps * 1e6:6.3f} us per TLP, {tlps / total:,.0f} TLPs per CPU second ({tlps} TLPs)")


if __name__ == "__main__":
    main()
