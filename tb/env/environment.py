"""The environment of a top: simulation, agents, scoreboards, and the result they leave."""

from __future__ import annotations

import json
from typing import Any

from pyuvm import uvm_env

from tb.agents.descriptor_port.agent import DescriptorPortAgent
from tb.agents.tlp_link.agent import TlpLinkAgent
from tb.agents.translation_port.agent import TranslationPortAgent
from tb.bridge.simulation import Simulation
from tb.bridge.tops import Top
from tb.checkers.grants import GrantChecker
from tb.coverage.catalogue import collectors_of
from tb.coverage.collector import Collector, FunctionalCoverage
from tb.env.run_settings import RunSettings
from tb.scoreboards.scoreboard import Scoreboard, ScoreboardError
from tb.scoreboards.suite import ScoreboardSuite

SCHEMA = 1
GATHERED_RECORDS = 8192
"""Records judged at once: numpy calls cost as much as tens of TLPs each."""


class Environment(uvm_env):
    """An agent for each link and port of ``top``, and the suite of scoreboards on the log.

    :meth:`start` begins the simulation, :meth:`finish` ends it and lets every scoreboard give its verdict. A scoreboard that
    finds a mismatch ends the run; the result file then names its checker and block.
    """

    def __init__(self, name: str, parent: Any, dut: Any, top: Top, settings: RunSettings) -> None:
        super().__init__(name, parent)
        self.top = top
        self.settings = settings
        self.simulation = Simulation(dut, settings.seed, settings.journal)
        self.agents: dict[str, TlpLinkAgent] = {}
        self.suite = ScoreboardSuite(GATHERED_RECORDS)
        self.coverage = FunctionalCoverage()
        self._figures: list[dict[str, Any]] = []
        for collector in collectors_of(top):
            self.coverage.add(collector)
        self.simulation.add_consumer(self.suite.ingest)
        if settings.sample_coverage:
            self.suite.add_observer(self.coverage.ingest)

    def build_phase(self) -> None:
        for link in self.top.links:
            self.agents[link.name] = TlpLinkAgent(link.name, self, self.simulation, link)
        if self.top.descriptor_port:
            self.descriptor_port = DescriptorPortAgent("descriptor_port", self, self.simulation)
        if self.top.translation_port:
            self.translation_port = TranslationPortAgent("translation_port", self, self.simulation)

    def add_scoreboard(self, scoreboard: Scoreboard) -> None:
        """Let a scoreboard judge the log from here on."""
        self.suite.add(scoreboard)
        for collector in scoreboard.collectors():
            self.add_collector(collector)

    def add_collector(self, collector: Collector) -> None:
        """Sample coverage from here on; what came before is not counted."""
        self.suite.flush()
        self.coverage.add(collector)

    def add_figure(self, name: str, value: float, unit: str) -> None:
        """Leave a figure for the bench; it has to come from cycle stamps of the event log, never from the clock of the wall."""
        self._figures.append({"name": name, "value": value, "unit": unit, "counted_by": "native"})

    def link_names(self) -> dict[int, str]:
        """Names of the top's links by number."""
        return {link.number: link.name for link in self.top.links}

    def start(self) -> None:
        """Connect host memory and CPU, and let the clock run."""
        self.top.attach(self.simulation.native)
        if self.top.translation_port:
            # No test of an IOMMU can forget it.
            self.add_scoreboard(GrantChecker())
        self.simulation.start()

    async def finish(self) -> None:
        """End the simulation, collect the verdicts, write the result."""
        await self.simulation.finish()
        self.write_result(None)

    def judge_rest(self, hung: bool) -> ScoreboardError | None:
        """Let the scoreboards judge what has been logged so far; the mismatch they find, if any. The run has failed already.

        ``hung``: nothing more will come, so that what is missing is a mismatch too.
        """
        try:
            self.simulation.drain()
            self.suite.flush()
        except ScoreboardError as failure:
            return failure
        return self.suite.missing() if hung else None

    def write_result(self, failure: ScoreboardError | None) -> None:
        """Leave ``test_result.json``: what was compared, or the signature of the failure."""
        result: dict[str, Any] = {
            "schema": SCHEMA,
            "test": self.settings.test,
            "seed": self.settings.seed,
            "status": "pass" if failure is None else "fail",
            "cycles": self.simulation.cycle,
            "signature": None,
        }
        if failure is None:
            result |= self.suite.finish()
            result["figures"] = self._figures
        else:
            result |= {"links": {}, "comparisons": {}, "distinct": {}, "log_hash": ""}
            result["signature"] = {"checker": failure.checker, "block": failure.block, "message": failure.message}
            result["wave"] = {"cycle": failure.cycle, "links": {link.name: link.number for link in self.top.links}}
        if self.settings.sample_coverage:
            self.coverage.write(self.settings.folder)
        distinct = {name: sorted(combinations) for name, combinations in sorted(self.suite.distinct.items())}
        (self.settings.folder / "distinct.json").write_text(json.dumps(distinct) + "\n")
        text = json.dumps(result, indent=1, sort_keys=True) + "\n"
        (self.settings.folder / "test_result.json").write_text(text)
