"""Back ends of the DMA API: direct, dma-iommu, dummy."""
