"""What a driver, an attacker or a busy machine does, written against the golden DMA API and ``Platform``.

A sequence never knows whether the machine behind its platform is the register-level model or the RTL; it runs on both.
"""
