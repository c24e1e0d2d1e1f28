"""The base of every test: one environment, one coroutine of stimulus, and a verdict that cannot be forgotten."""

from __future__ import annotations

import gc
from typing import Any, ClassVar

import cocotb
from pyuvm import uvm_root, uvm_test

from tb.bridge.simulation import SimulationTimeout
from tb.bridge.tops import Top
from tb.env.environment import Environment
from tb.env.run_settings import RunSettings
from tb.scoreboards.scoreboard import ScoreboardError

GARBAGE_THRESHOLD = 100_000
"""Objects more than before that start a collection."""


class BaseTest(uvm_test):
    """Subclasses name their ``top``, add scoreboards in :meth:`prepare` and drive in :meth:`stimulate`."""

    top: ClassVar[Top]

    def build_phase(self) -> None:
        self.settings = RunSettings.from_environment()
        self.environment = Environment("environment", self, cocotb.top, self.top, self.settings)

    def prepare(self) -> None:
        """Set knobs and add scoreboards, before the first clock edge."""

    async def stimulate(self) -> None:
        """The test proper."""
        raise TypeError(f"{type(self).__name__} has no stimulus: it would pass without testing anything")

    async def run_phase(self) -> None:
        self.raise_objection()
        environment = self.environment
        try:
            self.prepare()
            environment.start()
            await self.stimulate()
            await environment.finish()
        except ScoreboardError as failure:
            environment.write_result(failure)
            raise
        except Exception as symptom:
            # A hang or a failed assertion mostly follows from something that a scoreboard can name.
            cause = environment.judge_rest(isinstance(symptom, SimulationTimeout))
            if cause is None:
                raise
            environment.write_result(cause)
            raise cause from symptom
        finally:
            self.drop_objection()


async def run_test(test: type[BaseTest]) -> None:
    """Run a test class in this simulation: the body of each cocotb test."""
    # What has been imported stays until the end, and a run makes little garbage in cycles: the collector may look more rarely.
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    root: Any = uvm_root()
    await root.run_test(test)
