"""Runs a sequence on the whole machine in RTL: bring-up by the drivers, random timing outside, every scoreboard on."""

from __future__ import annotations

import numpy as np
from sluicegate.driver.observer import TransferObserver
from sluicegate.iommu.capabilities import Capabilities
from sluicegate.pci.topology import AcsControl

from sequences.address_space import Contexts
from sequences.machine import Machine, bring_up, shut_down
from tb.bridge.native import ActionKind, Knob
from tb.checkers.isolation import IsolationChecker
from tb.scoreboards.marks import MarkingObserver
from tb.scoreboards.transfer import TransferScoreboard
from tb.scoreboards.transfer_prediction import EndpointRules
from tb.scoreboards.translation import TranslationScoreboard
from tests.system.system_test import SystemTest

MEMORY_REQUEST = 6
ACS_SETTINGS = {
    "none": AcsControl.NONE,
    "isolated": AcsControl.SOURCE_VALIDATION
    | AcsControl.REQUEST_REDIRECT
    | AcsControl.COMPLETION_REDIRECT
    | AcsControl.UPSTREAM_FORWARDING,
}
"""``isolated`` is what Linux sets so that every peer access goes through the IOMMU."""
LIKELY, UNLIKELY = 20000, 4000
"""Chances of 65536."""


class SequenceTest(SystemTest):
    """Subclasses say what happens on the running machine in :meth:`exercise`.

    Parameters: ``race`` (false): the sequence provokes answers that may be old or new, and both have to be seen; ``acs``: name of
    an ACS setting of all downstream ports (none, isolated); ``contexts`` (first_stage): name of a
    :class:`~sequences.address_space.Contexts`; ``losses`` (false): host memory may leave reads without an answer.
    """

    def prepare(self) -> None:
        self.acs = ACS_SETTINGS[self.settings.parameters.get("acs", "none")]
        super().prepare()
        self.random = np.random.default_rng(self.settings.seed)
        self._choose_timing()

    def _choose_timing(self) -> None:
        """Latencies, reordering and stalls outside the design, drawn for this run."""
        native, random = self.environment.simulation.native, self.random
        native.set_knob(Knob.COMPLETER_LATENCY, int(random.integers(1, 120)), link=MEMORY_REQUEST)
        native.set_knob(Knob.COMPLETER_JITTER, int(random.integers(0, 200)), link=MEMORY_REQUEST)
        native.set_knob(Knob.COMPLETER_INTERLEAVE_CHANCE, int(random.choice([0, LIKELY])), link=MEMORY_REQUEST)
        native.set_knob(Knob.COMPLETER_BOUNDARY, int(random.choice([64, 128])), link=MEMORY_REQUEST)
        native.set_knob(Knob.MEMORY_PORT_LATENCY, int(random.integers(2, 60)))
        native.set_knob(Knob.MEMORY_PORT_JITTER, int(random.integers(0, 40)))
        native.set_knob(Knob.MEMORY_PORT_REQUEST_STALL_CHANCE, int(random.choice([0, UNLIKELY])))
        native.set_knob(Knob.MEMORY_PORT_RESPONSE_STALL_CHANCE, int(random.choice([0, UNLIKELY])))
        agents = self.environment.agents
        for name in ("memory_request", "memory_completion", "cpu_request", "cpu_completion"):
            agents[name].set_stalls(int(random.choice([0, UNLIKELY, LIKELY])))
        if random.random() < 0.3:
            agents["memory_request"].set_credits(8, 128, delay=int(random.integers(0, 30)))

    def drive(self) -> None:
        simulation = self.environment.simulation
        capabilities = Capabilities(self.platform.mmio_read(self.platform.address_map.iommu_registers.base, 8))
        rules = tuple(
            EndpointRules(
                device=function.bdf.requester_id,
                name=f"endpoint{index}",
                up=2 * index,
                down=2 * index + 1,
                local_size=function.device.bars[2].size,
                direct_peers=not self.acs & AcsControl.REQUEST_REDIRECT,
            )
            for index, function in enumerate(self.tree.endpoints)
        )
        simulation.drain()
        self.environment.add_scoreboard(
            TranslationScoreboard(capabilities, race=bool(self.settings.parameters.get("race", False)))
        )
        self.environment.add_scoreboard(IsolationChecker(losses=bool(self.settings.parameters.get("losses", False))))
        self.environment.add_scoreboard(TransferScoreboard(rules))

        def write_mark(kind: int, address: int, first: int, second: int, payload: bytes) -> None:
            simulation.native.act(ActionKind.MARK, kind, address, first, second, payload)

        contexts = Contexts(self.settings.parameters.get("contexts", Contexts.FIRST_STAGE.value))
        machine = bring_up(self.platform, self.tree, self.observer(MarkingObserver(write_mark)), contexts=contexts)
        self.exercise(machine)
        shut_down(machine)

    def observer(self, judge: TransferObserver) -> TransferObserver:
        """Who is told what the driver does: the judge, and whoever else wants to know."""
        return judge

    def exercise(self, machine: Machine) -> None:
        """The sequence, on a machine that runs."""
        raise TypeError(f"{type(self).__name__} exercises nothing: it would pass without testing anything")
