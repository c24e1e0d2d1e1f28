"""Routing of a PCIe switch: from the header of a TLP and the configuration of the ports to the ports where it leaves.

Pure functions. Source: PCI Express Base: type-1 configuration header (windows, bus numbers, Memory Space and Bus Master
Enable), configuration request conversion, message routing, completions by ID, ACS. Ports are numbered as in their Port Number
field: 0 is the upstream port, 1..N the downstream ports. Out of scope, as in the switch: I/O windows (all I/O goes up), messages
routed by address and gathered messages (unsupported), ARI.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from sluicegate.pci.topology import AcsControl
from sluicegate.switch.acs import AT_UNTRANSLATED, PeerPath, blocked_at_ingress, completion_path, request_path

Header = tuple[int, int, int, int]
"""DW0..DW3 of a TLP header; DW3 is 0 for 3 DW headers."""

UPSTREAM_PORT = 0


class TlpKind(Enum):
    """How a TLP is routed."""

    MEMORY = "memory"
    IO = "io"
    CONFIGURATION_0 = "configuration type 0"
    CONFIGURATION_1 = "configuration type 1"
    MESSAGE = "message"
    COMPLETION = "completion"
    OTHER = "other"


class MessageRouting(IntEnum):
    """The rrr field of a message's Type."""

    TO_ROOT = 0
    BY_ADDRESS = 1
    BY_ID = 2
    BROADCAST = 3
    LOCAL = 4
    GATHERED = 5


_KIND_OF_TYPE = {
    0b00000: TlpKind.MEMORY,
    0b00001: TlpKind.MEMORY,
    0b01100: TlpKind.MEMORY,
    0b01101: TlpKind.MEMORY,
    0b01110: TlpKind.MEMORY,
    0b11011: TlpKind.MEMORY,
    0b00010: TlpKind.IO,
    0b00100: TlpKind.CONFIGURATION_0,
    0b00101: TlpKind.CONFIGURATION_1,
    0b01010: TlpKind.COMPLETION,
    0b01011: TlpKind.COMPLETION,
    **{0b10000 | routing: TlpKind.MESSAGE for routing in range(8)},
}


@dataclass(frozen=True)
class RoutedTlp:
    """The fields of a header that decide its way."""

    header: Header

    @property
    def type_bits(self) -> int:
        return self.header[0] >> 24 & 0x1F

    @property
    def kind(self) -> TlpKind:
        return _KIND_OF_TYPE.get(self.type_bits, TlpKind.OTHER)

    @property
    def is_atomic(self) -> bool:
        return self.type_bits in (0b01100, 0b01101, 0b01110)

    @property
    def is_nonposted(self) -> bool:
        """Requests that are answered by a completion."""
        if self.kind is TlpKind.MEMORY:
            return not (self.type_bits == 0 and self.payload_dwords)
        return self.kind not in (TlpKind.MESSAGE, TlpKind.COMPLETION)

    @property
    def payload_dwords(self) -> int:
        if not self.header[0] >> 30 & 1:
            return 0
        return self.header[0] & 0x3FF or 1024

    @property
    def poisoned(self) -> bool:
        return bool(self.header[0] >> 14 & 1)

    @property
    def relaxed_ordering(self) -> bool:
        return bool(self.header[0] >> 13 & 1)

    @property
    def address(self) -> int:
        """Byte address of a memory request."""
        if self.header[0] >> 29 & 1:
            return self.header[2] << 32 | (self.header[3] & ~3)
        return self.header[2] & ~3

    @property
    def address_type(self) -> int:
        """AT of a memory request, 0 for everything else."""
        return self.header[0] >> 10 & 3 if self.kind is TlpKind.MEMORY else AT_UNTRANSLATED

    @property
    def requester_bus(self) -> int:
        """Bus number in the Requester ID of a request."""
        return self.header[1] >> 24

    @property
    def routing_id(self) -> int:
        """The ID in DW2 by which completions, configuration requests and messages by ID are routed."""
        return self.header[2] >> 16


@dataclass(frozen=True)
class Window:
    """Addresses that a bridge claims on its secondary side: first and last byte, both included."""

    first: int
    last: int

    def __contains__(self, address: int) -> bool:
        return self.first <= address <= self.last


@dataclass(frozen=True)
class PortConfiguration:
    """One port as software configured it.

    ``egress_vector``: ACS Egress Control Vector, bit n = port n. ``secondary`` 0 means that bus numbers are not set yet.
    """

    secondary: int = 0
    subordinate: int = 0
    windows: tuple[Window, ...] = ()
    memory_space: bool = False
    bus_master: bool = False
    link_up: bool = True
    atomic_egress_blocking: bool = False
    acs: AcsControl = AcsControl.NONE
    egress_vector: int = 0

    def claims_address(self, address: int) -> bool:
        return self.memory_space and any(address in window for window in self.windows)

    def claims_bus(self, bus: int) -> bool:
        return self.secondary != 0 and self.secondary <= bus <= self.subordinate


