"""The Linux DMA API by its kernel names.

    from sluicegate.dma import *
    host = Host()
    dev = Device(host, "nic", backend=DmaIommu(host, RecordingDomain()))
    dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64))
    dma = dma_map_single(dev, host.kmalloc(4096), 4096, DMA_TO_DEVICE)

Sizes and addresses are in bytes. CPU physical, device and peer addresses are distinct types that refuse to mix.
"""

from sluicegate.address import DMA_MAPPING_ERROR, DmaAddress, PeerAddress, PhysicalAddress
from sluicegate.dma.atomic_pool import AtomicPools
from sluicegate.dma.attrs import GFP_ATOMIC, GFP_KERNEL, DmaAttrs, Gfp
from sluicegate.dma.backends.direct import DirectBackend
from sluicegate.dma.backends.domain import DomainMapError, IommuDomain, IommuProt, RecordingDomain
from sluicegate.dma.backends.dummy import DummyBackend
from sluicegate.dma.backends.iommu import DmaIommu
from sluicegate.dma.backends.swiotlb import Swiotlb
from sluicegate.dma.clock import ManualClock
from sluicegate.dma.coherent import (
    dma_alloc_attrs,
    dma_alloc_coherent,
    dma_alloc_wc,
    dma_free_attrs,
    dma_free_coherent,
    dma_free_wc,
    dmam_alloc_attrs,
    dmam_alloc_coherent,
    dmam_free_coherent,
)
from sluicegate.dma.cpu_buffer import CpuBuffer, VmallocBuffer
from sluicegate.dma.debug import DebugMode, DebugReport, DmaDebug, DmaDebugError
from sluicegate.dma.debug_classes import DebugClass
from sluicegate.dma.device import Device, DeviceRemovedError, DmaRange
from sluicegate.dma.device_access import (
    DeviceFault,
    check_device_access,
    check_peer_route,
    device_read,
    device_write,
    transfer_in_flight,
)
from sluicegate.dma.device_memory import dma_declare_coherent_memory
from sluicegate.dma.direction import DMA_BIDIRECTIONAL, DMA_FROM_DEVICE, DMA_NONE, DMA_TO_DEVICE, DmaDirection
from sluicegate.dma.errno import Errno
from sluicegate.dma.errors import DmaApiError, KernelBug, checked
from sluicegate.dma.fault_injection import FaultInjector, FaultPoint, sweep
from sluicegate.dma.host import Host, NotCleanError
from sluicegate.dma.iova_state import (
    DmaIovaState,
    dma_iova_destroy,
    dma_iova_free,
    dma_iova_link,
    dma_iova_sync,
    dma_iova_try_alloc,
    dma_iova_unlink,
    dma_use_iova,
)
from sluicegate.dma.ledger import Mapping, MappingKind, MappingTable, Piece
from sluicegate.dma.masks import (
    DMA_BIT_MASK,
    dma_addressing_limited,
    dma_coerce_mask_and_coherent,
    dma_get_cache_alignment,
    dma_get_mask,
    dma_get_max_seg_size,
    dma_get_merge_boundary,
    dma_get_min_align_mask,
    dma_get_required_mask,
    dma_get_seg_boundary,
    dma_get_seg_boundary_nr_pages,
    dma_max_mapping_size,
    dma_need_sync,
    dma_need_unmap,
    dma_opt_mapping_size,
    dma_pci_p2pdma_supported,
    dma_set_coherent_mask,
    dma_set_mask,
    dma_set_mask_and_coherent,
    dma_set_max_seg_size,
    dma_set_min_align_mask,
    dma_set_seg_boundary,
)
from sluicegate.dma.mmap import (
    VirtualMemoryArea,
    dma_can_mmap,
    dma_get_sgtable,
    dma_get_sgtable_attrs,
    dma_mmap_attrs,
    dma_mmap_coherent,
    dma_mmap_noncontiguous,
    dma_mmap_pages,
)
from sluicegate.dma.noncoherent import (
    VmapBuffer,
    dma_alloc_noncoherent,
    dma_alloc_noncontiguous,
    dma_alloc_pages,
    dma_free_noncoherent,
    dma_free_noncontiguous,
    dma_free_pages,
    dma_vmap_noncontiguous,
    dma_vunmap_noncontiguous,
)
from sluicegate.dma.pages import OutOfMemory, Page
from sluicegate.dma.peer import DMA_PEER_MAPPING_ERROR, dma_map_peer_resource, dma_peer_mapping_error, dma_unmap_peer_resource
from sluicegate.dma.pool import (
    DmaPool,
    dma_pool_alloc,
    dma_pool_create,
    dma_pool_destroy,
    dma_pool_free,
    dma_pool_zalloc,
    dmam_pool_create,
    dmam_pool_destroy,
)
from sluicegate.dma.resource import dma_map_resource, dma_unmap_resource
from sluicegate.dma.scatterlist import Scatterlist, SgEntry, SgTable, sg_dma_address, sg_dma_is_bus_address, sg_dma_len
from sluicegate.dma.sg_mapping import dma_map_sg, dma_map_sgtable, dma_unmap_sg, dma_unmap_sgtable
from sluicegate.dma.store_buffer import StoreBuffer, dma_wmb
from sluicegate.dma.streaming import (
    dma_map_page,
    dma_map_phys,
    dma_map_single,
    dma_mapping_error,
    dma_unmap_page,
    dma_unmap_phys,
    dma_unmap_single,
)
from sluicegate.dma.sync import (
    dma_sync_sg_for_cpu,
    dma_sync_sg_for_device,
    dma_sync_sgtable_for_cpu,
    dma_sync_sgtable_for_device,
    dma_sync_single_for_cpu,
    dma_sync_single_for_device,
    dma_sync_single_range_for_cpu,
    dma_sync_single_range_for_device,
)
from sluicegate.dma.unmap_state import UnmapState

