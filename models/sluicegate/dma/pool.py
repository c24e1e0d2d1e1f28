"""Pools of small coherent blocks (``dma_pool``; specification DMA_API, section 1.3)."""

from __future__ import annotations

from typing import Final

from sluicegate.address import DmaAddress
from sluicegate.arguments import validated
from sluicegate.dma.attrs import Gfp
from sluicegate.dma.coherent import dma_alloc_coherent, dma_free_coherent
from sluicegate.dma.cpu_buffer import CpuBuffer
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device
from sluicegate.dma.fault_injection import FaultPoint
from sluicegate.memory import PAGE_SIZE

POISON_FREED: Final = 0xA7
POISON_ALLOCATED: Final = 0xA9
_HEADER: Final = 16
_INT_MAX: Final = (1 << 31) - 1


class _PoolPage:
    """One coherent allocation and the blocks cut from it."""

    __slots__ = ("cpu", "dma")

    def __init__(self, cpu: CpuBuffer, dma: int) -> None:
        self.cpu = cpu
        self.dma = dma


class DmaPool:
    """Blocks of ``size`` bytes, aligned, none crossing ``boundary``, cut from coherent allocations of ``allocation`` bytes.

    Made by :func:`dma_pool_create`. With ``debug`` free blocks are filled and checked.
    """

    def __init__(self, name: str, dev: Device, size: int, allocation: int, boundary: int, debug: bool) -> None:
        self.name: Final = name
        self.device: Final = dev
        self.size: Final = size
        self.allocation: Final = allocation
        self.boundary: Final = boundary
        self.debug: Final = debug
        self.destroyed = False
        self._pages: list[_PoolPage] = []
        self._free: list[int] = []
        self._free_set: set[int] = set()
        self._blocks: dict[int, _PoolPage] = {}

    @property
    def pages(self) -> int:
        """Coherent allocations held."""
        return len(self._pages)

    @property
    def blocks(self) -> int:
        """Blocks cut, free and in use."""
        return len(self._blocks)

    @property
    def active(self) -> int:
        """Blocks in use."""
        return len(self._blocks) - len(self._free)

    def _grow(self, gfp: Gfp) -> bool:
        block = dma_alloc_coherent(self.device, self.allocation, gfp)
        if block is None:
            return False
        cpu, dma = block
        page = _PoolPage(cpu, int(dma))
        self._pages.append(page)
        offset = 0
        line = self.boundary
        blocks = []
        while offset + self.size <= self.allocation:
            if offset + self.size > line:
                offset = line
                line += self.boundary
                continue
            blocks.append(page.dma + offset)
            offset += self.size
        for dma_block in blocks:
            self._blocks[dma_block] = page
        # The list is a stack whose end is its head: the lowest block comes first.
        self._free.extend(reversed(blocks))
        self._free_set.update(blocks)
        if self.debug:
            for dma_block in blocks:
                self._buffer(dma_block).write(bytes([POISON_FREED]) * self.size)
        return True

    def _buffer(self, dma: int) -> CpuBuffer:
        page = self._blocks[dma]
        offset = dma - page.dma
        return page.cpu[offset : offset + self.size]

    def alloc(self, gfp: Gfp = Gfp.KERNEL) -> tuple[CpuBuffer, DmaAddress] | None:
        """The block freed last, or the lowest of a new allocation; None when that fails."""
        self._check()
        if self.device.host.should_fail(FaultPoint.POOL_ALLOC):
            return None
        if not self._free and not self._grow(gfp):
            return None
        dma = self._free[-1]
        buffer = self._buffer(dma)
        if self.debug and buffer.read(_HEADER) != bytes([POISON_FREED]) * (self.size - _HEADER):
            self.device.report(DebugClass.POOL_CORRUPTED, f"pool {self.name}: block {dma:#x} was written after its free")
        self._free.pop()
        self._free_set.remove(dma)
        if gfp & Gfp.ZERO:
            buffer.write(bytes(self.size))
        elif self.debug:
            buffer.write(bytes([POISON_ALLOCATED]) * self.size)
        return buffer, DmaAddress(dma)

    def free(self, cpu: CpuBuffer | None, dma: DmaAddress | int) -> None:
        """Put a block at the head of the free list."""
        self._check()
        address = int(DmaAddress(dma))
        page = self._blocks.get(address)
        if page is None or (cpu is not None and cpu.phys != page.cpu.phys + (address - page.dma)):
            self.device.report(DebugClass.POOL_BAD_ADDRESS, f"pool {self.name}: no block {address:#x} with that CPU address")
            return
        if address in self._free_set:
            self.device.report(DebugClass.POOL_ALREADY_FREE, f"pool {self.name}: block {address:#x}")
            return
        if self.debug:
            self._buffer(address).write(bytes([POISON_FREED]) * self.size)
        self._free.append(address)
        self._free_set.add(address)

    def destroy(self) -> int:
        """Free all pages; the number freed. With blocks in use nothing is freed: the memory is lost."""
        self._check()
        if self.active:
            self.device.report(DebugClass.POOL_BUSY, f"pool {self.name}: {self.active} of {self.blocks} blocks are in use")
            self.destroyed = True
            return 0
        self.destroyed = True
        for page in self._pages:
            dma_free_coherent(self.device, self.allocation, page.cpu, page.dma)
        return len(self._pages)

    def _check(self) -> None:
        self.device.check_present()
        if self.destroyed:
            raise ValueError(f"pool {self.name} was destroyed: no call may name it any more")


