"""The bridge between the native transactors and Python: typed views, doorbell, and the simulation as a Platform."""
