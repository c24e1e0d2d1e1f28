"""Process directories: one IOVA space for each process (PASID) of a device."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sluicegate.driver.iommu import IommuDriver, IommuError
from sluicegate.driver.iommu_domain import PageTableDomain
from sluicegate.iommu.commands import InvalidateProcess
from sluicegate.iommu.context import DeviceContext, ProcessDirectoryMode, encode_process_context
from sluicegate.platform import Bdf

_INDEX_SHIFT: Final = (0, 8, 17)
_INDEX_MASK: Final = (0xFF, 0x1FF, 0x7)


class ProcessDirectory:
    """The process directory of one device, with a first-stage domain for each of its processes.

    With ``default_process`` requests without PASID use process 0; otherwise they pass untranslated.
    """

    def __init__(
        self, driver: IommuDriver, device: Bdf | int, mode: ProcessDirectoryMode | None = None, default_process: bool = False
    ) -> None:
        capabilities = driver.capabilities
        supported = {
            ProcessDirectoryMode.PD8: capabilities.pd8,
            ProcessDirectoryMode.PD17: capabilities.pd17,
            ProcessDirectoryMode.PD20: capabilities.pd20,
        }
        if mode is None:
            mode = next((candidate for candidate, available in supported.items() if available), None)
        if mode is None or not supported.get(mode):
            raise IommuError(f"the IOMMU has no process directory of mode {'PD8, PD17 or PD20' if mode is None else mode.name}")
        self._driver = driver
        self._writer = driver.table_writer()
        self._device_id = device.requester_id if isinstance(device, Bdf) else device
        self._tables: dict[tuple[int, ...], int] = {}
        self.mode: Final = mode
        self.root: Final = self._writer.new_table()
        driver.attach(
            self._device_id,
            DeviceContext(
                default_process=default_process,
                first_stage_big_endian=driver.configuration.big_endian,
                process_directory=mode,
                process_directory_root=self.root,
            ),
        )

    def bind(self, process_id: int, domain: PageTableDomain, *, supervisor: bool = False, sum: bool = False) -> None:
        """Translate the requests of a process through ``domain``.

        ``supervisor`` admits privileged requests, ``sum`` lets them reach user pages. The process must not be bound.
        """
        address = self._entry(process_id)
        context = replace(domain.context().first_stage, enable_supervisory=supervisor, sum=sum)
        attributes, first_stage = encode_process_context(context)
        self._writer.store(address + 8, first_stage)
        self._writer.barrier()
        self._writer.store(address, attributes)
        self._writer.barrier()

    def unbind(self, process_id: int, domain: PageTableDomain) -> None:
        """Make all requests of a process fault; returns when none is under way any more."""
        self._writer.store(self._entry(process_id), 0)
        self._writer.barrier()
        self._driver.submit([InvalidateProcess(self._device_id, process_id)])
        domain.flush_iotlb_all()

    def free(self) -> None:
        """Detach the device and free the directory; every process must be unbound."""
        self._driver.detach(self._device_id)
        for table in (*self._tables.values(), self.root):
            self._writer.free_table(table)
        self._tables.clear()

    def _entry(self, process_id: int) -> int:
        """Address of the process context; tables on the way are made."""
        if process_id < 0 or process_id >> self.mode.process_id_bits:
            raise ValueError(f"process ID {process_id:#x} does not fit {self.mode.name}: use a wider directory")
        indices = [process_id >> shift & mask for shift, mask in zip(_INDEX_SHIFT, _INDEX_MASK, strict=True)]
        table = self.root
        for level in range(self.mode - 1, 0, -1):
            path = tuple(indices[level : self.mode])
            child = self._tables.get(path)
            if child is None:
                child = self._tables[path] = self._writer.new_table()
                self._writer.barrier()
                self._writer.store(table + 8 * indices[level], child >> 2 | 1)
            table = child
        return table + 16 * indices[0]
