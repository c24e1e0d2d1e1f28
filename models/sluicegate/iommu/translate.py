"""Translation of one request from cold: the reference against which everything else is judged.

``translate`` is a function of the configuration, of memory and of the request; its only side effect is the atomic update of A
and D bits in memory. Source: RISC-V IOMMU specification, *Process to translate an IOVA*; step numbers in comments are those of
that list.
"""

from __future__ import annotations

from dataclasses import replace

from sluicegate.iommu import ats
from sluicegate.iommu.capabilities import DirectoryMode, IommuConfiguration
from sluicegate.iommu.context import (
    BARE_CONTEXT,
    DeviceContext,
    ProcessContext,
    ProcessDirectoryMode,
    decode_process_context,
    directory_pointer,
    locate_device_context,
)
from sluicegate.iommu.msi import differing_bits, translate_msi
from sluicegate.iommu.port import PROCESS_DIRECTORY, WalkPort
from sluicegate.iommu.request import (
    AddressType,
    Cause,
    FaultRecord,
    Feature,
    QosIds,
    Request,
    Response,
    Status,
    Trace,
    TranslationFault,
)
from sluicegate.iommu.walk import UNLIMITED_SHIFT, Access, Mapping, Walker
from sluicegate.memory import Memory


def translate(request: Request, configuration: IommuConfiguration, memory: Memory) -> Response:
    """Translate ``request`` with empty caches; A and D bits are updated in ``memory`` where the context says so."""
    return Translation(request, configuration, memory).run()


