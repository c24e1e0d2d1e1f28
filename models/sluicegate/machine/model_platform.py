"""A ``Platform`` on register-level models: IOMMU, switch and endpoints without a simulator.

Everything happens at once: when a doorbell write returns, the transfers are done. Time counts accesses, so that timeouts end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sluicegate.endpoint.device import EndpointDevice
from sluicegate.endpoint.engine import BusError
from sluicegate.iommu.capabilities import Capabilities
from sluicegate.iommu.device import IommuDevice
from sluicegate.iommu.request import Request, Status
from sluicegate.machine.hierarchy import Hierarchy
from sluicegate.memory import MemoryAccessError, MemoryPoisonError, SparseMemory
from sluicegate.pci.splitting import memory_read, memory_write
from sluicegate.platform import ADDRESS_MAP, WIRED_INTERRUPT_BASE, AddressMap, Bdf, Region
from sluicegate.registers.completion import StatusCode
from sluicegate.switch.routing import UPSTREAM_PORT, Disposition, route

DEFAULT_CAPABILITIES: Final = Capabilities(0x1F8_200E_8E10)
"""Sv39 to Sv57, both stages, Svpbmt, process directories, wired and message interrupts, 56-bit addresses."""
_POLL: Final = 64


class MachineMemory(SparseMemory):
    """Host memory: RAM where the address map has it; a write to the IMSIC page is an interrupt, everything else is refused."""

    def __init__(self, address_map: AddressMap, interrupt: Callable[[int], None]) -> None:
        super().__init__()
        self._map = address_map
        self._interrupt = interrupt

    def _require_ram(self, address: int, length: int, write: bool) -> None:
        if not any(region.contains(address, length) for region in self._map.ram):
            raise MemoryAccessError(address, write)

    def view(self, address: int, length: int) -> NDArray[np.uint8]:
        self._require_ram(int(address), length, False)
        return super().view(address, length)

    def read_u64(self, address: int) -> int:
        self._require_ram(int(address), 8, False)
        return super().read_u64(address)

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        if self._map.imsic.contains(int(address)):
            self._interrupt(int.from_bytes(bytes(data)[:4], "little"))
            return
        self._require_ram(int(address), len(data), True)
        super().write(address, data)


class _EndpointLink:
    """The link of one endpoint: its requests into the machine."""

    def __init__(self, platform: ModelPlatform, port: int) -> None:
        self._platform = platform
        self._port = port

    def dma_read(self, requester: int, address: int, length: int) -> bytes:
        return self._platform.device_read(self._port, requester, address, length)

    def dma_write(self, requester: int, address: int, data: bytes) -> None:
        self._platform.device_write(self._port, requester, address, data)


class ModelPlatform:
    """The machine of DESIGN section 1 with ``endpoints`` endpoints, after reset."""

    def __init__(
        self, capabilities: Capabilities = DEFAULT_CAPABILITIES, address_map: AddressMap = ADDRESS_MAP, endpoints: int = 2
    ) -> None:
        self._map = address_map
        self._time = 0
        self._pending: Counter[int] = Counter()
        self._wires = 0
        self._broken: list[tuple[Region, StatusCode]] = []
        self._memory = MachineMemory(address_map, self._raise_interrupt)
        self.iommu: Final = IommuDevice(capabilities, self._memory, set_wire=self._set_wire)
        self.endpoints: Final = [EndpointDevice(_EndpointLink(self, port + 1)) for port in range(endpoints)]
        self.hierarchy: Final = Hierarchy(self.endpoints)

    # Platform

    @property
    def memory(self) -> MachineMemory:
        return self._memory

    @property
    def address_map(self) -> AddressMap:
        return self._map

    @property
    def time(self) -> int:
        return self._time

    def mmio_read(self, address: int, width: int) -> int:
        self._access(address, width)
        if self._map.iommu_registers.contains(address, width):
            return self.iommu.read_register(address - self._map.iommu_registers.base, width)
        try:
            return int.from_bytes(self._from_above(0, address, width), "little")
        except BusError:
            return (1 << 8 * width) - 1

    def mmio_write(self, address: int, value: int, width: int) -> None:
        self._access(address, width)
        if self._map.iommu_registers.contains(address, width):
            self.iommu.write_register(address - self._map.iommu_registers.base, value, width)
        else:
            self._to_below(0, address, value.to_bytes(width, "little"))

    def config_read(self, function: Bdf, offset: int, width: int) -> int:
        self._time += 1
        target = self.hierarchy.find(function)
        if target is None:
            return (1 << 8 * width) - 1
        return target.config_read(offset, width) if isinstance(target, EndpointDevice) else target.read(offset, width)

    def config_write(self, function: Bdf, offset: int, value: int, width: int) -> None:
        self._time += 1
        target = self.hierarchy.find(function)
        if isinstance(target, EndpointDevice):
            target.config_write(function, offset, value, width)
        elif target is not None:
            target.write(offset, value, width)

    def wait_irq(self, identity: int, timeout: int) -> bool:
        if not self._pending[identity]:
            self._time += timeout
            return False
        self._pending[identity] -= 1
        return True

    def wait_until(self, condition: Callable[[], bool], timeout: int) -> bool:
        end = self._time + timeout
        while not condition():
            if self._time >= end:
                return False
            self._time += min(_POLL, end - self._time)
        return True

    def memory_barrier(self) -> None:
        """Stores take effect at once and in order."""

    def fail_reads(self, region: Region, status: StatusCode) -> None:
        """See :class:`sluicegate.platform.ReadFailures`."""
        self._broken.append((region, status))

    def _access(self, address: int, width: int) -> None:
        if width not in (4, 8) or address % width:
            raise ValueError(f"an MMIO access of {width} bytes at {address:#x}: 4 or 8, naturally aligned")
        self._time += 1

    def _raise_interrupt(self, identity: int) -> None:
        self._pending[identity] += 1

    def _set_wire(self, line: int, level: bool) -> None:
        if level and not self._wires >> line & 1:
            self._raise_interrupt(WIRED_INTERRUPT_BASE + line)
        self._wires = self._wires | 1 << line if level else self._wires & ~(1 << line)

    # Requests of endpoints

    def device_read(self, port: int, requester: int, address: int, length: int) -> bytes:
        """A memory read that entered switch port ``port``; length 0 is the flushing read. Raises BusError."""
        egress = self._egress(port, memory_read(address, length, requester=requester, tag=0).header())
        if egress != UPSTREAM_PORT:
            return self._endpoint_read(egress, address, length)
        response = self.iommu.translate(Request(requester, address))
        if response.status is not Status.OK or response.spa is None:
            aborted = response.status is Status.COMPLETER_ABORT
            raise BusError(StatusCode.COMPLETER_ABORT if aborted else StatusCode.UNSUPPORTED_REQUEST)
        if self.hierarchy.root_port.config.claims(response.spa, max(length, 1)):
            return self._from_above(requester, response.spa, length)
        for region, status in self._broken:
            if region.contains(response.spa):
                raise BusError(status)
        try:
            return self._memory.read(response.spa, length)
        except MemoryAccessError:
            raise BusError(StatusCode.UNSUPPORTED_REQUEST) from None
        except MemoryPoisonError:
            raise BusError(StatusCode.POISONED) from None

    def device_write(self, port: int, requester: int, address: int, data: bytes) -> None:
        """A posted memory write that entered switch port ``port``; what is refused vanishes."""
        try:
            egress = self._egress(port, memory_write(address, data, requester=requester).header())
            if egress != UPSTREAM_PORT:
                self._endpoint_write(egress, address, data)
                return
            response = self.iommu.translate(Request(requester, address, write=True))
            if response.status is not Status.OK or response.spa is None:
                return
            if self.hierarchy.root_port.config.claims(response.spa, len(data)):
                self._to_below(requester, response.spa, data)
            else:
                self._memory.write(response.spa, data)
        except (BusError, MemoryAccessError):
            return

    def _egress(self, ingress: int, header: int) -> int:
        """The port where a request leaves the switch. Raises BusError when the switch refuses it."""
        words = (header >> 96, header >> 64 & 0xFFFF_FFFF, header >> 32 & 0xFFFF_FFFF, header & 0xFFFF_FFFF)
        decision = route(self.hierarchy.switch_configuration(), ingress, words)
        if decision.disposition is Disposition.VIOLATION:
            raise BusError(StatusCode.COMPLETER_ABORT)
        if decision.disposition is not Disposition.FORWARDED:
            raise BusError(StatusCode.UNSUPPORTED_REQUEST)
        return decision.egress[0]

    # Requests from the root complex

    def _below(self, address: int, header: int) -> int:
        if not self.hierarchy.root_port.config.claims(address):
            raise BusError(StatusCode.UNSUPPORTED_REQUEST)
        return self._egress(UPSTREAM_PORT, header)

    def _from_above(self, requester: int, address: int, length: int) -> bytes:
        port = self._below(address, memory_read(address, length, requester=requester, tag=0).header())
        return self._endpoint_read(port, address, length)

    def _to_below(self, requester: int, address: int, data: bytes) -> None:
        try:
            port = self._below(address, memory_write(address, data, requester=requester).header())
        except BusError:
            return
        self._endpoint_write(port, address, data)

    def _endpoint_read(self, port: int, address: int, length: int) -> bytes:
        return self.endpoints[port - 1].memory_read(address, length)

    def _endpoint_write(self, port: int, address: int, data: bytes) -> None:
        self.endpoints[port - 1].memory_write(address, data)
