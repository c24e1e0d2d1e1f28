"""Random page-table and MSI entries: rights and sizes of every kind, and every way in which an entry can be malformed."""

from __future__ import annotations

from random import Random

from sluicegate.iommu.capabilities import Capabilities

V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))
NAPOT = 1 << 63
PPN_SHIFT = 10
PBMT_SHIFT = 61
_RIGHTS = (R, R | W, R | W, R | W | X, R | W | X, R | W | X, R | W | X, R | X, X)


def leaf_entry(random: Random, capabilities: Capabilities, target: int, level: int, napot: bool, second: bool) -> int:
    """A leaf that maps ``target`` (aligned to its size); one in twelve is not valid, one in 24 is malformed."""
    if random.randrange(12) == 0:
        return random.choice((0, random.getrandbits(63) << 1))
    flags = V | random.choice(_RIGHTS) | A | D | random.getrandbits(2) << 8
    if second or random.randrange(6):
        flags |= U
    if not second and random.randrange(6) == 0:
        flags |= G
    if random.randrange(10) == 0:
        flags &= ~D
    if random.randrange(12) == 0:
        flags &= ~random.choice((A, A | D))
    if capabilities.svpbmt:
        flags |= random.choice((0, 0, 1, 2)) << PBMT_SHIFT
    if capabilities.svrsw60t59b:
        flags |= random.getrandbits(2) << 59
    word = target >> 2 | flags
    if napot:
        word = word & ~(0xF << 10) | 8 << 10 | NAPOT
    return malformed_leaf(random, word, level, napot, second) if random.randrange(24) == 0 else word


def sound_leaf(target: int) -> int:
    """A leaf that maps ``target`` (aligned to its size) and allows users everything."""
    return target >> 2 | V | R | W | X | U | A | D


def malformed_leaf(random: Random, word: int, level: int, napot: bool, second: bool) -> int:
    """``word`` with one thing wrong (bits that some capability makes legal stay legal there)."""
    wrong = [
        word & ~R | W,
        word | 1 << random.randrange(54, 59),
        word | 1 << random.randrange(59, 61),
        word | 3 << PBMT_SHIFT,
        word & ~(3 << PBMT_SHIFT) | 1 << PBMT_SHIFT,
    ]
    if level:
        wrong += [word | NAPOT, word | 1 << random.randrange(10, 10 + 9 * level)]
    else:
        wrong.append(word & ~(R | W | X))
    if napot:
        wrong.append(word ^ random.randrange(1, 16) << 10)
    if second:
        wrong.append(word & ~U)
    return random.choice(wrong)


def malformed_pointer(random: Random, word: int) -> int:
    """A pointer to a page table with one thing wrong, or not valid."""
    bits = (A, D, U, 1 << PBMT_SHIFT, 2 << PBMT_SHIFT, NAPOT, 1 << random.randrange(54, 59), W)
    return random.choice((word & ~V, word | random.choice(bits)))


def malformed_directory_pointer(random: Random, word: int) -> int:
    """A non-leaf entry of the device or process directory with a reserved bit set, or not valid."""
    return random.choice((word & ~V, word | 1 << random.choice((*range(1, 10), *range(54, 64)))))


def msi_entry(random: Random, target: int) -> tuple[int, int]:
    """An MSI page-table entry: flat, a memory-resident interrupt file, not valid, or malformed."""
    page = target >> 12 << 10
    basic = page | 3 << 1 | V
    file = random.getrandbits(47) << 7 & ((1 << 54) - 1) | 1 << 1 | V
    notice = page | random.getrandbits(10) | random.getrandbits(1) << 60
    kind = random.randrange(10)
    if kind < 4:
        return basic, random.getrandbits(64)
    if kind < 7:
        return file, notice
    if kind == 7:
        return basic & ~V, 0
    return random.choice(
        (
            (basic | 1 << random.randrange(3, 10), 0),
            (basic | 1 << random.randrange(54, 64), 0),
            (page | V | random.choice((0, 2)) << 1, 0),
            (file | 1 << random.randrange(3, 7), notice),
            (file, notice | 1 << random.choice((*range(54, 60), *range(61, 64)))),
        )
    )
