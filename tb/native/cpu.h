// The CPU's side of MMIO and configuration: one queue of accesses, started in order, each a TLP on a link or an access on the
// IOMMU's register bus.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "tlp.h"

namespace sluicegate {

class LinkSource;

enum class CpuOperation : std::uint8_t { MmioRead = 0, MmioWrite = 1, ConfigRead = 2, ConfigWrite = 3 };

struct CpuAccess {
    CpuOperation operation = CpuOperation::MmioRead;
    std::uint64_t address = 0;   // physical address, or requester ID << 12 | offset for configuration
    std::uint32_t width = 4;     // 1, 2, 4 or 8 bytes, naturally aligned
    std::uint64_t value = 0;
    std::uint64_t ticket = 0;
};

struct CpuResult {
    bool done = false;
    std::uint32_t status = 0;    // completion status; 0 for register bus accesses and posted writes
    std::uint64_t value = 0;     // data read
};

// What register_bus_initiator.sv presents.
struct RegisterAccess {
    bool valid = false, write = false;
    std::uint32_t address = 0;   // offset in the register page
    std::uint64_t data = 0;
    std::uint32_t strobe = 0;
};

class Cpu {
  public:
    static constexpr std::uint16_t RequesterId = 0;   // 00:00.0

    void reset() { *this = Cpu(); }
    void set_register_page(std::uint64_t base, std::uint64_t bytes) { register_base_ = base, register_bytes_ = bytes; }

    // Queues an access; its result is kept under the ticket that is returned (posted writes have none) until forgotten.
    std::uint64_t submit(CpuAccess access);
    CpuResult result(std::uint64_t ticket) const;
    void forget(std::uint64_t ticket) { results_.erase(ticket); }
    bool idle() const { return queue_.empty() && outstanding_.empty() && !register_active_; }

    // Starts what may start; TLPs go into the source (null: no link attached).
    void run(std::uint64_t cycle, LinkSource* source);
    void completion(const Tlp& tlp);
    RegisterAccess register_access() const { return register_; }
    void register_done(std::uint64_t data);

  private:
    bool on_register_bus(const CpuAccess& access) const;
    void finish(const CpuAccess& access, std::uint32_t status, std::uint64_t value);
    Tlp request(const CpuAccess& access, std::uint8_t tag) const;

    std::uint64_t register_base_ = 0, register_bytes_ = 0;
    std::deque<CpuAccess> queue_;
    std::unordered_map<std::uint32_t, CpuAccess> outstanding_;   // by tag
    std::unordered_map<std::uint64_t, CpuResult> results_;
    RegisterAccess register_;
    CpuAccess register_origin_;
    bool register_active_ = false;
    std::uint64_t tickets_ = 0;
    std::uint8_t next_tag_ = 0;
};

}  // namespace sluicegate
