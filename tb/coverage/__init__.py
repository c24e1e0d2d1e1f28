"""Functional coverage: bins sampled from the observed log, and nothing that the log does not show."""
