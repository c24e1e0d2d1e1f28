"""The port through which one translation reads and updates its tables: bounds, byte order, fault causes and the trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.request import NO_QOS, Cause, MemoryRead, MemoryUpdate, QosIds, Trace, TranslationFault
from sluicegate.memory import Memory, MemoryAccessError, MemoryPoisonError


@dataclass(frozen=True, slots=True)
class LoadCauses:
    """Causes that a failing implicit access raises: refused, or answered with poison."""

    access: Cause
    poison: Cause


DIRECTORY: Final = LoadCauses(Cause.DDT_ACCESS_FAULT, Cause.DDT_DATA_CORRUPTION)
PROCESS_DIRECTORY: Final = LoadCauses(Cause.PDT_ACCESS_FAULT, Cause.PDT_DATA_CORRUPTION)
MSI_TABLE: Final = LoadCauses(Cause.MSI_PTE_ACCESS_FAULT, Cause.MSI_PT_DATA_CORRUPTION)


def swap_u64(word: int) -> int:
    """The dword with its bytes reversed."""
    return int.from_bytes(word.to_bytes(8, "little"), "big")


class WalkPort:
    """Implicit accesses of one translation. An address of ``2**PAS`` or more is an access fault that never reaches memory."""

    __slots__ = ("_limit", "_memory", "qos", "trace")

    def __init__(self, memory: Memory, configuration: IommuConfiguration) -> None:
        self._memory = memory
        self._limit = 1 << configuration.capabilities.physical_address_bits
        self.trace = Trace()
        self.qos = QosIds.of_register(configuration.iommu_qosid) if configuration.capabilities.qosid else NO_QOS
        """Identifiers of the next accesses: those of ``iommu_qosid`` until the device context is known, then its own."""

    def load(self, address: int, dwords: int, big_endian: bool, causes: LoadCauses) -> tuple[int, ...]:
        """Read ``dwords`` 64-bit words at ``address``, decoded in the given byte order. Raises TranslationFault."""
        length = 8 * dwords
        if address + length > self._limit:
            raise TranslationFault(causes.access)
        self.trace.reads.append(MemoryRead(address, length, self.qos))
        try:
            data = self._memory.read(address, length)
        except MemoryAccessError:
            raise TranslationFault(causes.access) from None
        except MemoryPoisonError:
            raise TranslationFault(causes.poison) from None
        order = "big" if big_endian else "little"
        return tuple(int.from_bytes(data[i : i + 8], order) for i in range(0, length, 8))  # type: ignore[arg-type]

    def load_dword(self, address: int, big_endian: bool, causes: LoadCauses) -> int:
        """Read one aligned dword, single-copy atomic. Raises TranslationFault."""
        if address + 8 > self._limit:
            raise TranslationFault(causes.access)
        self.trace.reads.append(MemoryRead(address, 8, self.qos))
        try:
            word = self._memory.read_u64(address)
        except MemoryAccessError:
            raise TranslationFault(causes.access) from None
        except MemoryPoisonError:
            raise TranslationFault(causes.poison) from None
        return swap_u64(word) if big_endian else word

    def update_dword(self, address: int, expected: int, value: int, big_endian: bool, causes: LoadCauses) -> bool:
        """Store ``value`` if the dword still is ``expected``; False if it changed meanwhile. Raises TranslationFault."""
        if big_endian:
            expected, value = swap_u64(expected), swap_u64(value)
        try:
            found = self._memory.compare_exchange_u64(address, expected, value)
        except MemoryAccessError:
            raise TranslationFault(causes.access) from None
        except MemoryPoisonError:
            raise TranslationFault(causes.poison) from None
        if found != expected:
            return False
        self.trace.updates.append(MemoryUpdate(address, value))
        return True
