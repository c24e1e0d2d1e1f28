"""The same workload on the RTL and on the register-level model: equal ledgers, equal completions, equal memory at the end.

Nothing here is predicted; two machines that share no code but the drivers do the same work with the same random numbers.
Compared are what the driver did and got, every fault record, every byte of host memory, and the local memory of both endpoints
(brought to the host by DMA). The fault queue is emptied behind each sequence, and every record that was taken out since the last
one must have its like on the other machine: an engine issues all requests of a transfer, whatever became of the first
(docs/interfaces.md, section 7). Left out is what a machine without time cannot have in common with one that has it: the order of
the records. One names a byte on the model and its dword on the RTL, because a TLP does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import cocotb
import numpy as np
from numpy.typing import NDArray
from sluicegate.dma.direction import DmaDirection
from sluicegate.driver.enumerate import EnumerationSettings, enumerate_pci
from sluicegate.driver.iommu import FaultDrain
from sluicegate.driver.observer import TransferObserver
from sluicegate.iommu.capabilities import Capabilities
from sluicegate.iommu.registers import Offset
from sluicegate.iommu.request import FaultRecord
from sluicegate.machine.model_platform import ModelPlatform
from sluicegate.memory import PAGE_SIZE
from sluicegate.platform import ADDRESS_MAP, Region

from sequences.catalogue import SEQUENCES
from sequences.machine import Endpoint, Machine, bring_up
from sequences.recorded_lists import load_recorded_lists
from sequences.transfers import discard_faults, from_local, guarded_buffer, map_buffer, run_batch, to_local, unmap_buffer
from tb.env.base_test import run_test
from tb.scoreboards.fault_log import FAULT_RECORD_BYTES
from tb.scoreboards.ledger import Ledger, Observers
from tb.scoreboards.scoreboard import ScoreboardError
from tests.system.sequence_test import SequenceTest
from tests.system.test_sequences import LONGEST_LIST, RECORDED

U8 = NDArray[np.uint8]
COMPARED_LOCAL = 1 << 16
"""Bytes of local memory that are brought to one value before the work and compared behind it, in each half."""


@dataclass
class FaultPhases:
    """The fault records of each sequence of a machine's work, their addresses as a TLP has them: of a dword."""

    machine: str
    phases: list[tuple[str, Counter[FaultRecord]]] = field(default_factory=list)
    _taken: Counter[FaultRecord] = field(default_factory=Counter)

    def on_drain(self, drain: FaultDrain) -> None:
        """The driver has emptied the fault queue."""
        if drain.lost:
            raise EqualMachinesTest.error(f"{self.machine}: the fault queue has overflowed, so that its records say too little")
        self._taken.update(replace(record, iotval=record.iotval & ~3) for record in drain.records)

    def close(self, name: str) -> None:
        """The sequence of that name has ended, and no record is on its way."""
        self.phases.append((name, self._taken))
        self._taken = Counter()