class Translation:
    """One translation in progress: holds what a fault record or an ATS completion needs to know at any step."""

    def __init__(self, request: Request, configuration: IommuConfiguration, memory: Memory) -> None:
        self._request = request
        self._configuration = configuration
        self._port = WalkPort(memory, configuration)
        self.device: DeviceContext | None = None
        """The device context, once located."""
        self.process: ProcessContext | None = None
        """The context of the first stage, once known."""
        self.pscid_valid = False
        """True when the translation is tagged with the PSCID of ``process``."""
        self.second_stage_reads_to_locate = 0
        """Second-stage reads on the way to ``process``; valid once it is known."""

    @property
    def trace(self) -> Trace:
        """What the translation has read and updated so far."""
        return self._port.trace

    def run(self) -> Response:
        """Translate; every fault is turned into its response."""
        try:
            response = self._translate()
        except TranslationFault as fault:
            return self._faulted(fault)
        if not self._configuration.capabilities.qosid:
            return response
        own = self.device.qos if self.device is not None else QosIds.of_register(self._configuration.iommu_qosid)
        return replace(response, qos=own)

    def reports(self, cause: Cause) -> bool:
        """Whether a fault of this translation is recorded (``DC.tc.DTF``)."""
        return self.device is None or not self.device.disable_fault_reporting or cause.reported_when_faults_disabled

    def _faulted(self, fault: TranslationFault) -> Response:
        request = self._request
        probe = request.address_type is AddressType.TRANSLATION_REQUEST
        if probe and fault.cause in ats.UNTRANSLATABLE_CAUSES:
            return Response(
                Status.OK,
                permissions=ats.no_permissions(request),
                cause=fault.cause,
                trace=self._port.trace,
            )
        return Response(
            ats.failure_status(fault.cause) if probe else Status.UNSUPPORTED_REQUEST,
            fault=fault_record(request, fault) if self.reports(fault.cause) else None,
            cause=fault.cause,
            trace=self._port.trace,
        )

    def _translate(self) -> Response:
        request, trace = self._request, self._port.trace
        if self._configuration.mode is DirectoryMode.OFF:  # 1
            raise TranslationFault(Cause.ALL_INBOUND_DISALLOWED)
        if self._configuration.mode is DirectoryMode.BARE:  # 2
            if request.address_type is not AddressType.UNTRANSLATED:
                raise TranslationFault(Cause.TRANSACTION_TYPE_DISALLOWED)
            return Response(Status.OK, request.iova, trace=trace)
        device, process, walker = self.locate()
        if process is None:
            return Response(Status.OK, request.iova, trace=trace)
        first = walker.first_stage(process, request.iova)  # 12
        return self._finish(walker, device, first)

    def locate(self) -> tuple[DeviceContext, ProcessContext | None, Walker]:
        """Steps 3 to 11: the contexts of the request, and the walker for them; no process context when the SPA is the IOVA.

        The directory mode must be neither Off nor Bare. Raises TranslationFault.
        """
        request = self._request
        translated = request.address_type is AddressType.TRANSLATED
        probe = request.address_type is AddressType.TRANSLATION_REQUEST
        device = self.device = locate_device_context(self._port, self._configuration, request.device_id)  # 3, 4
        self._port.qos = device.qos
        disallowed = TranslationFault(Cause.TRANSACTION_TYPE_DISALLOWED)
        if (translated or probe) and not device.enable_ats:  # 5
            raise disallowed
        directory = device.process_directory
        if request.pasid_valid and (directory is None or request.process_id >> directory.process_id_bits):  # 6
            raise disallowed
        if probe:
            self._port.trace.features.add(Feature.ATS)
        walker = Walker(self._port, self._configuration, device, Access.of(request))
        if translated and not device.t2gpa:  # 7
            return device, None, walker
        self.process = BARE_CONTEXT if translated else self._locate_process(walker, device)
        self.second_stage_reads_to_locate = self._port.trace.second_stage_reads
        return device, self.process, walker

    def _locate_process(self, walker: Walker, device: DeviceContext) -> ProcessContext:
        request, directory = self._request, device.process_directory
        if directory is None:  # 8
            self.pscid_valid = bool(device.first_stage.mode)
            return device.first_stage
        process_id = request.process_id if request.pasid_valid else 0
        valid = request.pasid_valid or device.default_process  # 9
        if not valid or directory is ProcessDirectoryMode.BARE:  # 10
            return BARE_CONTEXT
        table = device.process_directory_root  # 11
        trace = self._port.trace
        for level in range(directory - 1, -1, -1):
            index = process_id >> (0, 8, 17)[level] & (0xFF, 0x1FF, 0x7)[level]
            pointer = walker.translate_pointer(table + index * (8 if level else 16))
            trace.process_directory_reads += 1
            if level:
                entry = self._port.load_dword(pointer.address, device.first_stage_big_endian, PROCESS_DIRECTORY)
                table = directory_pointer(entry, Cause.PDT_NOT_VALID, Cause.PDT_MISCONFIGURED)
        words = self._port.load(pointer.address, 2, device.first_stage_big_endian, PROCESS_DIRECTORY)
        if not words[0] & 1:
            raise TranslationFault(Cause.PDT_NOT_VALID)
        process = decode_process_context(words, self._configuration.capabilities, trace.features)
        if process is None:
            raise TranslationFault(Cause.PDT_MISCONFIGURED)
        if request.pasid_valid and request.priv and not process.enable_supervisory:
            raise TranslationFault(Cause.TRANSACTION_TYPE_DISALLOWED)
        self.pscid_valid = bool(process.mode)
        return process

    def _finish(self, walker: Walker, device: DeviceContext, first: Mapping) -> Response:
        request, trace, access = self._request, self._port.trace, walker.access
        gpa = first.address
        msi = translate_msi(self._port, self._configuration, device, gpa)  # 13
        if msi is not None:
            if access.exec and not access.probe:
                raise TranslationFault(Cause.INSTRUCTION_ACCESS_FAULT)
            second = Mapping(msi.spa, 12, exec=False)
            memory_type = first.memory_type
        else:
            second = walker.second_stage(gpa)  # 14
            memory_type = first.memory_type or second.memory_type
        shift = min(first.page_shift, second.page_shift)
        if shift == UNLIMITED_SHIFT:
            shift = 12
        if device.msi_enabled and msi is None:
            distance = differing_bits(gpa, device, self._configuration.capabilities)
            shift = min(shift, 11 + distance.bit_length())
        permissions = None
        spa = second.address
        if access.probe:
            permissions = ats.permissions(request, first, second, msi, memory_type, device)
            if not permissions.read and not permissions.write:
                return Response(Status.OK, permissions=permissions, trace=trace)
            if device.t2gpa:
                spa = gpa
        return Response(
            Status.OK,
            spa,
            shift,
            memory_type,
            msi is not None,
            msi.mrif if msi is not None else None,
            permissions,
            trace=trace,
        )


def fault_record(request: Request, fault: TranslationFault) -> FaultRecord:
    """The fault-queue record of ``fault`` of ``request``; it reports the PASID of the request, not a default one."""
    valid = request.pasid_valid
    return FaultRecord(
        fault.cause,
        request.transaction_type,
        request.device_id,
        request.process_id if valid else 0,
        valid,
        valid and request.priv,
        request.iova,
        fault.iotval2,
    )
