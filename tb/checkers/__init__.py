"""Checkers of protocol rules on the ordered event log."""
