"""What the collectors make of logs written by hand: each observation in its bin, and what cannot be ends the run."""

from __future__ import annotations

import numpy as np
import pytest
from sluicegate.endpoint.descriptor import Descriptor, pack_descriptors
from sluicegate.registers.descriptor import Space

from tb.bridge.event_log import Actor, EventKind
from tb.bridge.tops import DMA, SYSTEM, TOPS
from tb.coverage.catalogue import collectors_of
from tb.coverage.collector import Collector
from tb.coverage.command_collector import CommandCollector
from tb.coverage.descriptor_collector import DescriptorCollector
from tb.coverage.flow_collector import FlowCollector
from tb.coverage.link_collector import LinkCollector
from tb.coverage.ring_collector import RingCollector
from tb.scoreboards.fabric import FabricLinks
from tb.scoreboards.marks import MarkKind
from tb.scoreboards.route import Outcome, Route
from tb.scoreboards.scoreboard import ScoreboardError
from tb.scoreboards.tlp_batch import TlpBatch
from tests.unit.scoreboards.log_builder import LogBuilder, completion, configuration_request, memory_request

REQUEST, COMPLETION = 0, 1
RO, IDO = 1 << 13, 1 << 18
ENDPOINT = 0x300


def hit(collector: Collector, group: str) -> dict[str, int]:
    """The bins of a group that were hit; the group by the end of its name."""
    (found,) = (entry for entry in collector.groups if entry.name.endswith(group))
    return {name: hits for name, hits in found.hits().items() if hits}


def test_every_top_has_groups_of_its_own_names() -> None:
    for top in TOPS.values():
        names = [group.name for collector in collectors_of(top) for group in collector.groups]
        assert len(names) == len(set(names))
        assert names or top.name == "iommu"


def test_requests_by_length_address_and_byte_enables() -> None:
    log, collector = LogBuilder(), LinkCollector(DMA)
    for header, length in (
        (memory_request(False, 0x1000, 512), 0),
        (memory_request(False, 0x1043, 1), 0),
        (memory_request(False, 0x2010, 0), 0),
        (memory_request(True, 0x1_0000_0FC1, 3, attributes=RO), 4),
        (memory_request(True, 0x2005, 9), 12),
    ):
        log.add(EventKind.TLP, REQUEST, header=header, payload=bytes(length))
    collector.ingest(log.batch())
    assert hit(collector, "by length and address") == {
        "engine_request, read, 65 to 128 DW, page": 1,
        "engine_request, read, 1 DW, 64 B": 1,
        "engine_request, read, 0 bytes, 16 B": 1,
        "engine_request, write, 1 DW, 64 B": 1,
        "engine_request, write, 3 to 16 DW, 4 B": 1,
    }
    assert hit(collector, "length and byte enables") == {
        "engine_request, read, 65 to 128 DW, all": 1,
        "engine_request, read, 1 DW, first DW partial": 1,
        "engine_request, read, 0 bytes, none": 1,
        "engine_request, write, 1 DW, first DW partial": 1,
        "engine_request, write, 3 to 16 DW, both partial": 1,
    }
    assert hit(collector, "kind and attributes") == {
        "engine_request, memory read, none": 3,
        "engine_request, memory write, none": 1,
        "engine_request, memory write, RO": 1,
    }


def test_pasid_credits_and_completions() -> None:
    log, collector = LogBuilder(), LinkCollector(DMA)
    header = memory_request(False, 0x1_0000_0000, 64)
    log.add(EventKind.TLP, REQUEST, header=header, prefix=0x9120_0001, flags=1 | 1 << 4)
    log.add(EventKind.TLP, COMPLETION, header=completion(byte_count=64, lower=0, length=32), payload=bytes(32))
    log.add(EventKind.TLP, COMPLETION, header=completion(byte_count=32, lower=32, length=32), payload=bytes(32))
    log.add(EventKind.TLP, COMPLETION, header=completion(status=1))
    collector.ingest(log.batch())
    assert hit(collector, "address type and PASID") == {"engine_request, read, 4 DW, untranslated, PASID privileged": 1}
    assert hit(collector, "completions by status") == {"engine_completion, SC with data": 2, "engine_completion, UR": 1}
    assert hit(collector, "length and split") == {
        "engine_completion, 3 to 16 DW, more to come, 64 B": 1,
        "engine_completion, 3 to 16 DW, last, DW": 1,
    }
    assert hit(collector, "credits")["engine_request, non-posted, no header"] == 1


