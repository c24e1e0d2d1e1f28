"""PCI peer-to-peer DMA: providers, distance, map types."""
