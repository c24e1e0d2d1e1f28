"""Configuration space: what software reads, writes and finds."""

import pytest
from sluicegate.pci.capabilities import (
    ACS_CONTROL,
    DEVICE_CONTROL,
    MSI_X_CONTROL,
    acs_control,
    add_acs,
    add_ats,
    add_msi_x,
    add_pasid,
    add_pci_express,
    add_pri,
    max_payload,
    max_read_request,
)
from sluicegate.pci.config_space import (
    BAR0,
    BUS_NUMBERS,
    COMMAND,
    MEMORY_BASE,
    PREFETCHABLE_BASE,
    PREFETCHABLE_BASE_UPPER,
    PREFETCHABLE_LIMIT_UPPER,
    STATUS,
    BarDefinition,
    Capability,
    ConfigSpace,
    ExtendedCapability,
)
from sluicegate.pci.topology import AcsControl, PciExpressType


def endpoint() -> ConfigSpace:
    space = ConfigSpace(
        vendor=0x1234,
        device=0x5678,
        class_code=0x120000,
        bars={0: BarDefinition(0x10000), 2: BarDefinition(1 << 33, wide=True, prefetchable=True)},
    )
    add_pci_express(space, 0x40, PciExpressType.ENDPOINT, function_level_reset=True)
    add_msi_x(space, 0x80, 64, table_bar=0, table_offset=0x2000, pba_bar=0, pba_offset=0x3000)
    add_acs(space, 0x100, AcsControl.REQUEST_REDIRECT | AcsControl.EGRESS_CONTROL, egress_ports=2)
    add_ats(space, 0x120)
    add_pri(space, 0x130, 32)
    add_pasid(space, 0x150)
    return space


def bridge() -> ConfigSpace:
    space = ConfigSpace(vendor=0x1234, device=1, class_code=0x060400, bridge=True)
    add_pci_express(space, 0x40, PciExpressType.ROOT_PORT, port=3, read_completion_boundary_64=True)
    return space


def capability_chain(space: ConfigSpace) -> dict[int, int]:
    found = {}
    assert space.read(STATUS, 2) & 0x10
    pointer = space.read(0x34, 1)
    while pointer:
        found[space.read(pointer, 1)] = pointer
        pointer = space.read(pointer + 1, 1)
    return found


def extended_chain(space: ConfigSpace) -> dict[int, int]:
    found = {}
    pointer = 0x100
    while pointer:
        header = space.read(pointer, 4)
        found[header & 0xFFFF] = pointer
        pointer = header >> 20
    return found


def test_identity_and_capability_lists() -> None:
    space = endpoint()
    assert space.read(0, 4) == 0x56781234
    assert (space.read(0, 2), space.read(2, 2), space.read(0xB, 1)) == (0x1234, 0x5678, 0x12)
    assert capability_chain(space) == {Capability.PCI_EXPRESS: 0x40, Capability.MSI_X: 0x80}
    expected = {ExtendedCapability.ACS: 0x100, ExtendedCapability.ATS: 0x120, ExtendedCapability.PRI: 0x130}
    assert extended_chain(space) == expected | {ExtendedCapability.PASID: 0x150}
    assert bridge().read(0x0E, 1) == 1


def test_bar_sizing_and_hits() -> None:
    space = endpoint()
    for offset in (BAR0, BAR0 + 8, BAR0 + 12):
        space.write(offset, 0xFFFFFFFF, 4)
    assert space.read(BAR0, 4) == 0xFFFF0000
    assert space.read(BAR0 + 8, 4) | space.read(BAR0 + 12, 4) << 32 == (-(1 << 33) & (1 << 64) - 1) | 0xC
    space.write(BAR0, 0x40000000, 4)
    space.write(BAR0 + 8, 0, 4)
    space.write(BAR0 + 12, 0x40, 4)
    assert space.bar_hit(0x40000010) is None, "memory is not enabled"
    space.write(COMMAND, 6, 2)
    assert space.memory_enabled
    assert space.bus_master
    assert space.bar_hit(0x40000010) == (0, 0x10)
    assert space.bar_hit((0x40 << 32) + 0x1_2345_6789) == (2, 0x1_2345_6789)
    assert space.bar_hit(0x4000FFFF, 2) is None
    assert space.read(BAR0 + 4, 4) == 0, "no BAR there"


