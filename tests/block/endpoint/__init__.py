"""Block tests of the PCIe endpoint at its link."""
