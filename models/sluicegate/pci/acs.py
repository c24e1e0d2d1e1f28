"""Access control services: what a downstream port does with peer traffic (specification PCIE, section 11)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sluicegate.pci.tlp_fields import AddressType
from sluicegate.pci.topology import AcsControl


class AcsDecision(Enum):
    """Where a TLP that entered a downstream port goes."""

    DIRECT = "direct"
    """To the sibling port that claims it."""
    UPSTREAM = "upstream"
    """To the root complex, which translates and may send it back down."""
    VIOLATION = "violation"
    """Dropped and reported; a non-posted request is completed with completer abort."""


@dataclass(frozen=True, slots=True)
class AcsPort:
    """ACS settings of the port that a TLP entered.

    ``secondary_bus`` to ``subordinate_bus`` are the buses below it; bit j of ``egress_vector`` controls traffic to sibling
    port j.
    """

    control: AcsControl = AcsControl.NONE
    secondary_bus: int = 0
    subordinate_bus: int = 255
    egress_vector: int = 0

    def source_valid(self, requester: int) -> bool:
        """Whether source validation lets a requester ID pass."""
        if not self.control & AcsControl.SOURCE_VALIDATION:
            return True
        return self.secondary_bus <= requester >> 8 <= self.subordinate_bus


def upstream_request_decision(port: AcsPort, requester: int, address_type: AddressType) -> AcsDecision:
    """A memory request that no sibling claims: upstream unless it violates a rule."""
    if not port.source_valid(requester):
        return AcsDecision.VIOLATION
    if address_type is not AddressType.UNTRANSLATED and port.control & AcsControl.TRANSLATION_BLOCKING:
        return AcsDecision.VIOLATION
    return AcsDecision.UPSTREAM


def peer_request_decision(port: AcsPort, requester: int, address_type: AddressType, egress_port: int) -> AcsDecision:
    """A memory request whose address sibling port number ``egress_port`` claims."""
    if upstream_request_decision(port, requester, address_type) is AcsDecision.VIOLATION:
        return AcsDecision.VIOLATION
    control = port.control
    redirect = bool(control & AcsControl.REQUEST_REDIRECT)
    if address_type is AddressType.TRANSLATED and control & AcsControl.DIRECT_TRANSLATED:
        return AcsDecision.DIRECT
    if control & AcsControl.EGRESS_CONTROL:
        if not port.egress_vector >> egress_port & 1:
            return AcsDecision.DIRECT
        return AcsDecision.UPSTREAM if redirect else AcsDecision.VIOLATION
    return AcsDecision.UPSTREAM if redirect else AcsDecision.DIRECT


def own_range_decision(port: AcsPort, requester: int, address_type: AddressType) -> AcsDecision:
    """A request whose address is below the very port it entered: upstream with upstream forwarding, else an error."""
    if upstream_request_decision(port, requester, address_type) is AcsDecision.VIOLATION:
        return AcsDecision.VIOLATION
    return AcsDecision.UPSTREAM if port.control & AcsControl.UPSTREAM_FORWARDING else AcsDecision.VIOLATION


def peer_completion_decision(port: AcsPort, relaxed_ordering: bool) -> AcsDecision:
    """A completion for a requester below a sibling port: redirected only in order (RO clear) under completion redirect."""
    if port.control & AcsControl.COMPLETION_REDIRECT and not relaxed_ordering:
        return AcsDecision.UPSTREAM
    return AcsDecision.DIRECT
