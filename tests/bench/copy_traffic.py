"""The traffic of the two endpoint benches: pages into local memory and pages out of it, side by side, batch after batch."""

from __future__ import annotations

from sluicegate.endpoint.descriptor import Descriptor
from sluicegate.registers.descriptor import Space

PAGE = 4096
PAGES = 32
"""Pages read in a batch, and pages written."""
RING_LOG2 = 7
"""Ring entries; a batch takes half of them."""
BUFFER_BYTES = PAGES * PAGE


def load_batch(source: int) -> list[Descriptor]:
    """Fills what batch 0 writes out, so that every byte ever written is known."""
    return [_into(source, page, 1) for page in range(PAGES)]


def copy_batch(number: int, source: int, destination: int) -> list[Descriptor]:
    """Batch ``number``: the source buffer in, and what the batch before brought in out to the destination buffer.

    Two halves of local memory take turns, as the engine gives no order between operations in flight.
    """
    descriptors = []
    for page in range(PAGES):
        descriptors.append(_into(source, page, number % 2))
        descriptors.append(
            Descriptor(
                source_space=Space.LOCAL,
                source=_local(page, (number + 1) % 2),
                destination_space=Space.HOST,
                destination=destination + page * PAGE,
                length=PAGE,
                cookie=number << 8 | 0x80 | page,
            )
        )
    return descriptors


def _local(page: int, half: int) -> int:
    return half * BUFFER_BYTES + page * PAGE


def _into(source: int, page: int, half: int) -> Descriptor:
    return Descriptor(source=source + page * PAGE, destination=_local(page, half), length=PAGE, cookie=page)
