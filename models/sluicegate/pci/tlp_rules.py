"""Which rule a TLP breaks, if any: what a receiver reports as malformed (specification PCIE, sections 1 to 3)."""

from __future__ import annotations

from sluicegate.pci.byte_enables import byte_enables_legal, operand_bytes
from sluicegate.pci.tlp import Tlp
from sluicegate.pci.tlp_fields import AddressType, TlpKind

_OPERANDS = {
    TlpKind.FETCH_ADD: (4, 8),
    TlpKind.SWAP: (4, 8),
    TlpKind.COMPARE_AND_SWAP: (4, 8, 16),
}


def violation(tlp: Tlp, *, max_payload: int = 4096, max_read_request: int = 4096) -> str | None:
    """The first rule broken, in one sentence; None for a legal TLP.

    ``max_payload`` is the receiver's Max_Payload_Size, ``max_read_request`` the sender's Max_Read_Request_Size (bytes).
    """
    kind = tlp.kind
    if kind.has_data and 4 * tlp.length > max_payload:
        return f"a payload of {4 * tlp.length} bytes is above the maximum of {max_payload}"
    if tlp.address_type is not AddressType.UNTRANSLATED and not kind.is_memory:
        return f"{kind.name} has no address type"
    if tlp.address_type is AddressType.RESERVED:
        return "address type 3 is reserved"
    if tlp.pasid is not None and kind.is_completion:
        return "a completion carries no PASID"
    if kind.is_atomic:
        return _atomic_violation(tlp)
    if kind.is_memory:
        return _memory_violation(tlp, max_read_request)
    if kind.is_config or kind.is_io:
        if tlp.length != 1 or tlp.last_be or tlp.traffic_class or tlp.relaxed_ordering or tlp.no_snoop:
            return f"{kind.name} has one word, no last byte enables, traffic class 0 and no attributes"
        return None
    if kind.is_completion and tlp.byte_count == 0:
        return "a byte count of 0 bytes is not encodable"
    return None


def _memory_violation(tlp: Tlp, max_read_request: int) -> str | None:
    if tlp.address % 4096 + 4 * tlp.length > 4096:
        return f"{tlp.address:#x} + {4 * tlp.length} bytes crosses a 4 KiB boundary"
    if tlp.address_type is AddressType.TRANSLATION_REQUEST:
        if tlp.kind is not TlpKind.MEMORY_READ or tlp.length & 1 or tlp.first_be != 0xF or tlp.last_be != 0xF:
            return "a translation request is a read of an even number of words, all bytes enabled"
        return None
    if not tlp.kind.has_data and 4 * tlp.length > max_read_request:
        return f"a read of {4 * tlp.length} bytes is above the maximum of {max_read_request}"
    if not tlp.hints and not byte_enables_legal(tlp.address, tlp.length, tlp.first_be, tlp.last_be):
        return f"byte enables {tlp.first_be:04b} and {tlp.last_be:04b} are illegal for {tlp.length} words at {tlp.address:#x}"
    return None


def _atomic_violation(tlp: Tlp) -> str | None:
    operand = operand_bytes(tlp)
    if operand not in _OPERANDS[tlp.kind]:
        return f"{tlp.kind.name} with {tlp.length} words of payload"
    if tlp.address % operand:
        return f"{tlp.kind.name} of {operand} bytes at {tlp.address:#x} is not aligned"
    return None
