"""The testbench: native transactors, bridge to the golden model, agents, scoreboards, checkers and coverage."""
