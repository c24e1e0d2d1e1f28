"""PCI peer-to-peer DMA: providers, distance, map types (``pci_p2pdma_*``, ``pci_p2pmem_*``)."""
