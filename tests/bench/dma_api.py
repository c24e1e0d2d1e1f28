"""Cost of the golden DMA API in CPU time: ``python -m tests.bench.dma_api [--live N]`` prints one JSON object.

The domain costs nothing here, dma-debug is strict, and every map is tested for its error, as a driver does. Figures:
``empty_call_ns`` an empty method call; ``pair_ns`` map, test and unmap of 4 KiB through dma-iommu; ``sg_entry_ns`` map and
unmap of a list, per entry; ``distance_ns`` one P2P distance in a tree of 1,000 devices; ``mapping_bytes`` of a live mapping;
``pair_ns_few`` and ``pair_ns_many`` a pair among 1,000 and among ``--live`` live mappings.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import time
import tracemalloc
from collections.abc import Callable

from sluicegate.dma import (
    DMA_BIT_MASK,
    DMA_FROM_DEVICE,
    CpuBuffer,
    Device,
    DmaIommu,
    Host,
    IommuProt,
    Scatterlist,
    dma_map_sg,
    dma_map_single,
    dma_mapping_error,
    dma_set_mask_and_coherent,
    dma_unmap_sg,
    dma_unmap_single,
)
from sluicegate.p2pdma.api import pci_p2pdma_distance
from sluicegate.pci.topology import HostBridge, PciDevice, PciExpressType

PAGE = 4096
LIST_ENTRIES = 256
TREE_DEVICES = 1000


class FreeDomain:
    """A domain that translates nothing and costs nothing."""

    granule = PAGE
    aperture_end = DMA_BIT_MASK(48)

    def map(self, iova: int, phys: int, size: int, prot: IommuProt) -> None: ...

    def unmap(self, iova: int, size: int) -> int:
        return size

    def iova_to_phys(self, iova: int) -> int | None:
        return 0

    def sync_map(self, iova: int, size: int) -> None: ...

    def iotlb_sync(self, iova: int, size: int) -> None: ...

    def flush_iotlb_all(self) -> None: ...


class Bench:
    """One device behind dma-iommu and a page of memory."""

    def __init__(self) -> None:
        self.host = Host()
        self.device = Device(self.host, "bench", backend=DmaIommu(self.host, FreeDomain()))
        dma_set_mask_and_coherent(self.device, DMA_BIT_MASK(48))
        self.buffer: CpuBuffer = self.host.kmalloc(PAGE)

    def empty(self) -> None:
        """The unit of every ratio."""

    def map(self) -> int:
        dma = dma_map_single(self.device, self.buffer, PAGE, DMA_FROM_DEVICE)
        assert dma_mapping_error(self.device, dma) == 0
        return int(dma)

    def pair(self) -> None:
        dma_unmap_single(self.device, self.map(), PAGE, DMA_FROM_DEVICE)


def nanoseconds(call: Callable[[], object], count: int, repeats: int = 3) -> float:
    """CPU time of one call: the best of some runs of ``count``."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time_ns()
        for _ in range(count):
            call()
        best = min(best, (time.process_time_ns() - start) / count)
    return best


def sg_entry() -> float:
    bench = Bench()
    sgl = Scatterlist.from_buffers(bench.host.kmalloc(PAGE) for _ in range(LIST_ENTRIES))

    def round_trip() -> None:
        assert dma_map_sg(bench.device, sgl, LIST_ENTRIES, DMA_FROM_DEVICE)
        dma_unmap_sg(bench.device, sgl, LIST_ENTRIES, DMA_FROM_DEVICE)

    return nanoseconds(round_trip, 50) / LIST_ENTRIES


def distance() -> float:
    host, bridge, draw = Host(), HostBridge(), random.Random(1)
    ports = [bridge.add(PciDevice("root", PciExpressType.ROOT_PORT, devfn=8))]
    devices = []
    for number in range(1, TREE_DEVICES):
        kind = PciExpressType.DOWNSTREAM_PORT if number % 3 == 0 else PciExpressType.ENDPOINT
        node = draw.choice(ports).add(PciDevice(f"n{number}", kind, bus=number >> 8, devfn=number & 0xFF))
        if kind is PciExpressType.DOWNSTREAM_PORT:
            ports.append(node)
        devices.append(Device(host, node.name, pci=node))
    pairs = iter([(draw.choice(devices), draw.choice(devices)) for _ in range(3 * 3000)])
    return nanoseconds(lambda: pci_p2pdma_distance(*next(pairs)), 3000)


def mapping_bytes(count: int = 20_000) -> float:
    bench = Bench()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(count):
        bench.map()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / count


def pair_among(live: int) -> float:
    """A pair while ``live`` mappings stay; every pair gives the place of a random old mapping to a new one."""
    bench = Bench()
    mapped = [bench.map() for _ in range(live)]
    draw = random.Random(1)
    places = iter([draw.randrange(live) for _ in range(3 * 20_000)])

    def replace() -> None:
        place = next(places)
        dma_unmap_single(bench.device, mapped[place], PAGE, DMA_FROM_DEVICE)
        mapped[place] = bench.map()

    return nanoseconds(replace, 20_000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Cost of the golden DMA API.")
    parser.add_argument("--live", type=int, default=1_000_000, help="live mappings of the crowded case (default: 1000000)")
    live = parser.parse_args().live
    bench = Bench()
    figures = {
        "empty_call_ns": nanoseconds(bench.empty, 200_000),
        "pair_ns": nanoseconds(bench.pair, 20_000),
        "sg_entry_ns": sg_entry(),
        "distance_ns": distance(),
        "mapping_bytes": mapping_bytes(),
        "pair_ns_few": pair_among(1000),
        "pair_ns_many": pair_among(live),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
