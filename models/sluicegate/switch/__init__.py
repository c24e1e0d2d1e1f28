"""PCIe switch: where a TLP goes (routing and ACS) as pure functions."""
