"""Item, driver, monitor and agent of the translation port (docs/interfaces.md section 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyuvm import uvm_agent, uvm_analysis_port, uvm_driver, uvm_monitor, uvm_sequence_item, uvm_sequencer

from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import ActionKind, Knob
from tb.bridge.simulation import Simulation


class TranslationBatch(uvm_sequence_item):
    """Requests as an array of ``TRANSLATION_DTYPE``, presented in this order, one per cycle at most."""

    def __init__(self, name: str, requests: NDArray[np.void]) -> None:
        super().__init__(name)
        self.requests = requests


class TranslationPortDriver(uvm_driver):
    """Hands each batch to the native port, which gives every request an id that is free."""

    def __init__(self, name: str, parent: Any, simulation: Simulation) -> None:
        super().__init__(name, parent)
        self._native = simulation.native

    async def run_phase(self) -> None:
        while True:
            self.queue(await self.seq_item_port.get_next_item())
            self.seq_item_port.item_done()

    def queue(self, batch: TranslationBatch) -> None:
        """Queue a batch in the native port at once, without a sequence."""
        self._native.act(ActionKind.TRANSLATE, blob=batch.requests.tobytes())


class TranslationPortMonitor(uvm_monitor):
    """Publishes requests and responses of each drained batch of the log, a structured array in log order."""

    def __init__(self, name: str, parent: Any, simulation: Simulation) -> None:
        super().__init__(name, parent)
        self.analysis_port: Any = uvm_analysis_port("analysis_port", self)
        simulation.add_consumer(self._ingest)

    def _ingest(self, batch: LogBatch) -> None:
        kinds = batch.records["kind"]
        records = batch.records[(kinds == EventKind.TRANSLATION_REQUEST) | (kinds == EventKind.TRANSLATION_RESPONSE)]
        if len(records):
            self.analysis_port.write(records)


class TranslationPortAgent(uvm_agent):
    """The translation port of a top; ``set_identifiers`` before the first request."""

    def __init__(self, name: str, parent: Any, simulation: Simulation) -> None:
        super().__init__(name, parent)
        self._simulation = simulation

    def build_phase(self) -> None:
        self.monitor = TranslationPortMonitor("monitor", self, self._simulation)
        self.sequencer: Any = uvm_sequencer("sequencer", self)
        self.driver = TranslationPortDriver("driver", self, self._simulation)

    def connect_phase(self) -> None:
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)

    def set_identifiers(self, count: int) -> None:
        """How many requests may be in flight."""
        self._simulation.native.set_knob(Knob.TRANSLATION_IDENTIFIERS, count)

    def set_stalls(self, request: int, response: int) -> None:
        """Chances of 65536 per cycle that no request is offered, and that no response is taken."""
        self._simulation.native.set_knob(Knob.TRANSLATION_STALL_CHANCES, request | response << 32)