@pytest.mark.parametrize(
    ("link", "header", "said"),
    [
        (
            REQUEST,
            configuration_request(False, 0x300, 0),
            "engine_request, configuration read, none cannot be: dma sends no such",
        ),
        (
            COMPLETION,
            memory_request(True, 0x1000, 4),
            "engine_completion, memory write, none cannot be: testbench sends no such TLP",
        ),
        (
            REQUEST,
            memory_request(True, 0x1000, 2048),
            "write, 129 to 1024 DW, page cannot be: endpoint sends no such TLP on endpoint0_up",
        ),
    ],
)
def test_what_a_sender_cannot_send_ends_the_run(link: int, header: tuple[int, int, int, int], said: str) -> None:
    log = LogBuilder()
    log.add(EventKind.TLP, link, header=header, payload=bytes(4 * (header[0] & 0x3FF) if header[0] >> 30 & 1 else 0))
    with pytest.raises(ScoreboardError, match=said) as failure:
        LinkCollector(SYSTEM if header[0] & 0x200 else DMA).ingest(log.batch())
    assert failure.value.checker == "coverage"
    assert failure.value.block == said.split("cannot be: ")[1].split()[0]


def test_configuration_accesses() -> None:
    log, collector = LogBuilder(), LinkCollector(SYSTEM)
    log.add(EventKind.TLP, 8, header=configuration_request(True, 0x300, 0x04), payload=bytes(4))
    log.add(EventKind.TLP, 1, header=configuration_request(False, 0x300, 0x100, kind=0))
    collector.ingest(log.batch())
    assert hit(collector, "configuration accesses") == {
        "cpu_request, write, type 1, command and status": 1,
        "endpoint0_down, read, type 0, extended capabilities": 1,
    }


def test_descriptors_and_how_they_ended() -> None:
    log, collector = LogBuilder(), DescriptorCollector("dma", rings=False)
    read = Descriptor(source=0x1FF0, destination=0x40, length=0x20, cookie=1, interrupt=True)
    peer = Descriptor(
        source_space=Space.LOCAL, source=3, destination_space=Space.PEER, destination=0x3000, length=4096, cookie=2, flush=True
    )
    for number, descriptor in enumerate((read, peer)):
        log.add(EventKind.DESCRIPTOR, payload=pack_descriptors([descriptor]).astype("<u8").tobytes(), argument=number)
    log.add(EventKind.STATUS, argument=1, header=(0, 4096, 0, 0))
    log.add(EventKind.STATUS, argument=0, header=(1, 0, 0, 0))
    collector.ingest(log.batch())
    assert hit(collector, "by spaces") == {"copy, host, local": 1, "copy, local, peer": 1}
    assert hit(collector, "length and offsets") == {
        "to local memory, 4 to 63 B, 16 B, 64 B": 1,
        "from local memory to a peer, 4 KiB, 64 B, byte": 1,
    }
    assert hit(collector, "copies by pages") == {
        "to local memory, 4 to 63 B, crosses one": 1,
        "from local memory to a peer, 4 KiB, ends at a page": 1,
    }
    assert hit(collector, "by attributes") == {
        "to local memory, none, none, no, interrupt": 1,
        "from local memory to a peer, none, none, flush, no": 1,
    }
    assert hit(collector, "by status") == {"read, unsupported request": 1, "peer write, success": 1}


def test_rings_chains_and_interrupts() -> None:
    log, rings, descriptors = LogBuilder(), RingCollector("system", wires=True), DescriptorCollector("system", rings=True)
    fields = np.array([0x1000, 0x1000, 4, 0x8000, 0x8000, 4], "<u8")
    log.add(EventKind.MARK, header=(ENDPOINT, 0, 0, 0), payload=fields.tobytes(), argument=MarkKind.RINGS)
    log.add(EventKind.MARK, header=(ENDPOINT, 0, 7, 0), payload=bytes(8), argument=MarkKind.INTERRUPT_TARGET)
    chain = pack_descriptors([Descriptor(source=0, destination=0, length=4, cookie=cookie) for cookie in (1, 2, 3)])
    chain[0, 5] = 0x9000  # the second continues the first
    log.add(EventKind.MARK, header=(ENDPOINT, 0, 3, 0), payload=chain.astype("<u8").tobytes(), argument=MarkKind.SUBMIT)
    log.add(EventKind.MEMORY_WRITE, Actor.LINK, address=0x8000, payload=bytes(16))
    log.add(EventKind.MEMORY_WRITE, Actor.LINK, address=0x8010, payload=bytes(64))
    log.add(EventKind.INTERRUPT, 0, argument=7)
    completions = np.array([[1, 0], [3, 2 << 32]], "<u8")
    log.add(EventKind.MARK, header=(ENDPOINT, 0, 0, 0), payload=completions.tobytes(), argument=MarkKind.REAP)
    batch = log.batch()
    rings.ingest(batch)
    descriptors.ingest(batch)
    assert hit(rings, "ring indices") == {
        "descriptors, 2 to 8, over the end, none other": 1,
        "completions, 2 to 8, inside, none other": 1,
    }
    assert hit(rings, "interrupts") == {"message, 5 to 16": 1}
    assert hit(descriptors, "by status") == {"chain, success": 1, "read, completer abort": 1}


