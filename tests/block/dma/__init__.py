"""Block tests of the DMA engine at its descriptor port."""
