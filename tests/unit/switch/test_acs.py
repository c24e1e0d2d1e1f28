"""The ACS decision, against the wording of the specification for each control."""

from __future__ import annotations

import pytest
from sluicegate.pci.topology import AcsControl
from sluicegate.switch.acs import ISOLATED, PeerPath, blocked_at_ingress, completion_path, request_path

EVERY_CONTROL = [AcsControl(value) for value in range(128)]
RR, EC, DT, SV, TB, CR = (
    AcsControl.REQUEST_REDIRECT,
    AcsControl.EGRESS_CONTROL,
    AcsControl.DIRECT_TRANSLATED,
    AcsControl.SOURCE_VALIDATION,
    AcsControl.TRANSLATION_BLOCKING,
    AcsControl.COMPLETION_REDIRECT,
)
PATHS = [
    # control, egress bit of the sibling, untranslated or translation request, translated
    (AcsControl.NONE, False, PeerPath.DIRECT, PeerPath.DIRECT),
    (AcsControl.NONE, True, PeerPath.DIRECT, PeerPath.DIRECT),
    (RR, False, PeerPath.REDIRECT, PeerPath.REDIRECT),
    (RR, True, PeerPath.REDIRECT, PeerPath.REDIRECT),
    (EC, False, PeerPath.DIRECT, PeerPath.DIRECT),
    (EC, True, PeerPath.VIOLATION, PeerPath.VIOLATION),
    (EC | RR, False, PeerPath.DIRECT, PeerPath.DIRECT),
    (EC | RR, True, PeerPath.REDIRECT, PeerPath.REDIRECT),
    (DT, True, PeerPath.DIRECT, PeerPath.DIRECT),
    (DT | RR, False, PeerPath.REDIRECT, PeerPath.DIRECT),
    (DT | EC, True, PeerPath.VIOLATION, PeerPath.DIRECT),
    (DT | EC | RR, True, PeerPath.REDIRECT, PeerPath.DIRECT),
    (DT | EC | RR, False, PeerPath.DIRECT, PeerPath.DIRECT),
]


@pytest.mark.parametrize(("control", "egress_blocked", "untranslated", "translated"), PATHS)
def test_request_path(control: AcsControl, egress_blocked: bool, untranslated: PeerPath, translated: PeerPath) -> None:
    others = AcsControl(0x7F) & ~(RR | EC | DT)
    for extra in (AcsControl.NONE, others):
        assert request_path(control | extra, egress_blocked, 0) is untranslated
        assert request_path(control | extra, egress_blocked, 1) is untranslated
        assert request_path(control | extra, egress_blocked, 2) is translated


@pytest.mark.parametrize("control", EVERY_CONTROL)
def test_source_validation_and_translation_blocking_hold_for_every_request(control: AcsControl) -> None:
    assert blocked_at_ingress(control, source_valid=False, address_type=0) is (SV in control)
    assert blocked_at_ingress(control, source_valid=True, address_type=0) is False
    for address_type in (1, 2):
        assert blocked_at_ingress(control, source_valid=True, address_type=address_type) is (TB in control)


@pytest.mark.parametrize("control", EVERY_CONTROL)
def test_only_strictly_ordered_completions_are_redirected(control: AcsControl) -> None:
    assert completion_path(control, relaxed_ordering=True) is PeerPath.DIRECT
    assert completion_path(control, relaxed_ordering=False) is (PeerPath.REDIRECT if CR in control else PeerPath.DIRECT)


def test_isolated_sends_every_peer_request_through_the_root_complex() -> None:
    assert blocked_at_ingress(ISOLATED, source_valid=False, address_type=0)
    for address_type in (0, 1, 2):
        assert request_path(ISOLATED, False, address_type) is PeerPath.REDIRECT
