"""Drivers on :class:`sluicegate.platform.Platform`: the same code for the register-level model and for the RTL."""
