"""The root complex between a source of upstream TLPs, host memory and the CPU: routing, translation, order, faults, fences."""

from __future__ import annotations

from dataclasses import replace

import cocotb
import cocotb.task
import numpy as np
from sluicegate.dma.backends.domain import IommuProt
from sluicegate.dma.pages import PageAllocator
from sluicegate.driver.config_access import ConfigAccess
from sluicegate.driver.iommu import IommuDriver
from sluicegate.driver.iommu_domain import PageTableDomain
from sluicegate.iommu.capabilities import Capabilities
from sluicegate.pci.config_space import (
    BUS_NUMBERS,
    COMMAND,
    COMMAND_BUS_MASTER,
    COMMAND_MEMORY,
    MEMORY_BASE,
    PREFETCHABLE_BASE,
    PREFETCHABLE_BASE_UPPER,
    PREFETCHABLE_LIMIT_UPPER,
)
from sluicegate.platform import ADDRESS_MAP, Bdf, Region

from tb.agents.tlp_link.item import TlpBatch
from tb.bridge.native import WakeKind
from tb.bridge.platform import SimulationPlatform
from tb.bridge.tops import ROOT_COMPLEX
from tb.checkers.grants import GrantChecker
from tb.checkers.isolation import IsolationChecker
from tb.env.base_test import BaseTest, run_test
from tb.scoreboards.fabric import BridgePort, DownstreamPort, FabricConfiguration
from tb.scoreboards.link_flow import ROOT_COMPLEX as ROOT_COMPLEX_BLOCK
from tb.scoreboards.link_flow import LinkFlowScoreboard
from tests.block.root_complex.traffic import UpstreamTraffic

ROOT_PORT = Bdf(0, 1)
SECONDARY, SUBORDINATE = 1, 4
WINDOW32 = Region(ADDRESS_MAP.mmio32.base, 2 << 20)
WINDOW64 = Region(ADDRESS_MAP.mmio64.base, 4 << 20)
ATTACHED = (0x0300, 0x0400)
STRANGER = 0x0208
IOVA_BASE = 0x1_0000_0000
IOVA_LOW = 0x1000_0000
SCRATCH_IOVA = 0x2_0000_0000
PAGE = 4096
BATCH = 512
QUIET_CYCLES = 4000


