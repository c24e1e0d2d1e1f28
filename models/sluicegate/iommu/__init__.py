"""The RISC-V IOMMU: functional model (``translate``), batch translator and register-level model.

Source: RISC-V IOMMU Architecture Specification 1.0 with the ratified extensions QOSID, NL, S and Svrsw60t59b.
"""

from sluicegate.iommu.batch import BatchRequest, BatchResponse, BatchTranslator, translate_batch
from sluicegate.iommu.capabilities import Capabilities, DirectoryMode, InterruptGeneration, IommuConfiguration
from sluicegate.iommu.device import IommuDevice
from sluicegate.iommu.request import (
    AddressType,
    Cause,
    FaultRecord,
    Feature,
    MemoryType,
    MrifTarget,
    Permissions,
    QosIds,
    Request,
    Response,
    Status,
    TransactionType,
)
from sluicegate.iommu.translate import translate

__all__ = [
    "AddressType",
    "BatchRequest",
    "BatchResponse",
    "BatchTranslator",
    "Capabilities",
    "Cause",
    "DirectoryMode",
    "FaultRecord",
    "Feature",
    "InterruptGeneration",
    "IommuConfiguration",
    "IommuDevice",
    "MemoryType",
    "MrifTarget",
    "Permissions",
    "QosIds",
    "Request",
    "Response",
    "Status",
    "TransactionType",
    "translate",
    "translate_batch",
]
