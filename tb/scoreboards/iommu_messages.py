"""Messages of the IOMMU to devices: the TLPs that they must leave the root complex as.

Source: PCI Express Base specification, chapters ATS (Invalidate Request) and Page Request Services (PRG Response).
"""

from __future__ import annotations

import numpy as np

from tb.bridge.event_log import EVENT_DTYPE, MESSAGE_ITAG_SHIFT, EventFlag, EventKind, LogBatch, MessageBit
from tb.scoreboards.tlp_batch import TlpBatch

_PASID_PREFIX = 0x91 << 24
_MESSAGE, _MESSAGE_WITH_DATA = 0x32 << 24, 0x72 << 24
_INVALIDATE_REQUEST, _GROUP_RESPONSE = 0x01, 0x05


def message_tlps(batch: LogBatch, link: int, secondary: int, subordinate: int, requester: int) -> TlpBatch:
    """The TLPs on ``link`` that the IOMMU_MESSAGE records of ``batch`` cause; messages to buses elsewhere cause none."""
    sent = batch.of_kind(EventKind.IOMMU_MESSAGE)
    target = sent["header"][:, 0]
    # The root complex serves segment 0.
    below = (target >> 8 >= secondary) & (target >> 8 <= subordinate)
    sent = sent[below]
    if not len(sent):
        return TlpBatch.none()
    records = np.zeros(len(sent), dtype=EVENT_DTYPE)
    payload = b""
    for record, message in zip(records, sent, strict=True):
        device, process, bits = (int(message["header"][index]) for index in range(3))
        content = int(message["address"])
        record["kind"], record["source"] = EventKind.TLP, link
        record["cycle"], record["sequence"] = message["cycle"], message["sequence"]
        if bits & MessageBit.PV:
            record["flags"], record["prefix"] = EventFlag.PREFIX_VALID, _PASID_PREFIX | process
        if bits & MessageBit.INVALIDATE:
            tag = bits >> MESSAGE_ITAG_SHIFT
            record["header"] = (_MESSAGE_WITH_DATA | 2, requester << 16 | tag << 8 | _INVALIDATE_REQUEST, device << 16, 0)
            record["length"], record["payload"] = 8, len(payload)
            payload += content.to_bytes(8, "big")
        else:
            low = content & 0xFFFF_FFFF
            record["header"] = (_MESSAGE, requester << 16 | _GROUP_RESPONSE, device << 16 | content >> 32 & 0xFFFF, low)
    return TlpBatch.of(LogBatch(records, np.frombuffer(payload, dtype=np.uint8), 0))
