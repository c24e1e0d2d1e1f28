"""Constants of registers, descriptors and completions, generated from the SystemRDL in ``hdl/regs``."""
