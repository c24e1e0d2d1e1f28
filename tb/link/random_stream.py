"""The random stream of the native agents (``tb/native/random_stream.h``), number for number."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def _mix(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31


class RandomStream:
    """xorshift64*, seeded by the run's seed and a channel number."""

    def __init__(self, seed: int, channel: int) -> None:
        self._state = _mix(_mix(seed) ^ (channel * 0x9E3779B97F4A7C15 & _MASK)) or 1

    def next(self) -> int:
        """The next 32-bit number."""
        state = self._state
        state ^= state >> 12
        state ^= state << 25 & _MASK
        state ^= state >> 27
        self._state = state
        return (state * 0x2545F4914F6CDD1D & _MASK) >> 32

    def chance(self, chance: int) -> bool:
        """True with probability ``chance`` / 65536; draws nothing when the answer is certain."""
        if chance == 0:
            return False
        if chance >= 65536:
            return True
        return self.next() >> 16 < chance
