"""Every class of driver error that the model reports (specification DMA_API, section 2)."""

from __future__ import annotations

from enum import Enum


class DebugClass(Enum):
    """Identifier and rule of an error class. ``D1`` to ``D24`` are the kernel's dma-debug; the rest is what it cannot see."""

    FREE_INVALID_ADDRESS = ("D1", "the error value is no mapping: test dma_mapping_error before the address is used")
    FREE_NOT_ALLOCATED = ("D2", "unmap exactly once, with the device and the address of the map call")
    FREE_DIFFERENT_SIZE = ("D3", "unmap with the size of the map call")
    FREE_WRONG_FUNCTION = ("D4", "unmap with the counterpart of the map call")
    FREE_DIFFERENT_CPU_ADDRESS = ("D5", "free with the CPU address that the allocation returned")
    SG_FREE_DIFFERENT_COUNT = ("D6", "dma_unmap_sg takes the entry count given to dma_map_sg, not the count it returned")
    FREE_DIFFERENT_DIRECTION = ("D7", "unmap with the direction of the map call")
    MAP_ERROR_NOT_CHECKED = ("D8", "call dma_mapping_error on every mapped address before using it")
    SYNC_NOT_ALLOCATED = ("D9", "a sync must lie inside one live mapping of the device")
    SYNC_OUTSIDE_RANGE = ("D10", "a sync must not be longer than its mapping")
    SYNC_DIFFERENT_DIRECTION = ("D11", "sync with the direction of the map call")
    SYNC_READ_ONLY_FOR_CPU = ("D12", "memory that the device only reads needs no sync for the CPU in another direction")
    SYNC_WRITE_ONLY_FOR_DEVICE = ("D13", "memory that the device only writes needs no sync for the device in another direction")
    SG_SYNC_DIFFERENT_COUNT = ("D14", "dma_sync_sg takes the entry count given to dma_map_sg")
    SEGMENT_TOO_LONG = ("D15", "no entry may be longer than dma_get_max_seg_size")
    SEGMENT_CROSSES_BOUNDARY = ("D16", "no segment may cross dma_get_seg_boundary")
    MAP_FROM_STACK = ("D17", "memory on the stack is not DMA-able: allocate the buffer")
    MAP_KERNEL_IMAGE = ("D18", "kernel text and read-only data are not DMA-able")
    MAP_INVALID_AREA = ("D19", "dma_map_single needs memory of the linear map")
    MAP_VMALLOC = ("D20", "vmalloc memory is not contiguous: map its pages one by one")
    OVERLAPPING_CACHELINE = ("D21", "two mappings that the device writes must not share a cache line")
    CACHELINE_OVERLAPS_EXCEEDED = ("D22", "at most 7 further mappings of one cache line are tracked")
    PENDING_AT_UNBIND = ("D23", "unmap and free everything before the driver lets go of the device")
    OUT_OF_ENTRIES = ("D24", "debugging ran out of entries and switched itself off")

    DEVICE_ACCESS_UNMAPPED = ("H1", "a device may access only bytes of a live mapping")
    DEVICE_ACCESS_PERMISSION = ("H2", "a device may not write a DMA_TO_DEVICE mapping nor read a DMA_FROM_DEVICE one")
    DEVICE_ACCESS_AFTER_UNMAP = ("H3", "after unmap the device must not touch the buffer")
    DEVICE_ACCESS_BEFORE_SYNC = ("H4", "dma_iova_sync must follow dma_iova_link before the device uses the range")
    CPU_ACCESS_DEVICE_OWNED = ("H5", "between map and unmap only a sync gives the buffer back to the CPU")
    PEER_ADDRESS_WRONG_PATH = (
        "H6",
        "a bus address works only where the switches route it, a translated one only through the host",
    )
    ADDRESS_ABOVE_MASK = ("H7", "a device can emit only addresses below its mask")
    UNMAP_IN_FLIGHT = ("H8", "wait for the end of the transfer before the unmap")
    DEVICE_ACCESS_CPU_OWNED = ("H9", "after a sync for the CPU the device waits for the sync for the device")

    MAP_WITHOUT_MASK = ("M1", "dma_set_mask must succeed before the first mapping")
    ZERO_SIZE = ("M2", "a mapping has at least one byte")
    RESOURCE_IS_RAM = ("M3", "dma_map_resource is for device memory, never for RAM")
    RESOURCE_BUS_OFFSET = ("M4", "dma_map_resource does not translate: with a bus offset the address is wrong for the device")
    MAP_PEER_PAGE = ("M5", "pages of peer memory are mapped with dma_map_sg or dma_map_phys only")
    ADDRESS_OVERFLOW = ("M6", "the buffer is out of reach of the device mask and there is no bounce buffer")
    NO_MASK_STORAGE = ("M7", "the device has no DMA mask: its bus did not set one up")
    MIN_ALIGN_UNSUPPORTED = ("M8", "the minimum alignment mask must be below the IOMMU granule")
    UNMAP_UNTRANSLATED = ("M9", "the address has no translation in the IOMMU")
    UNMAP_SHORT = ("M10", "less was unmapped than asked: part of the range was not mapped")
    DUMMY_UNMAP = ("M11", "the device cannot do DMA at all: nothing can be mapped or unmapped")
    COHERENT_MASK_ZERO = ("M12", "set the coherent mask before allocating coherent memory")
    BAD_ALLOCATION_FLAGS = ("M13", "the DMA API chooses the zone itself: pass no zone or compound flags")
    FREE_IN_INTERRUPT = ("M14", "coherent memory must not be freed with interrupts disabled")
    BOUNCE_FULL = ("M15", "the bounce buffer is full: unmap something, or map less at once")
    BOUNCE_OVERFLOW = ("M16", "a sync must not reach past the bounce slot")
    UNEXPECTED_ERROR_CODE = ("M17", "a back end returned an error code that map_sg may not return")
    MANAGED_MISMATCH = ("M18", "dmam_free_coherent needs the size and address of the allocation")
    ATTRS_MISMATCH = ("M20", "unmap and free with the attributes of the map call")

    IOVA_ZERO_SIZE = ("I1", "dma_iova_try_alloc needs at least one byte")
    IOVA_SIZE_TOO_LARGE = ("I2", "bit 63 of the size is taken by the state")
    IOVA_MISALIGNED_LINK = ("I3", "every link but the first starts on the merge boundary")
    IOVA_LINK_OUTSIDE = ("I4", "links stay inside the size given to dma_iova_try_alloc")
    IOVA_LINK_OVERLAP = ("I5", "a range is linked once until it is unlinked")
    IOVA_FREE_LINKED = ("I6", "unlink everything before dma_iova_free")
    IOVA_NOT_ALLOCATED = ("I7", "the state holds no IOVA: dma_iova_try_alloc failed or it was destroyed")
    IOVA_DESTROY_LENGTH = ("I8", "dma_iova_destroy takes the whole linked length")
    IOVA_UNLINK_MISMATCH = ("I9", "unlink ranges that are linked, with the direction and attributes of the link")
    IOVA_STATE_IN_USE = ("I10", "a state that still holds an IOVA must not be allocated again")
    IOVA_SYNC_OUTSIDE = ("I11", "sync ranges that are linked")
    IOVA_COHERENT_AFTER_BOUNCE = ("I12", "a state that bounced cannot link memory that must be coherent")

    POOL_BAD_ADDRESS = ("P1", "dma_pool_free takes an address of the same pool")
    POOL_ALREADY_FREE = ("P2", "a block is freed once")
    POOL_CORRUPTED = ("P3", "a free block was written")
    POOL_BUSY = ("P4", "free every block before dma_pool_destroy")
    POOL_IN_INTERRUPT = ("P5", "create and destroy pools where the driver may sleep")

    PEER_ERROR_NOT_CHECKED = ("R1", "call dma_peer_mapping_error on every peer address before using it")
    PEER_MEMORY_UNMANAGED = ("R2", "pcim_p2pdma_init makes no pool: add a resource before allocating")

    @property
    def identifier(self) -> str:
        return self.value[0]

    @property
    def rule(self) -> str:
        """What a driver has to do, in one sentence."""
        return self.value[1]
