"""Contexts and directories that change while caches hold what was found through the old ones: scenarios beside the directed list,
run on the model and on the RTL alike.

Until an invalidation names a context the old one and the new one are both right, but never half of each: a translation found in
one address space must not be kept under the PSCID or GSCID of the other, where the invalidation of its own would miss it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sluicegate.iommu import Cause, DirectoryMode, Request
from sluicegate.iommu.context import DeviceContext, FirstStageMode, ProcessContext, SecondStageMode, encode_device_context
from sluicegate.iommu.registers import Offset

from tests.unit.iommu.directed_list import (
    AV,
    FENCE,
    GV,
    INVALIDATE_DEVICE,
    INVALIDATE_GVMA,
    INVALIDATE_VMA,
    PSCV,
    Iommu,
    expect,
    expect_fault,
    fence,
)
from tests.unit.iommu.scenario import FULL, PAGE, Scenario, entry

FIRST, SECOND = 0x4000_0000, 0x4001_0000
"""Two pages of one last-level table, not neighbours of one line."""
OLD, NEW, LATER = 0x1_0000_0000, 0x2_0000_0000, 0x3_0000_0000
OTHER_DEVICES = range(2, 42)
"""More devices than any cache of contexts holds."""


def _change(iommu: Iommu, scenario: Scenario, context: DeviceContext) -> None:
    """Device 1 gets another context, without an invalidation; requests of other devices take the place of the old one."""
    words = encode_device_context(context, scenario.configuration.capabilities)
    for index, word in reversed(tuple(enumerate(words))):
        iommu.store(scenario.context_address(1) + 8 * index, word)
    for device_id in OTHER_DEVICES:
        expect(iommu, Request(device_id, FIRST), FIRST)


def _never_mixed(iommu: Iommu, old_leaf: int, invalidation: tuple[int, int]) -> None:
    """The old space maps ``SECOND`` elsewhere, and an invalidation names that space: its old page is gone."""
    iommu.translate(Request(1, SECOND))
    iommu.store(old_leaf, entry(LATER, PAGE))
    iommu.command(invalidation, (FENCE, 0))
    found = iommu.translate(Request(1, SECOND)).spa
    iommu.check("page after the invalidation of the old space", found in (LATER, NEW + SECOND - FIRST), True)


def another_process(iommu: Iommu) -> None:
    """The first stage of a device becomes that of another process, with its PSCID."""
    scenario = Scenario(FULL)
    for device_id in OTHER_DEVICES:
        scenario.set_context(device_id, DeviceContext())
    old, new = scenario.page(), scenario.page()
    leaf = [scenario.map(old, address, entry(OLD + address - FIRST, PAGE)) for address in (FIRST, SECOND)][1]
    for address in (FIRST, SECOND):
        scenario.map(new, address, entry(NEW + address - FIRST, PAGE))
    scenario.set_context(1, DeviceContext(first_stage=ProcessContext(FirstStageMode.SV39, old, 7)))
    iommu.begin(scenario)
    expect(iommu, Request(1, FIRST), OLD)
    _change(iommu, scenario, DeviceContext(first_stage=ProcessContext(FirstStageMode.SV39, new, 8)))
    _never_mixed(iommu, leaf, (INVALIDATE_VMA | AV | PSCV | 7 << 12, SECOND >> 12 << 10))


def another_guest(iommu: Iommu) -> None:
    """The second stage of a device becomes that of another guest, with its GSCID."""
    scenario = Scenario(FULL)
    for device_id in OTHER_DEVICES:
        scenario.set_context(device_id, DeviceContext())
    old, new = scenario.page(4), scenario.page(4)
    leaf = [scenario.map(old, address, entry(OLD + address - FIRST, PAGE), guest=True) for address in (FIRST, SECOND)][1]
    for address in (FIRST, SECOND):
        scenario.map(new, address, entry(NEW + address - FIRST, PAGE), guest=True)
    scenario.set_context(1, DeviceContext(second_stage=SecondStageMode.SV39X4, second_stage_root=old, gscid=9))
    iommu.begin(scenario)
    expect(iommu, Request(1, FIRST), OLD)
    _change(iommu, scenario, DeviceContext(second_stage=SecondStageMode.SV39X4, second_stage_root=new, gscid=10))
    _never_mixed(iommu, leaf, (INVALIDATE_GVMA | GV | AV | 9 << 44, SECOND >> 12 << 10))


def shallower_directory(iommu: Iommu) -> None:
    """Two levels, then one without any invalidation: a device ID that needs two is refused although all of it was cached."""
    scenario = Scenario(FULL, DirectoryMode.TWO_LEVEL)
    near, far = 1, 200
    for device_id in (near, far):
        root = scenario.first_stage(device_id)
        scenario.map(root, FIRST, entry(OLD + (device_id << 12), PAGE))
    iommu.begin(scenario)
    for device_id in (near, far):
        expect(iommu, Request(device_id, FIRST), OLD + (device_id << 12))
    leaves = scenario.context_address(near) & ~0xFFF
    for ddtp in (0, leaves >> 2 | DirectoryMode.ONE_LEVEL):
        iommu.write_register(Offset.DDTP, ddtp, 8)
    iommu.check("ddtp", iommu.read_register(Offset.DDTP, 8), leaves >> 2 | DirectoryMode.ONE_LEVEL)
    expect_fault(iommu, Request(far, FIRST), Cause.TRANSACTION_TYPE_DISALLOWED)
    expect(iommu, Request(near, FIRST), OLD + (near << 12))


def illegal_mode_with_page(iommu: Iommu) -> None:
    """``ddtp`` keeps its mode when an illegal one is written. Which page number it keeps is open, but it is one of the two, and
    the one that reads back is the directory that is in force."""
    for illegal in (5, 8, 15):
        scenario = Scenario(FULL)
        old = scenario.page()
        scenario.map(old, FIRST, entry(OLD, PAGE))
        scenario.set_context(1, DeviceContext(first_stage=ProcessContext(FirstStageMode.SV39, old, 7)))
        other = 0x5A_0000_0000
        new = scenario.page()
        scenario.map(new, FIRST, entry(NEW, PAGE))
        context = DeviceContext(first_stage=ProcessContext(FirstStageMode.SV39, new, 8))
        for index, word in enumerate(encode_device_context(context, scenario.configuration.capabilities)):
            scenario.memory.write_u64(scenario.context_address(1) - scenario.directory + other + 8 * index, word)
        iommu.begin(scenario)
        expect(iommu, Request(1, FIRST), OLD)
        iommu.write_register(Offset.DDTP, other >> 2 | illegal, 8)
        fence(iommu, (INVALIDATE_DEVICE, 0), (INVALIDATE_VMA, 0))
        ddtp = iommu.read_register(Offset.DDTP, 8)
        iommu.check(f"mode after {illegal}", ddtp & 0xF, int(DirectoryMode.ONE_LEVEL))
        iommu.check(f"page after {illegal}", ddtp >> 10 << 12 in (scenario.directory, other), True)
        expect(iommu, Request(1, FIRST), NEW if ddtp >> 10 << 12 == other else OLD)


CHANGED_CONTEXTS: Final[tuple[Callable[[Iommu], None], ...]] = (
    another_process,
    another_guest,
    shallower_directory,
    illegal_mode_with_page,
)
"""All of them."""
