"""Driver, monitor and agent of a TLP link on the native transactors."""

from __future__ import annotations

from typing import Any

from pyuvm import uvm_agent, uvm_analysis_port, uvm_driver, uvm_monitor, uvm_sequencer

from tb.agents.tlp_link.item import TlpBatch
from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import ActionKind, Knob
from tb.bridge.simulation import Simulation
from tb.bridge.tops import Link

CREDIT_KINDS = 6


class TlpLinkDriver(uvm_driver):
    """Hands each batch to the native source of the link; the item is done once it is queued there."""

    def __init__(self, name: str, parent: Any, simulation: Simulation, link: Link) -> None:
        super().__init__(name, parent)
        self._native = simulation.native
        self._link = link

    async def run_phase(self) -> None:
        while True:
            self.queue(await self.seq_item_port.get_next_item())
            self.seq_item_port.item_done()

    def queue(self, batch: TlpBatch) -> None:
        """Queue a batch in the native source at once, without a sequence."""
        for tlp in batch.tlps:
            self._native.act(ActionKind.SEND_TLP, self._link.number, tlp.not_before, tlp.flags, blob=tlp.blob)


class TlpLinkMonitor(uvm_monitor):
    """Publishes the TLP records of this link, a structured array for each drained batch of the log."""

    def __init__(self, name: str, parent: Any, simulation: Simulation, link: Link) -> None:
        super().__init__(name, parent)
        self._link = link
        self.observed = 0
        self.analysis_port: Any = uvm_analysis_port("analysis_port", self)
        simulation.add_consumer(self._ingest)

    def _ingest(self, batch: LogBatch) -> None:
        count = batch.tlps_on_link[self._link.number]
        self.observed += count
        if count and self.analysis_port.subscribers:
            records = batch.of_kind(EventKind.TLP)
            self.analysis_port.write(records[records["source"] == self._link.number])


class TlpLinkAgent(uvm_agent):
    """Monitor of the link, and driver with sequencer where the testbench sends on it."""

    def __init__(self, name: str, parent: Any, simulation: Simulation, link: Link) -> None:
        super().__init__(name, parent)
        self._simulation = simulation
        self.link = link

    def build_phase(self) -> None:
        self.monitor = TlpLinkMonitor("monitor", self, self._simulation, self.link)
        if self.link.source:
            self.sequencer: Any = uvm_sequencer("sequencer", self)
            self.driver = TlpLinkDriver("driver", self, self._simulation, self.link)

    def connect_phase(self) -> None:
        if self.link.source:
            self.driver.seq_item_port.connect(self.sequencer.seq_item_export)

    def set_stalls(self, chance: int) -> None:
        """Idle before each beat (sender) or not ready in a cycle (receiver), with a chance of 65536."""
        knob = Knob.SOURCE_STALL_CHANCE if self.link.source else Knob.SINK_STALL_CHANCE
        self._simulation.native.set_knob(knob, chance, link=self.link.number)

    def set_credits(self, headers: int, data: int, delay: int = 0) -> None:
        """Room of the receiver for each class, 0 infinite, and cycles until a consumed TLP's credits return."""
        for kind in range(CREDIT_KINDS):
            room = data if kind & 1 else headers
            self._simulation.native.set_knob(Knob.SINK_ROOM, room, link=self.link.number, kind=kind)
        self._simulation.native.set_knob(Knob.SINK_CREDIT_DELAY, delay, link=self.link.number)
