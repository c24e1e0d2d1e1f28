"""Random configurations: a capability word of any legal shape, and the feature control register that goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sluicegate.iommu.capabilities import Capabilities, DirectoryMode, InterruptGeneration

SV39, SV48, SV57 = 1 << 9, 1 << 10, 1 << 11
SVRSW60T59B, SVPBMT = 1 << 14, 1 << 15
SV39X4, SV48X4, SV57X4 = 1 << 17, 1 << 18, 1 << 19
MSI_FLAT, MSI_MRIF, AMO_HWAD, ATS, T2GPA, END = (1 << bit for bit in range(22, 28))
PD8, PD17, PD20, QOSID, NL, S = (1 << bit for bit in range(38, 44))
BIG_ENDIAN, WIRED = 1 << 0, 1 << 1
"""Bits of ``fctl``."""


@dataclass(frozen=True)
class Draw:
    """What a core offers and how it is set up, before its tables exist."""

    capabilities: Capabilities
    fctl: int
    mode: DirectoryMode

    @property
    def big_endian(self) -> bool:
        """Byte order of the device directory, the second stage, MSI tables and queues."""
        return bool(self.fctl & BIG_ENDIAN)


def draw_configuration(random: Random, stratum: int) -> Draw:
    """Every capability is there or not, alone or with what it depends on; rich words are more likely than poor ones.

    ``stratum`` decides depth, format and byte order of the device directory: twelve in a row have every combination.
    """
    depth = (DirectoryMode.ONE_LEVEL, DirectoryMode.TWO_LEVEL, DirectoryMode.THREE_LEVEL)[stratum % 3]
    extended, big_endian = stratum // 3 % 2 == 1, stratum // 6 % 2 == 1
    missing = random.choice((1, 8, 8))
    word = 0x10 | SV39 | random.choice((56, 56, 56, 56, 50, 50, 44, 41)) << 32

    def offer(bits: int, percent: int) -> bool:
        nonlocal word
        given = random.randrange(100) >= (100 - percent) // missing
        if given:
            word |= bits
        return given

    if offer(SV48, 80):
        offer(SV57, 75)
    if offer(SV39X4, 100 if extended else 90) and offer(SV48X4, 80):
        offer(SV57X4, 75)
    offer(SVPBMT, 70)
    offer(SVRSW60T59B, 40)
    if extended:
        word |= MSI_FLAT
        offer(MSI_MRIF, 70)
    offer(AMO_HWAD, 70)
    if offer(ATS, 80) and word & SV39X4:
        offer(T2GPA, 70)
    offer(PD8, 70)
    offer(PD17, 70)
    offer(PD20, 70)
    offer(QOSID, 30)
    offer(NL, 70)
    offer(S, 70)
    generation = random.choice(tuple(InterruptGeneration))
    word |= generation << 28
    wired = generation is InterruptGeneration.WSI or (generation is InterruptGeneration.BOTH and random.random() < 0.5)
    offer(END, 40)
    fctl = (BIG_ENDIAN if big_endian else 0) | (WIRED if wired else 0)
    return Draw(Capabilities(word), fctl, depth)
