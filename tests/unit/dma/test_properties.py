"""Properties of every sequence of calls, through dma-iommu and the real page granularity."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from sluicegate.dma import (
    DMA_MAPPING_ERROR,
    DebugMode,
    DmaDebugError,
    DmaDirection,
    SgTable,
    dma_map_phys,
    dma_map_sgtable,
    dma_mapping_error,
    dma_sync_single_for_cpu,
    dma_sync_single_for_device,
    dma_unmap_phys,
    dma_unmap_sgtable,
)
from sluicegate.p2pdma.distance import peer_path
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.pci.topology import AcsControl, HostBridge, PciDevice, PciExpressType

from tests.unit.dma.machine import FixedProvider, Machine, behind_iommu, table

DIRECTIONS = st.sampled_from([DmaDirection.BIDIRECTIONAL, DmaDirection.TO_DEVICE, DmaDirection.FROM_DEVICE])
PIECES = st.lists(st.tuples(st.integers(0x1000, 0x40_0000), st.integers(1, 20000)), min_size=1, max_size=8)
GRANULES = st.sampled_from([4096, 16384, 65536])


@dataclass
class Single:
    dma: int
    size: int
    direction: DmaDirection


def check_ledger(machine: Machine) -> None:
    """No two live mappings overlap, each byte goes where the ledger says, and nothing else is translated."""
    device, domain = machine.device, machine.domain
    pieces = sorted(piece for mapping in device.mappings() for piece in mapping.all_pieces())
    granule = domain.granule
    reachable = set()
    for index, piece in enumerate(pieces):
        if index:
            assert pieces[index - 1].dma + pieces[index - 1].length <= piece.dma
        for at in (0, piece.length - 1, piece.length // 2):
            assert domain.iova_to_phys(piece.dma + at) == piece.phys + at
        reachable |= set(range(piece.phys // granule, (piece.phys + piece.length - 1) // granule + 1))
    lo = 1 << 64
    for lo, hi in machine.iommu.tree:
        for page in range(lo, hi + 1):
            phys = domain.iova_to_phys(page * granule)
            # Padding up to a segment boundary maps memory behind an entry: only there may other granules be reached.
            if phys is not None and device.seg_boundary_mask == 0:
                assert phys // granule in reachable
    assert lo * granule > 0


@given(
    data=st.data(),
    granule=GRANULES,
    steps=st.lists(st.sampled_from(["single", "sg", "unmap", "fail"]), min_size=1, max_size=25),
)
@settings(max_examples=40)
def test_no_overlap_no_foreign_byte_and_everything_undone(data: st.DataObject, granule: int, steps: list[str]) -> None:
    machine = behind_iommu(32, granule=granule, max_seg_size=1 << 20)
    device = machine.device
    live: list[Single | tuple[SgTable, DmaDirection]] = []
    for step in steps:
        if step == "unmap" and live:
            entry = live.pop(data.draw(st.integers(0, len(live) - 1)))
            if isinstance(entry, Single):
                dma_unmap_phys(device, entry.dma, entry.size, entry.direction)
            else:
                dma_unmap_sgtable(device, *entry)
        elif step in ("sg", "fail"):
            sgt, direction = table(*data.draw(PIECES)), data.draw(DIRECTIONS)
            device.max_seg_size = 1 << 20
            before = machine.iommu.tree.state().blocks, machine.domain.mapped_bytes, device.mappings()
            machine.domain.fail_map_at = 0 if step == "fail" else None
            result = dma_map_sgtable(device, sgt, direction)
            machine.domain.fail_map_at = None
            if step == "fail":
                assert result == -12
                assert before == (machine.iommu.tree.state().blocks, machine.domain.mapped_bytes, device.mappings())
            else:
                assert result == 0
                assert sum(length for _, length in sgt.segments()) == sum(entry.length for entry in sgt.sgl)
                live.append((sgt, direction))
        else:
            ((phys, size), *_), direction = data.draw(PIECES), data.draw(DIRECTIONS)
            dma = dma_map_phys(device, phys, size, direction)
            assert dma != DMA_MAPPING_ERROR
            assert dma_mapping_error(device, dma) == 0
            live.append(Single(int(dma), size, direction))
        check_ledger(machine)
    for entry in live:
        if isinstance(entry, Single):
            dma_unmap_phys(device, entry.dma, entry.size, entry.direction)
        else:
            dma_unmap_sgtable(device, *entry)
    assert (len(machine.iommu.tree), machine.domain.mapped_bytes) == (0, 0)
    machine.host.assert_clean()


@given(
    granule=GRANULES,
    bits=st.sampled_from([24, 32, 48]),
    before=st.lists(st.tuples(st.integers(1, 300_000), st.booleans()), max_size=20),
    pieces=PIECES,
    direction=DIRECTIONS,
)
@settings(max_examples=60)
def test_an_unmap_restores_the_allocator(
    granule: int, bits: int, before: list[tuple[int, bool]], pieces: list[tuple[int, int]], direction: DmaDirection
) -> None:
    """After map and unmap the blocks are those of before, and the same map gets the same addresses again."""
    machine = behind_iommu(bits, granule=granule, max_seg_size=1 << 20)
    freed = []
    for size, stays in before:
        dma = dma_map_phys(machine.device, 0x10_0000, size, direction)
        dma_mapping_error(machine.device, dma)
        if not stays:
            freed.append((dma, size))
    for dma, size in freed:
        dma_unmap_phys(machine.device, dma, size, direction)
    blocks, translated = machine.iommu.tree.state().blocks, machine.domain.mapped_bytes
    answers = []
    for _ in range(3):
        sgt = table(*pieces)
        assert dma_map_sgtable(machine.device, sgt, direction) == 0
        answers.append([(int(address), length) for address, length in sgt.segments()])
        dma_unmap_sgtable(machine.device, sgt, direction)
        assert (machine.iommu.tree.state().blocks, machine.domain.mapped_bytes) == (blocks, translated)
    assert answers[1] == answers[2]


@given(
    pieces=PIECES,
    bus=st.lists(st.booleans(), min_size=8, max_size=8),
    boundary=st.sampled_from([0xFFFF, 0xFFFFF, 0xFFFFFFFF]),
    longest=st.sampled_from([512, 4096, 65536]),
)
@settings(max_examples=60)
def test_segments_keep_the_limits_and_the_order(
    pieces: list[tuple[int, int]], bus: list[bool], boundary: int, longest: int
) -> None:
    machine = behind_iommu(40, debug=DebugMode.LOG, max_seg_size=longest, seg_boundary_mask=boundary)
    peer = FixedProvider(P2pdmaMapType.BUS_ADDR, 1 << 40)
    chosen = [(*piece, peer) if is_bus else piece for piece, is_bus in zip(pieces, bus, strict=False)]
    sgt = table(*chosen)
    assert dma_map_sgtable(machine.device, sgt, DmaDirection.TO_DEVICE) == 0
    mapped = [piece for mapping in machine.device.mappings() for piece in mapping.all_pieces()]
    assert [(piece.phys, piece.length) for piece in mapped] == pieces
    for number, (address, length) in enumerate(sgt.segments()):
        if sgt.sgl[number].is_bus_address:
            assert machine.domain.iova_to_phys(int(address)) is None, "the IOMMU never sees a bus address"
        joined = len(machine.device.mappings()[number].all_pieces())
        if joined > 1 and all(size <= longest for _, size in pieces):
            assert length <= longest
            assert (int(address) ^ (int(address) + length - 1)) & ~boundary == 0 or max(size for _, size in pieces) > boundary
    dma_unmap_sgtable(machine.device, sgt, DmaDirection.TO_DEVICE)
    assert machine.domain.mapped_bytes == 0


@given(
    direction=DIRECTIONS,
    operations=st.lists(st.tuples(st.sampled_from(["cpu", "device"]), st.integers(0, 255), st.integers(1, 256)), max_size=12),
)
@settings(max_examples=60)
def test_never_may_both_sides_write(direction: DmaDirection, operations: list[tuple[str, int, int]]) -> None:
    machine = behind_iommu()
    buffer = machine.host.kmalloc(256)
    dma = dma_map_phys(machine.device, int(buffer.phys), 256, direction)
    dma_mapping_error(machine.device, dma)
    cpu_owned = [False] * 256
    for side, start, length in operations:
        length = min(length, 256 - start)
        sync = dma_sync_single_for_cpu if side == "cpu" else dma_sync_single_for_device
        sync(machine.device, dma + start, length, direction)
        cpu_owned[start : start + length] = [side == "cpu"] * length
        (mapping,) = machine.device.mappings()
        for byte in range(0, 256, 7):
            at = int(dma) + byte
            assert mapping.cpu_owns(at, at + 1) == cpu_owned[byte] == (not mapping.device_owns(at, at + 1))
            try:
                buffer.write(b"x", byte)
            except DmaDebugError:
                assert not cpu_owned[byte]
            else:
                assert cpu_owned[byte]


ACS = st.sampled_from(
    [None, AcsControl.NONE, AcsControl.REQUEST_REDIRECT, AcsControl.SOURCE_VALIDATION, AcsControl.EGRESS_CONTROL]
)


@given(
    parents=st.lists(st.tuples(st.integers(0, 100), ACS), min_size=1, max_size=24),
    listed=st.booleans(),
    pair=st.tuples(st.integers(0, 100), st.integers(0, 100)),
)
@settings(max_examples=80)
def test_a_bus_address_is_never_given_where_a_redirecting_port_is_on_the_way(
    parents: list[tuple[int, AcsControl | None]], listed: bool, pair: tuple[int, int]
) -> None:
    bridge = HostBridge()
    nodes: list[PciDevice] = []
    for number, (parent, acs) in enumerate(parents):
        kind = PciExpressType.ROOT_PORT if not nodes else PciExpressType.DOWNSTREAM_PORT
        device = PciDevice(f"n{number}", kind, devfn=8, vendor=0x8086, device=0x2030 if listed else 1, acs=acs)
        nodes.append(bridge.add(device) if not nodes else nodes[parent % len(nodes)].add(device))
    provider, client = (nodes[index % len(nodes)] for index in pair)
    path = peer_path(provider, client)
    assert path == peer_path(client, provider), "symmetric"
    ups, downs = provider.chain(), client.chain()
    common = next(node for node in ups if node in downs)
    between = ups[: ups.index(common) + 1] + downs[: downs.index(common)]
    assert path.distance == len(between) - 1
    if any(node.acs and node.acs & (AcsControl.REQUEST_REDIRECT | AcsControl.EGRESS_CONTROL) for node in between):
        assert path.map_type is (P2pdmaMapType.THRU_HOST_BRIDGE if listed else P2pdmaMapType.NOT_SUPPORTED)
    else:
        assert path.map_type is P2pdmaMapType.BUS_ADDR
