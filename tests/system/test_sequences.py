"""Every sequence on the whole machine."""

from __future__ import annotations

from pathlib import Path

import cocotb
from sluicegate.pci.topology import AcsControl

from sequences.churn import churn as churn_sequence
from sequences.machine import Machine
from sequences.peer_writes import peer_writes as peer_writes_sequence
from sequences.recorded_lists import load_recorded_lists
from sequences.scatter_gather import scatter_gather as scatter_gather_sequence
from sequences.single_transfers import single_transfers as single_transfers_sequence
from sequences.unmap_access import unmap_access as unmap_access_sequence
from tb.env.base_test import run_test
from tests.system.sequence_test import SequenceTest

RECORDED = Path(__file__).parents[1] / "conformance" / "data" / "dma_api" / "map_sg.jsonl.gz"
LONGEST_LIST = 48 * 1024


class SingleTransfersTest(SequenceTest):
    """Single mappings at every offset and awkward lengths."""

    def exercise(self, machine: Machine) -> None:
        single_transfers_sequence(machine, self.random)


class ScatterGatherTest(SequenceTest):
    """Lists that the kernel was seen to map."""

    def exercise(self, machine: Machine) -> None:
        scatter_gather_sequence(machine, self.random, load_recorded_lists(RECORDED, LONGEST_LIST))


class UnmapAccessTest(SequenceTest):
    """Unmapped buffers must fault."""

    def exercise(self, machine: Machine) -> None:
        unmap_access_sequence(machine, self.random)


class ChurnTest(SequenceTest):
    """Invalidation races."""

    race = True

    def exercise(self, machine: Machine) -> None:
        churn_sequence(machine, self.random)


class PeerWritesTest(SequenceTest):
    """Peer writes directly through the switch."""

    def exercise(self, machine: Machine) -> None:
        peer_writes_sequence(machine, self.random)


class RedirectedPeerWritesTest(PeerWritesTest):
    """Peer writes that ACS sends through the root complex."""

    acs = (
        AcsControl.SOURCE_VALIDATION
        | AcsControl.REQUEST_REDIRECT
        | AcsControl.COMPLETION_REDIRECT
        | AcsControl.UPSTREAM_FORWARDING
    )


@cocotb.test()
async def single_transfers(_: object) -> None:
    """Single mappings."""
    await run_test(SingleTransfersTest)


@cocotb.test()
async def scatter_gather(_: object) -> None:
    """Recorded lists."""
    await run_test(ScatterGatherTest)


@cocotb.test()
async def unmap_access(_: object) -> None:
    """Access after unmap."""
    await run_test(UnmapAccessTest)


@cocotb.test()
async def churn(_: object) -> None:
    """Map and unmap under load."""
    await run_test(ChurnTest)


@cocotb.test()
async def peer_writes(_: object) -> None:
    """Direct peer writes."""
    await run_test(PeerWritesTest)


@cocotb.test()
async def peer_writes_redirected(_: object) -> None:
    """Redirected peer writes."""
    await run_test(RedirectedPeerWritesTest)
