"""One change of the tables while the IOMMU works on them, with the commands that make it visible.

An entry that was valid may be seen old until an invalidation that covers it and the fence behind that have completed. An entry
that was not valid, and memory that failed, are never cached: every request that comes after the change sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sluicegate.iommu.capabilities import IommuConfiguration

Command = tuple[int, int]
NEVER = 1 << 62
ENTRY_SHIFTS = {"context": 6, "process context": 4, "msi entry": 4}
"""log2 bytes of an entry, by the kind of edit; of others 3."""


@dataclass
class Edit:
    """One change: dwords and states of memory (old and new by address) or the configuration. ``cures``: lists of commands, any
    of which makes the change visible to all; none: nothing old can be cached. ``applied_at``, ``retired_at``: where in the log.
    """

    number: int
    kind: str
    words: dict[int, tuple[int, int]]
    states: dict[int, tuple[int, int]]
    cures: list[list[Command]] = field(default_factory=list)
    configurations: tuple[IommuConfiguration, IommuConfiguration] | None = None
    applied_at: int = 0
    retired_at: int = NEVER

    @property
    def addresses(self) -> set[int]:
        """Dwords that it concerns."""
        return self.words.keys() | self.states.keys()

    def follows(self, earlier: Edit) -> bool:
        """It changes an entry that ``earlier`` has changed: what may be cached of that entry is from before both."""
        shift = ENTRY_SHIFTS.get(self.kind, 3)
        entries = {address >> shift for address in self.addresses}
        return not entries.isdisjoint(address >> shift for address in earlier.addresses)