class TrafficTest(BaseTest):
    """Batches of random TLPs while the driver maps, unmaps and fences other pages of the same domain."""

    top = ROOT_COMPLEX

    def prepare(self) -> None:
        self.random = np.random.default_rng(self.settings.seed)
        self.platform = SimulationPlatform(self.environment.simulation)
        self.faults = 0
        windows = (WINDOW32, WINDOW64)
        port = BridgePort(SECONDARY, SUBORDINATE, windows)
        unused = DownstreamPort(0, 0)
        self.fabric = FabricConfiguration(port, port, (unused, unused))
        self.flow = LinkFlowScoreboard(self.fabric, frozenset({ROOT_COMPLEX_BLOCK}))
        for agent in self.environment.agents.values():
            agent.set_stalls(int(self.random.choice([0, 0, 8000, 30000])))

    async def stimulate(self) -> None:
        simulation = self.environment.simulation
        await cocotb.task.bridge(self._set_up)()
        await simulation.cycles(64)
        simulation.drain()
        self.environment.add_scoreboard(self.flow)
        self.environment.add_scoreboard(IsolationChecker())
        self.traffic = UpstreamTraffic(self.random, self.pages, (*ATTACHED, *ATTACHED, STRANGER))
        batches = int(self.settings.parameters.get("batches", 8))
        for number in range(1, batches + 1):
            await self._send(number)
        await simulation.cycles(QUIET_CYCLES)
        simulation.drain()
        await cocotb.task.bridge(self._check_faults)()
        self._check_statistics()
        await cocotb.task.bridge(self._disable_bus_master)()
        await self._send(batches + 1)
        await simulation.cycles(QUIET_CYCLES)

    async def _send(self, number: int) -> None:
        """The ``number``-th batch, while the driver is at work."""
        sequencer = self.environment.agents["switch_up"].sequencer
        item = TlpBatch("upstream", self.traffic.tlps(BATCH))
        await sequencer.start_item(item)
        await sequencer.finish_item(item)
        await cocotb.task.bridge(self._churn)()
        await self.environment.simulation.expect("the batch at the root port", WakeKind.LINK_TLPS, number * BATCH, argument=4)

    def _disable_bus_master(self) -> None:
        """Whatever the tables say, nothing of a device goes through the root port from here on."""
        ConfigAccess(self.platform, ROOT_PORT).write(COMMAND, COMMAND_MEMORY, 2)
        self.environment.simulation.drain()
        self.environment.suite.flush()
        self.flow.configure(replace(self.fabric, root_port=replace(self.fabric.root_port, bus_master=False)))

    def _set_up(self) -> None:
        """Root port, IOMMU, and a domain over RAM and both windows."""
        port = ConfigAccess(self.platform, ROOT_PORT)
        port.write(BUS_NUMBERS, SUBORDINATE << 16 | SECONDARY << 8, 4)
        port.write(MEMORY_BASE, WINDOW32.base >> 16 | (WINDOW32.end - 1 >> 16 & 0xFFF0) << 16, 4)
        port.write(PREFETCHABLE_BASE, WINDOW64.base >> 16 & 0xFFF0 | (WINDOW64.end - 1 >> 16 & 0xFFF0) << 16, 4)
        port.write(PREFETCHABLE_BASE_UPPER, WINDOW64.base >> 32, 4)
        port.write(PREFETCHABLE_LIMIT_UPPER, WINDOW64.end - 1 >> 32, 4)
        port.write(COMMAND, COMMAND_MEMORY | COMMAND_BUS_MASTER, 2)
        allocator = PageAllocator(self.platform.address_map.ram)
        capabilities = Capabilities(self.platform.mmio_read(self.platform.address_map.iommu_registers.base, 8))
        # It rebuilds the tables from the log, so that it has to see them written.
        self.environment.add_scoreboard(GrantChecker(capabilities))
        self.driver = IommuDriver(self.platform, allocator)
        self.driver.enable()
        self.domain = PageTableDomain(self.driver)
        targets = [int(allocator.alloc(PAGE)) for _ in range(24)]
        targets += [int(allocator.alloc(PAGE, limit=(1 << 32) - 1)) for _ in range(8)]
        assert {target >> 32 != 0 for target in targets} == {True, False}, "RAM below and above 4 GiB"
        targets += [WINDOW32.base, WINDOW32.end - PAGE, WINDOW64.base, WINDOW64.end - PAGE]
        # Nothing lives there: reads end with UR of the root complex.
        targets.append(WINDOW64.end)
        self.pages = []
        for place, target in enumerate(targets):
            iova = (IOVA_BASE if place % 2 else IOVA_LOW) + 3 * place * PAGE
            readonly = place % 5 == 4
            self.domain.map(iova, target, PAGE, IommuProt.READ if readonly else IommuProt.READ | IommuProt.WRITE)
            self.domain.sync_map(iova, PAGE)
            self.pages.append(iova)
        self.pages += [IOVA_LOW + PAGE, IOVA_BASE + 2 * PAGE]
        self.scratch = int(allocator.alloc(PAGE))
        for device in ATTACHED:
            self.domain.attach(device)

    def _churn(self) -> None:
        """Map and unmap: each unmap fences reads and writes while traffic runs."""
        for _ in range(4):
            self.domain.map(SCRATCH_IOVA, self.scratch, PAGE, IommuProt.READ | IommuProt.WRITE)
            self.domain.sync_map(SCRATCH_IOVA, PAGE)
            self.domain.unmap(SCRATCH_IOVA, PAGE)
            self.domain.iotlb_sync(SCRATCH_IOVA, PAGE)
            self.faults += len(self.driver.drain_faults().records)

    def _check_faults(self) -> None:
        self.faults += len(self.driver.drain_faults().records)
        assert self.faults > 0, "the traffic provoked no fault: it did not test refusals"

    @staticmethod
    def _check_statistics() -> None:
        """Every kind of refusal must have happened, and no read may count as lost."""

        def count(name: str) -> int:
            return int(getattr(cocotb.top, f"stat_{name}").value)

        for name in ("posted_dropped", "nonposted_refused", "upstream_posted_refused", "message", "l1_hit", "miss"):
            assert count(name) > 0, f"stat_{name} stayed 0: the traffic does not reach this case"
        assert count("read_lost") == 0, "the fence gave reads up although memory answers every one"


@cocotb.test()
async def traffic(_: object) -> None:
    """Every TLP leaves where and as it must, or is refused as it must."""
    await run_test(TrafficTest)
