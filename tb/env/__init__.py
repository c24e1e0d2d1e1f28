"""Environments and the base test: what every test of a top shares."""
