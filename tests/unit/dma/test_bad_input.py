"""Nonsense given to any call of the API: a sentence that says what and what to do, and nothing has changed.

The calls are all functions that ``sluicegate.dma`` and the P2PDMA modules export; each parameter in turn gets values that its
annotation does not allow, and everything else is sound.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sluicegate.dma
from sluicegate.address import DmaAddress, PeerAddress, PhysicalAddress
from sluicegate.dma import (
    DMA_BIT_MASK,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    CpuBuffer,
    DebugClass,
    DebugMode,
    Device,
    DeviceRemovedError,
    DmaDebugError,
    DmaDirection,
    DmaIommu,
    DmaIovaState,
    DmaPool,
    Gfp,
    Host,
    KernelBug,
    OutOfMemory,
    Page,
    RecordingDomain,
    Scatterlist,
    SgEntry,
    SgTable,
    VirtualMemoryArea,
    VmallocBuffer,
    VmapBuffer,
    device_read,
    device_write,
    dma_alloc_coherent,
    dma_iova_link,
    dma_iova_try_alloc,
    dma_map_page,
    dma_map_phys,
    dma_map_resource,
    dma_map_sgtable,
    dma_map_single,
    dma_mapping_error,
    dma_pool_alloc,
    dma_pool_create,
    dma_set_mask,
    dma_set_mask_and_coherent,
    dma_set_max_seg_size,
    dma_unmap_phys,
    transfer_in_flight,
)
from sluicegate.p2pdma import api, dma_buf
from sluicegate.p2pdma.api import PeerBuffer, pci_alloc_p2pmem, pci_p2pdma_add_resource, pci_p2pmem_publish
from sluicegate.p2pdma.dma_buf import DmaBufTable, PhysRange, dma_buf_phys_vec_to_sgt
from sluicegate.p2pdma.provider import P2pdmaProvider
from sluicegate.p2pdma.registry import P2pdma
from sluicegate.pci.topology import Bar

from tests.unit.dma.machine import LOW_RAM
from tests.unit.p2pdma.trees import one_switch

BAR = Bar(0xA000_0000, 0x2000_0000, 1 << 20)
NOT_CALLS = {"dma_use_iova", "dma_wmb"}
"""A question to a record of the driver, and a barrier of the host: they take neither a device nor a number."""


def functions() -> dict[str, Callable[..., Any]]:
    exported = {name: getattr(sluicegate.dma, name) for name in sluicegate.dma.__all__}
    for module in (api, dma_buf):
        exported |= {name: value for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    return {
        name: value
        for name, value in sorted(exported.items())
        if inspect.isfunction(value) and re.match(r"(dma|dmam|pci|pcim)_", name) and name not in NOT_CALLS
    }


FUNCTIONS = functions()


class World:
    """A client behind an IOMMU and a provider of peer memory below one switch, with something live of every kind."""

    def __init__(self) -> None:
        tree = one_switch()
        tree.nodes["A"].bars[2] = BAR
        self.host = host = Host(ram=LOW_RAM)
        self.domain = RecordingDomain()
        self.iommu = DmaIommu(host, self.domain, rcache=False)
        self.device = Device(host, "client", pci=tree.nodes["B"], backend=self.iommu)
        self.provider = Device(host, "provider", pci=tree.nodes["A"])
        self.gone = Device(host, "gone", pci=tree.nodes["U"])
        self.gone.remove()
        for device in (self.device, self.provider):
            assert dma_set_mask_and_coherent(device, DMA_BIT_MASK(32)) == 0
        assert pci_p2pdma_add_resource(self.provider, 2, 0, 0) == 0
        pci_p2pmem_publish(self.provider, True)
        peer = pci_alloc_p2pmem(self.provider, 8192)
        block = dma_alloc_coherent(self.device, 8192)
        pool = dma_pool_create("blocks", self.device, 64, 64, 0)
        assert peer is not None
        assert block is not None
        assert pool is not None
        self.pool = pool
        dma_pool_alloc(pool)
        self.buffer = host.kmalloc(4096)
        self.dma = dma_map_single(self.device, self.buffer, 4096, DMA_TO_DEVICE)
        dma_mapping_error(self.device, self.dma)
        self.table = SgTable(Scatterlist.from_buffers([host.kmalloc(4096), host.kmalloc(4096)]))
        assert dma_map_sgtable(self.device, self.table, DMA_TO_DEVICE) == 0
        self.state = DmaIovaState()
        assert dma_iova_try_alloc(self.device, self.state, 0x10000, 8192)
        assert dma_iova_link(self.device, self.state, 0x10000, 0, 4096, DMA_TO_DEVICE) == 0
        state = P2pdma.of(host).state(self.provider)
        assert state is not None
        peer_provider = state.providers[2]
        shared = dma_buf_phys_vec_to_sgt(self.device, peer_provider, [PhysRange(BAR.phys, 4096)], DMA_TO_DEVICE)
        assert isinstance(shared, DmaBufTable)
        self.p2pdma_state = state
        self.sound: dict[Any, Any] = {
            Device: self.device,
            CpuBuffer: self.buffer,
            VmallocBuffer: host.vmalloc(4096),
            Page: host.alloc_page(),
            Scatterlist: self.table.sgl,
            SgTable: self.table,
            DmaIovaState: self.state,
            DmaPool: pool,
            VmapBuffer: VmapBuffer([self.buffer]),
            Gfp: Gfp.KERNEL,
            DmaDirection: DMA_TO_DEVICE,
            VirtualMemoryArea: VirtualMemoryArea(1),
            Bar: BAR,
            PeerBuffer: peer,
            P2pdmaProvider: peer_provider,
            DmaBufTable: shared,
            PhysicalAddress: PhysicalAddress(0x2_0000),
            DmaAddress: self.dma,
            PeerAddress: PeerAddress(int(self.dma)),
            str: "name",
            bool: True,
            int: 4096,
        }

    def argument(self, name: str, hint: Any) -> Any:
        """A sound argument for a parameter."""
        if typing.get_origin(hint) is Sequence:
            return [self.device] if typing.get_args(hint)[0] is Device else [PhysRange(BAR.phys, 4096)]
        if name in ("pdev", "provider", "peer") and hint is Device:
            return self.provider
        if name == "nents":
            return 2
        if name == "bar":
            return 2
        if name in ("attrs", "offset"):
            return 0
        kinds = alternatives(hint)
        return self.sound[next((kind for kind in kinds if kind in ADDRESSES), kinds[0])]

    def snapshot(self) -> tuple[Any, ...]:
        """Everything a call could change: ledger, allocator, translations, memory, masks and limits, pools, records, reports."""
        devices = [
            (
                [
                    (repr(mapping), mapping.size, mapping.attrs, mapping.error_checked, mapping.visible)
                    for mapping in device.ledger
                ],
                (device.dma_mask, device.coherent_dma_mask, device.mask_state, device.mask_aliases_coherent, device.skip_sync),
                (device.max_seg_size, device.seg_boundary_mask, device.min_align_mask, device.prefer_32bit),
                (device.coherent_memory, dict(device.managed)),
            )
            for device in self.host.devices
        ]
        lists = [[(entry.dma_address, entry.dma_length, entry.is_bus_address) for entry in self.table.sgl], self.table.nents]
        pool = (self.pool.pages, self.pool.blocks, self.pool.active, self.pool.destroyed)
        assert self.p2pdma_state.pool is not None
        peer = (
            self.p2pdma_state.pool.available,
            self.p2pdma_state.published,
            self.p2pdma_state.references,
            len(self.p2pdma_state.resources),
        )
        state = (self.state.addr, self.state.size, list(self.state.links), self.state.block)
        memory = self.host.pages.allocated_bytes
        return (devices, self.iommu.tree.state().blocks, self.domain.mapped_bytes, memory, lists, pool, peer, state)

    def reports(self) -> int:
        return self.host.debug.error_count


ADDRESSES = (DmaAddress, PhysicalAddress, PeerAddress)


def alternatives(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) or (hint,)


def hints(name: str) -> dict[str, Any]:
    found = typing.get_type_hints(FUNCTIONS[name])
    return {parameter: found[parameter] for parameter in inspect.signature(FUNCTIONS[name]).parameters}


@dataclass(frozen=True)
class Bad:
    value: Any
    error: type[Exception]


def bad_values(hint: Any) -> Iterator[Bad]:
    kinds = alternatives(hint)
    if typing.get_origin(hint) is Sequence:
        yield from (Bad(value, TypeError) for value in (None, 5, "client", [None], [7]))
    elif hint is DmaDirection:
        yield from (Bad(value, TypeError) for value in ("to", None, 1.0, [1]))
        yield from (Bad(value, KernelBug) for value in (3, 17, -1))
    elif int in kinds:
        own = next((kind for kind in kinds if kind in ADDRESSES), None)
        foreign = [kind(4096) for kind in ADDRESSES if kind is not own]
        yield from (Bad(value, TypeError) for value in ("4096", None, 1.5, [4096], *foreign))
        yield from (Bad(value, ValueError) for value in (-1, 1 << 64, 1 << 200))
    elif type(None) in kinds:
        yield from (Bad(value, TypeError) for value in (5, "x", object()))
    else:
        yield from (Bad(value, TypeError) for value in (None, 1.5, object()))


ADVICE = re.compile(r"\b(give|use|takes|translate it first|map at most)\b")
PARAMETERS = [(name, parameter) for name in FUNCTIONS for parameter in hints(name)]


def call_with(world: World, name: str, parameter: str, value: Any) -> Any:
    arguments = {key: value if key == parameter else world.argument(key, hint) for key, hint in hints(name).items()}
    return FUNCTIONS[name](**arguments)


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_wrong_argument_is_named_and_changes_nothing(name: str, parameter: str) -> None:
    world = World()
    before = world.snapshot()
    for bad in bad_values(hints(name)[parameter]):
        with pytest.raises(bad.error) as caught:
            call_with(world, name, parameter, bad.value)
        assert type(caught.value) is bad.error, f"{bad.value!r}"
        assert ADVICE.search(str(caught.value)), f"no advice for {bad.value!r}: {caught.value}"
        assert world.snapshot() == before, f"{bad.value!r}"
    assert world.reports() == 0


def test_every_call_is_under_test() -> None:
    assert len(FUNCTIONS) > 95
    assert {"dma_map_single", "dma_iova_link", "dma_pool_free", "pci_p2pdma_distance_many", "dma_buf_free_sgt"} <= set(FUNCTIONS)


WITH_DEVICE = [(name, parameter) for name in FUNCTIONS for parameter, hint in hints(name).items() if Device in alternatives(hint)]


@pytest.mark.parametrize(("name", "parameter"), [case for case in WITH_DEVICE if case[0] != "pci_dev_put"])
def test_a_removed_device_is_refused(name: str, parameter: str) -> None:
    world = World()
    before = world.snapshot()
    with pytest.raises(DeviceRemovedError, match="gone was removed: no call may name it any more"):
        call_with(world, name, parameter, [world.gone] if parameter == "clients" else world.gone)
    assert world.snapshot() == before


HUGE = [
    (name, parameter)
    for name in FUNCTIONS
    for parameter, hint in hints(name).items()
    if hint is int and parameter not in ("attrs", "boundary", "mask", "page_shift")
]


@pytest.mark.parametrize("value", [1 << 62, (1 << 64) - 1])
@pytest.mark.parametrize(("name", "parameter"), HUGE)
def test_a_huge_size_fails_in_order(name: str, parameter: str, value: int) -> None:
    """The kernel's error value, a report or an error; never a mapping, and never memory as large as asked for."""
    world = World()
    before = world.snapshot()
    try:
        result = call_with(world, name, parameter, value)
    except (ValueError, KernelBug, DmaDebugError):
        pass
    else:
        assert result is None or result is False or int(result) == (1 << 64) - 1 or int(result) <= 0
    assert world.snapshot() == before


