"""Sluicegate: golden model of the Linux DMA API, of PCI peer-to-peer DMA and of the RISC-V IOMMU."""
