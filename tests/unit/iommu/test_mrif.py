"""Writes of devices into memory-resident interrupt files: pending bits, notices, faults."""

from __future__ import annotations

import pytest
from sluicegate.iommu import Cause, Request, Response, Status
from sluicegate.iommu.device import IommuDevice
from sluicegate.iommu.registers import Offset, RecordQueueCsr

from tests.unit.iommu.scenario import FULL_MSI, Scenario, V, entry

FILE, NOTICE, NOTICE_IDENTITY = 0x6000_0200, 0x2800_0000, 0x4D2
MSI_PAGE = 0x30_0000


class MrifMachine:
    def __init__(self, big_endian: bool = False, quiet: bool = False) -> None:
        self.scenario = Scenario(FULL_MSI, fctl=int(big_endian))
        self.memory = self.scenario.memory
        msi_root = self.scenario.page()
        self.scenario.second_stage(
            msi_enabled=True,
            msi_root=msi_root,
            msi_address_pattern=MSI_PAGE >> 12,
            disable_fault_reporting=quiet,
            first_stage_big_endian=big_endian,
        )
        words = (
            FILE >> 9 << 7 | 1 << 1 | V,
            entry(NOTICE, 0) | NOTICE_IDENTITY & 0x3FF | (NOTICE_IDENTITY >> 10) << 60,
        )
        for index, word in enumerate(words):
            self.memory.write_u64(msi_root + 8 * index, word)
        if big_endian:
            for page in self.memory.pages:
                for address in range(page, page + 4096, 8):
                    word = self.memory.read_u64(address)
                    self.memory.write_u64(address, int.from_bytes(word.to_bytes(8, "little"), "big"))
        self.device = IommuDevice(self.scenario.configuration.capabilities, self.memory)
        self.device.write_register(Offset.FCTL, int(big_endian), 4)
        self.device.write_register(Offset.DDTP, self.scenario.configuration.ddtp, 8)
        self.queue = self.scenario.page()
        self.device.write_register(Offset.FQB, self.queue >> 2 | 3, 8)
        self.device.write_register(Offset.FQCSR, RecordQueueCsr.QEN, 4)

    def store(self, offset: int, data: bytes) -> Status:
        request = Request(1, MSI_PAGE + offset, write=True)
        return self.device.write_through_mrif(request, self.device.translate(request), data)

    def dword(self, address: int) -> int:
        return self.memory.read_u64(address)


@pytest.mark.parametrize("identity", [1, 63, 64, 100, 2047])
def test_identity_sets_its_pending_bit_and_notifies_when_enabled(identity: int) -> None:
    machine = MrifMachine()
    pending, bit = FILE + 16 * (identity // 64), 1 << identity % 64
    assert machine.store(0, identity.to_bytes(4, "little")) is Status.OK
    assert machine.dword(pending) == bit
    assert machine.dword(NOTICE) == 0, "not enabled: no notice"
    machine.memory.write_u64(pending + 8, bit)
    assert machine.store(0, identity.to_bytes(4, "little")) is Status.OK
    assert machine.dword(pending) == bit
    assert machine.dword(NOTICE) == NOTICE_IDENTITY


@pytest.mark.parametrize(
    ("offset", "data"),
    [
        (0, (0).to_bytes(4, "little")),
        (0, (2048).to_bytes(4, "little")),
        (4, (5).to_bytes(4, "little")),
        (8, (5).to_bytes(4, "little")),
        (0, (5).to_bytes(8, "little")),
        (0, (5).to_bytes(2, "little")),
    ],
)
def test_anything_but_a_valid_msi_is_dropped(offset: int, data: bytes) -> None:
    machine = MrifMachine()
    for address in range(FILE, FILE + 512, 8):
        machine.memory.write_u64(address, (1 << 64) - 1 if address & 8 else 0)
    assert machine.store(offset, data) is Status.OK
    assert all(machine.dword(address) == 0 for address in range(FILE, FILE + 512, 16))
    assert machine.dword(NOTICE) == 0


def test_big_endian_file() -> None:
    machine = MrifMachine(big_endian=True)
    machine.memory.write(FILE + 16 + 8, (1 << 3).to_bytes(8, "big"))
    assert machine.store(4, (67).to_bytes(4, "big")) is Status.OK
    assert machine.memory.read(FILE + 16, 8) == (1 << 3).to_bytes(8, "big")
    assert machine.memory.read(NOTICE, 4) == NOTICE_IDENTITY.to_bytes(4, "big")


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize(("spoil", "cause"), [("access_fault", Cause.MRIF_ACCESS_FAULT), ("poison", Cause.MRIF_DATA_CORRUPTION)])
def test_memory_errors_of_the_file(spoil: str, cause: Cause, quiet: bool) -> None:
    machine = MrifMachine(quiet=quiet)
    getattr(machine.memory, spoil).add(FILE)
    assert machine.store(0, (5).to_bytes(4, "little")) is Status.UNSUPPORTED_REQUEST
    assert machine.device.read_register(Offset.FQT, 4) == (0 if quiet else 1)
    if not quiet:
        assert machine.dword(machine.queue) & 0xFFF == cause


def test_an_ordinary_translation_is_no_file() -> None:
    machine = MrifMachine()
    with pytest.raises(ValueError, match="no memory-resident"):
        machine.device.write_through_mrif(Request(1, 0, write=True), Response(Status.OK, 0), bytes(4))
