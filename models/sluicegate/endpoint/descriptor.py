"""Descriptors and completions as a driver writes and reads them (docs/interfaces.md section 7).

Batches are arrays of little-endian dwords: descriptors ``uint64[n, 8]``, completions ``uint64[n, 2]``, as they lie in the rings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from sluicegate.registers import completion as completion_layout
from sluicegate.registers import descriptor as layout
from sluicegate.registers.completion import StatusCode
from sluicegate.registers.descriptor import Opcode, Space

DESCRIPTOR_BYTES: Final = 64
DESCRIPTOR_DWORDS: Final = 8
COMPLETION_BYTES: Final = 16
COMPLETION_DWORDS: Final = 2
MAXIMUM_LENGTH: Final = layout.OPERATION_LENGTH.mask >> layout.OPERATION_LENGTH.lsb

U64 = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One operation. Addresses are bytes: bus addresses, or offsets where the space is LOCAL; ``length`` in bytes."""

    opcode: Opcode = Opcode.COPY
    source_space: Space = Space.HOST
    source: int = 0
    destination_space: Space = Space.LOCAL
    destination: int = 0
    length: int = 0
    cookie: int = 0
    interrupt: bool = False
    flush: bool = False
    relaxed_ordering: bool = False
    id_ordering: bool = False
    no_snoop: bool = False
    pasid: int | None = None
    privileged: bool = False
    execute: bool = False
    next: int = 0

    def pack(self) -> tuple[int, ...]:
        """The eight dwords. Raises ValueError for a value that its field cannot hold."""
        if not 0 <= self.length <= MAXIMUM_LENGTH:
            raise ValueError(f"a descriptor of {self.length} bytes: give 0 to {MAXIMUM_LENGTH}")
        operation = (
            layout.OPERATION_OPCODE.put(self.opcode)
            | layout.OPERATION_SOURCE_SPACE.put(self.source_space)
            | layout.OPERATION_DESTINATION_SPACE.put(self.destination_space)
            | layout.OPERATION_RELAXED_ORDERING.put(self.relaxed_ordering)
            | layout.OPERATION_ID_ORDERING.put(self.id_ordering)
            | layout.OPERATION_NO_SNOOP.put(self.no_snoop)
            | layout.OPERATION_USE_PASID.put(self.pasid is not None)
            | layout.OPERATION_FLUSH.put(self.flush)
            | layout.OPERATION_INTERRUPT.put(self.interrupt)
            | layout.OPERATION_LENGTH.put(self.length)
        )
        pasid = (
            layout.PASID_PASID.put(self.pasid or 0)
            | layout.PASID_PRIVILEGED.put(self.privileged)
            | layout.PASID_EXECUTE.put(self.execute)
        )
        return operation, int(self.source), int(self.destination), pasid, self.cookie, int(self.next), 0, 0

    @classmethod
    def unpack(cls, dwords: Sequence[int]) -> Self:
        """The operation in eight dwords. Raises ValueError for an encoding that means nothing."""
        operation = int(dwords[0])
        use_pasid = layout.OPERATION_USE_PASID.get(operation)
        return cls(
            opcode=Opcode(layout.OPERATION_OPCODE.get(operation)),
            source_space=Space(layout.OPERATION_SOURCE_SPACE.get(operation)),
            source=int(dwords[1]),
            destination_space=Space(layout.OPERATION_DESTINATION_SPACE.get(operation)),
            destination=int(dwords[2]),
            length=layout.OPERATION_LENGTH.get(operation),
            cookie=int(dwords[4]),
            interrupt=bool(layout.OPERATION_INTERRUPT.get(operation)),
            flush=bool(layout.OPERATION_FLUSH.get(operation)),
            relaxed_ordering=bool(layout.OPERATION_RELAXED_ORDERING.get(operation)),
            id_ordering=bool(layout.OPERATION_ID_ORDERING.get(operation)),
            no_snoop=bool(layout.OPERATION_NO_SNOOP.get(operation)),
            pasid=layout.PASID_PASID.get(int(dwords[3])) if use_pasid else None,
            privileged=bool(layout.PASID_PRIVILEGED.get(int(dwords[3]))),
            execute=bool(layout.PASID_EXECUTE.get(int(dwords[3]))),
            next=int(dwords[5]),
        )


def pack_descriptors(descriptors: Sequence[Descriptor]) -> U64:
    """Descriptors as they lie in a ring, shape ``[n, 8]``."""
    return np.array([descriptor.pack() for descriptor in descriptors], dtype=np.uint64).reshape(-1, DESCRIPTOR_DWORDS)


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion record."""

    cookie: int
    status: StatusCode
    bytes: int
    slot: int
    phase: int

    def pack(self) -> tuple[int, int]:
        """The two dwords."""
        result = (
            completion_layout.RESULT_BYTES.put(self.bytes)
            | completion_layout.RESULT_CODE.put(self.status)
            | completion_layout.RESULT_SLOT.put(self.slot)
            | completion_layout.RESULT_PHASE.put(self.phase)
        )
        return self.cookie, result

    @classmethod
    def unpack(cls, dwords: Sequence[int]) -> Self:
        """The record in two dwords. Raises ValueError for an unknown status code."""
        result = int(dwords[1])
        return cls(
            cookie=int(dwords[0]),
            status=StatusCode(completion_layout.RESULT_CODE.get(result)),
            bytes=completion_layout.RESULT_BYTES.get(result),
            slot=completion_layout.RESULT_SLOT.get(result),
            phase=completion_layout.RESULT_PHASE.get(result),
        )


def unpack_completions(dwords: U64) -> list[Completion]:
    """Completion records from an array of shape ``[n, 2]``."""
    return [Completion.unpack(row) for row in dwords.tolist()]
