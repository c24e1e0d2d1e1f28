"""The :class:`IommuDomain` protocol between the dma-iommu back end and whatever holds the translations.

Implementations: page tables in memory with invalidation commands (``sluicegate.driver.iommu_domain``), and
:class:`RecordingDomain`, a dictionary that logs each call, for conformance replays and tests. Addresses are plain integers in
bytes: ``iova`` is what the device emits, ``phys`` a CPU physical address.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Final, Protocol

from sluicegate.dma.errno import Errno


class IommuProt(IntFlag):
    """Permissions and memory type of a translation (values of the kernel's ``IOMMU_*`` bits)."""

    NONE = 0
    READ = 1
    """The device may read (``DMA_TO_DEVICE``)."""
    WRITE = 2
    """The device may write (``DMA_FROM_DEVICE``)."""
    CACHE = 4
    """Accesses are coherent with the CPU caches."""
    NOEXEC = 8
    MMIO = 16
    """The target is device memory, never cached."""
    PRIV = 32
    """Only privileged accesses."""


class DomainMapError(Exception):
    """A translation could not be installed; ``errno`` is positive (``ENOMEM``, ``EADDRINUSE``, ``EINVAL``)."""

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(message)
        self.errno = Errno(errno)


class IommuDomain(Protocol):
    """One IOVA address space: translations of one or more devices."""

    @property
    def granule(self) -> int:
        """Smallest page in bytes, a power of two."""

    @property
    def aperture_end(self) -> int:
        """Highest IOVA (inclusive, in bytes) that the domain can translate."""

    def map(self, iova: int, phys: int, size: int, prot: IommuProt) -> None:
        """Translate ``[iova, iova + size)`` to ``phys`` on; all three are multiples of the granule.

        ``phys`` may be any physical address, a device BAR included. Raises :class:`DomainMapError`, and then nothing of the
        range is translated. New translations may be used only after :meth:`sync_map`.
        """

    def unmap(self, iova: int, size: int) -> int:
        """Remove the translations of the range and return the bytes removed (less than ``size`` when some were missing).

        Stale translations may be used by the hardware until :meth:`iotlb_sync` or :meth:`flush_iotlb_all` returns.
        """

    def iova_to_phys(self, iova: int) -> int | None:
        """The physical byte address behind ``iova``, or None."""

    def sync_map(self, iova: int, size: int) -> None:
        """Make the new translations of the range visible to the hardware."""

    def iotlb_sync(self, iova: int, size: int) -> None:
        """Invalidate the range in every IOTLB and wait until no access uses an old translation of it."""

    def flush_iotlb_all(self) -> None:
        """The same for the whole domain."""


class RecordingDomain:
    """An :class:`IommuDomain` in a dictionary, granule by granule, that records each call in ``log``.

    Log rows: ``("M", iova, phys, size, prot)`` a range mapped, ``("S", iova, size)`` made visible, ``("U", iova, size,
    removed)`` unmapped. A map that fails leaves no row. ``fail_map_at`` makes the map call of that index (the next call is 0)
    fail with ``ENOMEM``, once.
    """

    def __init__(self, granule: int = 4096, aperture_end: int = (1 << 64) - 1) -> None:
        if granule <= 0 or granule & (granule - 1):
            raise ValueError(f"granule {granule} is not a power of two")
        self.granule: Final = granule
        self.aperture_end: Final = aperture_end
        self.log: list[tuple[str | int, ...]] = []
        self.invalidations = 0
        self.fail_map_at: int | None = None
        self._translations: dict[int, tuple[int, IommuProt]] = {}

    @property
    def mapped_bytes(self) -> int:
        """Bytes that are translated now."""
        return len(self._translations) * self.granule

    def map(self, iova: int, phys: int, size: int, prot: IommuProt) -> None:
        if size <= 0 or (iova | phys | size) & (self.granule - 1):
            raise DomainMapError(Errno.EINVAL, f"map {iova:#x} to {phys:#x}, {size:#x} bytes: no multiples of {self.granule:#x}")
        if iova + size - 1 > self.aperture_end:
            raise DomainMapError(Errno.EINVAL, f"map up to {iova + size - 1:#x}: the aperture ends at {self.aperture_end:#x}")
        if self.fail_map_at is not None:
            self.fail_map_at -= 1
            if self.fail_map_at < 0:
                self.fail_map_at = None
                raise DomainMapError(Errno.ENOMEM, f"injected failure of the map of {iova:#x}")
        translations = self._translations
        pages = range(iova, iova + size, self.granule)
        for page in pages:
            if page in translations:
                raise DomainMapError(Errno.EADDRINUSE, f"{page:#x} is already mapped to {translations[page][0]:#x}")
        for page in pages:
            translations[page] = phys + page - iova, prot
        self.log.append(("M", iova, phys, size, int(prot)))

    def unmap(self, iova: int, size: int) -> int:
        removed = 0
        for page in range(iova, iova + size, self.granule):
            if self._translations.pop(page, None) is not None:
                removed += self.granule
        self.log.append(("U", iova, size, removed))
        return removed

    def iova_to_phys(self, iova: int) -> int | None:
        offset = iova & (self.granule - 1)
        found = self._translations.get(iova - offset)
        return None if found is None else found[0] + offset

    def prot(self, iova: int) -> IommuProt:
        """The protection of the page that holds ``iova``; NONE when it is not translated."""
        found = self._translations.get(iova & -self.granule)
        return IommuProt.NONE if found is None else found[1]

    def sync_map(self, iova: int, size: int) -> None:
        self.log.append(("S", iova, size))

    def iotlb_sync(self, iova: int, size: int) -> None:
        self.invalidations += 1

    def flush_iotlb_all(self) -> None:
        self.invalidations += 1
