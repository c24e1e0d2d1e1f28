"""The three queues in memory: circular buffers with a base register, a head, a tail and an on/off state.

The IOMMU consumes the command queue and produces the fault and page-request queues. Source: RISC-V IOMMU specification,
*In-memory queue interface*. Entry ``i`` lies at ``(PPN << 12) | i * entry_bytes``; full is ``tail == head - 1``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluicegate.memory import Memory, MemoryAccessError

_PPN_MASK = (1 << 44) - 1


class QueueFull(Exception):
    """No free entry: the record is lost and the queue's overflow bit is set."""


@dataclass(slots=True)
class MemoryQueue:
    """State of one queue. ``base`` is its base register (LOG2SZ-1 in [4:0], PPN in [53:10])."""

    entry_bytes: int
    base: int = 0
    head: int = 0
    tail: int = 0
    on: bool = False

    @property
    def index_mask(self) -> int:
        """Mask of a valid index: the queue holds ``index_mask + 1`` entries."""
        return (1 << ((self.base & 0x1F) + 1)) - 1

    @property
    def empty(self) -> bool:
        return self.head == self.tail

    @property
    def full(self) -> bool:
        return (self.tail + 1) & self.index_mask == self.head

    def entry_address(self, index: int) -> int:
        """Byte address of entry ``index``."""
        return (self.base >> 10 & _PPN_MASK) << 12 | index * self.entry_bytes

    def append(self, words: tuple[int, ...], big_endian: bool, memory: Memory, address_limit: int) -> None:
        """Store a record of 64-bit words and advance the tail. Raises QueueFull or MemoryAccessError; then nothing changes."""
        if self.full:
            raise QueueFull
        address = self.entry_address(self.tail)
        if address + self.entry_bytes > address_limit:
            raise MemoryAccessError(address, write=True)
        memory.write(address, pack_words(words, big_endian))
        self.tail = (self.tail + 1) & self.index_mask

    def peek(self, big_endian: bool, memory: Memory, address_limit: int) -> tuple[int, ...]:
        """The words of the entry at the head. Raises MemoryAccessError or MemoryPoisonError."""
        address = self.entry_address(self.head)
        if address + self.entry_bytes > address_limit:
            raise MemoryAccessError(address)
        return unpack_words(memory.read(address, self.entry_bytes), big_endian)

    def advance_head(self) -> None:
        """Consume the entry at the head."""
        self.head = (self.head + 1) & self.index_mask


def pack_words(words: tuple[int, ...], big_endian: bool) -> bytes:
    """The bytes of 64-bit words in memory."""
    return b"".join(word.to_bytes(8, "big" if big_endian else "little") for word in words)


def unpack_words(data: bytes, big_endian: bool) -> tuple[int, ...]:
    """The 64-bit words in ``data``."""
    return tuple(int.from_bytes(data[i : i + 8], "big" if big_endian else "little") for i in range(0, len(data), 8))
