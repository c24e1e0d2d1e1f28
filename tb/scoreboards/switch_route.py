"""Routing prediction of the PCIe switch, whole batches at once: by address, by ID, messages, and ACS at each downstream port.

Source: PCI Express Base: bridge windows and bus numbers of type-1 headers, message routing, ACS (P2P request and completion
redirect, egress control, direct translated P2P).
"""

from __future__ import annotations

import numpy as np
from sluicegate.pci.topology import AcsControl

from tb.scoreboards.fabric import BridgePort, DownstreamPort, FabricConfiguration
from tb.scoreboards.route import ANY_STATUS, Outcome, Route
from tb.scoreboards.tlp_batch import U32, U64, Bool, TlpBatch
from tb.scoreboards.tlp_types import AddressType, CompletionStatus, Kind, TlpClass

_TO_ROOT, _BY_ID, BROADCAST = 0, 2, 3


def in_windows(port: BridgePort, address: U64) -> Bool:
    """Which addresses the port's windows claim."""
    claimed = np.zeros(address.shape, np.bool_)
    if port.memory_space:
        for window in port.windows:
            claimed |= (address - np.uint64(window.base)) < np.uint64(window.size)
    return claimed


def on_bus(port: BridgePort, target: U32) -> Bool:
    """Which IDs lie below the port."""
    bus = target >> np.uint32(8)
    mask: Bool = np.less_equal(bus - np.uint32(port.secondary), np.uint32(port.subordinate - port.secondary))
    return mask


def predict_switch_route(configuration: FabricConfiguration, tlps: TlpBatch) -> Route:
    """The :class:`~tb.scoreboards.route.RoutingPrediction` of the switch."""
    route = Route.undecided(len(tlps))
    links = configuration.links
    from_root = tlps.link == links.switch_down
    if from_root.any():
        _downstream(configuration, tlps, from_root, route)
    for index, link in enumerate(links.endpoint_up):
        entering = tlps.link == link
        if entering.any():
            _upstream(configuration, tlps, entering, index, route)
    return route


def _downstream(configuration: FabricConfiguration, tlps: TlpBatch, entering: Bool, route: Route) -> None:
    links, kind, target = configuration.links, tlps.kind, tlps.target
    nonposted = tlps.tlp_class == TlpClass.NONPOSTED
    route.refuse(entering, nonposted, CompletionStatus.UR)
    memory = entering & tlps.is_memory
    config = entering & ((kind == Kind.CONFIG_READ) | (kind == Kind.CONFIG_WRITE))
    type1 = config & ((tlps.fmt_type & np.uint32(1)) == 1)
    by_id = entering & (tlps.is_completion | _message(tlps, _BY_ID))
    for port, link in zip(configuration.ports, links.endpoint_down, strict=True):
        below = on_bus(port, target)
        route.egress[memory & in_windows(port, tlps.address)] = link
        route.egress[(by_id | type1) & below] = link
        attached = type1 & (target >> np.uint32(8) == port.secondary)
        route.to_type0 |= attached & below
        # A downstream port reaches device 0 only.
        route.refuse(attached & (target >> np.uint32(3) & np.uint32(31) != 0), nonposted, CompletionStatus.UR)
    route.egress[entering & _message(tlps, BROADCAST)] = Outcome.BROADCAST
    internal = type1 & (target >> np.uint32(8) == configuration.upstream.secondary)
    own = internal & (target >> np.uint32(3) & np.uint32(31) < len(configuration.ports)) & (target & np.uint32(7) == 0)
    own |= config & ~type1 & (target & np.uint32(0xFF) == 0)
    route.egress[own] = Outcome.ANSWERED
    route.status[own] = ANY_STATUS


def _message(tlps: TlpBatch, routing: int) -> Bool:
    mask: Bool = (tlps.kind == Kind.MESSAGE) & ((tlps.fmt_type & np.uint32(7)) == routing)
    return mask


def _upstream(configuration: FabricConfiguration, tlps: TlpBatch, entering: Bool, index: int, route: Route) -> None:
    port, links = configuration.ports[index], configuration.links
    nonposted = tlps.tlp_class == TlpClass.NONPOSTED
    memory, completion = entering & tlps.is_memory, entering & tlps.is_completion
    by_id = completion | (entering & _message(tlps, _BY_ID))
    route.refuse(entering, nonposted, CompletionStatus.UR)
    route.egress[memory | by_id | (entering & _message(tlps, _TO_ROOT))] = links.switch_up
    # Claimed by the upstream port's windows but by no downstream port: nobody answers on the internal bus.
    route.refuse(memory & in_windows(configuration.upstream, tlps.address), nonposted, CompletionStatus.UR)
    forward = bool(port.acs & AcsControl.UPSTREAM_FORWARDING)
    for other, sibling in enumerate(configuration.ports):
        claimed = memory & in_windows(sibling, tlps.address)
        returning = by_id & on_bus(sibling, tlps.target)
        if other == index:
            route.refuse(claimed, nonposted, CompletionStatus.UR)
            route.egress[(claimed | returning) & forward] = links.switch_up
            route.egress[returning & (not forward)] = Outcome.DROPPED
            continue
        _to_sibling(configuration, tlps, port, other, claimed, route)
        redirected = bool(port.acs & AcsControl.COMPLETION_REDIRECT) & completion & ~tlps.relaxed_ordering
        route.egress[returning] = links.endpoint_down[other]
        route.egress[returning & redirected] = links.switch_up
        route.redirected |= (returning & redirected) | (claimed & (route.egress == links.switch_up))
    if not port.bus_master:
        route.refuse(memory, nonposted, CompletionStatus.UR)
    violation = memory & (tlps.address_type != 0) & bool(port.acs & AcsControl.TRANSLATION_BLOCKING)
    if port.acs & AcsControl.SOURCE_VALIDATION:
        requests = entering & ~completion
        violation |= requests & ~on_bus(port, tlps.requester)
    route.refuse(violation, nonposted, CompletionStatus.CA)


def _to_sibling(
    configuration: FabricConfiguration, tlps: TlpBatch, port: DownstreamPort, other: int, claimed: Bool, route: Route
) -> None:
    direct, up = configuration.links.endpoint_down[other], configuration.links.switch_up
    nonposted = tlps.tlp_class == TlpClass.NONPOSTED
    redirect = bool(port.acs & AcsControl.REQUEST_REDIRECT)
    if port.acs & AcsControl.EGRESS_CONTROL and port.egress_vector >> other & 1:
        if redirect:
            route.egress[claimed] = up
        else:
            route.refuse(claimed, nonposted, CompletionStatus.CA)
    elif port.acs & AcsControl.EGRESS_CONTROL or not redirect:
        route.egress[claimed] = direct
    else:
        route.egress[claimed] = up
    if port.acs & AcsControl.DIRECT_TRANSLATED:
        route.egress[claimed & (tlps.address_type == AddressType.TRANSLATED)] = direct
