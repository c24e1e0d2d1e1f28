"""The IOVA allocator of the kernel: exact tree, per-CPU caches, flush queue."""
