// A transaction layer packet inside the native testbench, and the header fields it needs (PCI Express, non-FLIT headers).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace sluicegate {

enum class TlpClass : std::uint8_t { Posted = 0, NonPosted = 1, Completion = 2 };

struct Tlp {
    std::array<std::uint32_t, 4> header{};   // DW0..DW3
    std::uint32_t prefix = 0;
    bool prefix_valid = false;
    bool nullified = false;
    std::vector<std::uint8_t> payload;       // whole DWs, bytes by address

    std::uint8_t fmt_type() const { return static_cast<std::uint8_t>(header[0] >> 24); }
    bool has_payload() const { return (header[0] >> 30 & 1U) != 0; }
    bool four_dwords() const { return (header[0] >> 29 & 1U) != 0; }
    bool poisoned() const { return (header[0] >> 14 & 1U) != 0; }

    // The Length field in DWs (0 means 1024).
    std::uint32_t length_field() const {
        const std::uint32_t length = header[0] & 0x3FFU;
        return length == 0 ? 1024 : length;
    }
    std::uint32_t payload_bytes() const { return has_payload() ? length_field() * 4 : 0; }

    TlpClass tlp_class() const {
        const std::uint8_t type = fmt_type() & 0x1FU;
        if ((type & 0x1EU) == 0x0AU) return TlpClass::Completion;
        if ((type & 0x18U) == 0x10U) return TlpClass::Posted;
        if (has_payload() && type == 0) return TlpClass::Posted;
        return TlpClass::NonPosted;
    }
    bool is_memory_request() const {
        const std::uint8_t type = fmt_type() & 0x1FU;
        return type == 0x00 || type == 0x01 || (type & 0x1CU) == 0x0CU || type == 0x1BU;
    }
    std::uint64_t address() const {
        if (four_dwords()) return static_cast<std::uint64_t>(header[2]) << 32 | (header[3] & ~3U);
        return header[2] & ~3U;
    }
    std::uint16_t requester_id() const {
        return static_cast<std::uint16_t>((tlp_class() == TlpClass::Completion ? header[2] : header[1]) >> 16);
    }
    // Tag with T9 and T8 of DW0.
    std::uint16_t tag() const {
        const std::uint32_t low = (tlp_class() == TlpClass::Completion ? header[2] : header[1]) >> 8 & 0xFFU;
        return static_cast<std::uint16_t>((header[0] >> 23 & 1U) << 9 | (header[0] >> 19 & 1U) << 8 | low);
    }
    std::uint32_t first_be() const { return header[1] & 0xFU; }
    std::uint32_t last_be() const { return header[1] >> 4 & 0xFU; }
};

// Bytes a read with these byte enables asks for, and the offset of the first (PCIe, Byte Count table).
struct ByteSpan {
    std::uint32_t lead = 0;    // disabled bytes before the first enabled one
    std::uint32_t count = 0;   // Byte Count: first to last enabled byte, 1 for a zero-length read
};

inline ByteSpan enabled_span(std::uint32_t length_dwords, std::uint32_t first_be, std::uint32_t last_be) {
    const auto lowest = [](std::uint32_t be) { return be == 0 ? 0U : static_cast<std::uint32_t>(__builtin_ctz(be)); };
    const auto highest = [](std::uint32_t be) { return be == 0 ? 0U : 31U - static_cast<std::uint32_t>(__builtin_clz(be)); };
    if (length_dwords == 1) {
        if (first_be == 0) return {0, 1};
        return {lowest(first_be), highest(first_be) - lowest(first_be) + 1};
    }
    return {lowest(first_be), 4 * length_dwords - lowest(first_be) - (3 - highest(last_be))};
}

}  // namespace sluicegate
