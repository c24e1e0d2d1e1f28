"""Every sequence on the whole machine. The test list says which, how often, with which ACS setting, and whether it races."""

from __future__ import annotations

from pathlib import Path

import cocotb

from sequences.catalogue import SEQUENCES
from sequences.machine import Machine
from sequences.recorded_lists import load_recorded_lists
from tb.env.base_test import run_test
from tests.system.sequence_test import SequenceTest

RECORDED = Path(__file__).parents[1] / "conformance" / "data" / "dma_api" / "map_sg.jsonl.gz"
LONGEST_LIST = 48 * 1024


class CataloguedSequenceTest(SequenceTest):
    """Parameters: ``sequence`` (a name of the catalogue), ``count``; those of :class:`SequenceTest`."""

    def exercise(self, machine: Machine) -> None:
        parameters = self.settings.parameters
        run = SEQUENCES[parameters["sequence"]]
        run(machine, self.random, load_recorded_lists(RECORDED, LONGEST_LIST), parameters["count"])


@cocotb.test()
async def sequence(_: object) -> None:
    """Bring the machine up, run the sequence, shut it down."""
    await run_test(CataloguedSequenceTest)
