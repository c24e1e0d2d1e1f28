"""Agent of the DMA engine's native descriptor and status port."""