class EqualMachinesTest(SequenceTest):
    """Parameters: ``sequences``: names of the catalogue and how often each; ``local_memory`` (true): compare it too, which means
    nothing where reads fail, because what they leave in it is not specified; those of :class:`SequenceTest`."""

    def observer(self, judge: TransferObserver) -> TransferObserver:
        self.ledger = Ledger()
        return Observers(judge, self.ledger)

    def exercise(self, machine: Machine) -> None:
        found = self._work(machine, FaultPhases("hardware"))
        capabilities = Capabilities(self.platform.mmio_read(ADDRESS_MAP.iommu_registers.base, 8))
        platform, ledger = ModelPlatform(capabilities), Ledger()
        model = bring_up(platform, enumerate_pci(platform, EnumerationSettings(acs=self.acs)), ledger)
        expected = self._work(model, FaultPhases("model"))
        compared = self._compare_ledgers(self.ledger, ledger)
        records = self._compare_faults(found, expected)
        compared += records
        compared += self._compare_memory(machine, model)
        self.environment.add_figure("fault records of two machines compared", float(records), "records")
        self.environment.add_figure("entries and pages of two machines compared", float(compared), "comparisons")

    def _work(self, machine: Machine, faults: FaultPhases) -> FaultPhases:
        machine.iommu.fault_observers.append(faults.on_drain)
        random = np.random.default_rng(self.settings.seed)
        lists = load_recorded_lists(RECORDED, LONGEST_LIST)
        for endpoint in machine.endpoints:
            self._local_memory(machine, endpoint, random, bring_in=True)
        for name, count in self.settings.parameters["sequences"].items():
            SEQUENCES[name](machine, random, lists, count)
            discard_faults(machine)
            faults.close(name)
        for endpoint in machine.endpoints if self.settings.parameters.get("local_memory", True) else ():
            self._local_memory(machine, endpoint, random, bring_in=False)
        return faults

    @staticmethod
    def _local_memory(machine: Machine, endpoint: Endpoint, random: np.random.Generator, bring_in: bool) -> None:
        """Random bytes into local memory, or local memory into host memory, where it stays."""
        for base in (0, endpoint.local.size):
            with guarded_buffer(machine, random, COMPARED_LOCAL, 0) as guarded:
                direction = DmaDirection.TO_DEVICE if bring_in else DmaDirection.FROM_DEVICE
                address = map_buffer(endpoint, guarded.buffer, direction)
                move = to_local(address, base, COMPARED_LOCAL) if bring_in else from_local(base, address, COMPARED_LOCAL)
                run_batch(endpoint, [move])
                unmap_buffer(endpoint, address, guarded.buffer, direction)

    def _compare_ledgers(self, hardware: Ledger, model: Ledger) -> int:
        for position, (found, expected) in enumerate(zip(hardware.entries, model.entries, strict=False)):
            if found != expected:
                raise self.error(f"entry {position} of the driver's ledger is {_short(found)}, on the model {_short(expected)}")
        if len(hardware.entries) != len(model.entries):
            raise self.error(f"{len(hardware.entries)} entries in the driver's ledger, on the model {len(model.entries)}")
        for device, expected_words in model.completions.items():
            found_words = hardware.completions.get(device, [])
            if found_words != expected_words:
                pairs = zip(found_words, expected_words, strict=False)
                at = next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(found_words), len(expected_words)))
                here, there = found_words[at : at + 1], expected_words[at : at + 1]
                raise self.error(f"completion {at} of device {device:#06x} is {here}, on the model {there}")
        return len(model.entries) + sum(len(words) for words in model.completions.values())

    def _compare_faults(self, hardware: FaultPhases, model: FaultPhases) -> int:
        """Sequence by sequence, every record with its like."""
        compared = 0
        for (name, found), (_, expected) in zip(hardware.phases, model.phases, strict=True):
            for record in (found - expected, expected - found):
                for example in record:
                    raise self.error(
                        f"{name}: {found[example]} fault records {example}, on the model {expected[example]}; in all "
                        f"{found.total()} and {expected.total()}"
                    )
            compared += found.total()
        return compared

    def _compare_memory(self, hardware: Machine, model: Machine) -> int:
        """Every page of RAM but the fault queue, whose records were compared one by one."""
        queue = _fault_queue(model)
        if _fault_queue(hardware) != queue:
            raise self.error("the fault queues lie at different places")
        pages = 0
        memory = dict(self.environment.simulation.native.memory_regions())
        for region in ADDRESS_MAP.ram:
            self._compare_region(region, memory[region.base], model.platform.memory.view(region.base, region.size), queue)
            pages += region.size // PAGE_SIZE
        return pages

    def _compare_region(self, region: Region, found: U8, expected: U8, queue: Region) -> None:
        if region.contains(queue.base, queue.size):
            place = slice(queue.base - region.base, queue.end - region.base)
            found, expected = found.copy(), expected.copy()
            found[place] = expected[place] = 0
        if not np.array_equal(found, expected):
            byte = int(np.argmax(found != expected))
            where = region.base + byte
            raise self.error(f"memory at {where:#x} is {int(found[byte]):#04x}, on the model {int(expected[byte]):#04x}")

    @staticmethod
    def error(message: str) -> ScoreboardError:
        return ScoreboardError("equal_machines", "system", message)


def _fault_queue(machine: Machine) -> Region:
    """Where the fault queue lies, as the IOMMU was programmed (specification, *Fault-queue base*)."""
    base = machine.platform.mmio_read(ADDRESS_MAP.iommu_registers.base + Offset.FQB, 8)
    return Region(base >> 10 << 12, FAULT_RECORD_BYTES << (base & 0x1F) + 1)


def _short(entry: tuple[object, ...]) -> str:
    text = repr(entry)
    return text if len(text) < 200 else f"{text[:200]}..."


@cocotb.test()
async def equal_machines(_: object) -> None:
    """Bring the machine up, do the work here and on the model, compare."""
    await run_test(EqualMachinesTest)
