"""Tests of the IOMMU core on its block testbench (``tb/tops/iommu_top.sv``)."""