@dataclass(frozen=True)
class SwitchConfiguration:
    """All ports, the upstream port first; ``upstream_id`` is the ID that the upstream port captured.

    ``broadcast_dwords``: payload of the largest broadcast message that the switch duplicates.
    """

    ports: tuple[PortConfiguration, ...]
    upstream_id: int = 0
    broadcast_dwords: int = 8

    @property
    def downstream(self) -> range:
        """Numbers of the downstream ports."""
        return range(1, len(self.ports))

    def below(self, bus: int) -> int | None:
        """The downstream port below which a bus lies."""
        return next((number for number in self.downstream if self.ports[number].claims_bus(bus)), None)

    def claiming(self, address: int) -> int | None:
        """The downstream port that claims an address."""
        return next((number for number in self.downstream if self.ports[number].claims_address(address)), None)


class Disposition(Enum):
    """What becomes of a TLP."""

    FORWARDED = "forwarded"
    CONFIGURATION = "configuration access of a port of the switch"
    TERMINATED = "message that ends in the switch"
    UNSUPPORTED = "unsupported request (non-posted: completed with UR) or unexpected completion"
    VIOLATION = "ACS violation (non-posted: completed with CA)"


@dataclass(frozen=True)
class Decision:
    """The way of one TLP.

    ``egress``: ports where it leaves; ``to_type0``: a type 1 configuration request leaves as type 0; ``function``: port whose
    configuration space is accessed; ``redirected``: sent up although a port below claims it; ``direct_peer``: sent to a sibling.
    """

    disposition: Disposition
    egress: tuple[int, ...] = ()
    to_type0: bool = False
    function: int | None = None
    redirected: bool = False
    direct_peer: bool = False


_UNSUPPORTED = Decision(Disposition.UNSUPPORTED)
_VIOLATION = Decision(Disposition.VIOLATION)
_TERMINATED = Decision(Disposition.TERMINATED)


def route(configuration: SwitchConfiguration, ingress: int, header: Header) -> Decision:
    """Where a TLP that entered port ``ingress`` goes."""
    if not 0 <= ingress < len(configuration.ports):
        raise ValueError(f"the switch has ports 0 to {len(configuration.ports) - 1}, there is no port {ingress}")
    tlp = RoutedTlp(header)
    decision = _from_upstream(configuration, tlp) if ingress == UPSTREAM_PORT else _from_downstream(configuration, ingress, tlp)
    if decision.disposition is not Disposition.FORWARDED:
        return decision
    # A port that cannot take the TLP refuses it: link down, or AtomicOp Egress Blocking.
    for number in decision.egress:
        port = configuration.ports[number]
        if not port.link_up or (tlp.is_atomic and port.atomic_egress_blocking):
            return _UNSUPPORTED
    return decision


def _forward(port: int | None) -> Decision:
    return _UNSUPPORTED if port is None else Decision(Disposition.FORWARDED, (port,))


def _from_upstream(configuration: SwitchConfiguration, tlp: RoutedTlp) -> Decision:
    upstream = configuration.ports[UPSTREAM_PORT]
    match tlp.kind:
        case TlpKind.MEMORY:
            return _forward(configuration.claiming(tlp.address)) if upstream.claims_address(tlp.address) else _UNSUPPORTED
        case TlpKind.COMPLETION:
            return _forward(configuration.below(tlp.routing_id >> 8))
        case TlpKind.CONFIGURATION_0 | TlpKind.CONFIGURATION_1:
            return _configuration_request(configuration, tlp)
        case TlpKind.MESSAGE:
            return _message_from_upstream(configuration, tlp)
        case _:
            return _UNSUPPORTED


def _configuration_request(configuration: SwitchConfiguration, tlp: RoutedTlp) -> Decision:
    upstream = configuration.ports[UPSTREAM_PORT]
    bus, device, function = tlp.routing_id >> 8, tlp.routing_id >> 3 & 31, tlp.routing_id & 7
    if tlp.kind is TlpKind.CONFIGURATION_0:
        own = UPSTREAM_PORT if function == 0 else None
    elif not upstream.claims_bus(bus):
        return _UNSUPPORTED
    elif bus == upstream.secondary:
        own = device + 1 if function == 0 and device + 1 in configuration.downstream else None
    else:
        port = configuration.below(bus)
        if port is None:
            return _UNSUPPORTED
        attached = bus == configuration.ports[port].secondary
        if attached and device != 0:
            return _UNSUPPORTED
        return Decision(Disposition.FORWARDED, (port,), to_type0=attached)
    if own is None or tlp.poisoned:
        return _UNSUPPORTED
    return Decision(Disposition.CONFIGURATION, function=own)


