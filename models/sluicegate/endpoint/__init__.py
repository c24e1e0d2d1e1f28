"""Golden model of the endpoint: descriptors, the engine's behaviour, and a register-level device."""
