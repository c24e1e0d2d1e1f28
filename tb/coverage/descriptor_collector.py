"""Bins of DMA descriptors and how they ended, from the descriptor port or from the marks of a driver.

Source: docs/registers/descriptor.md. The descriptor port tells of each descriptor and each status; a driver's marks tell of what
it put into a ring (SUBMIT) and of the completion records that it took (REAP), one for a chain.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb.bridge.event_log import EventArray, EventKind, LogBatch
from tb.coverage.collector import Collector, Records
from tb.coverage.group import Axis, CoverGroup, Illegal
from tb.coverage.tlp_axes import ATTRIBUTES, PASID
from tb.scoreboards.marks import MarkKind

U64 = NDArray[np.uint64]

OPCODE: Final = Axis("opcode", ("no operation", "copy", "flush", "reserved"))
SPACES: Final = ("host", "local", "peer", "reserved")
SOURCE_SPACE: Final = Axis("source", SPACES)
DESTINATION_SPACE: Final = Axis("destination", SPACES)
DIRECTION: Final = Axis("direction", ("to local memory", "from local memory to host", "from local memory to a peer"))
LENGTH: Final = Axis("length", ("1 to 3 B", "4 to 63 B", "64 B", "to 4095 B", "4 KiB", "to 64 KiB", "longer"))
_LENGTH_ENDS: Final = np.array([3, 63, 64, 4095, 4096, 65536], np.uint64)
OFFSETS: Final = ("64 B", "16 B", "DW", "byte")
BUS_OFFSET: Final = Axis("bus address", OFFSETS)
LOCAL_OFFSET: Final = Axis("local address", OFFSETS)
_OFFSET_CODES: Final = np.array([0 if n == 0 else 1 if n % 16 == 0 else 2 if n % 4 == 0 else 3 for n in range(64)], np.uint8)
PAGES: Final = Axis("pages", ("inside one", "ends at a page", "crosses one", "crosses several"))
FLUSH: Final = Axis("flush", ("no", "flush"))
INTERRUPT: Final = Axis("interrupt", ("no", "interrupt"))
ENDED: Final = Axis("ended as", ("no operation", "read", "write", "peer write", "flush", "invalid", "chain"))
STATUS: Final = Axis(
    "status",
    (
        "success",
        "unsupported request",
        "completer abort",
        "poisoned",
        "completion timeout",
        "invalid descriptor",
        "aborted",
        "bus master disabled",
        "local range",
        "malformed completion",
    ),
)
COMPLETION_ERRORS: Final = ["unsupported request", "completer abort", "poisoned", "completion timeout", "malformed completion"]


class DescriptorCollector(Collector):
    """Samples every descriptor of a run; groups are named ``<top>: ...``. ``rings``: they come from rings, also in chains."""

    def __init__(self, top: str, rings: bool) -> None:
        self._opcodes = CoverGroup(f"{top}: descriptors by spaces", (OPCODE, SOURCE_SPACE, DESTINATION_SPACE), block="dma")
        self._copies = CoverGroup(
            f"{top}: copies by length and offsets", (DIRECTION, LENGTH, BUS_OFFSET, LOCAL_OFFSET), block="dma"
        )
        self._pages = CoverGroup(
            f"{top}: copies by pages",
            (DIRECTION, LENGTH, PAGES),
            (
                Illegal(
                    "less than a page crosses one boundary", lambda of: (of["pages"] == "crosses several") & _short(of["length"])
                ),
                Illegal(
                    "more than 64 KiB lie in several pages",
                    lambda of: (of["length"] == "longer") & np.isin(of["pages"], ["inside one", "ends at a page", "crosses one"]),
                ),
                Illegal(
                    "a page at least either is the page or leaves it",
                    lambda of: np.isin(of["length"], ["4 KiB", "to 64 KiB"]) & (of["pages"] == "inside one"),
                ),
                Illegal(
                    "4 KiB cross one boundary or none", lambda of: (of["length"] == "4 KiB") & (of["pages"] == "crosses several")
                ),
                Illegal(
                    "more than 4 KiB do not end in the page in which they begin",
                    lambda of: (of["length"] == "to 64 KiB") & (of["pages"] == "ends at a page"),
                ),
            ),
            block="dma",
        )
        self._attributes = CoverGroup(
            f"{top}: copies by attributes", (DIRECTION, ATTRIBUTES, PASID, FLUSH, INTERRUPT), block="dma"
        )
        rules = _STATUS_RULES if rings else (*_STATUS_RULES, _NO_CHAIN)
        self._statuses = CoverGroup(f"{top}: descriptors by status", (ENDED, STATUS), rules, block="dma")
        self.groups: Sequence[CoverGroup] = (self._opcodes, self._copies, self._pages, self._attributes, self._statuses)
        self._ended: dict[tuple[int, int], int] = {}
        """How a descriptor would end, by port or function and by id or cookie, until its status comes."""

    def ingest(self, batch: LogBatch) -> None:
        kind, argument = batch.records["kind"], batch.records["argument"]
        mark = kind == EventKind.MARK
        told = (kind == EventKind.DESCRIPTOR) | (kind == EventKind.STATUS)
        told |= mark & ((argument == MarkKind.SUBMIT) | (argument == MarkKind.REAP))
        if not told.any():
            return
        records = batch.records[told]
        for first, last in _runs(records):
            run = records[first:last]
            if run["kind"][0] == EventKind.STATUS:
                self._port_statuses(run)
            elif run["kind"][0] == EventKind.MARK and run["argument"][0] == MarkKind.REAP:
                self._reaped(batch, run)
            else:
                self._described(batch, run)

    def _described(self, batch: LogBatch, records: EventArray) -> None:
        counts = records["length"] // 64
        words: U64 = np.concatenate([batch.payload_of(record) for record in records]).view("<u8").reshape(-1, 8)
        at = Records(np.repeat(records, counts))
        control = words[:, 0]
        opcode = np.minimum(control & np.uint64(0xF), np.uint64(3))
        source, destination = control >> np.uint64(4) & np.uint64(3), control >> np.uint64(6) & np.uint64(3)
        self._opcodes.sample(opcode, source, destination, at=at)
        to_local = (destination == 1) & (source != 1) & (source != 3)
        from_local = (source == 1) & (destination != 1) & (destination != 3)
        length = control >> np.uint64(32) & np.uint64(0x1FF_FFFF)
        copy = (opcode == 1) & (to_local | from_local) & (length != 0)
        direction = np.where(to_local, 0, np.where(destination == 2, 2, 1))
        bus, local = np.where(to_local, words[:, 1], words[:, 2]), np.where(to_local, words[:, 2], words[:, 1])
        sizes = np.searchsorted(_LENGTH_ENDS, length)
        if copy.any():
            offsets = _OFFSET_CODES[bus & np.uint64(63)], _OFFSET_CODES[local & np.uint64(63)]
            self._copies.sample(direction, sizes, *offsets, rows=copy, at=at)
            self._pages.sample(direction, sizes, _page_codes(bus, length), rows=copy, at=at)
            self._sample_attributes(words, direction, copy, at)
        ended = np.select([opcode == 0, copy & to_local, copy & (direction == 1), copy, opcode == 2], [0, 1, 2, 3, 4], 5)
        ended[(source == 3) | (destination == 3) | ((opcode == 2) & (source == 1))] = 5
        self._remember(records, counts, words, ended)

    def _sample_attributes(self, words: U64, direction: NDArray[np.intp], copy: NDArray[np.bool_], at: Records) -> None:
        control, process = words[:, 0], words[:, 3]
        one = np.uint64(1)
        attributes = (control >> np.uint64(9) & one) << np.uint64(2) | (control >> np.uint64(8) & one) << one
        attributes |= control >> np.uint64(10) & one
        # Descriptor bit 20 is privileged, 21 execute; the axis counts execute lower.
        asked = (process >> np.uint64(21) & one) | (process >> np.uint64(20) & one) << one
        pasid = np.where(control >> np.uint64(11) & one != 0, asked + one, np.uint64(0))
        flush, interrupt = control >> np.uint64(12) & one, control >> np.uint64(13) & one
        self._attributes.sample(direction, attributes, pasid, flush, interrupt, rows=copy, at=at)

    def _remember(self, records: EventArray, counts: NDArray[np.uint32], words: U64, ended: NDArray[np.intp]) -> None:
        if records["kind"][0] == EventKind.DESCRIPTOR:
            self._ended |= {(-1, key): code for key, code in zip(records["argument"].tolist(), ended.tolist(), strict=True)}
            return
        device = np.repeat(records["header"][:, 0], counts).tolist()
        chained = False
        first = set(np.concatenate(([0], np.cumsum(counts)[:-1])).tolist())
        key = (0, 0)
        for row, (cookie, following, code) in enumerate(
            zip(words[:, 4].tolist(), words[:, 5].tolist(), ended.tolist(), strict=True)
        ):
            if row in first or not chained:
                key = (device[row], cookie)
                self._ended[key] = code
            else:
                self._ended[key] = ENDED.values.index("chain")
            chained = following != 0

    def _port_statuses(self, records: EventArray) -> None:
        self._sample_statuses(-1, records["argument"].tolist(), records["header"][:, 0].tolist(), records)

    def _reaped(self, batch: LogBatch, records: EventArray) -> None:
        for record in records:
            words = batch.payload_of(record).view("<u8").reshape(-1, 2)
            codes = (words[:, 1] >> np.uint64(32) & np.uint64(0xFF)).tolist()
            where = np.repeat(np.array([record], records.dtype), len(codes))
            self._sample_statuses(int(record["header"][0]), words[:, 0].tolist(), codes, where)

    def _sample_statuses(self, device: int, keys: list[int], codes: list[int], records: EventArray) -> None:
        known = [self._ended.pop((device, key), -1) for key in keys]
        chosen = np.array([code >= 0 for code in known])
        self._statuses.sample(np.maximum(known, 0), np.array(codes), rows=chosen, at=Records(records))


def _runs(records: EventArray) -> list[tuple[int, int]]:
    """Positions of consecutive records that tell the same, as (first, behind the last)."""
    told = records["kind"].astype(np.int64) << 8 | (records["argument"] & np.uint32(0xFF)) * (records["kind"] == EventKind.MARK)
    cuts = np.flatnonzero(told[1:] != told[:-1]) + 1
    edges = [0, *cuts.tolist(), len(records)]
    return list(itertools.pairwise(edges))


def _page_codes(address: U64, length: U64) -> NDArray[np.int64]:
    """Codes of ``PAGES`` for ``length`` bytes at ``address``."""
    end = (address & np.uint64(0xFFF)) + length
    crossed = (end - np.uint64(1)) >> np.uint64(12)
    return np.select([crossed >= 2, crossed == 1, end == 4096], [3, 2, 1], 0)


def _short(length: NDArray[np.str_]) -> NDArray[np.bool_]:
    return np.isin(length, ["1 to 3 B", "4 to 63 B", "64 B", "to 4095 B"])


_STATUS_RULES: Final = (
    Illegal(
        "an invalid descriptor is refused, aborted, or fails with its chain before it is looked at",
        lambda of: (
            (of["ended as"] == "invalid") & ~np.isin(of["status"], ["invalid descriptor", "aborted", "bus master disabled"])
        ),
    ),
    Illegal(
        "only what is invalid ends so",
        lambda of: (of["status"] == "invalid descriptor") & np.isin(of["ended as"], ["no operation"]),
    ),
    Illegal(
        "no operation reads nothing and touches no memory",
        lambda of: (of["ended as"] == "no operation") & np.isin(of["status"], [*COMPLETION_ERRORS, "local range"]),
    ),
    Illegal("a flush touches no local memory", lambda of: (of["ended as"] == "flush") & (of["status"] == "local range")),
)
_NO_CHAIN: Final = Illegal("the descriptor port takes one descriptor at a time", lambda of: of["ended as"] == "chain")
