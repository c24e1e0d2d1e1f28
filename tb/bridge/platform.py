"""The simulation as a ``Platform``: drivers and sequences run in a thread of ``cocotb.task.bridge`` and block there.

Memory writes, posted MMIO writes and marks cost no simulated time; MMIO reads, configuration accesses and waits let the
simulation run on until their answer is there.
"""

from __future__ import annotations

from collections.abc import Callable

from cocotb.task import resume
from sluicegate.platform import ADDRESS_MAP, AddressMap, Bdf, Region, WordIs
from sluicegate.registers.completion import StatusCode

from tb.bridge.memory import NativeMemory
from tb.bridge.native import ActionKind, CompleterFault, CpuOperation, WakeKind
from tb.bridge.simulation import Simulation

_FAULTS = {
    StatusCode.UNSUPPORTED_REQUEST: CompleterFault.UNSUPPORTED_REQUEST,
    StatusCode.COMPLETER_ABORT: CompleterFault.COMPLETER_ABORT,
    StatusCode.POISONED: CompleterFault.POISON,
    StatusCode.COMPLETION_TIMEOUT: CompleterFault.NO_ANSWER,
}
POLL_CYCLES = 64
"""How often :meth:`SimulationPlatform.wait_until` looks."""


class SimulationPlatform:
    """Platform on the native agents: RAM, IMSIC page and register page of the address map, CPU accesses on the attached links.

    ``host_links``: the links on which host memory takes requests.
    """

    def __init__(self, simulation: Simulation, address_map: AddressMap = ADDRESS_MAP, host_links: tuple[int, ...] = ()) -> None:
        self._host_links = host_links
        self._simulation = simulation
        self._native = simulation.native
        self._address_map = address_map
        for region in address_map.ram:
            self._native.act(ActionKind.ADD_MEMORY_REGION, region.base, region.size)
        self._native.act(ActionKind.SET_INTERRUPT_PAGE, address_map.imsic.base, address_map.imsic.size)
        self._native.act(ActionKind.SET_REGISTER_PAGE, address_map.iommu_registers.base, address_map.iommu_registers.size)
        self._memory = NativeMemory(self._native)
        self._wait = resume(simulation.wait)
        self._expect = resume(simulation.expect)

    @property
    def memory(self) -> NativeMemory:
        return self._memory

    @property
    def address_map(self) -> AddressMap:
        return self._address_map

    @property
    def time(self) -> int:
        return self._native.cycle

    def _submit(self, operation: CpuOperation, address: int, width: int, value: int = 0) -> int:
        if width not in (1, 2, 4, 8) or address % width:
            raise ValueError(f"a {width}-byte access at {address:#x} is not naturally aligned")
        return self._native.act(ActionKind.SUBMIT_CPU_ACCESS, operation | width << 8, address, value)

    def _finish(self, ticket: int, what: str) -> tuple[int, int]:
        done, status, value = self._native.cpu_result(ticket)
        if not done:
            self._expect(f"answer to {what}", WakeKind.CPU_ACCESS, ticket)
            done, status, value = self._native.cpu_result(ticket)
        self._native.act(ActionKind.FORGET_CPU_ACCESS, ticket)
        return status, value

    def mmio_read(self, address: int, width: int) -> int:
        ticket = self._submit(CpuOperation.MMIO_READ, int(address), width)
        return self._finish(ticket, f"the read of {int(address):#x}")[1]

    def mmio_write(self, address: int, value: int, width: int) -> None:
        self._submit(CpuOperation.MMIO_WRITE, int(address), width, value)

    def config_read(self, function: Bdf, offset: int, width: int) -> int:
        ticket = self._submit(CpuOperation.CONFIG_READ, function.requester_id << 12 | offset, width)
        return self._finish(ticket, f"the configuration read of {function} at {offset:#x}")[1]

    def config_write(self, function: Bdf, offset: int, value: int, width: int) -> None:
        ticket = self._submit(CpuOperation.CONFIG_WRITE, function.requester_id << 12 | offset, width, value)
        self._finish(ticket, f"the configuration write of {function} at {offset:#x}")

    def fail_reads(self, region: Region, status: StatusCode) -> None:
        """See :class:`sluicegate.platform.ReadFailures`; on every link that host memory serves."""
        for link in self._host_links:
            self._native.act(ActionKind.ADD_COMPLETER_FAULT, link, region.base, region.size, _FAULTS[status])

    def wait_irq(self, identity: int, timeout: int) -> bool:
        if not self._native.interrupt_pending(identity) and not self._wait(WakeKind.INTERRUPT, 0, identity, timeout):
            return False
        return self._native.act(ActionKind.CONSUME_INTERRUPT, identity) == 1

    def wait_until(self, condition: Callable[[], bool], timeout: int) -> bool:
        begun, limit = self.time, self.time + timeout
        while not condition():
            if self.time >= limit:
                return False
            ahead = POLL_CYCLES
            if isinstance(condition, WordIs):
                # Nothing to see before the word changes; the next look is due when it would be without this.
                value = int.from_bytes(condition.memory.read(condition.address, 4), "little")
                self._wait(WakeKind.MEMORY_CHANGE, condition.address, value, limit - self.time)
                ahead = (begun - self.time) % POLL_CYCLES
            step = min(ahead, limit - self.time)
            if step:
                self._wait(WakeKind.CYCLE, self.time + step, 0, step + 1)
        return True

    def memory_barrier(self) -> None:
        """CPU stores take effect at once and in order here: nothing to do."""
