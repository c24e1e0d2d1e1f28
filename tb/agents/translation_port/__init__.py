"""Agent of the IOMMU's translation port."""
