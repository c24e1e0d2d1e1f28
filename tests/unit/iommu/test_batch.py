"""The batch translator against the reference, request by request, on random tables and on the recorded cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sluicegate.conformance.iommu_parse import read_translation_cases
from sluicegate.iommu import AddressType, DirectoryMode, Request, Response, translate
from sluicegate.iommu.batch import BatchRequest, BatchResponse, BatchTranslator, translate_batch
from sluicegate.iommu.context import DeviceContext, FirstStageMode, ProcessContext, SecondStageMode

from tests.unit.iommu.scenario import FULL, FULL_MSI, PAGE, A, D, N, R, Scenario, U, V, W, X, entry

VECTORS = Path(__file__).parents[2] / "conformance" / "data" / "iommu"


def batch_of(requests: list[Request]) -> BatchRequest:
    def column(name: str, dtype: type) -> np.ndarray:
        return np.array([getattr(request, name) for request in requests], dtype=dtype)

    return BatchRequest(
        column("device_id", np.uint32),
        column("process_id", np.uint32),
        column("pasid_valid", np.bool_),
        column("priv", np.bool_),
        column("exec", np.bool_),
        column("write", np.bool_),
        column("iova", np.uint64),
    )


def row(response: BatchResponse, index: int) -> tuple[int, int, int, int]:
    return (
        int(response.status[index]),
        int(response.spa[index]),
        int(response.page_shift[index]),
        int(response.cause[index]),
    )


def expected_row(answer: Response) -> tuple[int, int, int, int]:
    if answer.spa is None:
        return int(answer.status), 0, 0, int(answer.cause or 0)
    return int(answer.status), answer.spa, answer.page_shift, 0


def random_flags(random: np.random.Generator) -> int:
    if random.random() < 0.6:
        return PAGE | X
    return int(random.integers(0, 256)) | V


def fill(scenario: Scenario, root: int, addresses: list[int], random: np.random.Generator, levels: int, guest: bool) -> None:
    """Map addresses with random page sizes, flags and faults."""
    for address in addresses:
        level = int(random.choice([0, 0, 0, 0, 1, 2], p=[0.3, 0.2, 0.2, 0.1, 0.15, 0.05]))
        size = 12 + 9 * level
        target = int(random.integers(0, 1 << 20)) << 21 >> size << size
        if random.random() < 0.1:
            target |= 0x1000
        flags = random_flags(random)
        if level == 0 and random.random() < 0.2:
            target, flags = (target & ~0xFFFF) | 0x8000 | (0x1000 if random.random() < 0.2 else 0), flags | N
        if random.random() < 0.05:
            flags |= int(random.choice([1 << 54, 1 << 60, 1 << 61, 2 << 61, 3 << 61]))
        try:
            scenario.map(root, address, entry(target, flags), level=level, levels=levels, guest=guest)
        except AssertionError:
            continue


@pytest.mark.parametrize("seed", range(12))
def test_equals_the_reference_on_random_tables(seed: int) -> None:
    random = np.random.default_rng(seed)
    scenario = Scenario(FULL_MSI if seed % 3 == 2 else FULL, DirectoryMode.TWO_LEVEL)
    modes = [FirstStageMode.SV39, FirstStageMode.SV48, FirstStageMode.SV57]
    spots = [int(spot) << 12 for spot in random.integers(0, 1 << 26, 12)]
    addresses = [spot + int(offset) * 4096 for spot in spots for offset in random.integers(0, 2048, 6)]
    for device_id in (1, 2):
        mode = modes[int(random.integers(3))]
        root = scenario.first_stage(device_id, mode, update_first_stage_ad=bool(random.random() < 0.3))
        fill(scenario, root, addresses, random, mode.levels, guest=False)
    guest = scenario.second_stage(3)
    fill(scenario, guest, addresses, random, 3, guest=True)
    nested_first, nested_guest = scenario.page(), scenario.page(4)
    scenario.set_context(
        4,
        DeviceContext(
            second_stage=SecondStageMode.SV39X4,
            second_stage_root=nested_guest,
            first_stage=ProcessContext(FirstStageMode.SV39, nested_first, 3),
            msi_enabled=scenario.configuration.capabilities.msi_flat,
            msi_root=scenario.page(),
            msi_address_mask=0xFF,
            msi_address_pattern=0x40000,
        ),
    )
    before = scenario.page()
    fill(scenario, nested_first, addresses, random, 3, guest=False)
    scenario.identity(nested_guest, nested_first, scenario.page() + 0x8_0000)
    scenario.map(nested_guest, 0x8000_0000, entry(0x1_0000_0000, PAGE | X), level=2, guest=True)
    scenario.map(nested_guest, 0x1_4000_0000, entry(0x2_0000_0000, PAGE), level=2, guest=True)
    directory = scenario.process_directory(5, default_process=True)
    for process_id in range(4):
        root = scenario.page()
        fill(scenario, root, addresses, random, 3, guest=False)
        scenario.set_process(
            directory,
            process_id,
            ProcessContext(FirstStageMode.SV39, root, process_id, bool(process_id & 1), bool(process_id & 2)),
        )
    scenario.set_context(6, DeviceContext())
    scenario.memory.access_fault.add(before - 4096 + 8 * int(random.integers(512)))
    requests = []
    for _ in range(600):
        iova = addresses[int(random.integers(len(addresses)))] + int(random.integers(-4096, 8192))
        choice = random.random()
        if choice < 0.05:
            iova = int(random.integers(0, 1 << 63)) << 1
        elif choice < 0.1:
            iova |= 0xFFFF_FF80_0000_0000
        process = bool(random.random() < 0.4)
        requests.append(
            Request(
                int(random.choice([1, 2, 3, 4, 5, 5, 6, 7, 0x123456])),
                max(iova, 0),
                write=bool(random.random() < 0.4),
                process_id=int(random.integers(5)) if process else 0,
                pasid_valid=process,
                priv=process and bool(random.random() < 0.4),
                exec=bool(random.random() < 0.2),
            )
        )
    answers = translate_batch(batch_of(requests), scenario.configuration, scenario.memory)
    compared = 0
    for index, request in enumerate(requests):
        answer = translate(request, scenario.configuration, scenario.memory)
        if not answer.trace.updates:
            assert row(answers, index) == expected_row(answer), request
            compared += 1
    assert compared > 500
    assert (answers.status == 0).sum() > 60, "the tables must translate something"
    assert np.unique(answers.cause).size >= 6


@pytest.mark.parametrize("file", sorted(VECTORS.glob("xlate_*")), ids=lambda file: file.name.split(".")[0])
def test_equals_the_recorded_answers(file: Path) -> None:
    compared = 0
    for case in read_translation_cases(file):
        tests = [test for test in case.tests if test.request.address_type is AddressType.UNTRANSLATED and not test.updates]
        if not tests:
            continue
        answers = translate_batch(batch_of([test.request for test in tests]), case.configuration, case.image.build())
        for index, test in enumerate(tests):
            assert int(answers.status[index]) == test.expected.status
            if test.expected.fault is not None:
                assert int(answers.cause[index]) == test.expected.fault.cause
            if test.expected.spa is not None:
                assert int(answers.spa[index]) == test.expected.spa
            compared += 1
    assert compared > 50


def test_tables_are_kept_until_invalidated() -> None:
    scenario = Scenario()
    root = scenario.first_stage()
    position = scenario.map(root, 0x4000_0000, entry(0x8000_0000, PAGE))
    translator = BatchTranslator(scenario.configuration, scenario.memory)
    requests = BatchRequest.uniform(1, np.array([0x4000_0000, 0x4000_1000, 0x4000_0FFF], dtype=np.uint64))
    first = translator.translate(requests)
    assert first.spa.tolist() == [0x8000_0000, 0, 0x8000_0FFF]
    assert first.status.tolist() == [0, 1, 0]
    scenario.memory.write_u64(position, entry(0x9000_0000, PAGE))
    assert translator.translate(requests).spa.tolist() == first.spa.tolist()
    translator.invalidate()
    assert translator.translate(requests).spa.tolist() == [0x9000_0000, 0, 0x9000_0FFF]


def test_later_batches_reach_tables_that_the_first_did_not() -> None:
    scenario = Scenario()
    root = scenario.first_stage()
    rng = np.random.default_rng(5)
    mapped = np.unique(rng.integers(0, 1 << 26, 300).astype(np.uint64)) << np.uint64(12)
    for address in mapped.tolist():
        scenario.map(root, address, entry(address ^ 0x5000_0000, PAGE))
    translator = BatchTranslator(scenario.configuration, scenario.memory)
    for part in np.array_split(mapped, 7):
        for iova in (part, part + np.uint64(4096), part):
            answers = translator.translate(BatchRequest.uniform(1, iova, write=True))
            for index, address in enumerate(iova.tolist()):
                assert row(answers, index) == expected_row(scenario.write(address))


def test_hardware_update_goes_through_the_reference_and_is_seen_by_the_next_batch() -> None:
    scenario = Scenario()
    root = scenario.first_stage(update_first_stage_ad=True)
    position = scenario.map(root, 0x4000_0000, entry(0x8000_0000, V | R | W | U))
    translator = BatchTranslator(scenario.configuration, scenario.memory)
    requests = BatchRequest.uniform(1, np.array([0x4000_0123], dtype=np.uint64), write=True)
    for _ in range(2):
        assert translator.translate(requests).spa.tolist() == [0x8000_0123]
        assert scenario.memory.read_u64(position) == entry(0x8000_0000, V | R | W | U | A | D)


def test_accessed_bit_set_for_one_device_is_seen_by_another() -> None:
    scenario = Scenario()
    root = scenario.first_stage(1)
    scenario.set_context(2, DeviceContext(update_first_stage_ad=True, first_stage=ProcessContext(FirstStageMode.SV39, root, 8)))
    scenario.map(root, 0x4000_0000, entry(0x8000_0000, V | R | U))
    translator = BatchTranslator(scenario.configuration, scenario.memory)
    iova = np.array([0x4000_0000], dtype=np.uint64)
    for device_id, status in ((1, 1), (2, 0), (1, 0)):
        assert translator.translate(BatchRequest.uniform(device_id, iova)).status.tolist() == [status]


def test_update_of_an_entry_reaches_known_addresses_of_one_device() -> None:
    scenario = Scenario()
    root = scenario.first_stage()
    iova = np.arange(0x4000_0000, 0x4000_8000, 4096, dtype=np.uint64)
    positions = [scenario.map(root, address, entry(address + 0x1000_0000, PAGE)) for address in iova.tolist()]
    translator = BatchTranslator(scenario.configuration, scenario.memory)
    for step, position in enumerate(positions):
        for _ in range(3):
            answers = translator.translate(BatchRequest.uniform(1, iova, write=True))
            assert answers.status.tolist() == [1] * step + [0] * (len(positions) - step)
        scenario.memory.write_u64(position, 0)
        translator.update(position)


def test_empty_batch_and_modes_without_directory() -> None:
    iova = np.array([0x1234_5678], dtype=np.uint64)
    for mode, status, spa in ((DirectoryMode.OFF, 1, 0), (DirectoryMode.BARE, 0, 0x1234_5678)):
        scenario = Scenario(mode=mode)
        answers = translate_batch(BatchRequest.uniform(1, iova), scenario.configuration, scenario.memory)
        assert (answers.status.tolist(), answers.spa.tolist()) == ([status], [spa])
        assert len(translate_batch(BatchRequest.uniform(1, iova[:0]), scenario.configuration, scenario.memory).spa) == 0


def test_updates_of_single_entries_equal_a_fresh_translation() -> None:
    random = np.random.default_rng(9)
    scenario = Scenario(FULL, DirectoryMode.TWO_LEVEL)
    flat = scenario.first_stage(1)
    guest_root, nested = scenario.page(4), scenario.page()
    scenario.set_context(
        2,
        DeviceContext(
            second_stage=SecondStageMode.SV39X4,
            second_stage_root=guest_root,
            first_stage=ProcessContext(FirstStageMode.SV39, nested, 3),
        ),
    )
    addresses = [int(page) << 12 for page in random.integers(0, 4096, 60)]
    positions = [scenario.map(flat, address, entry(address + 0x8000_0000, PAGE)) for address in addresses]
    positions += [scenario.map(nested, address, entry(0x10_0000 + address, PAGE)) for address in addresses]
    scenario.identity(guest_root, nested, scenario.page() + 0x4_0000)
    for address in addresses:
        positions.append(scenario.map(guest_root, 0x10_0000 + address, entry(0x9000_0000 + address, PAGE), guest=True))
    upper = [flat + 8 * (addresses[0] >> 30 & 511), nested, guest_root, scenario.context_address(1) + 16]
    translator = BatchTranslator(scenario.configuration, scenario.memory)
    requests = batch_of([Request(device, address, write=True) for address in addresses for device in (1, 2)])
    translator.translate(requests)

    def change(address: int, bits: int) -> int:
        """Flip bits in memory, tell the translator, compare it with a fresh one; returns the number of translated requests."""
        scenario.memory.write_u64(address, scenario.memory.read_u64(address) ^ bits)
        translator.update(address)
        got = translator.translate(requests)
        fresh = translate_batch(requests, scenario.configuration, scenario.memory)
        for name in ("status", "spa", "page_shift", "cause"):
            assert np.array_equal(getattr(got, name), getattr(fresh, name)), name
        return int((fresh.status == 0).sum())

    for step in range(60):
        bits = int(random.choice([1 << 12, V, W, D, 1 << 20]))
        changed = int(random.choice(upper if step % 17 == 16 else positions))
        change(changed, bits)
        if step % 3 or changed in upper:
            assert change(changed, bits) > 20
