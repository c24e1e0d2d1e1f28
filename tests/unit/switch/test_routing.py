"""Routes of a switch: upstream port 01:00.0, bus 2 inside, bus 3 below port 1, buses 4 and 5 below port 2, bus 6 nowhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sluicegate.pci.topology import AcsControl
from sluicegate.switch.routing import (
    Decision,
    Disposition,
    Header,
    PortConfiguration,
    SwitchConfiguration,
    Window,
    route,
)

MIB = 1 << 20
LOW_1, LOW_2, GAP, HIGH_2, HOST = 0x8000_0000, 0x8010_0000, 0x8020_0000, 0x40_0000_0000, 0x1_0000_0000
SWITCH = SwitchConfiguration(
    (
        PortConfiguration(2, 6, (Window(LOW_1, LOW_1 + 4 * MIB - 1), Window(HIGH_2, HIGH_2 + MIB - 1)), True, True),
        PortConfiguration(3, 3, (Window(LOW_1, LOW_1 + MIB - 1),), True, True),
        PortConfiguration(4, 5, (Window(LOW_2, LOW_2 + MIB - 1), Window(HIGH_2, HIGH_2 + MIB - 1)), True, True),
    ),
    upstream_id=0x0100,
)
UNSUPPORTED, VIOLATION = Decision(Disposition.UNSUPPORTED), Decision(Disposition.VIOLATION)
TERMINATED = Decision(Disposition.TERMINATED)


def to(*ports: int) -> Decision:
    return Decision(Disposition.FORWARDED, ports)


def direct(port: int) -> Decision:
    return Decision(Disposition.FORWARDED, (port,), direct_peer=True)


REDIRECTED = Decision(Disposition.FORWARDED, (0,), redirected=True)


def memory(address: int, requester: int, code: int = 0x00, address_type: int = 0) -> Header:
    four = address >> 32 != 0
    words = (address >> 32, address & 0xFFFF_FFFF) if four else (address, 0)
    return ((code | four << 5) << 24 | address_type << 10 | 1, requester << 16 | 0x0F, *words)


def completion(requester: int, relaxed: bool = False) -> Header:
    return (0x0A << 24 | relaxed << 13, 0x0000_0004, requester << 16, 0)


def message(routing: int, target: int = 0, payload_dwords: int = 0) -> Header:
    return ((0x70 if payload_dwords else 0x30) + routing << 24 | payload_dwords, 0x0300_007E, target << 16, 0)


def config(type1: bool, target: int, write: bool = False, poisoned: bool = False) -> Header:
    return ((0x44 if write else 0x04) + type1 << 24 | poisoned << 14 | 1, 0x0000_000F, target << 16, 0)


def with_port(number: int, **changes: object) -> SwitchConfiguration:
    ports = list(SWITCH.ports)
    ports[number] = replace(ports[number], **changes)  # type: ignore[arg-type]
    return replace(SWITCH, ports=tuple(ports))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (memory(LOW_1, 0), to(1)),
        (memory(LOW_1 + MIB - 4, 0, code=0x40), to(1)),
        (memory(LOW_2, 0), to(2)),
        (memory(HIGH_2 + MIB - 4, 0, code=0x4C), to(2)),
        (memory(GAP, 0), UNSUPPORTED),
        (memory(HOST, 0), UNSUPPORTED),
        (memory(LOW_1 - 4, 0), UNSUPPORTED),
        (config(False, 0x0100), Decision(Disposition.CONFIGURATION, function=0)),
        (config(False, 0x0101), UNSUPPORTED),
        (config(True, 0x0200), Decision(Disposition.CONFIGURATION, function=1)),
        (config(True, 0x0208), Decision(Disposition.CONFIGURATION, function=2)),
        (config(True, 0x0208, write=True, poisoned=True), UNSUPPORTED),
        (config(True, 0x0210), UNSUPPORTED),
        (config(True, 0x0201), UNSUPPORTED),
        (config(True, 0x0300), Decision(Disposition.FORWARDED, (1,), to_type0=True)),
        (config(True, 0x0303, write=True), Decision(Disposition.FORWARDED, (1,), to_type0=True)),
        (config(True, 0x0308), UNSUPPORTED),
        (config(True, 0x0508), to(2)),
        (config(True, 0x0600), UNSUPPORTED),
        (config(True, 0x0700), UNSUPPORTED),
        (completion(0x0300), to(1)),
        (completion(0x05FF), to(2)),
        (completion(0x0600), UNSUPPORTED),
        (completion(0x0000), UNSUPPORTED),
        (message(0), UNSUPPORTED),
        (message(1), UNSUPPORTED),
        (message(2, 0x0400), to(2)),
        (message(2, 0x0208), TERMINATED),
        (message(2, 0x0100), TERMINATED),
        (message(2, 0x0900), UNSUPPORTED),
        (message(3), to(1, 2)),
        (message(3, payload_dwords=8), to(1, 2)),
        (message(3, payload_dwords=9), UNSUPPORTED),
        (message(4), TERMINATED),
        (message(5), UNSUPPORTED),
        ((0x02 << 24 | 1, 0xF, 0x1000, 0), UNSUPPORTED),
    ],
)
def test_from_upstream(header: Header, expected: Decision) -> None:
    assert route(SWITCH, 0, header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (memory(HOST, 0x0300), to(0)),
        (memory(0x7000_0000, 0x0300, code=0x40), to(0)),
        (memory(LOW_2, 0x0300), direct(2)),
        (memory(LOW_1, 0x0300), UNSUPPORTED),
        (memory(GAP, 0x0300), UNSUPPORTED),
        (memory(HOST, 0x0300, address_type=1), to(0)),
        (completion(0x0000), to(0)),
        (completion(0x0400), direct(2)),
        (completion(0x0300), UNSUPPORTED),
        (completion(0x0600), UNSUPPORTED),
        (message(0), to(0)),
        (message(2, 0x0000), to(0)),
        (message(2, 0x0500), direct(2)),
        (message(2, 0x0200), TERMINATED),
        (message(3), UNSUPPORTED),
        (message(4), TERMINATED),
        (config(True, 0x0400), UNSUPPORTED),
        (config(False, 0x0400), UNSUPPORTED),
        ((0x02 << 24 | 1, 0x0300_000F, 0x1000, 0), to(0)),
    ],
)
def test_from_downstream_without_acs(header: Header, expected: Decision) -> None:
    assert route(SWITCH, 1, header) == expected


@pytest.mark.parametrize(
    ("acs", "header", "expected"),
    [
        (AcsControl.SOURCE_VALIDATION, memory(HOST, 0x0400), VIOLATION),
        (AcsControl.SOURCE_VALIDATION, memory(HOST, 0x03FF), to(0)),
        (AcsControl.SOURCE_VALIDATION, completion(0x0400), direct(2)),
        (AcsControl.TRANSLATION_BLOCKING, memory(HOST, 0x0300, address_type=2), VIOLATION),
        (AcsControl.TRANSLATION_BLOCKING, memory(HOST, 0x0300, address_type=1), VIOLATION),
        (AcsControl.TRANSLATION_BLOCKING | AcsControl.DIRECT_TRANSLATED, memory(LOW_2, 0x0300, address_type=2), VIOLATION),
        (AcsControl.REQUEST_REDIRECT, memory(LOW_2, 0x0300), REDIRECTED),
        (AcsControl.REQUEST_REDIRECT, message(2, 0x0400), REDIRECTED),
        (AcsControl.REQUEST_REDIRECT, completion(0x0400), direct(2)),
        (AcsControl.REQUEST_REDIRECT | AcsControl.DIRECT_TRANSLATED, memory(LOW_2, 0x0300, address_type=2), direct(2)),
        (AcsControl.COMPLETION_REDIRECT, completion(0x0400), REDIRECTED),
        (AcsControl.COMPLETION_REDIRECT, completion(0x0400, relaxed=True), direct(2)),
        (AcsControl.UPSTREAM_FORWARDING, memory(LOW_1, 0x0300), REDIRECTED),
        (AcsControl.UPSTREAM_FORWARDING, completion(0x0300), REDIRECTED),
        (AcsControl.EGRESS_CONTROL, memory(LOW_2, 0x0300), VIOLATION),
    ],
)
def test_from_downstream_with_acs(acs: AcsControl, header: Header, expected: Decision) -> None:
    assert route(with_port(1, acs=acs, egress_vector=0b100), 1, header) == expected


@pytest.mark.parametrize(
    ("port", "changes", "ingress", "header"),
    [
        (0, {"memory_space": False}, 0, memory(LOW_1, 0)),
        (1, {"memory_space": False}, 0, memory(LOW_1, 0)),
        (1, {"bus_master": False}, 1, memory(HOST, 0x0300)),
        (1, {"bus_master": False}, 1, memory(LOW_2, 0x0300)),
        (0, {"bus_master": False}, 1, memory(HOST, 0x0300)),
        (2, {"link_up": False}, 1, memory(LOW_2, 0x0300)),
        (0, {"link_up": False}, 1, completion(0)),
        (2, {"atomic_egress_blocking": True}, 1, memory(LOW_2, 0x0300, code=0x4C)),
        (0, {"atomic_egress_blocking": True}, 1, memory(HOST, 0x0300, code=0x4E)),
    ],
)
def test_refused(port: int, changes: dict[str, object], ingress: int, header: Header) -> None:
    assert route(SWITCH, ingress, header) != UNSUPPORTED
    assert route(with_port(port, **changes), ingress, header) == UNSUPPORTED


def test_what_the_enables_do_not_touch() -> None:
    assert route(with_port(1, bus_master=False), 1, completion(0)) == to(0)
    assert route(with_port(0, bus_master=False), 1, memory(LOW_2, 0x0300)) == direct(2)
    assert route(with_port(2, atomic_egress_blocking=True), 1, memory(LOW_2, 0x0300, code=0x40)) == direct(2)
    assert route(with_port(2, link_up=False), 0, message(3)) == to(1)


def test_a_port_without_bus_numbers_claims_no_bus() -> None:
    assert route(with_port(1, secondary=0, subordinate=0), 2, completion(0x0000)) == to(0)


def test_unknown_port() -> None:
    with pytest.raises(ValueError, match="there is no port 3"):
        route(SWITCH, 3, memory(HOST, 0))
