"""Routing prediction of the root complex: for everything that needs no translation, and for what translations answered."""

from __future__ import annotations

import numpy as np

from tb.scoreboards.fabric import FabricConfiguration
from tb.scoreboards.route import ANY_STATUS, Outcome, Route
from tb.scoreboards.switch_route import in_windows, on_bus
from tb.scoreboards.tlp_batch import TlpBatch
from tb.scoreboards.tlp_types import AddressType, CompletionStatus, Kind, TlpClass
from tb.scoreboards.translation_pairs import TranslationPairs

_BY_ID = 2
_ZEROS = 128
"""Bytes between the boundaries at which the root complex splits the zeros that it answers."""


def predict_root_route(configuration: FabricConfiguration, tlps: TlpBatch) -> Route:
    """Routes of TLPs from the CPU, of completions of host memory, and of all but memory requests from the switch."""
    route = Route.undecided(len(tlps))
    links, port = configuration.links, configuration.root_port
    kind, target = tlps.kind, tlps.target
    nonposted = tlps.tlp_class == TlpClass.NONPOSTED
    below = on_bus(port, target)
    route.refuse(np.ones(len(tlps), np.bool_), nonposted, CompletionStatus.UR)
    returning = tlps.is_completion
    route.egress[returning & below] = links.switch_down
    route.egress[returning & (target == configuration.cpu_requester)] = links.cpu_completion
    by_id = (kind == Kind.MESSAGE) & ((tlps.fmt_type & np.uint32(7)) == _BY_ID)
    route.egress[by_id & below] = links.switch_down
    cpu = tlps.link == links.cpu_request
    config = cpu & ((kind == Kind.CONFIG_READ) | (kind == Kind.CONFIG_WRITE))
    bus = target >> np.uint32(8)
    route.egress[config & below] = links.switch_down
    route.to_type0 |= config & (bus == port.secondary)
    # One device is on the link of the root port.
    route.refuse(config & (bus == port.secondary) & (target >> np.uint32(3) & np.uint32(31) != 0), nonposted, CompletionStatus.UR)
    # Functions of bus 0 that do not exist answer too (UR), so that the status stays open.
    internal = config & (bus == 0)
    route.egress[internal] = Outcome.ANSWERED
    route.status[internal] = ANY_STATUS
    memory = cpu & tlps.is_memory
    route.egress[memory & in_windows(port, tlps.address)] = links.switch_down
    registers = configuration.address_map.iommu_registers
    own = memory & ((tlps.address - np.uint64(registers.base)) < np.uint64(registers.size))
    route.egress[own & nonposted] = Outcome.ANSWERED
    route.status[own & nonposted] = ANY_STATUS
    return route


def predict_translated_route(
    configuration: FabricConfiguration, tlps: TlpBatch, pairs: TranslationPairs
) -> tuple[Route, TlpBatch]:
    """Routes of memory requests from the switch, row i translated as ``pairs`` row i, and the TLPs as they must leave."""
    route = Route.undecided(len(tlps))
    links = configuration.links
    nonposted = tlps.tlp_class == TlpClass.NONPOSTED
    everything = np.ones(len(tlps), np.bool_)
    route.refuse(everything, nonposted, CompletionStatus.UR)
    status = pairs.status
    route.refuse(status == 2, nonposted, CompletionStatus.CA)
    success = status == 0
    translation = tlps.address_type == AddressType.TRANSLATION_REQUEST
    route.status[success & translation] = CompletionStatus.SC
    # An interrupt file in memory is no memory of the device: writes end at the IOMMU, reads give zeros, 128 bytes at most each.
    file = success & ~translation & pairs.mrif
    route.refuse(file, nonposted, CompletionStatus.SC)
    reads = file & (tlps.kind == Kind.MEMORY_READ)
    span = (tlps.address & np.uint64(_ZEROS - 1)).astype(np.int64) + 4 * tlps.length_dw.astype(np.int64)
    route.completions[reads] = (span[reads] + _ZEROS - 1) // _ZEROS
    page, offset = np.uint64(0xFFF), np.uint64(0xFFC)
    address = (pairs.spa & ~page) | (tlps.address & offset)
    forwarded = success & ~translation & ~file & configuration.root_port.bus_master
    for region in (*configuration.address_map.ram, configuration.address_map.imsic):
        route.egress[forwarded & ((address - np.uint64(region.base)) < np.uint64(region.size))] = links.memory_request
    route.egress[forwarded & in_windows(configuration.root_port, address)] = links.switch_down
    words = tlps.words.copy()
    long = (address >> np.uint64(32)) != 0
    low, high = address.astype(np.uint32), (address >> np.uint64(32)).astype(np.uint32)
    words[4] = (words[4] & ~np.uint32(1 << 29 | 3 << 10)) | long.astype(np.uint32) << np.uint32(29)
    words[6] = np.where(long, high, low)
    words[7] = np.where(long, low, np.uint32(0))
    # No PASID prefix leaves the IOMMU: flags and prefix.
    words[2] &= np.uint32(0xFFFF)
    words[8] = 0
    return route, TlpBatch(words, tlps.payload, tlps.payload_base)
