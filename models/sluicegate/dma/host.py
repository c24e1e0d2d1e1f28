"""The host: memory, page allocator, caches, debugging and the devices in it.

A :class:`Host` is the kernel side of the model: everything that the devices of one machine share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from sluicegate.arguments import instance, unsigned
from sluicegate.dma.clock import ManualClock
from sluicegate.dma.cpu_buffer import CpuBuffer, VmallocBuffer
from sluicegate.dma.cpu_cache import CpuCache
from sluicegate.dma.debug import DebugMode, DmaDebug
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.direction import DmaDirection
from sluicegate.dma.fault_injection import FaultInjector, FaultPoint
from sluicegate.dma.ledger import Mapping, RangeIndex
from sluicegate.dma.ownership import ownership_table
from sluicegate.dma.pages import OutOfMemory, Page, PageAllocator
from sluicegate.dma.store_buffer import StoreBuffer
from sluicegate.memory import PAGE_SIZE, Memory, SparseMemory
from sluicegate.platform import ADDRESS_MAP, AddressMap, Region

if TYPE_CHECKING:
    from sluicegate.dma.atomic_pool import AtomicPools
    from sluicegate.dma.backends.swiotlb import Swiotlb
    from sluicegate.dma.device import Device
    from sluicegate.p2pdma.registry import P2pdma

_IMAGE_BYTES: Final = 16 * PAGE_SIZE
_STACK_BYTES: Final = 4 * PAGE_SIZE


class NotCleanError(AssertionError):
    """Mappings or memory were left behind."""


class Host:
    """One machine.

    Args:
        memory: host memory by CPU physical address (default: empty sparse memory).
        address_map: gives the RAM regions; ``ram`` overrides them.
        debug: where dma-debug reports go, or its mode (default: strict).
        cache_line: bytes of a CPU cache line.
        dma_minalign: ``ARCH_DMA_MINALIGN``: 1 where all devices are coherent, else at least ``cache_line``.
        kmalloc_minalign: smallest kmalloc object in bytes (default: ``dma_minalign``).
        bounce_unaligned_kmalloc: kmalloc objects smaller than a line are bounced for non-coherent devices.
        cpu_cache: give non-coherent devices a real second copy of memory (see :class:`CpuCache`).
        store_buffer_seed: delay and reorder CPU stores until a barrier (see :class:`StoreBuffer`); None: they are immediate.
        zone_dma_bits: width of ZONE_DMA in address bits, None when the kernel has no such zone.
        has_dma_p2p: the platform offers peer resources (``HAS_DMA_P2P``).
        clock_ms: time in milliseconds for flush queue timers (default: a :class:`ManualClock` of its own).
        faults: fault injector.
    """

    def __init__(
        self,
        memory: Memory | None = None,
        address_map: AddressMap = ADDRESS_MAP,
        *,
        ram: Iterable[Region] | None = None,
        debug: DmaDebug | DebugMode = DebugMode.STRICT,
        cache_line: int = 64,
        dma_minalign: int = 1,
        kmalloc_minalign: int | None = None,
        bounce_unaligned_kmalloc: bool = False,
        cpu_cache: bool = False,
        store_buffer_seed: int | None = None,
        zone_dma_bits: int | None = 24,
        has_dma_p2p: bool = True,
        clock_ms: Callable[[], float] | None = None,
        faults: FaultInjector | None = None,
    ) -> None:
        instance(memory, (Memory, type(None)), "Host: memory")
        instance(address_map, (AddressMap,), "Host: address_map")
        instance(debug, (DmaDebug, DebugMode), "Host: debug")
        instance(faults, (FaultInjector, type(None)), "Host: faults")
        for what, size in (("cache_line", cache_line), ("dma_minalign", dma_minalign), ("kmalloc_minalign", kmalloc_minalign)):
            if size is not None and unsigned(size, f"Host: {what}").bit_count() != 1:
                raise ValueError(f"Host: {what} is {size}: give a power of two, in bytes")
        self.memory: Final[Memory] = SparseMemory() if memory is None else memory
        self.address_map: Final = address_map
        self.debug: Final = debug if isinstance(debug, DmaDebug) else DmaDebug(debug)
        self.cache_line: Final = cache_line
        self.dma_minalign: Final = dma_minalign
        self.bounce_unaligned_kmalloc: Final = bounce_unaligned_kmalloc
        self.zone_dma_bits: Final = zone_dma_bits
        self.has_dma_p2p: Final = has_dma_p2p
        self.clock_ms: Final[Callable[[], float]] = ManualClock() if clock_ms is None else clock_ms
        self.faults = faults
        self.pages: Final = PageAllocator(
            address_map.ram if ram is None else ram, dma_minalign if kmalloc_minalign is None else kmalloc_minalign
        )
        self.cache: Final = CpuCache(self.memory, cache_line) if cpu_cache else None
        cpu_side: Memory = self.memory if self.cache is None else self.cache
        self.store_buffers: Final[list[StoreBuffer]] = []
        if store_buffer_seed is not None:
            self.store_buffers.append(StoreBuffer(self.memory, store_buffer_seed))
            if self.cache is not None:
                self.store_buffers.append(StoreBuffer(self.cache, store_buffer_seed + 1))
        self.uncached_memory: Final[Memory] = self.store_buffers[0] if self.store_buffers else self.memory
        self.cpu_memory: Final[Memory] = self.store_buffers[-1] if self.store_buffers else cpu_side
        self.swiotlb: Swiotlb | None = None
        self.atomic_pools: AtomicPools | None = None
        self.p2pdma: P2pdma | None = None
        self.interrupts_disabled = False
        self.devices: Final[list[Device]] = []
        self.tracks_cachelines: Final = dma_minalign >= cache_line and not bounce_unaligned_kmalloc
        self._owned = RangeIndex()
        self._owned_added: dict[int, Mapping] = {}
        self._owned_removed: dict[int, Mapping] = {}
        self._image: Page | None = None
        self._stack: Page | None = None

    def should_fail(self, point: FaultPoint) -> bool:
        """Whether fault injection makes this call fail."""
        return self.faults is not None and self.faults.should_fail(point)

    def write_barrier(self) -> None:
        """Make every CPU store so far visible to devices."""
        for buffer in self.store_buffers:
            buffer.drain()

    def kmalloc(self, size: int) -> CpuBuffer:
        """A DMA-able buffer of ``size`` bytes. Raises :class:`OutOfMemory`."""
        return CpuBuffer(self, self.pages.kmalloc(size), size)

    def kfree(self, buffer: CpuBuffer) -> None:
        """Free a buffer of :meth:`kmalloc`."""
        instance(buffer, (CpuBuffer,), "kfree: buffer")
        self.pages.kfree(int(buffer.phys))

    def alloc_page(self, size: int = PAGE_SIZE) -> Page:
        """A (compound) page of RAM. Raises :class:`OutOfMemory`."""
        if self.should_fail(FaultPoint.PAGE_ALLOC):
            raise OutOfMemory("injected failure of a page allocation")
        return self.pages.alloc_page(size)

    def free_page(self, page: Page) -> None:
        """Free a page of :meth:`alloc_page`."""
        instance(page, (Page,), "free_page: page")
        self.pages.free(int(page.phys))

    def vmalloc(self, size: int) -> VmallocBuffer:
        """Virtually contiguous memory: whole pages that need not be neighbours. Raises :class:`OutOfMemory`."""
        if unsigned(size, "vmalloc: size") > self.pages.last_page:
            raise OutOfMemory(f"vmalloc of {size} bytes is more than all of RAM")
        return VmallocBuffer(self, [self.pages.alloc_page() for _ in range(-(-size // PAGE_SIZE))], size)

    def buffer(self, page: Page, offset: int = 0, size: int | None = None) -> CpuBuffer:
        """CPU access to a page of RAM."""
        return CpuBuffer(self, page.phys + offset, page.size - offset if size is None else size)

    def stack_buffer(self, size: int, offset: int = 0) -> CpuBuffer:
        """Memory on the current stack: never DMA-able."""
        if self._stack is None:
            self._stack = self.pages.alloc_page(_STACK_BYTES)
        return self.buffer(self._stack, offset, size)

    def kernel_image_buffer(self, size: int, offset: int = 0) -> CpuBuffer:
        """Memory of kernel text or read-only data: never DMA-able."""
        if self._image is None:
            self._image = self.pages.alloc_page(_IMAGE_BYTES)
        return self.buffer(self._image, offset, size)

    def on_stack(self, phys: int, size: int) -> bool:
        """Whether the range touches the stack."""
        return _touches(self._stack, phys, size)

    def in_kernel_image(self, phys: int, size: int) -> bool:
        """Whether the range touches kernel text or read-only data."""
        return _touches(self._image, phys, size)

    def needs_kmalloc_bounce(self, device: Device, size: int, direction: DmaDirection) -> bool:
        """Whether a small kmalloc buffer must be bounced, as it may share a cache line with its neighbours."""
        if not self.bounce_unaligned_kmalloc or device.coherent or direction is DmaDirection.TO_DEVICE:
            return False
        if size > 2 * self.dma_minalign:
            return False
        bucket = max(self.pages.kmalloc_minalign, 1 << (size - 1).bit_length())
        return bucket % self.dma_minalign != 0

    def mapping_added(self, mapping: Mapping) -> None:
        """Ledgers announce streaming mappings here, for the ownership check of CPU accesses."""
        self._owned_added[id(mapping)] = mapping

    def mapping_removed(self, mapping: Mapping) -> None:
        """The counterpart of :meth:`mapping_added`."""
        if self._owned_added.pop(id(mapping), None) is None:
            self._owned_removed[id(mapping)] = mapping

    def owners(self, phys: int, size: int) -> list[Mapping]:
        """Live streaming mappings that share a byte with the physical range."""
        for mapping in self._owned_removed.values():
            for piece in mapping.all_pieces():
                self._owned.remove(piece.phys, mapping)
        self._owned_removed.clear()
        for mapping in self._owned_added.values():
            for piece in mapping.all_pieces():
                self._owned.add(piece.phys, piece.length, mapping)
        self._owned_added.clear()
        return self._owned.overlapping(phys, phys + size)

    def check_cpu_access(self, phys: int, size: int, write: bool) -> None:
        """Report a CPU access to bytes that a device owns. Reading what the device only reads is allowed."""
        if size == 0 or self.debug.mode is DebugMode.OFF:
            return
        for mapping in self.owners(phys, size):
            if not write and mapping.direction is DmaDirection.TO_DEVICE:
                continue
            for piece in mapping.all_pieces():
                first, last = max(phys, piece.phys), min(phys + size, piece.phys + piece.length)
                shift = piece.dma - piece.phys
                if first < last and mapping.device_owns(first + shift, last + shift):
                    self.debug.report(
                        DebugClass.CPU_ACCESS_DEVICE_OWNED,
                        mapping.device,
                        f"the CPU {'writes' if write else 'reads'} {first:#x}+{last - first:#x}, owned by {mapping!r}",
                    )
                    return

    def ownership_table(self) -> str:
        """Every live mapping of every device and who owns its bytes, as a readable table."""
        return ownership_table(mapping for device in self.devices for mapping in device.ledger)

    def assert_clean(self) -> None:
        """Raise :class:`NotCleanError` unless every device has given everything back."""
        for device in self.devices:
            device.assert_clean()


def _touches(page: Page | None, phys: int, size: int) -> bool:
    return page is not None and int(page.phys) < phys + size and phys < int(page.phys) + page.size