TO_FIND = [
    (name, parameter)
    for name in FUNCTIONS
    for parameter, hint in hints(name).items()
    if any(kind in ADDRESSES for kind in alternatives(hint)) and re.search(r"unmap|free|sync_", name)
]


@pytest.mark.parametrize(("name", "parameter"), TO_FIND)
def test_an_address_that_nobody_mapped_is_reported(name: str, parameter: str) -> None:
    world = World()
    before = world.snapshot()
    with pytest.raises(DmaDebugError, match=r"0x7654\d*|is no managed allocation"):
        call_with(world, name, parameter, 0x7654_0000)
    assert world.snapshot() == before


def test_logged_only_it_is_refused_all_the_same() -> None:
    world = World()
    world.host.debug.mode = DebugMode.LOG
    before = world.snapshot()
    top = (1 << 64) - 4096
    assert dma_map_phys(world.device, top, 8192, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert dma_map_resource(world.device, top, 8192, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    assert dma_map_page(world.device, Page(PhysicalAddress(1 << 40)), 0, 64, DMA_TO_DEVICE) == DMA_MAPPING_ERROR
    identifiers = [report.error_class for report in world.host.debug.reports]
    assert identifiers == [DebugClass.ADDRESS_OVERFLOW, DebugClass.ADDRESS_OVERFLOW, DebugClass.MAP_INVALID_AREA]
    assert world.snapshot() == before


@pytest.mark.parametrize("number", [np.uint64, np.int64])
def test_numbers_of_numpy_are_numbers(number: Callable[[int], Any]) -> None:
    world = World()
    dma = dma_map_phys(world.device, PhysicalAddress(0x5000), number(4096), DMA_TO_DEVICE)
    assert dma_mapping_error(world.device, number(int(dma))) == 0
    assert type(world.device.mappings()[-1].size) is int
    dma_unmap_phys(world.device, number(int(dma)), number(4096), DMA_TO_DEVICE)
    assert DMA_BIT_MASK(number(32)) == 0xFFFF_FFFF
    dma_set_max_seg_size(world.device, number(8192))
    assert type(world.device.max_seg_size) is int


def test_values_of_no_use() -> None:
    bit_mask: Callable[..., int] = DMA_BIT_MASK
    with pytest.raises(TypeError, match="DMA_BIT_MASK: bits is str '32': give a plain whole number"):
        bit_mask("32")
    with pytest.raises(ValueError, match="give at most"):
        dma_set_max_seg_size(World().device, 1 << 32)


def test_keywords_are_checked_and_unknown_ones_left_to_the_call() -> None:
    world = World()
    set_mask: Callable[..., int] = dma_set_mask
    with pytest.raises(TypeError, match="dma_set_mask: mask is str '32'"):
        set_mask(world.device, mask="32")
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        set_mask(world.device, 32, width=3)
    with pytest.raises(TypeError, match="takes 2 positional arguments but 3"):
        set_mask(world.device, 32, 3)


HOST_CALLS: dict[str, Callable[[World, Any], object]] = {
    "kmalloc": lambda world, bad: world.host.kmalloc(bad),
    "alloc_page": lambda world, bad: world.host.alloc_page(bad),
    "vmalloc": lambda world, bad: world.host.vmalloc(bad),
    "kfree": lambda world, bad: world.host.kfree(bad),
    "free_page": lambda world, bad: world.host.free_page(bad),
    "device_read dev": lambda world, bad: device_read(bad, world.dma, 1),
    "device_read size": lambda world, bad: device_read(world.device, world.dma, bad),
    "device_write dev": lambda world, bad: device_write(bad, world.dma, b"x"),
    "transfer_in_flight dev": lambda world, bad: transfer_in_flight(bad, world.dma, 1).__enter__(),
    "transfer_in_flight size": lambda world, bad: transfer_in_flight(world.device, world.dma, bad).__enter__(),
}


@pytest.mark.parametrize("call", HOST_CALLS)
def test_nonsense_for_the_host_and_the_device_side(call: str) -> None:
    world = World()
    before = world.snapshot()
    for bad in ("x", None, 1.5, world.dma):
        with pytest.raises(TypeError, match="give a"):
            HOST_CALLS[call](world, bad)
    if not re.search("free|dev", call) or call.endswith("size"):
        with pytest.raises(ValueError, match="give an unsigned"):
            HOST_CALLS[call](world, -1)
    assert world.snapshot() == before
    assert world.device.in_flight == []


def test_vmalloc_of_more_than_there_is() -> None:
    world = World()
    before = world.snapshot()
    with pytest.raises(OutOfMemory, match="more than all of RAM"):
        world.host.vmalloc(1 << 50)
    assert world.snapshot() == before


CONSTRUCTORS: dict[str, Callable[[World, Any], object]] = {
    "Device: host": lambda world, bad: Device(bad, "new"),
    "Device: name": lambda world, bad: Device(world.host, bad),
    "Device: parent": lambda world, bad: Device(world.host, "new", parent=bad),
    "Device: dma_mask": lambda world, bad: Device(world.host, "new", dma_mask=bad),
    "Device: coherent_dma_mask": lambda world, bad: Device(world.host, "new", coherent_dma_mask=bad),
    "Device: bus_dma_limit": lambda world, bad: Device(world.host, "new", bus_dma_limit=bad),
    "Device: max_seg_size": lambda world, bad: Device(world.host, "new", max_seg_size=bad),
    "Device: seg_boundary_mask": lambda world, bad: Device(world.host, "new", seg_boundary_mask=bad),
    "Device: min_align_mask": lambda world, bad: Device(world.host, "new", min_align_mask=bad),
    "DmaIommu: host": lambda world, bad: DmaIommu(bad, world.domain),
    "DmaIommu: aperture_start": lambda world, bad: DmaIommu(world.host, world.domain, aperture_start=bad),
    "DmaIommu: cpus": lambda world, bad: DmaIommu(world.host, world.domain, cpus=bad),
    "Host: memory": lambda world, bad: Host(bad),
    "Host: address_map": lambda world, bad: Host(address_map=bad),
    "Host: debug": lambda world, bad: Host(debug=bad),
    "Host: faults": lambda world, bad: Host(faults=bad),
    "Host: cache_line": lambda world, bad: Host(cache_line=bad),
    "Host: dma_minalign": lambda world, bad: Host(dma_minalign=bad),
    "Host: kmalloc_minalign": lambda world, bad: Host(kmalloc_minalign=bad),
    "SgEntry: page": lambda world, bad: SgEntry(bad, 0, 1),
    "SgEntry: offset": lambda world, bad: SgEntry(world.host.alloc_page(), bad, 1),
    "SgEntry: length": lambda world, bad: SgEntry(world.host.alloc_page(), 0, bad),
}


@pytest.mark.parametrize("parameter", CONSTRUCTORS)
def test_nonsense_for_a_constructor(parameter: str) -> None:
    world = World()
    devices = list(world.host.devices)
    for bad in (1.5, world.dma, b"x"):
        with pytest.raises(TypeError, match=f"{parameter} is .*: give a"):
            CONSTRUCTORS[parameter](world, bad)
    if not re.search("host|name|parent|memory|address_map|debug|faults|page", parameter):
        for number in (-1, 1 << 64):
            with pytest.raises(ValueError, match=f"{parameter} is .*: give an unsigned"):
                CONSTRUCTORS[parameter](world, number)
    assert world.host.devices == devices


@pytest.mark.parametrize("parameter", ["Host: cache_line", "Host: dma_minalign", "Host: kmalloc_minalign"])
def test_alignments_are_powers_of_two(parameter: str) -> None:
    for size in (0, 48):
        with pytest.raises(ValueError, match=f"{parameter} is {size}: give a power of two"):
            CONSTRUCTORS[parameter](World(), size)


@pytest.mark.parametrize("parameter", ["DmaIommu: cpus", "SgEntry: length"])
def test_nothing_is_too_little(parameter: str) -> None:
    with pytest.raises(ValueError, match=f"{parameter} is 0: give a"):
        CONSTRUCTORS[parameter](World(), 0)
