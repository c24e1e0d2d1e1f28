"""Item, driver, monitor and agent of the descriptor port (docs/interfaces.md section 7)."""

from __future__ import annotations

from typing import Any

from pyuvm import uvm_agent, uvm_analysis_port, uvm_driver, uvm_monitor, uvm_sequence_item, uvm_sequencer
from sluicegate.endpoint.descriptor import U64

from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import ActionKind, Knob
from tb.bridge.simulation import Simulation

_ID_MASK = 0xFFFF


class DescriptorBatch(uvm_sequence_item):
    """Descriptors, shape ``[n, 8]``, handed to the engine in this order, one per cycle at most."""

    def __init__(self, name: str, descriptors: U64) -> None:
        super().__init__(name)
        self.descriptors = descriptors


class DescriptorPortDriver(uvm_driver):
    """Hands each batch to the native port; ids count up over all batches of a run, modulo 2^16."""

    def __init__(self, name: str, parent: Any, simulation: Simulation) -> None:
        super().__init__(name, parent)
        self._native = simulation.native
        self.submitted = 0

    async def run_phase(self) -> None:
        while True:
            self.queue(await self.seq_item_port.get_next_item())
            self.seq_item_port.item_done()

    def queue(self, batch: DescriptorBatch) -> None:
        """Queue a batch in the native port at once, without a sequence."""
        blob = batch.descriptors.astype("<u8").tobytes()
        self._native.act(ActionKind.SUBMIT_DESCRIPTORS, self.submitted & _ID_MASK, blob=blob)
        self.submitted += len(batch.descriptors)


class DescriptorPortMonitor(uvm_monitor):
    """Publishes the DESCRIPTOR and STATUS records of each drained batch of the log, a structured array in log order."""

    def __init__(self, name: str, parent: Any, simulation: Simulation) -> None:
        super().__init__(name, parent)
        self.analysis_port: Any = uvm_analysis_port("analysis_port", self)
        simulation.add_consumer(self._ingest)

    def _ingest(self, batch: LogBatch) -> None:
        kinds = batch.records["kind"]
        records = batch.records[(kinds == EventKind.DESCRIPTOR) | (kinds == EventKind.STATUS)]
        if len(records):
            self.analysis_port.write(records)


class DescriptorPortAgent(uvm_agent):
    """The port of the one engine of a top."""

    def __init__(self, name: str, parent: Any, simulation: Simulation) -> None:
        super().__init__(name, parent)
        self._simulation = simulation

    def build_phase(self) -> None:
        self.monitor = DescriptorPortMonitor("monitor", self, self._simulation)
        self.sequencer: Any = uvm_sequencer("sequencer", self)
        self.driver = DescriptorPortDriver("driver", self, self._simulation)

    def connect_phase(self) -> None:
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)

    async def send(self, descriptors: U64) -> None:
        """Send one batch through the sequencer; returns when it is queued."""
        item = DescriptorBatch("batch", descriptors)
        await self.sequencer.start_item(item)
        await self.sequencer.finish_item(item)

    def set_stalls(self, descriptor: int, status: int) -> None:
        """Chances of 65536 per cycle that no descriptor is offered, and that no status is taken."""
        self._simulation.native.set_knob(Knob.ENGINE_STALL_CHANCES, descriptor | status << 32)
