"""Speed of the golden batch translator: batches of 64 k untranslated requests against one `np.take` pass per table level.

The yardstick gathers, level by level, the very page-table entries that the walk meets, from one flat array that holds nothing but
tables: the least a walk can do in numpy. Both are timed in turn in one process, CPU time, the best of several rounds. Requests
are random over 64 MiB of 4 KiB pages under Sv39; every answer is compared with the tables before anything is timed. Run as a
program it prints what it measured as one line of JSON.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sluicegate.driver.iommu_tables import DeviceDirectory, PageTable, TableWriter
from sluicegate.iommu.batch import BatchRequest, BatchTranslator
from sluicegate.iommu.capabilities import Capabilities, DirectoryMode, IommuConfiguration
from sluicegate.iommu.context import DeviceContext, FirstStageMode, ProcessContext
from sluicegate.memory import SparseMemory

REQUESTS = 1 << 16
PAGES = 1 << 14
IOVA_BASE = 0x10_0000_0000
ROUNDS = 25
CAPABILITIES = 56 << 32 | 1 << 28 | 1 << 9 | 0x10
PTE_FLAGS = 0xD6
DEVICES = (0x300, 0x400, 0x408, 0x500)


class _Pages:
    """Table pages one after the other."""

    def __init__(self) -> None:
        self.end = 0x8000_0000

    def alloc(self, size: int) -> int:
        self.end += size
        return self.end - size

    def free(self, phys: int) -> None:
        raise AssertionError(f"table {phys:#x} is freed, although nothing is unmapped")


class _Machine:
    """Page tables of some devices in one memory."""

    def __init__(self) -> None:
        self.memory = SparseMemory()
        self.pages = _Pages()
        writer = TableWriter(self.memory, self.pages, lambda: None)
        capabilities = Capabilities(CAPABILITIES)
        directory = DeviceDirectory(writer, capabilities, DirectoryMode.TWO_LEVEL)
        self.configuration = IommuConfiguration(capabilities, 2, directory.ddtp)
        random = np.random.default_rng(7)
        self.targets = 0x9000_0000 + (random.permutation(PAGES).astype(np.uint64) << np.uint64(12))
        self.roots = {}
        for device in DEVICES:
            table = PageTable(writer, 3, superpages=False)
            for index, target in enumerate(self.targets.tolist()):
                table.map(IOVA_BASE + 4096 * index, target, 4096, PTE_FLAGS)
            directory.set_context(device, DeviceContext(first_stage=ProcessContext(FirstStageMode.SV39, table.root, 1)))
            self.roots[device] = table.root
        self.iova = IOVA_BASE + random.integers(0, PAGES * 4096, REQUESTS).astype(np.uint64)
        self.write = random.integers(0, 2, REQUESTS).astype(np.bool_)

    def requests(self, devices: tuple[int, ...]) -> BatchRequest:
        """The same addresses, spread over some devices."""
        request = BatchRequest.uniform(devices[0], self.iova, self.write)
        request.device_id[:] = np.resize(np.array(devices, dtype=np.uint32), REQUESTS)
        return request

    def entry_indices(self, root: int) -> tuple[NDArray[np.uint64], list[NDArray[np.intp]]]:
        """All table words in one array, and for each level the index of every request's entry in it."""
        base = 0x8000_0000
        words = self.memory.view(base, self.pages.end - base).view("<u8")
        table = np.full(REQUESTS, root, dtype=np.uint64)
        levels = []
        for shift in (30, 21, 12):
            address = table + ((self.iova >> np.uint64(shift) & np.uint64(511)) << np.uint64(3))
            index = ((address - np.uint64(base)) >> np.uint64(3)).astype(np.intp)
            levels.append(index)
            table = (words[index] >> np.uint64(10)) << np.uint64(12)
        return words, levels


def measure() -> dict[str, float]:
    """CPU seconds of a batch and of its yardstick: tables known, many devices, tables forgotten before each batch."""
    machine = _Machine()
    words, levels = machine.entry_indices(machine.roots[DEVICES[0]])
    translator = BatchTranslator(machine.configuration, machine.memory)
    expected = machine.targets[(machine.iova - np.uint64(IOVA_BASE)) >> np.uint64(12)] | (machine.iova & np.uint64(0xFFF))
    one, many = machine.requests(DEVICES[:1]), machine.requests(DEVICES)
    for requests in (one, many, one):
        answer = translator.translate(requests)
        if answer.status.any() or not np.array_equal(answer.spa, expected):
            raise AssertionError("the translator found wrong addresses: run the unit tests of the IOMMU model")

    def take() -> None:
        for index in levels:
            np.take(words, index)

    def cold() -> None:
        translator.invalidate()
        translator.translate(one)

    yardstick, warm, mixed = _best(take, lambda: translator.translate(one), lambda: translator.translate(many))
    reference, fresh = _best(take, cold)
    return {
        "requests": REQUESTS,
        "devices": len(DEVICES),
        "yardstick_s": yardstick,
        "batch_s": warm,
        "batch_many_devices_s": mixed,
        "yardstick_of_forgotten_s": reference,
        "batch_forgotten_s": fresh,
    }


def _best(*actions: Callable[[], object]) -> list[float]:
    """Least CPU seconds of each action over rounds in which all take their turn."""
    best = [float("inf")] * len(actions)
    for _ in range(ROUNDS):
        for place, action in enumerate(actions):
            start = time.process_time()
            for _ in range(4):
                action()
            best[place] = min(best[place], (time.process_time() - start) / 4)
    return best


if __name__ == "__main__":
    print(json.dumps(measure()))
