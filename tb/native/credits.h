// Flow control credits as they travel on a TLP link (docs/interfaces.md section 1): 60 bits of cumulative limits, 6 of "infinite".
#pragma once

#include <array>
#include <cstdint>

#include "tlp.h"

namespace sluicegate {

constexpr std::array<unsigned, 6> CreditShift{0, 8, 20, 28, 40, 48};       // PH PD NPH NPD CPLH CPLD
constexpr std::array<std::uint32_t, 6> CreditMask{0xFF, 0xFFF, 0xFF, 0xFFF, 0xFF, 0xFFF};

inline std::uint32_t data_credits(const Tlp& tlp) { return (tlp.payload_bytes() + 15) / 16; }

// What a sender has consumed since link-up, and whether another TLP may go under the receiver's limits.
class CreditConsumer {
  public:
    void reset() { consumed_.fill(0); }

    bool allows(const Tlp& tlp, std::uint64_t limit, std::uint32_t infinite) const {
        const unsigned header = static_cast<unsigned>(tlp.tlp_class()) * 2;
        return fits(header, 1, limit, infinite) && fits(header + 1, data_credits(tlp), limit, infinite);
    }
    // What another TLP like `tlp` would lack: bit 0 a header credit, bit 1 data credits.
    unsigned lacking(const Tlp& tlp, std::uint64_t limit, std::uint32_t infinite) const {
        const unsigned header = static_cast<unsigned>(tlp.tlp_class()) * 2;
        return (fits(header, 1, limit, infinite) ? 0U : 1U) | (fits(header + 1, data_credits(tlp), limit, infinite) ? 0U : 2U);
    }
    void consume(const Tlp& tlp) {
        const unsigned header = static_cast<unsigned>(tlp.tlp_class()) * 2;
        consumed_[header] += 1;
        consumed_[header + 1] += data_credits(tlp);
    }

    std::uint32_t consumed(unsigned kind) const { return consumed_[kind] & CreditMask[kind]; }

  private:
    bool fits(unsigned kind, std::uint32_t need, std::uint64_t limit, std::uint32_t infinite) const {
        if ((infinite >> kind & 1U) != 0 || need == 0) return true;
        const std::uint32_t mask = CreditMask[kind];
        const std::uint32_t granted = static_cast<std::uint32_t>(limit >> CreditShift[kind]) & mask;
        return ((granted - (consumed_[kind] + need)) & mask) <= (mask + 1) / 2;
    }

    std::array<std::uint32_t, 6> consumed_{};
};

// What a receiver has granted since link-up. Room 0 of a kind means infinite.
class CreditGrants {
  public:
    void configure(unsigned kind, std::uint32_t room) { room_[kind] = granted_[kind] = room; }

    void release(TlpClass tlp_class, std::uint32_t headers, std::uint32_t data) {
        const unsigned header = static_cast<unsigned>(tlp_class) * 2;
        granted_[header] += headers;
        granted_[header + 1] += data;
    }
    std::uint64_t limit() const {
        std::uint64_t packed = 0;
        for (unsigned kind = 0; kind < 6; ++kind) {
            packed |= static_cast<std::uint64_t>(granted_[kind] & CreditMask[kind]) << CreditShift[kind];
        }
        return packed;
    }
    std::uint32_t infinite() const {
        std::uint32_t packed = 0;
        for (unsigned kind = 0; kind < 6; ++kind) packed |= static_cast<std::uint32_t>(room_[kind] == 0) << kind;
        return packed;
    }

  private:
    std::array<std::uint32_t, 6> room_{};
    std::array<std::uint32_t, 6> granted_{};
};

}  // namespace sluicegate
