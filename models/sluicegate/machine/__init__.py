"""The whole machine at register level, without a simulator: the same drivers and sequences run on it as on the RTL."""
