"""Drivers for the hardware of the simulated machine, written on :class:`sluicegate.platform.Platform`."""