def test_commands() -> None:
    log, collector = LogBuilder(), CommandCollector()
    for low, high in (
        (1 | 1 << 10 | 1 << 33, 1 << 9),  # VMA, a range of one guest
        (2 | 1 << 12 | 1 << 13, 0),
        (3 | 1 << 7 | 1 << 33, 0),
        (4 | 1 << 7, 0),
    ):
        header = (low & 0xFFFF_FFFF, low >> 32, high & 0xFFFF_FFFF, high >> 32)
        log.add(EventKind.IOMMU_COMMAND, header=header)
    collector.ingest(log.batch())
    assert hit(collector, "IOTINVAL") == {"IOTINVAL.VMA, range, all processes, one guest": 1}
    assert hit(collector, "IOFENCE.C") == {"none, none, awaited, awaited": 1}
    assert hit(collector, "IODIR") == {"IODIR.INVAL_PDT, one device": 1}
    assert hit(collector, "ATS commands") == {"ATS.PRGR, none, own": 1}
    log.add(EventKind.IOMMU_COMMAND, header=(3 | 1 << 7, 0, 0, 0))
    with pytest.raises(ScoreboardError, match=r"IODIR\.INVAL_PDT without DV is an illegal command"):
        collector.ingest(log.batch())


def tlps_on(link: int, *headers: tuple[int, int, int, int]) -> TlpBatch:
    log = LogBuilder()
    for header in headers:
        log.add(EventKind.TLP, link, header=header)
    return TlpBatch.of(log.batch())


def test_routes_and_peer_paths() -> None:
    links = FabricLinks()
    collector = FlowCollector(links, frozenset({"switch", "root_complex"}))
    tlps = tlps_on(0, memory_request(False, 0x1000, 4), memory_request(False, 0x1000, 0), memory_request(False, 0x2000, 4))
    route = Route.undecided(3)
    route.egress[:] = links.endpoint_down[1], links.switch_up, Outcome.ANSWERED
    route.redirected[1] = True
    route.status[2] = 4
    collector.routed(tlps, route)
    assert hit(collector, "switch: routes") == {
        "endpoint0_up, memory read, to endpoint1_down": 1,
        "endpoint0_up, memory read, redirected by ACS": 1,
        "endpoint0_up, memory read, completer abort": 1,
    }
    looped = Route.undecided(1)
    looped.egress[:] = links.switch_down
    collector.routed(tlps_on(links.switch_up, memory_request(True, 0x1000, 4)), looped)
    assert hit(collector, "root_complex: routes") == {"switch_up, memory write, to switch_down": 1}
    assert hit(collector, "peer to peer") == {
        "direct, read": 1,
        "redirected by ACS, flushing read": 1,
        "through the host bridge, write": 1,
    }
    with pytest.raises(ScoreboardError, match="a non-posted request is answered, not dropped"):
        collector.routed(tlps_on(0, memory_request(False, 0x1000, 4)), Route.undecided(1))


def test_who_passed_whom() -> None:
    collector = FlowCollector(FabricLinks(), frozenset({"switch"}))
    entered = tlps_on(
        0, memory_request(True, 0x1000, 0), memory_request(False, 0x1000, 4, attributes=IDO), memory_request(False, 0, 4)
    )
    left = tlps_on(
        4, memory_request(False, 0x1000, 4, attributes=IDO), memory_request(True, 0x1000, 0), memory_request(False, 0, 4)
    )
    left.words[0] = [10, 11, 12]
    collector.left("switch", entered.take(np.array([1, 0, 2])), left)
    assert hit(collector, "ordering") == {
        "posted, non-posted, IDO, same, passed": 1,
        "posted, non-posted, none, same, kept": 1,
    }
