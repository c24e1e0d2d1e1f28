"""A device with an address translation cache below the root port, as TLPs: what it sends, and what comes down to it."""

from __future__ import annotations

from dataclasses import dataclass

from tb.agents.tlp_link.item import StimulusTlp
from tb.bridge.event_log import EventKind, LogBatch
from tb.bridge.native import ActionKind
from tb.bridge.simulation import Simulation
from tb.scoreboards.tlp_batch import TlpBatch

UP, DOWN = 4, 5
ROOT_PORT = 0x0008
UNTRANSLATED, TRANSLATION_REQUEST, TRANSLATED = 0, 1, 2
_PASID_PREFIX = 0x91 << 24
_PRIV, _EXEC = 1 << 21, 1 << 20
_INVALIDATE_REQUEST, _INVALIDATE_COMPLETION, _PAGE_REQUEST, _GROUP_RESPONSE = 0x01, 0x02, 0x04, 0x05


@dataclass(frozen=True, slots=True)
class Pasid:
    """PASID of a request, with what the prefix asks for."""

    process: int
    priv: bool = False
    exec: bool = False

    @property
    def prefix(self) -> int:
        """The end-end prefix."""
        return _PASID_PREFIX | self.process | (_PRIV if self.priv else 0) | (_EXEC if self.exec else 0)


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion as it came: status, Byte Count field, Lower Address, payload."""

    status: int
    byte_count: int
    lower_address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Invalidation:
    """An invalidate request as it came: device, itag, range word, process ID with a PASID."""

    device: int
    itag: int
    payload: int
    process: int | None


@dataclass(frozen=True, slots=True)
class GroupResponse:
    """A page-request-group response as it came: device, code, group index, process ID with a PASID."""

    device: int
    code: int
    group: int
    process: int | None


class AtsDevices:
    """All devices on the link from the switch; create it before the first clock edge."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._tag = 0
        self.completions: dict[tuple[int, int], list[Completion]] = {}
        """Completions by requester ID and tag, in order."""
        self.invalidations: list[Invalidation] = []
        self.responses: list[GroupResponse] = []
        self.commands: list[tuple[int, int]] = []
        """First dword and sequence number of each command that the IOMMU completed."""
        simulation.add_consumer(self._ingest)

    def _send(self, tlp: StimulusTlp) -> None:
        self._simulation.native.act(ActionKind.SEND_TLP, UP, 0, tlp.flags, blob=tlp.blob)

    def _memory_request(
        self, device: int, kind: int, address: int, dwords: int, enables: int, at: int, pasid: Pasid | None, data: bytes
    ) -> int:
        self._tag = self._tag + 1 & 0xFF
        long = address >> 32 != 0
        header = (
            (kind | long << 5) << 24 | at << 10 | dwords & 0x3FF,
            device << 16 | self._tag << 8 | enables,
            address >> 32 if long else address & 0xFFFF_FFFF,
            address & 0xFFFF_FFFF if long else 0,
        )
        self._send(StimulusTlp(header, data, None if pasid is None else pasid.prefix))
        return self._tag

    def translate(self, device: int, iova: int, no_write: bool = False, pasid: Pasid | None = None, entries: int = 1) -> int:
        """A translation request for ``entries`` entries; its tag."""
        return self._memory_request(device, 0x00, iova | no_write, 2 * entries, 0xFF, TRANSLATION_REQUEST, pasid, b"")

    def read(self, device: int, address: int, length: int, at: int = UNTRANSLATED, enables: int | None = None) -> int:
        """A read of whole DWs; its tag."""
        dwords = length // 4
        given = (0x0F if dwords == 1 else 0xFF) if enables is None else enables
        return self._memory_request(device, 0x00, address, dwords, given, at, None, b"")

    def write(self, device: int, address: int, data: bytes, at: int = UNTRANSLATED, enables: int | None = None) -> None:
        """A posted write of whole DWs."""
        dwords = len(data) // 4
        given = (0x0F if dwords == 1 else 0xFF) if enables is None else enables
        self._memory_request(device, 0x40, address, dwords, given, at, None, data)

    def fetch_add(self, device: int, address: int, data: bytes) -> int:
        """An untranslated FetchAdd; its tag."""
        return self._memory_request(device, 0x4C, address, len(data) // 4, 0, UNTRANSLATED, None, data)

    def complete_invalidation(self, device: int, tags: int, count: int = 1, target: int = ROOT_PORT) -> None:
        """An invalidate completion for the tags of a vector."""
        self._send(StimulusTlp((0x32 << 24, device << 16 | _INVALIDATE_COMPLETION, target << 16 | count & 7, tags)))

    def request_page(self, device: int, page: int, flags: int, group: int, pasid: Pasid | None = None) -> None:
        """A page request; ``flags``: R 1, W 2, last of its group 4."""
        payload = page | group << 3 | flags
        header = (0x30 << 24, device << 16 | _PAGE_REQUEST, payload >> 32, payload & 0xFFFF_FFFF)
        self._send(StimulusTlp(header, prefix=None if pasid is None else pasid.prefix))

    def answer(self, device: int, tag: int) -> list[Completion]:
        """What came back for a request; it is forgotten."""
        return self.completions.pop((device, tag), [])

    def _ingest(self, batch: LogBatch) -> None:
        for record in batch.of_kind(EventKind.IOMMU_COMMAND):
            self.commands.append((int(record["header"][0]), int(record["sequence"])))
        tlps = TlpBatch.of(batch)
        for row in range(len(tlps)):
            if int(tlps.link[row]) == DOWN:
                self._receive([int(word) for word in tlps.header[:, row]], tlps.payload_of(row).tobytes(), tlps, row)

    def _receive(self, words: list[int], payload: bytes, tlps: TlpBatch, row: int) -> None:
        process = int(tlps.prefix[row]) & 0xFFFFF if tlps.has_prefix[row] else None
        kind, code = words[0] >> 24, words[1] & 0xFF
        if kind in (0x0A, 0x4A):
            completion = Completion(words[1] >> 13 & 7, words[1] & 0xFFF, words[2] & 0x7F, payload)
            self.completions.setdefault((words[2] >> 16, words[2] >> 8 & 0xFF), []).append(completion)
        elif kind == 0x72 and code == _INVALIDATE_REQUEST:
            itag, content = words[1] >> 8 & 0xFF, int.from_bytes(payload, "big")
            self.invalidations.append(Invalidation(words[2] >> 16, itag, content, process))
        elif kind == 0x32 and code == _GROUP_RESPONSE:
            self.responses.append(GroupResponse(words[2] >> 16, words[2] >> 12 & 0xF, words[2] & 0x1FF, process))
