"""Registers of the IOMMU as the log's register writes leave them: what translation, command and fault queue depend on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sluicegate.iommu.capabilities import Capabilities, DirectoryMode, IommuConfiguration

FCTL, DDTP, CQB, FQB, FQH, CQCSR, FQCSR = 0x008, 0x010, 0x018, 0x028, 0x030, 0x048, 0x04C
_PPN = ((1 << 44) - 1) << 10
_OVERFLOW = 1 << 9
COMMAND_BYTES, RECORD_BYTES = 16, 32


@dataclass(slots=True)
class Queue:
    """A queue in memory: byte address, entries, whether it is on."""

    base: int = 0
    entries: int = 2
    on: bool = False

    def program(self, register: int) -> None:
        """Take the value of ``cqb`` or ``fqb``."""
        self.base = (register & _PPN) << 2
        self.entries = 2 << (register & 0x1F)

    def slot(self, address: int, size: int) -> int | None:
        """Entry at ``address``, None when it is not in the queue."""
        offset = address - self.base
        return offset // size if 0 <= offset < self.entries * size else None

    def slots(self, address: int, length: int, size: int) -> range:
        """The entries that have a part in ``length`` bytes at ``address``."""
        first = max(address - self.base, 0) // size
        end = min(address + length - self.base, self.entries * size)
        return range(first, -(-end // size))


@dataclass
class IommuState:
    """Follows register writes. ``commands`` counts completed commands since the queue was switched on."""

    capabilities: Capabilities
    configuration: IommuConfiguration = field(init=False)
    command_queue: Queue = field(default_factory=Queue)
    fault_queue: Queue = field(default_factory=Queue)
    fault_head: int = 0
    fault_tail: int = 0
    overflow: bool = False
    commands: int = 0
    _page: bytearray = field(default_factory=lambda: bytearray(4096))

    def __post_init__(self) -> None:
        self.configuration = IommuConfiguration(self.capabilities)

    def _value(self, offset: int, size: int) -> int:
        return int.from_bytes(self._page[offset : offset + size], "little")

    def write(self, record: Any) -> bool:
        """Apply a REGISTER_WRITE record; True when translations depend on what changed."""
        base, strobes = int(record["address"]) & ~7, int(record["argument"])
        data = int(record["header"][0]) | int(record["header"][1]) << 32
        written = {base + byte for byte in range(8) if strobes >> byte & 1}
        for offset in written:
            self._page[offset] = data >> 8 * (offset - base) & 0xFF
        if CQB in written:
            self.command_queue.program(self._value(CQB, 8))
        if FQB in written:
            self.fault_queue.program(self._value(FQB, 8))
        if CQCSR in written:
            on = bool(self._value(CQCSR, 4) & 1)
            if on and not self.command_queue.on:
                self.commands = 0
            self.command_queue.on = on
        if FQH in written:
            self.fault_head = self._value(FQH, 4)
        if FQCSR in written:
            self._fault_control()
        if FCTL in written or any(DDTP <= offset < DDTP + 8 for offset in written):
            return self._configure()
        return False

    def _fault_control(self) -> None:
        value = self._value(FQCSR, 4)
        if value & 1 and not self.fault_queue.on:
            self.fault_tail, self.overflow = 0, False
        self.fault_queue.on = bool(value & 1)
        if value & _OVERFLOW:
            self.overflow = False

    def _configure(self) -> bool:
        before = self.configuration
        ddtp = self._value(DDTP, 8) & (_PPN | 0xF)
        # An illegal mode is not taken, nor a directory in place of another one (WARL): the register keeps what it held.
        if ddtp & 0xF > DirectoryMode.THREE_LEVEL or (before.mode.levels and ddtp & 0xF > DirectoryMode.BARE):
            ddtp = before.ddtp
            self._page[DDTP : DDTP + 8] = ddtp.to_bytes(8, "little")
        self.configuration = IommuConfiguration(self.capabilities, self._value(FCTL, 4) & 3, ddtp)
        return self.configuration != before

    @property
    def fault_queue_full(self) -> bool:
        """The next record would meet the head."""
        return (self.fault_tail + 1) % self.fault_queue.entries == self.fault_head % self.fault_queue.entries
