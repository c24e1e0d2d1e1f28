"""Pin-level bus functional models of the TLP link, on cocotb-bus: they know pins and nothing else.

They behave cycle for cycle like the native agents (``tb/native/link_source.cpp``, ``link_sink.h``) under the same seed. Each
wakes Python every clock cycle, some hundred times slower: for blocks, for learning, and as a check on the native side.
"""