__all__ = [
    "DMA_BIDIRECTIONAL",
    "DMA_BIT_MASK",
    "DMA_FROM_DEVICE",
    "DMA_MAPPING_ERROR",
    "DMA_NONE",
    "DMA_PEER_MAPPING_ERROR",
    "DMA_TO_DEVICE",
    "GFP_ATOMIC",
    "GFP_KERNEL",
    "AtomicPools",
    "CpuBuffer",
    "DebugClass",
    "DebugMode",
    "DebugReport",
    "Device",
    "DeviceFault",
    "DeviceRemovedError",
    "DirectBackend",
    "DmaAddress",
    "DmaApiError",
    "DmaAttrs",
    "DmaDebug",
    "DmaDebugError",
    "DmaDirection",
    "DmaIommu",
    "DmaIovaState",
    "DmaPool",
    "DmaRange",
    "DomainMapError",
    "DummyBackend",
    "Errno",
    "FaultInjector",
    "FaultPoint",
    "Gfp",
    "Host",
    "IommuDomain",
    "IommuProt",
    "KernelBug",
    "ManualClock",
    "Mapping",
    "MappingKind",
    "MappingTable",
    "NotCleanError",
    "OutOfMemory",
    "Page",
    "PeerAddress",
    "PhysicalAddress",
    "Piece",
    "RecordingDomain",
    "Scatterlist",
    "SgEntry",
    "SgTable",
    "StoreBuffer",
    "Swiotlb",
    "UnmapState",
    "VirtualMemoryArea",
    "VmallocBuffer",
    "VmapBuffer",
    "check_device_access",
    "check_peer_route",
    "checked",
    "device_read",
    "device_write",
    "dma_addressing_limited",
    "dma_alloc_attrs",
    "dma_alloc_coherent",
    "dma_alloc_noncoherent",
    "dma_alloc_noncontiguous",
    "dma_alloc_pages",
    "dma_alloc_wc",
    "dma_can_mmap",
    "dma_coerce_mask_and_coherent",
    "dma_declare_coherent_memory",
    "dma_free_attrs",
    "dma_free_coherent",
    "dma_free_noncoherent",
    "dma_free_noncontiguous",
    "dma_free_pages",
    "dma_free_wc",
    "dma_get_cache_alignment",
    "dma_get_mask",
    "dma_get_max_seg_size",
    "dma_get_merge_boundary",
    "dma_get_min_align_mask",
    "dma_get_required_mask",
    "dma_get_seg_boundary",
    "dma_get_seg_boundary_nr_pages",
    "dma_get_sgtable",
    "dma_get_sgtable_attrs",
    "dma_iova_destroy",
    "dma_iova_free",
    "dma_iova_link",
    "dma_iova_sync",
    "dma_iova_try_alloc",
    "dma_iova_unlink",
    "dma_map_page",
    "dma_map_peer_resource",
    "dma_map_phys",
    "dma_map_resource",
    "dma_map_sg",
    "dma_map_sgtable",
    "dma_map_single",
    "dma_mapping_error",
    "dma_max_mapping_size",
    "dma_mmap_attrs",
    "dma_mmap_coherent",
    "dma_mmap_noncontiguous",
    "dma_mmap_pages",
    "dma_need_sync",
    "dma_need_unmap",
    "dma_opt_mapping_size",
    "dma_pci_p2pdma_supported",
    "dma_peer_mapping_error",
    "dma_pool_alloc",
    "dma_pool_create",
    "dma_pool_destroy",
    "dma_pool_free",
    "dma_pool_zalloc",
    "dma_set_coherent_mask",
    "dma_set_mask",
    "dma_set_mask_and_coherent",
    "dma_set_max_seg_size",
    "dma_set_min_align_mask",
    "dma_set_seg_boundary",
    "dma_sync_sg_for_cpu",
    "dma_sync_sg_for_device",
    "dma_sync_sgtable_for_cpu",
    "dma_sync_sgtable_for_device",
    "dma_sync_single_for_cpu",
    "dma_sync_single_for_device",
    "dma_sync_single_range_for_cpu",
    "dma_sync_single_range_for_device",
    "dma_unmap_page",
    "dma_unmap_peer_resource",
    "dma_unmap_phys",
    "dma_unmap_resource",
    "dma_unmap_sg",
    "dma_unmap_sgtable",
    "dma_unmap_single",
    "dma_use_iova",
    "dma_vmap_noncontiguous",
    "dma_vunmap_noncontiguous",
    "dma_wmb",
    "dmam_alloc_attrs",
    "dmam_alloc_coherent",
    "dmam_free_coherent",
    "dmam_pool_create",
    "dmam_pool_destroy",
    "sg_dma_address",
    "sg_dma_is_bus_address",
    "sg_dma_len",
    "sweep",
    "transfer_in_flight",
]
