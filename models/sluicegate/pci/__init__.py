"""PCI Express: TLPs, topology, configuration space, access control."""
