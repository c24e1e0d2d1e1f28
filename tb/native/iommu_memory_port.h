// Host memory on the IOMMU's memory port (docs/interfaces.md section 4): seeded latency, answers out of order, errors and poison
// per dword as host memory has them.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "host.h"
#include "random_stream.h"

namespace sluicegate {

enum class MemoryOperation : std::uint8_t { Read = 0, Write = 1, CompareAndSwap64 = 2, Or64 = 3 };

struct MemoryPortRequest {
    std::uint32_t id = 0;
    MemoryOperation operation = MemoryOperation::Read;
    std::uint64_t address = 0;
    std::uint32_t size = 8;   // 4 to 64 bytes
    std::array<std::uint8_t, 64> data{};
    std::uint64_t strobe = 0;
    std::uint32_t attributes = 0;   // {PBMT[2], MCID[12], RCID[12]}
};

struct MemoryPortResponse {
    std::uint32_t id = 0;
    std::array<std::uint8_t, 64> data{};
    std::uint8_t error = 0, poison = 0;   // a bit per dword
};

struct MemoryPortTiming {
    std::uint32_t latency = 2;        // cycles from request handshake to response handshake, at least 2
    std::uint32_t jitter = 0;         // up to so many more, uniform; lets answers overtake each other
    std::uint32_t request_stall_chance = 0;   // of 65536, per cycle
    std::uint32_t response_stall_chance = 0;
};

class IommuMemoryPort {
  public:
    void reset(std::uint64_t seed, std::uint64_t channel);
    MemoryPortTiming& timing() { return timing_; }

    bool request_ready() { return !random_.chance(timing_.request_stall_chance); }
    void stage(const MemoryPortRequest& request) { staged_ = request; }
    void commit(std::uint64_t cycle);
    // Performs what is due; its effect and its log record happen here.
    void run(std::uint64_t cycle, Host& host);
    std::optional<MemoryPortResponse> next_response();
    bool idle() const { return pending_.empty() && responses_.empty(); }

  private:
    struct Pending {
        std::uint64_t due;
        MemoryPortRequest request;
    };
    MemoryPortResponse perform(std::uint64_t cycle, const MemoryPortRequest& request, Host& host);

    MemoryPortTiming timing_;
    RandomStream random_;
    MemoryPortRequest staged_;
    std::vector<Pending> pending_;   // in order of their due cycle
    std::deque<MemoryPortResponse> responses_;
};

}  // namespace sluicegate
