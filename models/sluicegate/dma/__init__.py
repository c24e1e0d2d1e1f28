"""The Linux DMA API."""