def test_writable_and_write_one_to_clear_bits() -> None:
    space = endpoint()
    space.write(0, 0, 4)
    assert space.read(0, 4) == 0x56781234
    space.set_status(STATUS, 2, 0xC000)
    space.write(STATUS, 0x4000, 2)
    assert space.read(STATUS, 2) == 0x8010
    express = space.capabilities[Capability.PCI_EXPRESS]
    space.write(express + DEVICE_CONTROL, 5 << 12 | 2 << 5, 2)
    assert (max_payload(space), max_read_request(space)) == (512, 4096)
    space.write(space.capabilities[Capability.MSI_X] + MSI_X_CONTROL, 0xFFFF, 2)
    assert space.read(space.capabilities[Capability.MSI_X] + MSI_X_CONTROL, 2) == 0xC03F
    acs = space.extended_capabilities[ExtendedCapability.ACS]
    space.write(acs + ACS_CONTROL, 0x7F, 2)
    assert acs_control(space) == AcsControl.REQUEST_REDIRECT | AcsControl.EGRESS_CONTROL
    assert acs_control(bridge()) is None


def test_bridge_windows() -> None:
    space = bridge()
    space.write(BUS_NUMBERS, 0x00030201, 4)
    assert space.bus_numbers == (1, 2, 3)
    assert not space.claims(0x40000000)
    space.write(COMMAND, 6, 2)
    space.write(MEMORY_BASE, 0x40104000, 4)
    space.write(PREFETCHABLE_BASE, 0x00000010, 4)
    assert space.claims(0x40000000, 0x200000)
    assert not space.claims(0x40000000, 0x200001)
    space.write(PREFETCHABLE_BASE, 0xFFF00000, 4)
    space.write(PREFETCHABLE_BASE_UPPER, 0x40, 4)
    space.write(PREFETCHABLE_LIMIT_UPPER, 0x40, 4)
    assert space.windows() == [(0x40000000, 0x401FFFFF), (0x40_0000_0000, 0x40_FFFF_FFFF)]


def test_writes_are_announced() -> None:
    seen: list[tuple[int, int]] = []
    space = endpoint()
    space.on_write = lambda offset, width: seen.append((offset, width))
    space.write(COMMAND, 6, 2)
    space.write(0x3C, 5, 1)
    assert seen == [(COMMAND, 2), (0x3C, 1)]


def test_bad_definitions_and_accesses() -> None:
    space = endpoint()
    for call, sentence in (
        (lambda: space.read(1, 2), "aligned"),
        (lambda: space.read(4096, 4), "aligned"),
        (lambda: space.read(0, 3), "1, 2 or 4"),
        (lambda: space.write(COMMAND, 0x10000, 2), "wider"),
        (lambda: add_msi_x(space, 0x84, 1, table_bar=0, table_offset=0, pba_bar=0, pba_offset=8), "overlaps"),
        (lambda: add_msi_x(space, 0x90, 4096, table_bar=0, table_offset=0, pba_bar=0, pba_offset=8), "1 to 2048"),
        (lambda: add_ats(space, 0x160, queue_depth=33), "1 to 32"),
        (lambda: add_acs(space, 0x170, AcsControl.NONE, 33), "0 to 32"),
        (lambda: space.add_capability(Capability.MSI, 0x20, 4), "between"),
        (lambda: add_acs(bridge(), 0x200, AcsControl.NONE), "first extended"),
        (lambda: BarDefinition(100), "power of two"),
        (lambda: ConfigSpace(vendor=0, device=0, class_code=0, bridge=True, bars={2: BarDefinition(4096)}), "does not fit"),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()
