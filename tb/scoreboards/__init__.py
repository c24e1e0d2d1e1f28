"""Scoreboards: judges of the ordered event log, in numpy batches, on a replica of memory rebuilt from that log."""
