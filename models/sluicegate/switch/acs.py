"""Access Control Services of a switch downstream port: what becomes of a request or completion for a sibling port.

Source: PCI Express Base, Access Control Services (ACS Control register, peer-to-peer rules).
"""

from __future__ import annotations

from enum import Enum

from sluicegate.pci.topology import AcsControl

ISOLATED = (
    AcsControl.SOURCE_VALIDATION | AcsControl.REQUEST_REDIRECT | AcsControl.COMPLETION_REDIRECT | AcsControl.UPSTREAM_FORWARDING
)
"""What Linux sets so that every peer access goes through the IOMMU."""

AT_UNTRANSLATED, AT_TRANSLATION_REQUEST, AT_TRANSLATED = 0, 1, 2
"""Address types of memory requests (DW0[11:10])."""


class PeerPath(Enum):
    """The way of a TLP that a sibling port claims."""

    DIRECT = "direct"
    REDIRECT = "redirect"
    """Upstream, for the root complex to validate, translate and perhaps send back down."""
    VIOLATION = "violation"


def blocked_at_ingress(control: AcsControl, source_valid: bool, address_type: int) -> bool:
    """Whether a request is an ACS violation wherever it goes.

    ``source_valid``: the requester's bus number lies between secondary and subordinate bus of the port; ``address_type``: AT
    of a memory request, 0 for other requests.
    """
    if AcsControl.SOURCE_VALIDATION in control and not source_valid:
        return True
    return AcsControl.TRANSLATION_BLOCKING in control and address_type != AT_UNTRANSLATED


def request_path(control: AcsControl, egress_blocked: bool, address_type: int) -> PeerPath:
    """The way of a request that a sibling claims and :func:`blocked_at_ingress` let in.

    ``egress_blocked``: the sibling's bit in the Egress Control Vector.
    """
    if AcsControl.DIRECT_TRANSLATED in control and address_type == AT_TRANSLATED:
        return PeerPath.DIRECT
    redirect = AcsControl.REQUEST_REDIRECT in control
    if AcsControl.EGRESS_CONTROL in control:
        if not egress_blocked:
            return PeerPath.DIRECT
        return PeerPath.REDIRECT if redirect else PeerPath.VIOLATION
    return PeerPath.REDIRECT if redirect else PeerPath.DIRECT


def completion_path(control: AcsControl, relaxed_ordering: bool) -> PeerPath:
    """The way of a completion for a sibling; a relaxed one need not stay behind redirected writes."""
    redirect = AcsControl.COMPLETION_REDIRECT in control and not relaxed_ordering
    return PeerPath.REDIRECT if redirect else PeerPath.DIRECT