@validated
def dma_pool_create(name: str, dev: Device | None, size: int, align: int, boundary: int, debug: bool = False) -> DmaPool | None:
    """Create a pool of blocks of ``size`` bytes; None for a bad size, alignment or boundary (0 for none), or no device."""
    if dev is None:
        return None
    _report_interrupt(dev, f"dma_pool_create of {name}")
    align = align or 1
    if align < 0 or align & (align - 1) or not 0 < size <= _INT_MAX:
        return None
    size = -(-max(size, 16) // align) * align
    allocation = max(size, PAGE_SIZE)
    if not boundary:
        boundary = allocation
    elif boundary < size or boundary & (boundary - 1):
        return None
    return DmaPool(name, dev, size, allocation, min(boundary, allocation), debug)


@validated
def dma_pool_alloc(pool: DmaPool, gfp: Gfp = Gfp.KERNEL) -> tuple[CpuBuffer, DmaAddress] | None:
    """Take a block: (CPU view, device address), or None."""
    return pool.alloc(gfp)


@validated
def dma_pool_zalloc(pool: DmaPool, gfp: Gfp = Gfp.KERNEL) -> tuple[CpuBuffer, DmaAddress] | None:
    """Take a zeroed block."""
    return pool.alloc(gfp | Gfp.ZERO)


@validated
def dma_pool_free(pool: DmaPool, cpu: CpuBuffer | None, dma: DmaAddress | int) -> None:
    """Give a block back."""
    pool.free(cpu, dma)


@validated
def dma_pool_destroy(pool: DmaPool | None) -> None:
    """Destroy a pool; every block must be free."""
    if pool is not None:
        _report_interrupt(pool.device, f"dma_pool_destroy of {pool.name}")
        pool.destroy()


def _report_interrupt(dev: Device, call: str) -> None:
    if dev.host.interrupts_disabled:
        dev.report(DebugClass.POOL_IN_INTERRUPT, call)


@validated
def dmam_pool_create(name: str, dev: Device, size: int, align: int, boundary: int, debug: bool = False) -> DmaPool | None:
    """Managed: destroyed when the driver detaches."""
    pool = dma_pool_create(name, dev, size, align, boundary, debug)
    if pool is not None:
        managed = pool
        dev.on_detach(lambda: None if managed.destroyed else dma_pool_destroy(managed))
    return pool


@validated
def dmam_pool_destroy(pool: DmaPool) -> None:
    """Destroy a managed pool early."""
    dma_pool_destroy(pool)