def _addresses_switch(configuration: SwitchConfiguration, target: int) -> bool:
    """Whether an ID is that of a function of the switch: its upstream port, or anything on the internal bus."""
    secondary = configuration.ports[UPSTREAM_PORT].secondary
    return target == configuration.upstream_id or (secondary != 0 and target >> 8 == secondary)


def _message_from_upstream(configuration: SwitchConfiguration, tlp: RoutedTlp) -> Decision:
    match tlp.type_bits & 7:
        case MessageRouting.BY_ID:
            if _addresses_switch(configuration, tlp.routing_id):
                return _TERMINATED
            return _forward(configuration.below(tlp.routing_id >> 8))
        case MessageRouting.BROADCAST:
            linked = tuple(number for number in configuration.downstream if configuration.ports[number].link_up)
            if not linked:
                return _TERMINATED
            if tlp.payload_dwords > configuration.broadcast_dwords:
                return _UNSUPPORTED
            return Decision(Disposition.FORWARDED, linked)
        case MessageRouting.LOCAL:
            return _TERMINATED
        case _:
            return _UNSUPPORTED


def _from_downstream(configuration: SwitchConfiguration, ingress: int, tlp: RoutedTlp) -> Decision:
    port = configuration.ports[ingress]
    if tlp.kind is not TlpKind.COMPLETION:
        source_valid = port.secondary <= tlp.requester_bus <= port.subordinate
        if blocked_at_ingress(port.acs, source_valid, tlp.address_type):
            return _VIOLATION
    if tlp.kind in (TlpKind.MEMORY, TlpKind.IO) and not port.bus_master:
        return _UNSUPPORTED
    match tlp.kind:
        case TlpKind.MEMORY:
            claimed_above = configuration.ports[UPSTREAM_PORT].claims_address(tlp.address)
            below = ingress if port.claims_address(tlp.address) else configuration.claiming(tlp.address)
            return _as_upstream_master(configuration, _claimed(configuration, ingress, tlp, below, claimed_above))
        case TlpKind.IO:
            return _as_upstream_master(configuration, _forward(UPSTREAM_PORT))
        case TlpKind.COMPLETION:
            return _by_id(configuration, ingress, tlp)
        case TlpKind.MESSAGE:
            return _message_from_downstream(configuration, ingress, tlp)
        case _:
            return _UNSUPPORTED


def _message_from_downstream(configuration: SwitchConfiguration, ingress: int, tlp: RoutedTlp) -> Decision:
    match tlp.type_bits & 7:
        case MessageRouting.TO_ROOT:
            return _forward(UPSTREAM_PORT)
        case MessageRouting.BY_ID:
            if _addresses_switch(configuration, tlp.routing_id):
                return _TERMINATED
            return _by_id(configuration, ingress, tlp)
        case MessageRouting.LOCAL:
            return _TERMINATED
        case _:
            return _UNSUPPORTED


def _by_id(configuration: SwitchConfiguration, ingress: int, tlp: RoutedTlp) -> Decision:
    bus = tlp.routing_id >> 8
    below = ingress if configuration.ports[ingress].claims_bus(bus) else configuration.below(bus)
    return _claimed(configuration, ingress, tlp, below, configuration.ports[UPSTREAM_PORT].claims_bus(bus))


def _claimed(
    configuration: SwitchConfiguration, ingress: int, tlp: RoutedTlp, below: int | None, claimed_above: bool
) -> Decision:
    """The way of a TLP that downstream port ``below`` claims; ``claimed_above``: it lies below the upstream port."""
    port = configuration.ports[ingress]
    up = Decision(Disposition.FORWARDED, (UPSTREAM_PORT,))
    redirected = Decision(Disposition.FORWARDED, (UPSTREAM_PORT,), redirected=True)
    if below is None:
        return _UNSUPPORTED if claimed_above else up
    if below == ingress:
        return redirected if AcsControl.UPSTREAM_FORWARDING in port.acs else _UNSUPPORTED
    if tlp.kind is TlpKind.COMPLETION:
        path = completion_path(port.acs, tlp.relaxed_ordering)
    else:
        path = request_path(port.acs, bool(port.egress_vector >> below & 1), tlp.address_type)
    match path:
        case PeerPath.VIOLATION:
            return _VIOLATION
        case PeerPath.REDIRECT:
            return redirected
        case PeerPath.DIRECT:
            return Decision(Disposition.FORWARDED, (below,), direct_peer=True)


def _as_upstream_master(configuration: SwitchConfiguration, decision: Decision) -> Decision:
    """Memory and I/O requests leave the upstream port only with its Bus Master Enable."""
    blocked = UPSTREAM_PORT in decision.egress and not configuration.ports[UPSTREAM_PORT].bus_master
    return _UNSUPPORTED if blocked else decision
